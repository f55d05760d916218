//go:build !race

// The race detector makes sync.Pool forget at random.

package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/seqnum"
)

// The steady state of a transfer allocates nothing, in either form, nor does an
// ACK, a trace that is off, or a round trip of small segments.
func TestNoAllocations(t *testing.T) {
	for _, super := range []int{0, 64 << 10} {
		j := join(t, super)
		data, buf := make([]byte, 64<<10), make([]byte, 64<<10)
		for range 20 {
			j.transfer(t, data, buf)
		}
		if n := testing.AllocsPerRun(50, func() { j.transfer(t, data, buf) }); n > 0 {
			t.Errorf("64 KiB with super-segments of %d bytes: %v allocations, want 0", super, n)
		}
		if n := testing.AllocsPerRun(50, func() { j.transfer(t, data[:10], buf) }); n > 0 {
			t.Errorf("10 bytes: %v allocations, want 0", n)
		}
	}
}

// Nor does the sender's part of a transfer that loses segments: records, ranges
// and what went again are in memory that is kept.
func TestNoAllocationsForLosses(t *testing.T) {
	now := Time(1)
	var r rack
	lose := func(*sentRecord) {}
	b := new(scoreboard)
	lossy := func() {
		for i := range 64 {
			now += 1000
			b.push(sentRecord{start: seqnum.Value(i * 1000), end: seqnum.Value(i*1000 + 1000), sentAt: now, size: 1000})
		}
		for i := range 64 {
			if i%7 == 3 {
				continue
			}
			now += 1000
			d := delivery{now: now}
			b.sack(seqnum.Value(i*1000), seqnum.Value(i*1000+1000), &d)
			r.arrived(now, d.latest.sentAt, d.latest.end, now.Sub(d.lastAt))
			r.detect(now, b, 0, lose)
		}
		if b.lost == 0 {
			t.Fatal("nothing is lost")
		}
		for b.lost > 0 {
			now += 1000
			from, n := b.nextLost(1000, 1000)
			b.sendAgain(sentRecord{start: from, end: from.Add(seqnum.Size(n)), sentAt: now, size: 1000})
		}
		b.ack(64_000, &delivery{now: now})
		b.empty()
	}
	lossy()
	if n := testing.AllocsPerRun(50, lossy); n > 0 {
		t.Errorf("64 segments with one in seven lost: %v allocations, want 0", n)
	}
}
