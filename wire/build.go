package wire

import "encoding/binary"

const defaultTTL = 64 // RFC 1122, Section 3.2.1.7; the value of IANA's registry

// BuildTCP makes the packet the segment s from t's local to its remote end:
// IPv4 (identification id, "don't fragment") or IPv6 by the kind of address,
// TCP header and options. The ports of s are ignored, those of t are used; a
// TTL of 0 stands for 64.
//
// The payload is appended by reference and without taking any: to keep the
// packet, call Hold. The whole is at most 65535 bytes long. The packet keeps
// its Link; its Checksum is ChecksumPartial.
func (p *Packet) BuildTCP(t FourTuple, s *Segment, id uint16) {
	off := tcpHeaderLen + s.Options.Len()
	length := off + s.PayloadLen
	h := p.setIP(&t.LocalAddr, &t.RemoteAddr, ipFields{
		proto: ProtoTCP, tos: s.TOS, ttl: s.TTL, id: id, room: off, length: length,
	})
	be := binary.BigEndian
	be.PutUint16(h[0:], t.LocalPort)
	be.PutUint16(h[2:], t.RemotePort)
	be.PutUint32(h[4:], uint32(s.Seq))
	be.PutUint32(h[8:], uint32(s.Ack))
	be.PutUint16(h[12:], uint16(off)<<10|uint16(s.Flags)&tcpFlagsMask)
	be.PutUint16(h[14:], s.Window)
	binary.LittleEndian.PutUint16(h[16:], fold(pseudoSum(&t.LocalAddr, &t.RemoteAddr, ProtoTCP, length)))
	be.PutUint16(h[18:], s.Urgent)
	if off > tcpHeaderLen {
		s.Options.put(h[tcpHeaderLen:])
	}
	p.Payload = append(p.Payload[:0], s.Payload...)
	p.Checksum = ChecksumPartial
	p.SegSize = 0
	if s.SegSize > 0 && s.PayloadLen > s.SegSize {
		p.SegSize = s.SegSize
	}
}

// ipFields is what an IP header says besides its addresses.
type ipFields struct {
	proto, tos, ttl uint8
	id              uint16
	room            int // for the upper header, in bytes
	length          int // of upper header and payload, in bytes
}

// setIP puts an IP header into the packet itself and returns the room after
// it for the upper protocol's header.
func (p *Packet) setIP(src, dst *Addr, f ipFields) []byte {
	be := binary.BigEndian
	if f.ttl == 0 {
		f.ttl = defaultTTL
	}
	if !src.Is4() {
		b := p.SetHeader(ipv6HeaderLen + f.room)
		be.PutUint32(b[0:], 6<<28|uint32(f.tos)<<20)
		be.PutUint16(b[4:], uint16(f.length))
		b[6], b[7] = f.proto, f.ttl
		copy(b[8:24], src[:])
		copy(b[24:40], dst[:])
		return b[ipv6HeaderLen:]
	}
	b := p.SetHeader(ipv4HeaderLen + f.room)
	b[0], b[1] = 0x45, f.tos
	be.PutUint16(b[2:], uint16(ipv4HeaderLen+f.length))
	be.PutUint16(b[4:], f.id)
	be.PutUint16(b[6:], ipv4DontFragment)
	b[8], b[9] = f.ttl, f.proto
	copy(b[12:16], src[12:])
	copy(b[16:20], dst[12:])
	putIPv4Checksum(b)
	return b[ipv4HeaderLen:]
}

// putIPv4Checksum sets the checksum of an IPv4 header without options.
func putIPv4Checksum(b []byte) {
	b[10], b[11] = 0, 0
	putChecksum(b[10:], accumulate(b[:ipv4HeaderLen], 0))
}
