package engine

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputUDP hands a datagram to the socket that it is for. RFC 1122, Section
// 4.1.3.1: when there is none, its sender is told.
func (e *Engine) inputUDP(now tcp.Time, p *wire.Packet) {
	if d := p.ParseUDP(&e.ip, &e.datagram); d != wire.DropNone {
		e.drop(now, d)
		return
	}
	t := e.udpTuple()
	if s := e.udp.lookup(&t, &e.keys.spread); s != nil {
		s.receive(now, p.Link)
		return
	}
	e.stats.UDP.NoPort++
	e.drop(now, wire.DropNoPort)
	if reply := e.nextICMP(now); reply != nil {
		reply.BuildHostError(&e.ip, p, wire.HostErrorPort)
	}
}

// udpTuple returns the 4-tuple of the datagram that arrived.
func (e *Engine) udpTuple() wire.FourTuple {
	return wire.FourTuple{
		LocalAddr: e.ip.Dst, LocalPort: e.datagram.DstPort,
		RemoteAddr: e.ip.Src, RemotePort: e.datagram.SrcPort,
	}
}

// inputUDPToMany hands a datagram to a group or a broadcast address, that came
// in by the interface, to every socket that wants it. Nobody is told when there
// is none (RFC 1122, Section 3.2.2).
func (e *Engine) inputUDPToMany(now tcp.Time, p *wire.Packet, index int) {
	if d := p.ParseUDP(&e.ip, &e.datagram); d != wire.DropNone {
		e.drop(now, d)
		return
	}
	t := e.udpTuple()
	found := false
	for _, s := range e.udp.ports[t.LocalPort] {
		if s.score(&t) > 0 && s.wants(&t.LocalAddr, index) {
			s.receive(now, index)
			found = true
		}
	}
	if !found {
		e.stats.UDP.NoPort++
		e.drop(now, wire.DropNoPort)
	}
}

// wants reports whether the socket wants what was sent to dst, a broadcast
// address or one of its groups, and came in by the interface.
func (s *UDPSocket) wants(dst *wire.Addr, index int) bool {
	if !isMulticast(dst) {
		return true
	}
	for i := range s.groups {
		if s.groups[i].group == *dst && s.groups[i].index == index {
			return true
		}
	}
	return false
}

// receive puts the datagram that arrived into the queue, or counts that there is
// no room.
func (s *UDPSocket) receive(now tcp.Time, index int) {
	e := s.engine
	data, allocated := keep(e.datagram.Payload, e.datagram.PayloadLen)
	if s.queued > 0 && (s.queued+allocated > s.opt.RecvBuffer || e.udp.queued+allocated > e.tcp.MaxMemory) {
		data.Release()
		s.drops++
		e.stats.UDP.QueueFull++
		e.drop(now, wire.DropQueueFull)
		return
	}
	e.stats.UDP.In++
	s.hold(allocated)
	s.queue.push(datagram{
		from: e.ip.Src, to: e.ip.Dst, port: e.datagram.SrcPort, tos: e.ip.TOS, ttl: e.ip.TTL,
		index: index, data: data, allocated: allocated,
	})
	s.wake()
}

// hold counts bytes of memory that the queue holds more than before.
func (s *UDPSocket) hold(bytes int) {
	s.queued += bytes
	s.engine.udp.queued += bytes
}

// keep returns the n bytes of chunks in one run, with a reference of its own,
// and how much memory they hold. They stay where they are if they fill at least
// half of their block, and are copied otherwise, so that a few bytes never hold
// a large block.
func keep(chunks []block.Chunk, n int) (block.Chunk, int) {
	if n == 0 {
		return block.Chunk{}, datagramCost
	}
	if c := chunks[0]; len(c.Data) == n && c.Block != nil && n >= c.Block.Cap()/2 {
		c.Ref()
		return c, c.Block.Cap() + datagramCost
	}
	b := block.Get(n)
	data := b.Bytes()[:0]
	for _, c := range chunks {
		data = append(data, c.Data...)
	}
	return block.Chunk{Block: b, Data: data}, b.Cap() + datagramCost
}

// Datagram tells about a datagram that was received.
type Datagram struct {
	From      netip.AddrPort
	To        netip.Addr // our address, a group, or a broadcast address
	Interface int        // the index of that which it came in by
	Len       int        // of its data in bytes, of which fewer may have been taken
	TOS, TTL  uint8      // or traffic class and hop limit
}

// Receive takes the next datagram: as many of its bytes as p holds; the rest is
// lost. Errors: EAGAIN when there is none; on a connected socket, what an ICMP
// message told, once; net.ErrClosed is the caller's to know.
func (s *UDPSocket) Receive(p []byte) (n int, d Datagram, err error) {
	if err := s.takeError(); err != nil {
		return 0, d, err
	}
	if s.queue.empty() {
		return 0, d, syscall.EAGAIN
	}
	g := s.queue.pop()
	s.hold(-g.allocated)
	n = copy(p, g.data.Data)
	d = Datagram{
		From: netip.AddrPortFrom(g.from.Netip(), g.port), To: g.to.Netip(),
		Interface: g.index, Len: len(g.data.Data), TOS: g.tos, TTL: g.ttl,
	}
	g.data.Release()
	return n, d, nil
}

// takeError returns the error that an ICMP message left, once.
func (s *UDPSocket) takeError() error {
	if s.err == 0 {
		return nil
	}
	err := s.err
	s.err = 0
	return err
}

// inputUDPError handles an ICMP error about a datagram of ours. RFC 1122, Section
// 4.1.3.3, wants the application to be told: a connected socket is, when the
// quoted addresses and ports are its own, which an attacker would have to guess
// (RFC 5927, Section 4), and the error is one that Linux holds for hard. On
// other sockets it would be about one peer of many and stop the rest.
func (e *Engine) inputUDPError(now tcp.Time, m *wire.ICMP) {
	s := e.udp.lookup(&m.Tuple, &e.keys.spread)
	if s == nil {
		e.rule(now, &m.Tuple, tcp.RuleICMPIgnored)
		return
	}
	err, hard := errorOf(m, m.Tuple.LocalAddr.Is4())
	switch {
	case m.Kind == wire.ICMPTooBig:
		e.datagramTooBig(now, m)
		err, hard = syscall.EMSGSIZE, true
	case m.Kind == wire.ICMPParameterProblem:
		hard = true
	}
	if !hard {
		e.rule(now, &m.Tuple, tcp.RuleICMPSoft)
		return
	}
	e.rule(now, &m.Tuple, tcp.RuleICMPHard)
	if s.peer {
		s.err = err
		s.wake()
	}
}

// minDatagramMTU bounds what an ICMP message can lower the MTU of an IPv4 path
// to (Linux, min_pmtu).
const minDatagramMTU = 552

// datagramTooBig learns the MTU of a path. It is kept apart from what TCP has
// learnt: there a sequence number has to be right before a message counts, which
// a datagram does not have. RFC 8201, Section 4: never under IPv6's least.
func (e *Engine) datagramTooBig(now tcp.Time, m *wire.ICMP) {
	least := minDatagramMTU
	if !m.Tuple.LocalAddr.Is4() {
		least = minMTU6
	}
	mtu := max(m.MTU, least)
	if i := e.network.find(&m.Tuple.RemoteAddr); i != nil && mtu < i.MTU {
		e.datagramPaths.learn(now, &m.Tuple.RemoteAddr, mtu)
	}
}
