package engine

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Backlog counts the connections of a listener that wait to be accepted. The
// parts of one listener in several shards share one; it is safe for concurrent
// use.
type Backlog struct {
	limit   int
	count   atomic.Int32
	tickets atomic.Uint32 // handed out to connections in the order they came

	fast, fastLimit atomic.Int32 // opened by Fast Open, before the end of the handshake

	synOverflows atomic.Uint64
	flooded      atomic.Bool // ListenOptions.Flooded was called
}

// NewBacklog returns a backlog that lets n+1 connections wait, as Linux counts.
func NewBacklog(n int) *Backlog { return &Backlog{limit: max(n, 0)} }

// SynOverflows is how many SYNs found the SYN queue full.
func (b *Backlog) SynOverflows() uint64 { return b.synOverflows.Load() }

// EndFlood lets ListenOptions.Flooded be called again.
func (b *Backlog) EndFlood() { b.flooded.Store(false) }

func (b *Backlog) waiting() int { return int(b.count.Load()) }

// full reports whether no connection more may wait. The limit is the smaller
// of the backlog's own and the engine's.
func (b *Backlog) full(limit int) bool { return b.waiting() > min(b.limit, limit) }

// take makes room for a connection and reports whether there was any.
func (b *Backlog) take(limit int) bool {
	if int(b.count.Add(1))-1 > min(b.limit, limit) {
		b.count.Add(-1)
		return false
	}
	return true
}

func (b *Backlog) give() { b.count.Add(-1) }

// ticket returns the next number, never 0.
func (b *Backlog) ticket() uint32 {
	for {
		if n := b.tickets.Add(1); n != 0 {
			return n
		}
	}
}

// ListenOptions are the options of a listener.
type ListenOptions struct {
	// Backlog is shared by the parts of one listener in several shards. Nil:
	// one of Config.MaxBacklog.
	Backlog *Backlog
	// Options go to the accepted connections.
	Options tcp.Options
	// ReusePort lets several listeners share an address and port; SYNs are
	// spread over them by hash (SO_REUSEPORT).
	ReusePort bool
	// Exclusive refuses a port that a connection or a TIME-WAIT record of a
	// local address still has, as bind does without SO_REUSEADDR.
	Exclusive bool
	// FastOpen is how many connections may be opened by Fast Open and wait for the
	// end of their handshake (RFC 7413, TCP_FASTOPEN), and FastOpenKeys are as
	// SetFastOpenKeys has them. Zero: none, and keys of the host's own.
	FastOpen     int
	FastOpenKeys []FastOpenKey
	// FastOpenAnyone takes the text of every SYN, without a cookie: for networks in
	// which nobody forges addresses (TCP_FASTOPEN_NO_COOKIE).
	FastOpenAnyone bool
	// Flooded, if not nil, is called when a SYN finds the SYN queue full, and not
	// again until Backlog.EndFlood. It must not call the engine.
	Flooded func()
	// Waker is told when Accept has a connection (tcp.Readable).
	Waker Waker
}

// Listener is a listening socket, or the part of one in this shard.
type Listener struct {
	engine  *Engine
	addr    netip.AddrPort
	options tcp.Options
	backlog *Backlog
	waker   Waker
	flooded func()
	share   bool // SO_REUSEPORT

	fastAnyone bool
	fastKeys   []key
	fastResets []tcp.Time // until when connections count that were reset
	awaited    bool
	waking     bool // in the list of those to be woken
	closed     bool

	before, after *Listener // in listeners

	cookieAt    tcp.Time // when the last SYN cookie was sent
	first, last *Conn    // the accept queue
	oldest      atomic.Uint32
	half        halfOpenList
}

// Listen starts to listen. An unspecified address listens on all addresses of
// its family; the invalid address on all of both. Port 0 is chosen. Errors:
// EADDRINUSE, EADDRNOTAVAIL.
func (e *Engine) Listen(now tcp.Time, addr netip.AddrPort, opt ListenOptions) (*Listener, error) {
	ip := addr.Addr().Unmap().WithZone("")
	if ip.IsValid() && !ip.IsUnspecified() {
		if a := wire.AddrFrom(ip); !e.network.isOwn(&a) {
			return nil, syscall.EADDRNOTAVAIL
		}
	}
	l := &Listener{
		engine: e, options: opt.Options, backlog: opt.Backlog, waker: opt.Waker, share: opt.ReusePort,
		addr: netip.AddrPortFrom(ip, addr.Port()), fastAnyone: opt.FastOpenAnyone, flooded: opt.Flooded,
	}
	if l.backlog == nil {
		l.backlog = NewBacklog(e.cfg.MaxBacklog)
	}
	if addr.Port() == 0 {
		l.addr = netip.AddrPortFrom(ip, e.listenPort(ip))
	}
	if l.addr.Port() == 0 || e.listeners.conflict(l) || opt.Exclusive && e.portInUse(now, l.addr) {
		return nil, syscall.EADDRINUSE
	}
	if opt.FastOpen > 0 {
		l.SetFastOpen(opt.FastOpen)
	}
	l.SetFastOpenKeys(opt.FastOpenKeys...)
	e.listeners.add(l)
	if e.tcp.Trace != nil {
		t := wire.FourTuple{LocalPort: l.addr.Port()}
		if ip.IsValid() {
			t.LocalAddr = wire.AddrFrom(ip)
		}
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventCall, Tuple: t, Call: "listen"})
	}
	return l, nil
}

// synOverflow counts a SYN that finds the SYN queue full.
func (l *Listener) synOverflow() {
	l.backlog.synOverflows.Add(1)
	if l.flooded != nil && !l.backlog.flooded.Load() && l.backlog.flooded.CompareAndSwap(false, true) {
		l.flooded()
	}
}

// portInUse reports whether a connection or TIME-WAIT record uses the port of
// the address.
func (e *Engine) portInUse(now tcp.Time, addr netip.AddrPort) bool {
	used := false
	e.Sockets(now, func(i *SocketInfo) {
		same := i.State != tcp.StateListen && i.Tuple.LocalPort == addr.Port()
		used = used || same && overlap(addr.Addr(), i.Tuple.LocalAddr.Netip())
	})
	return used
}

// Addr returns the address listened on.
func (l *Listener) Addr() netip.AddrPort { return l.addr }

// SetOptions changes the options that connections get from now on. What a
// SYN,ACK has announced (MaxSeg, the window) stays announced.
func (l *Listener) SetOptions(o tcp.Options) { l.options = o }

// Accept returns the next established connection, nil when there is none. Its
// peer may have closed or reset it since.
func (l *Listener) Accept() *Conn {
	c := l.first
	if c == nil {
		return nil
	}
	l.first, c.nextAccept = c.nextAccept, nil
	l.oldest.Store(0)
	if l.first == nil {
		l.last = nil
	} else {
		l.oldest.Store(l.first.ticket)
	}
	l.backlog.give()
	c.tcp.Given()
	return c
}

// Oldest returns the place in line of what Accept would return, 0 when there
// is nothing. Places are compared modulo 2^32, over all parts of a listener,
// whose Accepts in this order are those of one queue. It may be called without
// regard to what else is done with the engine.
func (l *Listener) Oldest() uint32 { return l.oldest.Load() }

// push puts a connection into the accept queue; its place was taken before.
func (l *Listener) push(c *Conn) {
	c.ticket = l.backlog.ticket()
	if l.first == nil {
		l.first = c
		l.oldest.Store(c.ticket)
	} else {
		l.last.nextAccept = c
	}
	l.last = c
	if l.awaited && !l.waking {
		l.waking = true
		l.engine.wakes = append(l.engine.wakes, wake{listener: l})
	}
}

// Await asks for a wake once Accept has a connection; it reports false, and
// does nothing, when Accept has one already.
func (l *Listener) Await() bool {
	if l.first != nil {
		return false
	}
	l.awaited = true
	return true
}

// Close stops listening: connections not yet accepted are reset, half-open
// ones forgotten.
func (l *Listener) Close(now tcp.Time) {
	if l.closed {
		return
	}
	l.closed = true
	l.engine.listeners.remove(l)
	for l.half.first != nil {
		l.engine.dropHalfOpen(now, l.half.first, tcp.StateClosed, tcp.RuleClose)
	}
	for c := l.Accept(); c != nil; c = l.Accept() {
		c.Abort(now)
	}
}

// listeners finds the listener for an address and port.
type listeners struct {
	first, last *Listener // in the order of Listen
	size        int
	byPort      map[uint16][]*Listener
}

func (s *listeners) add(l *Listener) {
	if s.byPort == nil {
		s.byPort = make(map[uint16][]*Listener)
	}
	port := l.addr.Port()
	s.byPort[port] = append(s.byPort[port], l)
	if l.before = s.last; l.before != nil {
		l.before.after = l
	} else {
		s.first = l
	}
	s.last = l
	s.size++
}

func (s *listeners) remove(l *Listener) {
	port := l.addr.Port()
	if rest := slices.DeleteFunc(s.byPort[port], func(m *Listener) bool { return m == l }); len(rest) > 0 {
		s.byPort[port] = rest
	} else {
		delete(s.byPort, port)
	}
	if l.before != nil {
		l.before.after = l.after
	} else {
		s.first = l.after
	}
	if l.after != nil {
		l.after.before = l.before
	} else {
		s.last = l.before
	}
	s.size--
}

// conflict reports whether l cannot be beside the listeners there are: their
// addresses overlap and not both share (SOCK-85 to SOCK-88).
func (s *listeners) conflict(l *Listener) bool {
	for _, m := range s.byPort[l.addr.Port()] {
		if overlap(l.addr.Addr(), m.addr.Addr()) && !(l.share && m.share) {
			return true
		}
	}
	return false
}

// overlap reports whether some address is matched by both.
func overlap(a, b netip.Addr) bool {
	switch {
	case !a.IsValid() || !b.IsValid() || a == b:
		return true
	case a.Is4() != b.Is4():
		return false
	}
	return a.IsUnspecified() || b.IsUnspecified()
}

// overlapAny reports whether some address is matched by a and one of the listeners.
func overlapAny(a netip.Addr, all []*Listener) bool {
	return slices.ContainsFunc(all, func(l *Listener) bool { return overlap(a, l.addr.Addr()) })
}

// lookup returns the listener for a connection, nil if there is none: a
// specific address goes before the unspecified one of its family, that before
// the one of both; those that share an address and port are chosen by hash.
func (s *listeners) lookup(t *wire.FourTuple, spread *key) *Listener {
	list := s.byPort[t.LocalPort]
	if len(list) == 0 {
		return nil
	}
	ip := t.LocalAddr.Netip()
	best, ties := 0, 0
	var found *Listener
	for _, l := range list {
		switch r := l.rank(ip); {
		case r > best:
			best, ties, found = r, 1, l
		case r == best && r > 0:
			ties++
		}
	}
	if ties > 1 {
		n := int(spread.hash(t) >> 32 * uint64(ties) >> 32)
		for _, l := range list {
			if l.rank(ip) != best {
				continue
			}
			if n == 0 {
				return l
			}
			n--
		}
	}
	return found
}

// rank says how well the listener matches an address; 0: not at all.
func (l *Listener) rank(ip netip.Addr) int {
	switch a := l.addr.Addr(); {
	case a == ip:
		return 3
	case !a.IsValid():
		return 1
	case a.IsUnspecified() && a.Is4() == ip.Is4():
		return 2
	}
	return 0
}
