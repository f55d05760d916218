package capture

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// observer infers the states of both ends of every connection.
type observer struct {
	ends map[wire.FourTuple]*end // as the end sees it
}

// end is what is known of one end.
type end struct {
	host   string
	tuple  wire.FourTuple
	state  tcp.State
	known  bool // it has sent something
	isn    seqnum.Value
	max    seqnum.Value // after the last byte sent
	fin    seqnum.Value // after the FIN
	hasFin bool
	sentAt map[seqnum.Value]tcp.Time // when the segment there was sent last

	ack        seqnum.Value // the last acknowledgement number sent
	window     uint16
	duplicates int          // of it, in a row, that reached the peer
	behind     seqnum.Value // up to where it has something, behind gaps or not
}

// packet takes an IP packet into the log, if it is a TCP segment.
func (c *Capture) packet(at tcp.Time, data []byte) {
	if c.seen.again(at, data) {
		c.Twice++
		return
	}
	packet, cut := whole(data)
	seg := new(wire.Segment)
	tuple, ok := wire.DecodeTCP(packet, seg) // whose checksum cards fill in after the capture
	if !ok && c.datagram(at, packet) {
		return
	}
	if !ok {
		what := kind(data)
		if cut && what == "damaged TCP" {
			what = "cut before the end of the TCP header"
		}
		c.Other[what]++
		return
	}
	if cut {
		c.Cut++
	}
	c.Segments++
	c.bytes += len(packet)
	at = c.moment(at)
	sender, receiver := c.observer.pair(&c.Log, at, tuple, seg)
	p := trace.Packet{
		Number: c.Packets, From: sender.host, To: receiver.host, Sent: at, Data: packet,
	}
	sender.explainRepeat(&c.Log, at, receiver, seg)
	c.Log.Packet(at, &p)
	sender.sends(&c.Log, at, receiver, seg)
	p.Fate, p.End = trace.FateDelivered, at
	c.Log.Packet(at, &p)
	receiver.receives(&c.Log, at, seg)
}

// moment is a time as the log has it, which does not go back as captures of
// several cards may.
func (c *Capture) moment(at tcp.Time) tcp.Time {
	if n := len(c.Log.Entries); n > 0 {
		at = max(at, c.Log.Entries[n-1].Time)
	}
	return max(at, 1)
}

// pair returns both ends of a segment. Those of a connection whose beginning is
// not in the capture are in ESTABLISHED.
func (o *observer) pair(log *trace.Log, at tcp.Time, t wire.FourTuple, seg *wire.Segment) (sender, receiver *end) {
	if o.ends == nil {
		o.ends = map[wire.FourTuple]*end{}
	}
	sender, receiver = o.ends[t], o.ends[t.Reverse()]
	fresh := sender == nil
	if fresh {
		sender = &end{host: hostOf(t), tuple: t}
		receiver = &end{host: hostOf(t.Reverse()), tuple: t.Reverse()}
		o.ends[t], o.ends[t.Reverse()] = sender, receiver
	}
	isSyn := seg.Flags&(wire.SYN|wire.ACK|wire.RST) == wire.SYN
	if isSyn && !fresh && over(sender.state) && over(receiver.state) {
		// The same ports again: a new connection.
		*sender = end{host: sender.host, tuple: t, state: sender.state}
		*receiver = end{host: receiver.host, tuple: t.Reverse(), state: receiver.state}
		sender.move(log, at, tcp.StateClosed, tcp.RuleTimeWaitExpired)
		receiver.move(log, at, tcp.StateClosed, tcp.RuleTimeWaitExpired)
	}
	if fresh && seg.Flags&(wire.SYN|wire.RST) == 0 {
		sender.assume(log, at, tcp.StateEstablished)
		receiver.assume(log, at, tcp.StateEstablished)
	}
	return sender, receiver
}

// hostOf is what the local end of a tuple is called: its address, with the port
// where both ends have the same one, as on a loopback interface.
func hostOf(t wire.FourTuple) string {
	if t.LocalAddr == t.RemoteAddr {
		return t.Local().String()
	}
	return t.LocalAddr.String()
}

func over(s tcp.State) bool { return s == tcp.StateClosed || s == tcp.StateTimeWait }

// assume says in what state an end was before the capture began.
func (e *end) assume(log *trace.Log, at tcp.Time, s tcp.State) {
	e.state = s
	log.Event(e.host, &tcp.Event{Time: at, Kind: tcp.EventState, Tuple: e.tuple, From: s, To: s})
}

// move changes the state of an end.
func (e *end) move(log *trace.Log, at tcp.Time, to tcp.State, r tcp.Rule) {
	if e.state == to {
		return
	}
	log.Event(e.host, &tcp.Event{Time: at, Kind: tcp.EventState, Tuple: e.tuple, From: e.state, To: to, Rule: r})
	e.state = to
}

// decide notes the rule by which an end seems to send.
func (e *end) decide(log *trace.Log, at tcp.Time, r tcp.Rule) {
	log.Event(e.host, &tcp.Event{Time: at, Kind: tcp.EventRule, Tuple: e.tuple, Rule: r})
}

// sends infers what sending a segment means for its sender.
func (e *end) sends(log *trace.Log, at tcp.Time, peer *end, seg *wire.Segment) {
	f := seg.Flags
	if f&(wire.SYN|wire.RST) == 0 && !peer.known {
		// The other direction is not in the capture, but it was heard.
		switch e.state {
		case tcp.StateSynSent:
			e.move(log, at, tcp.StateEstablished, tcp.RuleSynSentSynAck)
		case tcp.StateSynReceived:
			e.move(log, at, tcp.StateEstablished, tcp.RuleHandshakeAck)
		}
	}
	switch {
	case f.Has(wire.RST):
		if e.known || e.state != tcp.StateClosed {
			e.move(log, at, tcp.StateClosed, tcp.RuleAbort)
		}
	case f.Has(wire.SYN | wire.ACK):
		if e.state == tcp.StateClosed {
			e.state = tcp.StateListen
		}
		if e.state == tcp.StateListen || e.state == tcp.StateSynSent {
			e.move(log, at, tcp.StateSynReceived, tcp.RuleListenSyn)
		}
	case f.Has(wire.SYN):
		if e.state == tcp.StateClosed {
			e.move(log, at, tcp.StateSynSent, tcp.RuleActiveOpen)
		}
	case f.Has(wire.FIN):
		switch e.state {
		case tcp.StateEstablished, tcp.StateSynReceived:
			e.move(log, at, tcp.StateFinWait1, tcp.RuleClose)
		case tcp.StateCloseWait:
			if !peer.hasFin || peer.fin.LessEq(seg.Ack) {
				e.move(log, at, tcp.StateLastAck, tcp.RuleClose)
				break
			}
			// It had not seen the FIN that passed here before: they crossed.
			e.move(log, at, tcp.StateFinWait1, tcp.RuleClose)
			e.move(log, at, tcp.StateClosing, tcp.RuleFin)
		}
	}
	e.record(at, seg)
}

// record keeps what an end has said.
func (e *end) record(at tcp.Time, seg *wire.Segment) {
	if seg.Flags.Has(wire.RST) {
		return
	}
	if seg.Flags.Has(wire.SYN) {
		e.isn = seg.Seq
	}
	if !e.known || e.max.Less(seg.End()) {
		e.max = seg.End()
	}
	if seg.Flags.Has(wire.FIN) {
		e.hasFin, e.fin = true, seg.End()
	}
	if seg.Len() > 0 {
		if e.sentAt == nil || len(e.sentAt) > 4096 {
			e.sentAt = map[seqnum.Value]tcp.Time{}
		}
		e.sentAt[seg.Seq] = at
	}
	if seg.Flags.Has(wire.ACK) {
		again := e.known && seg.Ack == e.ack && seg.Len() == 0 && seg.Window == e.window
		if again {
			e.duplicates++
		} else {
			e.duplicates = 0
		}
		e.ack, e.window, e.behind = seg.Ack, seg.Window, seg.Ack
		for _, b := range seg.Options.SACK[:seg.Options.NumSACK] {
			e.behind = seqnum.Max(e.behind, b.Right)
		}
	}
	e.known = true
}

// patience is how long a sender waits at least for its retransmission timer;
// what comes sooner has another cause (RFC 6298 asks for 1 s, Linux takes 200 ms).
const patience = 150 * time.Millisecond

// explainRepeat infers why something is sent that was sent before.
func (e *end) explainRepeat(log *trace.Log, at tcp.Time, peer *end, seg *wire.Segment) {
	if !e.known || seg.Flags.Has(wire.RST) {
		return
	}
	small := seg.PayloadLen <= 1 && seg.Flags&(wire.SYN|wire.FIN) == 0
	switch {
	case small && seg.Seq.Add(1) == e.max && !e.hasFin && peer.known && peer.window == 0:
		e.decide(log, at, tcp.RuleZeroWindowProbe)
	case small && seg.Seq.Add(1) == e.max && !e.hasFin && peer.ack == e.max:
		e.decide(log, at, tcp.RuleKeepAliveProbe)
	case seg.Len() == 0 || !seg.Seq.Less(e.max):
	case peer.duplicates >= 3:
		e.decide(log, at, tcp.RuleFastRetransmit)
	case peer.known && seg.Seq.Less(peer.behind) && peer.ack.LessEq(seg.Seq) && at.Sub(e.sentAt[seg.Seq]) < patience:
		e.decide(log, at, tcp.RuleLost)
	default:
		if last, ok := e.sentAt[seg.Seq]; ok && at.Sub(last) >= patience {
			e.decide(log, at, tcp.RuleRetransmitTimeout)
		}
	}
}

// receives infers what a segment means for its receiver.
func (e *end) receives(log *trace.Log, at tcp.Time, seg *wire.Segment) {
	f := seg.Flags
	if f.Has(wire.RST) {
		if e.known {
			e.move(log, at, tcp.StateClosed, tcp.RuleResetExact)
		}
		return
	}
	if !f.Has(wire.SYN) && !e.known && (e.state == tcp.StateClosed || e.state == tcp.StateListen) {
		e.move(log, at, tcp.StateEstablished, tcp.RuleHandshakeAck) // its side is not in the capture
	}
	if f.Has(wire.ACK) && e.known {
		e.acked(log, at, seg)
	}
	if f.Has(wire.FIN) {
		switch e.state {
		case tcp.StateEstablished, tcp.StateSynReceived:
			e.move(log, at, tcp.StateCloseWait, tcp.RuleFin)
		case tcp.StateFinWait1:
			e.move(log, at, tcp.StateClosing, tcp.RuleFin)
		case tcp.StateFinWait2:
			e.move(log, at, tcp.StateTimeWait, tcp.RuleFin)
		}
	}
}

// acked infers what an acknowledgement means.
func (e *end) acked(log *trace.Log, at tcp.Time, seg *wire.Segment) {
	switch {
	case e.state == tcp.StateSynSent && seg.Flags.Has(wire.SYN) && seg.Ack == e.isn.Add(1):
		e.move(log, at, tcp.StateEstablished, tcp.RuleSynSentSynAck)
	case e.state == tcp.StateSynReceived && e.isn.Less(seg.Ack):
		e.move(log, at, tcp.StateEstablished, tcp.RuleHandshakeAck)
	}
	if !e.hasFin || seg.Ack.Less(e.fin) {
		return
	}
	switch e.state {
	case tcp.StateFinWait1:
		e.move(log, at, tcp.StateFinWait2, tcp.RuleFinAcked)
	case tcp.StateClosing:
		e.move(log, at, tcp.StateTimeWait, tcp.RuleFinAcked)
	case tcp.StateLastAck:
		e.move(log, at, tcp.StateClosed, tcp.RuleFinAcked)
	}
}
