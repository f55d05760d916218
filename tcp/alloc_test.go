//go:build !race

// The race detector makes sync.Pool forget at random.

package tcp

import "testing"

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
