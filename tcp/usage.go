package tcp

import "github.com/trivet-net/trivet/seqnum"

// usage remembers how much of the congestion window was in use, since credit
// that is not used says nothing about the path (RFC 7661, Section 4.3).
type usage struct {
	peak    int          // most bytes in flight in the present round
	end     seqnum.Value // an ACK of it ends the round
	limited bool         // the congestion window is what holds sending back now
}

// sent tells of new data, which makes flight bytes outstanding, up to nxt.
func (u *usage) sent(una, nxt seqnum.Value, flight int) {
	if flight > u.peak || u.end.LessEq(una) {
		u.peak, u.end = flight, nxt
	}
}

// mayGrow reports whether an ACK may grow the window: in slow start while the
// flight of the round used half of it, which the next round doubles.
func (u *usage) mayGrow(window, threshold int) bool {
	return u.limited || (window < threshold && 2*u.peak > window)
}
