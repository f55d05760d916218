// Package sim is a network without a clock: hosts, each an engine.Engine, and
// between them links, switches, routers, NATs and middleboxes. One loop steps
// engines and links in virtual time, in an order that depends on nothing but
// the seed, so that a run can be repeated bit for bit, and an hour of silence
// costs nothing.
//
//	n := sim.New(sim.Config{Seed: 1})
//	a, b := n.AddHost("a", engine.Config{}), n.AddHost("b", engine.Config{})
//	n.Connect(a, b, sim.Symmetric(sim.Settings{Delay: 10 * time.Millisecond, Loss: 0.01}))
//	b.Listen(80, func(c *sim.Conn) { sim.Receive(c, ...) })
//	c, err := a.Dial(netip.AddrPortFrom(b.Addr(), 80), tcp.Options{})
//	err = n.RunUntil(done, time.Minute)
//
// Settings say what a link does to packets: rate, delay, jitter, a bounded
// queue with tail drop, CoDel or ECN marks, loss at random and in bursts,
// duplication, reordering, corruption, a path-MTU black hole. Links are cut
// with Unplug, in one direction with UnplugFrom, and changed with Set; a host
// crashes with Host.Crash. Rules pick single packets:
//
//	n.Drop(sim.From("a"), sim.Data, sim.Nth(3))
//	last := n.Hold(sim.From("a"), sim.PureAck)
//	...
//	last.Release()
//
// Hosts have UDP sockets too (Host.ListenUDP, Host.DialUDP).
//
// Applications are callbacks that the loop calls when something they await has
// come; there is no goroutine and no lock, and a Network must be used by one
// goroutine at a time. For tests of programs that use net.Conn, see package
// netsim, which joins whole stacks by the same Fabric.
//
// Links carry IP packets: there is no Ethernet, a switch knows where every
// address is, and routes are known to all at once and do not change when a
// cable is cut. A host sends to a direct neighbour over their link, and all
// else over its first link to a switch, router or NAT.
//
// Pipe, one direction of a link, stands alone: any loop can drive it.
package sim
