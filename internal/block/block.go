package block

import (
	"sync"
	"sync/atomic"
)

// The sizes a block can have, in bytes. Large holds a whole IP packet of
// maximum size with room for a link header before it.
const (
	Small  = 2 << 10
	Medium = 16 << 10
	Large  = 64<<10 + 512
)

// Block is a buffer with a count of references.
type Block struct {
	refs atomic.Int32
	pool *sync.Pool
	data []byte
}

var pools [3]sync.Pool

func init() {
	for i, size := range [...]int{Small, Medium, Large} {
		pool := &pools[i]
		pool.New = func() any { return &Block{pool: pool, data: make([]byte, size)} }
	}
}

// Get returns a block of at least n bytes with one reference, which belongs
// to the caller. Its contents are arbitrary. A block over Large is not pooled.
func Get(n int) *Block {
	var b *Block
	switch {
	case n <= Small:
		b = pools[0].Get().(*Block)
	case n <= Medium:
		b = pools[1].Get().(*Block)
	case n <= Large:
		b = pools[2].Get().(*Block)
	default:
		b = &Block{data: make([]byte, n)}
	}
	b.refs.Store(1)
	return b
}

// Bytes returns the whole buffer.
func (b *Block) Bytes() []byte { return b.data }

// Cap returns the size of the buffer in bytes.
func (b *Block) Cap() int { return len(b.data) }

// Ref adds a reference.
func (b *Block) Ref() { b.refs.Add(1) }

// Shared reports whether there is more than one reference.
func (b *Block) Shared() bool { return b.refs.Load() > 1 }

// Release gives one reference back; with the last one the block goes back to
// its pool. A release too many is a broken invariant and panics.
func (b *Block) Release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
	case n == 0:
		if b.pool != nil {
			b.pool.Put(b)
		}
	default:
		panic("block: released more often than referenced")
	}
}

// Chunk is a run of bytes inside a block. A Chunk without a Block is memory
// that only the current call may use: to keep it, copy it.
type Chunk struct {
	Block *Block
	Data  []byte
}

// Ref adds a reference to the chunk's block.
func (c Chunk) Ref() {
	if c.Block != nil {
		c.Block.Ref()
	}
}

// Release gives one reference to the chunk's block back.
func (c Chunk) Release() {
	if c.Block != nil {
		c.Block.Release()
	}
}

// Follows reports whether c begins in memory exactly where prev ends, in the
// same block, so that the two are one run of bytes.
func (c Chunk) Follows(prev Chunk) bool {
	if c.Block == nil || c.Block != prev.Block || len(c.Data) == 0 || cap(prev.Data) <= len(prev.Data) {
		return false
	}
	return &prev.Data[:len(prev.Data)+1][len(prev.Data)] == &c.Data[0]
}
