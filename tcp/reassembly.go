package tcp

import (
	"slices"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// maxRanges bounds the ranges of out-of-order data of one connection, so that
// a peer that sends every other byte costs little.
const maxRanges = 1024

// reassembly keeps what came out of order, as disjoint ranges in sequence
// order with gaps between them, and what the SACK option has to tell of it.
type reassembly struct {
	ranges []oooRange
	size   int // bytes

	// recent are places inside the ranges reported last, latest first
	// (RFC 2018, Section 4).
	recent    [4]seqnum.Value
	numRecent int

	// dup is the duplicate to be reported once (RFC 2883, Section 4).
	dup    wire.SACKBlock
	hasDup bool
}

type oooRange struct {
	start, end seqnum.Value
	data       recvBuffer
}

// gap reports whether [from, to) lies in a gap, not before next: something later
// is here, and nothing of it.
func (r *reassembly) gap(next, from, to seqnum.Value) bool {
	if from.Less(next) {
		return false
	}
	i := r.search(from)
	if i < len(r.ranges) && r.ranges[i].end == from {
		i++
	}
	return i < len(r.ranges) && to.LessEq(r.ranges[i].start)
}

// insert adds n bytes in chunks, which begin at seq and lie in the window. Bytes
// that are there already win over the new ones. It reports false when it would
// take a range more than the limit.
func (r *reassembly) insert(seq seqnum.Value, chunks []block.Chunk, n, limit int) bool {
	end := seq.Add(seqnum.Size(n))
	// ranges[i:j] touch or overlap [seq, end).
	i := r.search(seq)
	j := i
	for j < len(r.ranges) && r.ranges[j].start.LessEq(end) {
		j++
	}
	if i == j {
		if len(r.ranges) >= limit {
			return false
		}
		r.ranges = slices.Insert(r.ranges, i, oooRange{start: seq, end: seq})
		j++
	} else {
		r.noteDuplicate(seq, end, r.ranges[i:j])
	}
	src := source{seq: seq, chunks: chunks}
	// What is new goes behind the first range, and behind each one it reaches.
	o := &r.ranges[i]
	if seq.Less(o.start) {
		before := oooRange{start: seq, end: seq}
		r.size += src.copyTo(&before.data, seq, seqnum.Min(end, o.start))
		before.data.join(&o.data)
		before.end = o.end
		*o = before
	}
	for k := i + 1; k < j; k++ {
		next := &r.ranges[k]
		r.size += src.copyTo(&o.data, o.end, next.start)
		o.data.join(&next.data)
		o.end = next.end
	}
	if o.end.Less(end) {
		r.size += src.copyTo(&o.data, o.end, end)
		o.end = end
	}
	r.ranges = slices.Delete(r.ranges, i+1, j)
	r.note(seq)
	return true
}

// overlaps reports whether the first range begins before end or at it.
func (r *reassembly) overlaps(end seqnum.Value) bool {
	return len(r.ranges) > 0 && r.ranges[0].start.LessEq(end)
}

// holds reports whether the byte at seq is here.
func (r *reassembly) holds(seq seqnum.Value) bool {
	i := r.search(seq.Add(1))
	return i < len(r.ranges) && r.ranges[i].start.LessEq(seq)
}

// search returns the index of the first range that ends at seq or after it.
func (r *reassembly) search(seq seqnum.Value) int {
	lo, hi := 0, len(r.ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if r.ranges[mid].end.Less(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// source reads bytes of a segment in order, by sequence number.
type source struct {
	seq    seqnum.Value
	chunks []block.Chunk
}

// copyTo appends the bytes of [from, to) to dst and returns how many.
func (s *source) copyTo(dst *recvBuffer, from, to seqnum.Value) int {
	for _, c := range s.chunksIn(from, to) {
		dst.append(c)
	}
	return int(to.Sub(from))
}

// chunksIn returns the chunks of [from, to) and forgets what comes before to.
func (s *source) chunksIn(from, to seqnum.Value) []block.Chunk {
	s.chunks = skip(s.chunks, int(from.Sub(s.seq)))
	head, rest := split(s.chunks, int(to.Sub(from)))
	s.chunks, s.seq = rest, to
	return head
}

// skip returns the chunks without their first n bytes.
func skip(chunks []block.Chunk, n int) []block.Chunk {
	_, rest := split(chunks, n)
	return rest
}

// split cuts the chunks after n bytes. The given slice is left alone.
func split(chunks []block.Chunk, n int) (head, rest []block.Chunk) {
	for i, c := range chunks {
		switch {
		case n == 0:
			return chunks[:i], chunks[i:]
		case n < len(c.Data):
			head = append(slices.Clone(chunks[:i]), block.Chunk{Block: c.Block, Data: c.Data[:n]})
			rest = slices.Clone(chunks[i:])
			rest[0].Data = c.Data[n:]
			return head, rest
		}
		n -= len(c.Data)
	}
	return chunks, nil
}

// noteDuplicate remembers the first part of [seq, end) that is queued already,
// unless what the segment has before that was a duplicate, too.
func (r *reassembly) noteDuplicate(seq, end seqnum.Value, ranges []oooRange) {
	if r.hasDup && r.dup.Right == seq {
		return
	}
	for i := range ranges {
		left, right := seqnum.Max(seq, ranges[i].start), seqnum.Min(end, ranges[i].end)
		if left.Less(right) {
			r.dup, r.hasDup = wire.SACKBlock{Left: left, Right: right}, true
			return
		}
	}
}

// note puts the range that holds seq first among those reported.
func (r *reassembly) note(seq seqnum.Value) {
	k := r.ranges[r.search(seq.Add(1))]
	n := 1
	keep := [4]seqnum.Value{seq}
	for _, s := range r.recent[:r.numRecent] {
		if n < len(keep) && !s.In(k.start, k.end.Sub(k.start)) {
			keep[n] = s
			n++
		}
	}
	r.recent, r.numRecent = keep, n
}

// take removes the bytes at next, if the first range begins there or before,
// and appends them to dst. It returns the sequence number after them.
func (r *reassembly) take(next seqnum.Value, dst *recvBuffer) seqnum.Value {
	n := 0
	for n < len(r.ranges) && r.ranges[n].start.LessEq(next) {
		o := &r.ranges[n]
		n++
		r.size -= o.data.size
		if o.end.LessEq(next) {
			o.data.clear()
			continue
		}
		o.data.discard(int(next.Sub(o.start)))
		dst.join(&o.data)
		next = o.end
	}
	r.ranges = slices.Delete(r.ranges, 0, n)
	if len(r.ranges) == 0 {
		r.ranges, r.numRecent = nil, 0
	}
	return next
}

// blocks fills o with the SACK blocks to be sent, at most room of them: a
// duplicate first, then the ranges, the one that the last segment went to
// first (RFC 2018, Section 4; RFC 2883, Section 4).
func (r *reassembly) blocks(o *wire.Options, room int) {
	if r.hasDup && room > 0 {
		o.SACK[0], o.NumSACK = r.dup, 1
		r.hasDup = false
	}
	for _, seq := range r.recent[:r.numRecent] {
		if int(o.NumSACK) >= room {
			return
		}
		i := r.search(seq.Add(1))
		if i == len(r.ranges) || !seq.In(r.ranges[i].start, r.ranges[i].end.Sub(r.ranges[i].start)) {
			continue
		}
		o.SACK[o.NumSACK] = wire.SACKBlock{Left: r.ranges[i].start, Right: r.ranges[i].end}
		o.NumSACK++
	}
}

// pending reports whether there is anything for the SACK option.
func (r *reassembly) pending() bool { return r.hasDup || len(r.ranges) > 0 }

func (r *reassembly) clear() {
	for i := range r.ranges {
		r.ranges[i].data.clear()
	}
	*r = reassembly{}
}
