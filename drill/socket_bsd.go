package drill

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
)

// What sockets of FreeBSD do otherwise than those of Linux: scripts with its
// settings expect it. The stack knows nothing of it; it is told as a user would.

// settle does what is due on a socket of FreeBSD before its connection sends.
func (r *runner) settle(s *socket) {
	if !r.set.bsd || s.conn == nil {
		return
	}
	r.roundBuffer(s)
	t := s.queued
	if t == nil || s.conn.Ready()&(tcp.Connected|tcp.Writable) == 0 {
		return
	}
	n, err := s.conn.Send(r.now, stripes(s.written(), int(t.n)), t.sendFlags())
	s.note(n)
	t.n -= int64(n)
	if err != nil && err != syscall.EAGAIN {
		t.n, s.failed = 0, errnoOf(err)
	}
	if t.n == 0 {
		s.queued = nil
	}
}

// timestampsLen is what the timestamps option takes of each segment, in bytes.
const timestampsLen = 12

// roundBuffer makes the receive buffer of a connection whole segments once the
// segment size is known. getsockopt shows it, and all windows.
func (r *runner) roundBuffer(s *socket) {
	_, chosen := s.values["SO_RCVBUF"]
	if chosen || r.set.recvSpace == 0 || s.conn.State() < tcp.StateSynReceived {
		return
	}
	i := s.conn.Info(r.now)
	mss := i.SndMSS
	if i.Timestamps {
		mss += timestampsLen
	}
	size := r.set.recvSpace
	if size > mss {
		size = (size + mss - 1) / mss * mss
	}
	s.values["SO_RCVBUF"], s.opt.RecvBuffer = int64(size), size
	r.applyOptions(s)
}

// connectsBySending reports whether a call is sendto with an address on a socket
// that has no connection yet: it makes one.
func (r *runner) connectsBySending(c *Call, s *socket) bool {
	return r.set.bsd && c.Name == "sendto" && len(c.Args) > 4 && s.conn == nil && s.listener == nil
}

// transmitConnecting connects and queues what is written: with TCP_FASTOPEN it
// goes with the SYN if it may. The call waits for nothing.
func (r *runner) transmitConnecting(c *Call, t transfer) (attempt, error) {
	s := t.socket
	remote, err := c.address(4, netip.AddrPortFrom(r.set.remote.Addr(), r.set.connectPort))
	if err != nil {
		return nil, err
	}
	opt := r.fastOptions(s)
	opt.FastOpen = s.values["TCP_FASTOPEN"] != 0 && r.set.fastOpen&fastOpenClient != 0
	if errno := r.dial(s, remote, opt); errno != 0 {
		return done(failed(errno)), nil
	}
	written := outcome{n: t.n}
	s.queued = &t
	return done(written), nil
}
