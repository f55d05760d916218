package tcp

import "time"

// pacer spreads what goes out over time: at most a quantum at once, the next one
// when the rate allows.
type pacer struct {
	next    Time  // when the next quantum may go
	left    int32 // bytes of this one
	blocked bool  // something waits for next
}

const (
	// quantumTime and maxQuantum bound a quantum, as Linux has it: what goes out
	// in a millisecond, but two segments at least.
	quantumTime = time.Millisecond
	maxQuantum  = 64 << 10
	// freeSegments go out unpaced at the beginning, where the rate is that of the
	// congestion window, as with Linux: an answer that fits into an initial window,
	// which RFC 6928 expects to go out at once, is not to wait half a round trip.
	freeSegments = 10
)

// room returns how many bytes may go now. A timer that comes late costs no
// rate: what it should have released goes too, up to a quantum. Nor does an ACK
// that does, but since it is not known to be late, half of that.
func (p *pacer) room(now Time, rate int64, mss int) int {
	if p.next > now {
		return int(p.left)
	}
	p.left = int32(max(int(min(rate/int64(time.Second/quantumTime), maxQuantum)), 2*mss))
	if p.next == 0 {
		p.next = now
	}
	credit := timeFor(int(p.left), rate)
	if !p.blocked {
		credit /= 2
	}
	p.next = max(p.next, now.Add(-credit))
	p.blocked = false
	return int(p.left)
}

// sent takes n bytes that went out.
func (p *pacer) sent(now Time, n int, rate int64) {
	p.left = max(p.left-int32(n), 0)
	if p.next == 0 {
		p.next = now
	}
	p.next = p.next.Add(timeFor(n, rate))
}

// timeFor is how long n bytes take, an hour at most.
func timeFor(n int, rate int64) time.Duration {
	return time.Duration(min(float64(n)*float64(time.Second)/float64(rate), float64(time.Hour)))
}

// pacingRate is how many bytes per second may go out, 0 for no limit: what the
// congestion control says; or, when Options ask for pacing, a little more than a
// window in a round trip, so that it can grow (tcp_pacing_ss_ratio and
// tcp_pacing_ca_ratio of Linux: twice in slow start, 1.2 times later).
func (c *Conn) pacingRate() int64 {
	rate, limit := c.cc.pacingRate(), c.opt.MaxPacingRate
	if rate == 0 && (c.opt.Pacing || limit > 0) && c.rtt.srtt > 0 {
		ratio := 1.2
		if 2*c.cc.window() < c.cc.threshold() {
			ratio = 2
		}
		window := max(c.cc.window(), c.inFlight())
		rate = max(int64(ratio*float64(window)*float64(time.Second)/float64(c.rtt.srtt)), 1)
	}
	if limit > 0 && (rate == 0 || limit < rate) {
		rate = limit
	}
	return rate
}

// pacedRate is the rate in force now.
func (c *Conn) pacedRate() int64 {
	if c.count.dataSegsOut < freeSegments && c.cc.pacingRate() == 0 && c.opt.MaxPacingRate <= 0 {
		return 0
	}
	return c.pacingRate()
}

// paced returns how many of the n bytes that the windows let out may go now. When
// it is none, the pacing timer runs.
func (c *Conn) paced(now Time, n int) int {
	rate := c.pacedRate()
	if rate == 0 {
		return n
	}
	room := c.pace.room(now, rate, c.snd.mss)
	if room < min(n, c.snd.mss) {
		c.pace.blocked = true
		c.setTimer(TimerPacing, max(c.pace.next, now+1))
		return 0
	}
	if room < n && n > c.snd.mss {
		return room - room%c.snd.mss
	}
	return n
}

// notePaced takes n bytes of text that go out, whatever let them.
func (c *Conn) notePaced(now Time, n int) {
	switch rate := c.pacedRate(); {
	case rate > 0:
		c.pace.sent(now, n, rate)
	case c.opt.Pacing:
		c.pace.next = now // from here on
	}
}
