package wire

import "encoding/binary"

// IP is what the stack needs of an IPv4 or IPv6 header.
type IP struct {
	Src, Dst  Addr
	Version   uint8 // 4 or 6
	Protocol  uint8 // of the first header after IP and its extension headers; with DropOption the option's type
	TTL       uint8 // or hop limit
	TOS       uint8 // or traffic class
	HeaderLen int   // bytes, IPv4 options or IPv6 extension headers included
	Len       int   // bytes of the whole packet by its own length field
}

// Numbers of upper protocols.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// ipv4Prefix is what an IPv4 address begins with in an Addr.
const ipv4Prefix = 0xffff

// setIPv4 makes a the IPv4 address of the 4 bytes of b.
func (a *Addr) setIPv4(b []byte) {
	binary.BigEndian.PutUint64(a[0:], 0)
	binary.BigEndian.PutUint32(a[8:], ipv4Prefix)
	copy(a[12:16], b)
}

// ParseIP reads the IP header of a packet from a link into ip, or says why the
// packet has to be dropped. A packet that is longer than its header says, as
// padding on a link makes it, is trimmed to what the header says.
//
// Addresses are refused here that are wrong on every host: multicast and
// broadcast as a source, "unspecified" as a destination, and IPv4-mapped
// addresses inside IPv6. Loopback addresses and whether the packet is for this
// host are the caller's to judge, who knows the interface.
func (p *Packet) ParseIP(ip *IP) Drop {
	b := p.Contiguous()
	if len(b) == 0 {
		return DropShort
	}
	switch b[0] >> 4 {
	case 4:
		return p.parseIPv4(b, ip)
	case 6:
		return p.parseIPv6(b, ip)
	}
	return DropVersion
}

// setLen trims the packet to n bytes, of which the first contiguous ones hold
// at least the IP header. It reports whether the packet has as many.
func (p *Packet) setLen(n int) bool {
	over := p.Len() - n
	if over < 0 {
		return false
	}
	// An emptied chunk stays, so that Release gives its reference back.
	for i := len(p.Payload) - 1; i >= 0 && over > 0; i-- {
		c := &p.Payload[i]
		cut := min(over, len(c.Data))
		c.Data = c.Data[:len(c.Data)-cut]
		over -= cut
	}
	p.n -= uint8(over) // what is left of it is in the packet itself
	return true
}
