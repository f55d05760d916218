package tcp

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// ECN says what a host does about explicit congestion notification (RFC 3168),
// as Linux's tcp_ecn does.
type ECN uint8

const (
	// ECNPassive accepts it when the peer asks. It is the default.
	ECNPassive ECN = iota
	// ECNOn asks for it, too.
	ECNOn
	// ECNOff neither asks nor accepts.
	ECNOff
)

// The ECN field of the IP header (RFC 3168, Section 5).
const (
	ecnMask = 3
	ect0    = 2
	ce      = 3
)

// ecnSetup are the flags of a SYN that asks for ECN (RFC 3168, Section 6.1.1).
const ecnSetup = wire.ECE | wire.CWR

// AsksForECN reports whether a SYN asks for ECN. One that is marked itself was
// not made by a sender that obeys the RFC.
func AsksForECN(cfg *Config, seg *wire.Segment) bool {
	return cfg.ECN != ECNOff && seg.Flags.Has(ecnSetup) && seg.TOS&ecnMask == 0
}

// ecn is what a connection knows of ECN.
type ecn struct {
	on   bool         // both ends agreed
	seen bool         // a packet came with CE, ECT(0) or ECT(1)
	echo bool         // a packet came with CE, and none with CWR since
	cwr  bool         // the next new data says that the window was reduced
	end  seqnum.Value // an ACK of it ends the window in which we reduced
}

// learn takes the flags of the SYN,ACK: RFC 3168, Section 6.1.1: ECE alone
// agrees; both flags are the echo of a broken host.
func (e *ecn) learn(cfg *Config, seg *wire.Segment) {
	e.on = cfg.ECN == ECNOn && seg.Flags&ecnSetup == wire.ECE
}

// reduced notes that the window was reduced, for whatever reason, at SND.NXT: an
// echo is not another until that is acknowledged, and the peer is to be told (RFC
// 3168, Section 6.1.2).
func (e *ecn) reduced(nxt seqnum.Value) {
	if e.on {
		e.cwr, e.end = true, nxt
	}
}

// takeEcho reduces the window when the peer says that a packet was marked, once
// in a window of data (RFC 3168, Section 6.1.2). prior bytes were in flight before
// the ACK. RFC 9937, Section 4: PRR leads down to the new window here, too, so that
// what the ACKs let out does not stop for half a round trip.
func (c *Conn) takeEcho(now Time, seg *wire.Segment, prior int) {
	if !c.ecn.on || !seg.Flags.Has(wire.ECE) || seg.Flags.Has(wire.SYN) ||
		c.loss.phase != lossOpen || c.snd.una.Less(c.ecn.end) {
		return
	}
	c.rule(now, RuleCongestionEcho)
	c.reduceByMark(now, prior)
}

// reduceByMark reduces the window because of a sign of congestion that is no
// loss, unless that was done for this window of data. prior bytes were in flight.
func (c *Conn) reduceByMark(now Time, prior int) {
	if c.loss.phase != lossOpen || c.snd.una.Less(c.ecn.end) {
		return
	}
	c.cc.congestionExperienced(now, prior)
	c.ecn.reduced(c.snd.nxt)
	c.ecn.end = c.snd.nxt
	c.loss.undo.on = false // it would take this back
	if c.cc.ownsRecovery() || c.outstanding() == 0 {
		return
	}
	c.loss.prr.begin(prior)
	c.loss.prr.cwnd = int32(c.inFlight())
	// A mark says as much as a loss: this is no ACK that lets more out than it
	// delivered.
	c.loss.prr.acked(prior-c.inFlight(), c.inFlight(), c.cc.threshold(), c.snd.mss, false)
}

// reducing reports whether the window is on its way down after an ECN echo (the
// state CWR of Linux).
func (c *Conn) reducing() bool { return c.loss.phase == lossOpen && c.loss.prr.on }

// endReduction ends it with the window of data in which it began.
func (c *Conn) endReduction() {
	if c.reducing() && !c.snd.una.Less(c.ecn.end) {
		c.loss.prr.on = false
	}
}

// takeMark takes the ECN field of a segment with text. RFC 3168, Section 6.1.3:
// every ACK echoes a mark until the sender says that it reduced its window. A
// segment that says so may bring the next mark.
func (c *Conn) takeMark(now Time, seg *wire.Segment) {
	if !c.ecn.on || seg.PayloadLen == 0 {
		return
	}
	if seg.Flags.Has(wire.CWR) {
		c.ecn.echo = false
		c.wants.ack = true
	}
	c.ecn.seen = c.ecn.seen || seg.TOS&ecnMask != 0
	if seg.TOS&ecnMask == ce {
		if !c.ecn.echo {
			c.rule(now, RuleCongestionMark)
		}
		c.ecn.echo = true
		c.wants.ack = true
	}
}

// markCapable lets a router mark seg, which has new data, in place of dropping
// it, and says in it that the window was reduced. RFC 3168, Sections 6.1.4 to
// 6.1.6: no other segment is ever marked as capable.
func (e *ecn) markCapable(seg *wire.Segment) {
	if !e.on || seg.PayloadLen == 0 {
		return
	}
	seg.TOS |= ect0
	if e.cwr {
		seg.Flags |= wire.CWR
		e.cwr = false
	}
}
