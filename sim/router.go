package sim

import (
	"encoding/binary"
	"net/netip"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RouterConfig says how a router treats packets; the zero value is a good one.
type RouterConfig struct {
	// Silent keeps the router from sending ICMP errors: a packet that is too
	// large for the next link, or has no route, or too small a TTL, is lost
	// without a word. With a link of a smaller MTU that is a path-MTU black
	// hole (RFC 2923, Section 2.1).
	Silent bool
}

// Router passes packets on by their destination (RFC 1812): it decrements the
// TTL, fragments IPv4 packets that allow it, and tells senders by ICMP what
// cannot be. It knows the shortest way to every node. Its links may have
// different MTUs.
type Router struct {
	station
	cfg     RouterConfig
	routes  routes
	stats   RouterStats
	ip      wire.IP   // of the packet at hand
	problem wire.Drop // what is wrong with it
	reply   wire.Packet
	cut     wire.Batch
}

// RouterStats count the packets of a router.
type RouterStats struct {
	Forwarded, Fragmented                 uint64
	BadHeader, NoRoute, Expired, TooLarge uint64 // not forwarded
	ErrorsSent                            uint64 // by ICMP
}

// AddRouter adds a router. Its addresses, from which its ICMP errors come and
// at which it answers echo requests, are 10.255.0.1 and fd00:ffff::1 for the
// first.
func (f *Fabric) AddRouter(name string, cfg RouterConfig) *Router {
	r := &Router{cfg: cfg}
	r.station = station{name: name, leads: anywhere, input: r.receive, addrs: f.nextMiddleAddrs()}
	f.add(&r.station)
	return r
}

// nextMiddleAddrs returns the addresses of the next router or NAT.
func (f *Fabric) nextMiddleAddrs() []netip.Addr {
	f.middles++
	i := f.middles
	return []netip.Addr{
		netip.AddrFrom4([4]byte{10, 255, byte(i >> 8), byte(i)}),
		netip.AddrFrom16([16]byte{0: 0xfd, 2: 0xff, 3: 0xff, 14: byte(i >> 8), 15: byte(i)}),
	}
}

// Addrs returns the router's own addresses.
func (r *Router) Addrs() []netip.Addr { return r.addrs }

// Stats returns the counts.
func (r *Router) Stats() RouterStats { return r.stats }

// receive handles a packet that came in. Its headers belong to the router.
func (r *Router) receive(_ tcp.Time, at *port, p *wire.Packet) {
	if !r.parse(p) {
		return
	}
	dst := destination(p.Contiguous())
	for _, a := range r.addrs {
		if wire.AddrFrom(a) == dst {
			r.local(at, p)
			return
		}
	}
	r.forward(at, r.routes.find(&r.station, &dst), p, nil)
}

// parse reads the IP header. RFC 1812, Section 5.2.2: a packet with a bad one is
// dropped, and Section 5.3.7: so is one with an address that cannot be.
func (r *Router) parse(p *wire.Packet) bool {
	r.problem = p.ParseIP(&r.ip)
	ok := r.problem == wire.DropNone || r.problem == wire.DropFragment
	if !ok {
		r.stats.BadHeader++
	}
	return ok
}

// forward sends a packet on by a port, nil if there is none (RFC 1812, Section
// 5.2.1). Once it is sure to go on, change, if not nil, may change its headers.
func (r *Router) forward(at, out *port, p *wire.Packet, change func([]byte)) {
	b := p.Contiguous()
	switch {
	case *ttlOf(b) <= 1:
		r.stats.Expired++
		r.fail(at, p, wire.ICMPTimeExceeded, 0, 0)
		return
	case out == nil:
		r.stats.NoRoute++
		r.fail(at, p, wire.ICMPUnreachable, 0, 0) // of the network, or no route in IPv6
		return
	case p.SegSize > 0 && len(p.Header())+p.SegSize > out.mtu:
		r.forwardParts(at, out, p, change)
		return
	}
	large := p.SegSize == 0 && p.Len() > out.mtu
	const dontFragment = 0x40
	if large && (b[0]>>4 == 6 || b[6]&dontFragment != 0) {
		r.stats.TooLarge++
		r.fail(at, p, wire.ICMPTooBig, 0, out.mtu)
		return
	}
	r.stats.Forwarded++
	if change != nil {
		change(b)
	}
	*ttlOf(b)--
	if b[0]>>4 == 4 {
		sealIPv4(b[:ipHeaderLen(b)])
	}
	if large {
		r.stats.Fragmented++
		fragment(p.AppendTo(nil), out)
		return
	}
	out.out.send(p)
}

// forwardParts sends on the packets that a super-segment stands for.
func (r *Router) forwardParts(at, out *port, p *wire.Packet, change func([]byte)) {
	const unbounded = 65535
	if !wire.Cut(p, unbounded, &r.cut) {
		r.stats.BadHeader++
		return
	}
	for i := range r.cut.Packets {
		if q := &r.cut.Packets[i]; r.parse(q) {
			r.forward(at, out, q, change)
		}
	}
	r.cut.Release()
}

// ttlOf returns where the TTL or hop limit is.
func ttlOf(b []byte) *byte {
	if b[0]>>4 == 4 {
		return &b[8]
	}
	return &b[7]
}

// fragment sends an IPv4 packet as fragments (RFC 791, Section 3.2). Options,
// which no host here sends, are copied to all.
func fragment(b []byte, out *port) {
	hl := ipHeaderLen(b)
	be := binary.BigEndian
	const more = 0x2000
	where := be.Uint16(b[6:])
	size := (out.mtu - hl) &^ 7
	for at := hl; at < len(b); at += size {
		end := min(at+size, len(b))
		piece := block.Get(hl + end - at)
		data := append(append(piece.Bytes()[:0], b[:hl]...), b[at:end]...)
		be.PutUint16(data[2:], uint16(len(data)))
		field := where + uint16((at-hl)/8)
		if end < len(b) {
			field |= more
		}
		be.PutUint16(data[6:], field)
		sealIPv4(data[:hl])
		var p wire.Packet
		p.SetChunk(block.Chunk{Block: piece, Data: data})
		out.out.send(&p)
		p.Release()
	}
}

// fail tells the sender of a packet by ICMP that it did not go on, by the way
// it came. RFC 1812, Section 4.3.2.7, RFC 4443, Section 2.4(e): not of an ICMP
// error; nor of a fragment.
func (r *Router) fail(at *port, p *wire.Packet, kind wire.ICMPKind, code uint8, mtu int) {
	if r.cfg.Silent || r.problem != wire.DropNone || !mayAnswer(p.Contiguous()) {
		return
	}
	from := wire.AddrFrom(r.addrs[0])
	if r.ip.Version == 6 {
		from = wire.AddrFrom(r.addrs[1])
	}
	r.stats.ErrorsSent++
	r.reply.BuildRouterError(from, &r.ip, p, kind, code, mtu)
	at.out.send(&r.reply)
	r.reply.Release()
}

// mayAnswer reports whether an ICMP error may be sent about a packet.
func mayAnswer(b []byte) bool {
	n := ipHeaderLen(b)
	if b[0]>>4 == 6 {
		const firstQuery = 128
		return b[6] != wire.ProtoICMPv6 || len(b) > n && b[n] >= firstQuery
	}
	const echo, echoReply = 8, 0
	return b[9] != wire.ProtoICMP || len(b) > n && (b[n] == echo || b[n] == echoReply)
}

// local answers an echo request to the router itself.
func (r *Router) local(at *port, p *wire.Packet) {
	var m wire.ICMP
	if p.SegSize > 0 || r.problem != wire.DropNone ||
		p.ParseICMP(&r.ip, &m) != wire.DropNone || m.Kind != wire.ICMPEcho {
		return
	}
	r.reply.BuildEchoReply(&r.ip, p)
	at.out.send(&r.reply)
	r.reply.Release()
}
