package netsim

import (
	"time"

	"github.com/trivet-net/trivet/sim"
)

// Option is a property of a link. Options hold for both directions unless
// they are given to Forward or Backward.
type Option func(*sim.LinkConfig)

// Rates, in bits per second.
const (
	Kbit = 1_000
	Mbit = 1_000_000
	Gbit = 1_000_000_000
)

// both makes an option that changes both directions.
func both(change func(*sim.Settings)) Option {
	return func(c *sim.LinkConfig) {
		change(&c.AtoB)
		change(&c.BtoA)
	}
}

// Delay is how long a packet is on its way, in each direction: half of the
// round-trip time.
func Delay(d time.Duration) Option { return both(func(s *sim.Settings) { s.Delay = d }) }

// Jitter is the most that is added to the delay. It does not reorder.
func Jitter(d time.Duration) Option { return both(func(s *sim.Settings) { s.Jitter = d }) }

// Rate limits the link to so many bits per second; 0: infinitely fast.
func Rate(bitsPerSecond int64) Option {
	return both(func(s *sim.Settings) { s.Rate = bitsPerSecond })
}

// Queue bounds the packets and bytes that wait for a link with a Rate; what
// does not fit is lost. 0: no bound.
func Queue(packets, bytes int) Option {
	return both(func(s *sim.Settings) { s.QueuePackets, s.QueueBytes = packets, bytes })
}

// CoDel lets the queue of a link with a Rate drop packets that waited too long
// (RFC 8289), before it is full.
func CoDel() Option { return both(func(s *sim.Settings) { s.CoDel = true }) }

// ECN makes CoDel, which it turns on, mark ECN-capable packets instead of
// dropping them (RFC 3168).
func ECN() Option { return both(func(s *sim.Settings) { s.CoDel, s.ECN = true, true }) }

// MarkAbove marks ECN-capable packets that find more than so many bytes in the
// queue, as switches do for DCTCP; 0: none.
func MarkAbove(bytes int) Option { return both(func(s *sim.Settings) { s.MarkBytes = bytes }) }

// Loss is the probability, 0 to 1, that a packet is lost.
func Loss(p float64) Option { return both(func(s *sim.Settings) { s.Loss = p }) }

// BurstLoss loses the given share of all packets, 0 to 1, in bursts of the
// given mean length in packets, at least 1 (Gilbert-Elliott), besides Loss.
func BurstLoss(share, length float64) Option {
	return both(func(s *sim.Settings) { s.Burst = sim.Bursts(share, length) })
}

// Duplicate is the probability that a packet is delivered twice.
func Duplicate(p float64) Option { return both(func(s *sim.Settings) { s.Duplicate = p }) }

// Reorder is the probability that a packet is held back for d longer than the
// others; zero d: as long as the delay, at least 1 ms.
func Reorder(p float64, d time.Duration) Option {
	return both(func(s *sim.Settings) { s.Reorder, s.ReorderDelay, s.ReorderJitter = p, d, 0 })
}

// Late is the probability that a packet is held back for up to d, uniformly
// distributed, while others overtake it.
func Late(p float64, d time.Duration) Option {
	return both(func(s *sim.Settings) { s.Reorder, s.ReorderDelay, s.ReorderJitter = p, 0, d })
}

// Corrupt is the probability that a byte of a packet is changed.
func Corrupt(p float64) Option { return both(func(s *sim.Settings) { s.Corrupt = p }) }

// MaxPacket makes the link lose packets over so many bytes without a word, as
// a path-MTU black hole does; 0: none.
func MaxPacket(bytes int) Option { return both(func(s *sim.Settings) { s.MaxPacket = bytes }) }

// MTU is the largest IP packet that the hosts send over the link, in bytes, 88 to
// 65535; without it 1500. Under 1280 there is no IPv6. It cannot be changed by Link.Set.
func MTU(bytes int) Option { return func(c *sim.LinkConfig) { c.MTU = bytes } }

// Forward makes options hold only for packets from the first host given to
// Network.Link to the second.
func Forward(options ...Option) Option {
	return func(c *sim.LinkConfig) {
		changed := *c
		for _, o := range options {
			o(&changed)
		}
		c.AtoB = changed.AtoB
	}
}

// Backward makes options hold only for packets from the second host given to
// Network.Link to the first.
func Backward(options ...Option) Option {
	return func(c *sim.LinkConfig) {
		changed := *c
		for _, o := range options {
			o(&changed)
		}
		c.BtoA = changed.BtoA
	}
}
