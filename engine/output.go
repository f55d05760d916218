package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Output appends packets to be sent, each with a reference of its own to its
// payload, and reports whether there are more. Super-segments and partial
// checksums are as wire.Packet describes; wire.Cut and Packet.FinishChecksum
// make them plain.
func (e *Engine) Output(now tcp.Time, out *wire.Batch) (more bool) {
	before := out.Len()
	limit := before + batchPackets
	e.replies.flush(out, limit)
	// Half of the room is for connections, so that neither waits for the other.
	e.datagrams.flush(out, before+batchPackets/2)
	for out.Len() < limit && e.dirty.first != nil {
		e.outputConn(now, e.dirty.pop(), out)
	}
	e.stats.PacketsOut += uint64(out.Len() - before)
	return e.dirty.first != nil || !e.replies.empty() || !e.datagrams.empty()
}

// outputConn sends everything that a connection may send now.
func (e *Engine) outputConn(now tcp.Time, c *Conn, out *wire.Batch) {
	e.segs.Reset()
	c.tcp.Output(now, &e.segs)
	i := e.linkOf(c)
	for j := range e.segs.Segments {
		if i == nil {
			e.stats.NoRoute++
			continue
		}
		seg := &e.segs.Segments[j]
		p := out.Next()
		p.BuildTCP(*c.tcp.ID(), seg, c.ipID)
		p.Link = i.Index
		p.Hold()
		c.ipID += uint16(seg.Count)
	}
	if c.attached {
		e.timers.schedule(&c.node, c.tcp.NextTimeout())
	}
	if c.tcp.Orphan() && c.tcp.ReadyFor(tcp.Done) != 0 {
		c.tcp.Release()
	}
}

// linkOf returns the interface by which the connection's packets leave, nil
// for none. It is looked up again when routes change.
func (e *Engine) linkOf(c *Conn) *Interface {
	if c.routed != e.network.generation {
		c.routed = e.network.generation
		c.via = e.network.find(&c.tcp.ID().RemoteAddr)
	}
	return c.via
}

// dirtyList is a queue of connections that have something to send.
type dirtyList struct{ first, last *Conn }

// push adds c unless it is queued.
func (d *dirtyList) push(c *Conn) {
	switch {
	case c.dirty:
		return
	case d.first == nil:
		d.first = c
	default:
		d.last.nextDirty = c
	}
	c.dirty, d.last = true, c
}

func (d *dirtyList) pop() *Conn {
	c := d.first
	d.first = c.nextDirty
	if d.first == nil {
		d.last = nil
	}
	c.dirty, c.nextDirty = false, nil
	return c
}

// replies are packets of no connection, ready to be sent. Their number is
// bounded.
type replies struct {
	wire.Batch
	sent int // of the batch, already handed out
}

func (r *replies) empty() bool { return r.sent == r.Len() }

// flush moves packets to out, up to the limit of its length.
func (r *replies) flush(out *wire.Batch, limit int) {
	for ; !r.empty() && out.Len() < limit; r.sent++ {
		to, from := out.Next(), &r.Packets[r.sent]
		// Moved by exchange: both keep the memory of a slice.
		*to, *from = *from, *to
	}
	if r.empty() {
		r.Reset()
		r.sent = 0
	}
}

// nextReply returns a packet to be filled and sent to the address; nil when it
// cannot be sent, which is counted.
func (e *Engine) nextReply(to *wire.Addr) *wire.Packet {
	i := e.network.find(to)
	switch {
	case i == nil:
		e.stats.NoRoute++
		return nil
	case e.replies.Len() >= maxReplies:
		e.stats.ReplyOverflows++
		return nil
	}
	p := e.replies.Next()
	p.Link = i.Index
	return p
}

// send sends a segment of no connection.
func (e *Engine) send(now tcp.Time, t *wire.FourTuple, seg *wire.Segment) {
	seg.Count = 1
	p := e.nextReply(&t.RemoteAddr)
	if p == nil {
		return
	}
	p.BuildTCP(*t, seg, 0)
	e.tcp.Counters.SegmentsOut++
	if seg.Flags.Has(wire.RST) {
		e.tcp.Counters.ResetsOut++
	}
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventSend, Tuple: *t, Segment: seg})
	}
}

// sendReset answers the segment that arrived, which is no RST itself, with a
// RST (RFC 9293, Section 3.10.7.1), within the rate allowed.
func (e *Engine) sendReset(now tcp.Time, t *wire.FourTuple) {
	switch {
	case !e.resets.allow(now):
		e.stats.ResetsSuppressed++
	case tcp.ResetFor(&e.seg, &e.reply):
		e.send(now, t, &e.reply)
	}
}

// rule counts a decision of the engine and tells the trace.
func (e *Engine) rule(now tcp.Time, t *wire.FourTuple, r tcp.Rule) {
	e.tcp.Counters.Rules[r]++
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventRule, Tuple: *t, Rule: r})
	}
}

// edge tells the trace that a record of the engine changed its state.
func (e *Engine) edge(now tcp.Time, t *wire.FourTuple, from, to tcp.State, r tcp.Rule) {
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventState, Tuple: *t, From: from, To: to, Rule: r})
	}
}
