package trivet

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// UDPConn is a UDP socket. It does what a *net.UDPConn does, and its methods may
// be called by several goroutines at once. Dialer.Dial makes one that is
// connected: it receives from its peer only, Write sends to it, and what ICMP
// tells of it, ECONNREFUSED above all, is returned by the next call.
//
// A datagram that is longer than the room that it is read into loses its end. One
// that finds no room in the receive buffer is dropped and counted (Info,
// Stack.Stats). One that does not fit the path is sent in fragments.
type UDPConn struct {
	shard   *shard // its lock guards what follows
	sock    *engine.UDPSocket
	readers waitList
	writers waitList
	read    deadline
	write   deadline
	closed  bool

	network       network // these never change
	local, remote netip.AddrPort
}

// newUDPConn returns the socket of e. The shard is locked.
func newUDPConn(s *shard, e *engine.UDPSocket, n network) *UDPConn {
	c := &UDPConn{shard: s, sock: e, network: n, local: e.Local(), remote: e.Remote()}
	if s.udp == nil {
		s.udp = make(map[*UDPConn]struct{})
	}
	s.udp[c] = struct{}{}
	e.SetWaker((*udpWaker)(c))
	return c
}

// udpWaker is a UDPConn as its engine sees it.
type udpWaker UDPConn

// Wake implements engine.Waker. The shard is locked.
func (w *udpWaker) Wake(r tcp.Ready) {
	c := (*UDPConn)(w)
	if r&tcp.Readable != 0 {
		c.readers.wakeOne()
	}
	if r&tcp.Writable != 0 {
		c.writers.wakeOne()
	}
}

// Read reads the next datagram.
func (c *UDPConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, c.readError("read", c.open()) // as package net: without waiting
	}
	n, _, err := c.receive(p)
	return n, c.readError("read", err)
}

// ReadFrom reads the next datagram and returns its sender, a *net.UDPAddr.
func (c *UDPConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUDP(p)
	if err != nil {
		return n, nil, err
	}
	return n, addr, nil
}

// ReadFromUDP reads the next datagram and returns its sender.
func (c *UDPConn) ReadFromUDP(p []byte) (int, *net.UDPAddr, error) {
	return c.readFromUDP(p, new(net.UDPAddr)) // inlined, where the address may stay on the stack
}

func (c *UDPConn) readFromUDP(p []byte, addr *net.UDPAddr) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromUDPAddrPort(p)
	if err != nil {
		return n, nil, err
	}
	*addr = net.UDPAddr{IP: from.Addr().AsSlice(), Port: int(from.Port())}
	return n, addr, nil
}

// ReadFromUDPAddrPort reads the next datagram and returns its sender. The address
// is never an IPv4-mapped one.
func (c *UDPConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	n, d, err := c.receive(p)
	return n, d.From, c.readError("recvfrom", err)
}

// ReadDatagram reads the next datagram and returns all that is known of it: its
// whole length, the address that it was sent to, its TTL.
func (c *UDPConn) ReadDatagram(p []byte) (int, engine.Datagram, error) {
	n, d, err := c.receive(p)
	return n, d, c.readError("recvmsg", err)
}

// receive waits for a datagram.
func (c *UDPConn) receive(p []byte) (n int, d engine.Datagram, err error) {
	now := c.shard.lock()
	for {
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.read.at.Due(now):
			err = os.ErrDeadlineExceeded
		default:
			n, d, err = c.sock.Receive(p)
		}
		if err != syscall.EAGAIN {
			break
		}
		if c.sock.Await(tcp.Readable) {
			now = c.shard.park(now, &c.readers)
		}
	}
	if !c.readers.empty() && !c.closed && !c.sock.Await(tcp.Readable) {
		c.readers.wakeOne() // a wake-up of the engine wakes one
	}
	c.shard.settle(now)
	return n, d, err
}

// Write sends p as a datagram to the peer. It waits while the send buffer is
// full.
func (c *UDPConn) Write(p []byte) (int, error) {
	if err := c.send(p, netip.AddrPort{}); err != nil {
		return 0, c.opError("write", sysError("write", err))
	}
	return len(p), nil
}

// WriteTo sends p as a datagram to addr, a *net.UDPAddr.
func (c *UDPConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, c.writeError(addr, syscall.EINVAL)
	}
	return c.WriteToUDP(p, a)
}

// WriteToUDP sends p as a datagram to addr.
func (c *UDPConn) WriteToUDP(p []byte, addr *net.UDPAddr) (int, error) {
	to, err := c.destination(addr)
	if err == nil {
		if err = c.send(p, to); err == nil {
			return len(p), nil
		}
		err = sysError("sendto", err)
	}
	if addr == nil {
		return 0, c.writeError(nil, err)
	}
	return 0, c.writeError(addr, err)
}

// WriteToUDPAddrPort sends p as a datagram to addr.
func (c *UDPConn) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	err := c.checkDestination(addr)
	if err == nil {
		if err = c.send(p, addr); err == nil {
			return len(p), nil
		}
		err = sysError("sendto", err)
	}
	return 0, c.writeError(addrPortAddr{addr}, err)
}

// addrPortAddr is an endpoint in an error; unlike a *net.UDPAddr it tells an
// invalid one from the unspecified address.
type addrPortAddr struct{ netip.AddrPort }

func (addrPortAddr) Network() string { return "udp" }

// destination returns where a datagram for addr goes. One without an IP is the host
// itself, as for package net.
func (c *UDPConn) destination(addr *net.UDPAddr) (netip.AddrPort, error) {
	if err := c.checkConnected(); err != nil {
		return netip.AddrPort{}, err
	}
	if addr == nil {
		return netip.AddrPort{}, errMissingAddress
	}
	return endOf(addr).in(!c.local.Addr().Is4(), "sendto")
}

// checkDestination refuses what package net does before the kernel sees it.
func (c *UDPConn) checkDestination(to netip.AddrPort) error {
	if err := c.checkConnected(); err != nil {
		return err
	}
	switch {
	case !to.IsValid():
		return errMissingAddress
	case c.local.Addr().Is4() && !to.Addr().Unmap().Is4():
		return &net.AddrError{Err: "non-IPv4 address", Addr: to.Addr().String()}
	}
	return nil
}

func (c *UDPConn) checkConnected() error {
	if c.remote.IsValid() {
		return net.ErrWriteToConnected
	}
	return nil
}

// send queues a datagram, and sends it unless another goroutine does that.
func (c *UDPConn) send(p []byte, to netip.AddrPort) (err error) {
	now := c.shard.lock()
	for {
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.write.at.Due(now):
			err = os.ErrDeadlineExceeded
		default:
			err = c.sock.Send(now, p, to)
		}
		if err != syscall.EAGAIN {
			break
		}
		if c.sock.Await(tcp.Writable) {
			now = c.shard.park(now, &c.writers)
		}
	}
	if !c.writers.empty() && !c.closed && !c.sock.Await(tcp.Writable) {
		c.writers.wakeOne()
	}
	c.shard.settle(now)
	return err
}

// open returns net.ErrClosed once the socket is closed.
func (c *UDPConn) open() error {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return nil
}

// Close closes the socket. Calls that wait return net.ErrClosed. What was written
// is still sent; what nobody has read is lost; its groups are left.
func (c *UDPConn) Close() error {
	s := c.shard
	now := s.lock()
	if c.closed {
		s.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.read.stop()
	c.write.stop()
	c.readers.wakeAll()
	c.writers.wakeAll()
	var groups []membership
	c.sock.Groups(func(index int, group netip.Addr) { groups = append(groups, membership{index, group}) })
	c.sock.Close(now)
	delete(s.udp, c)
	s.settle(now)
	s.stack.leaveGroups(groups)
	return nil
}

// LocalAddr returns the local endpoint, a *net.UDPAddr; it is valid after Close
// too.
func (c *UDPConn) LocalAddr() net.Addr {
	if !c.local.Addr().IsValid() {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Unspecified(), c.local.Port()))
	}
	return net.UDPAddrFromAddrPort(c.local)
}

// String returns the network and the endpoints, as errors have them.
func (c *UDPConn) String() string {
	s := c.network.String() + " " + c.LocalAddr().String()
	if a := c.RemoteAddr(); a != nil {
		s += "->" + a.String()
	}
	return s
}

// RemoteAddr returns the peer's endpoint, a *net.UDPAddr, or nil if the socket is
// not connected.
func (c *UDPConn) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(c.remote)
}

// SetDeadline sets the time after which calls that read or write fail with
// os.ErrDeadlineExceeded, those that wait now included. The zero time means
// never.
func (c *UDPConn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline sets the deadline of reading; see SetDeadline.
func (c *UDPConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline sets the deadline of writing; see SetDeadline.
func (c *UDPConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *UDPConn) setDeadlines(t time.Time, read, write bool) error {
	now := c.shard.lock()
	defer c.shard.mu.Unlock()
	if c.closed {
		return c.localError("set", net.ErrClosed)
	}
	if read && setDeadline(&c.read, c, now, t, (*UDPConn).wakeReaders) {
		c.readers.wakeAll()
	}
	if write && setDeadline(&c.write, c, now, t, (*UDPConn).wakeWriters) {
		c.writers.wakeAll()
	}
	return nil
}

// wakeReaders is run by the timer of the read deadline.
func (c *UDPConn) wakeReaders() {
	c.shard.mu.Lock()
	c.readers.wakeAll()
	c.shard.mu.Unlock()
}

// wakeWriters is run by the timer of the write deadline.
func (c *UDPConn) wakeWriters() {
	c.shard.mu.Lock()
	c.writers.wakeAll()
	c.shard.mu.Unlock()
}

// readError returns err as reading returns it; call is the system call that would
// have failed.
func (c *UDPConn) readError(call string, err error) error {
	if err == nil {
		return nil
	}
	return c.opError("read", sysError(call, err))
}

// opError returns err as an operation on the socket returns it.
func (c *UDPConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network.String(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// writeError returns err as sending to addr returns it.
func (c *UDPConn) writeError(addr net.Addr, err error) error {
	return &net.OpError{Op: "write", Net: c.network.String(), Source: c.LocalAddr(), Addr: addr, Err: err}
}

// localError returns err as an operation that concerns the local end only
// returns it.
func (c *UDPConn) localError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network.String(), Addr: c.LocalAddr(), Err: err}
}
