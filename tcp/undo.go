package tcp

import "github.com/trivet-net/trivet/seqnum"

// undo finds out that what was sent again, after a fast retransmit or a
// time-out, had not been lost: by the timestamp that the ACK echoes (Eifel, RFC
// 3522 and 4015), or because all of it is reported to have arrived twice (RFC
// 3708). F-RTO (RFC 5682) is the third way, and needs neither.
type undo struct {
	on     bool
	marked bool         // stamp is set
	from   seqnum.Value // SND.UNA when the recovery began
	stamp  uint32       // TSval of the first segment sent again
	bytes  int32        // sent again and not reported as duplicate
}

// begin starts with a recovery.
func (u *undo) begin(una seqnum.Value) { *u = undo{on: true, from: una} }

// resent takes n bytes sent again with TSval ts.
func (u *undo) resent(n int, ts uint32) {
	if !u.on {
		return
	}
	u.bytes += int32(n)
	if !u.marked {
		u.stamp, u.marked = ts, true
	}
}

// duplicate takes a DSACK.
func (u *undo) duplicate(left, right seqnum.Value) {
	if u.on && u.from.LessEq(left) {
		u.bytes = max(0, u.bytes-int32(right.Diff(left)))
	}
}

// byDuplicates reports whether each byte sent again arrived twice.
func (u *undo) byDuplicates() bool { return u.on && u.marked && u.bytes == 0 }

// byFirstCopy reports whether d, an ACK that moved SND.UNA, answers the first copy
// of something that went again in this recovery, as the timestamp tells: that of
// the segment that filled the first gap (RFC 3522, Section 3.2; RFC 7323, Section
// 4.3). Or it comes before anything went again at all.
func (u *undo) byFirstCopy(d *delivery) bool {
	switch {
	case !u.on:
		return false
	case !u.marked:
		return d.head.has(recLost)
	}
	return d.ecrKnown && d.head.has(recResent) &&
		int32(d.ecr-d.head.stamp) < 0 && int32(d.head.stamp-u.stamp) >= 0
}

// frto is how far F-RTO (RFC 5682, Section 2.1) is.
type frto uint8

const (
	frtoOff  frto = iota
	frtoSent      // the first segment went again: what does the first ACK say?
	frtoNew       // new data was sent in its place: what does the second ACK say?
)

// repairTimeout takes an ACK after a time-out. RFC 5682, Sections 2.1 and 3.1:
// when something that was outstanding at the time-out arrives without having
// gone again, the time-out was spurious. duplicate: it is a duplicate ACK
// without SACK.
func (c *Conn) repairTimeout(now Time, advanced, duplicate bool, d *delivery) {
	l := &c.loss
	if (advanced && l.undo.byFirstCopy(d)) || l.undo.byDuplicates() || (l.frto != frtoOff && d.first) {
		c.undoRecovery(now)
		return
	}
	switch {
	case l.frto == frtoOff:
	case duplicate, l.frto == frtoNew && d.news:
		// Something is missing: steps 2a and 3a. With what left the network the
		// next lost segment may go.
		l.force = l.frto == frtoNew
		l.frto = frtoOff
	case l.frto == frtoNew && advanced:
		l.frto = frtoOff
	case advanced && c.snd.una.Less(l.recover):
		// Step 2b: new data in the place of more retransmissions, if there is any
		// and the peer has room for it.
		l.frto = frtoOff
		if c.unsent() > 0 && c.snd.nxt.Less(c.windowEdge()) {
			c.rule(now, RuleForwardRTO)
			l.frto, l.recover = frtoNew, c.snd.nxt
			return
		}
	}
	if !c.snd.una.Less(l.recover) {
		c.recovered(now)
	}
}

// undoRecovery goes back to before a recovery that was needless (RFC 4015,
// Section 3.2).
func (c *Conn) undoRecovery(now Time) {
	l := &c.loss
	if l.phase == lossTimedOut {
		c.rule(now, RuleUndoTimeout)
	} else {
		// What seemed lost was late.
		c.rule(now, RuleUndoRecovery)
		c.rack.reordered = true
	}
	c.count.rarely().undos++
	c.cc.undo(now)
	if c.sent != nil {
		c.sent.unlose()
	}
	*l = recovery{recover: l.recover}
}
