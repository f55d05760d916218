package drill

import (
	"encoding/binary"
	"net/netip"

	"github.com/trivet-net/trivet/wire"
)

// header is what an IP packet of a script says besides its payload.
type header struct {
	src, dst netip.Addr
	proto    uint8
	tos, ttl uint8
	flow     uint32
}

// appendIP returns an IP packet with the payload.
func (h *header) appendIP(payload []byte) []byte {
	be := binary.BigEndian
	ttl := h.ttl
	if ttl == 0 {
		ttl = 255
	}
	if h.src.Is4() {
		b := []byte{0x45, h.tos}
		b = be.AppendUint16(b, uint16(20+len(payload)))
		b = append(b, 0, 0, 0x40, 0, ttl, h.proto, 0, 0)
		b = append(b, h.src.AsSlice()...)
		b = append(b, h.dst.AsSlice()...)
		be.PutUint16(b[10:], ^wire.Checksum(b, 0))
		return append(b, payload...)
	}
	b := be.AppendUint32(nil, 6<<28|uint32(h.tos)<<20|h.flow)
	b = be.AppendUint16(b, uint16(len(payload)))
	b = append(b, h.proto, ttl)
	b = append(b, h.src.AsSlice()...)
	b = append(b, h.dst.AsSlice()...)
	return append(b, payload...)
}

// sumPseudo returns the sum of the pseudo-header for a payload of n bytes.
func (h *header) sumPseudo(n int) uint16 {
	var b []byte
	b = append(b, h.src.AsSlice()...)
	b = append(b, h.dst.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, 0, 0, 0, h.proto)
	return wire.Checksum(b, 0)
}

// tcpHeader is a TCP header as it goes onto the wire.
type tcpHeader struct {
	srcPort, dstPort uint16
	seq, ack         uint32
	flags            uint16
	window, urgent   uint16
	options          []byte // padded to a multiple of 4
}

// appendTCP returns an IP packet with a segment.
func (h *header) appendTCP(t *tcpHeader, payload []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint16(nil, t.srcPort)
	b = be.AppendUint16(b, t.dstPort)
	b = be.AppendUint32(b, t.seq)
	b = be.AppendUint32(b, t.ack)
	b = be.AppendUint16(b, uint16(20+len(t.options))<<10|t.flags)
	b = be.AppendUint16(b, t.window)
	b = be.AppendUint16(b, 0)
	b = be.AppendUint16(b, t.urgent)
	b = append(b, t.options...)
	b = append(b, payload...)
	be.PutUint16(b[16:], ^wire.Checksum(b, h.sumPseudo(len(b))))
	return h.appendIP(b)
}

// appendICMP returns an IP packet with an ICMP message: four bytes of body,
// then data.
func (h *header) appendICMP(v icmpValue, body uint32, data []byte) []byte {
	b := []byte{v.kind, v.code, 0, 0}
	b = binary.BigEndian.AppendUint32(b, body)
	b = append(b, data...)
	sum := uint16(0)
	if h.proto == wire.ProtoICMPv6 {
		sum = h.sumPseudo(len(b))
	}
	binary.BigEndian.PutUint16(b[2:], ^wire.Checksum(b, sum))
	return h.appendIP(b)
}
