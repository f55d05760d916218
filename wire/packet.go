package wire

import "github.com/trivet-net/trivet/internal/block"

// MaxHeader is the room for headers inside a Packet, in bytes: IPv6 and TCP
// with full options, with room to spare.
const MaxHeader = 128

// ChecksumState says what is known of a packet's transport checksum.
type ChecksumState uint8

const (
	// ChecksumUnknown: the field holds what came from the wire (the receiver
	// checks it), or, on a packet to be sent, a complete checksum.
	ChecksumUnknown ChecksumState = iota
	// ChecksumPartial: the field holds the folded, not complemented sum of the
	// pseudo-header alone, as virtio-net and Linux's CHECKSUM_PARTIAL have it.
	// Whoever cuts or sends the packet completes it.
	ChecksumPartial
	// ChecksumValid: the link vouches for the checksum; it is not looked at.
	ChecksumValid
)

// Packet is an IP packet on its way between a link and an engine: headers,
// then payload by reference.
//
// The headers are contiguous. They are either in the packet itself (Header,
// SetHeader), with all of Payload after them, or, when the packet itself holds
// none, at the start of the first chunk of Payload, as a device fills it.
//
// A Packet does not own what its chunks refer to unless a method says so: Hold
// takes a reference to every chunk, Release gives them back and empties the
// packet. Its slices are reused, so a Packet is not copied with "="; see CopyTo.
type Packet struct {
	Payload []block.Chunk

	// SegSize is the payload size in bytes of each segment on the wire but the
	// last when the packet is a super-segment, else 0.
	SegSize int

	Checksum ChecksumState

	// Link is the index of the interface the packet leaves by or came in by.
	Link int

	n   uint8
	hdr [MaxHeader]byte
}

// Header returns the headers that the packet itself holds; empty when they
// are at the start of the payload.
func (p *Packet) Header() []byte { return p.hdr[:p.n] }

// SetHeader makes room for n bytes of headers in the packet itself and returns
// them to be filled; they are not cleared. n is at most MaxHeader.
func (p *Packet) SetHeader(n int) []byte {
	p.n = uint8(n)
	return p.hdr[:n]
}

// Contiguous returns the first contiguous bytes of the packet, which hold at
// least its headers if the packet is well formed.
func (p *Packet) Contiguous() []byte {
	if p.n > 0 {
		return p.hdr[:p.n]
	}
	if len(p.Payload) > 0 {
		return p.Payload[0].Data
	}
	return nil
}

// Len returns the length of the packet in bytes, headers included.
func (p *Packet) Len() int {
	n := int(p.n)
	for _, c := range p.Payload {
		n += len(c.Data)
	}
	return n
}

// AppendTo appends the packet's bytes to dst, headers included.
func (p *Packet) AppendTo(dst []byte) []byte {
	dst = append(dst, p.hdr[:p.n]...)
	for _, c := range p.Payload {
		dst = append(dst, c.Data...)
	}
	return dst
}

// SetBytes makes the packet stand for the bytes of b, headers first. The bytes
// are borrowed for as long as the packet is used.
func (p *Packet) SetBytes(b []byte) {
	p.Reset()
	p.Payload = append(p.Payload, block.Chunk{Data: b})
}

// SetChunk makes the packet stand for the bytes of c, headers first. A
// reference to c's block passes to the packet: Release gives it back.
func (p *Packet) SetChunk(c block.Chunk) {
	p.Reset()
	p.Payload = append(p.Payload, c)
}

// Reset empties the packet without giving references back.
func (p *Packet) Reset() {
	clear(p.Payload)
	p.Payload = p.Payload[:0]
	p.SegSize, p.Checksum, p.Link, p.n = 0, ChecksumUnknown, 0, 0
}

// Hold takes a reference to every chunk of the payload.
func (p *Packet) Hold() {
	for _, c := range p.Payload {
		c.Ref()
	}
}

// Release gives the references to all chunks back and empties the packet.
func (p *Packet) Release() {
	for _, c := range p.Payload {
		c.Release()
	}
	p.Reset()
}

// CopyTo makes dst the same packet, sharing the payload, with a reference of
// dst's own to every chunk. Chunks without a block are copied into one.
func (p *Packet) CopyTo(dst *Packet) {
	dst.Reset()
	dst.SegSize, dst.Checksum, dst.Link, dst.n = p.SegSize, p.Checksum, p.Link, p.n
	copy(dst.hdr[:p.n], p.hdr[:p.n])
	for _, c := range p.Payload {
		dst.Payload = append(dst.Payload, own(c))
	}
}

// own returns c with a reference of the caller's own, its bytes copied into a
// block if they are in none.
func own(c block.Chunk) block.Chunk {
	if c.Block != nil {
		c.Block.Ref()
		return c
	}
	b := block.Get(len(c.Data))
	return block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), c.Data)]}
}

// Batch is a reusable list of packets.
type Batch struct {
	Packets []Packet
}

// Next adds an empty packet and returns it. The pointer is good until the
// next call of Next.
func (b *Batch) Next() *Packet {
	if n := len(b.Packets); n < cap(b.Packets) {
		b.Packets = b.Packets[:n+1]
		p := &b.Packets[n]
		p.Reset()
		return p
	}
	b.Packets = append(b.Packets, Packet{})
	return &b.Packets[len(b.Packets)-1]
}

// Len returns the number of packets.
func (b *Batch) Len() int { return len(b.Packets) }

// Reset empties the batch without giving references back; for packets that
// own references, see Release.
func (b *Batch) Reset() { b.Packets = b.Packets[:0] }

// Release gives back the references of every packet and empties the batch.
func (b *Batch) Release() {
	for i := range b.Packets {
		b.Packets[i].Release()
	}
	b.Packets = b.Packets[:0]
}
