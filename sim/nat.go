package sim

import (
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// NATConfig says how a NAT works; the zero value is ready for use.
type NATConfig struct {
	// Established is how long the mapping of an open TCP connection lives
	// without a segment, Transitory how long that of one that is opening or
	// closing (RFC 5382, Section 5, REQ-5), and UDP that of a UDP flow (RFC
	// 4787, Section 4.3, REQ-5). Zero: 2 h 4 min, 4 min, 5 min.
	Established, Transitory, UDP time.Duration
	// Reset answers segments of unknown connections, from either side, with a
	// RST. Off: with silence, so that a peer finds out by its own time-outs.
	Reset bool
	// FirstPort and LastPort are the ports outside, used when the port inside
	// is taken there. Zero: 1024 and 65535.
	FirstPort, LastPort uint16
}

// NAT translates the addresses and ports of TCP and UDP between its inside and
// its outside, where all hosts inside have the NAT's own address (RFC 2663,
// Section 4.1.2, NAPT). The first link joined to it leads outside, all others
// inside. From outside nobody reaches the inside, but over the mapping that a
// packet to him has made, or over a Forward. ICMP errors are translated (RFC
// 5508, Section 4); other ICMP is not carried. Checksums that were wrong stay
// wrong.
type NAT struct {
	Router
	nat      NATConfig
	inside   map[flowKey]*mapping // by what a packet from inside says
	outside  map[flowKey]*mapping // by what a packet from outside says
	forwards []forward
	next     uint16 // port to try
}

// flowKey names a flow by the source and destination of its packets.
type flowKey struct {
	proto uint8
	tuple wire.FourTuple // Local is the source
}

// mapping is a flow through the NAT.
type mapping struct {
	inside, outside flowKey // as packets from inside and from outside say
	last            tcp.Time
	replied         bool // something came from outside
	finIn, finOut   bool
	reset           bool
}

// forward is a port outside that leads to a host inside.
type forward struct {
	proto uint8
	port  uint16
	to    netip.AddrPort
}

// AddNAT adds a NAT. Its addresses, inside and outside, are as a router's.
func (f *Fabric) AddNAT(name string, cfg NATConfig) *NAT {
	def(&cfg.Established, 2*time.Hour+4*time.Minute)
	def(&cfg.Transitory, 4*time.Minute)
	def(&cfg.UDP, 5*time.Minute)
	def(&cfg.FirstPort, 1024)
	def(&cfg.LastPort, 65535)
	n := &NAT{nat: cfg, next: cfg.FirstPort}
	n.Forget()
	n.station = station{name: name, leads: leadsNAT, input: n.translate, addrs: f.nextMiddleAddrs()}
	f.add(&n.station)
	return n
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// leadsNAT: nobody outside has a route to the inside.
func leadsNAT(in, _ *port) bool { return in.index != 0 }

// Forward leads what comes from outside to a TCP or UDP port (proto is
// wire.ProtoTCP or wire.ProtoUDP) of the NAT to an address and port inside.
func (n *NAT) Forward(proto uint8, port uint16, to netip.AddrPort) {
	n.forwards = append(n.forwards, forward{proto, port, to})
}

// Forget drops all mappings, as a NAT that was switched off and on; forwards
// stay.
func (n *NAT) Forget() {
	n.inside, n.outside = map[flowKey]*mapping{}, map[flowKey]*mapping{}
}

// Mappings returns how many flows are known, those not counted whose time is
// over.
func (n *NAT) Mappings() int {
	now, live := n.fabric.clock(), 0
	for _, m := range n.inside {
		if !n.expired(now, m) {
			live++
		}
	}
	return live
}

// Addr returns the NAT's IPv4 address, which hosts outside see.
func (n *NAT) Addr() netip.Addr { return n.addrs[0] }

// Addr6 returns the NAT's IPv6 address, which hosts outside see.
func (n *NAT) Addr6() netip.Addr { return n.addrs[1] }

// own returns the NAT's address of the same kind.
func (n *NAT) own(a *wire.Addr) wire.Addr {
	if a.Is4() {
		return wire.AddrFrom(n.addrs[0])
	}
	return wire.AddrFrom(n.addrs[1])
}

// translate handles a packet that came in.
func (n *NAT) translate(now tcp.Time, at *port, p *wire.Packet) {
	if !n.parse(p) {
		return
	}
	key, flags, ok := flowOf(p.Contiguous())
	fromOutside := at.index == 0
	switch {
	case !ok && fromOutside:
		n.errorIn(now, at, p)
	case !ok:
		n.errorOut(now, at, p)
	case fromOutside:
		n.in(now, at, p, key, flags)
	default:
		n.out(now, at, p, key, flags)
	}
}

// out handles a packet from inside.
func (n *NAT) out(now tcp.Time, at *port, p *wire.Packet, key flowKey, flags wire.Flags) {
	dst := key.tuple.RemoteAddr
	out := n.routes.find(&n.station, &dst)
	if out != nil && out.index != 0 {
		n.forward(at, out, p, nil) // stays inside
		return
	}
	m := n.lookup(now, n.inside, key)
	if m == nil {
		if key.proto == wire.ProtoTCP && flags&(wire.SYN|wire.ACK|wire.RST) != wire.SYN {
			n.unknown(at, p, flags)
			return
		}
		if m = n.open(now, key); m == nil {
			n.stats.NoRoute++
			return // no port is free
		}
	}
	m.see(now, flags, false)
	n.forward(at, out, p, func(b []byte) {
		rewrite(b, true, m.outside.tuple.RemoteAddr, m.outside.tuple.RemotePort)
	})
}

// in handles a packet from outside.
func (n *NAT) in(now tcp.Time, at *port, p *wire.Packet, key flowKey, flags wire.Flags) {
	if key.tuple.RemoteAddr != n.own(&key.tuple.RemoteAddr) {
		n.stats.NoRoute++
		return // not for the NAT: the inside is hidden
	}
	m := n.lookup(now, n.outside, key)
	if m == nil {
		m = n.forwarded(now, key, flags)
	}
	if m == nil {
		n.unknown(at, p, flags)
		return
	}
	m.see(now, flags, true)
	out := n.routes.find(&n.station, &m.inside.tuple.LocalAddr)
	n.forward(at, out, p, func(b []byte) {
		rewrite(b, false, m.inside.tuple.LocalAddr, m.inside.tuple.LocalPort)
	})
}

// lookup finds a mapping that still lives.
func (n *NAT) lookup(now tcp.Time, table map[flowKey]*mapping, key flowKey) *mapping {
	m := table[key]
	if m != nil && n.expired(now, m) {
		n.remove(m)
		return nil
	}
	return m
}

func (n *NAT) remove(m *mapping) {
	delete(n.inside, m.inside)
	delete(n.outside, m.outside)
}

func (n *NAT) expired(now tcp.Time, m *mapping) bool {
	life := n.nat.Established
	switch {
	case m.inside.proto == wire.ProtoUDP:
		life = n.nat.UDP
	case !m.replied || m.reset || m.finIn && m.finOut:
		life = n.nat.Transitory
	}
	return now.Sub(m.last) > life
}

// see notes a packet of the flow.
func (m *mapping) see(now tcp.Time, flags wire.Flags, fromOutside bool) {
	m.last = now
	m.reset = m.reset || flags.Has(wire.RST)
	if fromOutside {
		m.replied = true
		m.finIn = m.finIn || flags.Has(wire.FIN)
	} else {
		m.finOut = m.finOut || flags.Has(wire.FIN)
	}
	if flags&(wire.SYN|wire.ACK) == wire.SYN { // a new connection over the same ports
		m.reset, m.finIn, m.finOut = false, false, false
	}
}

// open makes the mapping of a new flow from inside: with the same port outside
// if it is free there, else another. Nil when none is.
func (n *NAT) open(now tcp.Time, key flowKey) *mapping {
	outside := flowKey{proto: key.proto, tuple: key.tuple.Reverse()}
	outside.tuple.RemoteAddr = n.own(&key.tuple.LocalAddr)
	for range int(n.nat.LastPort-n.nat.FirstPort) + 2 {
		if n.lookup(now, n.outside, outside) == nil {
			return n.add(now, key, outside)
		}
		outside.tuple.RemotePort = n.next
		if n.next++; n.next > n.nat.LastPort || n.next == 0 {
			n.next = n.nat.FirstPort
		}
	}
	return nil
}

// forwarded makes the mapping of a new flow from outside to a forwarded port.
func (n *NAT) forwarded(now tcp.Time, key flowKey, flags wire.Flags) *mapping {
	if key.proto == wire.ProtoTCP && flags&(wire.SYN|wire.ACK|wire.RST) != wire.SYN {
		return nil
	}
	for _, f := range n.forwards {
		if f.proto == key.proto && f.port == key.tuple.RemotePort && f.to.Addr().Is4() == key.tuple.RemoteAddr.Is4() {
			inside := flowKey{proto: key.proto, tuple: key.tuple.Reverse()}
			inside.tuple.LocalAddr, inside.tuple.LocalPort = wire.AddrFrom(f.to.Addr()), f.to.Port()
			return n.add(now, inside, key)
		}
	}
	return nil
}

func (n *NAT) add(now tcp.Time, inside, outside flowKey) *mapping {
	m := &mapping{inside: inside, outside: outside, last: now}
	n.inside[inside], n.outside[outside] = m, m
	return m
}

// unknown answers a segment of no known connection.
func (n *NAT) unknown(at *port, p *wire.Packet, flags wire.Flags) {
	n.stats.NoRoute++
	var s wire.Segment
	if !n.nat.Reset || flags.Has(wire.RST) || n.ip.Protocol != wire.ProtoTCP || p.ParseTCP(&n.ip, &s) != wire.DropNone {
		return
	}
	t := wire.FourTuple{LocalAddr: n.ip.Src, RemoteAddr: n.ip.Dst, LocalPort: s.SrcPort, RemotePort: s.DstPort}
	n.reply.SetBytes(resetFor(&s, t))
	at.out.send(&n.reply)
	n.reply.Release()
}
