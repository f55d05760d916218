// Package tcp is one TCP connection, as RFC 9293 and its companions have it,
// without any input or output: storey 1 of Trivet's house.
//
// A Conn has no clock, goroutine, lock, timer or source of randomness. The
// caller passes in what happens, with the time, and asks what is to be sent:
//
//	var c tcp.Conn
//	c.Dial(now, cfg, &tcp.Open{Tuple: t, ISS: iss, Path: tcp.Path{MTU: 1500}})
//	for {
//		batch.Reset()
//		c.Output(now, &batch)         // everything that may be sent now
//		send(batch.Segments)
//		select {
//		case seg := <-arrived:
//			c.Input(now, seg)     // changes state, leaves wants
//		case <-timer(c.NextTimeout()):
//			c.Advance(now)        // fires what is due
//		case p := <-written:
//			n, err = c.Write(now, p) // never waits: EAGAIN
//		}
//	}
//
// The same calls in the same order with the same times give the same segments,
// so that a simulation replays a connection exactly. A Conn is not safe for
// concurrent use. Package engine keeps many of them, with what lies around:
// listeners, half-open connections, TIME-WAIT, ports, IP and ICMP. A passive
// open begins there too; its handshake ends in Conn.Accept, or with Fast Open in
// Conn.AcceptFast.
//
// The contract, in short:
//
//   - Input never sends. It leaves what RFC 9293 wants to have sent; Output, the
//     only place that forms segments, is where that meets Nagle's algorithm, the
//     windows and the congestion window. So a batch of segments can be processed
//     whole before one ACK answers it.
//   - After each call, Output is due if HasOutput says so, and the caller's timer
//     is to be set to NextTimeout again.
//   - Payload is lent, in both directions, for the time of a call; package block
//     says how to keep it.
//   - Segments in and out may be super-segments, which stand for several on the
//     wire.
//   - Errors are syscall.Errno and io.EOF, as a socket returns them.
//   - Every decision that a standard prescribes is a Rule with a name and a
//     citation. Config.Counters counts them, Config.Trace hears of them.
//
// The files are the rooms of RFC 9293, Section 3.10: open, send, receive, close,
// abort, status, input with its checks (synsent, ack, text), timers; then one
// for each concern: rtt (RFC 6298); loss with scoreboard, sack (RFC 2018 and
// 2883), rack and tlp (RFC 8985), prr (RFC 9937), newreno (RFC 6582) and undo
// (RFC 5682 and 4015); rate, the delivery rate, and pacing; congestion with reno,
// cubic (RFC 9438), hystart (RFC 9406) and bbr (draft-ietf-ccwg-bbr); reassembly
// (with RFC 2018 and 2883), options (RFC 7323), ecn (RFC 3168), mtuprobe (RFC
// 4821), fastopen (RFC 7413), and the buffers.
//
// Known limits: there is no AccECN (RFC 9768). Urgent text stays in the stream;
// Info says where it ends, but nobody is woken for it. Where deployed stacks depart
// from the standards on purpose, so does this one, and says so at the place.
package tcp
