package capture

import (
	"bytes"
	"hash/maphash"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// recent knows the packets of the last moments, to find those that a capture
// has twice: a mirror port shows a packet when it enters a switch and when it
// leaves, and a capture on every interface has it once for each that it passed.
type recent struct {
	seed maphash.Seed
	ring [64]sight
	next int
	buf  []byte
}

type sight struct {
	at  tcp.Time
	sum uint64
}

// How long after the first time a packet is taken for the same one. A sender
// that repeats a packet gives it another identification, if it gives any.
const (
	sameID = 5 * time.Millisecond
	noID   = 50 * time.Microsecond
)

// again reports whether the packet, from its IP header on, was seen just before.
func (r *recent) again(at tcp.Time, data []byte) bool {
	const ttl, checksum, hops = 8, 10, 7
	within := noID
	r.buf = append(r.buf[:0], data...)
	switch {
	case len(data) >= 20 && data[0]>>4 == 4:
		if !bytes.Equal(data[4:6], []byte{0, 0}) {
			within = sameID
		}
		r.buf[ttl], r.buf[checksum], r.buf[checksum+1] = 0, 0, 0 // a router changes them
	case len(data) >= 40 && data[0]>>4 == 6:
		r.buf[hops] = 0
	default:
		return false
	}
	if r.next == 0 {
		r.seed = maphash.MakeSeed()
	}
	s := sight{at, maphash.Bytes(r.seed, r.buf)}
	for i := range min(r.next, len(r.ring)) {
		old := &r.ring[i]
		if old.sum == s.sum && at >= old.at && at.Sub(old.at) <= within {
			return true
		}
	}
	r.ring[r.next%len(r.ring)] = s
	r.next++
	return false
}
