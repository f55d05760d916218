package trivet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// Stack is a host, made by New. Its methods are safe for concurrent use.
type Stack struct {
	cfg    Config
	start  time.Time
	shards []*shard
	dials  atomic.Uint32 // spreads connections over the shards

	// running counts timers to come and goroutines that send or receive.
	running sync.WaitGroup

	mu        sync.Mutex // guards what follows; taken before a shard's lock
	links     []*attachment
	listeners map[*Listener]struct{}
	closed    bool
}

// The internal link to oneself.
const (
	loopbackMTU = 65535
	// maxSuper is the largest payload of a super-segment: a whole IP packet
	// of 64 KiB less the largest headers.
	maxSuper = 65535 - 128
)

var loopbackPrefixes = []netip.Prefix{
	netip.PrefixFrom(loopback4, 8),
	netip.PrefixFrom(netip.IPv6Loopback(), 128),
}

// New returns a host that is attached to nothing but itself: 127.0.0.1 and ::1
// work. Its error wraps ErrConfig.
func New(cfg Config) (*Stack, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Stack{cfg: cfg, start: time.Now(), listeners: make(map[*Listener]struct{})}
	for i := range cfg.Shards {
		s.shards = append(s.shards, &shard{stack: s, engine: engine.New(cfg.engine(i, s.start))})
	}
	return s, s.attach(link.Loopback(loopbackMTU), true, loopbackPrefixes)
}

// errNotMade is what a Dialer without a Stack, and the zero Stack, fail with.
var errNotMade = errors.New("trivet: no Stack, or one that New has not made")

// made reports whether New has made the stack.
func (s *Stack) made() bool { return s != nil && len(s.shards) > 0 }

// String returns the name from the Config.
func (s *Stack) String() string { return s.cfg.Name }

// Now returns the time on the stack's own clock, which starts at New and which
// events and socket tables use.
func (s *Stack) Now() tcp.Time { return s.now() }

// now is never 0, which means "no time".
func (s *Stack) now() tcp.Time { return tcp.Time(time.Since(s.start)) + 1 }

// AddLink attaches the host to a link, which is told from others by ==: its type
// is one that can be compared, a pointer as a rule. Each prefix is an address of
// the host with the network that is reachable through the link, as in
// 10.1.0.2/24. The stack reads from the link from now on, and closes it in
// RemoveLink or Close.
// Errors: ErrLinkAttached, net.ErrClosed, or EINVAL for a prefix that is not
// one of a unicast address, or an MTU under 88, or under 1280 with IPv6, or over
// 65535.
func (s *Stack) AddLink(l link.Link, prefixes ...netip.Prefix) error {
	return s.attach(l, false, prefixes)
}

func (s *Stack) attach(l link.Link, loopback bool, prefixes []netip.Prefix) error {
	switch {
	case !s.made():
		return errNotMade
	case l == nil:
		return fmt.Errorf("trivet: cannot attach no link: %w", syscall.EINVAL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case s.find(l) != nil:
		return ErrLinkAttached
	}
	a := &attachment{
		link:     l,
		mtu:      l.MTU(),
		index:    len(s.links), // never used again: packets may still name it
		loopback: loopback,
		prefixes: slices.Clone(prefixes),
		offloads: l.Offloads(),
		done:     make(chan struct{}),
	}
	i := engine.Interface{
		Index: a.index, MTU: a.mtu, Prefixes: a.prefixes, MaxSuper: maxSuper, Loopback: loopback,
	}
	links := append(slices.Clone(s.links), a)
	for _, sh := range s.shards {
		now := sh.lock()
		err := sh.engine.AddInterface(i)
		sh.links = links
		sh.settle(now)
		if err != nil {
			s.detach(a)
			return fmt.Errorf("trivet: cannot attach a link of MTU %d with %v: %w: an MTU is %d to 65535, "+
				"with IPv6 at least 1280, an address unicast and not IPv4 in IPv6", a.mtu, prefixes, err, engine.MinMTU)
		}
	}
	s.links = links
	s.running.Go(func() { s.receive(a) }) // ends with the link
	return nil
}

// detach takes the interface out of every shard. s.mu is held.
func (s *Stack) detach(a *attachment) {
	links := slices.Clone(s.links)
	if a.index < len(links) {
		links[a.index] = nil
	}
	for _, sh := range s.shards {
		now := sh.lock()
		sh.engine.RemoveInterface(a.index)
		sh.links = links
		sh.settle(now)
	}
	s.links = links
}

// ErrNoLink is returned for a link that the stack is not attached to, and
// ErrLinkAttached for one that it is attached to already.
var (
	ErrNoLink       = errors.New("trivet: no such link")
	ErrLinkAttached = errors.New("trivet: link is attached already")
)

// RemoveLink detaches the host from a link and closes the link. Connections
// over it stay, without a way to their peers, until they time out or another
// link brings their address back.
func (s *Stack) RemoveLink(l link.Link) error {
	s.mu.Lock()
	a := s.find(l)
	if a == nil {
		s.mu.Unlock()
		return ErrNoLink
	}
	s.detach(a)
	s.mu.Unlock()
	return a.close()
}

// find returns the attachment to l, nil if there is none. s.mu is held.
func (s *Stack) find(l link.Link) *attachment {
	for _, a := range s.links {
		if a != nil && a.link == l {
			return a
		}
	}
	return nil
}

// AddRoute sends packets for the prefix out by the link, in addition to what
// the link's own prefixes say; the longest prefix wins, of equal ones the first.
// The route lasts until RemoveLink. Errors: ErrNoLink, net.ErrClosed, or EINVAL for
// a prefix that is none.
func (s *Stack) AddRoute(prefix netip.Prefix, l link.Link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	a := s.find(l)
	if a == nil {
		return ErrNoLink
	}
	for _, sh := range s.shards {
		now := sh.lock()
		err := sh.engine.AddRoute(prefix, a.index)
		sh.settle(now)
		if err != nil {
			return fmt.Errorf("trivet: cannot add a route to %v: %w", prefix, err)
		}
	}
	return nil
}

// owns reports whether addr is one of the host's addresses.
func (s *Stack) owns(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.links {
		if a == nil {
			continue
		}
		for _, p := range a.prefixes {
			if p.Addr().WithZone("") == addr || a.loopback && addr.Is4() && p.Contains(addr) {
				return true // all of 127.0.0.0/8 is the host
			}
		}
	}
	return false
}

// Close ends the host: it closes the listeners, resets what is half-open, closes
// every connection as Conn.Close does, waits until all are done or ctx is, resets those that are
// left, and closes the links. When it returns no goroutine of the stack is
// left. It returns ctx's error if connections had to be reset, and
// net.ErrClosed the second time. Connections in TIME-WAIT are not waited for
// but forgotten: a peer whose last FIN is not acknowledged yet will find
// nobody.
func (s *Stack) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	listeners := s.listeners
	s.listeners = nil
	s.mu.Unlock()

	for _, sh := range s.shards {
		now := sh.lock()
		sh.engine.ResetHalfOpen(now)
		sh.settle(now)
	}
	for l := range listeners {
		l.stop()
	}
	var drained []<-chan struct{}
	for _, sh := range s.shards {
		drained = append(drained, sh.closeConns())
	}
	s.closeUDP()
	var err error
	for _, d := range drained {
		select {
		case <-d:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	for _, sh := range s.shards {
		sh.abortConns()
	}
	for _, sh := range s.shards {
		sh.stop()
	}
	return errors.Join(err, s.closeLinks())
}

// ended reports whether Close was called.
func (s *Stack) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// ForgetPaths forgets what was learnt of the ways to other hosts: their MTUs and,
// for Fast Open, cookies and failures. Call it when the host has moved to another
// network.
func (s *Stack) ForgetPaths() {
	for _, sh := range s.shards {
		sh.mu.Lock()
		sh.engine.ForgetPaths()
		sh.mu.Unlock()
	}
}

// closeLinks closes the links and waits for every goroutine.
func (s *Stack) closeLinks() error {
	s.mu.Lock()
	links := s.links
	s.links = nil
	s.mu.Unlock()
	var errs []error
	for _, a := range links {
		if a != nil {
			errs = append(errs, a.close())
		}
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// closeConns closes all connections and returns a channel that is closed when
// they are done.
func (s *shard) closeConns() <-chan struct{} {
	now := s.lock()
	drained := make(chan struct{})
	s.drained = drained
	for c := s.conns.first; c != nil; {
		next := c.next // close may take c out of the list
		if !c.closed {
			c.close(now)
		}
		c = next
	}
	s.closing = true
	s.checkDrained()
	s.settle(now)
	return drained
}

// abortConns resets the connections that are left.
func (s *shard) abortConns() {
	now := s.lock()
	for s.conns.first != nil {
		s.conns.first.abort(now)
	}
	s.settle(now)
}
