package tcp

import "math"

// reno is the congestion control of RFC 5681, with the byte counting of RFC
// 3465 and the initial window of RFC 6928; the recovery that NewReno (RFC
// 6582) adds is in recovery.
type reno struct {
	cwnd, ssthresh int
	mss            int
	initial        int
	partial        int // bytes acknowledged towards the next segment of growth
	afterTimeout   bool

	priorCwnd, priorThreshold int // before the last loss, for undo
}

// newReno starts with the given number of segments.
func newReno(mss, segments int) reno {
	r := reno{mss: mss, ssthresh: math.MaxInt32}
	r.initial = initialWindow(mss, segments)
	r.cwnd = r.initial
	return r
}

// initialWindow is RFC 6928, Section 2: min(10*MSS, max(2*MSS, 14600)), with
// another number in the place of 10.
func initialWindow(mss, segments int) int {
	return min(segments*mss, max(2*mss, segments*1460))
}

func (r *reno) name() string       { return "reno" }
func (r *reno) window() int        { return r.cwnd }
func (r *reno) threshold() int     { return r.ssthresh }
func (r *reno) pacingRate() int64  { return 0 }
func (r *reno) ownsRecovery() bool { return false }

func (r *reno) sent(Time, int, int)          {}
func (r *reno) segmentLost(Time, lossSample) {}

// acked grows the window: in slow start by the bytes acknowledged (RFC 5681,
// Section 3.1; RFC 3465, Section 2.3: after a time-out by one segment at most,
// for an ACK may then cover data that arrived long ago), afterwards by a
// segment for each window acknowledged. A window that is not used does not grow
// (RFC 7661, Section 4.3), nor does one in loss recovery.
func (r *reno) acked(_ Time, s ackSample) {
	if s.phase == lossFast || (s.phase == lossOpen && !s.limited) {
		return
	}
	n := s.acked
	if r.cwnd < r.ssthresh {
		if r.afterTimeout {
			n = min(n, r.mss)
		}
		r.cwnd += min(n, max(r.ssthresh-r.cwnd, r.mss))
		return
	}
	r.afterTimeout = false
	r.partial += n
	if r.partial >= r.cwnd {
		r.partial -= r.cwnd
		r.cwnd += r.mss
	}
}

// lost halves: RFC 5681, Section 3.1, equation 4, of the flight, not the window.
func (r *reno) lost(_ Time, flight int) {
	r.save()
	r.ssthresh = max(flight/2, 2*r.mss)
	r.cwnd, r.partial = r.ssthresh, 0
}

// recovered deflates. RFC 6582, Section 3.2, step 3: the window may be no
// larger than what avoids a burst.
func (r *reno) recovered(_ Time, flight int) {
	r.cwnd = min(r.ssthresh, max(flight, r.mss)+r.mss)
}

// timeout falls to the loss window. RFC 5681, Section 3.1: one segment; the
// threshold is set once for a segment, however often it times out.
func (r *reno) timeout(_ Time, flight int, first bool) {
	if first {
		r.save()
		r.ssthresh = max(flight/2, 2*r.mss)
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

func (r *reno) resize(mss int) { r.mss = mss; r.cwnd = max(r.cwnd, mss) }
