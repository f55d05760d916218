package tcp

import (
	"math"
	"time"
)

// The constants of RFC 9438, Sections 4.1, 4.2 and 4.6. The window grows as
// fast as Reno's, with its halving, if it adds cubicAlpha segments a round
// (Section 4.3).
const (
	cubicC     = 0.4 // segments per second cubed
	cubicBeta  = 0.7 // what a loss leaves of the window
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

// cubic is the congestion control of RFC 9438, which grows the window along
//
//	W(t) = C*(t-K)^3 + Wmax
//
// after a loss: fast, then slowly around the window of the last loss, then fast
// again, whatever the round-trip time is. Slow start ends as RFC 9406 has it.
// What it has in common with Reno is there.
//
// Products are converted before they are added, lest a processor that can do
// both at once rounds in another way than the others: the same seed must give
// the same bytes everywhere.
type cubic struct {
	reno
	hystart hystart
	curves  *cubicCurves // nil while the first slow start lasts: most connections end before
}

// cubicCurves is what congestion avoidance adds.
type cubicCurves struct {
	cubicCurve
	prior   cubicCurve // before the last loss, for undo
	counted Time       // until when time counts: unused time moves the epoch
}

// cubicCurve is the present curve. Windows are in bytes.
type cubicCurve struct {
	epoch     Time          // when it began; 0: with the next ACK
	k         time.Duration // from epoch until W is max
	max       int32         // Wmax; 0: none
	before    int32         // cwnd_prior: the window before the last loss
	estimate  float64       // W_est, the window that Reno would have
	remainder float64       // of the window, under 1 byte
}

// newCubic starts with the given number of segments.
func newCubic(mss, segments int) cubic {
	return cubic{reno: newReno(mss, segments), hystart: newHystart()}
}

func (c *cubic) name() string { return CongestionCubic }

// window is, in congestion avoidance, the nearest number of whole segments: only
// those are sent, and where they are few, half a segment that is always missing
// tells.
func (c *cubic) window() int {
	if c.cwnd < c.ssthresh {
		return int(c.cwnd)
	}
	return int((c.cwnd + c.mss/2) / c.mss * c.mss)
}

// sent keeps a silence out of the curve. RFC 9438, Section 5.8: t must not
// count the time in which the application limits.
func (c *cubic) sent(now Time, _, inFlight int) {
	if inFlight == 0 && c.curves != nil {
		c.curves.skip(now)
	}
}

// curve returns the present curve.
func (c *cubic) curve() *cubicCurves {
	if c.curves == nil {
		c.curves = new(cubicCurves)
	}
	return c.curves
}

// skip takes the time since the last call, or the last ACK, out of the epoch.
func (v *cubicCurves) skip(now Time) {
	if v.epoch != 0 {
		v.epoch = v.epoch.Add(max(0, now.Sub(v.counted)))
	}
	v.counted = now
}

func (c *cubic) acked(now Time, s ackSample) {
	if c.cwnd < c.ssthresh {
		c.slowStart(&s)
	} else {
		c.avoid(now, &s)
	}
}

// slowStart is Reno's, slower from where the round-trip time shows a queue
// (RFC 9406).
func (c *cubic) slowStart(s *ackSample) {
	n := int32(s.acked)
	if c.hystart.on {
		if c.hystart.acked(s) {
			c.ssthresh = c.cwnd // Section 4.2: CSS ended, congestion avoidance begins
			return
		}
		n = c.hystart.credit(n)
	}
	if c.mayGrow(s) {
		c.reno.slowStart(n)
	}
}

// avoid is congestion avoidance: RFC 9438, Sections 4.2 to 4.5.
func (c *cubic) avoid(now Time, s *ackSample) {
	v := c.curve()
	if !c.mayGrow(s) {
		v.skip(now)
		return
	}
	v.counted = now
	c.afterTimeout = false
	if v.epoch == 0 {
		v.begin(now, c.cwnd, c.mss)
	}
	cwnd, mss, acked := float64(c.cwnd), float64(c.mss), float64(s.acked)
	alpha := cubicAlpha
	if v.estimate >= float64(v.before) {
		alpha = 1
	}
	v.estimate += float64(alpha * mss * acked / cwnd)
	t := now.Sub(v.epoch)
	if v.estimate > v.window(t, c.mss) {
		// Section 4.3, the Reno-friendly region: no slower than Reno.
		if v.estimate > cwnd+v.remainder {
			c.set(v.estimate)
		}
		return
	}
	// Sections 4.4 and 4.5: towards where the curve is in a round trip, and not
	// over half of the window in one.
	target := min(max(v.window(t+s.srtt, c.mss), cwnd), 1.5*cwnd)
	c.set(cwnd + v.remainder + float64((target-cwnd)*acked/cwnd))
}

// set makes w the window.
func (c *cubic) set(w float64) {
	whole := math.Floor(min(w, maxWindow))
	c.cwnd, c.curves.remainder = int32(whole), min(w, maxWindow)-whole
}

// begin starts the curve at the window cwnd. RFC 9438, Sections 4.2, 4.8 and
// 4.10: without a window to come back to, after slow start or a time-out, it
// starts at its plateau.
func (v *cubicCurve) begin(now Time, cwnd, mss int32) {
	v.epoch, v.k = now, 0
	v.estimate, v.remainder = float64(cwnd), 0
	if v.max <= cwnd {
		v.max = cwnd
		return
	}
	k := math.Cbrt(float64(v.max-cwnd) / float64(cubicC*float64(mss)))
	v.k = time.Duration(k * float64(time.Second))
}

// window is W(t), in bytes.
func (v *cubicCurve) window(t time.Duration, mss int32) float64 {
	d := (t - v.k).Seconds()
	return float64(cubicC*float64(mss)*d*d*d) + float64(v.max)
}

// reduce sets the threshold after a loss. RFC 9438, Section 4.6: of the
// flight; Section 4.7, fast convergence: when the window does not come back to
// where the last loss was, others need the room.
func (c *cubic) reduce(flight int) {
	c.save()
	v := c.curve()
	v.prior = v.cubicCurve
	top := c.cwnd
	if c.cwnd < v.max {
		top = int32(float64(c.cwnd) * ((1 + cubicBeta) / 2))
	}
	v.cubicCurve = cubicCurve{max: top, before: c.cwnd}
	c.ssthresh = max(int32(float64(flight)*cubicBeta), 2*c.mss)
	c.hystart.on = false // RFC 9406, Section 4.3: for the initial slow start
}

func (c *cubic) lost(_ Time, flight int) {
	c.reduce(flight)
	c.cwnd = c.ssthresh
}

// timeout is RFC 9438, Section 4.8: as Reno, with another factor; the window
// of old is no goal any more.
func (c *cubic) timeout(_ Time, flight int, first bool) {
	if first {
		c.reduce(flight)
	}
	v := c.curve()
	v.epoch, v.max = 0, 0
	c.cwnd, c.afterTimeout = c.mss, true
}

// undo is RFC 9438, Section 4.9: the curve goes on as if nothing had been.
func (c *cubic) undo(now Time) {
	c.reno.undo(now)
	v := c.curve()
	v.cubicCurve = v.prior
}

// congestionExperienced is RFC 9438, Section 4.6: as for a loss.
func (c *cubic) congestionExperienced(now Time, flight int) { c.lost(now, flight) }

// idle restarts, and with it the curve.
func (c *cubic) idle(now Time) {
	c.reno.idle(now)
	if c.curves != nil {
		c.curves.epoch = 0
	}
}

// adopt takes over. After a slow start that ended there is nothing for HyStart++
// to find.
func (c *cubic) adopt(window, threshold int) {
	c.reno.adopt(window, threshold)
	c.hystart.on = threshold >= math.MaxInt32
}
