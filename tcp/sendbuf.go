package tcp

import (
	"slices"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// sendBuffer holds the bytes from SND.UNA on: sent and unacknowledged, then
// not yet sent. Segments refer to its blocks.
type sendBuffer struct {
	chunkQueue
	size int // bytes
}

// sendPlaces are places in a sendBuffer that is not empty.
type sendPlaces struct {
	// records are the sequence numbers after the last bytes of records, in order:
	// no segment reaches across one. Few users mark any.
	records []seqnum.Value

	// The place of the last slice, where the next one usually begins: chunk
	// index and the offset of that chunk's first byte.
	at, atOffset int
}

// maxRecords bounds the ends of records that are kept.
const maxRecords = 4096

// endRecord makes end, after the last byte of the buffer, the end of a record.
func (b *sendBuffer) endRecord(end seqnum.Value) {
	if b.size > 0 && len(b.records) < maxRecords {
		b.records = append(b.records, end)
	}
}

// record returns how many of the n bytes from seq on are before the next end of
// a record.
func (b *sendBuffer) record(seq seqnum.Value, n int) int {
	if !b.hasRecords() {
		return n
	}
	i, found := b.findEnd(seq)
	if found {
		i++
	}
	if i < len(b.records) {
		n = min(n, b.records[i].Diff(seq))
	}
	return n
}

// hasRecords reports whether the ends of records are kept.
func (b *sendBuffer) hasRecords() bool { return b.size > 0 && len(b.records) > 0 }

// endsRecord reports whether a record ends at end.
func (b *sendBuffer) endsRecord(end seqnum.Value) bool {
	if !b.hasRecords() {
		return false
	}
	_, found := b.findEnd(end)
	return found
}

// findEnd returns the place of seq, or of the first end after it, in records.
func (b *sendBuffer) findEnd(seq seqnum.Value) (int, bool) {
	return slices.BinarySearchFunc(b.records, seq, func(end, seq seqnum.Value) int { return end.Diff(seq) })
}

// forgetRecords drops the ends up to una.
func (b *sendBuffer) forgetRecords(una seqnum.Value) {
	for b.hasRecords() && b.records[0].LessEq(una) {
		b.records = b.records[1:]
	}
}

// write copies p and returns its length. A new block is at most of size most,
// or as large as p needs.
func (b *sendBuffer) write(p []byte, most int) int {
	n := len(p)
	for len(p) > 0 {
		if b.empty() || room(b.tail()) == 0 {
			// Small blocks at first, large ones in bulk.
			k := block.Get(min(max(len(p), min(b.size, most)), block.Large))
			moved := b.push(block.Chunk{Block: k, Data: k.Bytes()[:0]}) // may be the first
			b.at -= moved
		}
		tail := b.tail()
		old := len(tail.Data)
		tail.Data = tail.Data[:min(old+len(p), cap(tail.Data))]
		p = p[copy(tail.Data[old:], p):]
	}
	b.size += n
	return n
}

// slice appends the n bytes at offset off to seg, by reference.
func (b *sendBuffer) slice(seg *wire.Segment, off, n int) {
	if b.at < b.head || off < b.atOffset {
		b.at, b.atOffset = b.head, 0
	}
	for off >= b.atOffset+len(b.chunks[b.at].Data) {
		b.atOffset += len(b.chunks[b.at].Data)
		b.at++
	}
	for i, start := b.at, off-b.atOffset; n > 0; i, start = i+1, 0 {
		c := b.chunks[i]
		end := min(start+n, len(c.Data))
		seg.Append(block.Chunk{Block: c.Block, Data: c.Data[start:end]})
		n -= end - start
	}
}

// discard drops the first n bytes: they were acknowledged.
func (b *sendBuffer) discard(n int) {
	if b.size -= n; b.size == 0 {
		b.drain()
		return
	}
	b.atOffset -= n
	for n >= len(b.chunks[b.head].Data) {
		n -= len(b.chunks[b.head].Data)
		b.pop()
	}
	b.chunks[b.head].Data = b.chunks[b.head].Data[n:]
	if b.at <= b.head {
		b.at, b.atOffset = b.head, 0
	}
}

// clear drops everything.
func (b *sendBuffer) clear() {
	b.chunkQueue.clear()
	b.size = 0
}
