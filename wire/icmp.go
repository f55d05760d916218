package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/seqnum"
)

// ICMPKind is what an ICMP or ICMPv6 message is about.
type ICMPKind uint8

// The kinds that Trivet has a use for. ICMPv4's "fragmentation needed" is
// ICMPTooBig, as in ICMPv6.
const (
	ICMPEcho ICMPKind = iota + 1
	ICMPEchoReply
	ICMPUnreachable
	ICMPTooBig
	ICMPTimeExceeded
	ICMPParameterProblem
)

// The codes of ICMPUnreachable in IPv4 (RFC 792; RFC 1122, Section 3.2.2.1;
// RFC 1812, Section 5.2.7.1).
const (
	ICMPNetUnreachable      = 0
	ICMPHostUnreachable     = 1
	ICMPProtocolUnreachable = 2
	ICMPPortUnreachable     = 3
	ICMPSourceRouteFailed   = 5
	ICMPNetUnknown          = 6
	ICMPHostUnknown         = 7
	ICMPHostIsolated        = 8
	ICMPNetProhibited       = 9
	ICMPHostProhibited      = 10
	ICMPNetUnreachableTOS   = 11
	ICMPHostUnreachableTOS  = 12
	ICMPProhibited          = 13
)

// The codes of ICMPUnreachable in IPv6, and those of ICMPParameterProblem (RFC
// 4443, Sections 3.1 and 3.4).
const (
	ICMPv6NoRoute            = 0
	ICMPv6Prohibited         = 1
	ICMPv6BeyondScope        = 2
	ICMPv6AddressUnreachable = 3
	ICMPv6PortUnreachable    = 4
	ICMPv6SourcePolicy       = 5
	ICMPv6RejectRoute        = 6

	ICMPv6BadHeader         = 0
	ICMPv6UnknownNextHeader = 1
	ICMPv6UnknownOption     = 2
)

// ICMPReassemblyTimeout is the code of ICMPTimeExceeded that says that fragments
// were missing, in both versions (RFC 792; RFC 4443, Section 3.3).
const ICMPReassemblyTimeout = 1

const (
	icmpHeaderLen = 8
	icmpCodeFrag  = 4 // "fragmentation needed", of icmpUnreachable
)

// Types on the wire.
const (
	icmpEchoReply        = 0
	icmpUnreachable      = 3
	icmpEcho             = 8
	icmpTimeExceeded     = 11
	icmpParameterProblem = 12

	icmpv6Unreachable      = 1
	icmpv6TooBig           = 2
	icmpv6TimeExceeded     = 3
	icmpv6ParameterProblem = 4
	icmpv6Echo             = 128
	icmpv6EchoReply        = 129
)

var icmpKinds = [256]ICMPKind{
	icmpEchoReply:        ICMPEchoReply,
	icmpUnreachable:      ICMPUnreachable,
	icmpEcho:             ICMPEcho,
	icmpTimeExceeded:     ICMPTimeExceeded,
	icmpParameterProblem: ICMPParameterProblem,
}

var icmpv6Kinds = [256]ICMPKind{
	icmpv6Unreachable:      ICMPUnreachable,
	icmpv6TooBig:           ICMPTooBig,
	icmpv6TimeExceeded:     ICMPTimeExceeded,
	icmpv6ParameterProblem: ICMPParameterProblem,
	icmpv6Echo:             ICMPEcho,
	icmpv6EchoReply:        ICMPEchoReply,
}

// ICMP is a message of ICMP or ICMPv6.
type ICMP struct {
	Kind ICMPKind
	Code uint8 // as on the wire; what it means depends on the version

	// ID and Seq are those of an echo or its reply.
	ID, Seq uint16

	// MTU is the next hop's, in bytes, when the kind is ICMPTooBig; 0 from a
	// router older than RFC 1191.
	MTU int

	// Protocol and Tuple are those of the packet that an error quotes, seen as
	// its sender does: the source is Local. Ports are 0 if the protocol is
	// neither TCP nor UDP. TCPSeq is the sequence number of a quoted segment.
	Protocol uint8
	Tuple    FourTuple
	TCPSeq   seqnum.Value
}

// maxQuote is how many bytes of an ICMP message are looked at: its header, a
// quoted IP header with options or extension headers, and 8 bytes more.
const maxQuote = 160

// ParseICMP reads the ICMP or ICMPv6 message that follows the IP header that
// ParseIP found. Messages that Trivet has no use for are DropICMPType; among
// them are the source quenches, which RFC 9293, Section 3.9.2.2 has dropped
// silently (MUST-55).
func (p *Packet) ParseICMP(ip *IP, m *ICMP) Drop {
	var buf [maxQuote]byte
	b := buf[:p.copyFrom(buf[:], ip.HeaderLen)]
	if len(b) < icmpHeaderLen {
		return DropICMPHeader
	}
	*m = ICMP{Code: b[1]}
	var acc uint64
	switch {
	case ip.Version == 4 && ip.Protocol == ProtoICMP:
		m.Kind = icmpKinds[b[0]]
		if m.Kind == ICMPUnreachable && m.Code == icmpCodeFrag {
			m.Kind = ICMPTooBig
			m.MTU = int(binary.BigEndian.Uint16(b[6:]))
		}
	case ip.Version == 6 && ip.Protocol == ProtoICMPv6:
		acc = pseudoSum(&ip.Src, &ip.Dst, ProtoICMPv6, ip.Len-ip.HeaderLen)
		m.Kind = icmpv6Kinds[b[0]]
		if m.Kind == ICMPTooBig {
			m.MTU = int(min(binary.BigEndian.Uint32(b[4:]), maxPacket))
		}
	default:
		return DropProtocol
	}
	if p.Checksum == ChecksumUnknown && fold(p.sumFrom(ip.HeaderLen, acc)) != 0xffff {
		return DropICMPChecksum
	}
	switch m.Kind {
	case 0:
		return DropICMPType
	case ICMPEcho, ICMPEchoReply:
		m.ID, m.Seq = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
		return DropNone
	}
	return m.parseQuote(ip.Version, b[icmpHeaderLen:])
}

// parseQuote reads the start of the packet that an error is about. Its
// checksum and lengths are not looked at: routers on the way changed the header
// and cut the end off.
func (m *ICMP) parseQuote(version uint8, b []byte) Drop {
	var hl int
	switch {
	case version == 4 && len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		hl = int(b[0]&0xf) * 4
		if hl < ipv4HeaderLen || binary.BigEndian.Uint16(b[6:])&ipv4OffsetMask != 0 {
			return DropICMPHeader
		}
		m.Tuple.LocalAddr.setIPv4(b[12:16])
		m.Tuple.RemoteAddr.setIPv4(b[16:20])
		m.Protocol = b[9]
	case version == 6 && len(b) >= ipv6HeaderLen && b[0]>>4 == 6:
		at, n, d := skipExtensions(b)
		if d != DropNone {
			return DropICMPHeader
		}
		m.Tuple.LocalAddr = Addr(b[8:24])
		m.Tuple.RemoteAddr = Addr(b[24:40])
		m.Protocol, hl = b[at], n
	default:
		return DropICMPHeader
	}
	// RFC 792: at least 8 bytes after the header are quoted.
	if len(b) < hl+8 {
		return DropICMPHeader
	}
	b = b[hl:]
	if m.Protocol == ProtoTCP || m.Protocol == ProtoUDP {
		m.Tuple.LocalPort = binary.BigEndian.Uint16(b)
		m.Tuple.RemotePort = binary.BigEndian.Uint16(b[2:])
	}
	if m.Protocol == ProtoTCP {
		m.TCPSeq = seqnum.Value(binary.BigEndian.Uint32(b[4:]))
	}
	return DropNone
}

// copyFrom copies the packet's bytes from offset off on to dst and returns how
// many there were.
func (p *Packet) copyFrom(dst []byte, off int) int {
	n := 0
	if own := int(p.n); off < own {
		n = copy(dst, p.hdr[off:own])
		off = 0
	} else {
		off -= own
	}
	for _, c := range p.Payload {
		if off >= len(c.Data) {
			off -= len(c.Data)
			continue
		}
		n += copy(dst[n:], c.Data[off:])
		off = 0
	}
	return n
}

// unreachableTexts say what the codes of ICMPUnreachable mean, by version.
var unreachableTexts = map[uint8]map[uint8]string{
	4: {
		ICMPNetUnreachable: "network unreachable", ICMPHostUnreachable: "host unreachable",
		ICMPProtocolUnreachable: "protocol unreachable", ICMPPortUnreachable: "port unreachable",
		ICMPNetProhibited: "network prohibited", ICMPHostProhibited: "host prohibited", ICMPProhibited: "prohibited",
	},
	6: {
		ICMPv6NoRoute: "no route", ICMPv6Prohibited: "prohibited", ICMPv6AddressUnreachable: "address unreachable",
		ICMPv6PortUnreachable: "port unreachable",
	},
}

// Text says in words what the message of the IP version is: "host unreachable".
func (m *ICMP) Text(version uint8) string {
	switch m.Kind {
	case ICMPEcho:
		return "echo"
	case ICMPEchoReply:
		return "echo reply"
	case ICMPTooBig:
		return "packet too big"
	case ICMPTimeExceeded:
		return "time exceeded"
	case ICMPParameterProblem:
		return "parameter problem"
	}
	if text := unreachableTexts[version][m.Code]; text != "" {
		return text
	}
	return "unreachable"
}
