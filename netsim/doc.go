// Package netsim is a network for tests: hosts that are whole trivet.Stacks,
// joined by links with delay, loss, duplication, reordering and a cable to be
// unplugged. Unmodified programs - net/http, crypto/tls, database drivers -
// run over it through net.Conn and net.Listener.
//
// It is made for testing/synctest: in a bubble its time is virtual, so that a
// test with an hour of silence takes milliseconds, and everything waits in a
// way that synctest sees.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := netsim.New(netsim.Config{Seed: 1})
//		defer n.Close()
//		client, server := n.Host("client"), n.Host("server")
//		link := n.Link(client, server, netsim.Delay(20*time.Millisecond), netsim.Loss(0.05))
//
//		l, err := server.Listen("tcp", ":80")
//		...
//		c, err := client.Dial("tcp", "server:80")
//		...
//		link.Unplug()
//	})
//
// The links are those of package sim, and their luck comes from the seed: the
// n-th packet of a direction meets the same fate in every run. Which packet is
// the n-th depends also on the order in which the Go scheduler runs goroutines
// that are ready at the same moment; for runs that repeat bit for bit use
// package sim. Outside of a bubble the same network runs in real time.
package netsim
