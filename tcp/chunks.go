package tcp

import (
	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/internal/pool"
)

// chunkQueue is a queue of chunks, each with a reference of its own. An empty
// queue holds no block and, once it was cleared, no list: an idle connection has
// but the pointer. All that is in the list must not be looked at then.
type chunkQueue struct{ *chunkList }

type chunkList struct {
	chunks []block.Chunk
	head   int // chunks before head are gone
	pinned int // bytes of the blocks that chunks are in

	sendPlaces
	owned bool // in a recvBuffer: the last chunk's block is ours alone, bytes may be added
}

// The memory of a list, in chunks: at the beginning, and what a pool keeps at
// most.
const (
	minChunks  = 4
	keepChunks = 64
)

var chunkLists pool.Of[chunkList]

func (q *chunkQueue) empty() bool { return q.chunkList == nil || q.head == len(q.chunks) }

// pins returns the bytes of the blocks that the chunks are in.
func (q *chunkQueue) pins() int {
	if q.chunkList == nil {
		return 0
	}
	return q.pinned
}

// tail returns the last chunk of a queue that is not empty.
func (q *chunkQueue) tail() *block.Chunk { return &q.chunks[len(q.chunks)-1] }

// push adds c, which brings its reference. It returns by how many places the
// chunks moved forward in the slice.
func (q *chunkQueue) push(c block.Chunk) (moved int) {
	if q.chunkList == nil {
		q.chunkList = chunkLists.Get()
		if q.chunks == nil {
			q.chunks = make([]block.Chunk, 0, minChunks)
		}
	}
	if len(q.chunks) == cap(q.chunks) && q.head > 0 && q.head >= len(q.chunks)/2 {
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		moved = q.head
		q.chunks, q.head = q.chunks[:n], 0
	}
	q.chunks = append(q.chunks, c)
	q.pinned += pins(c)
	return moved
}

// pop releases the first chunk.
func (q *chunkQueue) pop() {
	q.pinned -= pins(q.chunks[q.head])
	q.chunks[q.head].Release()
	q.chunks[q.head] = block.Chunk{}
	q.head++
}

// drain releases all chunks and keeps the list, for there will be more soon; but
// not the memory of a long one.
func (q *chunkQueue) drain() {
	if q.chunkList == nil {
		return
	}
	for i := q.head; i < len(q.chunks); i++ {
		q.chunks[i].Release()
		q.chunks[i] = block.Chunk{}
	}
	if cap(q.chunks) > keepChunks {
		q.chunkList = nil
		return
	}
	*q.chunkList = chunkList{chunks: q.chunks[:0]}
}

// clear releases all chunks and gives the list back.
func (q *chunkQueue) clear() {
	if q.drain(); q.chunkList != nil {
		chunkLists.Put(q.chunkList)
		q.chunkList = nil
	}
}

// pins returns the bytes that a chunk keeps from being used otherwise.
func pins(c block.Chunk) int {
	if c.Block == nil {
		return len(c.Data)
	}
	return c.Block.Cap()
}

// room returns the free bytes of a chunk at the end of a block that only its
// owner adds to.
func room(c *block.Chunk) int { return cap(c.Data) - len(c.Data) }

// keep returns a chunk with the same bytes as d that may be kept: a reference
// when d fills a good part of its block, else a copy into a block of at least
// size bytes, so that a small segment never pins a large block. It reports
// whether the block is the caller's alone.
func keep(d block.Chunk, size int) (c block.Chunk, owned bool) {
	if d.Block != nil && 4*len(d.Data) >= d.Block.Cap() {
		d.Block.Ref()
		return d, false
	}
	b := block.Get(max(len(d.Data), size))
	n := copy(b.Bytes(), d.Data)
	return block.Chunk{Block: b, Data: b.Bytes()[:n]}, true
}
