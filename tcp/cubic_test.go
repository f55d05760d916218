package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// ccDriver drives a congestion control as a path does that loses nothing and
// never queues: what goes out is acknowledged a round-trip time later.
type ccDriver struct {
	t   *testing.T
	cc  congestion
	now Time
	rtt time.Duration
	mss int
	una seqnum.Value
}

func newCCDriver(t *testing.T, cc congestion, rtt time.Duration) *ccDriver {
	return &ccDriver{t: t, cc: cc, now: Time(time.Hour), rtt: rtt, mss: 1000}
}

// sample is an ACK of n bytes while the window is in full use.
func (d *ccDriver) sample(n int) ackSample {
	d.una = d.una.Add(seqnum.Size(n))
	return ackSample{
		acked: n, delivered: n, limited: true, rtt: d.rtt, srtt: d.rtt, minRTT: d.rtt,
		una: d.una, nxt: d.una.Add(seqnum.Size(d.cc.window())),
	}
}

// round acknowledges a window, two segments at a time, spread over a round-trip
// time.
func (d *ccDriver) round() {
	window, start := d.cc.window(), d.now
	for done := 0; done < window; done += 2 * d.mss {
		n := min(2*d.mss, window-done)
		d.now = start.Add(d.rtt * time.Duration(done+n) / time.Duration(window))
		d.cc.acked(d.now, d.sample(n))
	}
}

// want asserts the window and the threshold in bytes.
func (d *ccDriver) want(what string, cwnd, ssthresh int) {
	d.t.Helper()
	if d.cc.window() != cwnd || d.cc.threshold() != ssthresh {
		d.t.Errorf("%s: window %v, threshold %v, want %v, %v", what, d.cc.window(), d.cc.threshold(), cwnd, ssthresh)
	}
}

// cubicAt returns a CUBIC driver in congestion avoidance after a loss at the
// window of so many bytes.
func cubicAt(t *testing.T, window int, rtt time.Duration) (*ccDriver, *cubic) {
	c := newCubic(1000, 10)
	d := newCCDriver(t, &c, rtt)
	c.cwnd = int32(window)
	c.lost(d.now, window)
	c.recovered(d.now, window)
	return d, &c
}

// RFC 9438, Sections 4.2 and 4.6 (R9438-1, R9438-2): after a loss the window is
// 0.7 of what it was, and then follows C*(t-K)^3 + Wmax, with C = 0.4.
func TestCubicCurve(t *testing.T) {
	const top = 1_000_000
	d, _ := cubicAt(t, top, 100*time.Millisecond)
	d.want("after the loss", 700_000, 700_000)
	k := math.Cbrt(300 / 0.4) // segments
	start := d.now
	for d.now.Sub(start) < 18*time.Second {
		d.round()
		at := d.now.Sub(start).Seconds()
		want := (0.4*math.Pow(at-k, 3) + 1000) * 1000
		if got := float64(d.cc.window()); math.Abs(got-want) > 0.01*want {
			t.Fatalf("after %.1f s: window %.0f, want %.0f within 1 %%", at, got, want)
		}
	}
	if w := d.cc.window(); w < 1.2*top {
		t.Errorf("after 18 s: window %v, want it in the convex region", w)
	}
}

// R9438-11: K is the cube root, over all windows and segment sizes, so that the
// curve begins at the window of the epoch and is at Wmax after K.
func TestCubicK(t *testing.T) {
	for _, mss := range []int32{88, 536, 1460, 8960, 65000} {
		for cwnd := int32(1 << 10); cwnd < 1<<29; cwnd *= 2 {
			v := cubicCurve{max: cwnd + cwnd/3}
			v.begin(1, cwnd, mss)
			if got := v.window(0, mss); math.Abs(got-float64(cwnd)) > 1 {
				t.Errorf("mss %v: W(0) = %.1f, want %v", mss, got, cwnd)
			}
			if got := v.window(v.k, mss); got != float64(v.max) {
				t.Errorf("mss %v: W(K) = %.1f, want %v", mss, got, v.max)
			}
		}
	}
	v := cubicCurve{max: 1000}
	v.begin(1, 5000, 1000)
	if v.k != 0 || v.max != 5000 {
		t.Errorf("above Wmax: K = %v, Wmax = %v, want 0, 5000", v.k, v.max)
	}
}

// RFC 9438, Section 4.3 (R9438-4): where Reno would have more, the window grows
// as Reno's: by 0.53 segments a round, and from the window of the loss on by
// one.
func TestCubicRenoFriendly(t *testing.T) {
	d, c := cubicAt(t, 20_000, 2*time.Millisecond)
	d.want("after the loss", 14_000, 14_000)
	for i := range 11 {
		d.round()
		want := 14_000 + (float64(i)+1)*cubicAlpha*1000
		if got := float64(c.cwnd); math.Abs(got-want) > 150 {
			t.Fatalf("after %d rounds: window %v, want %.0f", i+1, got, want)
		}
	}
	for c.cwnd < 20_000 {
		d.round()
	}
	before := c.cwnd
	d.round()
	if grown := c.cwnd - before; grown < 950 || grown > 1050 {
		t.Errorf("above the window of the loss: %v bytes a round, want 1000", grown)
	}
	if k := c.curves.k; k < 2*time.Second {
		t.Errorf("K = %v: the test is not in the friendly region", k)
	}
}

// RFC 9438, Section 4.2 (R9438-3): however far the curve is ahead, the window
// grows by half in a round at most.
func TestCubicTargetIsClamped(t *testing.T) {
	d, c := cubicAt(t, 100_000, 10*time.Millisecond)
	d.round()
	d.now = d.now.Add(time.Minute) // no ACK for a minute, and yet data in flight
	before := c.cwnd
	d.cc.acked(d.now, d.sample(int(before)))
	if got, want := c.cwnd, before*3/2; got != want {
		t.Errorf("window %v, want %v", got, want)
	}
}

// RFC 9438, Section 4.7 (R9438-5): a loss below the window of the last one
// gives room to others: Wmax is 0.85 of the window.
func TestCubicFastConvergence(t *testing.T) {
	d, c := cubicAt(t, 100_000, 10*time.Millisecond)
	if c.curves.max != 100_000 {
		t.Errorf("Wmax = %v, want 100000", c.curves.max)
	}
	c.lost(d.now, 70_000)
	d.want("second loss", 49_000, 49_000)
	if c.curves.max != 59_500 {
		t.Errorf("Wmax after a loss at 70000: %v, want 59500", c.curves.max)
	}
	c.cwnd = 60_000
	c.lost(d.now, 60_000)
	if c.curves.max != 60_000 {
		t.Errorf("Wmax after a loss at 60000: %v, want 60000", c.curves.max)
	}
	c.lost(d.now, 100)
	d.want("loss of next to nothing", 2000, 2000)
}

// RFC 9438, Section 4.8 (R9438-6): a time-out leaves a segment, and 0.7 of the
// flight as the threshold, once; slow start follows, and then a curve from its
// plateau, which knows no Wmax of before.
func TestCubicTimeout(t *testing.T) {
	d, c := cubicAt(t, 100_000, 10*time.Millisecond)
	c.timeout(d.now, 50_000, true)
	d.want("time-out", 1000, 35_000)
	c.timeout(d.now, 1000, false)
	d.want("again", 1000, 35_000)
	s := d.sample(30_000)
	s.phase, s.limited = lossTimedOut, false
	c.acked(d.now, s)
	d.want("an ACK of much (R3465-1)", 2000, 35_000)
	for d.cc.window() < 35_000 {
		s := d.sample(1000)
		s.phase = lossTimedOut
		c.acked(d.now, s)
	}
	d.round()
	if c.curves.k != 0 || c.curves.max != 35_000 {
		t.Errorf("K = %v, Wmax = %v, want 0, 35000", c.curves.k, c.curves.max)
	}
}

// RFC 9438, Section 4.9 (R9438-7): when the loss was none, the window, the
// threshold and the curve are what they would have been.
func TestCubicUndo(t *testing.T) {
	tests := []struct {
		name string
		loss func(*cubic, Time)
	}{
		{"loss", func(c *cubic, now Time) { c.lost(now, 80_000) }},
		{"time-outs", func(c *cubic, now Time) {
			c.timeout(now, 80_000, true)
			c.timeout(now, 1000, false)
		}},
		{"ECN echo", func(c *cubic, now Time) { c.congestionExperienced(now, 80_000) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, c := cubicAt(t, 100_000, 10*time.Millisecond)
			for range 50 {
				d.round()
			}
			cwnd, ssthresh, curve := c.window(), c.threshold(), c.curves.cubicCurve
			tt.loss(c, d.now)
			if c.window() >= cwnd {
				t.Fatalf("window %v after the loss, %v before", c.window(), cwnd)
			}
			c.undo(d.now)
			d.want("undone", cwnd, ssthresh)
			if c.curves.cubicCurve != curve {
				t.Errorf("curve %+v, want %+v", c.curves.cubicCurve, curve)
			}
		})
	}
}

// RFC 9438, Section 5.8 (R9438-8): the window does not grow while it is not
// used, and the time of that is no part of the curve, nor is a silence.
func TestCubicUnusedTime(t *testing.T) {
	d, c := cubicAt(t, 100_000, 10*time.Millisecond)
	for range 10 {
		d.round()
	}
	before, epoch := c.window(), c.curves.epoch
	for range 100 {
		d.now = d.now.Add(10 * time.Millisecond)
		s := d.sample(1000)
		s.limited = false
		c.acked(d.now, s)
	}
	d.want("a second of little use", before, 70_000)
	d.now = d.now.Add(100 * time.Millisecond)
	c.sent(d.now, 1000, 0)
	if moved := c.curves.epoch.Sub(epoch); moved != 1100*time.Millisecond {
		t.Errorf("the epoch moved by %v, want 1.1s", moved)
	}
	d.now = d.now.Add(time.Millisecond)
	c.sent(d.now, 1000, 1000)
	if moved := c.curves.epoch.Sub(epoch); moved != 1100*time.Millisecond {
		t.Errorf("with data in flight, the epoch moved to %v, want 1.1s", moved)
	}
	s := d.sample(10_000)
	s.phase = lossFast
	c.acked(d.now, s)
	d.want("an ACK in recovery", before, 70_000)
}

// RFC 5681, Section 4.1 (R5681-9): after an idle time the window is the initial
// one, and a new curve begins.
func TestCubicIdle(t *testing.T) {
	d, c := cubicAt(t, 100_000, 10*time.Millisecond)
	d.round()
	c.idle(d.now)
	d.want("idle", 10_000, 70_000)
	if c.curves.epoch != 0 {
		t.Error("the curve goes on")
	}
}

// RFC 9438, Section 4.10 (R9438-9): slow start ends when the round-trip time
// grows: congestion avoidance begins at the window that there is.
func TestCubicLeavesSlowStart(t *testing.T) {
	c := newCubic(1000, 10)
	d := newCCDriver(t, &c, 40*time.Millisecond)
	for range 3 {
		d.round()
	}
	d.want("doubled thrice", 80_000, math.MaxInt32)
	d.rtt = 50 * time.Millisecond
	for range 6 {
		d.round()
	}
	w := c.window()
	if c.threshold() > w || w < 100_000 || w > 300_000 {
		t.Errorf("window %v, threshold %v, want congestion avoidance at 100 to 300 segments", w, c.threshold())
	}
}

// Another algorithm goes on from the window of the one before; and the first
// slow start of a connection is the only one that HyStart++ watches.
func TestCubicAdopts(t *testing.T) {
	r := newReno(1000, 10)
	r.lost(0, 50_000)
	c := newCubic(1000, 10)
	c.adopt(r.window(), r.threshold())
	newCCDriver(t, &c, time.Millisecond).want("adopted", 25_000, 25_000)
	if c.hystart.on {
		t.Error("HyStart++ after the first slow start")
	}
	if c.name() != "cubic" || c.ownsRecovery() || c.pacingRate() != 0 {
		t.Errorf("name %q, owns recovery %v, pacing rate %v", c.name(), c.ownsRecovery(), c.pacingRate())
	}
}

// In congestion avoidance the window is the nearest number of segments.
func TestCubicRounds(t *testing.T) {
	c := newCubic(1000, 10)
	for _, tt := range []struct {
		cwnd, ssthresh int32
		want           int
	}{{4400, 4000, 4000}, {4500, 4000, 5000}, {4900, 4900, 5000}, {4900, 5000, 4900}} {
		c.cwnd, c.ssthresh = tt.cwnd, tt.ssthresh
		if got := c.window(); got != tt.want {
			t.Errorf("window at %v with threshold %v = %v, want %v", tt.cwnd, tt.ssthresh, got, tt.want)
		}
	}
}

// The window is bounded, however long nothing is lost.
func TestCubicIsBounded(t *testing.T) {
	d, c := cubicAt(t, maxWindow-1000, time.Millisecond)
	for range 200 {
		d.now = d.now.Add(time.Hour)
		c.acked(d.now, d.sample(c.window()))
		if w := c.window(); w > maxWindow+500 || w < 2000 {
			t.Fatalf("window %v", w)
		}
	}
	if c.cwnd != maxWindow {
		t.Errorf("window %v, want %v", c.cwnd, maxWindow)
	}
}
