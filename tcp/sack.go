package tcp

import (
	"slices"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// maxSackRanges bounds the ranges between holes that are kept: a peer that
// reports every other segment costs no more than this. What it reports beyond
// counts as not received, which is always safe (RFC 2018, Section 8).
const maxSackRanges = 4096

// seqRange is [start, end).
type seqRange struct{ start, end seqnum.Value }

// sack takes a SACK block: [left, right) arrived (RFC 2018, Section 3). What it
// has of a segment in part does not count, as the segment goes again whole. It
// reports whether it told anything new.
func (b *scoreboard) sack(left, right seqnum.Value, d *delivery) bool {
	if b.n == 0 {
		return false
	}
	left = seqnum.Max(left, b.at(0).start)
	if r := b.at(b.find(left)); r.start.Less(left) {
		off, size := left.Diff(r.start), int(r.size)
		left = seqnum.Min(r.start.Add(seqnum.Size((off+size-1)/size*size)), r.end)
	}
	if r := b.at(b.find(right.Add(^seqnum.Size(0)))); right.Less(r.end) {
		size := int(r.size)
		right = r.start.Add(seqnum.Size(right.Diff(r.start) / size * size))
	}
	if !left.Less(right) {
		return false
	}
	i := b.searchRange(left)
	if i < len(b.ranges) && b.ranges[i].start.LessEq(left) && right.LessEq(b.ranges[i].end) {
		return false
	}
	j, at := i, left
	for j < len(b.ranges) && b.ranges[j].start.LessEq(right) {
		b.markSacked(at, b.ranges[j].start, d)
		at = b.ranges[j].end
		j++
	}
	if i == j && len(b.ranges) >= maxSackRanges {
		return false
	}
	b.markSacked(at, right, d)
	if i == j {
		b.ranges = slices.Insert(b.ranges, i, seqRange{left, right})
		return true
	}
	b.ranges[i] = seqRange{seqnum.Min(left, b.ranges[i].start), seqnum.Max(right, b.ranges[j-1].end)}
	b.ranges = slices.Delete(b.ranges, i+1, j)
	return true
}

// markSacked marks the records of [from, to), of which none is marked yet.
func (b *scoreboard) markSacked(from, to seqnum.Value, d *delivery) {
	if !from.Less(to) {
		return
	}
	i := b.find(from)
	if b.at(i).start != from {
		b.split(i, from)
		i++
	}
	for ; i < b.n && b.at(i).start.Less(to); i++ {
		if to.Less(b.at(i).end) {
			b.split(i, to)
		}
		r := b.at(i)
		if r.has(recLost) {
			b.lost -= r.len()
		}
		d.deliver(r)
		r.flags = r.flags&^recLost | recSacked
		b.sacked += r.len()
		b.sackedSegs += r.segments()
	}
}

// searchRange returns the index of the first range that ends at seq or after.
func (b *scoreboard) searchRange(seq seqnum.Value) int {
	lo, hi := 0, len(b.ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if b.ranges[mid].end.Less(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// rangeEnd returns the end of the range that holds seq.
func (b *scoreboard) rangeEnd(seq seqnum.Value) seqnum.Value {
	return b.ranges[b.searchRange(seq.Add(1))].end
}

// trimRanges forgets what lies before una.
func (b *scoreboard) trimRanges(una seqnum.Value) {
	n := 0
	for n < len(b.ranges) && b.ranges[n].end.LessEq(una) {
		n++
	}
	b.ranges = slices.Delete(b.ranges, 0, n)
	if len(b.ranges) > 0 {
		b.ranges[0].start = seqnum.Max(b.ranges[0].start, una)
	}
}

// forget unmarks all that is SACKed: the peer dropped what it had reported
// (RFC 2018, Section 8).
func (b *scoreboard) forget() {
	for i := range b.n {
		b.at(i).flags &^= recSacked
	}
	b.sacked, b.sackedSegs, b.ranges = 0, 0, b.ranges[:0]
	b.settled = b.at(0).start
}

// takeSack takes the SACK blocks of seg. Blocks that cannot be true are
// ignored; the first may report a duplicate (RFC 2883, Section 5).
func (c *Conn) takeSack(seg *wire.Segment, d *delivery) {
	blocks := seg.Options.SACK[:seg.Options.NumSACK]
	if len(blocks) > 0 && c.duplicateReport(seg.Ack, blocks) {
		d.dsack = blocks[0]
		blocks = blocks[1:]
	}
	for _, k := range blocks {
		if c.sent == nil || !c.sentRange(k, c.snd.una) {
			continue
		}
		if c.sent.sack(k.Left, k.Right, d) {
			d.news = true
			d.high = seqnum.Max(d.high, k.Right)
		}
	}
}

// sentRange reports whether k is a range of what was sent, not before from. The
// distances from there are compared, not the numbers: of two that lie half of the
// space apart each is before the other, so that a block as long would seem to be
// in order, and between any two.
func (c *Conn) sentRange(k wire.SACKBlock, from seqnum.Value) bool {
	left, right := k.Left.Sub(from), k.Right.Sub(from)
	return left < right && right <= c.snd.nxt.Sub(from)
}

// duplicateReport reports whether the first block is a DSACK: it lies before
// the ACK, or inside the second block (RFC 2883, Section 5). One from further
// back than the peer's largest window is no news.
func (c *Conn) duplicateReport(ack seqnum.Value, blocks []wire.SACKBlock) bool {
	k, oldest := blocks[0], c.snd.una.Add(1-max(c.snd.maxWnd, 1<<16))
	if !c.sentRange(k, oldest) {
		return false
	}
	if k.Right.LessEq(ack) {
		return true
	}
	return len(blocks) > 1 && c.sentRange(blocks[1], oldest) &&
		blocks[1].Left.LessEq(k.Left) && k.Right.LessEq(blocks[1].Right)
}
