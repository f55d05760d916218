package tcp

// prr is Proportional Rate Reduction (RFC 9937): during a recovery it leads the
// amount in flight from what it was to the slow start threshold, by what the
// ACKs deliver, without a pause at the beginning and without a burst at the end.
// Sizes are in bytes.
type prr struct {
	on        bool
	delivered int32 // prr_delivered: since the recovery began
	out       int32 // prr_out: sent since
	flight    int32 // RecoverFS
	cwnd      int32
}

// begin starts with flight bytes that were in flight and not SACKed (Section
// 6.1).
func (p *prr) begin(flight int) { *p = prr{on: true, flight: int32(max(flight, 1))} }

// acked sets the congestion window after an ACK that delivered n bytes. safe
// is whether it moved SND.UNA and showed no new loss (Section 6.2).
func (p *prr) acked(n, inFlight, threshold, mss int, safe bool) {
	if n == 0 {
		return
	}
	p.delivered += int32(n)
	var count int
	owed := int(p.delivered - p.out)
	if inFlight > threshold {
		// Whole segments, so that the first ACKs release what they can.
		flight := int64(p.flight)
		target := int((int64(p.delivered)*int64(threshold) + flight - 1) / flight)
		count = (target+mss-1)/mss*mss - int(p.out)
	} else {
		count = max(owed, n)
		if safe {
			count += mss
		}
		count = min(threshold-inFlight, count)
	}
	if p.out == 0 {
		count = max(count, mss) // the first retransmission goes at once
	}
	p.cwnd = int32(inFlight + max(count, 0))
}
