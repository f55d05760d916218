package drill

import (
	"syscall"
)

// pipe is one end of a pipe; both share the count of bytes inside. What the
// bytes are makes no difference.
type pipe struct {
	inside *int
	write  bool
}

// pipeSize is the room of a pipe in bytes, as on Linux.
const pipeSize = 65536

// file is an open file of zeros.
type file struct{ size, at int }

// open is open(2) of a file that a command of the script made.
func (r *runner) open(c *Call, _ *pendingCall) (attempt, error) {
	e, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	size, ok := r.set.files[e.Text]
	if !ok {
		return nil, &unsupported{"open " + e.Text}
	}
	o, err := r.install(c, &descriptor{file: &file{size: size}})
	return done(o), err
}

// pipe is pipe(2).
func (r *runner) pipe(c *Call, _ *pendingCall) (attempt, error) {
	e, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	if e.Kind != ExprList || len(e.List) != 2 {
		return nil, failf("expected two descriptors, found %v", e)
	}
	inside := new(int)
	for i, f := range e.List {
		n, err := f.number()
		if err != nil {
			return nil, err
		}
		if r.fds[int(n)] != nil {
			return nil, failf("the descriptor %d is open already", n)
		}
		r.fds[int(n)] = &descriptor{pipe: &pipe{inside: inside, write: i == 1}}
	}
	return done(outcome{}), nil
}

// readFile reads from a pipe or file.
func (r *runner) readFile(c *Call, d *descriptor) (attempt, error) {
	n, err := c.intArg(2)
	switch {
	case err != nil:
		return nil, err
	case d.file != nil:
		got := min(int(n), d.file.size-d.file.at)
		d.file.at += got
		return done(outcome{n: int64(got)}), nil
	case d.pipe == nil || d.pipe.write:
		return done(failed(syscall.EBADF)), nil
	}
	return func() (outcome, bool) {
		got := min(int(n), *d.pipe.inside)
		*d.pipe.inside -= got
		return outcome{n: int64(got)}, got > 0
	}, nil
}

// writeFile writes to a pipe.
func (r *runner) writeFile(c *Call, d *descriptor) (attempt, error) {
	n, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	if d.pipe == nil || !d.pipe.write {
		return done(failed(syscall.EBADF)), nil
	}
	return func() (outcome, bool) {
		if *d.pipe.inside+int(n) > pipeSize {
			return outcome{}, false
		}
		*d.pipe.inside += int(n)
		return outcome{n: n}, true
	}, nil
}

// splice is splice(2) between a pipe and a socket.
func (r *runner) splice(c *Call, _ *pendingCall) (attempt, error) {
	from, err := r.fd(c, 0)
	if err != nil {
		return nil, err
	}
	to, err := r.fd(c, 2)
	if err != nil {
		return nil, err
	}
	n, err := c.intArg(4)
	if err != nil {
		return nil, err
	}
	switch {
	case from == nil || to == nil:
		return done(failed(syscall.EBADF)), nil
	case from.socket != nil && to.pipe != nil && from.socket.conn != nil:
		return r.spliceIn(from.socket, to.pipe, int(n)), nil
	case from.pipe != nil && to.socket != nil && to.socket.conn != nil:
		return r.spliceOut(from.pipe, to.socket, int(n)), nil
	}
	return done(failed(syscall.EINVAL)), nil
}

// spliceIn moves up to n bytes from a socket to a pipe.
func (r *runner) spliceIn(s *socket, p *pipe, n int) attempt {
	return func() (outcome, bool) {
		if s.conn.Info(r.now).Urgent == 1 && s.values["SO_OOBINLINE"] == 0 {
			return outcome{}, true // splice does not pass urgent data
		}
		try := r.receive(transfer{socket: s, n: int64(min(n, pipeSize-*p.inside))})
		o, over := try()
		if over && o.n > 0 {
			*p.inside += int(o.n)
		}
		return o, over
	}
}

// spliceOut moves up to n bytes from a pipe to a socket.
func (r *runner) spliceOut(p *pipe, s *socket, n int) attempt {
	var try attempt
	return func() (outcome, bool) {
		if try == nil {
			n = min(n, *p.inside)
			if n == 0 {
				return outcome{}, false
			}
			try = r.transmit(transfer{socket: s, n: int64(n)})
		}
		o, over := try()
		if over && o.n > 0 {
			*p.inside -= int(o.n)
		}
		return o, over
	}
}

// sendfile is sendfile(2).
func (r *runner) sendfile(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	d, err := r.fd(c, 1)
	if err != nil {
		return nil, err
	}
	n, err := c.intArg(3)
	if err != nil {
		return nil, err
	}
	if d == nil || d.file == nil {
		return done(failed(syscall.EBADF)), nil
	}
	n = min(n, int64(d.file.size-d.file.at))
	d.file.at += int(n)
	return r.transmit(transfer{socket: s, n: n}), nil
}
