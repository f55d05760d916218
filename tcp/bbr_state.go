package tcp

import "time"

// probing reports whether the state is one of ProbeBW.
func (b *bbr) probing() bool { return b.state >= bbrDown && b.state <= bbrUp }

// accelerating reports whether the state looks for more: then a loss is an
// answer, no sign that the path changed (IsProbingBW).
func (b *bbr) accelerating() bool {
	return b.state == bbrStartup || b.state == bbrRefill || b.state == bbrUp
}

func (b *bbr) enter(s bbrState, pacing, cwnd float64) {
	b.state, b.pacingGain, b.cwndGain = s, pacing, cwnd
}

func (b *bbr) enterStartup() { b.enter(bbrStartup, bbrStartupGain, bbrCwndGain) }

// checkFull is Section 5.3.1.2: the pipe is full when the rate did not grow by a
// quarter for three rounds.
func (b *bbr) checkFull(r *bbrSignal) {
	if b.fullNow || !b.roundStart || r.appLimited || r.bw == 0 {
		return
	}
	if float64(r.bw) >= float64(b.fullBW)*bbrGrowth {
		b.resetFull()
		b.fullBW = r.bw
		return
	}
	b.fullCount++
	b.fullNow = b.fullCount >= bbrFullRounds
	b.fullReached = b.fullReached || b.fullNow
}

func (b *bbr) resetFull() { b.fullBW, b.fullCount, b.fullNow = 0, 0, false }

// checkStartupDone is Section 5.3.1: Startup ends when the rate does not grow
// any more, or when a whole round of recovery lost too much.
func (b *bbr) checkStartupDone(r *bbrSignal) {
	if !b.fullReached && b.startupLoss(r) {
		b.leave(bbrStartup)
		b.fullReached = true
		b.inflightLongterm = max(b.bdp(b.bw, 1), b.inflightLatest, b.minWindow())
	}
	if b.lossRoundStart {
		b.lossEvents = 0
	}
	if b.state == bbrStartup && b.fullReached {
		b.enter(bbrDrain, bbrDrainGain, bbrCwndGain)
		b.drainRound = b.round
	}
}

// startupLoss is Section 5.3.1.3. Six losses in a round and 2 % keep a burst of
// noise from counting.
func (b *bbr) startupLoss(r *bbrSignal) bool {
	if !b.recovering || !b.lossRoundStart {
		return false
	}
	if !b.sack {
		return b.lossEvents > 0
	}
	return b.lossEvents >= bbrStartupLosses && b.tooMuchLost(r.lost, r.txInFlight)
}

// checkDrainDone is Section 5.3.2: the queue is gone when no more is in flight
// than the path holds.
func (b *bbr) checkDrainDone(now Time, r *bbrSignal) {
	if b.state == bbrDrain && (r.inFlight <= b.inflight(b.bw, 1) || b.round > b.drainRound+bbrDrainRounds) {
		b.startDown(now)
	}
}

// startDown begins the cycle of ProbeBW: Section 5.3.3.6.
func (b *bbr) startDown(now Time) {
	b.resetCongestion()
	b.upAckedPerInc = bbrNoBound
	b.sinceUp = b.random(2)
	b.wait = bbrProbeWait + time.Duration(b.random(1000))*time.Millisecond
	b.cycleStart = now
	b.ackPhase = bbrAcksProbeStopping
	b.startRound()
	b.enter(bbrDown, bbrDownGain, bbrCwndGain)
}

func (b *bbr) startCruise() { b.enter(bbrCruise, 1, bbrCwndGain) }

// startRefill forgets what losses said of the short term.
func (b *bbr) startRefill() {
	b.resetShortterm()
	b.upRounds, b.upAcked = 0, 0
	b.precautionary = false
	b.ackPhase = bbrAcksRefilling
	b.startRound()
	b.enter(bbrRefill, 1, bbrCwndGain)
}

func (b *bbr) startUp(r *bbrSignal) {
	b.ackPhase = bbrAcksProbeStarting
	b.startRound()
	b.resetFull()
	b.fullBW = r.bw
	b.enter(bbrUp, bbrUpGain, bbrUpCwndGain)
	b.raiseSlope()
}

// updateProbe is Section 5.3.3.6, UpdateProbeBWCyclePhase.
func (b *bbr) updateProbe(now Time, r *bbrSignal) {
	if !b.fullReached || b.adaptLongterm(r) || !b.probing() {
		return
	}
	switch b.state {
	case bbrDown, bbrCruise:
		if b.timeToProbe(now) {
			b.startRefill()
		} else if b.state == bbrDown && r.inFlight <= min(b.withHeadroom(), b.inflight(b.topBW(), 1)) {
			b.startCruise()
		}
	case bbrRefill:
		if b.roundStart {
			b.sample = true
			b.startUp(r)
		}
	case bbrUp:
		if b.timeToGoDown(r) {
			b.tooHigh = false // no loss yet
			b.startDown(now)
		}
	}
}

// timeToProbe is Section 5.3.3.5.3: after two to three seconds, or after as many
// rounds as Reno would need to grow by what a probe takes.
func (b *bbr) timeToProbe(now Time) bool {
	rounds := min(b.target()/b.mss, bbrCoexistRounds)
	return now.Sub(b.cycleStart) > b.wait || int(b.sinceUp) >= rounds
}

// timeToGoDown is IsTimeToGoDown: the rate grows no more; or the flight is where
// the last probe lost too much.
func (b *bbr) timeToGoDown(r *bbrSignal) bool {
	if b.tooHigh && r.inFlight >= b.inflightLongterm {
		b.precautionary = true
		return true
	}
	if r.limited && b.cwnd >= b.inflightLongterm {
		b.resetFull() // the bound limits the rate, not the path
		b.fullBW = r.bw
		return false
	}
	return b.fullNow
}

// adaptLongterm follows the ACKs of a probe and raises the long-term bound
// where the loss allows it. It reports whether it began another state.
func (b *bbr) adaptLongterm(r *bbrSignal) bool {
	if b.ackPhase == bbrAcksProbeStarting && b.roundStart {
		b.ackPhase = bbrAcksProbeFeedback
	}
	if b.ackPhase == bbrAcksProbeStopping && b.roundStart {
		b.sample = false
		b.ackPhase = bbrAcksInit
		if b.probing() && !r.appLimited {
			b.advanceMaxBW()
		}
		if b.probing() && b.precautionary && !b.tooHigh {
			b.startRefill()
			return true
		}
	}
	if b.tooMuchLost(r.lost, r.txInFlight) || b.inflightLongterm == bbrNoBound {
		return false
	}
	b.inflightLongterm = max(b.inflightLongterm, r.txInFlight)
	if b.state == bbrUp {
		b.probeUpward(r)
	}
	return false
}

// probeUpward raises the long-term bound while it is what limits: by a segment
// in the first round, and twice as many in each that follows.
func (b *bbr) probeUpward(r *bbrSignal) {
	if !r.limited || b.cwnd < b.inflightLongterm {
		return
	}
	b.upAcked += r.acked
	if n := b.upAcked / b.upAckedPerInc; n > 0 {
		b.upAcked -= n * b.upAckedPerInc
		b.inflightLongterm = min(b.inflightLongterm+n*b.mss, maxWindow)
	}
	if b.roundStart {
		b.raiseSlope()
	}
}

func (b *bbr) raiseSlope() {
	b.upAckedPerInc = max(b.cwnd>>b.upRounds, b.mss)
	b.upRounds = min(b.upRounds+1, 30)
}

// checkProbeRTT is Section 5.3.4.3: when no round-trip time was as small as the
// least for five seconds, half of the window shows whether the queue is ours.
func (b *bbr) checkProbeRTT(now Time, r *bbrSignal) {
	if b.state != bbrProbeRTT && b.probeExpired && !b.idleRestart {
		b.saveWindow()
		b.enter(bbrProbeRTT, 1, bbrProbeRTTGain)
		b.probeDone = 0
		b.ackPhase = bbrAcksProbeStopping
		b.startRound()
	}
	if b.state == bbrProbeRTT {
		b.handleProbeRTT(now, r)
	}
	b.idleRestart = false
}

func (b *bbr) handleProbeRTT(now Time, r *bbrSignal) {
	b.quietUntil = b.delivered + uint64(max(r.inFlight, 1))
	if b.probeDone == 0 {
		if r.inFlight <= b.probeRTTWindow() {
			b.probeDone = now.Add(bbrProbeRTTDuration)
			b.probeRoundEnd = false
			b.startRound()
		}
		return
	}
	b.probeRoundEnd = b.probeRoundEnd || b.roundStart
	if b.probeRoundEnd {
		b.checkProbeRTTDone(now)
	}
}

// checkProbeRTTDone ends ProbeRTT: Section 5.3.4.4.
func (b *bbr) checkProbeRTTDone(now Time) {
	if b.probeDone == 0 || now <= b.probeDone {
		return
	}
	b.probeRTTAt = now
	b.restoreWindow()
	b.resetShortterm()
	if !b.fullReached {
		b.enterStartup()
		return
	}
	b.startDown(now)
	b.startCruise() // what is in flight is less than the path holds
}
