package tcp

import "time"

// limit is what holds sending back.
type limit uint8

const (
	limitIdle     limit = iota // nothing is outstanding or waits
	limitNone                  // the path: the congestion window, or what is under way
	limitReceiver              // the peer's window
	limitBuffer                // the send buffer: the user has more than it takes
)

// chrono counts for how long each of them did (tcpi_busy_time,
// tcpi_rwnd_limited and tcpi_sndbuf_limited).
type chrono struct {
	since  Time
	now    limit
	noRoom bool // the last Write did not fit
}

// running returns for how long it has been l, 0 when it is not.
func (k *chrono) running(now Time, l limit) time.Duration {
	if l != k.now {
		return 0
	}
	return now.Sub(k.since)
}

// noteLimit finds out what holds sending back.
func (c *Conn) noteLimit(now Time) {
	l := limitNone
	unsent := c.unsent()
	switch {
	case unsent <= 0 && c.outstanding() == 0:
		l = limitIdle
	case unsent > 0 && c.windowEdge().Diff(c.snd.nxt) < min(unsent, c.snd.mss) && c.congestionRoom() >= min(unsent, c.snd.mss):
		l = limitReceiver
	case unsent <= 0 && c.chrono.noRoom && c.congestionRoom() > 0:
		l = limitBuffer
	}
	c.limitBy(now, l)
}

// limitBy changes to what limits from now on.
func (c *Conn) limitBy(now Time, l limit) {
	k := &c.chrono
	if l == k.now {
		return
	}
	d := k.running(now, k.now)
	switch k.now {
	case limitNone:
		c.count.pathLimited += d
	case limitReceiver:
		c.count.rarely().receiverLimited += d
	case limitBuffer:
		c.count.rarely().bufferLimited += d
	}
	k.now, k.since = l, now
}
