package tcp

import "time"

// rate estimates the delivery rate (draft-ietf-ccwg-bbr, Section 4.1): from the
// sending of a segment to the ACK that delivers it, how much was delivered, in
// how much time; and that time is the longer of those which the sending and the
// acknowledging took, since ACKs may come compressed.
type rate struct {
	rateMemory
	deliveredAt Time // when delivered grew last
	firstSentAt Time // of the segment that the last sample is from
}

// rateMemory is what rate knows of the path.
type rateMemory struct {
	delivered  uint64 // bytes, in the life of the connection
	lost       uint64 // bytes thought lost, likewise
	appLimited uint64 // until so much is delivered samples are application-limited; 0: they are not

	// The last sample that says something about the path, for Info.
	lastInterval   time.Duration
	last           uint32 // bytes
	lastAppLimited bool
}

// txState is what rate notes with each transmission.
type txState struct {
	delivered, lost          uint64
	deliveredAt, firstSentAt Time
	inFlight                 int32 // bytes, this transmission included
	appLimited               bool
}

// sent returns the note for a transmission of n bytes while inFlight are in
// flight. With nothing in flight the clocks of the sample begin.
func (r *rate) sent(now Time, n, inFlight int) txState {
	if inFlight == 0 {
		r.firstSentAt, r.deliveredAt = now, now
	}
	return txState{
		delivered: r.delivered, lost: r.lost,
		deliveredAt: r.deliveredAt, firstSentAt: r.firstSentAt,
		inFlight: int32(inFlight + n), appLimited: r.appLimited != 0,
	}
}

// idle tells that data is wanting: what the samples of the bytes now in flight
// will show is not what the path could carry.
func (r *rate) idle(inFlight int) { r.appLimited = max(r.delivered+uint64(inFlight), 1) }

// noteIdle notes that data was wanting until now, if neither the window nor a
// loss held anything back.
func (c *Conn) noteIdle() {
	if flight := c.inFlight(); c.unsent() < c.snd.mss && flight < c.cwnd() && c.lostBytes() == 0 {
		c.rate.idle(flight)
	}
}

// sample makes the sample of an ACK that delivered n bytes; newest is the
// segment sent last among them.
func (r *rate) sample(now Time, newest *sentRecord, n int, minRTT time.Duration) rateSample {
	r.delivered += uint64(n)
	r.deliveredAt = now
	r.firstSentAt = newest.sentAt
	if r.delivered > r.appLimited {
		r.appLimited = 0
	}
	tx := &newest.tx
	s := rateSample{
		delivered:      int(r.delivered - tx.delivered),
		priorDelivered: tx.delivered,
		txInFlight:     int(tx.inFlight),
		lost:           int(r.lost - tx.lost),
		appLimited:     tx.appLimited,
	}
	// One shorter than the round trip shows how the ACKs came, not the path.
	interval := max(newest.sentAt.Sub(tx.firstSentAt), now.Sub(tx.deliveredAt))
	if interval <= 0 || interval < minRTT {
		return s
	}
	s.interval = interval
	// What the application held back is worth telling only if it is more.
	if !s.appLimited || r.perSecond() < perSecond(s.delivered, interval) {
		r.last, r.lastInterval, r.lastAppLimited = uint32(s.delivered), interval, s.appLimited
	}
	return s
}

// perSecond is the last sample in bytes per second, 0 before there is one.
func (r *rate) perSecond() int64 { return perSecond(int(r.last), r.lastInterval) }
