package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// hystartDriver feeds rounds of ten ACKs.
type hystartDriver struct {
	h   hystart
	una seqnum.Value
}

// round feeds one round with the given round-trip time, and reports whether
// slow start was over in it.
func (d *hystartDriver) round(rtt time.Duration) bool {
	over := false
	nxt := d.una.Add(11_000) // the first ACK of the next round is of that
	for range 10 {
		d.una = d.una.Add(1000)
		over = d.h.acked(&ackSample{acked: 1000, rtt: rtt, una: d.una, nxt: nxt}) || over
	}
	return over
}

// RFC 9406, Section 4.2 (R9406-1, R9406-2): slow start becomes conservative when
// the least round-trip time of a round is over that of the round before by an
// eighth, or 4 ms if that is more, or 16 ms if that is less.
func TestHystartEntersCSS(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	tests := []struct {
		name      string
		last, now time.Duration
		want      bool
	}{
		{"an eighth", ms(80), ms(90.1), true},
		{"under an eighth", ms(80), ms(89.9), false},
		{"the least: 4 ms", ms(1), ms(5.1), true},
		{"under 4 ms", ms(1), ms(4.9), false},
		{"the most: 16 ms", ms(1000), ms(1016.1), true},
		{"under 16 ms", ms(1000), ms(1015.9), false},
		{"less", ms(80), ms(40), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := hystartDriver{h: newHystart()}
			d.round(tt.last)
			d.round(tt.now)
			if d.h.css != tt.want {
				t.Errorf("CSS after %v, then %v: %v, want %v", tt.last, tt.now, d.h.css, tt.want)
			}
		})
	}
}

// RFC 9406, Section 4.2: fewer than eight samples say nothing, neither about
// this round nor about a fall.
func TestHystartNeedsSamples(t *testing.T) {
	d := hystartDriver{h: newHystart()}
	d.round(10 * time.Millisecond)
	nxt := d.una.Add(20_000)
	for i := range 8 {
		if d.h.css {
			t.Fatalf("CSS after %d samples", i)
		}
		d.una = d.una.Add(1000)
		d.h.acked(&ackSample{una: d.una, nxt: nxt})                             // no sample
		d.h.acked(&ackSample{una: d.una, nxt: nxt, rtt: 20 * time.Millisecond}) // one
	}
	if !d.h.css {
		t.Error("no CSS after eight samples")
	}
}

// RFC 9406, Section 4.2 (R9406-3): conservative slow start grows by a quarter,
// and after five rounds slow start is over.
func TestHystartCSSEnds(t *testing.T) {
	d := hystartDriver{h: newHystart()}
	d.round(10 * time.Millisecond)
	if got := d.h.credit(4000); got != 4000 {
		t.Errorf("credit in slow start %v, want 4000", got)
	}
	d.round(20 * time.Millisecond)
	if got := d.h.credit(4000); got != 1000 {
		t.Errorf("credit in CSS %v, want 1000", got)
	}
	for i := range 5 {
		over := d.round(20 * time.Millisecond)
		if want := i == 4; over != want {
			t.Fatalf("round %d after CSS began: over %v, want %v", i+1, over, want)
		}
	}
	if d.h.on {
		t.Error("HyStart++ goes on after the end of slow start")
	}
}

// RFC 9406, Section 4.2 (R9406-4): when the round-trip time falls below what it
// was as CSS began, there was no queue: slow start goes on.
func TestHystartLeavesCSS(t *testing.T) {
	d := hystartDriver{h: newHystart()}
	d.round(10 * time.Millisecond)
	d.round(20 * time.Millisecond)
	d.round(19 * time.Millisecond)
	if d.h.css || !d.h.on {
		t.Errorf("CSS %v, on %v, want slow start", d.h.css, d.h.on)
	}
	if d.round(19*time.Millisecond) || d.h.css {
		t.Error("steady round-trip time: CSS again")
	}
	d.round(30 * time.Millisecond)
	if !d.h.css {
		t.Error("no CSS at the next growth")
	}
}

// RFC 9406, Section 4.3 (R9406-5): there is no limit L to what one ACK counts.
func TestHystartCredit(t *testing.T) {
	h := newHystart()
	if got := h.credit(160_000); got != 160_000 {
		t.Errorf("credit(160000) in slow start = %v, want 160000", got)
	}
}

// RFC 9406, Section 4.3 (R9406-6): a loss ends HyStart++.
func TestHystartEndsWithLoss(t *testing.T) {
	for name, loss := range map[string]func(*cubic){
		"loss":     func(c *cubic) { c.lost(0, 10_000) },
		"time-out": func(c *cubic) { c.timeout(0, 10_000, true) },
		"ECN echo": func(c *cubic) { c.congestionExperienced(0, 10_000) },
	} {
		c := newCubic(1000, 10)
		loss(&c)
		if c.hystart.on {
			t.Errorf("HyStart++ is on after a %s", name)
		}
	}
}
