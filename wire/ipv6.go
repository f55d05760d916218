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
// other protocol is, and where that protocol's header begins.
func skipExtensions(b []byte) (at, hl int, d Drop) {
	at, hl = 6, ipv6HeaderLen
	for {
		switch b[at] {
		case ipv6HopByHop:
			// RFC 8200, Section 4.1: only right after the IPv6 header.
			if hl != ipv6HeaderLen {
				return at, hl, DropHeader
			}
		case ipv6Destination, ipv6Fragment:
		case ipv6Routing:
			return at, hl, DropSourceRoute
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
			if !ignorable(b[hl+2 : hl+n]) {
				return at, hl, DropHeader
			}
		}
		at, hl = hl, hl+n
	}
}

// ignorable reports whether all options in b may be passed over by a host that
// knows none of them (RFC 8200, Section 4.2: the two highest bits of the type
// are zero).
func ignorable(b []byte) bool {
	for len(b) > 0 {
		if b[0] == 0 { // Pad1
			b = b[1:]
			continue
		}
		if b[0]&0xc0 != 0 || len(b) < 2 || len(b) < 2+int(b[1]) {
			return false
		}
		b = b[2+int(b[1]):]
	}
	return true
}
