package engine

import (
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputICMP handles an ICMP or ICMPv6 message: an echo request is answered, an
// error goes to the connection whose segment it quotes (RFC 9293, Section
// 3.9.2.2, MUST-54).
func (e *Engine) inputICMP(now tcp.Time, p *wire.Packet) {
	m := &e.icmp
	if d := p.ParseICMP(&e.ip, m); d != wire.DropNone {
		e.drop(now, d)
		return
	}
	e.stats.ICMPIn++
	switch {
	case m.Kind == wire.ICMPEcho:
		e.answerEcho(now, p)
	case m.Kind != wire.ICMPEchoReply && m.Protocol == wire.ProtoTCP:
		e.inputError(now, m)
	case m.Kind != wire.ICMPEchoReply && m.Protocol == wire.ProtoUDP:
		e.inputUDPError(now, m)
	default:
		e.drop(now, wire.DropICMPType)
	}
}

// answerEcho answers an echo request with all of its data, in fragments when it
// came in fragments (RFC 1122, Section 3.2.2.6; RFC 4443, Section 4.2).
func (e *Engine) answerEcho(now tcp.Time, p *wire.Packet) {
	reply := e.nextICMP(now)
	if reply == nil {
		return
	}
	reply.BuildEchoReply(&e.ip, p)
	mtu := e.datagramMTU(now, e.network.byIndex(reply.Link), &e.ip.Src)
	if reply.Len() <= mtu {
		return
	}
	whole, r := &e.whole, &e.replies
	*whole, *reply = *reply, *whole
	r.Packets = r.Packets[:r.Len()-1]
	id := e.fragmentID(&wire.FourTuple{LocalAddr: e.ip.Dst, RemoteAddr: e.ip.Src})
	wire.CutFragments(whole, mtu, id, &r.Batch)
	whole.Release()
}

// inputEchoToMany answers an echo request to an IPv6 group that the host is in on
// the interface: RFC 4443, Section 4.2, has it come from an address of that. Those
// to IPv4 groups and broadcast addresses are ignored, which RFC 1122, Section
// 3.2.2.6, allows and Linux does.
func (e *Engine) inputEchoToMany(now tcp.Time, p *wire.Packet, index int) {
	d, i := p.ParseICMP(&e.ip, &e.icmp), e.network.byIndex(index)
	if d == wire.DropNone && (e.icmp.Kind != wire.ICMPEcho || i == nil || !e.isMember(index, &e.ip.Dst)) {
		d = wire.DropNotLocal
	}
	if d != wire.DropNone {
		e.drop(now, d)
		return
	}
	e.stats.ICMPIn++
	from := e.network.source(i, e.ip.Src.Netip())
	if !from.IsValid() {
		return
	}
	if reply := e.nextICMP(now); reply != nil {
		e.ip.Dst = wire.AddrFrom(from)
		reply.BuildEchoReply(&e.ip, p)
	}
}

// inputError handles an ICMP error about a segment of ours.
func (e *Engine) inputError(now tcp.Time, m *wire.ICMP) {
	n := e.table.lookup(uint32(e.keys.table.hash(&m.Tuple)), &m.Tuple)
	err, hard := errorOf(m, m.Tuple.LocalAddr.Is4())
	switch {
	case n == nil:
		e.rule(now, &m.Tuple, tcp.RuleICMPIgnored)
	case n.half != nil:
		e.errorHalfOpen(now, n.half, m, hard)
	case m.Kind == wire.ICMPTooBig:
		if n.conn.tcp.ICMPTooBig(now, m.TCPSeq, m.MTU) {
			e.paths.learn(now, &m.Tuple.RemoteAddr, n.conn.tcp.Info(now).PMTU)
		}
		e.settle(now, n.conn)
	default:
		n.conn.tcp.ICMPError(now, m.TCPSeq, err, hard)
		e.settle(now, n.conn)
	}
}

// errorHalfOpen ends a half-open connection by a hard error that quotes its
// SYN,ACK (RFC 5927, Section 4.1); its client is not there.
func (e *Engine) errorHalfOpen(now tcp.Time, h *halfOpen, m *wire.ICMP, hard bool) {
	switch {
	case m.Kind == wire.ICMPTooBig || m.TCPSeq != h.iss:
		e.rule(now, &h.tuple, tcp.RuleICMPIgnored)
	case hard:
		e.dropHalfOpen(now, h, tcp.StateListen, tcp.RuleICMPHard)
	default:
		e.rule(now, &h.tuple, tcp.RuleICMPSoft)
	}
}

// icmpError is what an ICMP error means to a connection, as on Linux.
type icmpError struct {
	errno syscall.Errno
	hard  bool
}

// unreachable are the codes of ICMPv4 destination unreachable. RFC 9293, Section
// 3.9.2.2: 0, 1 and 5 are soft (MUST-56), 2 and 3 hard (SHLD-26); RFC 1122,
// Section 3.2.2.1, has no rule for the others.
var unreachable = [...]icmpError{
	wire.ICMPNetUnreachable:      {syscall.ENETUNREACH, false},
	wire.ICMPHostUnreachable:     {syscall.EHOSTUNREACH, false},
	wire.ICMPProtocolUnreachable: {syscall.ENOPROTOOPT, true},
	wire.ICMPPortUnreachable:     {syscall.ECONNREFUSED, true},
	4:                            {syscall.EHOSTUNREACH, false}, // "fragmentation needed" is another kind
	wire.ICMPSourceRouteFailed:   {syscall.EOPNOTSUPP, false},
	wire.ICMPNetUnknown:          {syscall.ENETUNREACH, true},
	wire.ICMPHostUnknown:         {syscall.EHOSTDOWN, true},
	wire.ICMPHostIsolated:        {errHostIsolated, true},
	wire.ICMPNetProhibited:       {syscall.ENETUNREACH, true},
	wire.ICMPHostProhibited:      {syscall.EHOSTUNREACH, true},
	wire.ICMPNetUnreachableTOS:   {syscall.ENETUNREACH, false},
	wire.ICMPHostUnreachableTOS:  {syscall.EHOSTUNREACH, false},
	wire.ICMPProhibited:          {syscall.EHOSTUNREACH, true},
}

// unreachable6 are the codes of ICMPv6 destination unreachable: 0 and 3 are
// soft, 1 and 4 hard.
var unreachable6 = [...]icmpError{
	wire.ICMPv6NoRoute:            {syscall.ENETUNREACH, false},
	wire.ICMPv6Prohibited:         {syscall.EACCES, true},
	wire.ICMPv6BeyondScope:        {syscall.EHOSTUNREACH, false},
	wire.ICMPv6AddressUnreachable: {syscall.EHOSTUNREACH, false},
	wire.ICMPv6PortUnreachable:    {syscall.ECONNREFUSED, true},
	wire.ICMPv6SourcePolicy:       {syscall.EACCES, true},
	wire.ICMPv6RejectRoute:        {syscall.EACCES, true},
}

// errorOf returns the errno of an ICMP error and whether it is hard. Time
// exceeded and parameter problem are soft.
func errorOf(m *wire.ICMP, is4 bool) (errno syscall.Errno, hard bool) {
	table := unreachable6[:]
	if is4 {
		table = unreachable[:]
	}
	switch {
	case m.Kind == wire.ICMPParameterProblem:
		return syscall.EPROTO, false
	case m.Kind == wire.ICMPUnreachable && int(m.Code) < len(table):
		return table[m.Code].errno, table[m.Code].hard
	}
	return syscall.EHOSTUNREACH, false
}

// noNextHeader says that nothing follows the IPv6 header; such a packet is
// ignored (RFC 8200, Section 4.7).
const noNextHeader = 59

// inputUnknown answers a packet of a protocol that is not spoken here: RFC
// 1122, Section 3.2.2.1; RFC 4443, Section 3.4. It came to one address from one
// address, as those sections want it.
func (e *Engine) inputUnknown(now tcp.Time, p *wire.Packet) {
	e.drop(now, wire.DropProtocol)
	if e.ip.Version == 6 && e.ip.Protocol == noNextHeader {
		return
	}
	if reply := e.nextICMP(now); reply != nil {
		reply.BuildHostError(&e.ip, p, wire.HostErrorProtocol)
	}
}

// inputProblem tells the sender of a packet why its extension headers cannot be
// processed: RFC 8200, Sections 4.2 and 4.4; RFC 4443, Section 3.4.
func (e *Engine) inputProblem(now tcp.Time, p *wire.Packet, d wire.Drop) {
	from, a := e.problemFrom(p.Link, d)
	if a != wire.DropNone {
		e.drop(now, a)
		return
	}
	e.drop(now, d)
	e.ip.Dst = from
	if d == wire.DropOption {
		e.sendProblem(now, p, wire.HostErrorOption)
	} else {
		e.sendProblem(now, p, wire.HostErrorRoute)
	}
}

// problemFrom returns the address that tells of such a problem: the one that the
// packet was sent to. Of a packet to a group every host there would tell, which
// only an option may ask for, whose type begins with 10 (RFC 8200, Section 4.2;
// RFC 4443, Section 2.4(e)).
func (e *Engine) problemFrom(index int, d wire.Drop) (from wire.Addr, a wire.Drop) {
	n := &e.network
	if i := n.byIndex(index); i != nil && d == wire.DropOption && e.ip.Protocol>>6 == 2 && e.isMember(index, &e.ip.Dst) {
		if src := n.source(i, e.ip.Src.Netip()); src.IsValid() {
			return wire.AddrFrom(src), n.checkSource(&e.ip, index)
		}
	}
	return e.ip.Dst, n.check(&e.ip, index)
}

// sendProblem tells the sender of an IPv6 packet what is wrong with it; but nobody
// is told of an error message (RFC 4443, Section 2.4(e)).
func (e *Engine) sendProblem(now tcp.Time, p *wire.Packet, why wire.HostError) {
	if p.IsICMPv6Error() {
		return
	}
	if reply := e.nextICMP(now); reply != nil {
		reply.BuildHostError(&e.ip, p, why)
	}
}

// nextICMP returns a packet for an ICMP message to the source of the packet
// that arrived; nil when none may be sent.
func (e *Engine) nextICMP(now tcp.Time) *wire.Packet {
	if !e.errors.allow(now) {
		e.stats.ICMPSuppressed++
		return nil
	}
	reply := e.nextReply(&e.ip.Src)
	if reply != nil {
		e.stats.ICMPOut++
	}
	return reply
}
