package sim

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// parcel is what was given to a pipe at once: a packet, or a super-segment
// whose packets, though each meets its own fate, share their bytes.
type parcel struct {
	data   block.Chunk // headers first
	sent   tcp.Time
	number int // of the first packet
	refs   int // packets that are not done with
	count  int // packets

	// Of a super-segment: the lengths of the IP header and of all headers, and
	// of each packet's payload but the last one's.
	ipLen, header, segSize int
	// vouched says that the transport checksum was not computed and need not
	// be looked at.
	vouched bool
}

// parcels are those that are free.
type parcels struct{ free []*parcel }

func (l *parcels) get() *parcel {
	if n := len(l.free); n > 0 {
		p := l.free[n-1]
		l.free = l.free[:n-1]
		return p
	}
	return new(parcel)
}

// done gives up one packet of c.
func (l *parcels) done(c *parcel) {
	if c.refs--; c.refs == 0 {
		c.data.Release()
		l.free = append(l.free, c)
		c.data = block.Chunk{}
	}
}

// plain returns a parcel of one packet. The reference to its block passes.
func (l *parcels) plain(data block.Chunk, number int, now tcp.Time) *parcel {
	c := l.get()
	*c = parcel{data: data, sent: now, number: number, refs: 1, count: 1}
	return c
}

// of returns a parcel of the packet's bytes; of each segment if it is a
// super-segment of TCP.
func (l *parcels) of(p *wire.Packet, number int, now tcp.Time) *parcel {
	c := l.plain(flat(p), number, now)
	if p.SegSize == 0 {
		c.vouched = p.Checksum != wire.ChecksumUnknown
		return c
	}
	c.vouched = true
	b := c.data.Data
	c.ipLen = ipHeaderLen(b)
	c.header = c.ipLen + int(b[c.ipLen+12]>>4)*4
	if payload := len(b) - c.header; payload > p.SegSize {
		c.segSize = p.SegSize
		c.count = (payload + p.SegSize - 1) / p.SegSize
		c.refs = c.count
	}
	return c
}

// flat returns the packet's bytes as one chunk with a reference of its own.
func flat(p *wire.Packet) block.Chunk {
	if len(p.Header()) == 0 && len(p.Payload) == 1 && p.Payload[0].Block != nil {
		p.Payload[0].Ref()
		return p.Payload[0]
	}
	b := block.Get(p.Len())
	return block.Chunk{Block: b, Data: p.AppendTo(b.Bytes()[:0])}
}

func copyOf(data []byte) block.Chunk {
	b := block.Get(len(data))
	return block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), data)]}
}

// size returns how many bytes the i-th packet has.
func (c *parcel) size(i int) int {
	if c.count == 1 {
		return len(c.data.Data)
	}
	rest := len(c.data.Data) - c.header - i*c.segSize
	return c.header + min(rest, c.segSize)
}

// moveTo makes p the i-th packet of c, which is done with.
func (l *parcels) moveTo(p *wire.Packet, c *parcel, i int, marked bool) {
	switch {
	case c.count > 1:
		c.part(p, i)
	case c.refs == 1 && !c.data.Block.Shared(): // who gets it may change it
		p.SetChunk(c.data)
		c.data = block.Chunk{}
	default:
		p.SetChunk(copyOf(c.data.Data))
	}
	if c.vouched {
		p.Checksum = wire.ChecksumValid
	}
	if marked {
		markCE(p.Contiguous())
	}
	l.done(c)
}

// part makes p the i-th packet of a super-segment: its headers with what
// differs, and a part of its payload by reference. The checksum is left out.
func (c *parcel) part(p *wire.Packet, i int) {
	p.Reset()
	from := c.header + i*c.segSize
	to := min(from+c.segSize, len(c.data.Data))
	h := p.SetHeader(c.header)
	copy(h, c.data.Data)
	setIPLength(h, c.ipLen, c.header+to-from)
	be := binary.BigEndian
	if h[0]>>4 == 4 {
		be.PutUint16(h[4:], be.Uint16(h[4:])+uint16(i))
		sealIPv4(h[:c.ipLen])
	}
	t := h[c.ipLen:]
	be.PutUint32(t[4:], be.Uint32(t[4:])+uint32(i*c.segSize))
	if to < len(c.data.Data) {
		t[13] &^= byte(wire.FIN | wire.PSH)
	}
	if i > 0 {
		t[13] &^= byte(wire.CWR)
	}
	c.data.Ref()
	p.Payload = append(p.Payload, block.Chunk{Block: c.data.Block, Data: c.data.Data[from:to]})
}

// whole returns the i-th packet as bytes of its own, with complete checksums.
func (c *parcel) whole(i int) block.Chunk {
	if c.count == 1 {
		out := copyOf(c.data.Data)
		if c.vouched {
			seal(out.Data)
		}
		return out
	}
	var p wire.Packet
	c.part(&p, i)
	b := block.Get(p.Len())
	out := block.Chunk{Block: b, Data: p.AppendTo(b.Bytes()[:0])}
	p.Release()
	seal(out.Data)
	return out
}
