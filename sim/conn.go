package sim

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Conn is a connection of a simulated host. Its calls are those of
// engine.Conn at the network's time, and never wait: Read and Write return
// syscall.EAGAIN, and Await says when to try again.
type Conn struct {
	conn  *engine.Conn
	host  *Host
	boot  int
	waits []wait
	due   []wait // room for those being called
	wake  func() // run, made once
	woken bool

	closed bool // Close or Abort was called: reading is over
}

type wait struct {
	on   tcp.Ready
	call func()
}

func newConn(h *Host, ec *engine.Conn) *Conn {
	c := &Conn{conn: ec, host: h, boot: h.boots}
	c.wake = c.run
	ec.Waker = c
	return c
}

// Host returns the host whose connection it is.
func (c *Conn) Host() *Host { return c.host }

// Await calls f once, as soon as any of r holds. Several calls may wait at
// the same time.
func (c *Conn) Await(r tcp.Ready, f func()) {
	c.waits = append(c.waits, wait{r, f})
	c.arm()
}

// arm asks the engine for a wake for everything that is awaited.
func (c *Conn) arm() {
	var all tcp.Ready
	for _, w := range c.waits {
		all |= w.on
	}
	if all != 0 && !c.conn.Await(all) {
		c.Wake(all)
	}
}

// Wake is called by the engine.
func (c *Conn) Wake(tcp.Ready) {
	if !c.woken {
		c.woken = true
		c.host.network.ready = append(c.host.network.ready, c.wake)
	}
}

// run calls those whose time has come.
func (c *Conn) run() {
	c.woken = false
	if c.boot != c.host.boots {
		return
	}
	has := c.conn.Ready()
	due, rest := c.due, c.waits[:0]
	c.due = nil
	for _, w := range c.waits {
		if w.on&has != 0 {
			due = append(due, w)
		} else {
			rest = append(rest, w)
		}
	}
	c.waits = rest
	for _, w := range due {
		w.call()
	}
	clear(due)
	c.due = due[:0]
	c.arm()
}

// touch notes that the connection was used.
func (c *Conn) touch() { c.host.dirty = true }

// live reports whether the host has not been rebooted since.
func (c *Conn) live() bool { return c.boot == c.host.boots }

// synPatience is how long the SYN of a program that reads first waits for text all
// the same, with Fast Open, as that of a Stack's does.
const synPatience = 5 * time.Millisecond

// Read is engine.Conn.Read.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.live() {
		return 0, syscall.ENOTCONN
	}
	c.touch()
	n, err := c.conn.Read(c.host.network.now, p)
	if err == syscall.EAGAIN {
		c.conn.SendSyn(c.host.network.now, synPatience) // nobody writes first
	}
	return n, err
}

// Write is engine.Conn.Write.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.live() {
		return 0, syscall.ENOTCONN
	}
	c.touch()
	return c.conn.Write(c.host.network.now, p)
}

// CloseWrite is engine.Conn.CloseWrite.
func (c *Conn) CloseWrite() error {
	if !c.live() {
		return syscall.ENOTCONN
	}
	c.touch()
	return c.conn.CloseWrite(c.host.network.now)
}

// CloseRead is engine.Conn.CloseRead.
func (c *Conn) CloseRead() error {
	if !c.live() {
		return syscall.ENOTCONN
	}
	c.touch()
	return c.conn.CloseRead(c.host.network.now)
}

// Close is engine.Conn.Close.
func (c *Conn) Close() {
	if c.live() {
		c.touch()
		c.closed = true
		c.conn.Close(c.host.network.now)
	}
}

// Abort is engine.Conn.Abort.
func (c *Conn) Abort() {
	if c.live() {
		c.touch()
		c.closed = true
		c.conn.Abort(c.host.network.now)
	}
}

// SetOptions is engine.Conn.SetOptions.
func (c *Conn) SetOptions(o tcp.Options) {
	if c.live() {
		c.touch()
		c.conn.SetOptions(c.host.network.now, o)
	}
}

// SetQuickAck is engine.Conn.SetQuickAck.
func (c *Conn) SetQuickAck(on bool) {
	if c.live() {
		c.touch()
		c.conn.SetQuickAck(c.host.network.now, on)
	}
}

// Options is engine.Conn.Options.
func (c *Conn) Options() tcp.Options { return c.conn.Options() }

// Info is engine.Conn.Info.
func (c *Conn) Info() tcp.Info { return c.conn.Info(c.host.network.now) }

// State returns the state of the connection.
func (c *Conn) State() tcp.State { return c.conn.State() }

// Ready returns what can be done now.
func (c *Conn) Ready() tcp.Ready { return c.conn.Ready() }

// Tuple returns the 4-tuple.
func (c *Conn) Tuple() wire.FourTuple { return c.conn.Tuple() }

// TakeError is engine.Conn.TakeError.
func (c *Conn) TakeError() error { return c.conn.TakeError() }

// Send writes all of data, as fast as the connection takes it, and then calls
// done, which may be nil, with nil or the error that ended it.
func Send(c *Conn, data []byte, done func(error)) {
	n, err := c.Write(data)
	if errors.Is(err, syscall.EAGAIN) {
		c.Await(tcp.Writable, func() { Send(c, data[n:], done) })
		return
	}
	if done != nil {
		done(err)
	}
}

// Pump writes bytes without end, as fast as the connection takes them, until an
// error ends it: a flow that is never limited by its application.
func Pump(c *Conn) {
	var pump func()
	pump = func() {
		for {
			if _, err := c.Write(pumped); errors.Is(err, syscall.EAGAIN) {
				c.Await(tcp.Writable, pump)
				return
			} else if err != nil {
				return
			}
		}
	}
	pump()
}

var pumped = make([]byte, 64<<10)

// Receive reads until the peer's FIN or an error, and calls sink for what it
// reads, which it borrows, and then done, which may be nil, with nil or the
// error. When sink, or anyone else, closes the connection, reading stops and
// done is not called.
func Receive(c *Conn, sink func([]byte), done func(error)) {
	r := &receiver{c: c, buf: make([]byte, 16<<10), sink: sink, done: done}
	r.again = r.read
	r.read()
}

type receiver struct {
	c     *Conn
	buf   []byte
	sink  func([]byte)
	done  func(error)
	again func() // read, made once
}

func (r *receiver) read() {
	for !r.c.closed {
		n, err := r.c.Read(r.buf)
		if n > 0 {
			r.sink(r.buf[:n])
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			r.c.Await(tcp.Readable, r.again)
			return
		case errors.Is(err, io.EOF):
			err = nil
		case err == nil:
			continue
		}
		if r.done != nil {
			r.done(err)
		}
		return
	}
}
