package tcp

// repairWithoutSACK is NewReno (RFC 6582) at an ACK of acked new bytes.
func (c *Conn) repairWithoutSACK(now Time, acked int, d *delivery) {
	l := &c.loss
	l.dupAcks, l.extra = 0, 0
	switch l.phase {
	case lossFast:
		if l.undo.byFirstCopy(d) {
			c.undoRecovery(now)
			return
		}
		if c.snd.una.Less(l.recover) {
			c.partialAck(now, acked)
			return
		}
		c.recovered(now)
	case lossTimedOut:
		// Which of its bytes came by a first copy, an ACK that covers something
		// sent again does not say.
		d.first = d.first && !d.resent
		c.repairTimeout(now, true, false, d)
	}
}

// partialAck is RFC 6582, Section 3.2, step 3: the next hole goes again at
// once, the window deflates by what was acknowledged.
func (c *Conn) partialAck(now Time, acked int) {
	c.rule(now, RulePartialAck)
	l := &c.loss
	l.inflate = max(0, l.inflate-int32(acked))
	if acked >= c.snd.mss {
		l.inflate += int32(c.snd.mss)
	}
	// Section 4, impatient: only the first partial ACK restarts the timer.
	if !l.impatient {
		c.startRetransmit(now)
		l.impatient = true
	}
	c.resend(now)
}

// resend marks the first segment to be sent again, whatever the congestion
// window says.
func (c *Conn) resend(now Time) {
	c.loss.force = true
	c.rtt.cancel()
	if c.sent != nil {
		c.loseHead(now)
	}
}

// recoverOnDuplicate handles a duplicate ACK where SACK is not in use (RFC 5681,
// Section 3.2).
func (c *Conn) recoverOnDuplicate(now Time) {
	l := &c.loss
	l.dupAcks++
	// What arrived is not known, only that something did (RFC 5681, Section 3.2).
	c.tellAcked(now, ackSample{phase: l.phase, delivered: c.snd.mss, priorInFlight: c.inFlight()})
	switch l.phase {
	case lossFast:
		l.inflate += int32(c.snd.mss)
	case lossTimedOut:
		c.repairTimeout(now, false, true, &delivery{})
	case lossOpen:
		if l.dupAcks < dupThresh {
			c.rule(now, RuleLimitedTransmit)
			return
		}
		if c.mtuProbeMissing(now) {
			return
		}
		// RFC 6582, Section 3.2, step 1: once per window. An ACK of recover
		// itself may be an echo of what was sent again needlessly.
		if c.snd.una.LessEq(l.recover) {
			return
		}
		c.rule(now, RuleFastRetransmit)
		// RFC 5681, Section 3.2, step 2: what limited transmit sent is not
		// part of the flight.
		c.cc.lost(now, c.outstanding()-int(l.extra))
		l.begin(lossFast, c.snd.una, c.snd.nxt)
		l.inflate = int32(dupThresh * c.snd.mss)
		c.resend(now)
	}
}
