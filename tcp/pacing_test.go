package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// pacedBytes sends and returns how many bytes went out in each step of the clock.
func (d *driver) pacedBytes(step, total time.Duration) (n []int) {
	for t := time.Duration(0); t < total; t += step {
		before := d.c.Info(d.now).BytesSent
		d.advance(step)
		n = append(n, int(d.c.Info(d.now).BytesSent-before))
	}
	return n
}

// checklist PACE-1: with pacing a window goes out over the round trip, twice as
// fast in slow start so that it can grow, in bursts of two segments where a
// millisecond has less.
func TestPacing(t *testing.T) {
	d := newDriver(t, withOptions(Options{NoDelay: true, Pacing: true}))
	d.dial()
	d.now = d.now.Add(100 * ms)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}})
	d.want(". 1:1(0) ack 1")
	if i := d.c.Info(d.now); i.PacingRate != 200_000 {
		t.Fatalf("rate %v, want 200000: two windows of ten segments in 100 ms", i.PacingRate)
	}
	// RFC 6928: the initial window goes at once.
	d.write(40_000)
	if n := d.sentCount(); n != 10 {
		t.Errorf("%d segments at once, want 10", n)
	}
	// A round trip of silence is credit for half of a quantum; the window is now 20.
	d.now = d.now.Add(100 * ms)
	d.ack(10_001, 1)
	if n := d.sentCount(); n != 3 {
		t.Errorf("%d segments at once after that, want 3", n)
	}
	d.wantTimer(TimerPacing, 5*ms)
	for i, n := range d.pacedBytes(10*ms, 40*ms) {
		if n != 4000 {
			t.Errorf("%d bytes in 10 ms number %d, want 4000", n, i)
		}
	}
	d.advance(10 * ms)
	if i := d.c.Info(d.now); i.InFlight != 20_000 {
		t.Errorf("%d bytes in flight, want the window, 20000", i.InFlight)
	}
	d.sent = d.sent[:0]
	// A retransmission after a time-out does not wait.
	d.advance(300 * ms)
	d.want(". 10001:11001(1000) ack 1")
}

// SO_MAX_PACING_RATE: the rate is a bound in any case, over a long time. A timer
// that comes late makes up for it.
func TestMaxPacingRate(t *testing.T) {
	for _, late := range []time.Duration{0, 300 * time.Microsecond, 5 * ms} {
		d := newDriver(t, withOptions(Options{NoDelay: true, MaxPacingRate: 1_000_000}))
		d.connect()
		sent, start := 0, d.now
		for d.now.Sub(start) < time.Second {
			d.write(4000)
			sent += d.sentCount()
			for range 100 {
				_, at := d.c.NextTimer()
				if d.c.Info(d.now).NotSent == 0 || at == 0 {
					break
				}
				d.now = max(at.Add(late), d.now)
				d.c.Advance(d.now)
				d.output()
				sent += d.sentCount()
			}
			d.ack(1+sent*1000, 1)
			sent += d.sentCount()
		}
		// 5 ms are more than two quanta: not all of that is made up.
		least := 990
		if late == 5*ms {
			least = 300
		}
		if sent > 1004 || sent < least {
			t.Errorf("timers %v late: %d kB in a second, want %d to 1000", late, sent, least)
		}
	}
}

// A quantum is what goes out in a millisecond, from two segments to 64 KiB.
func TestQuantum(t *testing.T) {
	for _, tt := range []struct {
		rate int64
		want int
	}{{1000, 2000}, {1_000_000, 2000}, {10_000_000, 10_000}, {1_000_000_000, 64 << 10}, {1 << 62, 64 << 10}} {
		var p pacer
		if got := p.room(Time(time.Second), tt.rate, 1000); got != tt.want {
			t.Errorf("room at %d bytes/s = %v, want %v", tt.rate, got, tt.want)
		}
	}
}
