package sim

import (
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzSchedule lets a byte string decide what two hosts and the programs on
// them do: when they connect, write, read, close, abort, crash, and when the
// link is cut. What TestChaos demands holds for every schedule.
func FuzzSchedule(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 20, 100, 400} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint64())
		}
		f.Add(uint64(n), b)
	}
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) {
		const most = 600 // bytes, so that a run takes milliseconds
		left := b[:min(len(b), most)]
		c := newChaos(t, seed, func(n int) int {
			if len(left) == 0 {
				return 0
			}
			x := left[0]
			left = left[1:]
			return int(x) * n / 256
		})
		for len(left) > 0 {
			c.step()
			c.RunFor(time.Duration(c.choose(250)) * time.Millisecond)
		}
		c.finish()
	})
}
