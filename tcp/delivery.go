package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// delivery gathers what one ACK delivers.
type delivery struct {
	now    Time
	minRTT time.Duration
	fack   seqnum.Value // the highest that had arrived before this ACK
	high   seqnum.Value // the highest that arrived now
	limit  seqnum.Value // what lies before it was outstanding at the last time-out

	cum seqnum.Value // what lies before it is acknowledged; the rest, SACK reports

	// The timestamp echoed, as time of our clock; ecrKnown if there is one.
	ecr      uint32
	ecrKnown bool
	offset   uint32

	bytes    int  // delivered by this ACK
	any      bool // newest is set
	news     bool // a SACK block told something new
	first    bool // a first copy arrived that was outstanding at the last time-out
	resent   bool // something that went again arrived
	dsack    wire.SACKBlock
	head     sentRecord   // the first that this ACK acknowledges
	newest   sentRecord   // the segment sent last of those delivered
	latest   sentRecord   // the same, without those whose copy is in doubt (RFC 8985, Section 6.2, step 2)
	sure     bool         // latest is set
	lastAt   Time         // when the last of those was sent, in the order of the sequence numbers
	lowest   seqnum.Value // the lowest that arrived behind one sent later
	behind   bool         // lowest is set
	firstRTT time.Duration
}

// deliver takes a record that arrived now.
func (d *delivery) deliver(r *sentRecord) {
	d.bytes += r.len()
	d.high = seqnum.Max(d.high, r.end)
	if !d.any || sentAfter(r.sentAt, r.end, d.newest.sentAt, d.newest.end) {
		d.newest, d.any = *r, true
	}
	if r.has(recResent) {
		d.resent = true
		if d.ambiguous(r) {
			return
		}
	} else {
		if r.end.LessEq(d.limit) {
			d.first = true
		}
		if r.end.LessEq(d.fack) && (!d.behind || r.start.Less(d.lowest)) {
			d.lowest, d.behind = r.start, true
		}
		d.firstRTT = d.now.Sub(r.sentAt)
	}
	d.lastAt = r.sentAt
	if !d.sure || sentAfter(r.sentAt, r.end, d.latest.sentAt, d.latest.end) {
		d.latest, d.sure = *r, true
	}
}

// ambiguous reports whether what arrived may be an earlier copy of r: the
// timestamp echoed is from before it went again, or that was less than the
// shortest round trip ago.
//
// Behind a gap the echo says nothing: the receiver goes on echoing the segment
// before the gap (RFC 7323, Section 4.3), so that it is older than whatever SACK
// reports. Taken for a sign there, it would hide from RACK the arrival of every
// tail loss probe that leaves a gap (RFC 8985, Section 7.4.1). Linux never looks
// at it.
func (d *delivery) ambiguous(r *sentRecord) bool {
	if d.ecrKnown && r.end.LessEq(d.cum) && int32(d.ecr-TSVal(r.sentAt, d.offset)) < 0 {
		return true
	}
	return d.now.Sub(r.sentAt) < d.minRTT
}
