package engine

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Conn is a connection of the engine's table.
type Conn struct {
	// Waker is told what Await asked for.
	Waker Waker

	engine *Engine
	node   node
	tcp    tcp.Conn
	via    *Interface // the way to the peer, when routed is the present one
	routed uint32
	ticket uint32 // its place among all that wait to be accepted

	early      *Listener // by whom it was opened by Fast Open, until the handshake is over
	nextDirty  *Conn     // in the list of those that have something to send
	nextAccept *Conn     // in the listener's accept queue

	ipID     uint16 // of the next IPv4 packet (RFC 6864: of no use with DF set)
	awaited  tcp.Ready
	waking   bool // in the list of those to be woken
	dirty    bool // in the list of those that have something to send
	attached bool // in the table
	orphan   bool // counted as such
}

// Await asks for one wake once any of r holds; it reports false, and does
// nothing, when one holds already.
func (c *Conn) Await(r tcp.Ready) bool {
	if c.tcp.ReadyFor(r) != 0 {
		return false
	}
	c.awaited |= r
	if r&tcp.Writable != 0 {
		c.tcp.ExpectText()
	}
	return true
}

// The socket calls are those of tcp.Conn, which says what they mean; what they
// leave to be sent comes out of the engine's next Output.

// Read is tcp.Conn.Read.
func (c *Conn) Read(now tcp.Time, p []byte) (int, error) {
	n, err := c.tcp.Read(now, p)
	c.engine.settle(now, c)
	return n, err
}

// Peek is tcp.Conn.Peek.
func (c *Conn) Peek(now tcp.Time, p []byte) (int, error) {
	n, err := c.tcp.Peek(now, p)
	c.engine.settle(now, c)
	return n, err
}

// Write is tcp.Conn.Write.
func (c *Conn) Write(now tcp.Time, p []byte) (int, error) {
	n, err := c.tcp.Write(now, p)
	c.engine.settle(now, c)
	return n, err
}

// Send is tcp.Conn.Send.
func (c *Conn) Send(now tcp.Time, p []byte, flags tcp.SendFlags) (int, error) {
	n, err := c.tcp.Send(now, p, flags)
	c.engine.settle(now, c)
	return n, err
}

// CloseRead is tcp.Conn.CloseRead.
func (c *Conn) CloseRead(now tcp.Time) error {
	err := c.tcp.CloseRead(now)
	c.engine.settle(now, c)
	return err
}

// CloseWrite is tcp.Conn.CloseWrite.
func (c *Conn) CloseWrite(now tcp.Time) error {
	err := c.tcp.CloseWrite(now)
	c.engine.settle(now, c)
	return err
}

// Close is tcp.Conn.Close. The protocol goes on without the user; but when
// there are too many connections without one, this one is reset.
func (c *Conn) Close(now tcp.Time) {
	e := c.engine
	if c.attached && !c.orphan && e.stats.Orphans >= maxOrphans {
		e.stats.OrphanOverflows++
		c.Abort(now)
		return
	}
	c.tcp.Close(now)
	e.settle(now, c)
	if c.attached && !c.orphan {
		c.orphan = true
		e.stats.Orphans++
	}
}

// Abort is tcp.Conn.Abort. In TIME-WAIT it ends that too (RFC 9293, Section
// 3.10.5).
func (c *Conn) Abort(now tcp.Time) {
	if c.tcp.State() == tcp.StateTimeWait {
		c.engine.forgetTimeWait(c)
	}
	c.tcp.Abort(now)
	c.engine.settle(now, c)
}

// SendSyn is tcp.Conn.SendSyn.
func (c *Conn) SendSyn(now tcp.Time, patience time.Duration) {
	if c.tcp.SendSyn(now, patience) {
		c.engine.settle(now, c)
	}
}

// Empty is tcp.Conn.Empty.
func (c *Conn) Empty() bool { return c.tcp.Empty() }

// Ready is tcp.Conn.Ready.
func (c *Conn) Ready() tcp.Ready { return c.tcp.Ready() }

// State returns the state: that of tcp.Conn, but CLOSED once TIME-WAIT is over.
func (c *Conn) State() tcp.State {
	s := c.tcp.State()
	if s == tcp.StateTimeWait && !c.attached && !c.engine.hasTimeWait(c) {
		return tcp.StateClosed
	}
	return s
}

// Tuple is tcp.Conn.Tuple.
func (c *Conn) Tuple() wire.FourTuple { return *c.tcp.ID() }

// TakeError is tcp.Conn.TakeError.
func (c *Conn) TakeError() error { return c.tcp.TakeError() }

// SetOptions is tcp.Conn.SetOptions.
func (c *Conn) SetOptions(now tcp.Time, o tcp.Options) {
	c.tcp.SetOptions(now, o)
	c.engine.settle(now, c)
}

// SetNoDelay is tcp.Conn.SetNoDelay.
func (c *Conn) SetNoDelay(now tcp.Time, on bool) {
	c.tcp.SetNoDelay(on)
	c.engine.settle(now, c)
}

// SetQuickAck is tcp.Conn.SetQuickAck.
func (c *Conn) SetQuickAck(now tcp.Time, on bool) {
	c.tcp.SetQuickAck(on)
	c.engine.settle(now, c)
}

// Options is tcp.Conn.Options.
func (c *Conn) Options() tcp.Options { return c.tcp.Options() }

// Info is tcp.Conn.Info, with the state as State has it.
func (c *Conn) Info(now tcp.Time) tcp.Info {
	i := c.tcp.Info(now)
	i.State = c.State()
	return i
}
