package wire

import "encoding/binary"

const ipv4HeaderLen = 20

// IPv4 option kinds (RFC 791, Section 3.1).
const (
	ipv4OptionEnd  = 0
	ipv4OptionNop  = 1
	ipv4OptionLSRR = 131
	ipv4OptionSSRR = 137
)

const (
	ipv4DontFragment = 0x4000
	ipv4OffsetMask   = 0x1fff
	ipv4FragmentMask = 0x3fff // more fragments, and the offset
)

// parseIPv4 reads the header at the start of b, the packet's contiguous bytes.
func (p *Packet) parseIPv4(b []byte, ip *IP) Drop {
	if len(b) < ipv4HeaderLen {
		return DropShort
	}
	hl := int(b[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if hl < ipv4HeaderLen || total < hl {
		return DropHeader
	}
	if hl > len(b) {
		return DropShort
	}
	// RFC 1122, Section 3.2.1.2: verify the header checksum and silently
	// discard a datagram with a bad one.
	if fold(accumulate(b[:hl], 0)) != 0xffff {
		return DropIPChecksum
	}
	if !p.setLen(total) {
		return DropHeader
	}
	if binary.BigEndian.Uint16(b[6:])&ipv4FragmentMask != 0 {
		return DropFragment
	}
	if hl > ipv4HeaderLen {
		if d := checkIPv4Options(b[ipv4HeaderLen:hl]); d != DropNone {
			return d
		}
	}
	ip.Src.setIPv4(b[12:16])
	ip.Dst.setIPv4(b[16:20])
	ip.Version = 4
	ip.Protocol = b[9]
	ip.TTL = b[8]
	ip.TOS = b[1]
	ip.HeaderLen = hl
	ip.Len = total
	return checkIPv4Addresses([4]byte(b[12:16]), [4]byte(b[16:20]))
}

// checkIPv4Addresses refuses what RFC 1122, Section 3.2.1.3 does: a source that
// is multicast or the limited broadcast, and no destination at all.
func checkIPv4Addresses(src, dst [4]byte) Drop {
	if isGroup(src) || dst == [4]byte{} {
		return DropAddress
	}
	return DropNone
}

// isGroup reports whether a is multicast or the limited broadcast.
func isGroup(a [4]byte) bool {
	return (a[0] >= 224 && a[0] < 240) || a == [4]byte{255, 255, 255, 255}
}

// checkIPv4Options walks IPv4 options. RFC 1122, Section 3.2.1.8: those that
// are not understood are passed over; source routes are not accepted, as
// Section 3.3.5 allows and RFC 7126, Section 4.3 advises.
func checkIPv4Options(b []byte) Drop {
	for len(b) > 0 {
		switch b[0] {
		case ipv4OptionEnd:
			return DropNone
		case ipv4OptionNop:
			b = b[1:]
			continue
		case ipv4OptionLSRR, ipv4OptionSSRR:
			return DropSourceRoute
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return DropHeader
		}
		b = b[b[1]:]
	}
	return DropNone
}
