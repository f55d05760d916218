package tcp

import (
	"io"
	"math"
	"syscall"

	"github.com/trivet-net/trivet/seqnum"
)

// Read moves received bytes to p. RFC 9293, Section 3.10.3, RECEIVE, as
// sockets have it: it returns syscall.EAGAIN when it would have to wait, io.EOF
// after the peer's FIN or CloseRead, and a pending error once; data that
// arrived before any of these comes first.
func (c *Conn) Read(now Time, p []byte) (int, error) {
	n, err := c.read(now, p)
	c.call(now, "read", n, err)
	return n, err
}

// Peek copies received bytes to p and leaves them to be read (MSG_PEEK). Where
// there are none it is Read.
func (c *Conn) Peek(now Time, p []byte) (int, error) {
	if !c.open() || c.rcvbuf.size == 0 || len(p) == 0 {
		return c.Read(now, p)
	}
	n := c.rcvbuf.peek(p)
	c.call(now, "peek", n, nil)
	return n, nil
}

func (c *Conn) read(now Time, p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case c.state == StateSynReceived && !c.early:
		// What came with the peer's SYN waits for the end of the handshake.
		return 0, syscall.EAGAIN
	case c.rcvbuf.size > 0:
		size := c.rcvbuf.size
		n := c.rcvbuf.read(p)
		if c.rcvbuf.size == 0 && c.transient == &resting {
			c.rcvbuf.clear()
		}
		c.rcvmem.taken(n, size)
		c.rcv.up = seqnum.Max(c.rcv.up, c.readPos())
		c.tuneReceive(now)
		c.account()
		c.windowFreed()
		return n, nil
	case c.finRcvd:
		return 0, io.EOF
	}
	if err := c.TakeError(); err != nil {
		return 0, err
	}
	if c.readEnd || c.dead() {
		return 0, io.EOF
	}
	return 0, syscall.EAGAIN
}

// SetQuickAck says how the next segments are acknowledged (TCP_QUICKACK): on, at
// once, as at the beginning of a connection; off, with the usual delay. It does
// not last: after some segments the delay is in force again. An ACK that waits
// is sent when it is turned on.
func (c *Conn) SetQuickAck(on bool) {
	c.rcv.quick = 0
	if !on || !c.state.Synchronized() || c.dead() {
		return
	}
	c.rcv.quick = quickAcks
	c.wants.ack = c.wants.ack || c.timerRunning(TimerDelayedAck)
}

// readPos is the sequence number of the next byte that the user reads.
func (c *Conn) readPos() seqnum.Value { return c.rcv.nxt.Add(-seqnum.Size(c.rcvbuf.size)) }

// window is RCV.WND: what the peer may still send, as announced.
func (c *Conn) window() seqnum.Size { return c.rcv.adv.Sub(c.rcv.nxt) }

// freeEdge is where the buffer as it is would put the right edge: behind
// RCV.NXT when there is more in it than it should hold.
func (c *Conn) freeEdge() seqnum.Value {
	if c.rcvmem != nil {
		return c.rcv.nxt.Add(seqnum.Size(c.memoryWindow()))
	}
	free := c.opt.clamp(c.recvLimit() - c.rcvbuf.size)
	if !c.rcv.scaled {
		free = min(free, 0xffff)
	}
	return c.rcv.nxt.Add(seqnum.Size(min(free, 0xffff<<c.rcv.shift)))
}

// announce moves the right edge and returns the window field of a segment.
//
// RFC 9293, Section 3.8.6.2.2: the edge moves only by a good part of a segment
// or of the buffer (silly window avoidance), and never left. RFC 7323, Section
// 2.4: the shift rounds up, so that rounding does not move the edge left; past
// a reserve, which only a peer that sends tiny segments to a user that does not
// read gets to, it rounds down.
func (c *Conn) announce() uint16 {
	if c.rcvmem != nil {
		return c.announceMemory()
	}
	free := c.freeEdge()
	if gain := free.Diff(c.rcv.adv); gain >= c.worthTelling() {
		c.rcv.adv = free
	}
	unit := seqnum.Size(1) << c.rcv.shift
	if c.rcv.shrunk {
		return c.announceShrunk(free, unit)
	}
	units := (c.window() + unit - 1) >> c.rcv.shift
	edge := c.rcv.nxt.Add(units << c.rcv.shift)
	if free.Less(edge) {
		// Rounding up adds a unit at most for each of the segments of a window.
		reserve := seqnum.Size(c.rcv.space/8) + unit*seqnum.Size(1+int(c.rcv.space)/int(c.rcv.advMSS))
		if free.Add(reserve).Less(edge) {
			units, edge = c.window()>>c.rcv.shift, c.rcv.adv
		}
	}
	c.rcv.adv = seqnum.Max(c.rcv.adv, edge)
	return uint16(min(units, 0xffff))
}

// worthTelling is by how much the right edge moves at least: a segment, or half
// of the largest window (RFC 9293, Section 3.8.6.2.2).
func (c *Conn) worthTelling() int {
	if c.rcvmem != nil {
		full, _ := c.memoryRoom()
		return min(full/2, int(c.rcv.advMSS))
	}
	return min(c.opt.clamp(c.recvLimit())/2, int(c.rcv.advMSS))
}

// announceShrunk is announce when there was no memory for data that the window
// let in: the peer is told what there is room for, although the edge moves
// left (RFC 9293, Section 3.8.6, bids it be ready for that), or it would send
// the same again and again until it gave up. Linux does the same. What comes
// up to the old edge is taken all the same.
func (c *Conn) announceShrunk(free seqnum.Value, unit seqnum.Size) uint16 {
	if c.rcv.adv.LessEq(free) {
		c.rcv.shrunk = false
		return c.announce()
	}
	units := seqnum.Size(max(0, free.Diff(c.rcv.nxt))) / unit
	c.rcv.told = c.rcv.nxt.Add(units * unit)
	return uint16(min(units, 0xffff))
}

// windowFreed asks for a window update after the user read, when the window
// can at least double and the gain is worth a segment (SHLD-14, SC-29).
func (c *Conn) windowFreed() {
	if !c.open() || c.finRcvd || c.dead() {
		return
	}
	told := c.offeredEdge()
	if c.early && c.count.dataSegsIn == 1 && told.Diff(c.rcv.nxt) >= math.MaxUint16/2 {
		return // a SYN,ACK cannot offer more than 64 KiB: what is sent next does
	}
	gain := c.freeEdge().Diff(told)
	if gain >= c.worthTelling() && gain >= told.Diff(c.rcv.nxt) {
		c.wants.ack = true
	}
}
