package wire

// Drop says why a packet was dropped before any connection saw it. The zero
// value means it was not.
type Drop uint8

// The reasons.
const (
	DropNone         Drop = iota
	DropShort             // too short for the header it claims to have
	DropVersion           // neither IPv4 nor IPv6
	DropHeader            // a header length or total length that cannot be
	DropIPChecksum        // IPv4 header checksum wrong
	DropFragment          // a fragment: of a datagram to be put together, or one that cannot be
	DropSourceRoute       // a source route option, or a routing header that leads further
	DropAddress           // source or destination address that cannot be
	DropNotLocal          // not for one of our addresses
	DropProtocol          // an upper protocol that we do not speak
	DropTCPHeader         // TCP data offset under 5 or past the end
	DropTCPChecksum       // TCP checksum wrong
	DropUDPHeader         // UDP length that cannot be
	DropUDPChecksum       // UDP checksum wrong
	DropICMPHeader        // ICMP message too short
	DropICMPChecksum      // ICMP checksum wrong
	DropICMPType          // an ICMP message we have no use for
	DropSuperSegment      // offload metadata that does not fit the packet
	DropNoPort            // nobody has the UDP port
	DropQueueFull         // the receive queue of the UDP socket is full
	DropOption            // an unknown IPv6 option whose sender is to be told
	NumDrops
)

var dropNames = [NumDrops]string{
	"none", "short", "version", "header", "ip-checksum", "fragment", "source-route", "address",
	"not-local", "protocol", "tcp-header", "tcp-checksum", "udp-header", "udp-checksum",
	"icmp-header", "icmp-checksum", "icmp-type", "super-segment", "no-port", "queue-full", "option",
}

// String returns the reason's name, "tcp-checksum".
func (d Drop) String() string {
	if d < NumDrops {
		return dropNames[d]
	}
	return "unknown"
}
