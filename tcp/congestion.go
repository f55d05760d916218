package tcp

import (
	"slices"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// congestion decides how much may be in flight and how fast it goes out.
// Sizes are in bytes. It is told of all that happens to what was sent; which
// segments are lost, and when they go again, is the business of recovery.
// Samples go by value, since a pointer would make each a heap object.
type congestion interface {
	// name is what TCP_CONGESTION calls the algorithm.
	name() string
	// window is the congestion window.
	window() int
	// threshold is the slow start threshold.
	threshold() int
	// pacingRate is how many bytes per second may go out; 0: not paced.
	pacingRate() int64
	// ownsRecovery reports whether window is right during loss recovery, too;
	// else Proportional Rate Reduction (RFC 9937) leads from the window before
	// the loss to the threshold.
	ownsRecovery() bool

	// sent tells that n bytes of data go out, the first time or again, with
	// inFlight bytes in flight before them.
	sent(now Time, n, inFlight int)
	// acked tells of an ACK that delivered something, by its number or by
	// SACK, in any phase of recovery.
	acked(now Time, s ackSample)
	// segmentLost tells of a segment that is thought lost.
	segmentLost(now Time, s lossSample)
	// lost tells that a loss was detected, by other means than a time-out,
	// with flight bytes outstanding: once per recovery, when it begins.
	lost(now Time, flight int)
	// recovered tells that the loss is repaired, with flight bytes outstanding.
	recovered(now Time, flight int)
	// timeout tells of a retransmission time-out; first is false when the same
	// segment timed out before.
	timeout(now Time, flight int, first bool)
	// undo tells that the last lost, or the last time-out, was none.
	undo(now Time)
	// congestionExperienced tells of an ECN echo: once per window.
	congestionExperienced(now Time, flight int)
	// idle tells that nothing was sent for longer than the time-out.
	idle(now Time)
	// adopt takes over the window and the threshold of another algorithm.
	adopt(window, threshold int)
	// resize tells of a new segment size.
	resize(mss int)
}

// The names of the algorithms, as TCP_CONGESTION has them.
const (
	CongestionReno  = "reno"  // NewReno: RFC 5681 and RFC 6582
	CongestionCubic = "cubic" // CUBIC: RFC 9438 with RFC 9406, the default
	CongestionBBR   = "bbr"   // BBRv3: draft-ietf-ccwg-bbr
)

// Congestions returns the names that Options.Congestion and Config.Congestion
// take (tcp_available_congestion_control).
func Congestions() []string { return []string{CongestionCubic, CongestionReno, CongestionBBR} }

// KnownCongestion reports whether name is an algorithm, or empty, which stands
// for the default.
func KnownCongestion(name string) bool { return name == "" || slices.Contains(Congestions(), name) }

// congestionName is the algorithm that the options and the host ask for.
func (c *Conn) congestionName() string {
	if c.opt.Congestion != "" {
		return c.opt.Congestion
	}
	return c.cfg.Congestion
}

// startCongestion begins congestion control with a window of so many segments.
func (c *Conn) startCongestion(segments int) {
	c.cubic = cubic{}
	switch c.congestionName() {
	case CongestionReno:
		c.cubic.reno = newReno(c.snd.mss, segments)
		c.cc = &c.cubic.reno
	case CongestionBBR:
		c.cc = newBBR(c.snd.mss, segments, c.rcv.sack, uint32(c.iss)|1)
	default:
		c.cubic = newCubic(c.snd.mss, segments)
		c.cc = &c.cubic
	}
}

// changeCongestion goes on with another algorithm, from the window and the
// threshold that there are.
func (c *Conn) changeCongestion() {
	window, threshold := c.cc.window(), c.cc.threshold()
	c.startCongestion(c.cfg.InitialWindow)
	c.cc.adopt(window, threshold)
}

// ackSample is what one ACK says.
type ackSample struct {
	phase lossPhase // before the ACK was processed

	acked     int // bytes delivered by an ACK that moved SND.UNA, else 0
	delivered int // bytes newly known to have arrived, by ACK or SACK
	lost      int // bytes newly thought lost

	priorInFlight, inFlight int // bytes in flight before and after the ACK

	// limited is whether the congestion window is what limited sending in the
	// round of this ACK (RFC 7661, Section 4.3).
	limited bool

	rtt    time.Duration // of a segment this ACK delivered; 0: not known
	srtt   time.Duration // smoothed
	minRTT time.Duration // the least that was seen of late; 0: none

	// With them an algorithm counts rounds: one is over when una passes what
	// nxt was when it began.
	una, nxt seqnum.Value

	totalDelivered uint64 // bytes delivered in the life of the connection, by this ACK too
	rate           rateSample
}

// rateSample is the delivery rate that an ACK reveals, measured from the
// segment sent last of those that it delivered.
type rateSample struct {
	delivered      int           // bytes delivered in interval
	interval       time.Duration // 0: there is no sample
	priorDelivered uint64        // total delivered when the segment was sent
	txInFlight     int           // bytes in flight when the segment was sent, with it
	lost           int           // bytes marked lost between the sending of the segment and this ACK, which is not counted
	appLimited     bool          // the segment was sent when data was wanting
}

// lossSample is a segment that is thought lost.
type lossSample struct {
	size           int    // bytes
	txInFlight     int    // bytes in flight when it was sent, with it
	lost           int    // bytes marked lost since it was sent, with it
	totalDelivered uint64 // bytes delivered in the life of the connection
	appLimited     bool   // it was sent when data was wanting
}

// perSecond returns n bytes in d as bytes per second, 0 if d is not positive.
func perSecond(n int, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(n) * float64(time.Second) / float64(d))
}
