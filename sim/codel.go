package sim

import (
	"math"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// codel is the controlled-delay queue management of RFC 8289, with its names.
// It is asked for every packet that leaves the queue.
type codel struct {
	firstAboveTime tcp.Time // when the delay will have been over the target for an interval
	dropNext       tcp.Time
	count          int // drops since dropping began
	lastCount      int
	dropping       bool
}

const (
	codelTarget    = 5 * time.Millisecond   // RFC 8289, Section 4.2
	codelInterval  = 100 * time.Millisecond // RFC 8289, Section 4.3
	codelMaxPacket = 1500
)

// drops reports whether a packet is to be dropped, or marked, that leaves at
// now after it waited for sojourn; backlog is how many bytes stay in the queue.
//
// RFC 8289, Section 5.4: within the dropping state the drops come closer
// together with the square root of their number.
func (c *codel) drops(now tcp.Time, sojourn time.Duration, backlog int, s *Settings) bool {
	target, interval := s.CoDelTarget, s.CoDelInterval
	if target == 0 {
		target = codelTarget
	}
	if interval == 0 {
		interval = codelInterval
	}
	ok := c.over(now, sojourn, backlog, target, interval)
	switch {
	case c.dropping && !ok:
		c.dropping = false
	case c.dropping:
		if now >= c.dropNext {
			c.count++
			c.dropNext = c.law(c.dropNext, interval)
			return true
		}
	case ok:
		c.begin(now, interval)
		return true
	}
	return false
}

// over is the first part of RFC 8289's dodequeue: whether the delay has been
// over the target for an interval.
func (c *codel) over(now tcp.Time, sojourn time.Duration, backlog int, target, interval time.Duration) bool {
	if sojourn < target || backlog <= codelMaxPacket {
		c.firstAboveTime = 0
		return false
	}
	if c.firstAboveTime == 0 {
		c.firstAboveTime = now.Add(interval)
		return false
	}
	return now >= c.firstAboveTime
}

// begin enters the dropping state. When the last one is not long gone, it
// starts with the rate of drops that controlled the queue then.
func (c *codel) begin(now tcp.Time, interval time.Duration) {
	c.dropping = true
	delta := c.count - c.lastCount
	c.count = 1
	if delta > 1 && now.Sub(c.dropNext) < 16*interval {
		c.count = delta
	}
	c.dropNext = c.law(now, interval)
	c.lastCount = c.count
}

func (c *codel) law(t tcp.Time, interval time.Duration) tcp.Time {
	return t.Add(time.Duration(float64(interval) / math.Sqrt(float64(c.count))))
}
