package tcp

import (
	"syscall"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// inputSynSent is RFC 9293, Section 3.10.7.3.
func (c *Conn) inputSynSent(now Time, seg *wire.Segment) {
	hasAck := seg.Flags.Has(wire.ACK)
	switch {
	case hasAck && !c.ackOfSyn(seg.Ack):
		// An old duplicate, or the peer of a connection that we forgot: RST,
		// unless it is one.
		c.refuse(now, seg, RuleSynSentBadAck)
	case hasAck && !c.echoesSyn(now, seg):
		c.refuse(now, seg, RuleSynSentBadEcho)
	case seg.Flags.Has(wire.RST) && hasAck:
		if c.fast != nil {
			c.fast.refused = true
		}
		c.die(now, syscall.ECONNREFUSED, RuleSynSentReset)
	case seg.Flags.Has(wire.RST):
		c.rule(now, RuleSynSentResetIgnored)
	case seg.Flags.Has(wire.SYN|wire.FIN) && !hasAck:
		c.rule(now, RuleSynSentSynFin) // as Linux (DIS-3), unless it knows our SYN
	case !seg.Flags.Has(wire.SYN):
		c.rule(now, RuleSynSentIgnored)
	default:
		c.takeSyn(now, seg)
	}
}

// ackOfSyn reports whether ack acknowledges our SYN: it is in (ISS, SND.NXT].
func (c *Conn) ackOfSyn(ack seqnum.Value) bool {
	return c.iss.Less(ack) && ack.LessEq(c.snd.nxt)
}

// echoesSyn reports whether the timestamp that seg echoes, if it does, may be that
// of a SYN of ours: none is older than the call that connected. RFC 7323, Section
// 4.1: TSecr is a TSval that we sent; what has another is an old duplicate or
// forged, as Linux has it. Zero is what stacks send that know none.
func (c *Conn) echoesSyn(now Time, seg *wire.Segment) bool {
	o := &seg.Options
	if c.cfg.NoTimestamps || !o.HasTS || o.TSEcr == 0 {
		return true
	}
	first, last := TSVal(c.count.stateAt, c.ts.offset), TSVal(now, c.ts.offset)
	return o.TSEcr-first <= last-first
}

// takeSyn takes the peer's SYN in SYN-SENT: with our own acknowledged the
// connection is established, else both opened at once.
func (c *Conn) takeSyn(now Time, seg *wire.Segment) {
	c.learnPeer(now, seg.Seq, &seg.Options)
	c.rcv.adv = c.rcv.nxt.Add(seqnum.Size(c.synWindow()))
	c.rcv.lastAck = c.rcv.nxt
	c.takeWindow(seg, 0)
	if seg.Flags.Has(wire.ACK) {
		c.ecn.learn(c.cfg, seg)
		c.ecn.end = c.iss
		c.established(now, seg, RuleSynSentSynAck)
		if c.delaysHandshakeAck() {
			// A request goes with it, and the next may go with the ACK of the answer.
			c.rcv.quick = 0
			c.setTimer(TimerDelayedAck, now.Add(c.cfg.DelayedAck))
		} else {
			c.wants.ack = true
		}
	} else {
		c.wants.syn = true
		c.rtt.cancel() // the SYN goes a second time, with an ACK
		c.setState(now, StateSynReceived, RuleSimultaneousOpen)
	}
	c.takeText(now, seg)
}

// completeHandshake handles the ACK of our SYN once we have the peer's: RFC
// 9293, Section 3.10.7.4, fifth check.
func (c *Conn) completeHandshake(now Time, seg *wire.Segment) {
	shift := c.snd.shift
	if seg.Flags.Has(wire.SYN) {
		shift = 0 // the window of a SYN is never scaled
	}
	c.takeWindow(seg, shift)
	c.established(now, seg, RuleHandshakeAck)
}

// takeWindow sets the send window from seg.
func (c *Conn) takeWindow(seg *wire.Segment, shift uint8) {
	c.snd.wnd = seqnum.Size(seg.Window) << shift
	c.snd.maxWnd = max(c.snd.maxWnd, c.snd.wnd)
	c.snd.wl1, c.snd.wl2 = seg.Seq, seg.Ack
}
