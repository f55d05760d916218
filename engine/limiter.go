package engine

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// limiter lets a number of things happen each second: as many as a second
// allows at once, then one at a time as they are earned back.
type limiter struct {
	interval time.Duration // between two of them; 0: no limit
	earned   tcp.Time      // when the last one allowed is earned back
}

// newLimiter allows rate things per second; negative: no limit.
func newLimiter(rate int) limiter {
	if rate < 0 {
		return limiter{}
	}
	return limiter{interval: max(time.Second/time.Duration(rate), 1)}
}

func (l *limiter) allow(now tcp.Time) bool {
	if l.interval == 0 {
		return true
	}
	next := max(l.earned, now).Add(l.interval)
	if next.Sub(now) > time.Second {
		return false
	}
	l.earned = next
	return true
}
