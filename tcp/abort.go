package tcp

import "github.com/trivet-net/trivet/wire"

// Abort ends the connection: RFC 9293, Section 3.10.5, ABORT. The peer gets a
// RST unless it has not heard of us yet or both FINs are under way.
func (c *Conn) Abort(now Time) {
	c.wake()
	defer c.rest(now)
	if !c.orphan {
		c.call(now, "abort", 0, nil)
	}
	c.orphan, c.readEnd = true, true
	switch c.state {
	case StateClosed:
		c.rcvbuf.clear()
		return
	case StateSynReceived, StateEstablished, StateFinWait1, StateFinWait2, StateCloseWait:
		c.wants.reset = true
	}
	c.die(now, 0, RuleAbort)
}

// ResetFor makes out the RST that answers seg when there is no connection for
// it, and reports whether there is one. RFC 9293, Section 3.10.7.1: a RST is
// never answered; the RST takes its sequence number from the ACK field of the
// segment, or acknowledges all of it if that has none.
func ResetFor(seg, out *wire.Segment) bool {
	out.Reset()
	if seg.Flags.Has(wire.RST) {
		return false
	}
	out.SrcPort, out.DstPort = seg.DstPort, seg.SrcPort
	if seg.Flags.Has(wire.ACK) {
		out.Seq, out.Flags = seg.Ack, wire.RST
	} else {
		out.Ack, out.Flags = seg.End(), wire.RST|wire.ACK
	}
	out.Count = 1
	return true
}
