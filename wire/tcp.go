package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
)

const (
	tcpHeaderLen = 20
	tcpFlagsMask = 0x1ff // of the word with the data offset
)

// ParseTCP reads the TCP header and options that follow the IP header that
// ParseIP found, and makes s the segment, or says why it has to be dropped.
// The payload of s is borrowed from p. The checksum is verified unless the
// packet's Checksum says that there is no need.
func (p *Packet) ParseTCP(ip *IP, s *Segment) Drop {
	b := p.Contiguous()
	if len(b) < ip.HeaderLen+tcpHeaderLen {
		return DropTCPHeader
	}
	b = b[ip.HeaderLen:]
	off := int(b[12]>>4) * 4
	if off < tcpHeaderLen || off > len(b) {
		return DropTCPHeader
	}
	length := ip.Len - ip.HeaderLen
	// RFC 9293, Section 3.1: the receiver must check the checksum (MUST-3).
	if p.Checksum == ChecksumUnknown {
		acc := p.sumFrom(ip.HeaderLen, pseudoSum(&ip.Src, &ip.Dst, ProtoTCP, length))
		if fold(acc) != 0xffff {
			return DropTCPChecksum
		}
	}
	if tcpAddressBad(&ip.Src) || tcpAddressBad(&ip.Dst) {
		return DropAddress
	}
	s.Reset()
	s.SrcPort = binary.BigEndian.Uint16(b[0:])
	s.DstPort = binary.BigEndian.Uint16(b[2:])
	s.Seq = seqnum.Value(binary.BigEndian.Uint32(b[4:]))
	s.Ack = seqnum.Value(binary.BigEndian.Uint32(b[8:]))
	s.Flags = Flags(binary.BigEndian.Uint16(b[12:]) & tcpFlagsMask)
	s.Window = binary.BigEndian.Uint16(b[14:])
	s.Urgent = binary.BigEndian.Uint16(b[18:])
	s.TOS, s.TTL = ip.TOS, ip.TTL
	if off > tcpHeaderLen {
		s.Options.parse(b[tcpHeaderLen:off])
	}
	s.Payload = p.slice(s.Payload, ip.HeaderLen+off)
	s.PayloadLen = length - off
	return s.setCount(p.SegSize)
}

// DecodeTCP makes s the segment in b, an IP packet, and returns its 4-tuple as the
// sender sees it; false if b is no segment of TCP. Its checksum is not looked at:
// this is for who watches a link. The payload of s is borrowed from b.
func DecodeTCP(b []byte, s *Segment) (FourTuple, bool) {
	var p Packet
	var ip IP
	p.SetBytes(b)
	p.Checksum = ChecksumValid
	if p.ParseIP(&ip) != DropNone || ip.Protocol != ProtoTCP || p.ParseTCP(&ip, s) != DropNone {
		return FourTuple{}, false
	}
	return FourTuple{
		LocalAddr: ip.Src, RemoteAddr: ip.Dst, LocalPort: s.SrcPort, RemotePort: s.DstPort,
	}, true
}

// tcpAddressBad reports whether a can be no end of a connection. RFC 9293,
// Section 3.9.2.3: segments to or from broadcast, multicast and other invalid
// addresses are ignored (MUST-57, MUST-63).
func tcpAddressBad(a *Addr) bool {
	if a.Is4() {
		return a[12] == 0 || isGroup([4]byte(a[12:]))
	}
	return a[0] == 0xff || *a == Addr{}
}

// uncut are the flags that cannot be spread over several segments; no sender
// of super-segments sets them.
const uncut = SYN | RST | URG

// setCount fills SegSize and Count of a segment whose packet has the given
// segment size. A packet that carries less than one such segment is plain.
func (s *Segment) setCount(segSize int) Drop {
	s.Count = 1
	if segSize == 0 {
		return DropNone
	}
	if segSize < 0 {
		return DropSuperSegment
	}
	if s.PayloadLen <= segSize {
		return DropNone
	}
	if s.Flags&uncut != 0 {
		return DropSuperSegment
	}
	s.SegSize = segSize
	s.Count = (s.PayloadLen + segSize - 1) / segSize
	return DropNone
}

// slice appends the packet's bytes from offset off on to dst, by reference.
func (p *Packet) slice(dst []block.Chunk, off int) []block.Chunk {
	if n := int(p.n); n > 0 {
		if off < n {
			dst = append(dst, block.Chunk{Data: p.hdr[off:n]})
		}
		off = max(0, off-n)
	}
	for i := range p.Payload {
		c := &p.Payload[i]
		if off >= len(c.Data) {
			off -= len(c.Data)
			continue
		}
		dst = append(dst, block.Chunk{Block: c.Block, Data: c.Data[off:]})
		off = 0
	}
	return dst
}
