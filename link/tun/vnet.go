package tun

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/wire"
)

// vnetLen is the length in bytes of the virtio-net header before each packet.
const vnetLen = 10

// Values of the virtio-net header (Virtual I/O Device 1.2, Section 5.1.6), as
// linux/virtio_net.h has them.
const (
	vnetNeedsChecksum = 1 // flags: the checksum is partial
	vnetDataValid     = 2 // flags: the checksum was verified

	vnetNone  = 0 // gso types
	vnetTCPv4 = 1
	vnetTCPv6 = 4
	vnetECN   = 0x80 // with a TCP type: the first segment has CWR set
)

// Offsets in a TCP header, and of the checksums in the headers that have one.
const (
	tcpDataOffset   = 12
	tcpFlagsOffset  = 13
	tcpFlagCWR      = 0x80
	tcpMinHeader    = 20
	tcpChecksumAt   = 16
	udpChecksumAt   = 6
	icmp6ChecksumAt = 2
)

// maxUpperOffset bounds the IPv6 extension headers looked past, so that every
// offset fits the header's 16 bits.
const maxUpperOffset = 32 << 10

// vnetHeader is struct virtio_net_hdr.
type vnetHeader struct {
	flags, gsoType uint8
	hdrLen         uint16 // of all headers, a hint
	gsoSize        uint16 // payload of each segment
	csumStart      uint16 // where the bytes to be summed begin
	csumOffset     uint16 // where the sum goes, from csumStart
}

// decodeVnet reads a header from the first vnetLen bytes of b. A TUN device
// uses the byte order of the machine.
func decodeVnet(b []byte) vnetHeader {
	_ = b[vnetLen-1]
	return vnetHeader{
		flags: b[0], gsoType: b[1],
		hdrLen:     binary.NativeEndian.Uint16(b[2:]),
		gsoSize:    binary.NativeEndian.Uint16(b[4:]),
		csumStart:  binary.NativeEndian.Uint16(b[6:]),
		csumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
}

// encode writes the header to the first vnetLen bytes of b.
func (h vnetHeader) encode(b []byte) {
	_ = b[vnetLen-1]
	b[0], b[1] = h.flags, h.gsoType
	binary.NativeEndian.PutUint16(b[2:], h.hdrLen)
	binary.NativeEndian.PutUint16(b[4:], h.gsoSize)
	binary.NativeEndian.PutUint16(b[6:], h.csumStart)
	binary.NativeEndian.PutUint16(b[8:], h.csumOffset)
}

// check compares the header with the packet that came with it and returns what
// it says about the packet. It reports false when the two do not fit: a wrong
// place or size would corrupt the packet later, so nothing is guessed.
func (h vnetHeader) check(pkt []byte) (segSize int, sum wire.ChecksumState, ok bool) {
	if len(pkt) == 0 || h.flags&^(vnetNeedsChecksum|vnetDataValid) != 0 {
		return 0, 0, false
	}
	switch {
	case h.flags&vnetNeedsChecksum != 0:
		sum = wire.ChecksumPartial
	case h.flags&vnetDataValid != 0:
		sum = wire.ChecksumValid
	}
	if h.gsoType == vnetNone && sum != wire.ChecksumPartial {
		return 0, sum, true // says nothing about the packet's inside
	}

	up, ok := upperHeader(pkt)
	if !ok || int(h.hdrLen) > len(pkt) {
		return 0, 0, false
	}
	if sum == wire.ChecksumPartial {
		at, has := up.checksumAt()
		if !has || int(h.csumStart) != up.offset || int(h.csumOffset) != at || up.offset+at+2 > len(pkt) {
			return 0, 0, false
		}
	}
	if h.gsoType == vnetNone {
		return 0, sum, true
	}

	if sum != wire.ChecksumPartial || h.gsoSize == 0 || h.gsoType&^vnetECN != up.gsoType() {
		return 0, 0, false
	}
	headers, ok := up.tcpEnd(pkt)
	if !ok || headers > len(pkt) {
		return 0, 0, false
	}
	if len(pkt)-headers <= int(h.gsoSize) {
		return 0, sum, true // one segment: nothing super about it
	}
	return int(h.gsoSize), sum, true
}

// vnetFor returns the header that describes p to the kernel. It reports false
// when p asks for what the header cannot say.
func vnetFor(p *wire.Packet) (h vnetHeader, ok bool) {
	switch {
	case p.SegSize < 0 || p.SegSize > 0xffff:
		return h, false
	case p.SegSize > 0 && p.Checksum != wire.ChecksumPartial:
		// The kernel cuts a packet only if it also completes the checksum.
		return h, false
	case p.Checksum == wire.ChecksumValid:
		return vnetHeader{flags: vnetDataValid}, true
	case p.Checksum != wire.ChecksumPartial:
		return h, true
	}

	pkt := p.Contiguous()
	up, ok := upperHeader(pkt)
	if !ok {
		return h, false
	}
	at, ok := up.checksumAt()
	if !ok || up.offset+at+2 > len(pkt) {
		return h, false
	}
	h = vnetHeader{flags: vnetNeedsChecksum, csumStart: uint16(up.offset), csumOffset: uint16(at)}
	if p.SegSize == 0 {
		return h, true
	}

	end, ok := up.tcpEnd(pkt)
	if !ok || end > len(pkt) {
		return h, false
	}
	h.hdrLen, h.gsoSize, h.gsoType = uint16(end), uint16(p.SegSize), up.gsoType()
	if pkt[up.offset+tcpFlagsOffset]&tcpFlagCWR != 0 {
		// RFC 3168, Section 6.1.2: CWR belongs on the first segment alone.
		h.gsoType |= vnetECN
	}
	return h, true
}

// upper is the header after IP.
type upper struct {
	version, protocol uint8
	offset            int // in the packet
}

// upperHeader finds the header after IP, past IPv6 extension headers that may
// stand before it.
func upperHeader(pkt []byte) (upper, bool) {
	if len(pkt) == 0 {
		return upper{}, false
	}
	switch pkt[0] >> 4 {
	case 4:
		n := int(pkt[0]&15) * 4
		if n < 20 || len(pkt) < n {
			return upper{}, false
		}
		return upper{version: 4, protocol: pkt[9], offset: n}, true
	case 6:
		if len(pkt) < 40 {
			return upper{}, false
		}
		next, at := pkt[6], 40
		for isExtension(next) {
			if len(pkt) < at+8 {
				return upper{}, false
			}
			next, at = pkt[at], at+8+int(pkt[at+1])*8
		}
		return upper{version: 6, protocol: next, offset: at}, at <= min(len(pkt), maxUpperOffset)
	}
	return upper{}, false
}

// isExtension reports whether an IPv6 header of that number has the common
// form of extension headers (RFC 8200, Section 4): hop-by-hop options, routing
// or destination options. Fragments carry no partial checksum.
func isExtension(next uint8) bool { return next == 0 || next == 43 || next == 60 }

// checksumAt returns the place of the checksum in the upper header.
func (u upper) checksumAt() (int, bool) {
	switch u.protocol {
	case wire.ProtoTCP:
		return tcpChecksumAt, true
	case wire.ProtoUDP:
		return udpChecksumAt, true
	case wire.ProtoICMPv6:
		return icmp6ChecksumAt, u.version == 6
	}
	return 0, false
}

// gsoType returns the type of a TCP super-segment of this IP version.
func (u upper) gsoType() uint8 {
	switch {
	case u.protocol != wire.ProtoTCP:
		return vnetNone
	case u.version == 4:
		return vnetTCPv4
	default:
		return vnetTCPv6
	}
}

// tcpEnd returns where the TCP header ends. It reports false when there is
// none.
func (u upper) tcpEnd(pkt []byte) (int, bool) {
	if u.protocol != wire.ProtoTCP || len(pkt) < u.offset+tcpMinHeader {
		return 0, false
	}
	n := int(pkt[u.offset+tcpDataOffset]>>4) * 4
	return u.offset + n, n >= tcpMinHeader
}
