package wire

import "encoding/binary"

// FinishChecksum makes a checksum that is partial complete; otherwise it does
// nothing. A super-segment gets that of the whole, as if it were one packet. It
// writes to the packet itself only, never to memory it shares.
func (p *Packet) FinishChecksum() {
	if p.Checksum != ChecksumPartial {
		return
	}
	h, ok := p.headers()
	if !ok || !p.pull(h.end) {
		return
	}
	// The field holds the pseudo-header's sum, so the sum of all bytes after
	// the IP header is that of the pseudo-header too.
	sum := ^fold(p.sumFrom(h.ip, 0))
	if sum == 0 && h.proto == ProtoUDP {
		sum = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.LittleEndian.PutUint16(p.hdr[h.checksum:], sum)
	p.Checksum = ChecksumUnknown
}

// headers says where the headers of a packet are that was parsed before or
// that we have made: offsets in bytes.
type headers struct {
	proto    uint8 // upper protocol
	ip       int   // end of the IP headers
	checksum int   // the upper protocol's checksum
	end      int   // end of all headers
}

// headers finds the headers. It reports false if they are not contiguous or
// not of a protocol that is known here.
func (p *Packet) headers() (h headers, ok bool) {
	b := p.Contiguous()
	switch {
	case len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		h.ip, h.proto = int(b[0]&0xf)*4, b[9]
	case len(b) >= ipv6HeaderLen && b[0]>>4 == 6:
		at, hl, d := skipExtensions(b)
		if d != DropNone {
			return h, false
		}
		h.ip, h.proto = hl, b[at]
	default:
		return h, false
	}
	if h.ip < ipv4HeaderLen {
		return h, false
	}
	switch h.proto {
	case ProtoTCP:
		if len(b) < h.ip+tcpHeaderLen {
			return h, false
		}
		h.checksum = h.ip + 16
		h.end = h.ip + int(b[h.ip+12]>>4)*4
	case ProtoUDP:
		h.checksum, h.end = h.ip+6, h.ip+udpHeaderLen
	case ProtoICMP, ProtoICMPv6:
		h.checksum, h.end = h.ip+2, h.ip+icmpHeaderLen
	}
	return h, h.checksum > 0 && h.end > h.checksum && h.end <= len(b)
}

// pull moves the first n bytes into the packet itself if that holds none, so
// that they can be changed without changing shared memory. It reports whether
// there was room.
func (p *Packet) pull(n int) bool {
	if p.n > 0 {
		return true
	}
	if n > MaxHeader || len(p.Payload) == 0 || n > len(p.Payload[0].Data) {
		return false
	}
	p.n = uint8(copy(p.hdr[:n], p.Payload[0].Data))
	p.Payload[0].Data = p.Payload[0].Data[n:]
	return true
}
