package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputTCP finds whom a segment is for: a connection or half-open one, a
// TIME-WAIT record, a listener, or nobody, which is the state CLOSED.
func (e *Engine) inputTCP(now tcp.Time, p *wire.Packet) {
	if d := p.ParseTCP(&e.ip, &e.seg); d != wire.DropNone {
		e.drop(now, d)
		return
	}
	t := wire.FourTuple{
		LocalAddr: e.ip.Dst, LocalPort: e.seg.DstPort,
		RemoteAddr: e.ip.Src, RemotePort: e.seg.SrcPort,
	}
	if e.seg.Options.HasMD5 {
		// RFC 2385, Section 2.0: a signature that cannot be right; there is no
		// key for any peer. As on Linux, nothing tells the sender.
		e.received(now, &t)
		e.rule(now, &t, tcp.RuleMD5Unexpected)
		return
	}
	hash := uint32(e.keys.table.hash(&t))
	if n := e.table.lookup(hash, &t); n != nil {
		if n.conn == nil {
			e.inputHalfOpen(now, n.half)
			return
		}
		n.conn.tcp.Input(now, &e.seg)
		e.settle(now, n.conn)
		return
	}
	if i := e.timeWaits.lookup(hash, &t); i != 0 {
		e.inputTimeWait(now, i)
		return
	}
	l := e.listeners.lookup(&t, &e.keys.spread)
	if l != nil && e.acceptCookie(now, l, &t, hash) {
		return
	}
	e.received(now, &t)
	if l != nil {
		e.inputListen(now, l, &t, hash)
		return
	}
	e.inputClosed(now, &t)
}

// inputClosed is RFC 9293, Section 3.10.7.1: there is no such connection.
func (e *Engine) inputClosed(now tcp.Time, t *wire.FourTuple) {
	if e.seg.Flags.Has(wire.RST) {
		e.rule(now, t, tcp.RuleClosedIgnored)
		return
	}
	e.rule(now, t, tcp.RuleClosedReset)
	e.sendReset(now, t)
}

// received counts and traces a segment that no connection gets.
func (e *Engine) received(now tcp.Time, t *wire.FourTuple) {
	e.tcp.Counters.SegmentsIn += uint64(max(e.seg.Count, 1))
	e.tcp.Counters.BytesIn += uint64(e.seg.PayloadLen)
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventReceive, Tuple: *t, Segment: &e.seg})
	}
}
