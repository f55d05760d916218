package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// dupThresh is how many duplicate ACKs mean a loss (RFC 5681, Section 3.2).
const dupThresh = 3

// lossPhase says what the connection does about losses.
type lossPhase uint8

const (
	lossOpen     lossPhase = iota // no loss known
	lossFast                      // repairing after duplicate ACKs
	lossTimedOut                  // repairing after a time-out
)

var lossNames = [...]string{"open", "recovery", "loss"}

// recovery repairs losses as NewReno does (RFC 6582). [from, to) was sent, is
// thought lost and is to be sent again; Output moves from.
type recovery struct {
	phase     lossPhase
	impatient bool         // a partial ACK came: the timer keeps running
	force     bool         // send one segment whatever the congestion window says
	recover   seqnum.Value // an ACK of it ends the recovery
	from, to  seqnum.Value
	dupAcks   int
	inflate   int // bytes that left the network, by duplicate ACKs
	extra     int // bytes sent by limited transmit
}

// lost returns how many bytes wait to be sent again.
func (l *recovery) lost() int { return max(0, l.to.Diff(l.from)) }

// mark makes [from, to) what is to be sent again.
func (l *recovery) mark(from, to seqnum.Value) { l.from, l.to = from, to }

// timeout takes everything outstanding for lost. RFC 6582, Section 3.2: the
// highest number sent is kept in recover.
func (l *recovery) timeout(una, nxt seqnum.Value) {
	*l = recovery{phase: lossTimedOut, recover: nxt, from: una, to: nxt}
}

// inFlight is what we think is in the network.
func (c *Conn) inFlight() int { return c.outstanding() - c.loss.lost() }

// congestionRoom is how many bytes the congestion window lets out now.
func (c *Conn) congestionRoom() int {
	room := c.cc.window() + c.loss.inflate - c.inFlight()
	if c.loss.phase == lossOpen && c.loss.dupAcks > 0 {
		// RFC 3042: the first two duplicate ACKs let one segment out each.
		room += min(c.loss.dupAcks, dupThresh-1) * c.snd.mss
	}
	return room
}

// recoverOnAck handles an ACK of acked new bytes, which tells the round-trip
// time rtt, if that is not 0.
func (c *Conn) recoverOnAck(now Time, acked int, rtt time.Duration) {
	l := &c.loss
	sample := ackSample{acked: acked, delivered: acked, rtt: rtt, priorInFlight: c.inFlight() + acked}
	l.dupAcks, l.extra = 0, 0
	if l.from.Less(c.snd.una) {
		l.from = c.snd.una
	}
	if l.to.Less(l.from) {
		l.to = l.from
	}
	c.tellAcked(now, sample)
	switch l.phase {
	case lossFast:
		if c.snd.una.Less(l.recover) {
			c.partialAck(now, acked)
			return
		}
		c.rule(now, RuleRecovered)
		c.cc.recovered(now, c.outstanding())
		*l = recovery{recover: l.recover, from: l.from, to: l.to}
	case lossTimedOut:
		if !c.snd.una.Less(l.recover) {
			c.rule(now, RuleRecovered)
			l.phase = lossOpen
		}
	}
}

// tellAcked tells the congestion control of an ACK: s, completed by what the
// connection knows.
func (c *Conn) tellAcked(now Time, s ackSample) {
	s.phase = c.loss.phase
	s.inFlight = c.inFlight()
	s.limited = c.usage.mayGrow(c.cc.window(), c.cc.threshold())
	s.srtt, s.minRTT = c.rtt.srtt, c.rtt.min
	s.una, s.nxt = c.snd.una, c.snd.nxt
	s.totalDelivered = c.count.bytesAcked
	c.cc.acked(now, s)
}

// partialAck is RFC 6582, Section 3.2, step 3: the next hole goes again at
// once, the window deflates by what was acknowledged.
func (c *Conn) partialAck(now Time, acked int) {
	c.rule(now, RulePartialAck)
	l := &c.loss
	l.inflate = max(0, l.inflate-acked)
	if acked >= c.snd.mss {
		l.inflate += c.snd.mss
	}
	// Section 4, impatient: only the first partial ACK restarts the timer.
	if !l.impatient {
		c.startRetransmit(now)
		l.impatient = true
	}
	c.resend()
}

// resend marks the first segment to be sent again, whatever the congestion
// window says.
func (c *Conn) resend() {
	first := c.dataStart()
	c.loss.mark(first, seqnum.Min(first.Add(seqnum.Size(c.snd.mss)), c.snd.nxt))
	c.loss.force = true
	c.rtt.cancel()
}

// recoverOnDuplicate handles a duplicate ACK whose SACK blocks tell of sacked
// bytes above the hole. RFC 5681, Section 3.2; RFC 6675, Section 4: three
// segments' worth of SACKed data say as much as three duplicates.
func (c *Conn) recoverOnDuplicate(now Time, sacked int) {
	l := &c.loss
	l.dupAcks++
	// What arrived is not known, only that something did (RFC 5681, Section 3.2).
	c.tellAcked(now, ackSample{delivered: c.snd.mss, priorInFlight: c.inFlight()})
	switch l.phase {
	case lossFast:
		l.inflate += c.snd.mss
	case lossOpen:
		if l.dupAcks < dupThresh && sacked < dupThresh*c.snd.mss {
			c.rule(now, RuleLimitedTransmit)
			return
		}
		// RFC 6582, Section 3.2, step 1: once per window. An ACK of recover
		// itself may be an echo of what was sent again needlessly, unless SACK
		// says that there is a hole.
		if c.snd.una.Less(l.recover) || (c.snd.una == l.recover && sacked == 0) {
			return
		}
		c.rule(now, RuleFastRetransmit)
		// RFC 5681, Section 3.2, step 2: what limited transmit sent is not
		// part of the flight.
		c.cc.lost(now, c.outstanding()-l.extra)
		*l = recovery{phase: lossFast, recover: c.snd.nxt, inflate: dupThresh * c.snd.mss}
		c.resend()
	}
}
