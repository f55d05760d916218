package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// Ready is a set of things that a user can do now, or that have happened.
type Ready uint8

const (
	// Readable: Read would not return EAGAIN.
	Readable Ready = 1 << iota
	// Writable: Write would not return EAGAIN.
	Writable
	// Connected: the opening handshake is over, well or badly.
	Connected
	// Drained: everything written, and the FIN if there is one, is
	// acknowledged, or the connection is gone.
	Drained
	// Done: the connection is in CLOSED or TIME-WAIT; it will send no more
	// of its own accord.
	Done
)

// Path is what a connection must know of the way to its peer.
type Path struct {
	// MTU is the size of the largest IP packet, in bytes.
	MTU int
	// MaxSuper bounds the payload of a super-segment, in bytes; 0 means
	// that none are to be formed.
	MaxSuper int
}

// Open is what an opening connection is told.
type Open struct {
	Tuple    wire.FourTuple
	ISS      seqnum.Value
	TSOffset uint32 // added to the clock in TSval (RFC 7323, Section 7.1)
	Path     Path
	Options  Options
}

// Handshake is what a listener remembers of a half-open connection and hands
// to Accept when the third segment arrives.
type Handshake struct {
	Open
	IRS         seqnum.Value
	Peer        wire.Options // of the SYN
	Window      uint16       // of the SYN
	RcvWScale   uint8        // shift announced in the SYN,ACK
	SentAt      Time         // of the SYN,ACK; 0 when unknown (a cookie)
	Retransmits int          // of the SYN,ACK
}

// Batch is a reusable list of segments that Output fills.
type Batch struct {
	Segments []wire.Segment
}

// Next adds an empty segment and returns it. The pointer is good until the
// next call of Next.
func (b *Batch) Next() *wire.Segment {
	if n := len(b.Segments); n < cap(b.Segments) {
		b.Segments = b.Segments[:n+1]
		b.Segments[n].Reset()
		return &b.Segments[n]
	}
	b.Segments = append(b.Segments, wire.Segment{})
	return &b.Segments[len(b.Segments)-1]
}

// Reset empties the batch.
func (b *Batch) Reset() { b.Segments = b.Segments[:0] }

// Conn is one TCP connection.
type Conn struct {
	cfg   *Config
	id    wire.FourTuple
	state State
}

// Dial makes c an active open: SYN-SENT, with a SYN to be sent.
func (c *Conn) Dial(now Time, cfg *Config, o *Open) { panic("unwritten") }

// Accept makes c a passive open in SYN-RECEIVED whose SYN,ACK was sent by the
// listener. The segment that completes the handshake goes to Input next.
func (c *Conn) Accept(now Time, cfg *Config, h *Handshake) { panic("unwritten") }

// Input processes a segment that arrived for this connection. It changes state
// and leaves wants; it sends nothing.
func (c *Conn) Input(now Time, seg *wire.Segment) { panic("unwritten") }

// Output appends every segment that may be sent now. Their payload refers to
// the send buffer and is good until the next call of another method.
func (c *Conn) Output(now Time, out *Batch) { panic("unwritten") }

// HasOutput reports whether Output might have something to send. False
// positives are allowed, false negatives are not.
func (c *Conn) HasOutput() bool { panic("unwritten") }

// Advance fires the timers that are due at now. An early call is harmless.
func (c *Conn) Advance(now Time) { panic("unwritten") }

// NextTimeout returns when Advance is to be called, 0 for never.
func (c *Conn) NextTimeout() Time { panic("unwritten") }

// Read moves received bytes to p. It returns syscall.EAGAIN when it would have
// to wait, io.EOF after the peer's FIN, and a pending error once.
func (c *Conn) Read(now Time, p []byte) (int, error) { panic("unwritten") }

// Write queues as much of p as fits; n < len(p) comes with syscall.EAGAIN.
func (c *Conn) Write(now Time, p []byte) (int, error) { panic("unwritten") }

// CloseRead ends reading: Read returns io.EOF once the buffer is empty.
func (c *Conn) CloseRead(now Time) error { panic("unwritten") }

// CloseWrite sends FIN after the queued data.
func (c *Conn) CloseWrite(now Time) error { panic("unwritten") }

// Close gives the connection up: FIN after the queued data, or RST at once
// when there is received data that nobody read.
func (c *Conn) Close(now Time) { panic("unwritten") }

// Abort ends the connection with RST.
func (c *Conn) Abort(now Time) { panic("unwritten") }

// Ready returns what the user can do now.
func (c *Conn) Ready() Ready { panic("unwritten") }

// State returns the state.
func (c *Conn) State() State { return c.state }

// Tuple returns the 4-tuple.
func (c *Conn) Tuple() wire.FourTuple { return c.id }

// TakeError returns the pending error and clears it, as SO_ERROR does; nil
// when there is none. A failed Dial leaves its error here.
func (c *Conn) TakeError() error { panic("unwritten") }

// ICMPError tells of an ICMP error that quotes a segment of this connection
// sent with sequence number seq. err is the errno it maps to.
func (c *Conn) ICMPError(now Time, seq seqnum.Value, err error, hard bool) { panic("unwritten") }

// ICMPTooBig tells of an ICMP "fragmentation needed" or "packet too big" with
// the given MTU that quotes a segment sent with sequence number seq. It
// reports whether the message was believed.
func (c *Conn) ICMPTooBig(now Time, seq seqnum.Value, mtu int) bool { panic("unwritten") }

// SetOptions changes the socket options. Buffer sizes shrink only as far as
// what they hold; the window's right edge never moves left.
func (c *Conn) SetOptions(now Time, o Options) { panic("unwritten") }

// Options returns the socket options in force.
func (c *Conn) Options() Options { panic("unwritten") }

// Info tells about the connection.
func (c *Conn) Info(now Time) Info { panic("unwritten") }

// Release gives every buffer back. The connection must be in CLOSED, or in
// TIME-WAIT with nothing left to read.
func (c *Conn) Release() { panic("unwritten") }

// TimeWait is what is left of a connection in TIME-WAIT: what an engine needs
// to answer segments for it, and to let the next incarnation in.
type TimeWait struct {
	SndNxt, RcvNxt seqnum.Value
	RcvWnd         uint16 // as on the wire
	Timestamps     bool
	TSOffset       uint32
	TSRecent       uint32
	TOS, TTL       uint8
}

// TimeWait returns the record of a connection in TIME-WAIT.
func (c *Conn) TimeWait() TimeWait { panic("unwritten") }

// SynAckOptions returns the options of the SYN,ACK for h, the receive window
// shift, which the caller keeps in h.RcvWScale, and the window to announce.
func SynAckOptions(now Time, cfg *Config, h *Handshake) (o wire.Options, shift uint8, window uint16) {
	panic("unwritten")
}

// TSVal returns the timestamp clock at now: milliseconds, plus the offset of
// the 4-tuple (RFC 7323, Section 5.4).
func TSVal(now Time, offset uint32) uint32 {
	return uint32(time.Duration(now)/time.Millisecond) + offset
}

// ResetFor makes out the RST that answers seg when there is no connection for
// it, and reports whether there is one: a RST is never answered (RFC 9293,
// Section 3.5.2).
func ResetFor(seg, out *wire.Segment) bool { panic("unwritten") }
