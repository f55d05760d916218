package trivet

import (
	"math/bits"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// Listener is a listening TCP socket. It does what a *net.TCPListener does,
// and its methods may be called by several goroutines at once.
type Listener struct {
	stack   *Stack
	network network
	addr    netip.AddrPort
	parts   []*engine.Listener // one in each shard, guarded by its lock; set by bind

	// ready has a bit for each shard that may have a connection to accept. A
	// bit is changed under its shard's lock only.
	ready  atomic.Uint64
	wake   chan struct{} // capacity 1: ready was set
	closed chan struct{}
	once   sync.Once
	alarm  *alarm
}

// bind listens in every shard. Port 0 is chosen by the first; if it is not
// free in all the others, another one is tried.
func (l *Listener) bind(addr netip.AddrPort, o engine.ListenOptions) error {
	const tries = 16
	var err error
	for range tries {
		if err = l.bindAll(addr, o); err == nil || addr.Port() != 0 || err != syscall.EADDRINUSE {
			return err
		}
	}
	return err
}

func (l *Listener) bindAll(addr netip.AddrPort, o engine.ListenOptions) error {
	for i, sh := range l.stack.shards {
		o.Waker = &listenWaker{l, i}
		now := sh.lock()
		part, err := sh.engine.Listen(now, addr, o)
		sh.settle(now)
		if err != nil {
			l.unbind()
			return err
		}
		l.parts[i] = part
		addr = part.Addr()
		l.ready.Or(1 << i)
	}
	l.addr = addr
	return nil
}

// unbind closes the parts. Connections that nobody accepted are reset.
func (l *Listener) unbind() {
	for i, sh := range l.stack.shards {
		now := sh.lock()
		if l.parts[i] != nil {
			l.parts[i].Close(now)
		}
		sh.settle(now)
	}
}

// listenWaker is a Listener as the engine of one shard sees it.
type listenWaker struct {
	l     *Listener
	shard int
}

// Wake implements engine.Waker. The shard is locked.
func (w *listenWaker) Wake(tcp.Ready) {
	w.l.ready.Or(1 << w.shard)
	w.l.signal()
}

// signal lets one Accept look.
func (l *Listener) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Accept waits for the next connection, a *Conn. It may have been reset or
// closed by its peer since: its Read tells.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptTCP waits for the next connection; see Accept.
func (l *Listener) AcceptTCP() (*Conn, error) {
	for {
		done := l.alarm.done()
		select {
		case <-l.closed:
			return nil, l.opError("accept", net.ErrClosed)
		case <-done:
			return nil, l.opError("accept", os.ErrDeadlineExceeded)
		default:
		}
		if c := l.take(); c != nil {
			if l.ready.Load() != 0 {
				l.signal() // for the next one who waits
			}
			return c, nil
		}
		select {
		case <-l.closed:
		case <-done:
		case <-l.wake:
		}
	}
}

// take returns the connection that waits longest, if there is one.
func (l *Listener) take() *Conn {
	for {
		ready := l.ready.Load()
		if ready == 0 {
			return nil
		}
		if c := l.takeFrom(l.oldest(ready)); c != nil {
			return c
		}
	}
}

// oldest returns which of the shards has the connection that waits longest.
// Those that have none come first: they are not ready, and takeFrom says so.
func (l *Listener) oldest(ready uint64) int {
	found, first := -1, uint32(0)
	for ; ready != 0; ready &= ready - 1 {
		i := bits.TrailingZeros64(ready)
		place := l.parts[i].Oldest()
		if place == 0 {
			return i
		}
		if found < 0 || int32(place-first) < 0 {
			found, first = i, place
		}
	}
	return found
}

// takeFrom returns a connection of the shard, or clears its bit.
func (l *Listener) takeFrom(i int) *Conn {
	sh := l.stack.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	part := l.parts[i]
	e := part.Accept()
	if e != nil {
		return newConn(sh, e, l.network)
	}
	if part.Await() {
		l.ready.And(^uint64(1 << i))
	}
	return nil
}

// Addr returns the address listened on, a *net.TCPAddr. It is valid after
// Close too.
func (l *Listener) Addr() net.Addr {
	addr := l.addr
	if !addr.Addr().IsValid() {
		addr = netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())
	}
	return tcpAddr(addr)
}

// String returns the network and the address, as errors have them.
func (l *Listener) String() string { return l.network.String() + " " + l.Addr().String() }

// SetDeadline sets the time after which Accept fails with
// os.ErrDeadlineExceeded. The zero time means never.
func (l *Listener) SetDeadline(t time.Time) error {
	select {
	case <-l.closed:
		return net.ErrClosed // bare, as package net returns it
	default:
		l.alarm.set(t)
		return nil
	}
}

// Close stops listening. Calls of Accept return net.ErrClosed; connections
// that nobody accepted are reset; those that were accepted stay.
func (l *Listener) Close() error {
	if !l.stop() {
		return l.opError("close", net.ErrClosed)
	}
	s := l.stack
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	return nil
}

// stop closes the listener and reports whether it was open.
func (l *Listener) stop() (first bool) {
	l.once.Do(func() {
		first = true
		close(l.closed)
		l.alarm.set(time.Time{})
		l.unbind()
	})
	return first
}
