package trivet

import (
	"context"
	"math"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// Dialer holds options for connecting. The zero value, but for Stack, is ready
// for use.
type Dialer struct {
	// Stack is the host that connects; there must be one.
	Stack *Stack

	// Timeout bounds the time a dial takes. Zero: what the SYN's
	// retransmissions take, about two minutes.
	Timeout time.Duration
	// Deadline is when a dial fails at the latest. Zero: none.
	Deadline time.Time

	// FallbackDelay is how long a dial waits for the addresses of one family, that
	// of the first address of the host, before it tries those of the other beside
	// them. Zero: 300 ms. Negative: all are tried in turn.
	FallbackDelay time.Duration

	// LocalAddr is the local endpoint, a *net.TCPAddr or *net.UDPAddr. Nil, or an
	// unspecified address or port in it: chosen. A port of TCP may be used for
	// several connections at once, as if SO_REUSEADDR were set on all: only the
	// 4-tuple must be free, else the error is EADDRNOTAVAIL. Linux needs more care
	// because there a socket is bound before it is known where to.
	LocalAddr net.Addr

	// Resolver looks up host names. Nil: Config.Resolve of the Stack. One with
	// PreferGo whose Dial goes by a Stack asks name servers over that.
	Resolver *net.Resolver

	// KeepAlive is the idle time before the first keep-alive probe; the next
	// ones come 15 s apart, 9 in all. Zero: 15 s. Negative: no keep-alive. It
	// is not used when KeepAliveConfig.Enable is set.
	KeepAlive time.Duration
	// KeepAliveConfig sets keep-alive when its Enable is set.
	KeepAliveConfig net.KeepAliveConfig

	// Options are the other socket options of the connection. Those about
	// keep-alive come from the fields above, and NoDelay is on. Values that
	// Linux refuses are refused with EINVAL or ENOENT. On UDP the buffers, TOS
	// and TTL count.
	//
	// With Options.FastOpen a dial to an address that gave a cookie before returns
	// at once, without having sent anything; the first Write goes with the SYN, and
	// tells, as Read does, what the dial would have. A Read before the first Write
	// sends the SYN without it, 5 ms later.
	Options tcp.Options
}

// Dial connects to the address on the network "tcp", "tcp4" or "tcp6", or opens a
// connected socket on "udp", "udp4" or "udp6", as net.Dial does: the result is a
// *Conn or a *UDPConn. An empty or unspecified host is the host itself. Errors
// are those of package net.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext is Dial with a context, which ends the dial but not the
// connection. If the host has several addresses they are tried in turn, but on
// "tcp" those of the other family beside the first ones; see FallbackDelay.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if n, err := parseNetwork(network, udpNetworks); err == nil {
		c, err := d.dialUDP(ctx, n, address)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Dial connects with default options; see Dialer.Dial.
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialContext connects with default options; see Dialer.DialContext.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := Dialer{Stack: s}
	return d.DialContext(ctx, network, address)
}

// DialTimeout connects with default options and a timeout.
func (s *Stack) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	d := Dialer{Stack: s, Timeout: timeout}
	return d.Dial(network, address)
}

// DialTCP connects as net.DialTCP does. A nil local address is chosen.
func (s *Stack) DialTCP(network string, local, remote *net.TCPAddr) (*Conn, error) {
	d := Dialer{Stack: s, LocalAddr: netAddr(local)}
	return d.dialTCP(context.Background(), network, local, remote)
}

// DialTCP connects from one endpoint to another, without looking anything up.
// LocalAddr is not used: what is zero of local is chosen.
func (d *Dialer) DialTCP(ctx context.Context, network string, local, remote netip.AddrPort) (*Conn, error) {
	ctx, cancel := d.withDeadline(ctx)
	defer cancel()
	from, to := net.TCPAddrFromAddrPort(local), net.TCPAddrFromAddrPort(remote)
	return d.from(from).dialTCP(ctx, network, from, to)
}

// from returns the Dialer with another LocalAddr.
func (d *Dialer) from(local net.Addr) *Dialer {
	e := *d
	e.LocalAddr = local
	return &e
}

// dialTCP connects from local, which is the LocalAddr.
func (d *Dialer) dialTCP(ctx context.Context, network string, local, remote *net.TCPAddr) (*Conn, error) {
	n, err := parseNetwork(network, tcpNetworks)
	if err == nil && remote == nil {
		err = errMissingAddress
	}
	var c *Conn
	if err == nil {
		c, err = d.connect(ctx, n, endOf(local), endOf(remote))
	}
	if err != nil {
		return nil, d.fail(network, netAddr(remote), err)
	}
	return c, nil
}

// fail returns err as a dial returns it. A zero addr is none.
func (d *Dialer) fail(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Addr: addr, Err: err}
}

func (d *Dialer) dial(ctx context.Context, name, address string) (*Conn, error) {
	ctx, cancel := d.withDeadline(ctx)
	defer cancel()
	n, err := parseNetwork(name, tcpNetworks)
	if err != nil {
		return nil, unresolved(name, err)
	}
	local, list, err := d.endpoints(ctx, n, address)
	if err != nil {
		return nil, unresolved(name, err)
	}
	return d.dialFamilies(ctx, n, local, list)
}

// unresolved returns err as a dial returns it that does not know yet where to.
func unresolved(network string, err error) error {
	return &net.OpError{Op: "dial", Net: network, Err: err}
}

// endpoints returns the local end, nil if it is to be chosen, and the remote
// endpoints that the address stands for, one at least.
func (d *Dialer) endpoints(ctx context.Context, n network, address string) (*end, []netip.AddrPort, error) {
	switch {
	case !d.Stack.made():
		return nil, nil, errNotMade
	case address == "":
		return nil, nil, errMissingAddress
	}
	list, err := resolve(ctx, d.lookup(), n, address)
	if err != nil {
		return nil, nil, err
	}
	local, err := d.localEnd(n)
	if err != nil {
		return nil, nil, err
	}
	if list = fitting(list, local); len(list) == 0 {
		return nil, nil, &net.AddrError{Err: errNoSuitableAddress, Addr: d.LocalAddr.String()}
	}
	return local, list, nil
}

// lookup returns what looks names up: Resolver, or what the Stack has.
func (d *Dialer) lookup() lookup {
	s := d.Stack
	if r := d.Resolver; r != nil {
		return func(ctx context.Context, host string) ([]netip.Addr, error) {
			if s.ended() {
				return nil, net.ErrClosed
			}
			return r.LookupNetIP(ctx, "ip", host)
		}
	}
	return s.lookup
}

// localEnd returns LocalAddr, which must be of the network's type; nil if there is
// none.
func (d *Dialer) localEnd(n network) (*end, error) {
	switch a := d.LocalAddr.(type) {
	case nil:
		return nil, nil
	case *net.TCPAddr:
		if !n.udp() {
			return endOf(a), nil
		}
	case *net.UDPAddr:
		if n.udp() {
			return endOf(a), nil
		}
	}
	return nil, &net.AddrError{Err: "mismatched local address type", Addr: d.LocalAddr.String()}
}

// fitting returns the endpoints that can be reached from the local end.
func fitting(list []netip.AddrPort, local *end) []netip.AddrPort {
	return slices.DeleteFunc(list, func(a netip.AddrPort) bool { return !local.fits(a.Addr()) })
}

// withDeadline returns ctx with the Dialer's own deadline, if there is one.
func (d *Dialer) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if t := d.deadline(); !t.IsZero() {
		return context.WithDeadline(ctx, t)
	}
	return ctx, func() {}
}

// deadline returns when the dial fails by the Dialer's own fields.
func (d *Dialer) deadline() time.Time {
	t := d.Deadline
	if d.Timeout != 0 { // negative too, as in package net: it has passed
		if end := time.Now().Add(d.Timeout); t.IsZero() || end.Before(t) {
			t = end
		}
	}
	return t
}

// dialList tries the addresses in turn, the time that is left shared between
// them, and returns the first error if none answers.
func (d *Dialer) dialList(ctx context.Context, n network, local *end, list []netip.AddrPort) (*Conn, error) {
	var first error
	for i, remote := range list {
		c, err := d.dialShare(ctx, n, local, remote, len(list)-i)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = d.fail(n.String(), tcpAddr(remote), err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// dialShare dials one address within a 1/share of the time that is left, but
// at least two seconds, which is time for one retransmission of the SYN.
func (d *Dialer) dialShare(ctx context.Context, n network, local *end, remote netip.AddrPort, share int) (*Conn, error) {
	if end, ok := ctx.Deadline(); ok && share > 1 {
		left := time.Until(end)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, min(left, max(left/time.Duration(share), 2*time.Second)))
		defer cancel()
	}
	return d.connect(ctx, n, local, endAt(remote))
}

// connect opens a connection and waits until it is established.
func (d *Dialer) connect(ctx context.Context, n network, local, remote *end) (*Conn, error) {
	s := d.Stack
	if !s.made() {
		return nil, errNotMade
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	opt, err := s.startOptions(d.Options, d.KeepAlive, d.KeepAliveConfig)
	if err != nil {
		return nil, err
	}
	from, to, err := s.ends(n, local, remote)
	if err != nil {
		return nil, err
	}
	// The scheduler prefers the goroutine woken last: without this, two that keep
	// waking each other would let the others' dials wait for a whole time slice.
	runtime.Gosched()
	c, err := s.open(n, from, to, opt)
	if err != nil {
		return nil, sysError("connect", err)
	}
	return c.connected(ctx)
}

// open starts a connection in the next shard that has room for it. The shard
// stays locked.
func (s *Stack) open(n network, local, remote netip.AddrPort, opt tcp.Options) (*Conn, error) {
	first := int(s.dials.Add(1))
	if opt.FastOpen {
		first = favourite(remote.Addr()) // who knows its cookie
	}
	var err error
	for i := range s.shards {
		sh := s.shards[(first+i)%len(s.shards)]
		now := sh.lock()
		if sh.closing {
			sh.mu.Unlock()
			return nil, net.ErrClosed
		}
		e, derr := sh.engine.Dial(now, local, remote, opt)
		if derr == nil {
			c := newConn(sh, e, n)
			sh.settle(now)
			return c, nil
		}
		sh.settle(now)
		if err = derr; err != syscall.EADDRNOTAVAIL {
			break
		}
	}
	return nil, err
}

// favourite returns a number that is the same for all connections to the address.
func favourite(a netip.Addr) int {
	sum := 0
	for _, b := range a.AsSlice() {
		sum = 31*sum + int(b)
	}
	return sum & math.MaxInt32
}

// connected waits until the handshake is over.
func (c *Conn) connected(ctx context.Context) (*Conn, error) {
	s := c.shard
	now := s.lock()
	for !c.closed && ctx.Err() == nil && c.e.Await(tcp.Connected) {
		w := s.newWaiter()
		c.writers.push(w)
		s.settle(now)
		select {
		case <-w.ch:
			now = s.lock()
		case <-ctx.Done():
			now = s.lock()
			c.writers.wakeAll()
			<-w.ch
		}
		s.putWaiter(w)
	}
	err := c.connectErr(ctx)
	if err != nil && !c.closed {
		c.close(now)
	}
	s.settle(now)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// connectErr returns why a connection that was dialled is not to be used. The
// shard is locked.
func (c *Conn) connectErr(ctx context.Context) error {
	switch {
	case c.closed:
		return net.ErrClosed // by Stack.Close
	case c.e.Ready()&tcp.Connected == 0:
		return contextError(ctx.Err())
	}
	return sysError("connect", c.e.TakeError())
}
