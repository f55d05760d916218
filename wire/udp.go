package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
)

const udpHeaderLen = 8

// UDP is a UDP datagram without its IP header.
type UDP struct {
	SrcPort, DstPort uint16

	// Payload is the data, in order, PayloadLen the sum of its lengths. The
	// bytes are borrowed from the packet.
	Payload    []block.Chunk
	PayloadLen int
}

// ParseUDP reads the UDP header that follows the IP header that ParseIP found.
// Bytes of the IP packet after the UDP length are not data (RFC 768).
func (p *Packet) ParseUDP(ip *IP, u *UDP) Drop {
	b := p.Contiguous()
	if len(b) < ip.HeaderLen+udpHeaderLen {
		return DropUDPHeader
	}
	if p.SegSize != 0 {
		return DropSuperSegment
	}
	b = b[ip.HeaderLen:]
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpHeaderLen || length > ip.Len-ip.HeaderLen {
		return DropUDPHeader
	}
	u.SrcPort = binary.BigEndian.Uint16(b)
	u.DstPort = binary.BigEndian.Uint16(b[2:])
	u.PayloadLen = length - udpHeaderLen
	u.Payload = p.slice(u.Payload[:0], ip.HeaderLen+udpHeaderLen)
	u.Payload = trimChunks(u.Payload, u.PayloadLen)
	if p.Checksum != ChecksumUnknown {
		return DropNone
	}
	if b[6] == 0 && b[7] == 0 {
		// RFC 768: the sender made none. RFC 8200, Section 8.1: not in IPv6.
		if ip.Version == 6 {
			return DropUDPChecksum
		}
		return DropNone
	}
	acc := accumulate(b[:udpHeaderLen], pseudoSum(&ip.Src, &ip.Dst, ProtoUDP, length))
	odd := false
	for _, c := range u.Payload {
		acc = accumulateAt(odd, c.Data, acc)
		odd = odd != (len(c.Data)&1 != 0)
	}
	if fold(acc) != 0xffff {
		return DropUDPChecksum
	}
	return DropNone
}

// trimChunks cuts chunks down to n bytes.
func trimChunks(chunks []block.Chunk, n int) []block.Chunk {
	for i := range chunks {
		c := &chunks[i]
		if len(c.Data) >= n {
			c.Data = c.Data[:n]
			return chunks[:i+1]
		}
		n -= len(c.Data)
	}
	return chunks
}
