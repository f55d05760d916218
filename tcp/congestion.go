package tcp

// congestion decides how much may be in flight. Sizes are in bytes.
type congestion interface {
	// name is what TCP_CONGESTION calls the algorithm.
	name() string
	// window is the congestion window.
	window() int
	// threshold is the slow start threshold.
	threshold() int
	// acked tells of n bytes acknowledged outside loss recovery while the
	// window was what limited sending.
	acked(n int)
	// lost tells that the loss of a segment was detected by duplicate ACKs,
	// with flight bytes outstanding.
	lost(flight int)
	// recovered tells that the loss is repaired, with flight bytes outstanding.
	recovered(flight int)
	// timeout tells of a retransmission time-out; first is false when the same
	// segment timed out before.
	timeout(flight int, first bool)
	// idle tells that nothing was sent for longer than the time-out.
	idle()
	// resize tells of a new segment size.
	resize(mss int)
}
