package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// dupThresh is how many duplicate ACKs mean a loss (RFC 5681, Section 3.2).
const dupThresh = 3

// lossPhase says what the connection does about losses.
type lossPhase uint8

const (
	lossOpen     lossPhase = iota // no loss known
	lossFast                      // repairing after duplicate ACKs or SACK
	lossTimedOut                  // repairing after a time-out
)

var lossNames = [...]string{"open", "recovery", "loss"}

// recovery is the state of loss recovery. What is lost is in the scoreboard,
// and Output sends it again. With SACK, RACK-TLP (RFC 8985) finds the losses and
// PRR (RFC 9937) doses the sending; without it, NewReno (RFC 6582) does both.
type recovery struct {
	phase     lossPhase
	frto      frto
	impatient bool         // NewReno: a partial ACK came: the timer keeps running
	force     bool         // send one segment whatever the congestion window says
	recover   seqnum.Value // an ACK of it ends the recovery
	dupAcks   int32
	inflate   int32 // NewReno: bytes that left the network, by duplicate ACKs
	extra     int32 // NewReno: bytes sent by limited transmit
	prr       prr
	undo      undo
	tlp       tailProbe
}

// begin enters a phase of repair, which an ACK of recover ends.
func (l *recovery) begin(phase lossPhase, una, recover seqnum.Value) {
	fresh := l.phase == lossOpen
	old := l.undo
	*l = recovery{phase: phase, recover: recover, undo: old}
	if fresh {
		l.undo.begin(una)
	}
}

// end leaves it. What went again may still turn out to have been needless.
func (l *recovery) end() { *l = recovery{recover: l.recover, undo: l.undo} }

// lostBytes returns how many bytes wait to be sent again.
func (c *Conn) lostBytes() int {
	if c.sent == nil {
		return 0
	}
	return c.sent.lost
}

// reneged reports whether the peer said that it has what it asks for now: it had
// to drop it (RFC 2018, Section 8). Although nothing seems to be in flight, the
// time-out has to come.
func (c *Conn) reneged() bool {
	return c.sent != nil && c.sent.n > 0 && c.sent.at(0).has(recSacked)
}

// inFlight is what we think is in the network.
func (c *Conn) inFlight() int {
	n := c.outstanding()
	if c.sent != nil {
		n -= c.sent.lost + c.sent.sacked
	}
	if n > 0 && c.early && c.synUnacked() {
		n-- // the SYN takes no room from the text behind it
	}
	return n
}

// cwnd is the congestion window in force.
func (c *Conn) cwnd() int {
	if c.loss.prr.on {
		return int(c.loss.prr.cwnd)
	}
	return c.cc.window()
}

// congestionRoom is how many bytes the congestion window lets out now.
func (c *Conn) congestionRoom() int {
	l := &c.loss
	room := c.cwnd() + int(l.inflate) - c.inFlight()
	switch {
	case l.frto == frtoNew:
		// RFC 5682, Section 2.1, step 2b: two segments.
		room = max(room, 2*c.snd.mss-c.snd.nxt.Diff(l.recover))
	case l.phase == lossOpen && !c.rcv.sack:
		// RFC 3042: the first two duplicate ACKs let one segment out each. With
		// SACK, what arrived is not in flight, which comes to the same.
		room += min(int(l.dupAcks), dupThresh-1) * c.snd.mss
	}
	return room
}

// beginDelivery prepares d, which is zero, to gather what seg delivers.
func (c *Conn) beginDelivery(d *delivery, now Time, seg *wire.Segment) {
	d.now, d.minRTT = now, c.rtt.least()
	d.fack, d.high, d.limit = c.rack.fack, c.rack.fack, c.snd.una
	d.cum, d.offset = seg.Ack, c.ts.offset
	if c.loss.phase == lossTimedOut {
		d.limit = c.loss.recover
	}
	if c.ts.on && seg.Options.HasTS && seg.Options.TSEcr != 0 {
		d.ecr, d.ecrKnown = seg.Options.TSEcr, true
	}
}

// noteDelivered learns from what an ACK delivered, and returns its part of the
// sample for the congestion control.
func (c *Conn) noteDelivered(now Time, d *delivery) (s ackSample) {
	c.rack.fack = seqnum.Max(d.high, c.snd.una)
	if c.rack.dsacked && c.rack.dsackRound.LessEq(c.snd.una) {
		c.rack.dsacked = false
	}
	s.delivered = d.bytes
	if !d.any {
		return s
	}
	if d.sure {
		s.rtt = max(now.Sub(d.latest.sentAt), 1)
		c.rtt.noteLeast(now, now.Sub(d.latest.sentAt))
		c.sampleSacked(now, now.Sub(d.latest.sentAt), d.latest.end)
		c.rack.arrived(now, d.latest.sentAt, d.latest.end, now.Sub(d.lastAt))
		c.loss.tlp.stale = false
	}
	if d.behind {
		c.noteReordering(now, d.fack.Diff(d.lowest))
	}
	s.rate = c.rate.sample(now, &d.newest, d.bytes, c.rtt.least())
	return s
}

// sampleSacked takes the round-trip time of a segment up to end that SACK
// delivered, once in a round, as Linux does: while a hole keeps SND.UNA where it
// is, a queue may grow, and the time-out of the repair must know.
func (c *Conn) sampleSacked(now Time, rtt time.Duration, end seqnum.Value) {
	if rtt <= 0 || end.LessEq(c.snd.una) || end.LessEq(c.rtt.next) {
		return
	}
	c.rtt.cancel() // what is timed waits for the hole
	c.rtt.sample(now, rtt, c.cfg)
	c.rtt.next = c.snd.nxt
}

// noteReordering takes note of a segment that arrived although one sent n bytes
// behind it had arrived before.
func (c *Conn) noteReordering(now Time, n int) {
	c.rule(now, RuleReordering)
	c.rack.reordered = true
	k := c.count.rarely()
	k.reorderings++
	k.reordering = max(k.reordering, uint16(min((n+c.snd.mss-1)/c.snd.mss, maxReordering)))
}

// maxReordering is the most that Info tells (tcp_max_reordering).
const maxReordering = 300

// recoverOnAck handles an ACK of acked new bytes (0: a duplicate), which
// delivered d, while prior bytes were in flight.
func (c *Conn) recoverOnAck(now Time, seg *wire.Segment, acked, prior int, d *delivery) {
	c.endReduction()
	phase, lost := c.loss.phase, c.rate.lost
	s := c.noteDelivered(now, d)
	s.phase, s.acked, s.priorInFlight = phase, c.newlyAcked(acked, d), prior
	if c.rcv.sack {
		c.repair(now, seg, acked > 0, d)
	} else if acked > 0 {
		c.repairWithoutSACK(now, acked, d)
	}
	s.lost = int(c.rate.lost - lost)
	if s.delivered > 0 {
		c.tellAcked(now, s)
	}
	if c.rcv.sack || c.reducing() {
		c.reduce(now, s.lost, acked, d)
	}
}

// newlyAcked is what an ACK of acked bytes counts for the growth of the window:
// not what arrived before it by SACK, or by duplicate ACKs, which told of it then
// (RFC 3465 counts what an ACK says newly; Linux does the same).
func (c *Conn) newlyAcked(acked int, d *delivery) int {
	switch {
	case acked == 0:
		return 0
	case c.rcv.sack:
		return d.bytes
	case c.loss.phase == lossOpen:
		return max(acked-int(c.loss.dupAcks)*c.snd.mss, min(acked, c.snd.mss))
	}
	return acked
}

// tellAcked tells the congestion control of an ACK: s, completed by what the
// connection knows.
func (c *Conn) tellAcked(now Time, s ackSample) {
	s.inFlight = c.inFlight()
	s.limited = c.usage.mayGrow(c.cc.window(), c.cc.threshold()) && !c.reducing()
	s.srtt, s.minRTT = c.rtt.srtt, c.rtt.least()
	s.una, s.nxt = c.snd.una, c.snd.nxt
	s.totalDelivered = c.rate.delivered
	c.cc.acked(now, s)
}

// repair takes an ACK where SACK is in use: it ends a recovery or undoes it, and
// finds what is lost.
func (c *Conn) repair(now Time, seg *wire.Segment, advanced bool, d *delivery) {
	l := &c.loss
	if d.dsack != (wire.SACKBlock{}) {
		c.takeDuplicate(now, d.dsack)
	}
	c.probeAcked(now, seg, advanced, d)
	switch l.phase {
	case lossOpen:
		if l.undo.byDuplicates() {
			c.undoRecovery(now)
		}
	case lossFast:
		switch {
		case (advanced && l.undo.byFirstCopy(d)) || l.undo.byDuplicates():
			c.undoRecovery(now)
		case !c.snd.una.Less(l.recover):
			c.recovered(now)
		case advanced:
			c.rule(now, RulePartialAck)
		}
	case lossTimedOut:
		c.repairTimeout(now, advanced, false, d)
	}
	c.detectLoss(now)
}

// recovered ends a recovery whose losses are repaired.
func (c *Conn) recovered(now Time) {
	c.rule(now, RuleRecovered)
	c.rack.recovered()
	flight := c.outstanding()
	if c.loss.prr.on {
		// RFC 9937, Section 6.2: PRR brought the flight to the threshold.
		flight = max(flight, c.cc.threshold())
	}
	if c.loss.phase == lossFast {
		c.cc.recovered(now, flight)
	}
	c.loss.end()
}

// takeDuplicate takes a DSACK.
func (c *Conn) takeDuplicate(now Time, k wire.SACKBlock) {
	c.rule(now, RuleDuplicateReported)
	counts := c.count.rarely()
	counts.dsacks++
	if counts.retrans == 0 {
		return // the network made two of one
	}
	counts.spurious += uint32((k.Right.Diff(k.Left) + c.snd.mss - 1) / c.snd.mss)
	c.rack.duplicate(c.snd.una, c.snd.nxt)
	c.loss.undo.duplicate(k.Left, k.Right)
}

// detectLoss marks what RACK finds lost, and runs the reordering timer for what
// it may find so soon (RFC 8985, Section 6.2, step 5).
func (c *Conn) detectLoss(now Time) {
	b := c.sent
	c.stopTimer(TimerReorder)
	if b == nil || c.rack.sentAt == 0 || (c.loss.phase == lossOpen && b.sacked == 0) {
		return
	}
	urgent := c.loss.phase != lossOpen || b.sackedSegs >= dupThresh
	window := c.rack.window(urgent, c.rtt.least(), c.rtt.srtt)
	before := c.rate.lost
	wait := c.rack.detect(now, b, window, func(r *sentRecord) { c.noteLost(now, r) })
	if c.rate.lost != before {
		c.rule(now, RuleLost)
	}
	c.judgeMTUProbe(now, c.rate.lost != before || c.loss.phase != lossOpen)
	if wait > 0 {
		c.stopTimer(TimerPersist) // something is in flight after all
		c.setTimer(TimerReorder, now.Add(wait))
	}
}

// noteLost tells of a record that is thought lost, before it is marked.
func (c *Conn) noteLost(now Time, r *sentRecord) {
	if c.mtuProbeLost(r) {
		return
	}
	n := r.len()
	c.rate.lost += uint64(n)
	c.count.rarely().lost += uint32(r.segments())
	c.cc.segmentLost(now, lossSample{
		size: n, txInFlight: int(r.tx.inFlight), lost: int(c.rate.lost - r.tx.lost), totalDelivered: c.rate.delivered,
		appLimited: r.tx.appLimited,
	})
}

// reduce begins a recovery when there are new losses, and keeps PRR's account.
func (c *Conn) reduce(now Time, lost, acked int, d *delivery) {
	l := &c.loss
	if lost > 0 && l.phase == lossOpen {
		c.beginRecovery(now, acked, c.inFlight()+lost+d.bytes)
	} else if d.news && l.phase == lossOpen && c.sent != nil {
		c.rule(now, RuleLimitedTransmit)
	}
	if l.prr.on {
		l.prr.acked(d.bytes, c.inFlight(), c.cc.threshold(), c.snd.mss, acked > 0 && lost == 0)
	}
}

// beginRecovery begins fast recovery at an ACK of acked new bytes, before which
// flight bytes were in flight. RFC 9937, Section 6.1: those are what PRR starts
// from, since what SACK had reported before left the network already. The
// congestion control hears of all that was outstanding (RFC 6675, Section 5), but
// not of what was sent beyond its window as the SACKs came.
func (c *Conn) beginRecovery(now Time, acked, flight int) {
	c.rule(now, RuleFastRetransmit)
	if c.reducing() {
		// RFC 3168, Section 6.1.2: once in a window of data, for marks and losses
		// together. An undo would take back the answer to the mark.
		prr := c.loss.prr
		c.loss.begin(lossFast, c.snd.una, c.snd.nxt)
		c.loss.force, c.loss.prr, c.loss.undo.on = true, prr, false
		c.rtt.cancel()
		return
	}
	c.cc.lost(now, max(min(c.outstanding()+acked, c.cc.window()), flight))
	c.loss.begin(lossFast, c.snd.una, c.snd.nxt)
	c.loss.force = true
	c.rtt.cancel()
	c.ecn.reduced(c.snd.nxt)
	if !c.cc.ownsRecovery() {
		c.loss.prr.begin(flight)
		c.loss.prr.cwnd = int32(c.inFlight() + c.snd.mss)
	}
}

// reorderTimeout is the end of the reordering window (RFC 8985, Section 6.3).
func (c *Conn) reorderTimeout(now Time) {
	before := c.rate.lost
	c.rule(now, RuleReorderTimeout)
	c.detectLoss(now)
	lost := int(c.rate.lost - before)
	switch {
	case lost == 0:
	case c.loss.phase == lossOpen:
		c.beginRecovery(now, 0, c.inFlight()+lost)
	case c.loss.prr.on:
		c.loss.prr.cwnd = max(c.loss.prr.cwnd-int32(lost), int32(c.inFlight()+c.snd.mss))
	}
	c.armLossTimer(now)
}
