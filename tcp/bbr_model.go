package tcp

import "time"

// scaleRate returns a rate times a gain, at most bbrMaxRate.
func scaleRate(rate int64, gain float64) int64 {
	return int64(min(float64(rate)*gain, float64(bbrMaxRate)))
}

// topBW returns the highest bandwidth of this cycle of probing and the last.
func (b *bbr) topBW() int64 { return max(b.maxBW[0], b.maxBW[1]) }

// bdp is a multiple of the product of rate and round-trip time: Section
// 5.6.4.2, BDPMultiple. Before there is a sample it is the initial window.
func (b *bbr) bdp(rate int64, gain float64) int {
	if b.minRTT == 0 || rate == 0 {
		return b.initial
	}
	return int(min(float64(rate)*b.minRTT.Seconds()*gain, maxWindow))
}

// updateLatest is Section 5.5.10.3, UpdateLatestDeliverySignals.
func (b *bbr) updateLatest(r *bbrSignal) {
	b.lossRoundStart = false
	b.bwLatest = max(b.bwLatest, r.bw)
	b.inflightLatest = max(b.inflightLatest, r.delivered)
	if r.prior >= b.lossRound {
		b.lossRound = b.delivered
		b.lossRoundStart = true
	}
}

// advanceLatest begins to measure the next round.
func (b *bbr) advanceLatest(r *bbrSignal) {
	if b.lossRoundStart {
		b.bwLatest, b.inflightLatest = r.bw, r.delivered
	}
	b.bw = min(b.topBW(), b.bwShortterm) // BoundBWForModel
}

// updateCongestion is Section 5.5.10.3, UpdateCongestionSignals: once in a
// round that lost something, the bounds follow what was delivered.
func (b *bbr) updateCongestion(r *bbrSignal) {
	b.updateRound(r)
	if r.bw > 0 && (r.bw >= b.topBW() || !r.appLimited) {
		b.maxBW[1] = max(b.maxBW[1], r.bw)
	}
	if !b.lossRoundStart {
		return
	}
	if b.lossInRound && !b.accelerating() {
		b.lowerBounds()
	}
	b.lossInRound = false
}

// updateRound is Section 5.5.1: a round is over when something is acknowledged
// that was sent after the round began.
func (b *bbr) updateRound(r *bbrSignal) {
	b.roundStart = r.prior >= b.nextRound
	if b.roundStart {
		b.startRound()
		b.round++
		b.sinceUp++
	}
}

func (b *bbr) startRound() { b.nextRound = b.delivered }

// lowerBounds adapts the short-term model to the delivery of the last round,
// but by a factor of 0.7 at most.
//
// The draft takes the delivery as it is. But a flow that paces a little below the
// bandwidth delivers a little less than it, and loses what the path loses anyway;
// so each round with a loss would slow it down, and a cycle of 60 rounds by
// half, although nothing changed. What is of our own making, and a loss under
// the threshold, is no sign that the path changed.
func (b *bbr) lowerBounds() {
	expected := bbrPacingMargin * (1 - bbrLossThresh)
	if b.state == bbrDown {
		expected *= bbrDownGain
	}
	if b.bwShortterm == bbrMaxRate {
		b.bwShortterm = b.topBW()
	}
	if b.inflightShortterm == bbrNoBound {
		b.inflightShortterm = b.cwnd
	}
	bw, inflight := scaleRate(b.bwLatest, 1/expected), int(float64(b.inflightLatest)/expected)
	b.bwShortterm = min(b.bwShortterm, max(bw, scaleRate(b.bwShortterm, bbrBeta)))
	b.inflightShortterm = min(b.inflightShortterm, max(inflight, int(bbrBeta*float64(b.inflightShortterm))))
}

func (b *bbr) resetShortterm() { b.bwShortterm, b.inflightShortterm = bbrMaxRate, bbrNoBound }

func (b *bbr) resetCongestion() {
	b.lossInRound, b.bwLatest, b.inflightLatest = false, 0, 0
}

// advanceMaxBW begins another cycle of the filter of the bandwidth.
func (b *bbr) advanceMaxBW() {
	if b.maxBW[1] > 0 {
		b.maxBW = [2]int64{b.maxBW[1], 0}
	}
}

// updateAggregation is Section 5.5.9: how much more than the rate gives ACKs
// bring at a time. The maximum of the last five to ten rounds counts; during
// Startup, of the last one or two.
func (b *bbr) updateAggregation(now Time, acked int) {
	expected := float64(b.bw) * max(now.Sub(b.extraAckedSince), 0).Seconds()
	if float64(b.extraAckedSum) <= expected {
		b.extraAckedSum, b.extraAckedSince, expected = 0, now, 0
	}
	b.extraAckedSum = bound(b.extraAckedSum + bound(acked))
	length := uint32(1)
	if b.fullReached {
		length = bbrAggregateRounds / 2
	}
	if b.roundStart && b.round-b.extraAckedAt >= length {
		b.extraAcked = [2]int{b.extraAcked[1], 0}
		b.extraAckedAt = b.round
	}
	extra := min(int(float64(b.extraAckedSum)-expected), b.cwnd)
	b.extraAcked[1] = max(b.extraAcked[1], extra)
}

// updateMinRTT is Section 5.3.4.3: the least round-trip time of the last ten
// seconds, and of the last five for ProbeRTT. A sample that is next to the least
// shows as well as a lesser one that there is no queue, and spares a ProbeRTT,
// which takes a quarter of the time where a round trip is 600 ms; the draft
// asks for a lesser one.
func (b *bbr) updateMinRTT(now Time, rtt time.Duration) {
	b.probeExpired = now.Sub(b.probeRTTAt) > bbrProbeRTTInterval
	switch {
	case rtt <= 0:
	case rtt < b.probeRTT || b.probeExpired:
		b.probeRTT, b.probeRTTAt = rtt, now
	case rtt <= b.probeRTT+b.probeRTT/bbrNextToLeast:
		b.probeRTTAt = now
	}
	if b.probeRTT < b.minRTT || now.Sub(b.minRTTAt) > bbrMinRTTWindow {
		b.minRTT, b.minRTTAt = b.probeRTT, b.probeRTTAt
	}
}

// segmentLost is Section 5.5.10.2, HandleLostPacket. While probing, the loss
// tells how much in flight is too much.
func (b *bbr) segmentLost(now Time, s lossSample) {
	b.delivered = max(b.delivered, s.totalDelivered)
	b.noteLoss()
	if !b.sample {
		return
	}
	size, tx, lost := bound(s.size), bound(s.txInFlight), bound(s.lost)
	if b.tooMuchLost(lost, tx) {
		b.inflightTooHigh(now, inflightAtLoss(size, tx, lost), s.appLimited)
	}
}

// noteLoss begins a round of loss.
func (b *bbr) noteLoss() {
	if !b.lossInRound {
		b.lossRound = b.delivered
		b.save()
	}
	b.lossInRound = true
}

// tooMuchLost reports whether the loss of a round is over the threshold:
// Section 5.5.10.2, IsInflightTooHigh; but a single segment is no rate, although
// it is over 2 % where fewer than 50 are in flight.
func (b *bbr) tooMuchLost(lost, txInFlight int) bool {
	return float64(lost-b.mss) > float64(txInFlight)*bbrLossThresh || (lost > 0 && !b.sack)
}

// inflightAtLoss is how much was in flight where the loss went over the
// threshold, which may be within the segment, since that may be many.
func inflightAtLoss(size, txInFlight, lost int) int {
	before, lostBefore := max(txInFlight-size, 0), max(lost-size, 0)
	prefix := (float64(bbrLossThresh*float64(before)) - float64(lostBefore)) / (1 - bbrLossThresh)
	return before + max(int(prefix), 0)
}

// inflightTooHigh ends a probe that lost too much, and remembers what was in
// flight.
func (b *bbr) inflightTooHigh(now Time, txInFlight int, appLimited bool) {
	b.tooHigh = true
	b.sample = false // once for each probe
	if !appLimited {
		b.inflightLongterm = max(txInFlight, int(bbrBeta*float64(b.target())), b.minWindow())
	}
	if b.state == bbrUp {
		b.leave(bbrUp)
		b.startDown(now)
	}
}

// target is the estimated BDP, or the window if that is less.
func (b *bbr) target() int { return min(b.bdp(b.bw, 1), b.cwnd) }

// save keeps, as recovery begins, what undo brings back: Section 5.5.11.1.
func (b *bbr) save() {
	if b.saved {
		return
	}
	b.saveWindow()
	b.saved, b.leftAny = true, false
	b.undoBW, b.undoShortterm, b.undoLongterm = b.bwShortterm, b.inflightShortterm, b.inflightLongterm
}

// leave notes that a loss ends a state.
func (b *bbr) leave(s bbrState) { b.left, b.leftAny = s, true }

// undo is Section 5.5.11.2: nothing was lost.
func (b *bbr) undo(Time) {
	if !b.saved {
		return
	}
	b.recovering, b.saved = false, false
	b.restoreWindow()
	b.lossInRound = false
	b.resetFull()
	b.bwShortterm = max(b.bwShortterm, b.undoBW)
	b.inflightShortterm = max(b.inflightShortterm, b.undoShortterm)
	b.inflightLongterm = max(b.inflightLongterm, b.undoLongterm)
	if !b.leftAny {
		return
	}
	b.leftAny = false
	switch {
	case b.left == bbrStartup && b.state != bbrStartup:
		b.fullReached = false
		if b.state != bbrProbeRTT {
			b.enterStartup()
		}
	case b.left == bbrUp && b.state != bbrUp && b.state != bbrProbeRTT:
		b.startRefill()
	}
}
