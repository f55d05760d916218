package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
)

// Unreachable is a reason why a packet that came in was not for anyone here.
type Unreachable uint8

// The reasons.
const (
	UnreachablePort     Unreachable = iota // nobody listens on the UDP port
	UnreachableProtocol                    // the protocol is not spoken
	UnreachableTimeout                     // fragments were missing when the time was up
	UnreachableOption                      // in IPv6: DropOption
	UnreachableRoute                       // in IPv6: DropSourceRoute
	UnreachableFragment                    // in IPv6: Fragment.WrongAt
)

// The longest error messages, in bytes, IP header included: RFC 1812, Section
// 4.3.2.3; RFC 4443, Section 2.4(c), the least MTU of IPv6.
const (
	maxICMPError   = 576
	maxICMPv6Error = 1280
)

// BuildEchoReply makes the packet the answer to the echo request in, whose IP
// header is ip: the same identifier, sequence number and data, sent back (RFC
// 1122, Section 3.2.2.6; RFC 4443, Section 4.2). id is the identification in
// IPv4. The packet owns its payload; its Link stays.
func (p *Packet) BuildEchoReply(ip *IP, in *Packet, id uint16) {
	var h [icmpHeaderLen]byte
	in.copyFrom(h[:], ip.HeaderLen)
	h[0] = icmpEchoReply
	if ip.Version == 6 {
		h[0] = icmpv6EchoReply
	}
	off := ip.HeaderLen + icmpHeaderLen
	p.buildICMP(ip, h, ipFields{tos: ip.TOS, id: id}, in, off, ip.Len-off)
}

// BuildUnreachable makes the packet the error message that tells the sender of
// in, whose IP header is ip, that it could not be delivered. As much of in is
// quoted as may be (RFC 1812, Section 4.3.2.3; RFC 4443, Section 3). Whether an
// error may be sent at all and how many is the caller's to know (RFC 1122,
// Section 3.2.2). The packet owns its payload; its Link stays.
func (p *Packet) BuildUnreachable(ip *IP, in *Packet, why Unreachable, id uint16) {
	var h [icmpHeaderLen]byte
	room := maxICMPError - ipv4HeaderLen - icmpHeaderLen
	switch {
	case ip.Version == 4 && why == UnreachablePort:
		h[0], h[1] = icmpUnreachable, ICMPPortUnreachable
	case ip.Version == 4 && why == UnreachableTimeout:
		h[0], h[1] = icmpTimeExceeded, ICMPReassemblyTimeout
	case ip.Version == 4:
		h[0], h[1] = icmpUnreachable, ICMPProtocolUnreachable
	default:
		room = maxICMPv6Error - ipv6HeaderLen - icmpHeaderLen
		h[0], h[1] = icmpv6Unreachable, ICMPv6PortUnreachable
		switch why {
		case UnreachableTimeout:
			h[0], h[1] = icmpv6TimeExceeded, ICMPReassemblyTimeout
		case UnreachableProtocol, UnreachableOption, UnreachableRoute:
			h[0], h[1] = icmpv6ParameterProblem, ICMPv6UnknownNextHeader
			if why == UnreachableOption {
				h[1] = ICMPv6UnknownOption
			} else if why == UnreachableRoute {
				h[1] = ICMPv6BadHeader
			}
			at, _, _ := skipExtensions(in.Contiguous())
			binary.BigEndian.PutUint32(h[4:], uint32(at))
		case UnreachableFragment:
			var f Fragment
			in.ParseFragment(&f)
			h[0], h[1] = icmpv6ParameterProblem, ICMPv6BadHeader
			binary.BigEndian.PutUint32(h[4:], uint32(f.WrongAt))
		}
	}
	p.buildICMP(ip, h, ipFields{id: id}, in, 0, min(room, ip.Len))
}

// buildICMP makes the packet an ICMP message of the given header, sent back to
// where ip came from, followed by n bytes of in from offset off.
func (p *Packet) buildICMP(ip *IP, header [icmpHeaderLen]byte, f ipFields, in *Packet, off, n int) {
	f.proto = ProtoICMP
	f.room, f.length = icmpHeaderLen, icmpHeaderLen+n
	var acc uint64
	if ip.Version == 6 {
		f.proto = ProtoICMPv6
		acc = pseudoSum(&ip.Dst, &ip.Src, ProtoICMPv6, f.length)
	}
	b := block.Get(n)
	data := b.Bytes()[:n]
	in.copyFrom(data, off)

	h := p.setIP(&ip.Dst, &ip.Src, f)
	copy(h, header[:])
	h[2], h[3] = 0, 0
	putChecksum(h[2:], accumulate(data, accumulate(h, acc)))
	p.Payload = append(p.Payload[:0], block.Chunk{Block: b, Data: data})
	p.SegSize, p.Checksum = 0, ChecksumUnknown
}
