package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// rack finds losses by time (RFC 8985): a segment that was sent some time before
// one that arrived is lost, whether it was sent once or more often. "Some time"
// is the reordering window, which adapts to what the path does.
type rack struct {
	rackMemory

	// The segment sent last among those that arrived.
	sentAt Time
	end    seqnum.Value

	fack       seqnum.Value // the highest that arrived
	dsackRound seqnum.Value // a DSACK counts once until an ACK passes it
	dsacked    bool         // dsackRound is in force
}

// rackMemory is what rack knows of the path.
type rackMemory struct {
	rtt       time.Duration // of the segment delivered last
	tick      time.Duration // of the caller's clock
	reordered bool          // the path was seen to reorder
	patient   bool          // a tail loss probe was needless: wait longer
	mult      uint8         // of the reordering window
	persist   uint8         // recoveries until mult falls back to 1
}

// reoPersist is how many recoveries a widened reordering window lasts (RFC
// 8985, Section 6.2, step 4).
const reoPersist = 16

// maxTick is the coarsest clock that is thought of: 1/64 s, as some systems
// have it.
const maxTick = 16 * time.Millisecond

// sentAfter reports whether the transmission (at, end) is later than (b, bEnd), RFC
// 8985's RACK_sent_after: of what was sent at one time, the later bytes.
func sentAfter(at Time, end seqnum.Value, b Time, bEnd seqnum.Value) bool {
	return at > b || (at == b && bEnd.Less(end))
}

// arrived takes the segment sent last among those an ACK delivered, and the
// round-trip time of the one it delivered last (Section 6.2, step 2). They differ
// where an ACK answers a segment that went again and first copies behind it, which
// tell how long ACKs may take now.
func (r *rack) arrived(now Time, sentAt Time, end seqnum.Value, rtt time.Duration) {
	r.rtt = rtt
	r.noteTick(now.Sub(sentAt))
	if r.sentAt != 0 {
		r.noteTick(sentAt.Sub(r.sentAt))
	}
	if sentAfter(sentAt, end, r.sentAt, r.end) {
		r.sentAt, r.end = sentAt, end
	}
}

// noteTick learns how coarse the caller's clock is: the time between any two
// moments is a multiple of its tick. With a clock that is fine that is as good as
// nothing after two or three.
func (r *rack) noteTick(d time.Duration) {
	if r.tick == 1 || d <= 0 {
		return
	}
	a, b := r.tick, d
	for b > time.Microsecond {
		a, b = b, a%b
	}
	if b != 0 || a <= time.Microsecond {
		a = 1
	}
	r.tick = a
}

// coarse is how much two times that were read may be wrong against each other.
func (r *rack) coarse() time.Duration {
	if r.tick <= 1 || r.tick > maxTick {
		return 0
	}
	return r.tick + 1
}

// duplicate widens the window: a DSACK says that a segment went again for
// nothing (Section 6.2, step 4), at most once in a round trip.
func (r *rack) duplicate(una, nxt seqnum.Value) {
	if r.dsacked && una.Less(r.dsackRound) {
		return
	}
	r.dsacked, r.dsackRound = true, nxt
	r.mult = min(max(r.mult, 1)+1, 254)
	r.persist = reoPersist
}

// recovered counts a recovery that came to its end.
func (r *rack) recovered() {
	if r.persist > 0 {
		if r.persist--; r.persist == 0 {
			r.mult = 1
		}
	}
}

// window is the reordering window (Section 6.2, step 4). None, while the path
// is not known to reorder, once that many segments arrived, or a loss is being
// repaired, that fast retransmit would act as well.
func (r *rack) window(urgent bool, minRTT, srtt time.Duration) time.Duration {
	if !r.reordered && urgent {
		return 0
	}
	return min(time.Duration(max(r.mult, 1))*(minRTT/4), srtt) + r.coarse()
}

// scanAhead bounds how far detect looks for the last of what might be lost.
const scanAhead = 64

// detect marks as lost what was sent before the segment that r knows to have
// arrived, and longer ago than a round trip and window. It returns how long it
// takes until the rest of that is, 0 if there is none (Section 6.2, step 5).
// lose hears of each record, before it is marked.
func (r *rack) detect(now Time, b *scoreboard, window time.Duration, lose func(*sentRecord)) time.Duration {
	cutoff := now.Add(-r.rtt - window) // what was sent later than that has time
	wait := r.detectOriginals(b, cutoff, lose)
	return max(wait, r.detectResends(b, cutoff, lose))
}

// detectOriginals looks at what was sent once: it is in the order of time.
func (r *rack) detectOriginals(b *scoreboard, cutoff Time, lose func(*sentRecord)) (wait time.Duration) {
	steps := 0
	for i := b.find(b.settled); i < b.n && steps < scanAhead; {
		k := b.at(i)
		switch {
		case k.has(recSacked):
			i = b.find(b.rangeEnd(k.start))
			continue
		case k.has(recLost | recResent):
			i++
			continue
		case !sentAfter(r.sentAt, r.end, k.sentAt, k.end):
			if wait == 0 {
				b.settled = k.start
			}
			return wait
		case k.sentAt <= cutoff:
			lose(k)
			b.lose(i)
		default:
			if wait == 0 {
				b.settled = k.start
			}
			wait = max(wait, k.sentAt.Sub(cutoff))
			steps++
		}
		i++
	}
	if wait == 0 && b.n > 0 {
		b.settled = b.end()
	}
	return wait
}

// detectResends looks at what was sent again, in the order of time.
func (r *rack) detectResends(b *scoreboard, cutoff Time, lose func(*sentRecord)) (wait time.Duration) {
	for b.resendHead < len(b.resends) {
		e := &b.resends[b.resendHead]
		if !sentAfter(r.sentAt, r.end, e.sentAt, e.end) {
			return 0
		}
		pending := false
		for i := b.find(e.start); i < b.n && b.at(i).start.Less(e.end); i++ {
			k := b.at(i)
			if k.sentAt != e.sentAt || !k.has(recResent) || k.has(recSacked|recLost) {
				continue
			}
			if k.sentAt > cutoff {
				pending = true
				continue
			}
			lose(k)
			b.lose(i)
		}
		if pending {
			return e.sentAt.Sub(cutoff)
		}
		b.resendHead++
	}
	b.resends, b.resendHead = b.resends[:0], 0
	return 0
}
