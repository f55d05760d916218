package sim

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/wire"
)

// Offsets and values in IP headers (RFC 791, RFC 8200, RFC 3168).
const (
	ipv4HeaderLen = 20
	ipv6HeaderLen = 40
	ecnMask       = 3 // of the TOS or traffic class: not ECT, ECT(1), ECT(0), CE
	ecnCE         = 3
)

// ipHeaderLen returns the length of the IP header at the start of b: of IPv6
// without extension headers, which Trivet does not send.
func ipHeaderLen(b []byte) int {
	if b[0]>>4 == 4 {
		return int(b[0]&0xf) * 4
	}
	return ipv6HeaderLen
}

// isIP reports whether b begins with a whole IPv4 or IPv6 header.
func isIP(b []byte) bool {
	switch {
	case len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		n := ipHeaderLen(b)
		return n >= ipv4HeaderLen && n <= len(b)
	case len(b) >= ipv6HeaderLen:
		return b[0]>>4 == 6
	}
	return false
}

// setIPLength writes the length of a packet of n bytes into its IP header.
func setIPLength(h []byte, ipLen, n int) {
	if h[0]>>4 == 4 {
		binary.BigEndian.PutUint16(h[2:], uint16(n))
	} else {
		binary.BigEndian.PutUint16(h[4:], uint16(n-ipLen))
	}
}

// sealIPv4 computes the checksum of an IPv4 header.
func sealIPv4(h []byte) {
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], ^wire.Checksum(h, 0))
}

// ecnOf returns the ECN field of a packet.
func ecnOf(b []byte) byte {
	switch {
	case !isIP(b):
		return 0
	case b[0]>>4 == 4:
		return b[1] & ecnMask
	}
	return b[1] >> 4 & ecnMask
}

// markCE sets the ECN field to "congestion experienced".
func markCE(b []byte) {
	if b[0]>>4 == 4 {
		b[1] |= ecnCE
		sealIPv4(b[:ipHeaderLen(b)])
		return
	}
	b[1] |= ecnCE << 4
}

// seal computes the checksum of the TCP segment or UDP datagram in a packet.
func seal(b []byte) {
	if !isIP(b) {
		return
	}
	n := ipHeaderLen(b)
	proto, at := b[6], 0
	if b[0]>>4 == 4 {
		proto = b[9]
	}
	switch t := b[n:]; {
	case proto == wire.ProtoTCP && len(t) >= 20:
		at = n + 16
	case proto == wire.ProtoUDP && len(t) >= 8:
		at = n + 6
	default:
		return
	}
	b[at], b[at+1] = 0, 0
	sum := ^wire.Checksum(b[n:], sumPseudo(b, proto))
	if sum == 0 && proto == wire.ProtoUDP {
		sum = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.BigEndian.PutUint16(b[at:], sum)
}

// sumPseudo sums the pseudo-header of an IP packet (RFC 8200, Section 8.1; that of
// IPv4 differs in nothing that counts).
func sumPseudo(b []byte, proto byte) uint16 {
	var pseudo [40]byte
	n := copy(pseudo[:], addresses(b))
	binary.BigEndian.PutUint32(pseudo[n:], uint32(len(b)-ipHeaderLen(b)))
	pseudo[n+7] = proto
	return wire.Checksum(pseudo[:n+8], 0)
}

// addresses returns the part of an IP header that holds source and destination.
func addresses(b []byte) []byte {
	if b[0]>>4 == 4 {
		return b[12:20]
	}
	return b[8:40]
}
