package drill

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// outcome is what a system call returned.
type outcome struct {
	n     int64
	errno syscall.Errno
	check error // the call's arguments say what comes back, and it did not
}

func failed(e syscall.Errno) outcome { return outcome{n: -1, errno: e} }

func (o outcome) String() string {
	if o.errno != 0 {
		return fmt.Sprintf("-1 %s (%v)", errnoName(o.errno), o.errno)
	}
	return fmt.Sprint(o.n)
}

// attempt tries a system call. It reports false if the call would have to
// wait, and is then tried again after each step of the engine.
type attempt func() (outcome, bool)

// done is an attempt that is over at once.
func done(o outcome) attempt { return func() (outcome, bool) { return o, true } }

// pendingCall is a system call that waits.
type pendingCall struct {
	event    *Event
	try      attempt
	deadline tcp.Time // when the call gives up by itself; 0: never
	end      tcp.Time // when the script says that it ends
	slack    time.Duration
}

// call plays a system call that ends at end if it is a blocking one.
func (r *runner) call(e *Event, end tcp.Time, slack time.Duration) error {
	c := e.Call
	if err := r.start(); err != nil {
		return err
	}
	p := &pendingCall{event: e, end: end, slack: slack}
	try, err := r.dispatch(c, p)
	if err != nil {
		return err
	}
	p.try = try
	o, over := try()
	if err := r.drain(); err != nil {
		return err
	}
	if over {
		return r.finishCall(p, o)
	}
	if !c.Blocking {
		return failf("%s would block", c.Name)
	}
	r.pending = p
	return r.pump()
}

// dispatch finds out what a system call tries.
func (r *runner) dispatch(c *Call, p *pendingCall) (attempt, error) {
	handler, ok := handlers[c.Name]
	if !ok {
		return nil, &unsupported{"system call " + c.Name}
	}
	s := r.udpOf(c)
	if s == nil {
		return handler(r, c, p)
	}
	udp, ok := udpCalls[c.Name]
	if !ok {
		return nil, &unsupported{c.Name + " of UDP sockets"}
	}
	return udp(r, s, c)
}

// retry lets a waiting call go on; it reports whether that ended it.
func (r *runner) retry() (bool, error) {
	p := r.pending
	if p == nil {
		return false, nil
	}
	o, over := p.try()
	if !over {
		return false, nil
	}
	r.pending = nil
	return true, r.finishCall(p, o)
}

// awaitCall waits for the call that waits, if there is one, for as long as the
// script gives it.
func (r *runner) awaitCall() error {
	p := r.pending
	if p == nil {
		return nil
	}
	if _, err := r.until(p.end.Add(p.slack), func() bool { return r.pending == nil }); err != nil {
		return err
	}
	if r.pending != nil {
		return &failure{line: p.event.Line, reason: fmt.Sprintf("%s still waits at %s", p.event.Call.Name, stampText(r.now))}
	}
	return nil
}

// finishCall compares what a call returned, and when, with the script.
func (r *runner) finishCall(p *pendingCall, o outcome) error {
	c := p.event.Call
	fail := func(reason string) error {
		return &failure{line: p.event.Line, reason: reason, got: c.Name + " = " + o.String()}
	}
	if c.Blocking && r.now.Sub(p.end).Abs() > p.slack {
		return fail(fmt.Sprintf("%s ended at %s, expected at %s", c.Name, stampText(r.now), stampText(p.end)))
	}
	if c.Result.Kind != ExprEllipsis {
		want, err := c.Result.number()
		if err != nil {
			return err
		}
		if o.errno != 0 {
			o.n = -1
		}
		if want != o.n {
			return fail(fmt.Sprintf("%s returned %v, expected %d %s", c.Name, o, want, c.Errno))
		}
	}
	if c.Errno != "" {
		want, ok := errnos[c.Errno]
		if !ok {
			return &unsupported{c.Errno}
		}
		if want != o.errno {
			return fail(fmt.Sprintf("%s failed with %v, expected %s", c.Name, o, c.Errno))
		}
	}
	if u, ok := errors.AsType[*unsupported](o.check); ok {
		return u
	}
	if o.check != nil {
		return &failure{line: p.event.Line, reason: o.check.Error()}
	}
	return nil
}

// handlers are the system calls. They are set by init because they lead back to
// the map themselves.
var handlers map[string]func(*runner, *Call, *pendingCall) (attempt, error)

func init() {
	handlers = map[string]func(*runner, *Call, *pendingCall) (attempt, error){
		"socket": (*runner).socket, "bind": (*runner).bind, "listen": (*runner).listen,
		"accept": (*runner).accept, "accept4": (*runner).accept, "connect": (*runner).connect, "close": (*runner).closeCall,
		"shutdown": (*runner).shutdown, "fcntl": (*runner).fcntl, "ioctl": (*runner).ioctl,
		"read": (*runner).read, "recv": (*runner).read, "recvfrom": (*runner).read,
		"readv": (*runner).readv, "recvmsg": (*runner).recvmsg,
		"write": (*runner).write, "send": (*runner).write, "sendto": (*runner).write,
		"writev": (*runner).writev, "sendmsg": (*runner).sendmsg,
		"getsockopt": (*runner).getsockopt, "setsockopt": (*runner).setsockopt,
		"getsockname": (*runner).getsockname, "getpeername": (*runner).getsockname,
		"poll": (*runner).poll, "epoll_create": (*runner).epollCreate, "epoll_create1": (*runner).epollCreate,
		"epoll_ctl": (*runner).epollCtl, "epoll_wait": (*runner).epollWait, "epoll_pwait": (*runner).epollWait,
		"open": (*runner).open, "pipe": (*runner).pipe, "splice": (*runner).splice, "sendfile": (*runner).sendfile,
	}
}

// arg returns argument i, which must be there.
func (c *Call) arg(i int) (*Expr, error) {
	if i >= len(c.Args) {
		return nil, failf("%s needs more than %d arguments", c.Name, len(c.Args))
	}
	return c.Args[i], nil
}

// intArg returns argument i as a number.
func (c *Call) intArg(i int) (int64, error) {
	e, err := c.arg(i)
	if err != nil {
		return 0, err
	}
	return e.number()
}

// descriptor is what a file descriptor stands for: one of these.
type descriptor struct {
	socket *socket
	udp    *udpSocket
	epoll  *epoll
	pipe   *pipe
	file   *file
}

// fd returns what argument i, a file descriptor, stands for; nil if it is not
// open.
func (r *runner) fd(c *Call, i int) (*descriptor, error) {
	n, err := c.intArg(i)
	if err != nil {
		return nil, err
	}
	return r.fds[int(n)], nil
}

// sock returns the socket that argument i is a descriptor of, or the errno.
func (r *runner) sock(c *Call, i int) (*socket, syscall.Errno, error) {
	d, err := r.fd(c, i)
	switch {
	case err != nil:
		return nil, 0, err
	case d == nil:
		return nil, syscall.EBADF, nil
	case d.udp != nil:
		return nil, 0, &unsupported{c.Name + " of UDP sockets"}
	case d.socket == nil:
		return nil, syscall.ENOTSOCK, nil
	}
	return d.socket, 0, nil
}

// install puts d under the number that the script gives it; the outcome has
// that number. A number that is in use then stands for d: scripts use one for
// several sockets in a row, and do not close them all.
func (r *runner) install(c *Call, d *descriptor) (outcome, error) {
	n := int64(3)
	if c.Result.Kind != ExprEllipsis {
		var err error
		if n, err = c.Result.number(); err != nil {
			return outcome{}, err
		}
	}
	if n < 0 || c.Result.Kind == ExprEllipsis {
		// The script expects a failure; it gets the lowest free number.
		for n = 3; r.fds[int(n)] != nil; {
			n++
		}
	}
	r.fds[int(n)] = d
	return outcome{n: n}, nil
}
