package tcp

import (
	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// sendBuffer holds the bytes from SND.UNA on: sent and unacknowledged, then
// not yet sent. Segments refer to its blocks.
type sendBuffer struct {
	chunkQueue
	size int // bytes

	// The place of the last slice, where the next one usually begins: chunk
	// index and the offset of that chunk's first byte.
	at, atOffset int
}

// write copies p and returns its length.
func (b *sendBuffer) write(p []byte) int {
	n := len(p)
	for len(p) > 0 {
		if b.empty() || room(b.tail()) == 0 {
			// Small blocks at first, large ones in bulk.
			k := block.Get(min(max(len(p), b.size), block.Large))
			b.at -= b.push(block.Chunk{Block: k, Data: k.Bytes()[:0]})
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
	b.size -= n
	if b.size == 0 {
		b.clear()
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
	b.size, b.at, b.atOffset = 0, 0, 0
}
