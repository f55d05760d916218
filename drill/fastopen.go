package drill

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// listenFast sets what the socket and the host say about Fast Open.
func (r *runner) listenFast(s *socket, backlog int, o *engine.ListenOptions) {
	if r.set.fastOpen&fastOpenServer == 0 {
		return
	}
	o.FastOpen = int(s.values["TCP_FASTOPEN"])
	if o.FastOpen == 0 && r.set.fastOpen&fastOpenEverywhere != 0 {
		o.FastOpen = backlog
	}
	o.FastOpenAnyone = r.set.fastOpen&fastOpenAnyone != 0 || s.values["TCP_FASTOPEN_NO_COOKIE"] != 0
	o.FastOpenKeys = s.fastKeys
	if o.FastOpenKeys == nil {
		o.FastOpenKeys = r.set.fastOpenKeys
	}
}

// fastOptions returns the options of a connection that the socket opens.
func (r *runner) fastOptions(s *socket) tcp.Options {
	o := s.opt
	o.FastOpenNoCookie = r.set.fastOpen&fastOpenNoCookie != 0 || s.values["TCP_FASTOPEN_NO_COOKIE"] != 0
	return o
}

// setFastOpen sets TCP_FASTOPEN, TCP_FASTOPEN_CONNECT and TCP_FASTOPEN_NO_COOKIE.
func (r *runner) setFastOpen(s *socket, name string, v int64) outcome {
	switch {
	case s.conn != nil, v < 0, name != "TCP_FASTOPEN" && v > 1:
		return failed(syscall.EINVAL)
	case name == "TCP_FASTOPEN" && s.listener != nil && r.set.fastOpen&fastOpenServer != 0:
		s.listener.SetFastOpen(int(v))
	case name == "TCP_FASTOPEN_CONNECT" && r.set.fastOpen&fastOpenClient == 0:
		return failed(syscall.EOPNOTSUPP)
	case name == "TCP_FASTOPEN_CONNECT":
		s.opt.FastOpen = v != 0
	}
	s.values[name] = v
	return outcome{}
}

// setFastOpenKeys sets TCP_FASTOPEN_KEY: one or two keys of 16 bytes.
func (r *runner) setFastOpenKeys(c *Call, s *socket, e *Expr) (attempt, error) {
	n, err := c.intArg(4)
	if err != nil {
		return nil, err
	}
	if e.Kind != ExprString {
		return nil, &unsupported{"a key that is not a string"}
	}
	text := e.Text
	if (n != 16 && n != 32) || int64(len(text)) < n {
		return done(failed(syscall.EINVAL)), nil
	}
	s.fastKeys = nil
	for i := 0; i < int(n); i += 16 {
		s.fastKeys = append(s.fastKeys, engine.FastOpenKey([]byte(text[i:i+16])))
	}
	if s.listener != nil {
		s.listener.SetFastOpenKeys(s.fastKeys...)
	}
	return done(outcome{}), nil
}

// transmitFast is a writing call with MSG_FASTOPEN: it connects, to the address
// that argument i names, and writes what may go with the SYN.
func (r *runner) transmitFast(c *Call, i int, t transfer) (attempt, error) {
	s := t.socket
	if i < len(c.Args) && c.Args[i].Text == "AF_UNSPEC" {
		return done(failed(syscall.EOPNOTSUPP)), nil
	}
	remote, err := c.address(i, netip.AddrPortFrom(r.set.remote.Addr(), r.set.connectPort))
	switch {
	case err != nil:
		return nil, err
	case t.errno != 0:
		return done(failed(t.errno)), nil
	case r.set.fastOpen&fastOpenClient == 0:
		return done(failed(syscall.EOPNOTSUPP)), nil
	case s.listener != nil:
		return done(failed(syscall.EISCONN)), nil
	}
	nonblock := s.nonblock || t.flags&constants["MSG_DONTWAIT"] != 0
	switch {
	case s.conn == nil:
		opt := r.fastOptions(s)
		opt.FastOpen = true
		if errno := r.dial(s, remote, opt); errno != 0 {
			return done(failed(errno)), nil
		}
	case s.conn.State() == tcp.StateSynSent && s.conn.Ready()&tcp.Writable == 0:
		return done(failed(syscall.EALREADY)), nil
	}
	return r.transmitFirst(t, nonblock), nil
}

// transmitFirst is the attempt of a writing call whose text goes with the SYN, or
// of one that connects and has no text. One that may wait does so until the SYN is
// answered.
func (r *runner) transmitFirst(t transfer, nonblock bool) attempt {
	s, try := t.socket, r.transmit(t)
	if t.n == 0 && s.waitsForText() {
		s.conn.SendSyn(r.now, 0)
		s.connecting = true
	}
	s.connecting = s.connecting && s.conn.Ready()&tcp.Connected == 0
	if nonblock && s.connecting {
		return done(failed(syscall.EINPROGRESS))
	}
	var o outcome
	over, opening := false, s.conn.State() == tcp.StateSynSent
	return func() (outcome, bool) {
		if e := s.peekError(); e != 0 && opening && !nonblock && s.conn.State() == tcp.StateClosed {
			s.failed = 0
			return failed(e), true
		}
		if !over && s.conn.Ready()&(tcp.Connected|tcp.Writable) != 0 {
			s.connecting = false
			o, over = try()
		}
		if nonblock {
			return o, over
		}
		if !over && t.n > 0 {
			s.conn.Await(tcp.Writable)
		}
		opening = s.conn.State() == tcp.StateSynSent
		return o, over && !opening
	}
}

// waitsForText reports whether the SYN of the socket's connection waits for text.
func (s *socket) waitsForText() bool {
	return s.conn != nil && s.conn.State() == tcp.StateSynSent && s.conn.Ready()&tcp.Writable != 0
}
