package tcp

import (
	"math"
	"testing"
)

// RFC 5681, Sections 3.1 and 4.1: the window as a function of what happens, with
// segments of 1000 bytes.
func TestReno(t *testing.T) {
	var c congestion
	const now = Time(0)
	acked := func(n int) { c.acked(now, ackSample{acked: n, delivered: n, limited: true}) }
	fresh := func() { r := newReno(1000, 10); c = &r }
	want := func(what string, cwnd, ssthresh int) {
		t.Helper()
		if c.window() != cwnd || c.threshold() != ssthresh {
			t.Errorf("%s: window %v, threshold %v, want %v, %v", what, c.window(), c.threshold(), cwnd, ssthresh)
		}
	}
	fresh()
	want("new (R5681-5)", 10000, math.MaxInt32)
	acked(3000)
	want("slow start", 13000, math.MaxInt32)
	c.lost(now, 9000)
	want("loss (R5681-3)", 4500, 4500)
	c.recovered(now, 20000)
	want("recovered, much in flight", 4500, 4500)
	c.recovered(now, 0)
	want("recovered, nothing in flight", 2000, 4500)
	acked(9000)
	want("slow start up to the threshold", 4500, 4500)
	acked(4499)
	want("congestion avoidance", 4500, 4500)
	acked(1)
	want("a window acknowledged", 5500, 4500)
	c.lost(now, 1000)
	want("loss of nearly nothing", 2000, 2000)
	fresh()
	c.timeout(now, 10000, true)
	want("time-out (R5681-4)", 1000, 5000)
	c.timeout(now, 1000, false)
	want("the same again", 1000, 5000)
	acked(5000)
	want("slow start after a time-out (R3465-1)", 2000, 5000)
	c.idle(now)
	want("idle with a small window", 2000, 5000)
	fresh()
	acked(50000)
	c.idle(now)
	want("idle with a large window (R5681-9)", 10000, math.MaxInt32)
	c.lost(now, 50000)
	c.undo(now)
	want("a loss that was none", 25000, math.MaxInt32)
	c.timeout(now, 10000, true)
	c.timeout(now, 1000, false)
	c.undo(now)
	want("time-outs that were none", 25000, math.MaxInt32)
	c.congestionExperienced(now, 10000)
	want("an ECN echo", 5000, 5000)
	c.acked(now, ackSample{acked: 5000, delivered: 5000})
	c.acked(now, ackSample{acked: 5000, delivered: 5000, limited: true, phase: lossFast})
	want("ACKs of an unused window, and in recovery", 5000, 5000)
	fresh()
	c.resize(100)
	want("smaller segments", 10000, math.MaxInt32)
	c.resize(20000)
	want("larger segments", 20000, math.MaxInt32)
	if c.name() != "reno" {
		t.Errorf("name %q", c.name())
	}
}
