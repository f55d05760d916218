package tcp

import "github.com/trivet-net/trivet/internal/block"

// recvBuffer is a run of received bytes: those that the user has not read, or
// one range of those that came out of order.
type recvBuffer struct {
	chunkQueue
	size int // bytes
}

// append adds the bytes of d, by reference or by copy (see keep).
func (b *recvBuffer) append(d block.Chunk) {
	if len(d.Data) == 0 {
		return
	}
	b.size += len(d.Data)
	if !b.empty() && room(b.tail()) >= len(d.Data) {
		tail := b.tail()
		if d.Follows(*tail) {
			tail.Data = tail.Data[:len(tail.Data)+len(d.Data)]
			return
		}
		if b.owned {
			tail.Data = append(tail.Data, d.Data...)
			return
		}
	}
	// A copy goes into a small block, and into a larger one only when it has
	// filled one: what a few bytes pin stays in proportion.
	size := block.Small
	if !b.empty() && b.owned {
		size = block.Medium
	}
	c, owned := keep(d, size)
	b.push(c)
	b.owned = owned
}

// join moves all bytes of o behind those of b; o is empty afterwards.
func (b *recvBuffer) join(o *recvBuffer) {
	switch {
	case o.size == 0:
	case b.size == 0:
		b.clear()
		*b = *o
	default:
		for _, c := range o.chunks[o.head:] {
			b.push(c)
		}
		b.size += o.size
		b.owned = o.owned
	}
	*o = recvBuffer{}
}

// read moves bytes to p and returns how many.
func (b *recvBuffer) read(p []byte) int {
	n := 0
	for n < len(p) && !b.empty() {
		c := &b.chunks[b.head]
		m := copy(p[n:], c.Data)
		n += m
		if m < len(c.Data) {
			c.Data = c.Data[m:]
			break
		}
		b.pop()
	}
	if b.size -= n; b.size == 0 {
		b.drain()
	}
	return n
}

// peek copies bytes to p, leaves them, and returns how many.
func (b *recvBuffer) peek(p []byte) int {
	if b.empty() {
		return 0
	}
	n := 0
	for _, c := range b.chunks[b.head:] {
		if n += copy(p[n:], c.Data); n == len(p) {
			break
		}
	}
	return n
}

// clear drops everything.
func (b *recvBuffer) clear() {
	b.chunkQueue.clear()
	b.size = 0
}

// discard drops the first n bytes.
func (b *recvBuffer) discard(n int) {
	b.size -= n
	for n > 0 && n >= len(b.chunks[b.head].Data) {
		n -= len(b.chunks[b.head].Data)
		b.pop()
	}
	if n > 0 {
		b.chunks[b.head].Data = b.chunks[b.head].Data[n:]
	}
}
