package tcp

import (
	"syscall"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// takeText is the seventh and eighth check of RFC 9293, Section 3.10.7.4: the
// segment's text, as far as it is new and in the window, and its FIN.
func (c *Conn) takeText(now Time, seg *wire.Segment) {
	fin := seg.Flags.Has(wire.FIN)
	if seg.PayloadLen == 0 && !fin {
		return
	}
	if c.finRcvd {
		// CLOSE-WAIT and after: the stream ended; only an ACK, never a RST.
		c.rule(now, RuleDataAfterFin)
		c.wants.ack = true
		return
	}
	start := seg.Seq
	if seg.Flags.Has(wire.SYN) {
		start = start.Add(1)
	}
	end := start.Add(seqnum.Size(seg.PayloadLen))
	if c.dataAfterClose(now, end, seg.Ack) {
		return
	}
	edge := c.rcv.adv
	if c.rcvmem != nil {
		edge = seqnum.Max(edge, end) // what ends beyond it, and came this far, is taken
	}
	if fin && end.LessEq(edge) && c.believesFin(end) {
		// A FIN takes no room: it is taken at the very edge of the window, too.
		c.rcv.finSeen, c.rcv.fin = true, end
		if c.rcv.nxt.Less(start) {
			c.rule(now, RuleFinEarly)
		}
	}
	if seg.PayloadLen > 0 {
		c.takeBytes(now, seg, start, end, edge)
	} else if !c.mayDelayFin() {
		c.wants.ack = true
	}
	if c.rcv.finSeen && c.rcv.nxt == c.rcv.fin {
		c.takeFin(now)
	}
}

// believesFin reports whether a FIN may stand at seq. Of several the first in the
// stream ends it, as if all had come in order, whatever came from beyond; only
// where text was taken there is none.
func (c *Conn) believesFin(seq seqnum.Value) bool {
	if c.rcv.finSeen && !seq.Less(c.rcv.fin) {
		return false
	}
	return c.ooo == nil || !c.ooo.holds(seq)
}

// dataAfterClose resets the connection when new data arrives for a user who
// closed: RFC 9293, Section 3.6.1. After shutdown(SHUT_RDWR), too, as Linux
// does (SOCK-33, SOCK-41).
//
// The RST's sequence number is what the segment acknowledged, as where there is
// no connection: the peer may not have our FIN, and would not believe one that
// comes after it (RFC 5961, Section 3.2).
func (c *Conn) dataAfterClose(now Time, end, ack seqnum.Value) bool {
	if !c.readEnd || !c.finWant || !c.rcv.nxt.Less(end) {
		return false
	}
	c.die(now, syscall.ECONNRESET, RuleDataAfterClose)
	c.wants.refuse, c.wants.refuseSeq = true, ack
	return true
}

// takeBytes takes the payload [start, end) of seg: cut to the window up to edge,
// in order to the user's buffer, after a gap to the reassembly.
func (c *Conn) takeBytes(now Time, seg *wire.Segment, start, end, edge seqnum.Value) {
	from, to := seqnum.Max(start, c.rcv.nxt), seqnum.Min(end, edge)
	if c.rcv.finSeen {
		to = seqnum.Min(to, c.rcv.fin)
	}
	if from != start {
		c.noteDuplicate(seg)
	}
	if !from.Less(to) {
		if c.window() == 0 {
			c.rule(now, RuleZeroWindowData)
			c.cfg.Counters.RecvBufferFull++
		} else {
			c.rule(now, RuleDuplicateData)
		}
		c.wants.ack = true
		return
	}
	if c.rcvmem != nil && !c.admit(now, from, end) {
		return
	}
	if from != start || to != end {
		c.rule(now, RuleTrimmed)
		c.wants.ack = true
		if edge.Less(end) {
			c.cfg.Counters.RecvBufferFull++
		}
	}
	if from == c.rcv.nxt {
		n := to.Diff(from)
		if to = from.Add(seqnum.Size(c.mayKeep(n))); to.Diff(from) < n {
			c.noMemory(now)
		}
		if to == from {
			return
		}
	}
	switch {
	case from != c.rcv.nxt:
		c.rule(now, RuleOutOfOrder)
		c.outOfOrder(now, seg, start, from, to)
	case c.ooo != nil && c.ooo.overlaps(to):
		// The copy that came first wins, so it has to be merged.
		c.reassemble(seg, start, from, to)
		c.noteSize(seg, false)
		c.fillGap(now)
	default:
		c.rule(now, RuleInOrder)
		c.inOrder(seg, from.Diff(start), to.Diff(from))
		c.noteSize(seg, true)
		if c.ooo != nil && len(c.ooo.ranges) > 0 {
			// RFC 5681, Section 4.2: while a gap is open, and when it is
			// filled in part, at once.
			c.wants.ack = true
			return
		}
		c.ackText(now)
	}
}

// inOrder appends n bytes of the payload, after the first skip ones, to the
// user's buffer.
func (c *Conn) inOrder(seg *wire.Segment, skip, n int) {
	c.count.bytesReceived += uint64(n)
	c.advance(c.rcv.nxt.Add(seqnum.Size(n)))
	for _, d := range seg.Payload {
		if skip >= len(d.Data) {
			skip -= len(d.Data)
			continue
		}
		data := d.Data[skip:]
		data, skip = data[:min(n, len(data))], 0
		c.rcvbuf.append(block.Chunk{Block: d.Block, Data: data})
		if n -= len(data); n == 0 {
			break
		}
	}
}

// fillGap moves what is in order now from the reassembly. RFC 5681, Section
// 4.2: a segment that fills a gap is acknowledged at once.
func (c *Conn) fillGap(now Time) {
	c.rule(now, RuleGapFilled)
	size := c.ooo.size
	next := c.ooo.take(c.rcv.nxt, &c.rcvbuf)
	c.rcvmem.moved(size-c.ooo.size, size)
	c.count.bytesReceived += uint64(next.Sub(c.rcv.nxt))
	c.advance(next)
	c.wants.ack = true
}

// outOfOrder keeps [from, to) for later (SHLD-31) and wants a duplicate ACK at
// once, for each segment on the wire (RFC 5681, Section 4.2); with SACK one for
// those that were merged, as on Linux, for the sender goes by what is reported in it
// (RFC 6675, Section 4). The next segments are acknowledged at once, too, as Linux
// does: the window of a sender that lost something is small, and has no segment to
// spare for a delayed ACK.
func (c *Conn) outOfOrder(now Time, seg *wire.Segment, start, from, to seqnum.Value) {
	count := max(seg.Count, 1)
	c.count.rarely().outOfOrder += uint32(count)
	c.rcv.quick = quickAcks
	if c.rcv.sack {
		count = 1
	}
	c.wants.dupAcks = uint8(min(int(c.wants.dupAcks)+count, dupThresh))
	if to.Diff(from) > c.memoryLeft() {
		c.noMemory(now)
		return
	}
	c.reassemble(seg, start, from, to)
	c.noteSize(seg, false)
}

// reassemble puts the bytes [from, to) of seg, whose text begins at start, with
// what came out of order.
func (c *Conn) reassemble(seg *wire.Segment, start, from, to seqnum.Value) {
	if c.ooo == nil {
		c.ooo = new(reassembly)
	}
	// A range takes a block at least: all together no more than the buffer.
	limit := min(int(c.rcv.space)/block.Small, maxRanges)
	if !c.ooo.insert(from, skip(seg.Payload, from.Diff(start)), to.Diff(from), limit) {
		c.cfg.Counters.OutOfOrderFull++
	}
}

// noteDuplicate remembers what of seg arrived before, to be reported once (RFC
// 2883, Section 4.1).
func (c *Conn) noteDuplicate(seg *wire.Segment) {
	if !c.rcv.sack || seg.PayloadLen == 0 || !seg.Seq.Less(c.rcv.nxt) {
		return
	}
	if c.ooo == nil {
		c.ooo = new(reassembly)
	}
	end := seg.Seq.Add(seqnum.Size(seg.PayloadLen))
	c.ooo.dup = wire.SACKBlock{Left: seg.Seq, Right: seqnum.Min(end, c.rcv.nxt)}
	c.ooo.hasDup = true
}

// ackText decides when in-order text is acknowledged. RFC 9293, Section
// 3.8.6.3: at least every second full segment, and never later than the
// delayed-ACK time; a merged unit counts as its segments.
func (c *Conn) ackText(now Time) {
	switch {
	case c.cfg.DelayedAck < 0:
		c.wants.ack = true
	case c.rcvmem != nil && c.crowded():
		// As Linux has it: the window would become smaller, which need not be told
		// if the user reads in time.
		c.rcv.quick = 0
		c.delayAck(now)
	case c.rcv.quick > 0:
		c.rcv.quick--
		c.wants.ack = true
	case c.rcv.nxt.Diff(c.rcv.lastAck) > int(c.rcv.mss):
		c.wants.ack = true
	default:
		c.delayAck(now)
	}
}

// delayAck lets the ACK wait for company.
func (c *Conn) delayAck(now Time) {
	if !c.timerRunning(TimerDelayedAck) {
		c.setTimer(TimerDelayedAck, now.Add(c.cfg.DelayedAck))
	}
}

// segmentSize is the payload of each of the segments that seg was merged from.
func segmentSize(seg *wire.Segment) int {
	if seg.SegSize > 0 {
		return seg.SegSize
	}
	return seg.PayloadLen
}

// noteSize takes the largest payload seen, and the memory that seg, which was
// taken, takes up; next says whether it went to the user's queue.
func (c *Conn) noteSize(seg *wire.Segment, next bool) {
	c.charge(seg, next)
	c.rcv.mss = max(c.rcv.mss, uint16(min(segmentSize(seg), int(c.rcv.advMSS))))
}

// advance sets RCV.NXT. What was taken beyond the window ends it.
func (c *Conn) advance(next seqnum.Value) {
	c.rcv.nxt = next
	c.rcv.adv = seqnum.Max(c.rcv.adv, next)
}

// mayDelayFin reports whether the ACK of a FIN that is next may wait for the
// user's own: see Config.DelayFin.
func (c *Conn) mayDelayFin() bool {
	return c.cfg.DelayFin && c.cfg.DelayedAck > 0 && c.rcv.given && c.state == StateEstablished &&
		c.rcv.finSeen && c.rcv.nxt == c.rcv.fin && c.count.bytesReceived > 0 &&
		(c.rcvmem == nil || c.memoryHeld() <= c.recvLimit())
}

// takeFin takes the peer's FIN, all text before it being in the buffer.
func (c *Conn) takeFin(now Time) {
	if c.mayDelayFin() {
		c.delayAck(now)
	} else {
		c.wants.ack = true
	}
	c.finRcvd = true
	c.advance(c.rcv.nxt.Add(1))
	if c.ooo != nil {
		c.ooo.clear()
	}
	switch c.state {
	case StateEstablished:
		c.setState(now, StateCloseWait, RuleFin)
	case StateFinWait1:
		if c.finAcked() {
			c.enterTimeWait(now, RuleFin)
		} else {
			c.setState(now, StateClosing, RuleFin)
		}
	case StateFinWait2:
		c.enterTimeWait(now, RuleFin)
	}
}

// enterTimeWait ends the connection's work but for the last ACK. Its engine
// keeps the TIME-WAIT record.
func (c *Conn) enterTimeWait(now Time, rule Rule) {
	c.setState(now, StateTimeWait, rule)
	c.timers, c.keepAlive = [numTimers]Time{}, 0
}
