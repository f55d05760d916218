// Package engine is one shard of a host, sans-IO: every connection whose
// 4-tuple hashes to it, with listeners, half-open connections, TIME-WAIT
// records, ports, the UDP sockets of its ports, and below them IP with fragments,
// ICMP, and the host's part of multicast.
//
// An Engine has four verbs. Input takes a packet that arrived, Output gives
// the packets to be sent, Advance fires timers, NextTimeout says when Advance
// is wanted. The socket calls (Dial, Listen, Conn.Read and so on) never wait;
// Await and Wake tell when to try again. Nothing here looks at a clock, starts
// a goroutine, takes a lock or draws a random number: time and secrets are
// arguments, and the same inputs give the same packets, bit for bit.
//
//	e := engine.New(engine.Config{Secret: secret})
//	e.AddInterface(engine.Interface{Index: 0, MTU: 1500, Prefixes: prefixes})
//	c, err := e.Dial(now, netip.AddrPort{}, remote, tcp.Options{})
//	for more := true; more; {
//		batch.Reset()
//		more = e.Output(now, &batch) // the SYN
//		send(batch.Packets)
//	}
//
// An Engine is not safe for concurrent use, except for ShardOf.
//
// LISTEN, SYN-RECEIVED of a passive open and TIME-WAIT are records here, a
// fraction of a connection in size, because they are what floods and churn
// multiply. Every table and queue has a bound and a counter that says when it
// was hit (Stats).
//
// Known limits: no IPv6 neighbour discovery (links carry IP packets), groups from
// all sources only. Data on a SYN without Fast Open is not taken; its sender sends
// it again after the handshake (RFC 9293, Section 3.10.7.2, leaves the choice). A
// client whose ACK of a SYN cookie is lost and that waits to be spoken to may hang.
// There is no privilege to use ports under 1024.
package engine
