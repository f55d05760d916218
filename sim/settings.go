package sim

import (
	"fmt"
	"time"
)

// Settings say how one direction of a link treats packets. The zero value
// delivers every packet at once. They may be changed while packets are on
// their way; those keep the times they have.
type Settings struct {
	// Rate is in bits per second; zero: infinitely fast.
	Rate int64
	// Delay is how long a packet is on its way after its last bit was sent.
	Delay time.Duration
	// Jitter is the most that is added to Delay, uniformly distributed.
	// Jitter alone does not reorder: no packet overtakes an earlier one.
	Jitter time.Duration

	// The probabilities, 0 to 1, that a packet is lost, delivered twice, held
	// back, and changed in one byte.
	Loss, Duplicate, Reorder, Corrupt float64
	// ReorderDelay is how long a packet is held back while later ones
	// overtake it. Zero: as long as Delay, at least 1 ms.
	ReorderDelay time.Duration

	// QueueBytes and QueuePackets bound what waits for its turn to be sent,
	// the packet being sent not counted; what does not fit is lost. They
	// matter only with a Rate. Zero: no bound.
	QueueBytes, QueuePackets int

	// MaxPacket is the largest IP packet carried, in bytes; larger ones are
	// lost without a word, as in a path-MTU black hole. Zero: any size.
	MaxPacket int
}

// Check returns an error that names the first setting out of range, or nil.
func (s Settings) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"loss", s.Loss}, {"duplicate", s.Duplicate}, {"reorder", s.Reorder}, {"corrupt", s.Corrupt}} {
		if !(p.v >= 0 && p.v <= 1) {
			return fmt.Errorf("sim: %s must be a probability from 0 to 1, not %v", p.name, p.v)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"delay", s.Delay}, {"jitter", s.Jitter}, {"reorder delay", s.ReorderDelay}} {
		if d.v < 0 {
			return fmt.Errorf("sim: %s must not be negative, is %v", d.name, d.v)
		}
	}
	if s.Rate < 0 || s.QueueBytes < 0 || s.QueuePackets < 0 || s.MaxPacket < 0 {
		return fmt.Errorf("sim: rate, queue and packet sizes must not be negative")
	}
	return nil
}

// sendTime returns how long n bytes take to be sent.
func (s *Settings) sendTime(n int) time.Duration {
	if s.Rate == 0 {
		return 0
	}
	return time.Duration(int64(n) * 8 * int64(time.Second) / s.Rate)
}

// holdBack returns how long a reordered packet is held back.
func (s *Settings) holdBack() time.Duration {
	if s.ReorderDelay > 0 {
		return s.ReorderDelay
	}
	return max(s.Delay, time.Millisecond)
}
