package trivet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// ListenConfig holds options for listening. The zero value, but for Stack, is
// ready for use.
//
// SO_REUSEADDR is always set, as package net sets it: a port can be listened on
// while there are connections and TIME-WAIT of it. Unlike on Linux that holds
// for connections that were dialled from the port, too (RFC 9293, MUST-42).
type ListenConfig struct {
	// Stack is the host that listens; there must be one.
	Stack *Stack

	// Backlog is how many connections, plus one, may wait to be accepted, as
	// Linux counts; when they do, SYNs are dropped. Zero, or more than
	// Config.MaxBacklog: that.
	Backlog int

	// KeepAlive is the idle time before the first keep-alive probe on accepted
	// connections; the next ones come 15 s apart, 9 in all. Zero: 15 s.
	// Negative: no keep-alive. It is not used when KeepAliveConfig.Enable is
	// set.
	KeepAlive time.Duration
	// KeepAliveConfig sets keep-alive when its Enable is set.
	KeepAliveConfig net.KeepAliveConfig

	// Options are the other socket options: of the listener (RecvBuffer,
	// MaxSeg, SynRetries, DeferAccept), and of the connections that it accepts.
	// Those about keep-alive come from the fields above, and NoDelay is on.
	// Values that Linux refuses are refused with EINVAL or ENOENT.
	Options tcp.Options

	// FastOpen lets clients use TCP Fast Open (RFC 7413, TCP_FASTOPEN): a client that
	// was here before sends its first bytes with the SYN, and the connection can be
	// accepted, read and written at once, which saves a round trip. It is how many
	// such connections may wait for the end of their handshake; the others are opened
	// as usual. Bytes may be delivered twice when a SYN is (Section 6), so that
	// requests must bear to be repeated. Zero: off.
	FastOpen int
	// FastOpenKeys make the cookies by which clients are known again, for several
	// hosts behind one address (TCP_FASTOPEN_KEY): the first makes them, those of the
	// others are good, too. Nil: keys of the Stack's own, which change every day.
	FastOpenKeys []engine.FastOpenKey
	// FastOpenAnyone takes the text of every SYN, without a cookie: for networks in
	// which nobody forges addresses (TCP_FASTOPEN_NO_COOKIE). It needs FastOpen.
	FastOpenAnyone bool

	// ReusePort lets several listeners, or UDP sockets, share an address and
	// port, if all of them have it set; connections and datagrams are spread over
	// them by a hash of the 4-tuple (SO_REUSEPORT).
	ReusePort bool
	// ReuseAddr lets several UDP sockets share an address and port, if all of them
	// have it set; what is sent to one host goes to the newest (SO_REUSEADDR).
	ReuseAddr bool
}

// Listen listens on a network "tcp", "tcp4" or "tcp6". The address is as in
// net.Listen: an empty or unspecified host listens on all addresses, port 0
// is chosen. The context is used to look up the host. No port needs
// permission. Errors are those of package net: EADDRINUSE, EADDRNOTAVAIL. Unlike
// on Linux, EADDRNOTAVAIL is also for the address of a group and for broadcast,
// here and in Dialer.LocalAddr: no connection can have one (RFC 9293, MUST-57).
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := lc.listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (lc *ListenConfig) listen(ctx context.Context, name, address string) (*Listener, error) {
	n, addr, err := lc.local(ctx, name, address)
	if err != nil {
		return nil, err
	}
	if n.udp() {
		return nil, listenError(name, net.UDPAddrFromAddrPort(addr), unexpectedAddress(address))
	}
	l, err := lc.open(n, endAt(addr))
	if err != nil {
		return nil, listenError(name, tcpAddr(addr), err)
	}
	return l, nil
}

// local finds out which network and which address are meant. An empty address
// stands for all addresses, and a port that is chosen.
func (lc *ListenConfig) local(ctx context.Context, name, address string) (network, netip.AddrPort, error) {
	n, err := parseNetwork(name, allNetworks)
	if err != nil || address == "" {
		return n, netip.AddrPort{}, listenError(name, nil, err)
	}
	if !lc.Stack.made() {
		return n, netip.AddrPort{}, listenError(name, nil, errNotMade)
	}
	list, err := resolve(ctx, lc.Stack.lookup, n, address)
	if err != nil {
		return n, netip.AddrPort{}, listenError(name, nil, err)
	}
	return n, list[max(slices.IndexFunc(list, is4), 0)], nil // as package net, IPv4 first
}

func is4(a netip.AddrPort) bool { return a.Addr().Is4() }

// listenError is what package net returns from listening; nil when err is.
func listenError(name string, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "listen", Net: name, Addr: addr, Err: err}
}

// Listen listens with default options; see ListenConfig.Listen.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	lc := ListenConfig{Stack: s}
	return lc.Listen(context.Background(), network, address)
}

// ListenTCP listens as net.ListenTCP does. A nil address means all addresses
// and a chosen port.
func (s *Stack) ListenTCP(network string, addr *net.TCPAddr) (*Listener, error) {
	lc := ListenConfig{Stack: s}
	n, err := parseNetwork(network, tcpNetworks)
	if err != nil {
		return nil, listenError(network, netAddr(addr), err)
	}
	if addr == nil {
		addr = new(net.TCPAddr)
	}
	l, err := lc.open(n, endOf(addr))
	if err != nil {
		return nil, listenError(network, addr, err)
	}
	return l, nil
}

// open makes a listener with a part in every shard.
func (lc *ListenConfig) open(n network, local *end) (*Listener, error) {
	s := lc.Stack
	if !s.made() {
		return nil, errNotMade
	}
	addr, err := n.listenAt(local)
	if err != nil {
		return nil, err
	}
	opt, err := s.startOptions(lc.Options, lc.KeepAlive, lc.KeepAliveConfig)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		stack: s, network: n,
		parts:  make([]*engine.Listener, len(s.shards)),
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
		alarm:  newAlarm(),
	}
	o := engine.ListenOptions{
		Backlog: engine.NewBacklog(lc.backlog()), Options: opt, ReusePort: lc.ReusePort,
		FastOpen: lc.FastOpen, FastOpenKeys: lc.FastOpenKeys, FastOpenAnyone: lc.FastOpenAnyone,
	}
	if s.cfg.Flood != nil {
		o.Flooded = func() {
			before := o.Backlog.SynOverflows() - 1
			s.running.Go(func() { l.watchFlood(o.Backlog, before) })
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	if err := l.bind(addr, o); err != nil {
		close(l.closed)
		return nil, sysError("bind", err)
	}
	s.listeners[l] = struct{}{}
	return l, nil
}

func (lc *ListenConfig) backlog() int {
	limit := lc.Stack.cfg.MaxBacklog
	if lc.Backlog > 0 {
		return min(lc.Backlog, limit)
	}
	return limit
}
