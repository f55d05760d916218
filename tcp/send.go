package tcp

import (
	"syscall"

	"github.com/trivet-net/trivet/seqnum"
)

// SendFlags say more about a write than its bytes; they can be combined.
type SendFlags uint8

const (
	// More says that more will be written at once: a partial segment at the end
	// is held back, and not marked with PSH, until the next write without More,
	// an ACK, or 200 ms of neither (MSG_MORE).
	More SendFlags = 1 << iota
	// EndOfRecord keeps what is written later out of the segment that carries
	// the last of these bytes, when it is sent again, too (MSG_EOR). A
	// connection keeps 4096 such ends; more are forgotten.
	EndOfRecord
)

// Write is Send without flags.
func (c *Conn) Write(now Time, p []byte) (int, error) { return c.Send(now, p, 0) }

// Send queues as much of p as fits; n < len(p) comes with syscall.EAGAIN, and
// the flags are then without effect. RFC 9293, Section 3.10.2, SEND, as sockets
// have it: before the handshake is over it returns EAGAIN, unless Fast Open lets
// text go with the SYN; after CloseWrite or the end of the connection, EPIPE; and a
// pending error once.
func (c *Conn) Send(now Time, p []byte, flags SendFlags) (int, error) {
	c.wake()
	n, err := c.write(p, flags)
	c.call(now, "write", n, err)
	if n > 0 {
		c.refused = false
		c.sendWaitingSyn(now)
		c.startUserTimeout(now)
	}
	c.rest(now)
	return n, err
}

func (c *Conn) write(p []byte, flags SendFlags) (int, error) {
	if err := c.TakeError(); err != nil {
		return 0, err
	}
	switch {
	case c.finWant || c.dead():
		return 0, syscall.EPIPE
	case len(p) == 0:
		return 0, nil
	case !c.open() && !c.waitsForText():
		return 0, syscall.EAGAIN
	}
	room := c.writeRoom(len(p))
	if c.waitsForText() {
		room = c.synRoom()
	}
	c.noteIdle()
	n := c.sndbuf.write(p[:min(len(p), room)], c.memoryLeft())
	c.account()
	if n < len(p) {
		flags = 0
	}
	c.chrono.noRoom = n < len(p)
	if c.snd.more = flags&More != 0; !c.snd.more {
		c.snd.push = c.dataEnd()
	}
	if flags&EndOfRecord != 0 {
		c.sndbuf.endRecord(c.dataEnd())
	}
	if n < len(p) {
		return n, syscall.EAGAIN
	}
	return n, nil
}

// writeRoom returns how many of n bytes Write takes, or more. The bounds are
// looked at where a super-segment begins: one that was begun is filled.
func (c *Conn) writeRoom(n int) int {
	room := c.sendRoom()
	if low := c.opt.NotSentLowat; low > 0 {
		room = min(room, low-c.unsent())
	}
	if n <= room {
		return n
	}
	whole := c.wholeSegment()
	fill := 0
	if part := c.unsent() % whole; part > 0 {
		fill = whole - part
	}
	if room > fill {
		fill += (room - fill + whole - 1) / whole * whole
	}
	return min(fill, max(room, c.memoryLeft()))
}

// wholeSegment is the payload of the largest super-segment worth forming: half
// of the peer's largest window, so that its ACKs come while there is something
// to send.
func (c *Conn) wholeSegment() int {
	n := min(c.path.MaxSuper, int(c.snd.maxWnd/2))
	return max(n-n%c.snd.mss, c.snd.mss)
}

// dataStart is the sequence number of the first byte of the send buffer. The SYN,
// while it waits for its ACK, comes before it.
func (c *Conn) dataStart() seqnum.Value {
	if c.synUnacked() {
		return c.iss.Add(1)
	}
	return c.snd.una
}

// dataEnd is the sequence number after the last byte of the send buffer: that
// of our FIN, once there is one.
func (c *Conn) dataEnd() seqnum.Value { return c.dataStart().Add(seqnum.Size(c.sndbuf.size)) }

// windowEdge is the right edge of the send window. That of a SYN begins after ours.
func (c *Conn) windowEdge() seqnum.Value { return c.dataStart().Add(c.snd.wnd) }

// unsent returns how many bytes were never sent.
func (c *Conn) unsent() int {
	if c.snd.finSent {
		return 0
	}
	return c.sndbuf.size - max(c.snd.nxt.Diff(c.dataStart()), 0)
}

// finPending reports whether our FIN waits to be sent for the first time.
func (c *Conn) finPending() bool { return c.finWant && !c.snd.finSent }

// finAcked reports whether the peer acknowledged our FIN.
func (c *Conn) finAcked() bool { return c.snd.finSent && c.snd.una == c.snd.nxt }

// sendRoom returns the free bytes of the send buffer.
func (c *Conn) sendRoom() int { return c.sendLimit() - c.sndbuf.size }
