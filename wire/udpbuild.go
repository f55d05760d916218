package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
)

// The largest payloads of a UDP datagram, in bytes: the IPv4 total length
// covers the IP header too, the IPv6 payload length does not.
const (
	MaxUDPPayload4 = maxPacket - ipv4HeaderLen - udpHeaderLen
	MaxUDPPayload6 = maxPacket - udpHeaderLen
)

// BuildUDP makes the packet a datagram from t's local to its remote end: IPv4
// ("don't fragment") or IPv6 by the kind of address. A ttl of 0 stands for 64.
//
// The payload, at most MaxUDPPayload4 or MaxUDPPayload6 bytes, is taken by
// reference and without taking any: to keep the packet, call Hold. The packet
// keeps its Link; its Checksum is ChecksumPartial.
func (p *Packet) BuildUDP(t *FourTuple, tos, ttl uint8, payload block.Chunk) {
	length := udpHeaderLen + len(payload.Data)
	h := p.setIP(&t.LocalAddr, &t.RemoteAddr, ipFields{
		proto: ProtoUDP, tos: tos, ttl: ttl, room: udpHeaderLen, length: length,
	})
	be := binary.BigEndian
	be.PutUint16(h[0:], t.LocalPort)
	be.PutUint16(h[2:], t.RemotePort)
	be.PutUint16(h[4:], uint16(length))
	binary.LittleEndian.PutUint16(h[6:], fold(pseudoSum(&t.LocalAddr, &t.RemoteAddr, ProtoUDP, length)))
	p.Payload = p.Payload[:0]
	if len(payload.Data) > 0 {
		p.Payload = append(p.Payload, payload)
	}
	p.Checksum, p.SegSize = ChecksumPartial, 0
}
