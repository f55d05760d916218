package drill

import (
	"math"

	"github.com/trivet-net/trivet/tcp"
)

// zerocopies are the writes with MSG_ZEROCOPY of a socket whose memory is not
// free yet, in order. The stack copies what is written, as a kernel may, and says
// so with each notice; it keeps the copy until the peer has acknowledged it,
// which is what a notice tells.
type zerocopies struct {
	next    uint32 // the number of the next write
	pending []zerocopy
}

type zerocopy struct{ id, end uint32 } // the sequence number after its last byte

// wantsZerocopy reports whether a write asks for a notice.
func (s *socket) wantsZerocopy(flags int64) bool {
	return s.values["SO_ZEROCOPY"] != 0 && flags&constants["MSG_ZEROCOPY"] != 0
}

// add numbers a write that ends before end.
func (z *zerocopies) add(end uint32) {
	z.pending = append(z.pending, zerocopy{z.next, end})
	z.next++
}

// freeZerocopies tells of the writes that are acknowledged up to una, or that
// never will be, in one notice if nothing else came between.
func (s *socket) freeZerocopies(una uint32) {
	z := &s.copies
	over := s.conn.State() == tcp.StateClosed
	for len(z.pending) > 0 && (over || int32(una-z.pending[0].end) >= 0) {
		s.errors.zerocopied(z.pending[0].id)
		z.pending = z.pending[1:]
	}
}

// zerocopied tells that write id is done. The notices of writes that follow one
// another become one, of which the last is the end.
func (q *errorQueue) zerocopied(id uint32) {
	origin := constants["SO_EE_ORIGIN_ZEROCOPY"]
	if n := q.last(); n != nil && n.origin == origin && n.data+1 == id && n.data != math.MaxUint32 {
		n.data = id
		q.told++
		return
	}
	q.put(notice{origin: origin, code: constants["SO_EE_CODE_ZEROCOPY_COPIED"], info: id, data: id})
}
