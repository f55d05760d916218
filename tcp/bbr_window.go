package tcp

// setPacing is Section 5.6.2: until the pipe is full, the rate only grows.
func (b *bbr) setPacing(gain float64) {
	rate := max(scaleRate(b.bw, gain*bbrPacingMargin), int64(b.mss))
	if b.fullReached || rate > b.pacing {
		b.pacing = rate
	}
}

// quantum is how much goes out at once: Section 5.6.3.
func (b *bbr) quantum() int {
	return max(int(min(b.pacing/1000, 64<<10)), 2*b.mss)
}

// inflight is how much is to be in flight for a multiple of the BDP: Section
// 5.6.4.2, Inflight with QuantizationBudget. Three quanta keep hosts busy that
// send and receive in super-segments.
func (b *bbr) inflight(rate int64, gain float64) int { return b.quantized(b.bdp(rate, gain)) }

func (b *bbr) quantized(n int) int {
	n = max(n, 3*b.quantum(), b.minWindow())
	if b.state == bbrUp {
		n += 2 * b.mss
	}
	return min(n, maxWindow)
}

// maxInflight is what fills the path: Section 5.6.4.2.
func (b *bbr) maxInflight() int {
	return b.quantized(b.bdp(b.bw, b.cwndGain) + max(b.extraAcked[0], b.extraAcked[1]))
}

// setWindow is Section 5.6.4.6: down to what the model says at once, up by what
// is delivered.
func (b *bbr) setWindow(r *bbrSignal) {
	most := b.maxInflight()
	switch {
	case b.fullReached:
		b.cwnd = min(b.cwnd+r.acked, most)
	case b.cwnd < most || b.delivered < uint64(b.initial):
		b.cwnd = min(b.cwnd+r.acked, maxWindow)
	}
	b.cwnd = max(b.cwnd, b.minWindow())
	if b.state == bbrProbeRTT {
		b.cwnd = min(b.cwnd, b.probeRTTWindow())
	}
	b.boundWindow()
}

// boundWindow is Section 5.6.4.7: what losses allow.
func (b *bbr) boundWindow() {
	most := bbrNoBound
	switch b.state {
	case bbrDown, bbrRefill, bbrUp:
		most = b.inflightLongterm
	case bbrCruise, bbrProbeRTT:
		most = b.withHeadroom()
	}
	most = max(min(most, b.inflightShortterm), b.minWindow())
	b.cwnd = min(b.cwnd, most)
}

// withHeadroom leaves others some of the long-term bound.
func (b *bbr) withHeadroom() int {
	if b.inflightLongterm == bbrNoBound {
		return bbrNoBound
	}
	headroom := max(b.mss, int(bbrHeadroom*float64(b.inflightLongterm)))
	return max(b.inflightLongterm-headroom, b.minWindow())
}

func (b *bbr) probeRTTWindow() int { return max(b.bdp(b.bw, bbrProbeRTTGain), b.minWindow()) }

// saveWindow keeps the last good window through recovery and ProbeRTT.
func (b *bbr) saveWindow() {
	if b.recovering || b.state == bbrProbeRTT {
		b.priorCwnd = max(b.priorCwnd, b.cwnd)
	} else {
		b.priorCwnd = b.cwnd
	}
}

func (b *bbr) restoreWindow() { b.cwnd = max(b.cwnd, b.priorCwnd) }
