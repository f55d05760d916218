//go:build !race

package engine

import "testing"

// The race detector makes sync.Pool forget at random, so this is not for it.

// A datagram there and back allocates nothing.
func TestUDPAllocs(t *testing.T) {
	round := udpEcho(t, 1000)
	if got := testing.AllocsPerRun(100, round); got > spareAllocs {
		t.Errorf("%v allocations for a datagram there and back, want 0", got)
	}
}
