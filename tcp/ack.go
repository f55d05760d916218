package tcp

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// checkAck is the fifth check of RFC 9293, Section 3.10.7.4, with the range of
// RFC 5961, Section 5.2. It reports whether the rest of the segment is to be
// processed.
func (c *Conn) checkAck(now Time, seg *wire.Segment) bool {
	if !seg.Flags.Has(wire.ACK) {
		c.rule(now, RuleNoAck)
		return false
	}
	opened := c.synUnacked() && c.ackOfSyn(seg.Ack)
	switch {
	case opened:
		c.completeHandshake(now, seg)
	case c.state == StateSynReceived:
		c.refuse(now, seg, RuleHandshakeBadAck)
		return false
	}
	if !c.ackInRange(seg.Ack) {
		if c.snd.nxt.Less(seg.Ack) {
			c.rule(now, RuleAckUnsent)
		} else {
			c.rule(now, RuleChallengeAckOld)
		}
		c.challenge(now)
		return false
	}
	c.noteTimestamp(now, seg)
	c.count.lastRecv, c.count.lastAck = now, now
	c.count.probes = 0
	c.snd.more = false // as Linux: what MSG_MORE holds waits for an ACK at most
	changed, prior := c.updateWindow(now, seg) || opened, c.inFlight()
	switch {
	case c.snd.una.Less(seg.Ack):
		c.ackNew(now, seg)
	case seg.Ack == c.snd.una:
		c.ackAgain(now, seg, changed)
	default:
		c.rule(now, RuleAckOld)
		c.takeNews(now, seg)
	}
	c.takeEcho(now, seg, prior)
	c.releaseRefused(now, prior)
	return true
}

// ackInRange reports whether an ACK can be the peer's: RFC 5961, Section 5.2,
// SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
func (c *Conn) ackInRange(ack seqnum.Value) bool {
	// As distances, for of two numbers that lie half of the space apart each is
	// before the other.
	first := c.snd.una.Add(-c.snd.maxWnd)
	return ack.Sub(first) <= c.snd.nxt.Sub(first)
}

// updateWindow takes the send window from the newest segment: RFC 9293,
// Section 3.10.7.4, and reports whether it changed. What acknowledges more than
// any segment before is the newest, too, although the text in it may be an old
// one that is sent again: SND.UNA would move on without the window, and the
// right edge with it, to where the peer has no room.
func (c *Conn) updateWindow(now Time, seg *wire.Segment) bool {
	newer := c.snd.una.Less(seg.Ack) || c.snd.wl1.Less(seg.Seq) ||
		(c.snd.wl1 == seg.Seq && c.snd.wl2.LessEq(seg.Ack))
	if !newer || seg.Ack.Less(c.snd.una) {
		return false
	}
	old, oldEdge := c.snd.wnd, c.windowEdge()
	c.takeWindow(seg, c.snd.shift)
	if seg.Ack.Add(c.snd.wnd).Less(oldEdge) {
		c.rule(now, RuleWindowShrunk)
	}
	if c.snd.wnd == old {
		return false
	}
	if c.snd.wnd > 0 && c.timerRunning(TimerPersist) {
		// The window opened: send at once, begin anew with the time-out.
		c.stopTimer(TimerPersist)
		c.rtt.backoff = 0
	}
	if seg.Ack == c.snd.una {
		c.rule(now, RuleWindowUpdate)
	}
	return true
}

// ackNew handles SND.UNA < SEG.ACK =< SND.NXT.
func (c *Conn) ackNew(now Time, seg *wire.Segment) {
	c.rule(now, RuleAckNew)
	acked, prior := seg.Ack.Diff(c.snd.una), c.inFlight()
	var d delivery
	c.beginDelivery(&d, now, seg)
	data := max(0, min(seg.Ack.Diff(c.dataStart()), c.sndbuf.size))
	c.snd.una = seg.Ack
	if data > 0 {
		c.sndbuf.discard(data)
		c.sndbuf.forgetRecords(c.snd.una)
		c.count.bytesAcked += uint64(data)
	}
	if c.sent != nil {
		c.sent.ack(c.snd.una, &d)
		if c.sent.n == 0 {
			c.sent = nil
		}
	}
	if c.rcv.sack {
		c.takeSack(seg, &d)
	}
	c.catchUp()
	c.sampleRTT(now, seg)
	c.count.retransmits = 0
	c.softErr = 0 // it was overcome
	c.mtuProbeAcked(now)
	c.recoverOnAck(now, seg, acked, prior, &d)
	c.restartTimers(now)
	if c.finAcked() {
		c.rule(now, RuleFinAcked)
	}
}

// catchUp takes along the marks that SND.UNA passed: once 2 GiB lie between, a
// mark of the past would seem to be ahead.
func (c *Conn) catchUp() {
	c.snd.small = seqnum.Max(c.snd.small, c.snd.una)
	c.rtt.next = seqnum.Max(c.rtt.next, c.snd.una)
	c.usage.end = seqnum.Max(c.usage.end, c.snd.una)
	c.loss.recover = seqnum.Max(c.loss.recover, c.snd.una.Add(^seqnum.Size(0)))
	c.rack.end = seqnum.Max(c.rack.end, c.snd.una)
	c.ecn.end = seqnum.Max(c.ecn.end, c.snd.una)
	c.rack.fack = seqnum.Max(c.rack.fack, c.snd.una)
	if u := &c.loss.undo; u.on && c.snd.una.Sub(u.from) > 1<<30 {
		u.on = false // too long ago to be undone
	}
}

// sampleRTT takes a round-trip time from an ACK that advanced SND.UNA (RFC
// 7323, Section 4.1). When a retransmission spoilt the measurement, the
// timestamp echoed says which copy was answered: once in a round trip, and at
// once where a backed-off time-out waits for a sample (RFC 6298, Section 5.7).
func (c *Conn) sampleRTT(now Time, seg *wire.Segment) {
	if c.rtt.acked(now, seg.Ack, c.cfg) || c.rtt.timing {
		return
	}
	if seg.Ack.Less(c.rtt.next) && c.rtt.backoff == 0 {
		return
	}
	if rtt, ok := c.echoed(now, seg); ok {
		c.rtt.sample(now, rtt, c.cfg)
		c.rtt.next = c.snd.nxt
	}
}

// restartTimers is RFC 6298, Sections 5.2 and 5.3, after an ACK of new data.
func (c *Conn) restartTimers(now Time) {
	c.stopTimer(TimerUserTimeout)
	if c.outstanding() == 0 {
		c.stopLossTimers()
		c.noteLimit(now)
		if c.unsent() > 0 || c.finPending() {
			c.startUserTimeout(now)
		} else {
			c.stopTimer(TimerPersist)
		}
		return
	}
	c.startUserTimeout(now)
	if !c.loss.impatient {
		c.startRetransmit(now)
	}
}

// ackAgain handles SEG.ACK = SND.UNA: a window update, an answer to a probe,
// or a duplicate ACK, a sign of loss. RFC 5681, Section 2: a duplicate has no
// payload, no SYN or FIN, the same window, and finds data outstanding; nor is
// it a probe. With SACK, it is an ACK that tells something new (RFC 6675,
// Section 2).
func (c *Conn) ackAgain(now Time, seg *wire.Segment, windowChanged bool) {
	if c.snd.wnd == 0 {
		// The peer is there, it only has no room: R2 does not count.
		c.count.retransmits = 0
	}
	duplicate := c.outstanding() > 0 && seg.Len() == 0 && !seg.Seq.Less(c.rcv.nxt) &&
		(!windowChanged || seg.Options.NumSACK > 0)
	if duplicate {
		c.rule(now, RuleAckDuplicate)
		c.count.rarely().dupAcksIn++
	}
	switch {
	case c.rcv.sack:
		c.takeNews(now, seg)
	case duplicate:
		c.recoverOnDuplicate(now)
	}
}

// takeNews takes what an ACK that does not advance SND.UNA tells by SACK.
func (c *Conn) takeNews(now Time, seg *wire.Segment) {
	if !c.rcv.sack || (seg.Options.NumSACK == 0 && !c.loss.tlp.active) {
		return
	}
	var d delivery
	c.beginDelivery(&d, now, seg)
	prior := c.inFlight()
	c.takeSack(seg, &d)
	c.recoverOnAck(now, seg, 0, prior, &d)
	if !c.timerRunning(TimerProbe) || !c.mayProbe() {
		c.armLossTimer(now) // what it tells may call for another timer
	}
}

// outstanding is FlightSize: the bytes sent and not acknowledged.
func (c *Conn) outstanding() int { return c.snd.nxt.Diff(c.snd.una) }

// finishClose moves on once our FIN is acknowledged and the FIN of the peer,
// if the same segment has it, was taken: RFC 9293, Section 3.10.7.4.
func (c *Conn) finishClose(now Time) {
	if !c.finAcked() {
		return
	}
	switch c.state {
	case StateFinWait1:
		c.setState(now, StateFinWait2, RuleFinAcked)
		if c.orphan {
			c.startFinWait2(now)
		}
	case StateClosing:
		c.enterTimeWait(now, RuleFinAcked)
	case StateLastAck:
		c.die(now, 0, RuleFinAcked)
	}
}
