package engine

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// way is how a datagram gets to its destination.
type way struct {
	generation uint32 // of the network for which this is true; 0: none
	dst, src   wire.Addr
	via        *Interface
	loop       bool // a copy goes to the host's own sockets
	silent     bool // nothing goes out
	ttl        uint8
}

// Send queues a datagram to the endpoint, which on a connected socket is the zero
// one. Errors: EAGAIN when the send buffer is full; EMSGSIZE (over 65507 bytes
// of data, 65527 in IPv6); EDESTADDRREQ; EISCONN; EINVAL; ENETUNREACH;
// EAFNOSUPPORT; on a connected socket what an ICMP message told, once.
func (s *UDPSocket) Send(now tcp.Time, p []byte, to netip.AddrPort) error {
	if err := s.takeError(); err != nil {
		return err
	}
	t, err := s.destination(to)
	if err != nil {
		return err
	}
	limit := wire.MaxUDPPayload6
	if t.RemoteAddr.Is4() {
		limit = wire.MaxUDPPayload4
	}
	if len(p) > limit {
		return syscall.EMSGSIZE
	}
	if s.way.generation != s.engine.network.generation || s.way.dst != t.RemoteAddr {
		found, err := s.find(&t.RemoteAddr)
		if err != nil {
			s.way = way{} // half of one is none
			return err
		}
		s.way = found
	}
	if s.unsent > 0 && s.unsent >= s.opt.SendBuffer {
		return syscall.EAGAIN
	}
	t.LocalAddr = s.way.src
	s.enqueue(now, &t, p)
	return nil
}

// destination returns the 4-tuple of a datagram to the endpoint, without the
// local address.
func (s *UDPSocket) destination(to netip.AddrPort) (t wire.FourTuple, err error) {
	switch {
	case s.peer && to.IsValid():
		return t, syscall.EISCONN
	case s.peer:
		return s.tuple, nil
	case !to.Addr().IsValid():
		return t, syscall.EDESTADDRREQ
	}
	t = wire.FourTuple{
		RemoteAddr: hostAddr(to.Addr().Unmap().WithZone("")), RemotePort: to.Port(), LocalPort: s.tuple.LocalPort,
	}
	switch {
	case s.takes(&t.RemoteAddr) && to.Port() == 0:
		return t, syscall.EINVAL
	case s.takes(&t.RemoteAddr):
		return t, nil
	case s.v6: // an IPv4 address, which such a socket holds for a mapped one
		return t, syscall.ENETUNREACH
	}
	return t, syscall.EAFNOSUPPORT
}

// find finds the way to dst.
func (s *UDPSocket) find(dst *wire.Addr) (way, error) {
	n := &s.engine.network
	w := way{generation: n.generation, dst: *dst, ttl: s.opt.TTL}
	toMany := n.isToMany(dst)
	if toMany {
		w.via = s.interfaceToMany(dst)
	} else if isUnicast(dst) {
		w.via = n.find(dst)
	}
	if w.via == nil {
		return w, syscall.ENETUNREACH
	}
	if w.loop = toMany && !w.via.Loopback; isMulticast(dst) {
		w.ttl = s.multicastTTL
		w.silent = w.ttl == 0
		w.loop = w.loop && s.multicastLoop
	}
	if s.bound && !n.isToMany(&s.tuple.LocalAddr) {
		w.src = s.tuple.LocalAddr
		if isLoopback(&w.src) && !w.via.Loopback {
			return w, syscall.EINVAL
		}
		return w, nil
	}
	src := n.source(w.via, dst.Netip())
	if !src.IsValid() {
		return w, syscall.EADDRNOTAVAIL
	}
	w.src = wire.AddrFrom(src)
	return w, nil
}

// interfaceToMany returns the interface by which the socket sends to a group or
// a broadcast address: the one that was set, that of the socket's own address,
// that of the route, or the first one with an address of the family.
func (s *UDPSocket) interfaceToMany(dst *wire.Addr) *Interface {
	n := &s.engine.network
	if isMulticast(dst) && s.multicastVia >= 0 {
		return n.byIndex(s.multicastVia)
	}
	if s.bound {
		if i := n.owner(&s.tuple.LocalAddr); i != nil {
			return i
		}
	}
	if i := n.find(dst); i != nil {
		return i
	}
	for _, i := range n.interfaces {
		if !i.Loopback && n.source(i, dst.Netip()).IsValid() {
			return i
		}
	}
	return nil
}

// enqueue makes the packets of a datagram and puts them into the queue.
func (s *UDPSocket) enqueue(now tcp.Time, t *wire.FourTuple, p []byte) {
	e := s.engine
	chunk, allocated := block.Chunk{}, datagramCost
	if len(p) > 0 {
		b := block.Get(len(p))
		chunk = block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), p)]}
		allocated += b.Cap()
	}
	e.stats.UDP.Out++
	q := &e.datagrams
	if s.way.loop {
		// To ourselves, as if it had come in by the interface (see toMany). The
		// MTU of the loopback interface takes every datagram.
		if lo := e.network.loopback; lo != nil {
			q.add(nil, 0).send(t, s, chunk, lo.Index)
		}
	}
	switch mtu := e.datagramMTU(now, s.way.via, &t.RemoteAddr); {
	case s.way.silent:
	case fits(t, len(p), mtu):
		q.add(s, allocated).send(t, s, chunk, s.way.via.Index)
		s.unsent += allocated
	default:
		whole := &e.whole
		whole.BuildUDP(t, s.opt.TOS, s.way.ttl, chunk)
		whole.Link = s.way.via.Index
		before := q.Len()
		if !wire.CutFragments(whole, mtu, e.fragmentID(t), &q.Batch) {
			break // no room for anything in such an MTU, which none has
		}
		e.stats.UDP.Fragmented++
		q.own(s, allocated, q.Len()-before)
		s.unsent += allocated
	}
	chunk.Release()
}

// queuedPacket is one being added to the queue.
type queuedPacket struct{ *wire.Packet }

// send makes it a datagram of its own.
func (p queuedPacket) send(t *wire.FourTuple, s *UDPSocket, chunk block.Chunk, link int) {
	p.BuildUDP(t, s.opt.TOS, s.way.ttl, chunk)
	p.Link = link
	p.Hold()
}

// fits reports whether a datagram of n bytes of data need not be cut.
func fits(t *wire.FourTuple, n, mtu int) bool {
	if t.RemoteAddr.Is4() {
		return n+28 <= mtu
	}
	return n+48 <= mtu
}

// datagramMTU returns the MTU of the path to dst, as far as it is known. That of
// a path to many is not asked for (RFC 8201, Section 4).
func (e *Engine) datagramMTU(now tcp.Time, via *Interface, dst *wire.Addr) int {
	if known := e.datagramPaths.lookup(now, dst).bytes; known != 0 && !isMulticast(dst) {
		return min(known, via.MTU)
	}
	return via.MTU
}

// fragmentSlots is how many counters identifications have: two pairs of hosts
// that share one share its steps, and nothing else (RFC 7739, Section 5.3).
const fragmentSlots = 256

// fragmentID returns the identification of a datagram that is sent in fragments:
// one that an outsider cannot guess and that comes back late (RFC 6864, Section
// 4.3; RFC 7739). The shards of a host divide the 16 bits that IPv4 has, so that
// no two use the same.
func (e *Engine) fragmentID(t *wire.FourTuple) uint32 {
	pair := wire.FourTuple{LocalAddr: t.LocalAddr, RemoteAddr: t.RemoteAddr}
	h := e.keys.fragment.hashStrong(&pair)
	slot := &e.fragmentIDs[h>>32%fragmentSlots]
	*slot++
	shards := uint32(e.cfg.Shards)
	return (uint32(h)+*slot)%(1<<16/shards)*shards + uint32(e.cfg.Shard) + uint32(h>>16)&^0xffff
}

// sendQueue are datagrams, ready to be sent, with their senders.
type sendQueue struct {
	replies
	owners []queuedBytes // by packet
}

// queuedBytes is what a packet counts for in the send buffer of its socket.
type queuedBytes struct {
	socket *UDPSocket
	bytes  int
}

// add adds a packet to be filled.
func (q *sendQueue) add(s *UDPSocket, bytes int) queuedPacket {
	q.owners = append(q.owners, queuedBytes{s, bytes})
	return queuedPacket{q.Next()}
}

// own says who has sent the last n packets: the last of them counts.
func (q *sendQueue) own(s *UDPSocket, bytes, n int) {
	for range n - 1 {
		q.owners = append(q.owners, queuedBytes{})
	}
	q.owners = append(q.owners, queuedBytes{s, bytes})
}

// flush moves packets to out, up to the limit of its length, and wakes those who
// have room again.
func (q *sendQueue) flush(out *wire.Batch, limit int) {
	first := q.sent
	owners := q.owners
	sent := min(q.Len()-first, max(limit-out.Len(), 0))
	q.replies.flush(out, limit)
	for _, o := range owners[first : first+sent] {
		if o.socket != nil {
			o.socket.unsent -= o.bytes
			o.socket.wake()
		}
	}
	if q.Len() == 0 {
		clear(q.owners)
		q.owners = q.owners[:0]
	}
}
