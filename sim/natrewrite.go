package sim

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// flowOf returns the flow of a packet of TCP or UDP, and the flags of a
// segment.
func flowOf(b []byte) (key flowKey, flags wire.Flags, ok bool) {
	n := ipHeaderLen(b)
	proto := b[6]
	if b[0]>>4 == 4 {
		proto = b[9]
		if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return key, 0, false // a fragment
		}
	}
	switch {
	case proto == wire.ProtoTCP && len(b) >= n+20:
		flags = wire.Flags(b[n+13])
	case proto == wire.ProtoUDP && len(b) >= n+8:
	default:
		return key, 0, false
	}
	key.proto = proto
	key.tuple = wire.FourTuple{
		LocalAddr: source(b), RemoteAddr: destination(b),
		LocalPort: binary.BigEndian.Uint16(b[n:]), RemotePort: binary.BigEndian.Uint16(b[n+2:]),
	}
	return key, flags, true
}

// rewrite changes the source, or the destination, of a packet of TCP or UDP.
// The transport checksum is adapted, not computed anew, so that damage that was
// done on the way is still found.
func rewrite(b []byte, src bool, addr wire.Addr, port uint16) {
	n := ipHeaderLen(b)
	be := binary.BigEndian
	portAt, sumAt := n+2, n+16
	if src {
		portAt = n
	}
	field := addressField(b, src)
	before := ^wire.Checksum(field, be.Uint16(b[portAt:]))
	copy(field, addr[len(addr)-len(field):])
	be.PutUint16(b[portAt:], port)
	after := wire.Checksum(field, port)
	proto := b[6]
	if b[0]>>4 == 4 {
		proto = b[9]
		sealIPv4(b[:n])
	}
	if proto == wire.ProtoUDP {
		sumAt = n + 6
		if be.Uint16(b[sumAt:]) == 0 {
			return // RFC 768: there is none
		}
	}
	adapt(b[sumAt:], before, after)
}

// adapt changes a checksum by what went and what came (RFC 1624, Section 3,
// equation 3): HC' = ~(~HC + ~m + m').
func adapt(field []byte, minus, plus uint16) {
	be := binary.BigEndian
	sum := uint32(^be.Uint16(field)) + uint32(minus) + uint32(plus)
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	be.PutUint16(field, ^uint16(sum))
}

// addressField returns where the source or the destination is.
func addressField(b []byte, src bool) []byte {
	a := addresses(b)
	if src {
		return a[:len(a)/2]
	}
	return a[len(a)/2:]
}

// errorIn translates an ICMP error from outside about a packet that went out
// (RFC 5508, Section 4.2): the quoted source is the NAT's, and so is the
// destination of the error.
func (n *NAT) errorIn(now tcp.Time, at *port, p *wire.Packet) {
	key, ok := n.quoted(p)
	if !ok {
		n.local(at, p)
		return
	}
	// A packet from outside of the same flow would say it the other way round.
	m := n.lookup(now, n.outside, flowKey{key.proto, key.tuple.Reverse()})
	if m == nil {
		n.stats.NoRoute++
		return
	}
	b := p.AppendTo(nil)
	setQuote(b[quoteAt(b):], true, m.inside.tuple.LocalAddr, m.inside.tuple.LocalPort)
	n.readdress(at, b, false, m.inside.tuple.LocalAddr)
}

// errorOut translates an ICMP error from inside about a packet that came in
// (RFC 5508, Section 4.3).
func (n *NAT) errorOut(now tcp.Time, at *port, p *wire.Packet) {
	key, ok := n.quoted(p)
	if !ok {
		n.local(at, p)
		return
	}
	m := n.lookup(now, n.inside, flowKey{key.proto, key.tuple.Reverse()})
	if m == nil {
		n.stats.NoRoute++
		return
	}
	b := p.AppendTo(nil)
	setQuote(b[quoteAt(b):], false, m.outside.tuple.RemoteAddr, m.outside.tuple.RemotePort)
	n.readdress(at, b, true, m.outside.tuple.RemoteAddr)
}

// quoted returns the flow of the packet that an ICMP error quotes.
func (n *NAT) quoted(p *wire.Packet) (flowKey, bool) {
	var m wire.ICMP
	if p.SegSize > 0 || n.problem != wire.DropNone || p.ParseICMP(&n.ip, &m) != wire.DropNone {
		return flowKey{}, false
	}
	if m.Protocol != wire.ProtoTCP && m.Protocol != wire.ProtoUDP {
		return flowKey{}, false
	}
	b := p.AppendTo(nil)
	if q := b[quoteAt(b):]; q[0]>>4 == 6 && q[6] != m.Protocol {
		return flowKey{}, false // behind extension headers, which no host here sends
	}
	return flowKey{m.Protocol, m.Tuple}, true
}

// quoteAt returns where in an ICMP message the quoted packet begins.
func quoteAt(b []byte) int { return ipHeaderLen(b) + 8 }

// setQuote changes the source or destination in a quoted packet. Its transport
// checksum, which often is cut off, is left.
func setQuote(q []byte, src bool, addr wire.Addr, port uint16) {
	n := ipHeaderLen(q)
	field := addressField(q, src)
	copy(field, addr[len(addr)-len(field):])
	if !src {
		n += 2
	}
	binary.BigEndian.PutUint16(q[n:], port)
	if q[0]>>4 == 4 {
		sealIPv4(q[:ipHeaderLen(q)])
	}
}

// readdress sends an ICMP message on with another source or destination.
func (n *NAT) readdress(at *port, b []byte, src bool, addr wire.Addr) {
	field := addressField(b, src)
	copy(field, addr[len(addr)-len(field):])
	hl := ipHeaderLen(b)
	b[hl+2], b[hl+3] = 0, 0
	var sum uint16
	if b[0]>>4 == 4 {
		sealIPv4(b[:hl])
	} else {
		sum = sumPseudo(b, wire.ProtoICMPv6)
	}
	binary.BigEndian.PutUint16(b[hl+2:], ^wire.Checksum(b[hl:], sum))
	var p wire.Packet
	p.SetChunk(copyOf(b))
	if n.parse(&p) {
		dst := destination(b)
		n.forward(at, n.routes.find(&n.station, &dst), &p, nil)
	}
	p.Release()
}
