package tcp

import (
	"math"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// The constants of RFC 9406, Section 4.3.
const (
	hystartMinThresh = 4 * time.Millisecond
	hystartMaxThresh = 16 * time.Millisecond
	hystartDivisor   = 8 // of the round-trip time of the last round
	hystartSamples   = 8 // that a round needs to say something
	cssDivisor       = 4
	cssRounds        = 5
)

// hystart ends slow start before it overruns the queue: HyStart++ (RFC 9406).
// A round-trip time that grows from one round to the next shows a queue; then
// conservative slow start (CSS) follows, and ends slow start if after five
// rounds the time has not fallen again.
type hystart struct {
	on       bool
	css      bool
	begun    bool // end is set
	rounds   uint8
	samples  uint8
	end      seqnum.Value // an ACK of it ends the round
	last     microseconds // the least of the last round
	current  microseconds // and of this one
	baseline microseconds // when CSS began
}

// microseconds is a round-trip time: long enough for 71 minutes.
type microseconds uint32

// noRTT is infinity.
const noRTT = microseconds(math.MaxUint32)

func inMicroseconds(d time.Duration) microseconds {
	return microseconds(min(d/time.Microsecond, time.Duration(noRTT-1)))
}

func newHystart() hystart { return hystart{on: true, last: noRTT, current: noRTT} }

// acked takes the sample of an ACK in slow start, and reports whether slow
// start is over.
func (h *hystart) acked(s *ackSample) bool {
	over := false
	if !h.begun || h.end.LessEq(s.una) {
		over = h.round(s.nxt)
	}
	if s.rtt == 0 {
		return over
	}
	h.current = min(h.current, inMicroseconds(s.rtt))
	h.samples = min(h.samples+1, hystartSamples)
	if h.samples < hystartSamples {
		return over
	}
	switch {
	case h.css && h.current < h.baseline:
		// The growth was no queue: slow start goes on.
		h.css = false
	case !h.css && h.last != noRTT && h.current >= h.last+h.threshold():
		h.css, h.rounds, h.baseline = true, 0, h.current
	}
	return over
}

// round begins a new round, which an ACK of nxt ends. It reports whether the
// one that ended was the last of CSS.
func (h *hystart) round(nxt seqnum.Value) bool {
	h.begun, h.end = true, nxt
	h.last, h.current, h.samples = h.current, noRTT, 0
	if !h.css {
		return false
	}
	// The round in which CSS began counts, although it was in part only.
	h.rounds++
	h.on = h.rounds < cssRounds
	return !h.on
}

// threshold is by how much the round-trip time must grow.
func (h *hystart) threshold() microseconds {
	return min(max(h.last/hystartDivisor, inMicroseconds(hystartMinThresh)), inMicroseconds(hystartMaxThresh))
}

// credit is what n bytes acknowledged count. The limit L of the RFC is against
// bursts after ACKs of much; as on Linux there is none: a merged ACK would
// otherwise cost a good part of the growth, and Conn.burst keeps lumps small.
func (h *hystart) credit(n int32) int32 {
	if h.css {
		n /= cssDivisor
	}
	return n
}
