package drill

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// The events of poll(2), which are those of epoll(7).
const (
	pollIn    = 0x1
	pollOut   = 0x4
	pollErr   = 0x8
	pollHup   = 0x10
	pollNval  = 0x20
	pollInNrm = 0x40
	pollOtNrm = 0x100
	pollRDHup = 0x2000
	// pollAlways are reported without being asked for.
	pollAlways = pollErr | pollHup | pollNval

	epollOneShot = 1 << 30
	epollEdge    = 1 << 31
)

// finReceived reports whether the peer has ended its direction.
func (s *socket) finReceived() bool {
	switch s.conn.State() {
	case tcp.StateCloseWait, tcp.StateLastAck, tcp.StateClosing, tcp.StateTimeWait, tcp.StateClosed:
		return true
	}
	return false
}

// events returns what a socket is ready for.
func (s *socket) events() int64 {
	if s.listener != nil {
		return s.acceptable()
	}
	if s.conn == nil {
		return pollOut | pollOtNrm | pollHup
	}
	ready, ev := s.conn.Ready(), int64(0)
	if len(s.errors.list) > 0 {
		ev |= pollErr
	}
	if ready&tcp.Readable != 0 || s.failed != 0 {
		ev |= pollIn | pollInNrm
	}
	if ready&tcp.Writable != 0 {
		ev |= pollOut | pollOtNrm
	}
	over := s.conn.State() == tcp.StateClosed || s.conn.State() == tcp.StateTimeWait
	if over && s.peekError() != 0 {
		ev |= pollErr
	}
	if s.finReceived() {
		ev |= pollRDHup | pollIn | pollInNrm
		if over || s.shutWrite {
			ev |= pollHup
		}
	}
	return ev
}

// acceptable returns what a listener is ready for.
func (s *socket) acceptable() int64 {
	if s.listener.Await() {
		return 0
	}
	return pollIn | pollInNrm
}

// timeout returns when a wait of ms milliseconds from now ends; negative: never.
func (r *runner) timeout(ms int64) tcp.Time {
	if ms < 0 {
		return 0
	}
	return r.now.Add(time.Duration(ms) * time.Millisecond)
}

// pollEntry is one pollfd of a script.
type pollEntry struct {
	socket       *socket
	fd           int64
	events, want int64
}

// poll is poll(2).
func (r *runner) poll(c *Call, p *pendingCall) (attempt, error) {
	list, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	ms, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	var entries []pollEntry
	for _, e := range list.List {
		var n pollEntry
		for _, f := range []struct {
			name string
			to   *int64
		}{{"fd", &n.fd}, {"events", &n.events}, {"revents", &n.want}} {
			field := e.Field(f.name)
			if field == nil {
				continue
			}
			if *f.to, err = field.number(); err != nil {
				return nil, err
			}
		}
		if d := r.fds[int(n.fd)]; d != nil {
			if d.udp != nil {
				return nil, &unsupported{"poll of UDP sockets"}
			}
			n.socket = d.socket
		}
		entries = append(entries, n)
	}
	p.deadline = r.timeout(ms)
	return func() (outcome, bool) { return r.pollOnce(entries, p.deadline) }, nil
}

func (r *runner) pollOnce(entries []pollEntry, deadline tcp.Time) (outcome, bool) {
	o := outcome{}
	for _, n := range entries {
		got := int64(pollNval)
		if n.socket != nil {
			got = n.socket.events() & (n.events | pollAlways)
		}
		if got != 0 {
			o.n++
		}
		if got != n.want && o.check == nil {
			o.check = failf("revents of %d is %#x, expected %#x", n.fd, got, n.want)
		}
	}
	return o, o.n > 0 || deadline.Due(r.now)
}

// epoll is an epoll instance.
type epoll struct{ items []*epollItem }

// epollItem is a descriptor that an epoll instance watches.
type epollItem struct {
	fd     int
	socket *socket
	events int64
	data   int64
	last   int64  // what was told, for edges
	arrive uint64 // bytes received when it was told
	told   uint64 // notices in the error queue, then
	off    bool   // one shot was fired
}

func (r *runner) epollCreate(c *Call, _ *pendingCall) (attempt, error) {
	if n, err := c.intArg(0); err != nil || (n <= 0 && c.Name == "epoll_create") {
		return done(failed(syscall.EINVAL)), err
	}
	o, err := r.install(c, &descriptor{epoll: &epoll{}})
	return done(o), err
}

// forget drops a closed socket from every epoll instance.
func (r *runner) forget(s *socket) {
	for _, d := range r.fds {
		if d.epoll == nil {
			continue
		}
		kept := d.epoll.items[:0]
		for _, i := range d.epoll.items {
			if i.socket != s {
				kept = append(kept, i)
			}
		}
		d.epoll.items = kept
	}
}

// epollData returns the events and the user data of an epoll_event.
func epollData(e *Expr) (events, data int64, err error) {
	for _, name := range []string{"events", "fd", "ptr", "u32", "u64"} {
		f := e.Field(name)
		if f == nil {
			continue
		}
		n, err := f.number()
		if err != nil {
			return 0, 0, err
		}
		if name == "events" {
			events = n
		} else {
			data = n
		}
	}
	return events, data, nil
}

// epollCtl is epoll_ctl(2).
func (r *runner) epollCtl(c *Call, _ *pendingCall) (attempt, error) {
	d, err := r.fd(c, 0)
	if err != nil || d == nil || d.epoll == nil {
		return done(failed(syscall.EBADF)), err
	}
	op, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	fd, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	s, errno, err := r.sock(c, 2)
	if s == nil {
		return done(failed(errno)), err
	}
	e, err := c.arg(3)
	if err != nil {
		return nil, err
	}
	events, data, err := epollData(e)
	if err != nil {
		return nil, err
	}
	at := -1
	for i, item := range d.epoll.items {
		if item.fd == int(fd) {
			at = i
		}
	}
	item := &epollItem{fd: int(fd), socket: s, events: events, data: data}
	switch {
	case op == constants["EPOLL_CTL_ADD"] && at >= 0:
		return done(failed(syscall.EEXIST)), nil
	case op == constants["EPOLL_CTL_ADD"]:
		d.epoll.items = append(d.epoll.items, item)
	case at < 0:
		return done(failed(syscall.ENOENT)), nil
	case op == constants["EPOLL_CTL_MOD"]:
		d.epoll.items[at] = item
	default:
		d.epoll.items = append(d.epoll.items[:at], d.epoll.items[at+1:]...)
	}
	return done(outcome{}), nil
}

// epollWait is epoll_wait(2): it compares the events with those of the script.
func (r *runner) epollWait(c *Call, p *pendingCall) (attempt, error) {
	d, err := r.fd(c, 0)
	if err != nil || d == nil || d.epoll == nil {
		return done(failed(syscall.EBADF)), err
	}
	e, err := c.arg(1)
	if err != nil {
		return nil, err
	}
	most, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	ms, err := c.intArg(3)
	if err != nil {
		return nil, err
	}
	want := []*Expr{e}
	if e.Kind == ExprList {
		want = e.List
	}
	p.deadline = r.timeout(ms)
	return func() (outcome, bool) {
		found := d.epoll.ready(r, int(most))
		o := outcome{n: int64(len(found))}
		for i, f := range found {
			if i >= len(want) {
				break
			}
			events, data, err := epollData(want[i])
			switch {
			case err != nil:
				o.check = err
			case events != f.events || data != f.data:
				o.check = failf("epoll_wait tells events %#x of %d, expected %#x of %d", f.events, f.data, events, data)
			}
		}
		return o, len(found) > 0 || p.deadline.Due(r.now)
	}, nil
}

// epollEvent is what epoll_wait tells.
type epollEvent struct{ events, data int64 }

// ready returns what is to be told now, and remembers it for edges.
func (p *epoll) ready(r *runner, most int) []epollEvent {
	var found []epollEvent
	for _, i := range p.items {
		if i.off || len(found) == most {
			continue
		}
		ev := i.socket.events() & (i.events | pollAlways)
		if i.events&epollEdge != 0 && !i.edge(r, ev) {
			continue
		}
		if ev == 0 {
			continue
		}
		if i.events&epollOneShot != 0 {
			i.off = true
		}
		found = append(found, epollEvent{ev, i.data})
	}
	return found
}

// edge reports whether something came since the last time: an event that was
// not there, more data, or another notice in the error queue.
func (i *epollItem) edge(r *runner, ev int64) bool {
	arrive := uint64(0)
	if i.socket.conn != nil {
		arrive = i.socket.conn.Info(r.now).BytesReceived
	}
	told := i.socket.errors.told
	fresh := ev&^i.last != 0 || (ev&pollIn != 0 && arrive != i.arrive) || told != i.told
	i.last, i.arrive, i.told = ev, arrive, told
	return fresh
}
