package sim

import (
	"fmt"
	"time"
)

// Settings say how one direction of a link treats packets. The zero value
// delivers every packet at once. They may be changed while the link is in use:
// packets that wait for their turn meet the new ones, those on their way keep
// the times they have.
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
	// overtake it, and ReorderJitter the most that is added, uniformly
	// distributed. Both zero: as long as Delay, at least 1 ms.
	ReorderDelay, ReorderJitter time.Duration
	// Burst loses packets in bursts, besides Loss.
	Burst GilbertElliott

	// QueueBytes and QueuePackets bound what waits for its turn to be sent,
	// the packet being sent not counted; what does not fit is lost. They
	// matter only with a Rate. Zero: no bound.
	QueueBytes, QueuePackets int
	// CoDel drops packets that waited too long (RFC 8289): more than
	// CoDelTarget for at least CoDelInterval. Zero: 5 ms and 100 ms.
	CoDel                      bool
	CoDelTarget, CoDelInterval time.Duration
	// ECN makes CoDel mark packets that are ECN-capable (RFC 3168) instead of
	// dropping them.
	ECN bool
	// MarkBytes marks ECN-capable packets that find more than so many bytes
	// waiting, as switches do for DCTCP (RFC 8257, Section 3.1). Zero: none.
	MarkBytes int

	// MaxPacket is the largest IP packet carried, in bytes; larger ones are
	// lost without a word, as in a path-MTU black hole. Zero: any size.
	MaxPacket int

	// Coalesce is how long the receiver's network card collects packets after
	// the first one, to hand them over together, merged as GRO does. Zero:
	// every packet at its own time.
	Coalesce time.Duration
}

// GilbertElliott is a loss process with a good and a bad state. Before each
// packet it goes from good to bad with probability ToBad and back with ToGood;
// the packet is lost with LossGood or LossBad. The zero value loses nothing.
type GilbertElliott struct {
	ToBad, ToGood, LossGood, LossBad float64
}

// Bursts returns the process that loses the given share of all packets, in
// bursts of the given mean length in packets, at least 1 (the Gilbert model:
// all is lost in the bad state, nothing in the good one).
func Bursts(loss, length float64) GilbertElliott {
	leave := 1 / length
	return GilbertElliott{ToBad: leave * loss / (1 - loss), ToGood: leave, LossBad: 1}
}

// Check returns an error that names the first setting out of range, or nil.
func (s Settings) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{
		{"loss", s.Loss},
		{"duplicate", s.Duplicate},
		{"reorder", s.Reorder},
		{"corrupt", s.Corrupt},
		{"burst: to bad", s.Burst.ToBad},
		{"burst: to good", s.Burst.ToGood},
		{"burst: loss in good", s.Burst.LossGood},
		{"burst: loss in bad", s.Burst.LossBad},
	} {
		if !(p.v >= 0 && p.v <= 1) {
			return fmt.Errorf("sim: %s must be a probability from 0 to 1, not %v", p.name, p.v)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"delay", s.Delay},
		{"jitter", s.Jitter},
		{"reorder delay", s.ReorderDelay},
		{"reorder jitter", s.ReorderJitter},
		{"CoDel target", s.CoDelTarget},
		{"CoDel interval", s.CoDelInterval},
		{"coalesce", s.Coalesce},
	} {
		if d.v < 0 {
			return fmt.Errorf("sim: %s must not be negative, is %v", d.name, d.v)
		}
	}
	if s.Rate < 0 || s.QueueBytes < 0 || s.QueuePackets < 0 || s.MarkBytes < 0 || s.MaxPacket < 0 {
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

// holdBack returns how long a reordered packet is held back; luck is 0 to 1.
func (s *Settings) holdBack(luck float64) time.Duration {
	if s.ReorderDelay > 0 || s.ReorderJitter > 0 {
		return s.ReorderDelay + time.Duration(luck*float64(s.ReorderJitter))
	}
	return max(s.Delay, time.Millisecond)
}
