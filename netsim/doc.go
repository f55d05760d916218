// Package netsim is a network for tests: hosts that are whole trivet.Stacks,
// joined by links, switches, routers and NATs on which everything happens that
// happens to packets. Unmodified programs - net/http, crypto/tls, database
// drivers - run over it through net.Conn and net.Listener.
//
// It is made for testing/synctest: in a bubble its time is virtual, so that a
// test with an hour of silence takes milliseconds, and everything waits in a
// way that synctest sees.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := netsim.New(netsim.Config{Seed: 1, TB: t})
//		client, server := n.Host("client"), n.Host("server")
//		cable := n.Link(client, server, netsim.Delay(20*time.Millisecond), netsim.Loss(0.05))
//
//		l, err := server.Listen("tcp", ":80")
//		...
//		c, err := client.Dial("tcp", "server:80")
//		...
//		cable.Unplug()
//	})
//
// # What may happen
//
// A link has a delay, jitter, a rate with a queue, and loses, repeats, reorders
// and damages packets, in each direction as its options say; Link.Set changes
// them while it is in use, Unplug cuts it, UnplugFrom cuts one direction. Hosts
// end with Crash, without a word to anyone, and come back with Boot.
//
// Rules do something to single packets. What they pick is said by matches of
// package sim, which are asked in order:
//
//	n.Drop(sim.From("client"), sim.Data, sim.Nth(3)) // the third data segment
//	last := n.Hold(sim.From("client"), sim.PureAck)
//	...
//	last.Release()
//	again := n.Count(sim.Retransmission())
//
// Middleboxes (Link.Insert) reset, strip options, forget, or do what a
// function of one's own says.
//
// # What a test may ask
//
// WaitState and Wait wait, in virtual time, for a state of a connection and for
// anything else; Table is what ss would print on a host. With Config.TB the
// network is closed when the test ends, and a test that failed leaves its
// packets, wire.pcapng, and its seed in TB.ArtifactDir.
//
// The files scenarios_test.go and programs_test.go have tests to copy from:
// retry logic under 5 % loss, a partition that heals, a leader that crashes and
// leaves half-open connections, a proxy that forgets half-close; HTTP/2 over
// TLS, a stream in both directions, database/sql, a reverse proxy.
//
// # Names
//
// A host's name stands for its IPv4 and its IPv6 address. As with package net, a
// dial on "tcp" tries the second after 300 ms (trivet.Dialer.FallbackDelay): a test
// about a SYN that is lost or late dials on "tcp4", or an address.
//
// # How far runs repeat
//
// Luck comes from the seed: the n-th packet of a direction of a link meets the
// same fate in every run. Which packet is the n-th depends also on the order in
// which the Go scheduler runs goroutines that are ready at the same moment; for
// runs that repeat bit for bit use package sim, which has the same network.
// Outside of a bubble the network runs in real time.
//
// A net.Resolver with PreferGo, and a host's DialContext for its Dial, asks name
// servers of the network. Without package netsim, one must have looked something up
// before the first bubble, or it ends the program in the second.
//
// In a bubble, programs must end before the test does, as synctest demands:
// closing the network ends those that wait for connections, t.Context those
// that sleep.
package netsim
