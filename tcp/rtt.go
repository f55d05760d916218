package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// clockGranularity is G of RFC 6298: what the time-out is at least above the
// smoothed round-trip time.
const clockGranularity = time.Millisecond

// estimator computes the retransmission time-out (RFC 6298). It times one
// segment per round trip, which serves as well as a sample per segment (RFC
// 7323, Appendix G), to the nanosecond; segments sent twice are not timed
// (Karn), but the timestamps option tells which copy was answered.
type estimator struct {
	srtt, rttvar time.Duration
	min, lastMin time.Duration // the least of this period of leastFor and of the one before
	minSince     Time
	rto          time.Duration // without backoff
	backoff      uint8

	slow    bool // the sample is that of a handshake that had to be repeated
	timing  bool
	seq     seqnum.Value // an ACK beyond it ends the measurement
	startAt Time
	next    seqnum.Value // no timestamp sample until an ACK beyond it
}

// leastFor is how long the least round-trip time counts, and as long again at
// most (RFC 8985, Section 6.2, step 1).
const leastFor = 5 * time.Minute

// least returns the least round-trip time seen of late, 0 if there was none.
func (e *estimator) least() time.Duration {
	if e.min == 0 || (e.lastMin != 0 && e.lastMin < e.min) {
		return e.lastMin
	}
	return e.min
}

// noteLeast takes a round-trip time for least. None takes no time at all: then
// the clock is too coarse to tell.
func (e *estimator) noteLeast(now Time, r time.Duration) {
	if r <= 0 {
		return
	}
	if now.Sub(e.minSince) >= leastFor {
		e.min, e.lastMin, e.minSince = 0, e.min, now
	}
	if e.min == 0 || r < e.min {
		e.min = r
	}
}

// initialRTO is the time-out before there is a sample (RFC 6298, Section 2.1).
const initialRTO = time.Second

// start begins to time the segment whose last byte is before end.
func (e *estimator) start(now Time, end seqnum.Value) {
	if !e.timing {
		e.timing, e.seq, e.startAt = true, end, now
	}
}

// cancel ends a measurement that a retransmission made ambiguous.
func (e *estimator) cancel() { e.timing = false }

// acked takes the sample, if the ACK completes the measurement.
func (e *estimator) acked(now Time, ack seqnum.Value, cfg *Config) bool {
	if !e.timing || ack.Less(e.seq) {
		return false
	}
	e.timing = false
	e.sample(now, now.Sub(e.startAt), cfg)
	return true
}

// sample takes a round-trip time (RFC 6298, Sections 2.2 and 2.3).
func (e *estimator) sample(now Time, r time.Duration, cfg *Config) {
	e.noteLeast(now, r)
	r = max(r, 1)
	if e.srtt == 0 || e.slow {
		e.slow = false
		e.srtt, e.rttvar = r, r/2
	} else {
		// RTTVAR first: it uses the old SRTT.
		e.rttvar += (max(e.srtt-r, r-e.srtt) - e.rttvar) / 4
		e.srtt += (r - e.srtt) / 8
	}
	// MinRTO takes the place of G in "SRTT + max(G, 4*RTTVAR)", as on Linux: a
	// steady path has little variance, and a peer may still delay its ACKs.
	e.rto = min(e.srtt+max(clockGranularity, cfg.MinRTO, 4*e.rttvar), cfg.MaxRTO)
	// Section 5.7: the backed-off time-out holds until there is a new sample.
	e.backoff = 0
}

// distrust bounds the time-out by limit, and has the next sample begin anew.
func (e *estimator) distrust(limit time.Duration) {
	e.slow = true
	e.rto = min(e.rto, limit)
}

// timeout returns the time-out in force, backoff included.
func (e *estimator) timeout(cfg *Config) time.Duration {
	return backedOff(e.rto, e.backoff, cfg.MaxRTO)
}

// backOff doubles the time-out; after 32 times it is at its maximum anyway.
func (e *estimator) backOff() { e.backoff = min(e.backoff+1, 32) }

// backedOff returns d doubled n times, at most limit.
func backedOff(d time.Duration, n uint8, limit time.Duration) time.Duration {
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
