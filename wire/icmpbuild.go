package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/internal/block"
)

// HostError is a reason why a host does not take a packet that was sent to it.
type HostError uint8

// The reasons. Those from HostErrorOption on are for IPv6 only.
const (
	HostErrorPort       HostError = iota // nobody listens on the UDP port
	HostErrorProtocol                    // the protocol is not spoken
	HostErrorReassembly                  // fragments were missing when the time was up
	HostErrorOption                      // DropOption
	HostErrorRoute                       // DropSourceRoute
	HostErrorFragment                    // Fragment.WrongAt
)

// hostErrors are the types and codes of the messages, in IPv4 and in IPv6.
var hostErrors = [...][2]struct{ kind, code uint8 }{
	HostErrorPort:       {{icmpUnreachable, ICMPPortUnreachable}, {icmpv6Unreachable, ICMPv6PortUnreachable}},
	HostErrorProtocol:   {{icmpUnreachable, ICMPProtocolUnreachable}, {icmpv6ParameterProblem, ICMPv6UnknownNextHeader}},
	HostErrorReassembly: {{icmpTimeExceeded, ICMPReassemblyTimeout}, {icmpv6TimeExceeded, ICMPReassemblyTimeout}},
	HostErrorOption:     {1: {icmpv6ParameterProblem, ICMPv6UnknownOption}},
	HostErrorRoute:      {1: {icmpv6ParameterProblem, ICMPv6BadHeader}},
	HostErrorFragment:   {1: {icmpv6ParameterProblem, ICMPv6BadHeader}},
}

// The longest error messages, in bytes, IP header included: RFC 1812, Section
// 4.3.2.3; RFC 4443, Section 2.4(c), the least MTU of IPv6.
const (
	maxICMPError   = 576
	maxICMPv6Error = 1280
)

// BuildEchoReply makes the packet the answer to the echo request in, whose IP
// header is ip: the same identifier, sequence number and data, sent back (RFC
// 1122, Section 3.2.2.6; RFC 4443, Section 4.2). The packet owns its payload; its
// Link stays.
func (p *Packet) BuildEchoReply(ip *IP, in *Packet) {
	var h [icmpHeaderLen]byte
	in.copyFrom(h[:], ip.HeaderLen)
	h[0] = icmpEchoReply
	if ip.Version == 6 {
		h[0] = icmpv6EchoReply
	}
	off := ip.HeaderLen + icmpHeaderLen
	p.buildICMP(ip, h, ipFields{tos: ip.TOS}, in, off, ip.Len-off)
}

// BuildHostError makes the packet the ICMP error that tells the sender of in, whose
// IP header is ip, why the host it was sent to does not take it. As much of in is
// quoted as may be (RFC 1812, Section 4.3.2.3; RFC 4443, Section 3). Whether an
// error may be sent at all and how many is the caller's to know (RFC 1122,
// Section 3.2.2). The packet owns its payload; its Link stays.
func (p *Packet) BuildHostError(ip *IP, in *Packet, why HostError) {
	var h [icmpHeaderLen]byte
	room := maxICMPError - ipv4HeaderLen - icmpHeaderLen
	m := hostErrors[why][0]
	if ip.Version == 6 {
		room = maxICMPv6Error - ipv6HeaderLen - icmpHeaderLen
		m = hostErrors[why][1]
		if m.kind == icmpv6ParameterProblem {
			binary.BigEndian.PutUint32(h[4:], uint32(in.problemAt(why)))
		}
	}
	h[0], h[1] = m.kind, m.code
	p.buildICMP(ip, h, ipFields{}, in, 0, min(room, ip.Len))
}

// problemAt returns where in an IPv6 packet the byte is that is the reason.
func (p *Packet) problemAt(why HostError) int {
	if why == HostErrorFragment {
		var f Fragment
		p.ParseFragment(&f)
		return f.WrongAt
	}
	at, _, _ := skipExtensions(p.Contiguous())
	return at
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
