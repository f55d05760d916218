package wire

import (
	"encoding/binary"
	"math/bits"

	"github.com/trivet-net/trivet/internal/block"
)

// Cut appends the packets on the wire that p stands for to out, with complete
// checksums and each with references of its own to the payload, and reports
// whether p could be carried. It cannot if what would be appended is longer
// than mtu bytes, or if p is a super-segment that cannot be (see
// DropSuperSegment): then nothing is appended.
//
// The segments of a super-segment carry its headers with their own lengths,
// sequence numbers and, in IPv4, identifications that count up. FIN and PSH
// stay on the last segment, CWR on the first (RFC 3168, Section 6.1.2: it is
// said once).
func Cut(p *Packet, mtu int, out *Batch) bool {
	c := cutter{p: p}
	if p.SegSize == 0 {
		return cutPlain(p, mtu, out)
	}
	if p.SegSize < 0 || !c.prepare() {
		return false
	}
	if c.left <= p.SegSize {
		return cutPlain(p, mtu, out)
	}
	if c.hl+p.SegSize > mtu || Flags(c.flags)&uncut != 0 {
		return false
	}
	for c.left > 0 {
		c.next(out.Next())
	}
	return true
}

// cutPlain passes a packet on that is no super-segment.
func cutPlain(p *Packet, mtu int, out *Batch) bool {
	if p.Len() > mtu {
		return false
	}
	q := out.Next()
	p.CopyTo(q)
	q.SegSize = 0
	q.FinishChecksum()
	return true
}

// cutter walks through a super-segment.
type cutter struct {
	p      *Packet
	header []byte // of the whole, hl bytes
	ipLen  int
	hl     int
	v4     bool

	// Sums of what all segments have in common, in little-endian order: the
	// IPv4 header without length, identification and checksum; the pseudo-
	// header and TCP header without length, sequence number, flags and checksum.
	ipSum, tcpSum uint64

	seq   uint32
	id    uint16
	flags uint16 // with the data offset
	left  int    // payload bytes
	first bool

	chunk, offset int // where the next segment's payload begins
}

// prepare reads the headers, and reports false if they are not those of TCP.
func (c *cutter) prepare() bool {
	h, ok := c.p.headers()
	if !ok || h.proto != ProtoTCP || h.end < h.ip+tcpHeaderLen || h.end > MaxHeader ||
		(c.p.n > 0 && h.end != int(c.p.n)) {
		return false
	}
	c.ipLen, c.hl = h.ip, h.end
	b := c.p.Contiguous()[:c.hl]
	c.header = b
	c.left = c.p.Len() - c.hl
	c.first = true
	if c.p.n == 0 {
		c.offset = c.hl
	}
	t := b[c.ipLen:]
	c.seq = binary.BigEndian.Uint32(t[4:])
	c.flags = binary.BigEndian.Uint16(t[12:])

	var src, dst Addr
	c.v4 = b[0]>>4 == 4
	if c.v4 {
		src.setIPv4(b[12:16])
		dst.setIPv4(b[16:20])
		c.id = binary.BigEndian.Uint16(b[4:])
		c.ipSum = accumulate(b[:2], accumulate(b[6:10], accumulate(b[12:c.ipLen], 0)))
	} else {
		src, dst = Addr(b[8:24]), Addr(b[24:40])
	}
	acc := pseudoSum(&src, &dst, ProtoTCP, 0)
	acc = accumulate(t[0:4], acc)
	acc = accumulate(t[8:12], acc)
	acc = accumulate(t[14:16], acc)
	c.tcpSum = accumulate(t[18:], acc)
	return true
}

// next makes q the next segment.
func (c *cutter) next(q *Packet) {
	n := min(c.left, c.p.SegSize)
	c.left -= n
	flags := c.flags
	if c.left > 0 {
		flags &^= uint16(FIN | PSH)
	}
	if !c.first {
		flags &^= uint16(CWR)
	}
	c.first = false

	h := q.SetHeader(c.hl)
	copy(h, c.header)
	c.setIPLength(h, c.hl+n)
	t := h[c.ipLen:]
	be, le := binary.BigEndian, binary.LittleEndian
	be.PutUint32(t[4:], c.seq)
	be.PutUint16(t[12:], flags)
	acc := add(c.tcpSum, uint64(le.Uint32(t[4:]))+uint64(le.Uint16(t[12:]))+
		uint64(bits.ReverseBytes16(uint16(c.hl-c.ipLen+n))))
	putChecksum(t[16:], c.payload(q, n, acc))
	q.Link = c.p.Link
	c.seq += uint32(n)
	c.id++
}

// setIPLength writes the fields of the IP header that differ.
func (c *cutter) setIPLength(h []byte, n int) {
	be := binary.BigEndian
	if !c.v4 {
		be.PutUint16(h[4:], uint16(n-ipv6HeaderLen))
		return
	}
	be.PutUint16(h[2:], uint16(n))
	be.PutUint16(h[4:], c.id)
	putChecksum(h[10:], add(c.ipSum, uint64(binary.LittleEndian.Uint32(h[2:]))))
}

// payload appends the next n bytes to q and returns their sum added to acc.
func (c *cutter) payload(q *Packet, n int, acc uint64) uint64 {
	odd := false
	for n > 0 {
		k := &c.p.Payload[c.chunk]
		data := k.Data[c.offset:]
		if len(data) > n {
			data = data[:n]
			c.offset += n
		} else {
			c.chunk++
			c.offset = 0
		}
		if len(data) == 0 {
			continue
		}
		n -= len(data)
		acc = accumulateAt(odd, data, acc)
		odd = odd != (len(data)&1 != 0)
		q.Payload = append(q.Payload, own(block.Chunk{Block: k.Block, Data: data}))
	}
	return acc
}
