package wire

// IP is what the stack needs of an IPv4 or IPv6 header.
type IP struct {
	Src, Dst  Addr
	Version   uint8 // 4 or 6
	Protocol  uint8 // of the first header after IP and its extension headers
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
