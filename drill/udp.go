package drill

import (
	"bytes"
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// udpSocket is a UDP socket of the script.
type udpSocket struct {
	bound    netip.AddrPort
	peer     netip.AddrPort // where it is connected to
	nonblock bool
	values   map[string]int64
	sock     *engine.UDPSocket // nil until bind, connect or the first datagram
}

// udpCall is a system call on a UDP socket.
type udpCall func(*runner, *udpSocket, *Call) (attempt, error)

// udpCalls are those that there are.
var udpCalls = map[string]udpCall{
	"bind": (*runner).bindUDP, "connect": (*runner).connectUDP, "close": (*runner).closeUDP, "fcntl": (*runner).fcntlUDP,
	"send": (*runner).sendUDP, "sendto": (*runner).sendUDP, "write": (*runner).sendUDP,
	"recv": (*runner).receiveUDP, "recvfrom": (*runner).receiveUDP, "read": (*runner).receiveUDP,
	"getsockopt": (*runner).getUDPOption, "setsockopt": (*runner).setUDPOption,
}

// udpOf returns the UDP socket that the first argument of a call names, nil if it
// is none.
func (r *runner) udpOf(c *Call) *udpSocket {
	if len(c.Args) == 0 || c.Args[0].Kind != ExprInt {
		return nil
	}
	if d := r.fds[int(c.Args[0].Int)]; d != nil {
		return d.udp
	}
	return nil
}

// socketUDP is socket(2) with SOCK_DGRAM.
func (r *runner) socketUDP(c *Call, nonblock bool) (attempt, error) {
	s := &udpSocket{nonblock: nonblock, values: map[string]int64{}}
	o, err := r.install(c, &descriptor{udp: s})
	return done(o), err
}

func (s *udpSocket) options() engine.UDPOptions {
	return engine.UDPOptions{
		ReuseAddr: s.values["SO_REUSEADDR"] != 0, ReusePort: s.values["SO_REUSEPORT"] != 0,
		TOS: uint8(s.values["IP_TOS"]), TTL: uint8(s.values["IP_TTL"]),
	}
}

// anyLocal is the address of a socket that is not bound.
func (r *runner) anyLocal() netip.AddrPort {
	if r.set.ip6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// listenUDP makes the stack's socket, at an address of the host or at any.
func (r *runner) listenUDP(s *udpSocket, at netip.AddrPort) syscall.Errno {
	sock, err := r.engine.ListenUDP(r.now, at, s.options())
	if err != nil {
		return errnoOf(err)
	}
	s.sock, s.bound = sock, sock.Local()
	r.udp.local = netip.AddrPortFrom(r.set.local.Addr(), s.bound.Port())
	return 0
}

func (r *runner) bindUDP(s *udpSocket, c *Call) (attempt, error) {
	a, err := c.address(1, netip.AddrPortFrom(r.set.local.Addr(), r.set.bindPort))
	if err != nil {
		return nil, err
	}
	if s.sock != nil {
		return done(failed(syscall.EINVAL)), nil
	}
	if errno := r.listenUDP(s, a); errno != 0 {
		return done(failed(errno)), nil
	}
	return done(outcome{}), nil
}

// connectUDP names the peer. What waits to be read then is lost.
func (r *runner) connectUDP(s *udpSocket, c *Call) (attempt, error) {
	to, err := c.address(1, netip.AddrPortFrom(r.set.remote.Addr(), r.set.connectPort))
	if err != nil {
		return nil, err
	}
	local := r.anyLocal()
	if s.sock != nil {
		local = s.bound
		s.sock.Close(r.now)
	}
	sock, err := r.engine.DialUDP(r.now, local, to, s.options())
	if err != nil {
		return done(failed(errnoOf(err))), nil
	}
	s.sock, s.bound, s.peer = sock, sock.Local(), to
	r.udp = udpPath{sock.Local(), to}
	return done(outcome{}), nil
}

func (r *runner) closeUDP(s *udpSocket, c *Call) (attempt, error) {
	delete(r.fds, int(c.Args[0].Int))
	if s.sock != nil {
		s.sock.Close(r.now)
	}
	return done(outcome{}), nil
}

func (r *runner) fcntlUDP(s *udpSocket, c *Call) (attempt, error) {
	t := &socket{nonblock: s.nonblock, values: s.values}
	try, err := r.fcntlOf(t, c)
	s.nonblock = t.nonblock
	return try, err
}

// udpTransfer reads the length and the flags of a call.
func (c *Call) udpTransfer() (n, flags int64, err error) {
	if n, err = c.intArg(2); err != nil {
		return 0, 0, err
	}
	if len(c.Args) > 3 {
		if flags, err = c.intArg(3); err != nil {
			return 0, 0, err
		}
	}
	if flags&^(constants["MSG_DONTWAIT"]|constants["MSG_NOSIGNAL"]) != 0 {
		return 0, 0, &unsupported{"MSG_ flags of UDP sockets"}
	}
	if n < 0 || n > 1<<20 {
		return 0, 0, failf("a length of %d", n)
	}
	return n, flags, nil
}

// sendUDP sends one datagram: to the address that the call names, which "..."
// leaves to the runner.
func (r *runner) sendUDP(s *udpSocket, c *Call) (attempt, error) {
	n, _, err := c.udpTransfer()
	if err != nil {
		return nil, err
	}
	to := netip.AddrPort{}
	if !s.peer.IsValid() && c.Name == "sendto" {
		fallback := netip.AddrPortFrom(r.set.remote.Addr(), r.set.connectPort)
		if r.udp.remote.IsValid() {
			fallback = r.udp.remote
		}
		if to, err = c.address(4, fallback); err != nil {
			return nil, err
		}
	}
	if s.sock == nil {
		if errno := r.listenUDP(s, r.anyLocal()); errno != 0 {
			return done(failed(errno)), nil
		}
	}
	if err := s.sock.Send(r.now, stripes(0, int(n)), to); err != nil {
		return done(failed(errnoOf(err))), nil
	}
	if to.IsValid() {
		r.udp.remote = to
	}
	return done(outcome{n: n}), nil
}

// receiveUDP takes one datagram, which is compared with what the script sent.
func (r *runner) receiveUDP(s *udpSocket, c *Call) (attempt, error) {
	n, flags, err := c.udpTransfer()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	nonblock := s.nonblock || flags&constants["MSG_DONTWAIT"] != 0
	return func() (outcome, bool) {
		if s.sock == nil {
			return failed(syscall.EAGAIN), nonblock
		}
		got, _, err := s.sock.Receive(b)
		if errno := errnoOf(err); errno != 0 {
			return failed(errno), nonblock || errno != syscall.EAGAIN
		}
		o := outcome{n: int64(got)}
		if !bytes.Equal(b[:got], stripes(0, got)) {
			o.check = failf("what was read is not what was sent")
		}
		return o, true
	}, nil
}

// getUDPOption compares an option: SO_ERROR, or one that was set.
func (r *runner) getUDPOption(s *udpSocket, c *Call) (attempt, error) {
	name, err := optionName(c)
	if err != nil {
		return nil, err
	}
	want, err := c.intArg(3)
	if err != nil {
		return nil, err
	}
	got, known := s.values[name]
	switch {
	case name == "SO_ERROR":
		if s.sock != nil && s.sock.Ready()&tcp.Readable != 0 && s.sock.Info().RecvQ == 0 {
			_, _, err := s.sock.Receive(nil)
			got = int64(errnoOf(err))
		}
	case name == "SO_TYPE":
		got = constants["SOCK_DGRAM"]
	case !known:
		return nil, &unsupported{"socket option " + name + " of UDP sockets"}
	}
	o := outcome{}
	if got != want {
		o.check = failf("%s is %d, expected %d", name, got, want)
	}
	return done(o), nil
}

func (r *runner) setUDPOption(s *udpSocket, c *Call) (attempt, error) {
	name, err := optionName(c)
	if err != nil {
		return nil, err
	}
	v, err := c.intArg(3)
	if err != nil {
		return nil, err
	}
	switch name {
	case "SO_REUSEADDR", "SO_REUSEPORT", "IP_TOS", "IP_TTL":
	default:
		return nil, &unsupported{"socket option " + name + " of UDP sockets"}
	}
	s.values[name] = v
	if s.sock != nil {
		s.sock.SetTOS(uint8(s.values["IP_TOS"]))
		s.sock.SetTTL(uint8(s.values["IP_TTL"]))
	}
	return done(outcome{}), nil
}
