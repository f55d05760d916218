package wire

import "encoding/binary"

// BuildRouterError makes the packet the ICMP error that a router at the address from
// sends about the packet in, whose IP header is ip: ICMPTimeExceeded,
// ICMPUnreachable with a code, or ICMPTooBig with the next link's MTU. Whether
// an error may be sent at all is the caller's to know (RFC 1812, Section
// 4.3.2.7; RFC 4443, Section 2.4). The packet owns its payload; its Link stays.
func (p *Packet) BuildRouterError(from Addr, ip *IP, in *Packet, kind ICMPKind, code uint8, mtu int) {
	h := [icmpHeaderLen]byte{1: code}
	room := maxICMPError - ipv4HeaderLen - icmpHeaderLen
	if ip.Version == 6 {
		room = maxICMPv6Error - ipv6HeaderLen - icmpHeaderLen
	}
	switch {
	case ip.Version == 4 && kind == ICMPTooBig: // RFC 1191, Section 4
		h[0], h[1] = icmpUnreachable, icmpCodeFrag
		binary.BigEndian.PutUint16(h[6:], uint16(mtu))
	case ip.Version == 4 && kind == ICMPTimeExceeded:
		h[0] = icmpTimeExceeded
	case ip.Version == 4:
		h[0] = icmpUnreachable
	case kind == ICMPTooBig: // RFC 4443, Section 3.2
		h[0] = icmpv6TooBig
		binary.BigEndian.PutUint32(h[4:], uint32(mtu))
	case kind == ICMPTimeExceeded:
		h[0] = icmpv6TimeExceeded
	default:
		h[0] = icmpv6Unreachable
	}
	back := *ip
	back.Dst = from
	p.buildICMP(&back, h, ipFields{}, in, 0, min(room, ip.Len))
}
