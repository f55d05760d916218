package trivet

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// withSocket calls f with the shard locked, unless the socket is closed, and
// returns its error as an operation of the name returns it.
func (c *UDPConn) withSocket(f func() error) error {
	now := c.shard.lock()
	err := net.ErrClosed
	if !c.closed {
		err = f()
	}
	c.shard.settle(now)
	if err != nil {
		return c.localError("set", sysError("setsockopt", err))
	}
	return nil
}

// SetReadBuffer sets the size of the receive buffer in bytes of memory; see
// engine.UDPOptions. Datagrams that find no room are dropped.
func (c *UDPConn) SetReadBuffer(bytes int) error {
	return c.withSocket(func() error {
		c.sock.SetBuffers(max(bytes, 1), 0)
		return nil
	})
}

// SetWriteBuffer sets the size of the send buffer in bytes of memory.
func (c *UDPConn) SetWriteBuffer(bytes int) error {
	return c.withSocket(func() error {
		c.sock.SetBuffers(0, max(bytes, 1))
		return nil
	})
}

// SetTOS sets the IPv4 TOS or IPv6 traffic class of what is sent.
func (c *UDPConn) SetTOS(tos uint8) error {
	return c.withSocket(func() error {
		c.sock.SetTOS(tos)
		return nil
	})
}

// SetTTL sets the TTL or hop limit of datagrams to one host, 64 at first; zero:
// 64.
func (c *UDPConn) SetTTL(ttl uint8) error {
	return c.withSocket(func() error {
		c.sock.SetTTL(ttl)
		return nil
	})
}

// SetMulticastTTL sets the TTL or hop limit of datagrams to groups, 1 at first:
// they stay on the link. With 0 they stay on the host.
func (c *UDPConn) SetMulticastTTL(ttl uint8) error {
	return c.withSocket(func() error {
		c.sock.SetMulticastTTL(ttl)
		return nil
	})
}

// SetMulticastLoopback says whether what is sent to groups is received by the
// host's own sockets too. It is at first, but for ListenMulticastUDP.
func (c *UDPConn) SetMulticastLoopback(on bool) error {
	return c.withSocket(func() error {
		c.sock.SetMulticastLoopback(on)
		return nil
	})
}

// SetMulticastLink says by which link datagrams to groups leave; nil: by the route
// to the group, or the first link that can. Error: ErrNoLink.
func (c *UDPConn) SetMulticastLink(l link.Link) error {
	index := -1
	if l != nil {
		var err error
		if index, err = c.shard.stack.linkIndex(l); err != nil {
			return c.localError("set", err)
		}
	}
	return c.withSocket(func() error { return c.sock.SetMulticastInterface(index) })
}

// Info tells about the socket: what waits in its buffers, and how many datagrams
// it has dropped. It works after Close too.
func (c *UDPConn) Info() engine.UDPInfo {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.sock.Info()
}

// membership is a group that a socket is in on an interface.
type membership struct {
	index int
	group netip.Addr
}

// JoinGroup lets the socket receive what is sent to the group and arrives by the
// link, and tells the routers there (IGMP, MLD). A nil link is the one that
// datagrams to the group would leave by. A socket receives what is sent to its
// own groups only, as on BSD, and not to those of other sockets. Errors are those
// of setsockopt: EADDRINUSE (joined already), ENODEV, EINVAL (not a group),
// ENOBUFS (over 20 groups); ErrNoLink.
func (c *UDPConn) JoinGroup(l link.Link, group netip.Addr) error {
	m, err := c.membership(l, group)
	if err != nil {
		return c.localError("set", sysError("setsockopt", err))
	}
	err = c.withSocket(func() error { return c.sock.Join(m.index, m.group) })
	if err != nil {
		return err
	}
	if err = c.shard.stack.joinGroup(m); err == nil {
		return nil
	}
	return c.withSocket(func() error {
		c.sock.Leave(m.index, m.group) // it is there: it was joined above
		return err
	})
}

// LeaveGroup undoes JoinGroup. Error: EADDRNOTAVAIL when the socket is not in the
// group.
func (c *UDPConn) LeaveGroup(l link.Link, group netip.Addr) error {
	m, err := c.membership(l, group)
	if err != nil {
		return c.localError("set", sysError("setsockopt", err))
	}
	if err := c.withSocket(func() error { return c.sock.Leave(m.index, m.group) }); err != nil {
		return err
	}
	c.shard.stack.leaveGroups([]membership{m})
	return nil
}

// membership names the group on the link.
func (c *UDPConn) membership(l link.Link, group netip.Addr) (m membership, err error) {
	m.group = group.Unmap().WithZone("")
	if l != nil {
		m.index, err = c.shard.stack.linkIndex(l)
		return m, err
	}
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if m.index = c.sock.GroupInterface(m.group); m.index < 0 {
		return m, syscall.ENODEV
	}
	return m, nil
}

// linkIndex returns the index of the interface to the link.
func (s *Stack) linkIndex(l link.Link) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(l)
	if a == nil {
		return 0, ErrNoLink
	}
	return a.index, nil
}

// joinGroup makes the host a member of a group, once more. What the host tells
// about its groups is in shard 0.
func (s *Stack) joinGroup(m membership) error {
	sh := s.shards[0]
	now := sh.lock()
	err := sh.engine.JoinGroup(now, m.index, m.group)
	sh.settle(now)
	return err
}

// leaveGroups undoes joinGroup for each group.
func (s *Stack) leaveGroups(groups []membership) {
	if len(groups) == 0 {
		return
	}
	sh := s.shards[0]
	now := sh.lock()
	for _, m := range groups {
		sh.engine.LeaveGroup(now, m.index, m.group)
	}
	sh.settle(now)
}

// udpOptions returns what of the options of a connection a UDP socket has too.
func udpOptions(o tcp.Options) engine.UDPOptions {
	return engine.UDPOptions{RecvBuffer: o.RecvBuffer, SendBuffer: o.SendBuffer, TOS: o.TOS, TTL: o.TTL}
}
