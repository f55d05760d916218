package tcp

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// recvMemory is what a connection knows of the memory that received segments
// take up, where Config.SegmentMemory tells: there the receive buffer bounds
// that memory. A segment is then held as a whole or not at all.
type recvMemory struct {
	queued int // what the bytes take up that the user has not read
	ooo    int // what those take up that came out of order
	// share is how much of the memory is payload, in 256ths, as the last segment
	// showed that was larger than those before.
	share int
	// ramp is the most that is offered for now, in bytes: it grows with what comes,
	// since share says nothing of segments that are still to come.
	ramp    int
	refused bool // there was no room for a segment: the next ACK offers nothing
}

// unknownShare is what is taken for payload before any segment came: a half,
// as Linux does.
const unknownShare = 128

// beginMemory begins to count the memory of what is received.
func (c *Conn) beginMemory() {
	if c.cfg.SegmentMemory == nil {
		return
	}
	c.rcvmem = &recvMemory{share: unknownShare, ramp: c.cfg.firstWindow(c.opt, int(c.rcv.advMSS))}
}

// firstWindow is the window that a new connection offers, in bytes. Where memory
// is counted, of which nobody knows yet how much will be payload, it is a half
// of it, in whole segments.
func (c *Config) firstWindow(o *Options, mss int) int {
	size := o.recvBuffer(c)
	if c.SegmentMemory == nil {
		return o.clamp(size)
	}
	w := o.clamp(int(int64(size) * unknownShare >> 8))
	if w > mss {
		w -= w % mss
	}
	return w
}

// memoryHeld returns the memory that what was received takes up. However it became
// empty, a queue without bytes has none.
func (c *Conn) memoryHeld() int {
	if c.rcvbuf.size == 0 {
		c.rcvmem.queued = 0
	}
	if c.ooo == nil || c.ooo.size == 0 {
		c.rcvmem.ooo = 0
	}
	return c.rcvmem.queued + c.rcvmem.ooo
}

// payloadOf returns how many bytes of payload that much memory may hold.
func (m *recvMemory) payloadOf(memory int) int { return int(int64(memory) * int64(m.share) >> 8) }

// memoryOf returns how much memory that many bytes of payload may take up.
func (m *recvMemory) memoryOf(payload int) int {
	return int(min(int64(payload)<<8/int64(m.share), maxBuffer))
}

// memoryRoom returns the payload that the receive buffer holds when empty, and
// what it has room for now: less than nothing when it holds more than it should.
func (c *Conn) memoryRoom() (full, free int) {
	space := c.recvLimit()
	full = min(c.opt.clamp(c.rcvmem.payloadOf(space)), 0xffff<<c.rcv.shift)
	return full, c.rcvmem.payloadOf(space - c.memoryHeld())
}

// crowded reports whether more than half of the receive buffer is in use and the
// window would become smaller.
func (c *Conn) crowded() bool {
	full, free := c.memoryRoom()
	return free < full/2 && c.memoryWindow() < c.lastWindow()
}

// offeredEdge is the right edge as the last segment told it. A peer may know
// of the one before, RCV.ADV, which lay further right.
func (c *Conn) offeredEdge() seqnum.Value {
	if c.rcv.shrunk {
		return c.rcv.told
	}
	return c.rcv.adv
}

// offered is how much of the window that was told last is left.
func (c *Conn) offered() int { return max(0, c.offeredEdge().Diff(c.rcv.nxt)) }

// lastWindow is the window as it was told last.
func (c *Conn) lastWindow() int { return max(0, c.offeredEdge().Diff(c.rcv.lastAck)) }

// mayShrink reports whether the right edge may move left.
func (c *Conn) mayShrink() bool { return c.cfg.ShrinkWindow && c.rcv.shift > 0 }

// memoryWindow is the window that the memory left lets be offered. With less
// than a segment, or a sixteenth of the buffer, it is closed: memory would run
// out sooner than it does. One that is not scaled holds whole segments.
func (c *Conn) memoryWindow() int {
	full, free := c.memoryRoom()
	unit := 1 << c.rcv.shift
	mss := max(1, min(int(c.rcv.mss), full, c.rcvmem.ramp))
	if c.mayShrink() || free < full/2 {
		free &^= unit - 1 // rounding up would promise more than there is
	}
	if free < full/2 && (free < full/16 || free < mss) {
		return 0
	}
	free = max(0, min(free, full, c.rcvmem.ramp))
	if c.rcv.shift > 0 {
		return (free + unit - 1) &^ (unit - 1)
	}
	if old := c.lastWindow(); old <= free && old > free-mss {
		return old
	}
	return free - free%mss
}

// announceMemory is announce where memory is counted. The right edge moves left
// only where Config.ShrinkWindow lets it, or when there was no room for what came:
// then nothing is offered, or the peer would send the same again and again.
func (c *Conn) announceMemory() uint16 {
	window := 0
	if c.rcvmem.refused {
		c.rcvmem.refused = false
	} else if window = c.memoryWindow(); window < c.leastWindow() {
		unit := 1 << c.rcv.shift
		window = (c.leastWindow() + unit - 1) &^ (unit - 1)
	}
	window = min(window, 0xffff<<c.rcv.shift)
	c.rcv.told = c.rcv.nxt.Add(seqnum.Size(window))
	c.rcv.adv = seqnum.Max(c.rcv.adv, c.rcv.told)
	c.rcv.shrunk = c.rcv.told.Less(c.rcv.adv)
	return uint16(window >> c.rcv.shift)
}

// leastWindow is what must be offered: all that was, or, where the right edge may
// move left, up to the end of what came out of order, so that gaps can be filled.
func (c *Conn) leastWindow() int {
	if !c.mayShrink() {
		return c.offered()
	}
	if c.ooo == nil || len(c.ooo.ranges) == 0 {
		return 0
	}
	return c.ooo.ranges[len(c.ooo.ranges)-1].end.Diff(c.rcv.nxt)
}

// dropGaps forgets what came out of order, as RFC 2018, Section 8, permits
// when memory is short.
func (c *Conn) dropGaps() {
	if c.ooo != nil && len(c.ooo.ranges) > 0 {
		c.ooo.clear()
		c.cfg.Counters.OutOfOrderFull++
	}
}

// beyondWindow reports whether seg has text that lies or ends beyond the window
// and is to be dropped. Linux, whose rule it is, takes one such segment whole while
// nothing waits for the user, for the sake of senders that miscount: the memory
// is there.
func (c *Conn) beyondWindow(seg *wire.Segment) bool {
	if seg.PayloadLen == 0 || seg.Flags.Has(wire.RST) {
		return false
	}
	if seg.Seq.Add(seqnum.Size(seg.PayloadLen)).LessEq(c.rcv.adv) {
		return false
	}
	return c.rcv.adv.Less(seg.Seq) || c.rcvbuf.size > 0
}

// admit decides whether text from the sequence number from on is taken where
// memory is counted: in the window told last, and while the memory held is
// within the buffer, so that no more than one segment lies over it. What came
// out of order gives way to what is next.
func (c *Conn) admit(now Time, from, end seqnum.Value) bool {
	next := from == c.rcv.nxt
	over := c.memoryHeld() > c.recvLimit()
	if over && next {
		c.dropGaps()
		over = c.memoryHeld() > c.recvLimit()
	}
	switch {
	case next && c.offered() == 0:
		c.rule(now, RuleZeroWindowData)
		c.cfg.Counters.RecvBufferFull++
	case from.Diff(c.rcv.nxt) >= c.offered():
		c.rule(now, RuleBeyondWindow)
		c.cfg.Counters.RecvBufferFull++
	case over && !next:
		c.cfg.Counters.OutOfOrderFull++
	case over && c.rcvbuf.size > 0:
		c.noMemory(now)
	default:
		if c.rcv.adv.Less(end) {
			c.rule(now, RuleOverrun)
		}
		return true
	}
	c.wants.ack = true
	return false
}

// charge counts the memory of a segment that was taken, and lets the window grow
// by twice of what came, if that took no more memory than was thought; next says
// whether it went to the user's queue.
func (c *Conn) charge(seg *wire.Segment, next bool) {
	m := c.rcvmem
	if m == nil {
		return
	}
	memory := max(c.cfg.SegmentMemory(seg.PayloadLen, max(seg.Count, 1)), 1)
	held := &m.ooo
	if next {
		held = &m.queued
	}
	*held += memory
	if segmentSize(seg) > int(c.rcv.mss) {
		m.share = min(max(seg.PayloadLen<<8/memory, 1), 256)
	}
	full, free := c.memoryRoom()
	if room := min(full, free) - m.ramp; room > 0 && m.payloadOf(memory) <= seg.PayloadLen {
		m.ramp += min(room, 2*max(seg.PayloadLen, int(c.rcv.advMSS)))
	}
	if !next {
		c.growForGap()
	}
}

// growForGap lets the receive buffer grow by what waits behind a gap, so that it
// does not stop the peer while the gap is repaired; but not for a connection that
// nobody accepted, of which anyone could have many.
func (c *Conn) growForGap() {
	if !c.rcv.given || c.opt.RecvBuffer != 0 || len(c.ooo.ranges) == 0 {
		return
	}
	behind := c.ooo.ranges[len(c.ooo.ranges)-1].end.Diff(c.rcv.nxt)
	c.growReceive(behind + 2*c.cfg.InitialWindow*int(c.rcv.advMSS))
}

// moved tells that n of size bytes that were out of order are now in order.
func (m *recvMemory) moved(n, size int) {
	if m == nil || size == 0 {
		return
	}
	part := int(int64(m.ooo) * int64(n) / int64(size))
	m.ooo -= part
	m.queued += part
}

// taken tells that the user read n of size bytes.
func (m *recvMemory) taken(n, size int) {
	if m != nil {
		m.queued -= int(int64(m.queued) * int64(n) / int64(size))
	}
}
