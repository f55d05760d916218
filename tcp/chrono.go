package tcp

import "time"

// limit is what holds sending back.
type limit uint8

const (
	limitIdle     limit = iota // nothing is outstanding or waits
	limitNone                  // the path: the congestion window, or what is under way
	limitReceiver              // the peer's window
	limitBuffer                // the send buffer: the user has more than it takes
	numLimits
)

// chrono counts for how long each of them did (tcpi_busy_time,
// tcpi_rwnd_limited and tcpi_sndbuf_limited).
type chrono struct {
	since  Time
	spent  [numLimits - 1]time.Duration // but limitIdle
	now    limit
	noRoom bool // the last Write did not fit
}

// note changes to what limits from now on.
func (k *chrono) note(now Time, l limit) {
	if l == k.now {
		return
	}
	if k.now != limitIdle {
		k.spent[k.now-1] += now.Sub(k.since)
	}
	k.now, k.since = l, now
}

// total returns the time spent limited by l.
func (k *chrono) total(now Time, l limit) time.Duration {
	d := k.spent[l-1]
	if l == k.now {
		d += now.Sub(k.since)
	}
	return d
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
	c.chrono.note(now, l)
}
