package wire

import "encoding/binary"

const ipv6HeaderLen = 40

// IPv6 extension headers (RFC 8200, Section 4).
const (
	ipv6HopByHop    = 0
	ipv6Routing     = 43
	ipv6Fragment    = 44
	ipv6Destination = 60

	ipv6FragmentMask = 0xfff9 // the offset, and more fragments
)

// parseIPv6 reads the headers at the start of b, the packet's contiguous bytes.
func (p *Packet) parseIPv6(b []byte, ip *IP) Drop {
	if len(b) < ipv6HeaderLen {
		return DropShort
	}
	total := ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	if !p.setLen(total) {
		return DropHeader
	}
	ip.Src = Addr(b[8:24])
	ip.Dst = Addr(b[24:40])
	ip.Version = 6
	ip.TTL = b[7]
	ip.TOS = b[0]<<4 | b[1]>>4
	ip.Len = total
	if d := checkIPv6Addresses(&ip.Src, &ip.Dst); d != DropNone {
		return d
	}
	at, hl, d := skipExtensions(b[:min(total, len(b))])
	ip.Protocol, ip.HeaderLen = b[at], hl
	return d
}

// checkIPv6Addresses refuses a multicast source (RFC 4291, Section 2.7), the
// unspecified address as a destination (Section 2.5.2), and IPv4-mapped
// addresses, which are not for the wire (RFC 4942, Section 2.2).
func checkIPv6Addresses(src, dst *Addr) Drop {
	if src[0] == 0xff || *dst == (Addr{}) || src.Is4() || dst.Is4() {
		return DropAddress
	}
	return DropNone
}

// skipExtensions passes over the IPv6 header at the start of b, which is whole,
// and the extension headers after it. It returns where the number of the first
// other protocol is, and where that protocol's header begins; for DropOption and
// DropSourceRoute where the byte is that the sender is to be told of.
func skipExtensions(b []byte) (at, hl int, d Drop) {
	at, hl = 6, ipv6HeaderLen
	for {
		switch b[at] {
		case ipv6HopByHop:
			// RFC 8200, Section 4.1: only right after the IPv6 header. Elsewhere it is
			// a protocol like any other that is not known.
			if hl != ipv6HeaderLen {
				return at, hl, DropNone
			}
		case ipv6Destination, ipv6Routing, ipv6Fragment:
		default:
			return at, hl, DropNone
		}
		if len(b) < hl+8 {
			return at, hl, DropShort
		}
		n := 8
		if b[at] == ipv6Fragment {
			// RFC 6946, Section 4: a fragment header on a whole packet does not
			// wait for other fragments.
			if binary.BigEndian.Uint16(b[hl+2:])&ipv6FragmentMask != 0 {
				return at, hl, DropFragment
			}
		} else {
			n += int(b[hl+1]) * 8
			if len(b) < hl+n {
				return at, hl, DropShort
			}
			if p, d := checkExtension(b[at], b[hl:hl+n]); d != DropNone {
				return hl + p, hl, d
			}
		}
		at, hl = hl, hl+n
	}
}

// IsICMPv6Error reports whether an error message of ICMPv6 follows the extension
// headers of an IPv6 packet, those that are not known included. Of fragments only
// the first one tells.
func (p *Packet) IsICMPv6Error() bool {
	b := p.Contiguous()
	for at, hl := 6, ipv6HeaderLen; len(b) >= hl+8; {
		n := 8
		switch b[at] {
		case ipv6HopByHop, ipv6Destination, ipv6Routing:
			n += int(b[hl+1]) * 8
		case ipv6Fragment:
			if binary.BigEndian.Uint16(b[hl+2:])&^7 != 0 {
				return false
			}
		default:
			return b[at] == ProtoICMPv6 && b[hl] < icmpv6Echo
		}
		at, hl = hl, hl+n
	}
	return false
}

// checkExtension looks at the extension header b of the given kind. It returns
// DropNone when a host that knows nothing of it may pass over it, else where
// in it the reason is.
func checkExtension(kind uint8, b []byte) (at int, d Drop) {
	if kind != ipv6Routing {
		return checkIPv6Options(b)
	}
	if b[3] != 0 {
		return 2, DropSourceRoute
	}
	// RFC 8200, Section 4.4, and RFC 5095, Section 3: with no segments left it is
	// ignored, whatever its type.
	return 0, DropNone
}

// checkIPv6Options walks the options of the extension header b. RFC 8200,
// Section 4.2: the two highest bits of a type that is not known say what is to
// be done with the packet.
func checkIPv6Options(b []byte) (at int, d Drop) {
	for at = 2; at < len(b); {
		if b[at] == 0 { // Pad1
			at++
			continue
		}
		if len(b) < at+2 || len(b) < at+2+int(b[at+1]) {
			return at, DropHeader
		}
		switch b[at] >> 6 {
		case 0: // pass over it
			at += 2 + int(b[at+1])
		case 1:
			return at, DropHeader
		default:
			return at, DropOption
		}
	}
	return at, DropNone
}
