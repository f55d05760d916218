package tcp

import (
	"math"
	"time"
)

// The constants of draft-ietf-ccwg-bbr, Sections 2.4 to 2.13.
const (
	bbrStartupGain   = 2.77 // 4*ln(2): the rate doubles in a round
	bbrDrainGain     = 0.5
	bbrDownGain      = 0.90
	bbrUpGain        = 1.25
	bbrCwndGain      = 2.0
	bbrUpCwndGain    = 2.25
	bbrProbeRTTGain  = 0.5
	bbrPacingMargin  = 0.99 // a little less than what the path delivers
	bbrLossThresh    = 0.02 // of a round, that probing may lose
	bbrBeta          = 0.7
	bbrHeadroom      = 0.15
	bbrMinSegments   = 4 // the least window
	bbrGrowth        = 1.25
	bbrFullRounds    = 3 // without that growth: the pipe is full
	bbrStartupLosses = 6 // ACKs of a round that tell of a loss
	bbrDrainRounds   = 3

	bbrMinRTTWindow     = 10 * time.Second
	bbrProbeRTTInterval = 5 * time.Second
	bbrNextToLeast      = 64 // the part of a round-trip time that is no queue
	bbrProbeRTTDuration = 200 * time.Millisecond
	bbrProbeWait        = 2 * time.Second // and up to one more
	bbrCoexistRounds    = 63
	bbrAggregateRounds  = 10 // that extra_acked remembers

	// bbrMaxRate is more bytes per second than any path has: infinity.
	bbrMaxRate int64 = 1 << 40
	// bbrNoBound is infinity for windows.
	bbrNoBound = math.MaxInt
)

// bbrState is a state of the machine that bbr runs.
type bbrState uint8

const (
	bbrStartup  bbrState = iota // doubling, until the pipe is full
	bbrDrain                    // emptying the queue that this made
	bbrDown                     // ProbeBW: a little slower than the path
	bbrCruise                   // ProbeBW: as fast as the path
	bbrRefill                   // ProbeBW: a round without the bounds of losses
	bbrUp                       // ProbeBW: faster than the path
	bbrProbeRTT                 // half of the window, to see an empty queue
)

// bbrAckPhase says what the ACKs that come are of.
type bbrAckPhase uint8

const (
	bbrAcksInit bbrAckPhase = iota
	bbrAcksRefilling
	bbrAcksProbeStarting
	bbrAcksProbeFeedback
	bbrAcksProbeStopping
)

// bbr is BBRv3, draft-ietf-ccwg-bbr-05 with the corrections of its next
// version: it measures the rate at which the path delivers and the round-trip
// time without a queue, paces at that rate, keeps about their product in flight,
// and looks from time to time whether there is more. Loss bounds it only above
// 2 % of a round; its window holds during loss recovery, too.
//
// Windows are in bytes, rates in bytes per second. Measures of the draft carry
// its names; "longterm" and "shortterm" are bounds that losses set.
type bbr struct {
	mss     int
	cwnd    int
	initial int
	pacing  int64
	seed    uint32 // of the random part of waiting
	sack    bool   // more than one loss in a round can be known

	state      bbrState
	pacingGain float64
	cwndGain   float64

	bbrRounds
	bbrPath
	bbrBounds
	bbrFull
	bbrProbe
	bbrMinRTT
	bbrUndo
}

// bbrRounds counts round trips by what is delivered.
type bbrRounds struct {
	delivered  uint64 // in the life of the connection
	nextRound  uint64 // a segment sent after so much was delivered ends the round
	round      uint32
	roundStart bool // the present ACK began a round
	drainRound uint32

	quietUntil  uint64 // until so much is delivered, samples are as if application-limited
	idleRestart bool
}

// bbrPath is the model of the path.
type bbrPath struct {
	bw    int64    // the rate to send at: the least of maxBW and bwShortterm
	maxBW [2]int64 // the highest sample of the last cycle of probing, and of this one

	extraAcked      [2]int // what ACKs brought beyond the rate, at most, in two halves of the window
	extraAckedAt    uint32 // the round in which the present half began
	extraAckedSince Time
	extraAckedSum   int
}

// bbrBounds are the limits that losses set.
type bbrBounds struct {
	inflightLongterm  int
	inflightShortterm int
	bwShortterm       int64

	lossRound      uint64 // as nextRound, for rounds since a loss
	lossRoundStart bool
	lossInRound    bool
	lossEvents     uint8
	bwLatest       int64 // of this round
	inflightLatest int
}

// bbrFull looks for the rate that does not grow any more.
type bbrFull struct {
	fullReached bool // once in the life of the connection
	fullNow     bool // since the last reset
	fullBW      int64
	fullCount   uint8
}

// bbrProbe runs the cycle of ProbeBW.
type bbrProbe struct {
	ackPhase      bbrAckPhase
	sample        bool // ACKs are of what was sent while probing
	tooHigh       bool // the last probe lost too much
	precautionary bool // the last probe ended where the one before lost
	upRounds      uint8
	sinceUp       uint32 // rounds
	upAcked       int
	upAckedPerInc int
	wait          time.Duration
	cycleStart    Time
}

// bbrMinRTT finds the round-trip time without a queue.
type bbrMinRTT struct {
	minRTT        time.Duration // 0: none
	minRTTAt      Time
	probeRTT      time.Duration // the least since the last look
	probeRTTAt    Time
	probeExpired  bool
	probeDone     Time // end of ProbeRTT; 0: the window is not that small yet
	probeRoundEnd bool
}

// bbrUndo is what was before a loss.
type bbrUndo struct {
	recovering bool
	saved      bool
	left       bbrState // the state that the loss ended: Startup or Up
	leftAny    bool     // there is such a state
	priorCwnd  int

	undoLongterm, undoShortterm int
	undoBW                      int64
}

// newBBR starts with the given number of segments. seed, which is not to be 0,
// makes the times of probing differ between connections; sack is whether more
// than one loss in a round can be known.
func newBBR(mss, segments int, sack bool, seed uint32) *bbr {
	w := initialWindow(mss, segments)
	b := &bbr{mss: mss, sack: sack, seed: seed, cwnd: w, initial: w}
	b.inflightLongterm, b.upAckedPerInc = bbrNoBound, bbrNoBound
	b.resetShortterm()
	b.pacing = b.startRate(time.Millisecond) // until a round-trip time is known
	b.enterStartup()
	return b
}

// startRate is what the initial window in a round-trip time gives.
func (b *bbr) startRate(rtt time.Duration) int64 {
	return scaleRate(perSecond(b.initial, rtt), bbrStartupGain)
}

func (b *bbr) name() string       { return CongestionBBR }
func (b *bbr) window() int        { return b.cwnd }
func (b *bbr) threshold() int     { return math.MaxInt32 }
func (b *bbr) pacingRate() int64  { return b.pacing }
func (b *bbr) ownsRecovery() bool { return true }

// minWindow keeps the pipeline full with a peer that acknowledges every other
// segment (Section 5.6.4.3).
func (b *bbr) minWindow() int { return bbrMinSegments * b.mss }

// sent is Section 5.4.1: a restart from idle goes at the rate that was, and
// what was idle needs no ProbeRTT.
func (b *bbr) sent(now Time, _, inFlight int) {
	if inFlight > 0 || b.recovering {
		return
	}
	b.idleRestart = true
	b.extraAckedSince, b.extraAckedSum = now, 0
	switch {
	case b.probing():
		b.setPacing(1)
	case b.state == bbrProbeRTT:
		b.checkProbeRTTDone(now)
	}
}

// acked is Section 5.2.3: what an ACK tells updates the model, the state, and
// then what follows from them.
func (b *bbr) acked(now Time, s ackSample) {
	if b.recovering && s.phase == lossOpen {
		b.recovered(now, s.inFlight)
	}
	if s.lost > 0 {
		b.lossEvents = min(b.lossEvents+1, math.MaxUint8-1)
	}
	if s.delivered <= 0 {
		return
	}
	b.delivered = s.totalDelivered
	b.startTiming(now, s.srtt)
	r := b.signal(&s)
	b.updateLatest(&r)
	b.updateCongestion(&r)
	b.updateAggregation(now, s.delivered)
	b.checkFull(&r)
	b.checkStartupDone(&r)
	b.checkDrainDone(now, &r)
	b.updateProbe(now, &r)
	b.updateMinRTT(now, s.rtt)
	b.checkProbeRTT(now, &r)
	b.advanceLatest(&r)
	b.setPacing(b.pacingGain)
	b.setWindow(&r)
}

// bbrSignal is what the model takes from a sample.
type bbrSignal struct {
	bw         int64 // 0: there is no sample
	delivered  int   // while the segment was on its way
	prior      uint64
	txInFlight int
	lost       int
	acked      int // by this ACK
	inFlight   int // after it
	appLimited bool
	limited    bool // the window was what limited
}

func (b *bbr) signal(s *ackSample) bbrSignal {
	r := &s.rate
	return bbrSignal{
		bw:        min(perSecond(bound(r.delivered), r.interval), bbrMaxRate),
		delivered: bound(r.delivered), prior: r.priorDelivered,
		txInFlight: bound(r.txInFlight), lost: bound(r.lost) + bound(s.lost),
		acked: bound(s.delivered), inFlight: bound(s.inFlight),
		// Section 5.3.4.3: a ProbeRTT is no measure of the path either.
		appLimited: r.appLimited || r.priorDelivered < b.quietUntil,
		limited:    s.limited,
	}
}

// bound brings a size into the range of windows.
func bound(n int) int { return min(max(n, 0), maxWindow) }

// startTiming takes the first round-trip time: Section 5.6.2, InitPacingRate.
func (b *bbr) startTiming(now Time, srtt time.Duration) {
	if b.minRTT != 0 || srtt <= 0 {
		return
	}
	b.minRTT, b.minRTTAt = srtt, now
	b.probeRTT, b.probeRTTAt = srtt, now
	b.extraAckedSince = now
	b.pacing = b.startRate(srtt)
}

// lost begins a recovery. The model was told of the loss already.
func (b *bbr) lost(_ Time, _ int) {
	b.save()
	b.recovering = true
}

// timeout is Section 5.6.4.4: one segment, and from there with the ACKs.
func (b *bbr) timeout(_ Time, _ int, _ bool) {
	b.save()
	b.recovering = true
	b.cwnd = b.mss
}

// recovered restores the last good window, within the model.
func (b *bbr) recovered(Time, int) {
	b.recovering, b.saved = false, false
	b.restoreWindow()
	b.boundWindow()
}

// congestionExperienced is Section 3.7: a CE mark is congestion. As a loss it
// bounds the model at the end of the round, and ends a probe.
func (b *bbr) congestionExperienced(now Time, flight int) {
	b.noteLoss()
	b.lossEvents = min(b.lossEvents+1, math.MaxUint8-1)
	if b.sample {
		b.inflightTooHigh(now, bound(flight), false)
	}
}

// idle does nothing: pacing restarts gently enough (Section 5.4.2).
func (b *bbr) idle(Time) {}

func (b *bbr) resize(mss int) {
	b.mss = mss
	b.cwnd = max(b.cwnd, b.minWindow())
}

func (b *bbr) adopt(window, _ int) { b.cwnd = max(bound(window), b.minWindow()) }

// random returns a number from 0 to n-1. xorshift is good enough to keep
// connections out of step.
func (b *bbr) random(n uint32) uint32 {
	b.seed ^= b.seed << 13
	b.seed ^= b.seed >> 17
	b.seed ^= b.seed << 5
	return b.seed % n
}
