package drill

import (
	"io"
	"maps"
	"net/netip"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// socket is a TCP socket of the script.
type socket struct {
	bound    netip.AddrPort
	isBound  bool
	nonblock bool
	opt      tcp.Options
	values   map[string]int64 // options as they were set, for getsockopt
	memory   bool             // SO_RCVBUF bounds memory
	queued   *transfer        // to be written once there is a connection
	linger   time.Duration    // SO_LINGER; negative: off
	fastKeys []engine.FastOpenKey
	inq      bool // TCP_INQ

	listener *engine.Listener
	conn     *engine.Conn
	flow     *flow

	connecting   bool
	disconnected bool          // by AF_UNSPEC; conn is what was
	failed       syscall.Errno // taken from conn, not told yet
	readAt       uint32        // offset in the stream of the next byte read
	shutWrite    bool
	errors       errorQueue
	copies       zerocopies
	stamps       stamps
}

// socket is socket(2).
func (r *runner) socket(c *Call, _ *pendingCall) (attempt, error) {
	kind, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	proto, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	if kind&0xf == constants["SOCK_DGRAM"] && (proto == constants["IPPROTO_UDP"] || proto == 0) {
		return r.socketUDP(c, kind&0x800 != 0)
	}
	if kind&0xf != constants["SOCK_STREAM"] {
		return nil, &unsupported{"sockets of another type than SOCK_STREAM and SOCK_DGRAM"}
	}
	if proto == constants["IPPROTO_UDP"] {
		return done(failed(syscall.EPROTONOSUPPORT)), nil
	}
	if proto != constants["IPPROTO_TCP"] && proto != 0 {
		return nil, &unsupported{"sockets of another protocol than TCP"}
	}
	s := &socket{opt: r.set.socket, memory: r.set.engine.TCP.SegmentMemory != nil, values: map[string]int64{}, linger: -1, nonblock: kind&0x800 != 0}
	r.lastSocket = s
	o, err := r.install(c, &descriptor{socket: s})
	return done(o), err
}

// address returns the address that argument i names; what is written "..." is
// fallback.
func (c *Call) address(i int, fallback netip.AddrPort) (netip.AddrPort, error) {
	if i >= len(c.Args) || c.Args[i].Kind == ExprEllipsis {
		return fallback, nil
	}
	e := c.Args[i]
	if e.Kind != ExprStruct {
		return fallback, failf("expected an address, found %v", e)
	}
	for _, f := range e.List {
		switch f.Name {
		case "sin_port":
			n, err := f.number()
			if err != nil {
				return fallback, err
			}
			fallback = netip.AddrPortFrom(fallback.Addr(), uint16(n))
		case "sin_addr":
			if f.Kind != ExprCall || len(f.List) != 1 {
				continue
			}
			a, err := netip.ParseAddr(f.List[0].Text)
			if err != nil {
				return fallback, failf("expected an IP address, found %v", f)
			}
			fallback = netip.AddrPortFrom(a, fallback.Port())
		}
	}
	return fallback, nil
}

// bind is bind(2).
func (r *runner) bind(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	a, err := c.address(1, netip.AddrPortFrom(r.set.local.Addr(), r.set.bindPort))
	if err != nil {
		return nil, err
	}
	if s.isBound || s.conn != nil || s.listener != nil {
		return done(failed(syscall.EINVAL)), nil
	}
	if errno := r.bindError(s, a); errno != 0 {
		return done(failed(errno)), nil
	}
	s.bound, s.isBound = a, true
	return done(outcome{}), nil
}

// bindError returns why a socket cannot be bound to an address, as bind(2)
// does on Linux; the engine knows only listeners.
func (r *runner) bindError(s *socket, a netip.AddrPort) syscall.Errno {
	if ip := a.Addr(); !ip.IsUnspecified() && ip != r.set.local.Addr() && !ip.IsLoopback() {
		return syscall.EADDRNOTAVAIL
	}
	for _, d := range r.fds {
		t := d.socket
		if t == nil || t == s || !t.isBound || t.conn != nil || t.bound.Port() != a.Port() || a.Port() == 0 {
			continue
		}
		ports := s.values["SO_REUSEPORT"] != 0 && t.values["SO_REUSEPORT"] != 0
		addrs := s.values["SO_REUSEADDR"] != 0 && t.values["SO_REUSEADDR"] != 0 && t.listener == nil
		apart := t.bound.Addr() != a.Addr() && !t.bound.Addr().IsUnspecified() && !a.Addr().IsUnspecified()
		if !ports && !addrs && !apart {
			return syscall.EADDRINUSE
		}
	}
	return 0
}

// listen is listen(2).
func (r *runner) listen(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	backlog, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	if s.conn != nil {
		return done(failed(syscall.EINVAL)), nil
	}
	o := engine.ListenOptions{
		Backlog: engine.NewBacklog(int(backlog)), Options: s.opt, ReusePort: s.values["SO_REUSEPORT"] != 0,
	}
	r.listenFast(s, int(backlog), &o)
	l, err := r.engine.Listen(r.now, s.bound, o)
	if err != nil {
		return done(failed(errnoOf(err))), nil
	}
	s.listener, s.bound = l, l.Addr()
	r.flow, r.last = nil, s
	return done(outcome{}), nil
}

// accept is accept(2).
func (r *runner) accept(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	if s.listener == nil {
		return done(failed(syscall.EINVAL)), nil
	}
	return func() (outcome, bool) {
		conn := s.listener.Accept()
		if conn == nil {
			return failed(syscall.EAGAIN), s.nonblock
		}
		t := &socket{
			conn: conn, opt: conn.Options(), memory: s.memory, values: map[string]int64{}, linger: s.linger, bound: s.bound, isBound: true,
		}
		maps.Copy(t.values, s.values)
		t.stamps.flags = s.stamps.flags
		if t.flow = r.flowOf(conn.Tuple()); t.flow != nil {
			t.flow.conn, t.flow.socket = conn, t
		}
		r.settle(t)
		o, err := r.install(c, &descriptor{socket: t})
		o.check = err
		return o, true
	}, nil
}

// connect is connect(2).
func (r *runner) connect(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	if len(c.Args) > 1 && c.Args[1].Text == "AF_UNSPEC" {
		r.disconnect(s)
		return done(outcome{}), nil
	}
	remote, err := c.address(1, netip.AddrPortFrom(r.set.remote.Addr(), r.set.connectPort))
	if err != nil {
		return nil, err
	}
	if s.listener != nil {
		return done(failed(syscall.EISCONN)), nil
	}
	if s.conn != nil && !s.disconnected {
		return func() (outcome, bool) { return s.connectAgain(), true }, nil
	}
	if errno := r.dial(s, remote, r.fastOptions(s)); errno != 0 {
		return done(failed(errno)), nil
	}
	if s.nonblock && s.conn.Ready()&tcp.Connected == 0 {
		return done(failed(syscall.EINPROGRESS)), nil
	}
	return func() (outcome, bool) {
		if s.conn.Ready()&tcp.Connected == 0 {
			return outcome{}, false
		}
		return s.connectAgain(), true
	}, nil
}

// disconnect is connect(2) with AF_UNSPEC: it resets the connection, and the socket
// can connect again.
func (r *runner) disconnect(s *socket) {
	if s.listener != nil {
		s.listener.Close(r.now)
		s.listener = nil
	}
	if s.conn != nil {
		s.conn.Abort(r.now)
		s.disconnected, s.connecting, s.failed = true, false, 0
	}
}

// dial makes the socket's connection.
func (r *runner) dial(s *socket, remote netip.AddrPort, opt tcp.Options) syscall.Errno {
	conn, err := r.engine.Dial(r.now, s.bound, remote, opt)
	if err != nil {
		return errnoOf(err)
	}
	s.conn, s.connecting, s.disconnected = conn, true, false
	s.flow = newFlow(conn.Tuple())
	s.flow.conn, s.flow.socket = conn, s
	s.stamps.pending = nil
	r.flows = append(r.flows, s.flow)
	r.flow, r.last = s.flow, s
	return 0
}

// connectAgain returns what connect returns once there is a connection.
func (s *socket) connectAgain() outcome {
	switch {
	case s.conn.Ready()&tcp.Connected == 0:
		return failed(syscall.EALREADY)
	case !s.connecting:
		return failed(syscall.EISCONN)
	}
	s.connecting = false
	if e := s.takeError(); e != 0 {
		return failed(e)
	}
	return outcome{}
}

// takeError takes the pending error.
func (s *socket) takeError() syscall.Errno {
	if e := s.failed; e != 0 {
		s.failed = 0
		return e
	}
	if s.conn == nil {
		return 0
	}
	return errnoOf(s.conn.TakeError())
}

// peekError returns the pending error and leaves it pending.
func (s *socket) peekError() syscall.Errno {
	if s.failed == 0 {
		s.failed = s.takeError()
	}
	return s.failed
}

// closeCall is close(2), with what SO_LINGER makes of it.
func (r *runner) closeCall(c *Call, p *pendingCall) (attempt, error) {
	n, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	d := r.fds[int(n)]
	if d == nil {
		return done(failed(syscall.EBADF)), nil
	}
	delete(r.fds, int(n))
	s := d.socket
	if s == nil {
		return done(outcome{}), nil
	}
	r.forget(s)
	if s.listener != nil {
		s.listener.Close(r.now)
	}
	switch {
	case s.conn == nil:
	case s.linger == 0:
		s.conn.Abort(r.now)
	case s.linger > 0:
		s.conn.Close(r.now)
		p.deadline = r.now.Add(s.linger)
		return func() (outcome, bool) {
			return outcome{}, s.conn.Ready()&tcp.Drained != 0 || r.now >= p.deadline
		}, nil
	default:
		s.conn.Close(r.now)
	}
	return done(outcome{}), nil
}

// shutdown is shutdown(2).
func (r *runner) shutdown(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	how, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	if s.conn == nil {
		return done(failed(syscall.ENOTCONN)), nil
	}
	return func() (outcome, bool) {
		if how != constants["SHUT_WR"] {
			err = s.conn.CloseRead(r.now)
		}
		if how != constants["SHUT_RD"] && err == nil {
			err = s.conn.CloseWrite(r.now)
			s.shutWrite = true
		}
		if err != nil {
			return failed(errnoOf(err)), true
		}
		return outcome{}, true
	}, nil
}

// fcntl is fcntl(2) with F_GETFL, F_SETFL, F_GETFD and F_SETFD.
func (r *runner) fcntl(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	return r.fcntlOf(s, c)
}

func (r *runner) fcntlOf(s *socket, c *Call) (attempt, error) {
	command, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	switch command {
	case constants["F_GETFL"]:
		flags := constants["O_RDWR"]
		if s.nonblock {
			flags |= constants["O_NONBLOCK"]
		}
		return done(outcome{n: flags}), nil
	case constants["F_SETFL"]:
		flags, err := c.intArg(2)
		s.nonblock = flags&constants["O_NONBLOCK"] != 0
		return done(outcome{}), err
	case constants["F_GETFD"]:
		return done(outcome{n: s.values["FD"]}), nil
	case constants["F_SETFD"]:
		s.values["FD"], err = c.intArg(2)
		return done(outcome{}), err
	}
	return nil, &unsupported{"fcntl " + c.Args[1].String()}
}

// getsockname is getsockname(2) and getpeername(2): it compares nothing.
func (r *runner) getsockname(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	if c.Name == "getpeername" && (s.conn == nil || !s.conn.State().Synchronized()) {
		return done(failed(syscall.ENOTCONN)), nil
	}
	return done(outcome{}), nil
}

// verify compares b with what comes next in the stream that the script sent.
func (s *socket) verify(b []byte) error {
	for i, c := range b {
		if at := s.readAt + uint32(i); c != stripe(at) {
			return failf("byte %d of what was read is not what was sent", at)
		}
	}
	return nil
}

// readSome reads up to len(b) bytes and checks them against the stream that
// the script sent.
func (s *socket) readSome(now tcp.Time, b []byte) (int, syscall.Errno, error) {
	if s.failed != 0 && s.conn.Info(now).Unread == 0 {
		return 0, s.takeError(), nil
	}
	n, err := s.conn.Read(now, b)
	if err := s.verify(b[:n]); err != nil {
		return n, 0, err
	}
	s.readAt += uint32(n)
	if err == io.EOF {
		err = nil
	}
	return n, errnoOf(err), nil
}
