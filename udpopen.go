package trivet

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// ListenPacket opens a socket for datagrams from anybody on a network "udp",
// "udp4" or "udp6", as net.ListenConfig.ListenPacket does: an empty or unspecified
// host, or a multicast group, listens on all addresses, port 0 is chosen. It is a
// *UDPConn. Of Options the buffers, TOS and TTL count. Errors are those of
// package net: EADDRINUSE, EADDRNOTAVAIL.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	c, err := lc.listenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (lc *ListenConfig) listenPacket(ctx context.Context, name, address string) (*UDPConn, error) {
	n, addr, err := lc.local(ctx, name, address)
	if err != nil {
		return nil, err
	}
	if !n.udp() {
		return nil, listenError(name, tcpAddr(addr), unexpectedAddress(address))
	}
	opt := udpOptions(lc.Options)
	opt.ReuseAddr, opt.ReusePort = lc.ReuseAddr, lc.ReusePort
	c, err := lc.Stack.listenUDP(n, endAt(addr), opt)
	if err != nil {
		return nil, listenError(name, net.UDPAddrFromAddrPort(addr), err)
	}
	return c, nil
}

// unexpectedAddress is package net's answer to a network of the other kind.
func unexpectedAddress(address string) error {
	return &net.AddrError{Err: "unexpected address type", Addr: address}
}

// ListenPacket opens a socket with default options; see ListenConfig.ListenPacket.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	lc := ListenConfig{Stack: s}
	return lc.ListenPacket(context.Background(), network, address)
}

// ListenUDP opens a socket as net.ListenUDP does. A nil address means all
// addresses and a chosen port.
func (s *Stack) ListenUDP(network string, addr *net.UDPAddr) (*UDPConn, error) {
	n, err := parseNetwork(network, udpNetworks)
	if err != nil {
		return nil, listenError(network, netAddr(addr), err)
	}
	if addr == nil {
		addr = new(net.UDPAddr)
	}
	c, err := s.listenUDP(n, endOf(addr), engine.UDPOptions{})
	if err != nil {
		return nil, listenError(network, addr, err)
	}
	return c, nil
}

// ListenMulticastUDP opens a socket that is in a group, as net.ListenMulticastUDP
// does: it shares its port with others, is bound to the group's address, and does
// not hear what the host itself sends. A nil link is chosen.
func (s *Stack) ListenMulticastUDP(network string, l link.Link, group *net.UDPAddr) (*UDPConn, error) {
	fail := func(err error) (*UDPConn, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: group, Err: err}
	}
	if group == nil || group.IP == nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: errMissingAddress}
	}
	n, err := parseNetwork(network, udpNetworks)
	if err != nil {
		return fail(err)
	}
	addr, err := endOf(group).in(n.six(endOf(group)), "bind")
	if err != nil {
		return fail(err)
	}
	c, err := s.openUDP(n, addr, engine.UDPOptions{ReuseAddr: true})
	if err != nil {
		return fail(err)
	}
	err = c.JoinGroup(l, addr.Addr())
	if err == nil {
		err = c.SetMulticastLoopback(false)
	}
	if err == nil && l != nil {
		err = c.SetMulticastLink(l)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// listenUDP opens a socket for datagrams from anybody. With a group for an
// address it listens on all of the family, and shares its port, as package net
// has it.
func (s *Stack) listenUDP(n network, local *end, opt engine.UDPOptions) (*UDPConn, error) {
	if local.ip.IsMulticast() {
		opt.ReuseAddr = true
		a, err := (&end{port: local.port}).in(n.six(local), "bind")
		if err != nil {
			return nil, err
		}
		return s.openUDP(n, a, opt)
	}
	a, err := n.listenAt(local)
	if err != nil {
		return nil, err
	}
	return s.openUDP(n, a, opt)
}

func (s *Stack) openUDP(n network, addr netip.AddrPort, opt engine.UDPOptions) (*UDPConn, error) {
	c, err := s.eachShard(n, addr.Port(), func(e *engine.Engine, now tcp.Time) (*engine.UDPSocket, error) {
		return e.ListenUDP(now, addr, opt)
	})
	return c, sysError("bind", err)
}

// eachShard opens a socket with open in the shard of its port, or, when the port
// is to be chosen, in the first that has one free.
func (s *Stack) eachShard(n network, port uint16, open func(*engine.Engine, tcp.Time) (*engine.UDPSocket, error)) (*UDPConn, error) {
	if !s.made() {
		return nil, errNotMade
	}
	first, tries := int(s.dials.Add(1)), len(s.shards)
	if port != 0 {
		first, tries = s.shards[0].engine.ShardOfPort(port), 1
	}
	var err error
	for i := range tries {
		sh := s.shards[(first+i)%len(s.shards)]
		now := sh.lock()
		if sh.closing {
			sh.mu.Unlock()
			return nil, net.ErrClosed
		}
		var e *engine.UDPSocket
		if e, err = open(sh.engine, now); err == nil {
			c := newUDPConn(sh, e, n)
			sh.settle(now)
			return c, nil
		}
		sh.settle(now)
		if err != syscall.EADDRINUSE && err != syscall.EAGAIN {
			break
		}
	}
	return nil, err
}

// DialUDP opens a connected socket as net.DialUDP does. A nil local address is
// chosen.
func (s *Stack) DialUDP(network string, local, remote *net.UDPAddr) (*UDPConn, error) {
	d := Dialer{Stack: s, LocalAddr: netAddr(local)}
	return d.dialUDPAddr(context.Background(), network, local, remote)
}

// DialUDP opens a socket that is connected to an endpoint, without looking anything
// up. LocalAddr is not used: what is zero of local is chosen.
func (d *Dialer) DialUDP(ctx context.Context, network string, local, remote netip.AddrPort) (*UDPConn, error) {
	ctx, cancel := d.withDeadline(ctx)
	defer cancel()
	from, to := net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(remote)
	return d.from(from).dialUDPAddr(ctx, network, from, to)
}

// dialUDPAddr opens a socket from local, which is the LocalAddr.
func (d *Dialer) dialUDPAddr(ctx context.Context, network string, local, remote *net.UDPAddr) (*UDPConn, error) {
	n, err := parseNetwork(network, udpNetworks)
	if err == nil && remote == nil {
		err = errMissingAddress
	}
	var c *UDPConn
	if err == nil {
		c, err = d.connectUDP(ctx, n, endOf(local), endOf(remote))
	}
	if err != nil {
		return nil, d.fail(network, netAddr(remote), err)
	}
	return c, nil
}

// dialUDP opens a socket that is connected to the first of the addresses that can
// be. Nothing is sent.
func (d *Dialer) dialUDP(ctx context.Context, n network, address string) (*UDPConn, error) {
	ctx, cancel := d.withDeadline(ctx)
	defer cancel()
	local, list, err := d.endpoints(ctx, n, address)
	if err != nil {
		return nil, unresolved(n.String(), err)
	}
	var first error
	for _, remote := range list {
		c, err := d.connectUDP(ctx, n, local, endAt(remote))
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = d.fail(n.String(), net.UDPAddrFromAddrPort(remote), err)
		}
	}
	return nil, first
}

func (d *Dialer) connectUDP(ctx context.Context, n network, local, remote *end) (*UDPConn, error) {
	if !d.Stack.made() {
		return nil, errNotMade
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	from, to, err := d.Stack.ends(n, local, remote)
	if err != nil {
		return nil, err
	}
	c, err := d.Stack.eachShard(n, from.Port(), func(e *engine.Engine, now tcp.Time) (*engine.UDPSocket, error) {
		return e.DialUDP(now, from, to, udpOptions(d.Options))
	})
	switch err {
	case nil:
		return c, nil
	case syscall.EADDRINUSE, syscall.EADDRNOTAVAIL:
		return nil, sysError("bind", err)
	}
	return nil, sysError("connect", err)
}

// UDPSockets returns the table of the host's UDP sockets.
func (s *Stack) UDPSockets() []engine.UDPInfo {
	var table []engine.UDPInfo
	for _, sh := range s.shards {
		sh.mu.Lock()
		sh.engine.UDPSockets(func(i *engine.UDPInfo) { table = append(table, *i) })
		sh.mu.Unlock()
	}
	return table
}

// closeUDP closes all UDP sockets. No new ones come: the shards are closing.
func (s *Stack) closeUDP() {
	for _, sh := range s.shards {
		var all []*UDPConn
		sh.mu.Lock()
		for c := range sh.udp {
			all = append(all, c)
		}
		sh.mu.Unlock()
		for _, c := range all {
			c.Close() // an error says that the user was faster
		}
	}
}
