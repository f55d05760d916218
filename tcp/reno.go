package tcp

import "math"

// maxWindow bounds a congestion window: a send buffer holds no more.
const maxWindow = maxBuffer

// reno is the congestion control of RFC 5681, with the byte counting of RFC
// 3465 and the initial window of RFC 6928; the recovery that NewReno (RFC
// 6582) adds is in recovery.
type reno struct {
	cwnd, ssthresh int32
	mss            int32
	initial        int32
	partial        int32 // bytes acknowledged towards the next segment of growth
	afterTimeout   bool

	priorCwnd, priorThreshold int32 // before the last loss, for undo
}

// newReno starts with the given number of segments.
func newReno(mss, segments int) reno {
	w := int32(initialWindow(mss, segments))
	return reno{mss: int32(mss), cwnd: w, initial: w, ssthresh: math.MaxInt32}
}

// initialWindow is RFC 6928, Section 2: min(10*MSS, max(2*MSS, 14600)), with
// another number in the place of 10.
func initialWindow(mss, segments int) int {
	return min(segments*mss, max(2*mss, segments*1460), maxWindow)
}

func (r *reno) name() string       { return CongestionReno }
func (r *reno) window() int        { return int(r.cwnd) }
func (r *reno) threshold() int     { return int(r.ssthresh) }
func (r *reno) pacingRate() int64  { return 0 }
func (r *reno) ownsRecovery() bool { return false }

func (r *reno) sent(Time, int, int)          {}
func (r *reno) segmentLost(Time, lossSample) {}

// acked grows the window: in slow start by the bytes acknowledged, afterwards
// by a segment for each window acknowledged (RFC 5681, Section 3.1).
func (r *reno) acked(_ Time, s ackSample) {
	if !r.mayGrow(&s) {
		return
	}
	if r.cwnd < r.ssthresh {
		r.slowStart(int32(s.acked))
		return
	}
	r.afterTimeout = false
	r.partial += int32(s.acked)
	if r.partial >= r.cwnd {
		r.partial -= r.cwnd
		r.grow(r.mss)
	}
}

// mayGrow reports whether an ACK can grow the window: not in loss recovery, and
// not when the window is not used (RFC 7661, Section 4.3). After a time-out it
// is used by what is sent again.
func (r *reno) mayGrow(s *ackSample) bool {
	return s.phase == lossTimedOut || (s.phase == lossOpen && s.limited)
}

// slowStart grows the window by n bytes that were acknowledged. RFC 3465,
// Section 2.3: after a time-out by one segment at most, for an ACK may then
// cover data that arrived long ago.
func (r *reno) slowStart(n int32) {
	if r.afterTimeout {
		n = min(n, r.mss)
	}
	r.grow(min(n, max(r.ssthresh-r.cwnd, r.mss)))
}

func (r *reno) grow(n int32) { r.cwnd = min(r.cwnd, maxWindow-n) + n }

// lost halves: RFC 5681, Section 3.1, equation 4, of the flight, not the window.
func (r *reno) lost(_ Time, flight int) {
	r.save()
	r.ssthresh = max(int32(flight/2), 2*r.mss)
	r.cwnd, r.partial = r.ssthresh, 0
}

// recovered deflates. RFC 6582, Section 3.2, step 3: the window may be no
// larger than what avoids a burst.
func (r *reno) recovered(_ Time, flight int) {
	r.cwnd = min(r.ssthresh, max(int32(flight), r.mss)+r.mss)
}

// timeout falls to the loss window. RFC 5681, Section 3.1: one segment; the
// threshold is set once for a segment, however often it times out.
func (r *reno) timeout(_ Time, flight int, first bool) {
	if first {
		r.save()
		r.ssthresh = max(int32(flight/2), 2*r.mss)
	}
	r.cwnd, r.partial, r.afterTimeout = r.mss, 0, true
}

// save keeps what undo brings back.
func (r *reno) save() { r.priorCwnd, r.priorThreshold = r.cwnd, r.ssthresh }

// undo goes back to before the last loss (RFC 4015, Section 3.2): nothing was
// lost, so what was known of the path holds.
func (r *reno) undo(Time) {
	r.cwnd = max(r.cwnd, r.priorCwnd)
	r.ssthresh = max(r.ssthresh, r.priorThreshold)
	r.afterTimeout = false
}

// congestionExperienced is RFC 3168, Section 6.1.2: as for a loss, but nothing
// is to be repaired.
func (r *reno) congestionExperienced(now Time, flight int) { r.lost(now, flight) }

// idle restarts. RFC 5681, Section 4.1: at most the initial window.
func (r *reno) idle(Time) { r.cwnd, r.partial = min(r.cwnd, r.initial), 0 }

func (r *reno) resize(mss int) { r.mss = int32(mss); r.cwnd = max(r.cwnd, r.mss) }

func (r *reno) adopt(window, threshold int) {
	r.cwnd, r.ssthresh = int32(min(window, maxWindow)), int32(min(threshold, math.MaxInt32))
}
