package engine

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// UDPOptions are the options of a UDP socket.
type UDPOptions struct {
	// RecvBuffer and SendBuffer bound what waits to be received and to be sent,
	// in bytes of memory: a datagram counts the block that it is kept in, at
	// least 2 KiB, and datagramCost more. One datagram always finds room; others do
	// while what waits to be received on all sockets is under tcp.Config.MaxMemory,
	// too (udp_mem). Zero: 212992, as on Linux.
	RecvBuffer, SendBuffer int
	// ReuseAddr lets sockets share an address and port when all of them have it.
	// Datagrams to many go to each, others to the newest (SO_REUSEADDR).
	ReuseAddr bool
	// ReusePort is ReuseAddr, but other datagrams are spread over the sockets by
	// hash (SO_REUSEPORT).
	ReusePort bool
	// TOS is the IPv4 TOS or IPv6 traffic class. TTL is that of datagrams to one
	// host; zero: 64.
	TOS, TTL uint8
	// Waker is told what Await asked for; see SetWaker.
	Waker Waker
}

const (
	defaultUDPBuffer = 212992 // net.core.rmem_default
	// datagramCost is what a datagram costs besides the block with its bytes.
	datagramCost = 256
	// maxSocketGroups bounds the groups of one socket (IP_MAX_MEMBERSHIPS).
	maxSocketGroups = 20
)

// UDPStats are counts of UDP since the engine's birth, and the sockets now. What
// is wrong with a datagram is in Stats.Drops.
type UDPStats struct {
	In, Out    uint64 // datagrams received by sockets, and sent
	NoPort     uint64 // datagrams that nobody waits for
	QueueFull  uint64 // datagrams dropped because the receive queue was full
	Fragmented uint64 // datagrams sent in fragments
	Sockets    int    // now
}

// UDPSocket is a UDP socket (RFC 768). It lives in the shard of its local port.
type UDPSocket struct {
	engine *Engine
	opt    UDPOptions
	v4, v6 bool           // the families it takes
	tuple  wire.FourTuple // zero addresses and ports stand for any
	bound  bool           // to one address
	peer   bool           // connected

	multicastTTL  uint8
	multicastLoop bool
	multicastVia  int // index of the interface for groups; -1: by route
	groups        []membership

	queue  datagrams
	queued int    // bytes of memory in queue
	drops  uint64 // datagrams that found no room
	unsent int    // bytes of memory waiting for Output
	err    syscall.Errno

	way     way // to the last destination
	awaited tcp.Ready
	waking  bool
	closed  bool
}

// membership is a group that a socket, or the host, has joined on an interface.
type membership struct {
	index int
	group wire.Addr
}

// ListenUDP opens a socket for datagrams from anybody to the local address. An
// unspecified address stands for all of its family, the invalid address for all
// of both; a multicast or broadcast address receives what is sent to it. Port 0
// is chosen among the ports of this shard. Errors: EADDRINUSE, EADDRNOTAVAIL
// (not our address, or a port of another shard).
func (e *Engine) ListenUDP(now tcp.Time, local netip.AddrPort, opt UDPOptions) (*UDPSocket, error) {
	s := newUDPSocket(e, local.Addr().Unmap().WithZone(""), opt)
	if s.bound && !e.network.isOwn(&s.tuple.LocalAddr) && !e.network.isToMany(&s.tuple.LocalAddr) {
		return nil, syscall.EADDRNOTAVAIL
	}
	if err := e.bindUDP(s, local.Port()); err != nil {
		return nil, err
	}
	e.callUDP(now, s, "bind")
	return s, nil
}

// DialUDP opens a socket that receives from the remote endpoint only and sends
// there (connect). A zero local address or port is chosen. Errors are those of
// ListenUDP and ENETUNREACH, EINVAL; EAGAIN when there is no port left, unless there is
// a local address.
func (e *Engine) DialUDP(now tcp.Time, local, remote netip.AddrPort, opt UDPOptions) (*UDPSocket, error) {
	from, to := local.Addr().Unmap().WithZone(""), remote.Addr().Unmap().WithZone("")
	if from.IsUnspecified() {
		from = netip.Addr{}
	}
	if !to.IsValid() || from.IsValid() && from.Is4() != to.Is4() {
		return nil, syscall.EINVAL
	}
	s := newUDPSocket(e, from, opt)
	if s.bound && !e.network.isOwn(&s.tuple.LocalAddr) {
		return nil, syscall.EADDRNOTAVAIL
	}
	s.v4, s.v6 = to.Is4(), !to.Is4()
	dst := hostAddr(to)
	way, err := s.find(&dst)
	if err != nil {
		return nil, err
	}
	s.tuple.LocalAddr, s.bound = way.src, true
	s.tuple.RemoteAddr, s.tuple.RemotePort, s.peer = dst, remote.Port(), true
	if err := e.bindUDP(s, local.Port()); err != nil {
		if local.Port() == 0 && !from.IsValid() {
			return nil, syscall.EAGAIN
		}
		return nil, err
	}
	e.callUDP(now, s, "connect")
	return s, nil
}

func newUDPSocket(e *Engine, local netip.Addr, opt UDPOptions) *UDPSocket {
	def(&opt.RecvBuffer, defaultUDPBuffer)
	def(&opt.SendBuffer, defaultUDPBuffer)
	s := &UDPSocket{engine: e, opt: opt, v4: true, v6: true, multicastTTL: 1, multicastLoop: true, multicastVia: -1}
	if local.IsValid() {
		s.v4, s.v6 = local.Is4(), !local.Is4()
		if s.bound = !local.IsUnspecified(); s.bound {
			s.tuple.LocalAddr = wire.AddrFrom(local)
		}
	}
	return s
}

// hostAddr returns the address of a destination; an unspecified one is the host
// itself, as on Linux.
func hostAddr(a netip.Addr) wire.Addr {
	switch {
	case !a.IsUnspecified():
		return wire.AddrFrom(a)
	case a.Is4():
		return wire.AddrFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	default:
		return wire.AddrFrom(netip.IPv6Loopback())
	}
}

// callUDP tells the trace of a call.
func (e *Engine) callUDP(now tcp.Time, s *UDPSocket, name string) {
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventCall, Tuple: s.tuple, Call: name})
	}
}

// Close closes the socket. What it has sent still goes out; what nobody received
// is lost. The host's part of its groups is not left: see Groups.
func (s *UDPSocket) Close(now tcp.Time) {
	if s.closed {
		return
	}
	s.closed = true
	s.engine.udp.remove(s)
	for !s.queue.empty() {
		s.queue.pop().data.Release()
	}
	s.hold(-s.queued)
	s.queue, s.groups = datagrams{}, nil
	s.engine.callUDP(now, s, "close")
	s.wake()
}

// Local returns the local endpoint, the invalid address for all of both
// families.
func (s *UDPSocket) Local() netip.AddrPort {
	switch {
	case s.bound:
		return s.tuple.Local()
	case s.v4 && s.v6:
		return netip.AddrPortFrom(netip.Addr{}, s.tuple.LocalPort)
	case s.v4:
		return netip.AddrPortFrom(netip.IPv4Unspecified(), s.tuple.LocalPort)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), s.tuple.LocalPort)
}

// Remote returns the peer's endpoint, the invalid one if the socket has none.
func (s *UDPSocket) Remote() netip.AddrPort {
	if !s.peer {
		return netip.AddrPort{}
	}
	return s.tuple.Remote()
}

// Ready returns what can be done: Readable when there is a datagram or an error
// to be taken, Writable when there is room for one.
func (s *UDPSocket) Ready() tcp.Ready {
	if s.closed {
		return tcp.Readable | tcp.Writable
	}
	var r tcp.Ready
	if !s.queue.empty() || s.err != 0 {
		r |= tcp.Readable
	}
	if s.unsent == 0 || s.unsent < s.opt.SendBuffer {
		r |= tcp.Writable
	}
	return r
}

// Await asks for one wake once any of r holds; it reports false, and does
// nothing, when one holds already.
func (s *UDPSocket) Await(r tcp.Ready) bool {
	if s.Ready()&r != 0 {
		return false
	}
	s.awaited |= r
	return true
}

// wake puts the socket into the list of those to be woken, if it waits for what
// it has.
func (s *UDPSocket) wake() {
	if s.awaited != 0 && !s.waking && s.Ready()&s.awaited != 0 {
		s.waking = true
		s.engine.wakes = append(s.engine.wakes, wake{udp: s})
	}
}

// woken calls the waker.
func (s *UDPSocket) woken() {
	s.waking = false
	if r := s.Ready() & s.awaited; r != 0 && s.opt.Waker != nil {
		s.awaited &^= r
		s.opt.Waker.Wake(r)
	}
}

// SetBuffers sets the sizes of the buffers in bytes; see UDPOptions. Zero leaves
// one as it is.
func (s *UDPSocket) SetBuffers(recv, send int) {
	if recv > 0 {
		s.opt.RecvBuffer = recv
	}
	if send > 0 {
		s.opt.SendBuffer = send
		s.wake()
	}
}

// SetWaker sets who is told what Await asked for.
func (s *UDPSocket) SetWaker(w Waker) { s.opt.Waker = w }

// SetTOS sets the IPv4 TOS or IPv6 traffic class of what is sent.
func (s *UDPSocket) SetTOS(tos uint8) { s.opt.TOS = tos }

// SetTTL sets the TTL or hop limit of datagrams to one host; zero: 64.
func (s *UDPSocket) SetTTL(ttl uint8) { s.opt.TTL, s.way = ttl, way{} }

// SetMulticastTTL sets the TTL or hop limit of datagrams to groups, 1 at first
// (RFC 1112, Section 6.1). With 0 they stay on the host.
func (s *UDPSocket) SetMulticastTTL(ttl uint8) { s.multicastTTL, s.way = ttl, way{} }

// SetMulticastLoopback says whether what is sent to groups is received by the
// host's own sockets too. It is at first.
func (s *UDPSocket) SetMulticastLoopback(on bool) { s.multicastLoop, s.way = on, way{} }

// SetMulticastInterface says by which interface datagrams to groups leave; -1: by
// the route to the group, or the first interface that can. Error: ENODEV.
func (s *UDPSocket) SetMulticastInterface(index int) error {
	if index >= 0 && s.engine.network.byIndex(index) == nil {
		return syscall.ENODEV
	}
	s.multicastVia, s.way = index, way{}
	return nil
}

// Join lets the socket receive what is sent to the group and arrives by the
// interface. Other sockets of the host do not receive it by that, as on BSD. The
// routers are told by Engine.JoinGroup. Errors: EINVAL (no group, or not of the
// socket's family), ENODEV, EADDRINUSE (joined already), ENOBUFS (too many).
func (s *UDPSocket) Join(index int, group netip.Addr) error {
	m := membership{index, wire.AddrFrom(group.WithZone(""))}
	switch {
	case !isMulticast(&m.group) || !s.takes(&m.group):
		return syscall.EINVAL
	case s.engine.network.byIndex(index) == nil:
		return syscall.ENODEV
	case slices.Contains(s.groups, m):
		return syscall.EADDRINUSE
	case len(s.groups) >= maxSocketGroups:
		return syscall.ENOBUFS
	}
	s.groups = append(s.groups, m)
	return nil
}

// Leave undoes Join. Error: EADDRNOTAVAIL when the socket is not in the group.
func (s *UDPSocket) Leave(index int, group netip.Addr) error {
	i := slices.Index(s.groups, membership{index, wire.AddrFrom(group.WithZone(""))})
	if i < 0 {
		return syscall.EADDRNOTAVAIL
	}
	s.groups = slices.Delete(s.groups, i, i+1)
	return nil
}

// GroupInterface returns the index of the interface by which the socket's
// datagrams to the group leave, -1 for none.
func (s *UDPSocket) GroupInterface(group netip.Addr) int {
	a := wire.AddrFrom(group)
	if i := s.interfaceToMany(&a); i != nil && isMulticast(&a) {
		return i.Index
	}
	return -1
}

// Groups calls f for every group that the socket is in.
func (s *UDPSocket) Groups(f func(index int, group netip.Addr)) {
	for _, m := range s.groups {
		f(m.index, m.group.Netip())
	}
}

// takes reports whether the address is of a family that the socket takes.
func (s *UDPSocket) takes(a *wire.Addr) bool {
	if a.Is4() {
		return s.v4
	}
	return s.v6
}

// UDPInfo is one line of a table of UDP sockets.
type UDPInfo struct {
	Tuple        wire.FourTuple // zero where the socket has none
	Connected    bool
	RecvQ, SendQ int    // bytes of memory
	Drops        uint64 // datagrams that found the receive queue full
}

// Info tells about the socket.
func (s *UDPSocket) Info() UDPInfo {
	return UDPInfo{Tuple: s.tuple, Connected: s.peer, RecvQ: s.queued, SendQ: s.unsent, Drops: s.drops}
}

// UDPSockets calls f for every UDP socket, by port and then in the order in
// which they were opened.
func (e *Engine) UDPSockets(f func(*UDPInfo)) {
	var ports []uint16
	for port := range e.udp.ports {
		ports = append(ports, port)
	}
	slices.Sort(ports)
	for _, port := range ports {
		for _, s := range e.udp.ports[port] {
			i := s.Info()
			f(&i)
		}
	}
}

// datagram is one that was received and waits for its user.
type datagram struct {
	from      wire.Addr
	to        wire.Addr
	port      uint16
	tos, ttl  uint8
	index     int // of the interface
	data      block.Chunk
	allocated int // bytes of memory that it counts for
}

// datagrams is a queue of datagrams in a ring, which grows.
type datagrams struct {
	ring        []datagram // a power of two
	first, size int
}

func (q *datagrams) empty() bool { return q.size == 0 }

func (q *datagrams) push(d datagram) {
	if q.size == len(q.ring) {
		ring := make([]datagram, max(4, 2*len(q.ring)))
		for i := range q.size {
			ring[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
		}
		q.ring, q.first = ring, 0
	}
	q.ring[(q.first+q.size)&(len(q.ring)-1)] = d
	q.size++
}

func (q *datagrams) pop() datagram {
	d := q.ring[q.first]
	q.ring[q.first] = datagram{}
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.size--
	return d
}
