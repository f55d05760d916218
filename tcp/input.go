package tcp

import (
	"math"
	"syscall"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// Input processes a segment that arrived for this connection: RFC 9293,
// Section 3.10.7, SEGMENT ARRIVES. It changes state and leaves wants; it sends
// nothing, so that a batch of segments is processed completely before it is
// acknowledged (MUST-59).
func (c *Conn) Input(now Time, seg *wire.Segment) {
	c.wake()
	if c.cfg.Trace != nil {
		c.cfg.Trace(&Event{Time: now, Kind: EventReceive, Tuple: c.id, Segment: seg})
	}
	count := uint32(max(seg.Count, 1))
	c.count.segsIn += count
	c.cfg.Counters.SegmentsIn += uint64(count)
	if seg.PayloadLen > 0 {
		c.count.dataSegsIn += count
		c.count.lastDataRecv = now
		c.cfg.Counters.BytesIn += uint64(seg.PayloadLen)
	}
	switch c.state {
	case StateClosed:
	case StateSynSent:
		c.inputSynSent(now, seg)
	default:
		c.inputSegment(now, seg)
	}
	c.account()
	c.rest(now)
}

// inputSegment runs the checks of RFC 9293, Section 3.10.7.4, in its order,
// with PAWS before the first (RFC 7323, Section 5.3).
func (c *Conn) inputSegment(now Time, seg *wire.Segment) {
	if !c.checkTimestamps(now, seg) ||
		!c.checkSyn(now, seg) ||
		!c.checkSequence(now, seg) ||
		!c.checkReset(now, seg) ||
		!c.checkAck(now, seg) {
		return
	}
	c.checkUrgent(now, seg)
	c.takeMark(now, seg)
	c.takeText(now, seg)
	c.finishClose(now)
}

// checkTimestamps drops old duplicates. RFC 7323, Section 5.3, R1: a segment
// whose timestamp is before TS.Recent is answered with an ACK and dropped, but
// never a RST (5.2); after 24 days TS.Recent means nothing (5.5).
func (c *Conn) checkTimestamps(now Time, seg *wire.Segment) bool {
	if !c.ts.on || seg.Flags.Has(wire.RST) {
		return true
	}
	if !seg.Options.HasTS {
		// RFC 7323, Section 3.2, would drop it. Linux takes it, for the sake of
		// middleboxes (DIS-10).
		c.rule(now, RuleTimestampMissing)
		return !c.cfg.RequireTimestamps
	}
	if int32(seg.Options.TSVal-c.ts.recent) >= 0 || c.tsStale(now) || c.lateText(seg) {
		return true
	}
	c.rule(now, RulePAWS)
	c.noteDuplicate(seg)
	c.answerUnacceptable(now, seg)
	return false
}

// lateTicks is how much older than TS.Recent, in ticks of the peer, late text may
// be: some round trips where a tick is a millisecond.
const lateTicks = 1000

// lateText reports whether seg, older than TS.Recent, is late and not from before
// the sequence numbers wrapped: it fills a gap that is known, and what arrived so
// far has not wrapped anything. Where packets overtake each other, the repair of
// one gap is newer than what is late for the next, and PAWS would throw that away
// and make of one loss a row of them. RFC 7323, Section 5.3, has no such exception.
func (c *Conn) lateText(seg *wire.Segment) bool {
	return c.sacking() && c.count.bytesReceived < math.MaxInt32 &&
		c.ts.recent-seg.Options.TSVal <= lateTicks &&
		seg.PayloadLen > 0 && c.ooo.gap(c.rcv.nxt, seg.Seq, seg.End())
}

// checkSyn handles SYN. RFC 5961, Section 4.2: in a synchronized state a SYN,
// whatever its sequence number, is answered with a challenge ACK; a peer that
// did restart answers that with a RST we believe.
func (c *Conn) checkSyn(now Time, seg *wire.Segment) bool {
	if !seg.Flags.Has(wire.SYN) || seg.Flags.Has(wire.RST) {
		return true
	}
	if !c.synUnacked() || seg.Seq != c.irs || seg.Flags.Has(wire.FIN) {
		c.rule(now, RuleChallengeSyn)
		c.challenge(now)
		return false
	}
	if !seg.Flags.Has(wire.ACK) || !c.ackOfSyn(seg.Ack) {
		// The peer did not get our SYN,ACK (DIS-16).
		c.rule(now, RuleSynReceivedSynAgain)
		c.wants.syn = true
		return false
	}
	// Simultaneous open, RFC 9293, Section 3.5, Figure 7: the peer's SYN,ACK
	// repeats its SYN.
	c.completeHandshake(now, seg)
	c.takeText(now, seg)
	return false
}

// checkSequence is the first check of RFC 9293, Section 3.10.7.4. An
// unacceptable segment is answered with an ACK unless it is a RST.
func (c *Conn) checkSequence(now Time, seg *wire.Segment) bool {
	wnd, n := c.window(), seg.Len()
	switch {
	case c.rcvmem != nil && c.beyondWindow(seg):
		c.rule(now, RuleBeyondWindow)
		c.cfg.Counters.RecvBufferFull++
		c.noteDuplicate(seg)
		c.answerUnacceptable(now, seg)
		return false
	case seg.Seq == c.rcv.nxt:
		// With a zero window, too, valid ACKs and RSTs are taken; the text is
		// cut off later.
		return true
	case n == 0 && seg.Seq.In(c.rcv.nxt, wnd):
		return true
	case n == 0 && seg.Seq == c.rcv.nxt.Add(wnd) && !seg.Flags.Has(wire.RST):
		// All ACKs of a peer that has filled the window are at its right edge. When
		// the window is zero, with all of that text here, the RFC takes them, so
		// that our text goes on; with a part of it missing there is as much reason
		// to. Linux and FreeBSD take them too.
		return true
	case n > 0 && wnd > 0 && seg.Seq.Less(c.rcv.adv) && c.rcv.nxt.Less(seg.End()):
		// Also one that reaches beyond both edges, which the RFC's test of its
		// ends would refuse: put together from several segments, it may hold
		// acceptable ones. It is cut like all others; Linux takes it too.
		return true
	case seg.Flags.Has(wire.RST):
		if c.resetInDisguise(seg.Seq) {
			return true
		}
		c.rule(now, RuleResetOutside)
		return false
	}
	if c.keepAliveProbe(seg) {
		// RFC 9293, Section 3.8.4 and Appendix A.2: its ACK may be news.
		// Each is answered (Section 3.8.6.1), unless the ACK is bad: two ends
		// that disagree must not keep each other busy.
		c.rule(now, RuleKeepAliveProbeReceived)
		if c.checkAck(now, seg) {
			c.wants.ack = true
			c.finishClose(now)
			return false
		}
	} else {
		c.rule(now, RuleUnacceptable)
		c.noteDuplicate(seg)
		if n > 0 && c.rcv.lastAck.LessEq(seg.End()) && seg.Flags.Has(wire.ACK) && c.ackInRange(seg.Ack) {
			// The last segment again: its ACK was lost. RFC 7323, Section 5.3,
			// looks at TS.Recent only after this check, so that the answer would
			// echo the first copy and the peer take the time-out for a round
			// trip; Linux counts such a segment as acceptable.
			c.noteTimestamp(now, seg)
		}
	}
	c.answerUnacceptable(now, seg)
	return false
}

// keepAliveProbe reports whether seg looks like a keep-alive or zero-window
// probe: at most one byte, just before what we expect.
func (c *Conn) keepAliveProbe(seg *wire.Segment) bool {
	return seg.Seq.Add(1) == c.rcv.nxt && seg.Len() <= 1 && seg.Flags&(wire.FIN|wire.ACK) == wire.ACK
}

// checkReset handles RST. RFC 5961, Section 3.2: only the exact next sequence
// number resets; others in the window draw a challenge ACK.
func (c *Conn) checkReset(now Time, seg *wire.Segment) bool {
	if !seg.Flags.Has(wire.RST) {
		return true
	}
	if seg.Seq != c.rcv.nxt && !c.resetInDisguise(seg.Seq) {
		c.rule(now, RuleChallengeReset)
		c.challenge(now)
		return false
	}
	rule := RuleResetExact
	err := syscall.ECONNRESET
	switch c.state {
	case StateSynReceived:
		rule = RuleSynReceivedReset
		if !c.passive {
			err = syscall.ECONNREFUSED
		}
	case StateCloseWait:
		err = syscall.EPIPE // as Linux (DIS-13): reading had its EOF
	case StateClosing, StateLastAck:
		err = 0 // the close was reported as done
	}
	c.die(now, err, rule)
	return false
}

// resetInDisguise reports whether a RST with this sequence number counts as
// exact although it is not RCV.NXT: at the right edge of the last SACKed
// range, or just before the FIN we acknowledged. Linux takes both, for peers
// and middleboxes that know no better (R5961-9).
func (c *Conn) resetInDisguise(seq seqnum.Value) bool {
	if c.finRcvd {
		return seq.Add(1) == c.rcv.nxt
	}
	if !c.rcv.sack || c.ooo == nil || len(c.ooo.ranges) == 0 {
		return false
	}
	return seq == c.ooo.ranges[len(c.ooo.ranges)-1].end
}

// checkUrgent keeps RCV.UP (RFC 9293, Section 3.10.7.4, sixth). Urgent data
// stays in the stream, as with SO_OOBINLINE (R6093-4).
func (c *Conn) checkUrgent(now Time, seg *wire.Segment) {
	if !seg.Flags.Has(wire.URG) || c.finRcvd {
		return
	}
	if !c.rcv.up.In(c.rcv.nxt, 1<<30) {
		c.rcv.up = c.rcv.nxt // it was passed, perhaps long ago
	}
	if up := seg.Seq.Add(seqnum.Size(seg.Urgent)); c.rcv.up.Less(up) {
		c.rcv.up = up
		c.rule(now, RuleUrgent)
	}
}

// challenge wants a challenge ACK, at most one in Config.ChallengeAckInterval
// for this connection: a global limit could be observed from outside
// (CVE-2016-5696).
func (c *Conn) challenge(now Time) {
	if k := c.count.rarely(); k.lastChallenge == 0 || now.Sub(k.lastChallenge) >= c.cfg.ChallengeAckInterval {
		k.lastChallenge = now
		c.wants.challenge = true
		return
	}
	c.cfg.Counters.ChallengesSuppressed++
}

// answerUnacceptable wants the ACK that an unacceptable segment draws. Those
// with text or FIN are answered each: they cannot be part of a loop of ACKs.
func (c *Conn) answerUnacceptable(now Time, seg *wire.Segment) {
	if seg.Len() > 0 && !seg.Flags.Has(wire.SYN) {
		c.wants.ack = true
		return
	}
	c.challenge(now)
}

// refuse wants a RST whose sequence number is what seg acknowledges.
func (c *Conn) refuse(now Time, seg *wire.Segment, rule Rule) {
	c.rule(now, rule)
	if !seg.Flags.Has(wire.RST) {
		c.wants.refuse, c.wants.refuseSeq = true, seg.Ack
	}
}
