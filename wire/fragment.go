package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
)

const (
	ipv6FragmentLen   = 8
	ipv4MoreFragments = 0x2000
	ipv6MoreFragments = 1
)

// Fragment is what putting a datagram together needs of one of its fragments
// (RFC 791, Section 3.2; RFC 8200, Section 4.5).
type Fragment struct {
	Src, Dst Addr
	Version  uint8 // 4 or 6
	// Protocol is the upper protocol, in IPv6 the first header after the
	// fragment header.
	Protocol  uint8
	ID        uint32 // 16 bits in IPv4
	Offset    int    // where its data belong, in bytes
	More      bool   // it is not the last
	CE        bool   // it is marked "congestion experienced" (RFC 3168)
	HeaderLen int    // bytes before its data, the fragment header included
	DataLen   int    // bytes of its data

	// WrongAt is, with DropFragment and in IPv6, where the field is whose value
	// cannot be, if the sender is to be told of it (RFC 8200, Section 4.5).
	WrongAt int

	nextAt int // in IPv6: where the number of the fragment header is
}

// ParseFragment reads a packet of which ParseIP said DropFragment, or says what
// else is wrong with it.
func (p *Packet) ParseFragment(f *Fragment) Drop {
	*f = Fragment{}
	b := p.Contiguous()
	total := p.Len() // as ParseIP has trimmed it
	switch {
	case len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		f.readIPv4(b)
	case len(b) >= ipv6HeaderLen && b[0]>>4 == 6:
		if d := f.readIPv6(b); d != DropNone {
			return d
		}
	default:
		return DropShort
	}
	f.DataLen = total - f.HeaderLen
	switch {
	case f.HeaderLen > len(b), f.DataLen <= 0:
		return DropFragment
	case f.More && f.DataLen%8 != 0:
		f.WrongAt = 4 // the payload length
		return DropFragment
	case f.Offset+f.DataLen > maxPacket: // no datagram is as long
		f.WrongAt = f.HeaderLen - ipv6FragmentLen + 2 // the offset
		return DropFragment
	}
	return DropNone
}

func (f *Fragment) readIPv4(b []byte) {
	flags := binary.BigEndian.Uint16(b[6:])
	f.Src.setIPv4(b[12:16])
	f.Dst.setIPv4(b[16:20])
	f.Version, f.Protocol = 4, b[9]
	f.ID = uint32(binary.BigEndian.Uint16(b[4:]))
	f.Offset = int(flags&ipv4OffsetMask) * 8
	f.More = flags&ipv4MoreFragments != 0
	f.CE = b[1]&3 == 3
	f.HeaderLen = int(b[0]&0xf) * 4
}

func (f *Fragment) readIPv6(b []byte) Drop {
	at, hl, d := skipExtensions(b)
	if d != DropFragment {
		return DropHeader
	}
	h := b[hl : hl+ipv6FragmentLen] // skipExtensions saw all of it
	field := binary.BigEndian.Uint16(h[2:])
	f.Src, f.Dst = Addr(b[8:24]), Addr(b[24:40])
	f.Version, f.Protocol = 6, h[0]
	f.ID = binary.BigEndian.Uint32(h[4:])
	f.Offset = int(field &^ 7)
	f.More = field&ipv6MoreFragments != 0
	f.CE = b[1]>>4&3 == 3
	f.HeaderLen, f.nextAt = hl+ipv6FragmentLen, at
	return DropNone
}

// WholeHeader turns the headers of the first fragment, HeaderLen bytes, into
// those of the whole datagram with dataLen bytes of data, in place. ce says
// that some fragment was marked, and so the whole is (RFC 3168, Section 5.3). It
// returns nil when the datagram is too long.
func (f *Fragment) WholeHeader(h []byte, dataLen int, ce bool) []byte {
	be := binary.BigEndian
	if f.Version == 4 {
		total := len(h) + dataLen
		if total > maxPacket {
			return nil
		}
		if ce {
			h[1] |= 3
		}
		be.PutUint16(h[2:], uint16(total))
		h[6], h[7], h[10], h[11] = 0, 0, 0, 0
		putChecksum(h[10:], accumulate(h, 0))
		return h
	}
	h = h[:len(h)-ipv6FragmentLen]
	length := len(h) - ipv6HeaderLen + dataLen
	if length > maxPacket {
		return nil
	}
	if ce {
		h[1] |= 0x30
	}
	be.PutUint16(h[4:], uint16(length))
	h[f.nextAt] = f.Protocol
	return h
}

// CutFragments appends the fragments of a packet that BuildUDP or BuildEchoReply
// made to out, none longer than mtu bytes, each with references of its own to the
// payload. id is the identification, of which IPv4 has the low 16 bits. It
// reports false when the mtu is too small for the headers and 8 bytes of data.
func CutFragments(p *Packet, mtu int, id uint32, out *Batch) bool {
	ipLen, extra := ipv6HeaderLen, ipv6FragmentLen
	if p.hdr[0]>>4 == 4 {
		ipLen, extra = ipv4HeaderLen, 0
	}
	size := (mtu - ipLen - extra) &^ 7
	if size <= 0 {
		return false
	}
	p.FinishChecksum()
	upper := p.hdr[ipLen:p.n] // the data begin here
	left := p.Len() - ipLen
	var at, chunk, offset int
	for left > 0 {
		n := min(left, size)
		left -= n
		q := out.Next()
		h := q.SetHeader(ipLen + extra + len(upper))
		copy(h, p.hdr[:ipLen])
		copy(h[ipLen+extra:], upper)
		putFragment(h, at, n, left > 0, id)
		at += n
		n -= len(upper)
		upper = nil
		for n > 0 {
			c := p.Payload[chunk]
			data := c.Data[offset:]
			if len(data) > n {
				data = data[:n]
				offset += n
			} else {
				chunk, offset = chunk+1, 0
			}
			n -= len(data)
			q.Payload = append(q.Payload, own(block.Chunk{Block: c.Block, Data: data}))
		}
		q.Link = p.Link
	}
	return true
}

// putFragment writes the fields of a fragment of n bytes of data into the copy
// h of an IP header without options, with room for a fragment header in IPv6.
func putFragment(h []byte, at, n int, more bool, id uint32) {
	be := binary.BigEndian
	if h[0]>>4 == 4 {
		flags := uint16(at / 8)
		if more {
			flags |= ipv4MoreFragments
		}
		be.PutUint16(h[2:], uint16(ipv4HeaderLen+n))
		be.PutUint16(h[4:], uint16(id))
		be.PutUint16(h[6:], flags)
		putIPv4Checksum(h)
		return
	}
	f := h[ipv6HeaderLen:]
	field := uint16(at)
	if more {
		field |= ipv6MoreFragments
	}
	f[0], f[1] = h[6], 0
	be.PutUint16(f[2:], field)
	be.PutUint32(f[4:], id)
	h[6] = ipv6Fragment
	be.PutUint16(h[4:], uint16(ipv6FragmentLen+n))
}
