// Package sim is a network without a clock: hosts, each an engine.Engine, and
// links with rate, delay, jitter, loss, duplication, reordering, corruption, a
// bounded queue and a cable to be unplugged. One loop steps engines and links
// in virtual time, in an order that depends on nothing but the seed, so that a
// run can be repeated bit for bit, and an hour of silence costs nothing.
//
//	n := sim.New(sim.Config{Seed: 1})
//	a, b := n.AddHost("a", engine.Config{}), n.AddHost("b", engine.Config{})
//	n.Connect(a, b, sim.Symmetric(sim.Settings{Delay: 10 * time.Millisecond, Loss: 0.01}))
//	b.Listen(80, func(c *sim.Conn) { sim.Receive(c, ...) })
//	c, err := a.Dial(netip.AddrPortFrom(b.Addr(), 80), tcp.Options{})
//	err = n.RunUntil(done, time.Minute)
//
// Applications are callbacks that the loop calls when something they await has
// come; there is no goroutine and no lock, and a Network must be used by one
// goroutine at a time. For tests of programs that use net.Conn, see package
// netsim, which joins whole stacks by the same links.
//
// Pipe, one direction of a link, stands alone: any loop can drive it.
package sim
