package trivet

import (
	"net"
	"os"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// Conn is a TCP connection. It does what a *net.TCPConn does, and its methods
// may be called by several goroutines at once: the bytes of one Write never
// mix with those of another.
type Conn struct {
	shard *shard // its lock guards all that follows
	e     *engine.Conn

	next, prev *Conn // in shard.conns

	readers waitList // wait for something to read
	writers waitList // the Write whose turn it is, Dial, or a lingering Close
	turns   waitList // other Writes, waiting for their turn
	read    deadline
	write   deadline

	linger  int32 // seconds; negative: off
	network network
	writing bool // a Write waits for room, and keeps its turn
	closed  bool
}

// newConn returns the connection of e. The shard is locked.
func newConn(s *shard, e *engine.Conn, n network) *Conn {
	c := &Conn{shard: s, e: e, network: n, linger: -1}
	e.Waker = (*waker)(c)
	s.conns.add(c)
	return c
}

// waker is a Conn as its engine sees it.
type waker Conn

// Wake implements engine.Waker. The shard is locked.
func (w *waker) Wake(r tcp.Ready) {
	c := (*Conn)(w)
	if r&tcp.Readable != 0 {
		c.readers.wakeOne()
	}
	if r&(tcp.Writable|tcp.Connected|tcp.Drained) != 0 {
		c.writers.wakeOne()
	}
	if r&tcp.Done != 0 && c.closed {
		c.shard.forget(c)
	}
}

// Read reads up to len(p) bytes, waiting for the first. It returns io.EOF
// after the peer's FIN, and an error once: a connection that was reset returns
// ECONNRESET, then io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.readWait(p)
	if err != nil {
		return n, c.opError("read", sysError("read", err))
	}
	return n, nil
}

// synPatience is how long the SYN of a user who reads first waits for text all the
// same, with Fast Open: another goroutine may be about to write.
const synPatience = 5 * time.Millisecond

// readWait is Read with errors as they come. An empty p waits for nothing.
func (c *Conn) readWait(p []byte) (n int, err error) {
	s := c.shard
	s.mu.Lock()
	var now tcp.Time
	if len(p) > 0 && !c.closed && c.read.at == 0 && c.e.Empty() {
		// Most readers wait for a request or an answer: nothing changes, so
		// that nothing is to be settled, and no time is asked for.
		c.e.Await(tcp.Readable)
		now = s.idle(&c.readers)
	} else {
		now = s.stack.now()
	}
	for {
		if n, err = c.readNow(now, p); err != syscall.EAGAIN {
			break
		}
		c.e.SendSyn(now, synPatience) // nobody writes first
		if c.e.Await(tcp.Readable) {
			now = s.park(now, &c.readers)
		}
	}
	c.passReadable()
	s.settle(now)
	return n, err
}

// readNow reads what there is. The shard is locked.
func (c *Conn) readNow(now tcp.Time, p []byte) (int, error) {
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case len(p) == 0:
		return 0, nil
	case c.read.at.Due(now):
		return 0, os.ErrDeadlineExceeded
	}
	return c.e.Read(now, p)
}

// passReadable wakes the next reader, if there is one, when there is something
// for it: a wake-up of the engine wakes one.
func (c *Conn) passReadable() {
	if !c.readers.empty() && !c.e.Await(tcp.Readable) {
		c.readers.wakeOne()
	}
}

// Write writes p, waiting until all of it is in the send buffer. n < len(p)
// comes with an error; the n bytes will still be sent.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.writeWait(p)
	if err != nil {
		return n, c.opError("write", sysError("write", err))
	}
	return n, nil
}

func (c *Conn) writeWait(p []byte) (n int, err error) {
	now := c.shard.lock()
	if now, err = c.takeTurn(now); err != nil {
		c.shard.mu.Unlock()
		return 0, err
	}
	for {
		if err = c.writeErr(now); err != nil {
			break
		}
		var k int
		k, err = c.e.Write(now, p[n:])
		n += k
		if err != syscall.EAGAIN {
			break
		}
		if c.e.Await(tcp.Writable) {
			c.writing = true
			now = c.shard.park(now, &c.writers)
		}
	}
	c.giveTurn()
	c.shard.settle(now)
	return n, err
}

// writeErr returns why nothing can be written now. The shard is locked.
func (c *Conn) writeErr(now tcp.Time) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.write.at.Due(now):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// takeTurn waits until no other Write is half done.
func (c *Conn) takeTurn(now tcp.Time) (tcp.Time, error) {
	s := c.shard
	for c.writing {
		if err := c.writeErr(now); err != nil {
			return now, err
		}
		w := s.newWaiter()
		c.turns.push(w)
		s.mu.Unlock()
		<-w.ch
		now = s.lock()
		granted := w.granted
		s.putWaiter(w)
		if granted {
			break
		}
	}
	return now, nil
}

// giveTurn hands the turn to the Write that waited longest.
func (c *Conn) giveTurn() {
	w := c.turns.pop()
	c.writing = w != nil
	if w != nil {
		w.granted = true
		w.ch <- struct{}{}
	}
}

// CloseRead ends reading: Read returns io.EOF once what has arrived is read.
// Nothing is sent.
func (c *Conn) CloseRead() error {
	return c.shutdown(c.e.CloseRead)
}

// CloseWrite sends FIN after what was written; reading goes on.
func (c *Conn) CloseWrite() error {
	return c.shutdown(c.e.CloseWrite)
}

func (c *Conn) shutdown(f func(tcp.Time) error) error {
	now := c.shard.lock()
	var err error
	switch state := c.e.State(); {
	case c.closed:
		err = net.ErrClosed
	case state == tcp.StateTimeWait || state == tcp.StateClosed:
		err = syscall.ENOTCONN // Linux has taken TIME-WAIT from the socket
	default:
		err = f(now)
	}
	c.shard.settle(now)
	return c.opError("close", sysError("shutdown", err))
}

// Close closes the connection. Calls that wait return net.ErrClosed. What was
// written is still sent, then FIN; but if there is received data that nobody
// read, or after SetLinger(0), the peer gets RST at once. After SetLinger(n),
// Close waits up to n seconds for the peer to acknowledge everything.
func (c *Conn) Close() error {
	s := c.shard
	now := s.lock()
	if c.closed {
		s.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.close(now)
	if c.linger > 0 {
		now = c.drain(now, time.Duration(c.linger)*time.Second)
	}
	s.settle(now)
	return nil
}

// close closes the connection and does not wait. The shard is locked.
func (c *Conn) close(now tcp.Time) {
	c.closed = true
	c.read.stop()
	c.write.stop()
	c.readers.wakeAll()
	c.writers.wakeAll()
	c.turns.wakeAll()
	if c.linger == 0 {
		c.e.Abort(now)
	} else {
		c.e.Close(now)
	}
	if !c.e.Await(tcp.Done) {
		c.shard.forget(c)
	}
}

// drain waits until everything is acknowledged, but not longer than limit.
func (c *Conn) drain(now tcp.Time, limit time.Duration) tcp.Time {
	end := now.Add(limit)
	timer := time.AfterFunc(limit, c.wakeWriters)
	defer timer.Stop()
	for !end.Due(now) && c.e.Await(tcp.Drained) {
		now = c.shard.park(now, &c.writers)
	}
	return now
}

// abort resets the connection. The shard is locked.
func (c *Conn) abort(now tcp.Time) {
	c.e.Abort(now)
	c.shard.forget(c)
}

// LocalAddr returns the local endpoint, a *net.TCPAddr; it is valid after
// Close too.
func (c *Conn) LocalAddr() net.Addr { return tcpAddr(c.e.Tuple().Local()) }

// RemoteAddr returns the peer's endpoint, a *net.TCPAddr; it is valid after
// Close too.
func (c *Conn) RemoteAddr() net.Addr { return tcpAddr(c.e.Tuple().Remote()) }

// String returns the network and both endpoints, as errors have them.
func (c *Conn) String() string {
	return c.network.String() + " " + c.LocalAddr().String() + "->" + c.RemoteAddr().String()
}
