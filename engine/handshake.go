package engine

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputListen is RFC 9293, Section 3.10.7.2: the segment in e.seg arrived for a
// port that l listens on.
func (e *Engine) inputListen(now tcp.Time, l *Listener, t *wire.FourTuple, hash uint32) {
	switch f := e.seg.Flags; {
	case f.Has(wire.RST):
		e.rule(now, t, tcp.RuleListenReset)
	case f.Has(wire.ACK):
		// An old duplicate, or for a half-open connection that is forgotten.
		if l.awaitsCookies(now) {
			e.rule(now, t, tcp.RuleCookieRefused)
			e.stats.CookiesRefused++
		} else {
			e.rule(now, t, tcp.RuleListenAck)
		}
		e.sendReset(now, t)
	case f.Has(wire.SYN | wire.FIN):
		e.rule(now, t, tcp.RuleListenSynFin) // dropped, as Linux does (DIS-3)
	case !f.Has(wire.SYN):
		e.rule(now, t, tcp.RuleListenIgnored)
	case e.wantsCookie(l):
		e.sendCookie(now, l, t)
	case e.admit(now, l, t):
		e.addHalfOpen(now, l, t, hash, e.iss(now, t))
	}
}

// queueFull reports whether the SYN queue of l, or that of all, is full.
func (e *Engine) queueFull(l *Listener) bool {
	return l.half.size >= e.cfg.SynBacklog || e.halfOpen >= maxHalfOpen
}

// admit reports whether l has room for one more half-open connection.
func (e *Engine) admit(now tcp.Time, l *Listener, t *wire.FourTuple) bool {
	switch {
	case l.backlog.full(e.cfg.MaxBacklog):
		// As Linux: who cannot be accepted soon need not begin.
		e.rule(now, t, tcp.RuleBacklogFull)
		e.stats.ListenOverflows++
	case e.queueFull(l):
		e.rule(now, t, tcp.RuleSynQueueFull)
	default:
		return true
	}
	e.stats.ListenDrops++
	return false
}

// inputHalfOpen is RFC 9293, Section 3.10.7.4, for SYN-RECEIVED by a passive
// open, with RFC 5961 and, before all, PAWS. The segment that completes the
// handshake goes to the new connection, which emits its events.
func (e *Engine) inputHalfOpen(now tcp.Time, h *halfOpen) {
	complete := e.completes(h)
	if complete && e.waitsForText(h) {
		h.acked = true
		e.received(now, &h.tuple)
		e.rule(now, &h.tuple, tcp.RuleDeferAccept)
		return
	}
	if complete && h.listener.backlog.take(e.cfg.MaxBacklog) {
		e.accept(now, h)
		return
	}
	t := &h.tuple
	e.received(now, t)
	switch f := e.seg.Flags; {
	case !e.timely(h):
		e.rule(now, t, tcp.RulePAWS)
		e.answerHalfOpen(now, h)
	case f&(wire.SYN|wire.ACK|wire.RST) == wire.SYN && e.seg.Seq == h.irs:
		e.synAgain(now, h)
	case !e.acceptable(h):
		e.outsideHalfOpen(now, h)
	case f.Has(wire.RST):
		e.resetHalfOpen(now, h)
	case f.Has(wire.SYN):
		// A new SYN in the window: back to LISTEN, which its next copy finds.
		e.dropHalfOpen(now, h, tcp.StateListen, tcp.RuleSynReceivedReset)
	case !f.Has(wire.ACK):
		e.rule(now, t, tcp.RuleNoAck)
	case e.seg.Ack != h.sndNxt():
		e.rule(now, t, tcp.RuleHandshakeBadAck)
		e.sendReset(now, t)
	default:
		// The accept queue is full: the ACK is forgotten, the SYN,ACK goes
		// again in a while, and what the client answers may find room.
		e.rule(now, t, tcp.RuleBacklogFull)
		e.stats.ListenOverflows++
	}
}

// completes reports whether the segment is the third of the handshake.
func (e *Engine) completes(h *halfOpen) bool {
	return e.seg.Flags&(wire.RST|wire.SYN|wire.ACK) == wire.ACK && e.seg.Ack == h.sndNxt() &&
		e.timely(h) && e.acceptable(h)
}

// waitsForText reports whether the segment brings nothing and the listener wants
// to see something first (Options.DeferAccept).
func (e *Engine) waitsForText(h *halfOpen) bool {
	return e.seg.Len() == 0 && int(h.retries) < h.listener.deferSteps(e.tcp.MaxRTO)
}

// accept makes the half-open connection a whole one, which takes the segment,
// with all that it carries.
func (e *Engine) accept(now tcp.Time, h *halfOpen) {
	hs := e.handshake(h)
	e.removeHalfOpen(h)
	e.establish(now, h.tcp, h.listener, &hs, h.node.hash)
}

// establish makes a connection of l's that takes the segment which completes
// its handshake.
func (e *Engine) establish(now tcp.Time, cfg *tcp.Config, l *Listener, hs *tcp.Handshake, hash uint32) {
	c := &Conn{ipID: uint16(hash)}
	e.paths.tell(now, &hs.Open)
	c.tcp.Accept(now, cfg, hs)
	e.attach(c, hash)
	c.tcp.Input(now, &e.seg)
	e.settle(now, c)
	l.push(c)
}

// timely is PAWS (RFC 7323, Section 5.3), as tcp.Conn has it.
func (e *Engine) timely(h *halfOpen) bool {
	if !h.hasTS || h.tcp.NoTimestamps || e.seg.Flags.Has(wire.RST) {
		return true
	}
	if !e.seg.Options.HasTS {
		return !h.tcp.RequireTimestamps
	}
	return int32(e.seg.Options.TSVal-h.tsRecent) >= 0
}

// acceptable is the first check of RFC 9293, Section 3.10.7.4.
func (e *Engine) acceptable(h *halfOpen) bool {
	return inWindow(&e.seg, h.rcvNxt(), seqnum.Size(h.rcvWindow))
}

// inWindow reports whether some of the segment is in the window, or it begins
// at its left edge: then, with a window of zero too, its ACK or RST counts.
func inWindow(seg *wire.Segment, nxt seqnum.Value, wnd seqnum.Size) bool {
	switch n := seg.Len(); {
	case seg.Seq == nxt:
		return true
	case n == 0 || wnd == 0:
		return wnd > 0 && seg.Seq.In(nxt, wnd)
	default:
		return seg.Seq.Less(nxt.Add(wnd)) && nxt.Less(seg.End())
	}
}

// synAgain handles the SYN that arrived before: the SYN,ACK may be lost
// (DIS-16).
func (e *Engine) synAgain(now tcp.Time, h *halfOpen) {
	if e.seg.Flags.Has(wire.FIN) {
		e.rule(now, &h.tuple, tcp.RuleListenSynFin)
		return
	}
	e.rule(now, &h.tuple, tcp.RuleSynReceivedSynAgain)
	if e.seg.Options.HasTS && h.hasTS {
		h.tsRecent = e.seg.Options.TSVal // not older: timely
	}
	if e.mayAnswer(now, &h.answered) {
		e.sendSynAck(now, h)
		e.awaitAck(now, h) // this answer has as long as any other, as on Linux
	}
}

// outsideHalfOpen answers a segment outside the window, unless it is a RST.
func (e *Engine) outsideHalfOpen(now tcp.Time, h *halfOpen) {
	if e.seg.Flags.Has(wire.RST) {
		e.rule(now, &h.tuple, tcp.RuleResetOutside)
		return
	}
	e.rule(now, &h.tuple, tcp.RuleUnacceptable)
	e.answerHalfOpen(now, h)
}

// resetHalfOpen handles a RST in the window. RFC 5961, Section 3.2: only the
// exact next sequence number counts; RFC 9293, Section 3.10.7.4: a passive
// open returns to LISTEN, and the user is not told.
func (e *Engine) resetHalfOpen(now tcp.Time, h *halfOpen) {
	if e.seg.Seq != h.rcvNxt() {
		e.rule(now, &h.tuple, tcp.RuleChallengeReset)
		e.answerHalfOpen(now, h)
		return
	}
	e.dropHalfOpen(now, h, tcp.StateListen, tcp.RuleSynReceivedReset)
}

// answerHalfOpen sends <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, now and then.
func (e *Engine) answerHalfOpen(now tcp.Time, h *halfOpen) {
	if !e.mayAnswer(now, &h.answered) {
		return
	}
	seg := &e.reply
	seg.Reset()
	seg.Seq, seg.Ack, seg.Flags = h.sndNxt(), h.rcvNxt(), wire.ACK
	seg.Window = h.rcvWindow >> h.rcvShift
	seg.TOS, seg.TTL = h.listener.options.TOS, h.listener.options.TTL
	if h.hasTS && !h.tcp.NoTimestamps {
		seg.Options.HasTS = true
		seg.Options.TSVal = tcp.TSVal(now, e.tsOffset(&h.tuple))
		seg.Options.TSEcr = h.tsRecent
	}
	e.send(now, &h.tuple, seg)
}

// mayAnswer lets one answer through in answerInterval. last is when the last
// one was, and is updated.
func (e *Engine) mayAnswer(now tcp.Time, last *tcp.Time) bool {
	if *last != 0 && now.Sub(*last) < answerInterval {
		e.tcp.Counters.ChallengesSuppressed++
		return false
	}
	*last = now
	return true
}
