package tcp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// bottleneck drives a congestion control over a path with one queue: a rate in
// bytes per second, a round-trip time without it, room for some bytes, and
// random loss. It sends what the window and the pacing allow, and finds a
// segment lost when one sent later is acknowledged.
type bottleneck struct {
	t     *testing.T
	cc    congestion
	rng   *rand.Rand
	now   Time
	mss   int
	rate  float64
	rtt   time.Duration
	room  int
	loss  float64
	limit int64 // bytes per second that the application has; 0: no limit
	quiet bool  // the application has nothing

	sent               []bottleneckSegment // in order; those at the head without a fate go first
	inFlight           int
	delivered, dropped uint64
	deliveredAt        Time
	firstSentAt        Time
	nextSend, busy     Time
	serial, recover    int
	phase              lossPhase
	states             map[bbrState]Time // when each was entered last
	longest            time.Duration     // the longest round-trip time since it was cleared
	recoveries         int
}

type bottleneckSegment struct {
	serial          int
	at, arrives     Time // 0: it does not
	deliveredAt     Time
	firstSentAt     Time
	delivered, lost uint64
	txInFlight      int
	resolved        bool
}

func newBottleneck(t *testing.T, cc congestion, rate float64, rtt time.Duration) *bottleneck {
	return &bottleneck{
		t: t, cc: cc, rng: rand.New(rand.NewPCG(1, 2)), now: Time(time.Second), mss: 1000, rate: rate, rtt: rtt,
		room: int(rate * rtt.Seconds()), states: map[bbrState]Time{},
	}
}

// run runs for d and returns the bytes per second that were delivered.
func (p *bottleneck) run(d time.Duration) float64 {
	end, before := p.now.Add(d), p.delivered
	for p.now < end {
		next := end
		if a := p.nextArrival(); a != 0 && a < next {
			next = a
		}
		if p.maySend() && max(p.nextSend, p.now) <= next {
			p.now = max(p.nextSend, p.now)
			p.send()
			continue
		}
		p.now = next
		p.deliver()
		if b, ok := p.cc.(*bbr); ok {
			p.states[b.state] = p.now
		}
	}
	return float64(p.delivered-before) / d.Seconds()
}

// toState runs until BBR is in a state.
func (p *bottleneck) toState(s bbrState) {
	b := p.cc.(*bbr)
	for range 1_000_000 {
		if b.state == s {
			return
		}
		p.run(max(p.rtt/100, 10*time.Microsecond))
	}
	p.t.Fatalf("state %v, never %v", b.state, s)
}

func (p *bottleneck) maySend() bool { return !p.quiet && p.inFlight+p.mss <= p.cc.window() }

func (p *bottleneck) send() {
	if p.inFlight == 0 {
		p.firstSentAt, p.deliveredAt = p.now, p.now
	}
	p.cc.sent(p.now, p.mss, p.inFlight)
	p.inFlight += p.mss
	p.serial++
	s := bottleneckSegment{
		serial: p.serial, at: p.now, deliveredAt: p.deliveredAt, firstSentAt: p.firstSentAt,
		delivered: p.delivered, lost: p.dropped, txInFlight: p.inFlight,
	}
	queue := float64(max(p.busy, p.now)-p.now) / 1e9 * p.rate
	if queue <= float64(p.room) && p.rng.Float64() >= p.loss {
		p.busy = max(p.busy, p.now).Add(time.Duration(float64(p.mss) / p.rate * 1e9))
		s.arrives = p.busy.Add(p.rtt)
	}
	p.sent = append(p.sent, s)
	if r := p.cc.pacingRate(); r > 0 {
		p.nextSend = max(p.nextSend, p.now).Add(time.Duration(float64(p.mss) / float64(r) * 1e9))
	}
	if p.limit > 0 {
		p.nextSend = max(p.nextSend, p.now.Add(time.Duration(float64(p.mss)/float64(p.limit)*1e9)))
	}
}

// nextArrival is when the next ACK comes.
func (p *bottleneck) nextArrival() Time {
	for i := range p.sent {
		if p.sent[i].arrives != 0 && !p.sent[i].resolved {
			return p.sent[i].arrives
		}
	}
	return 0
}

// deliver takes the ACK that is due.
func (p *bottleneck) deliver() {
	for i := range p.sent {
		s := &p.sent[i]
		if s.resolved || s.arrives == 0 || s.arrives > p.now {
			continue
		}
		prior, phase := p.inFlight, p.phase
		lost := 0
		for j := range p.sent[:i] {
			if o := &p.sent[j]; !o.resolved {
				o.resolved = true
				lost += p.mss
				p.inFlight -= p.mss
				p.dropped += uint64(p.mss)
				p.cc.segmentLost(p.now, lossSample{
					size: p.mss, txInFlight: o.txInFlight, lost: int(p.dropped - o.lost), totalDelivered: p.delivered,
				})
			}
		}
		s.resolved = true
		p.inFlight -= p.mss
		p.ack(s, prior, lost, phase)
		p.sent = p.sent[i+1:]
		return
	}
}

func (p *bottleneck) ack(s *bottleneckSegment, prior, lost int, phase lossPhase) {
	p.delivered += uint64(p.mss)
	p.deliveredAt, p.firstSentAt = p.now, s.at
	rtt := p.now.Sub(s.at)
	p.longest = max(p.longest, rtt)
	p.cc.acked(p.now, ackSample{
		phase: phase, acked: p.mss, delivered: p.mss, lost: lost, priorInFlight: prior, inFlight: p.inFlight,
		limited: p.limit == 0 && !p.quiet, rtt: rtt, srtt: rtt, minRTT: p.rtt,
		una: seqnum.Value(s.serial), nxt: seqnum.Value(p.serial + 1), totalDelivered: p.delivered,
		rate: rateSample{
			delivered: int(p.delivered - s.delivered), priorDelivered: s.delivered,
			interval:   max(s.at.Sub(s.firstSentAt), p.now.Sub(s.deliveredAt)),
			txInFlight: s.txInFlight, lost: int(p.dropped-s.lost) - lost, appLimited: p.limit > 0,
		},
	})
	switch {
	case lost > 0 && p.phase == lossOpen:
		p.phase, p.recover = lossFast, p.serial
		p.recoveries++
		p.cc.lost(p.now, prior)
	case p.phase == lossFast && s.serial > p.recover:
		p.phase = lossOpen
		p.cc.recovered(p.now, p.inFlight)
	}
}

// within reports whether got is want, but for a share.
func within(got, want, share float64) bool { return math.Abs(got-want) <= share*want }

const mbit = 1e6 / 8 // bytes per second

func newTestBBR() *bbr { return newBBR(1000, 10, true, 7) }

// BBR-1, BBR-2, BBR-9, BBR-12: Startup doubles the rate each round, and ends
// when it does not grow for three; Drain empties the queue; then the flow
// cruises at the rate of the path with next to no queue. From 1 Mbit/s to 10
// Gbit/s, from 50 us to 1 s.
func TestBBRFillsThePipe(t *testing.T) {
	tests := []struct {
		name string
		rate float64
		rtt  time.Duration
		in   time.Duration
	}{
		{"1 Mbit/s, 100 ms", 1 * mbit, 100 * time.Millisecond, 3 * time.Second},
		{"100 Mbit/s, 20 ms", 100 * mbit, 20 * time.Millisecond, time.Second},
		{"10 Mbit/s, 1 s", 10 * mbit, time.Second, 20 * time.Second},
		{"1 Gbit/s, 100 ms", 1000 * mbit, 100 * time.Millisecond, 3 * time.Second},
		{"10 Gbit/s, 50 us", 10_000 * mbit, 50 * time.Microsecond, 20 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestBBR()
			p := newBottleneck(t, b, tt.rate, tt.rtt)
			p.run(tt.in)
			if !b.fullReached || !b.probing() {
				t.Fatalf("after %v: full %v, state %v", tt.in, b.fullReached, b.state)
			}
			if bw := float64(b.topBW()); !within(bw, tt.rate, 0.05) {
				t.Errorf("bandwidth %.0f, want %.0f within 5 %%", bw, tt.rate)
			}
			if tt.rate*tt.in.Seconds() > 100e6 {
				return
			}
			// A ProbeRTT costs more than a round trip: much where that is 1 s.
			if got := p.run(tt.in); got < 0.82*tt.rate {
				t.Errorf("delivers %.0f B/s, want 82 %% of %.0f", got, tt.rate)
			}
			p.toState(bbrCruise)
			p.longest = 0
			p.run(tt.rtt)
			if most := tt.rtt + tt.rtt*3/5 + 10*time.Duration(1000/tt.rate*1e9); p.longest > most {
				t.Errorf("cruising: round-trip time up to %v, want at most %v", p.longest, most)
			}
		})
	}
}

// BBR-9: with a shallow buffer it is loss that ends Startup, once a round of
// recovery lost more than 2 %, in six ACKs or more.
func TestBBRStartupEndsWithLoss(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
	p.room = 20_000
	p.run(300 * time.Millisecond)
	if !b.fullReached || b.inflightLongterm == bbrNoBound {
		t.Errorf("full %v, bound %v, want a bound by loss", b.fullReached, b.inflightLongterm)
	}
	if got := p.run(5 * time.Second); got < 0.8*100*mbit {
		t.Errorf("delivers %.0f B/s over a shallow buffer, want 80 %%", got)
	}
}

// BBR-4: a loss of under 2 % is no reason to slow down, round by round.
func TestBBRBearsRandomLoss(t *testing.T) {
	for _, tt := range []struct{ loss, want float64 }{{0.001, 0.92}, {0.01, 0.88}} {
		b := newTestBBR()
		p := newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
		p.loss = tt.loss
		if got := p.run(10*time.Second) / (100 * mbit); got < tt.want {
			t.Errorf("loss %v: share %.3f, want %.2f", tt.loss, got, tt.want)
		}
	}
}

// BBR-7: where the least round-trip time is not seen again for 5 s, half of the
// window for 200 ms shows it; and the rate is back at once. Where it is seen
// again, in a queue that is empty from time to time, there is no need.
func TestBBRProbesRTT(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 10*mbit, 40*time.Millisecond)
	p.run(20 * time.Second)
	if _, ok := p.states[bbrProbeRTT]; ok {
		t.Fatal("ProbeRTT although the queue was seen empty")
	}
	p.rtt += 4 * time.Millisecond // as a queue that is others' has it
	start := p.now
	for b.state != bbrProbeRTT && p.now.Sub(start) < 6*time.Second {
		p.run(time.Millisecond)
	}
	began := p.now
	for b.state == bbrProbeRTT && p.now.Sub(began) < time.Second {
		if b.cwndGain != 0.5 {
			t.Fatalf("gain %v in ProbeRTT, want 0.5", b.cwndGain)
		}
		p.run(time.Millisecond)
	}
	if took := p.now.Sub(began); took < 200*time.Millisecond || took > 400*time.Millisecond {
		t.Errorf("ProbeRTT took %v, want 200 ms and a round", took)
	}
	if got := p.run(5 * time.Second); got < 0.9*10*mbit {
		t.Errorf("delivers %.0f B/s afterwards, want 90 %%", got)
	}
}

// BBR-6, BBR-8: ten times the rate is found within a few cycles of probing; a
// tenth of it, too, since the filter of the bandwidth forgets after two.
func TestBBRFollowsTheRate(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 10*mbit, 40*time.Millisecond)
	p.run(5 * time.Second)
	p.rate, p.room = 100*mbit, 500_000
	p.run(12 * time.Second)
	if bw := float64(b.topBW()); !within(bw, 100*mbit, 0.1) {
		t.Errorf("12 s after ten times the rate: bandwidth %.0f, want %.0f", bw, 100*mbit)
	}
	p.rate, p.room = 10*mbit, 50_000
	p.run(10 * time.Second)
	if bw := float64(b.topBW()); !within(bw, 10*mbit, 0.1) {
		t.Errorf("10 s after a tenth of the rate: bandwidth %.0f, want %.0f", bw, 10*mbit)
	}
}

// BBR-8: the phases of ProbeBW follow each other, with their gains.
func TestBBRCycle(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 10*mbit, 40*time.Millisecond)
	p.run(2 * time.Second)
	gains := map[bbrState][2]float64{
		bbrDown: {0.90, 2}, bbrCruise: {1, 2}, bbrRefill: {1, 2}, bbrUp: {1.25, 2.25}, bbrProbeRTT: {1, 0.5},
	}
	follows := map[bbrState][]bbrState{
		bbrDown: {bbrCruise, bbrRefill, bbrProbeRTT}, bbrCruise: {bbrRefill, bbrProbeRTT}, bbrRefill: {bbrUp, bbrProbeRTT},
		bbrUp: {bbrDown, bbrProbeRTT}, bbrProbeRTT: {bbrCruise},
	}
	seen := map[bbrState]int{}
	last := b.state
	p.rtt += 4 * time.Millisecond
	for range 10_000 {
		p.run(time.Millisecond)
		if g := gains[b.state]; g != [2]float64{b.pacingGain, b.cwndGain} {
			t.Fatalf("state %v: gains %v, %v, want %v", b.state, b.pacingGain, b.cwndGain, g)
		}
		if b.state == last {
			continue
		}
		ok := false
		for _, s := range follows[last] {
			ok = ok || s == b.state
		}
		if !ok {
			t.Fatalf("state %v after %v", b.state, last)
		}
		last = b.state
		seen[last]++
	}
	for s := range gains {
		if seen[s] == 0 {
			t.Errorf("state %v not seen in 10 s; seen %v", s, seen)
		}
	}
}

// BBR-10, Section 4.1.1.3: what the application limits says nothing of the
// path, unless it is more than was known.
func TestBBRApplicationLimited(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
	p.run(2 * time.Second)
	before := b.topBW()
	p.limit = 1 * mbit
	p.run(10 * time.Second)
	if b.topBW() < before {
		t.Errorf("bandwidth %v after little use, %v before", b.topBW(), before)
	}
	b = newTestBBR()
	p = newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
	p.limit = 10 * mbit
	p.run(3 * time.Second)
	if b.fullReached {
		t.Error("the pipe seems full although the application limits")
	}
	if bw := float64(b.topBW()); !within(bw, 10*mbit, 0.2) {
		t.Errorf("bandwidth %.0f, want that of the application, %.0f", bw, 10*mbit)
	}
}

// Section 5.4.1: a restart from idle goes at the rate of before, without a burst
// and without ProbeRTT.
func TestBBRRestartsFromIdle(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 10*mbit, 40*time.Millisecond)
	p.run(3 * time.Second)
	p.quiet = true
	p.run(20 * time.Second)
	p.quiet, p.longest = false, 0
	p.run(80 * time.Millisecond) // before a probe can make a queue
	if got := float64(b.pacingRate()); !within(got, 10*mbit, 0.05) {
		t.Errorf("pacing %.0f after a silence, want about %.0f", got, 10*mbit)
	}
	if b.state == bbrProbeRTT {
		t.Error("ProbeRTT after a silence")
	}
	if p.longest > 45*time.Millisecond {
		t.Errorf("round-trip time %v after a silence: a burst", p.longest)
	}
}

// BBR-5, BBR-7: the window is four segments at least, but for a time-out, which
// leaves one until the next ACK.
func TestBBRTimeout(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 10*mbit, 40*time.Millisecond)
	p.run(3 * time.Second)
	before := b.window()
	b.timeout(p.now, before, true)
	if b.window() != 1000 {
		t.Errorf("window %v after a time-out, want 1000", b.window())
	}
	p.phase = lossTimedOut
	p.run(20 * time.Millisecond)
	if b.window() < 4000 {
		t.Errorf("window %v with the ACKs, want 4000 at least", b.window())
	}
	p.phase = lossOpen
	p.run(200 * time.Millisecond)
	if b.window() < before/2 {
		t.Errorf("window %v after the repair, %v before", b.window(), before)
	}
}

// Section 5.5.11.2: when a loss was none, the bounds and the state are those of
// before.
func TestBBRUndo(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
	p.run(3 * time.Second)
	p.toState(bbrUp)
	window, bounds := b.window(), b.bbrBounds
	for range 50 {
		p.dropped += 1000
		b.segmentLost(p.now, lossSample{size: 1000, txInFlight: p.inFlight, lost: 50_000, totalDelivered: p.delivered})
	}
	b.lost(p.now, p.inFlight)
	if b.state != bbrDown || b.inflightLongterm == bbrNoBound {
		t.Fatalf("state %v, bound %v after the loss, want a probe that ended", b.state, b.inflightLongterm)
	}
	b.undo(p.now)
	if b.state != bbrRefill || b.inflightLongterm < bounds.inflightLongterm || b.inflightShortterm != bbrNoBound ||
		b.bwShortterm != bbrMaxRate || b.window() < window {
		t.Errorf("undone: state %v, bounds %v, %v, %v, window %v, want that of before: %v",
			b.state, b.inflightLongterm, b.inflightShortterm, b.bwShortterm, b.window(), window)
	}
	bounds = b.bbrBounds
	b.undo(p.now)
	if b.bbrBounds != bounds {
		t.Error("a second undo changes something")
	}
}

// Section 5.3.1.3 and 5.5.11.2: a Startup that seeming loss ended goes on.
func TestBBRUndoOfStartup(t *testing.T) {
	b := newTestBBR()
	b.fullReached = true
	b.save()
	b.leave(bbrStartup)
	b.enter(bbrDrain, bbrDrainGain, bbrCwndGain)
	b.undo(0)
	if b.state != bbrStartup || b.fullReached {
		t.Errorf("state %v, full %v, want Startup", b.state, b.fullReached)
	}
}

// BBR-11: a CE mark bounds the model as a loss does.
func TestBBRCongestionExperienced(t *testing.T) {
	b := newTestBBR()
	p := newBottleneck(t, b, 100*mbit, 20*time.Millisecond)
	p.run(3 * time.Second)
	p.toState(bbrCruise)
	b.congestionExperienced(p.now, p.inFlight)
	p.run(50 * time.Millisecond)
	if b.state == bbrCruise && b.bwShortterm == bbrMaxRate {
		t.Error("no short-term bound after a CE mark")
	}
	p.toState(bbrUp)
	b.congestionExperienced(p.now, p.inFlight)
	if b.state != bbrDown || b.inflightLongterm == bbrNoBound {
		t.Errorf("state %v, bound %v after a CE mark in a probe", b.state, b.inflightLongterm)
	}
}

// Section 5.5.9: ACKs that come in bunches widen the window by what they bring
// at once.
func TestBBRAggregation(t *testing.T) {
	b := newTestBBR()
	b.bw, b.minRTT, b.fullReached = 1_000_000, 10*time.Millisecond, true
	b.cwnd = 50_000
	now := Time(time.Second)
	b.extraAckedSince = now
	for range 5 {
		now = now.Add(20 * time.Millisecond) // 20,000 bytes at that rate, all at once
		b.updateAggregation(now, 20_000)
	}
	if got := max(b.extraAcked[0], b.extraAcked[1]); got != 20_000 {
		t.Errorf("extra %v, want 20000", got)
	}
	now = now.Add(30 * time.Millisecond) // none for longer than they were worth
	for range 10 {
		b.round++
		b.roundStart = true
		now = now.Add(time.Millisecond)
		b.updateAggregation(now, 1000)
	}
	if got := max(b.extraAcked[0], b.extraAcked[1]); got > 2000 {
		t.Errorf("ten rounds later: extra %v, want it forgotten", got)
	}
}

// BBR-4: more than 2 % of what was in flight is too much, but not a single
// segment; without SACK any loss is.
func TestTooMuchLost(t *testing.T) {
	for _, tt := range []struct {
		lost, tx int
		sack     bool
		want     bool
	}{
		{1000, 10_000, true, false},
		{2000, 10_000, true, true},
		{3000, 100_000, true, false},
		{4000, 100_000, true, true},
		{0, 100_000, false, false},
		{1000, 100_000, false, true},
	} {
		b := newBBR(1000, 10, tt.sack, 1)
		if got := b.tooMuchLost(tt.lost, tt.tx); got != tt.want {
			t.Errorf("tooMuchLost(%v, %v), SACK %v = %v, want %v", tt.lost, tt.tx, tt.sack, got, tt.want)
		}
	}
}

// Section 5.5.10.2: of a segment that is many, the part that still fitted
// counts.
func TestInflightAtLoss(t *testing.T) {
	for _, tt := range []struct{ size, tx, lost, want int }{
		{1000, 100_000, 1000, 101_020}, // 99,000 before, none lost: 2 % of that over 0.98 more
		{1000, 100_000, 3000, 99_000},  // too much was lost before
		{50_000, 100_000, 50_000, 51_020},
		{1000, 0, 0, 0},
	} {
		if got := inflightAtLoss(tt.size, tt.tx, tt.lost); got != tt.want {
			t.Errorf("inflightAtLoss(%v, %v, %v) = %v, want %v", tt.size, tt.tx, tt.lost, got, tt.want)
		}
	}
}

// FuzzBBR: whatever the samples say, the window is four segments at least, the
// rate is positive, and both are bounded.
func FuzzBBR(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte("\x01\x02\x03\xff\xff\xff\xff\x80\x00\x10 hostile samples of all sizes, up and down"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := newBBR(1+int(at(in, 0))*7, 10, at(in, 1)%2 == 0, 1)
		mss := b.mss
		now := Time(1)
		rng := rand.New(rand.NewPCG(uint64(at(in, 2)), uint64(len(in))))
		value := func() int {
			v := int64(rng.Uint64()) >> rng.IntN(64)
			return int(v)
		}
		for i, c := range in {
			now = now.Add(time.Duration(rng.Int64N(1 << (c % 36))))
			timedOut := false
			switch c % 11 {
			case 0:
				b.lost(now, value())
			case 1:
				b.recovered(now, value())
			case 2:
				b.timeout(now, value(), i%2 == 0)
				timedOut = true
			case 3:
				b.undo(now)
			case 4:
				b.congestionExperienced(now, value())
			case 5:
				b.segmentLost(now, lossSample{size: value(), txInFlight: value(), lost: value(), totalDelivered: rng.Uint64()})
			case 6:
				b.sent(now, value(), int(c)%2*value())
			default:
				b.acked(now, ackSample{
					phase: lossPhase(c % 3), acked: value(), delivered: value(), lost: value(), inFlight: value(), limited: c%2 == 0,
					rtt: time.Duration(value()), srtt: time.Duration(value()), totalDelivered: rng.Uint64(),
					rate: rateSample{
						delivered: value(), interval: time.Duration(value()), priorDelivered: rng.Uint64(),
						txInFlight: value(), lost: value(), appLimited: c%5 == 0,
					},
				})
			}
			least := 4 * mss
			if timedOut || b.recovering {
				least = mss
			}
			if w := b.window(); w < least || w > maxWindow+4*mss {
				t.Fatalf("step %d (%d): window %v, want %v to %v", i, c%11, w, least, maxWindow)
			}
			if r := b.pacingRate(); r <= 0 || r > bbrMaxRate {
				t.Fatalf("step %d (%d): pacing rate %v", i, c%11, r)
			}
		}
	})
}

// at returns a byte of the input, 0 beyond its end.
func at(in []byte, i int) byte {
	if i < len(in) {
		return in[i]
	}
	return 0
}
