package engine

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// halfOpen is a connection in SYN-RECEIVED by a passive open: what the SYN said
// and what the SYN,ACK answered. It is a fraction of a connection in size.
type halfOpen struct {
	node       node
	tuple      wire.FourTuple
	listener   *Listener
	tcp        *tcp.Config // that the SYN,ACK was made with
	prev, next *halfOpen   // of the listener, in order of arrival
	sentAt     tcp.Time    // the first SYN,ACK
	answered   tcp.Time    // the last answer that answerInterval limits

	iss, irs   seqnum.Value
	tsRecent   uint32
	mss        uint16 // options of the SYN
	wscale     uint8
	hasWScale  bool
	sack       bool
	hasTS      bool
	ecn        bool   // asked for, and agreed to
	window     uint16 // of the SYN
	rcvWindow  uint16 // of the SYN,ACK
	rcvShift   uint8
	retries    uint8
	acked      bool // the handshake's ACK came, and waits for text (DeferAccept)
	fastCookie bool // the SYN,ACK has a Fast Open cookie
	fastExp    bool // in the experimental form
}

// rcvNxt is RCV.NXT, and sndNxt SND.NXT.
func (h *halfOpen) rcvNxt() seqnum.Value { return h.irs.Add(1) }
func (h *halfOpen) sndNxt() seqnum.Value { return h.iss.Add(1) }

// halfOpenList is the half-open connections of a listener.
type halfOpenList struct {
	first, last *halfOpen
	size        int
}

func (l *halfOpenList) add(h *halfOpen) {
	h.prev = l.last
	if l.last == nil {
		l.first = h
	} else {
		l.last.next = h
	}
	l.last = h
	l.size++
}

func (l *halfOpenList) remove(h *halfOpen) {
	if h.prev == nil {
		l.first = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		l.last = h.prev
	} else {
		h.next.prev = h.prev
	}
	h.prev, h.next = nil, nil
	l.size--
}

// synAckTimeout is the time-out before a SYN,ACK is sent again the first time
// (RFC 6298, Section 2.1).
const synAckTimeout = time.Second

// addHalfOpen answers the SYN in e.seg with a SYN,ACK and remembers both, unless
// Fast Open makes a connection of it at once. Data that came with the SYN is not
// acknowledged otherwise: it will come again.
func (e *Engine) addHalfOpen(now tcp.Time, l *Listener, t *wire.FourTuple, hash uint32, iss seqnum.Value) {
	opened, cookie := e.openFast(now, l, t, hash, iss)
	if opened {
		return
	}
	o := &e.seg.Options
	h := &halfOpen{
		tuple: *t, listener: l, iss: iss, irs: e.seg.Seq, window: e.seg.Window,
		mss: o.MSS, wscale: o.WScale, hasWScale: o.HasWScale,
		sack: o.SACKPermitted, hasTS: o.HasTS, tsRecent: o.TSVal, ecn: tcp.AsksForECN(e.tcp, &e.seg),
		tcp: e.tcp, fastCookie: cookie, fastExp: o.FastOpen.Experimental,
	}
	h.node = node{hash: hash, half: h}
	e.table.insert(&h.node)
	e.halfOpen++
	l.half.add(h)
	e.rule(now, t, tcp.RuleListenSyn)
	e.edge(now, t, tcp.StateListen, tcp.StateSynReceived, tcp.RuleListenSyn)
	e.sendSynAck(now, h)
	h.sentAt = now
	e.timers.schedule(&h.node, now.Add(synAckTimeout))
}

// removeHalfOpen forgets h.
func (e *Engine) removeHalfOpen(h *halfOpen) {
	e.table.remove(&h.node)
	e.timers.remove(&h.node)
	h.listener.half.remove(h)
	e.halfOpen--
}

// dropHalfOpen ends a connection that never was: RFC 9293, Section 3.10.7.4:
// it returns to LISTEN, or to CLOSED when nobody listens any more.
func (e *Engine) dropHalfOpen(now tcp.Time, h *halfOpen, to tcp.State, r tcp.Rule) {
	e.removeHalfOpen(h)
	e.rule(now, &h.tuple, r)
	e.edge(now, &h.tuple, tcp.StateSynReceived, to, r)
}

// ResetHalfOpen resets all half-open connections (RFC 9293, Section 3.10.5, ABORT
// in SYN-RECEIVED), within the rate allowed for RSTs. It is for a host that goes: to
// the client the connection may be open already, and its next segment would find
// nobody who answers.
func (e *Engine) ResetHalfOpen(now tcp.Time) {
	for l := e.listeners.first; l != nil; l = l.after {
		for h := l.half.first; h != nil; h = l.half.first {
			e.dropHalfOpen(now, h, tcp.StateClosed, tcp.RuleAbort)
			if !e.resets.allow(now) {
				e.stats.ResetsSuppressed++
				continue
			}
			e.reply.Reset()
			e.reply.Seq, e.reply.Flags = h.sndNxt(), wire.RST
			e.send(now, &h.tuple, &e.reply)
		}
	}
}

// openOf returns what a passive open on l begins with.
func (e *Engine) openOf(l *Listener, t *wire.FourTuple) tcp.Handshake {
	path := tcp.Path{MTU: minMTU6}
	if i := e.network.find(&t.RemoteAddr); i != nil {
		path = i.path()
	}
	return tcp.Handshake{Open: tcp.Open{
		Tuple: *t, TSOffset: e.tsOffset(t), Path: path, Options: l.options,
	}}
}

// handshake returns what the connection or the SYN,ACK is made from.
func (e *Engine) handshake(h *halfOpen) tcp.Handshake {
	hs := e.openOf(h.listener, &h.tuple)
	hs.ISS, hs.IRS = h.iss, h.irs
	hs.Peer = wire.Options{
		MSS: h.mss, HasWScale: h.hasWScale, WScale: h.wscale, SACKPermitted: h.sack,
		HasTS: h.hasTS, TSVal: h.tsRecent,
	}
	hs.Window, hs.RcvWScale, hs.RcvWindow = h.window, h.rcvShift, h.rcvWindow
	hs.ECN = h.ecn
	hs.SentAt, hs.Retransmits = h.sentAt, int(h.retries)
	return hs
}

// sendSynAck sends the SYN,ACK, the first time or again. Its options answer
// those of the SYN; its sequence number and window are always the same.
func (e *Engine) sendSynAck(now tcp.Time, h *halfOpen) {
	hs := e.handshake(h)
	seg := &e.reply
	seg.Reset()
	seg.Options, h.rcvShift, h.rcvWindow = tcp.SynAckOptions(now, h.tcp, &hs)
	seg.Seq, seg.Ack, seg.Flags = h.iss, h.rcvNxt(), wire.SYN|wire.ACK
	if h.ecn {
		seg.Flags |= wire.ECE // RFC 3168, Section 6.1.1
	}
	seg.Window = h.rcvWindow
	if h.fastCookie {
		seg.Options.FastOpen = fastOpenCookie(&e.fastOpenKeysOf(now, h.listener)[0], &h.tuple, h.fastExp)
		if h.sentAt == 0 {
			e.rule(now, &h.tuple, tcp.RuleFastOpenCookie)
		}
	}
	seg.TOS, seg.TTL = hs.Options.TOS, hs.Options.TTL
	seg.Retransmit = h.sentAt != 0
	if seg.Retransmit {
		e.tcp.Counters.Retransmitted++
	}
	e.send(now, &h.tuple, seg)
}

// synAckRetries is how often a SYN,ACK is sent again.
func (l *Listener) synAckRetries() int {
	if l.options.SynRetries > 0 {
		return l.options.SynRetries
	}
	return l.engine.cfg.SynAckRetries
}

// deferSteps is Options.DeferAccept in time-outs of the SYN,ACK, which double up
// to limit.
func (l *Listener) deferSteps(limit time.Duration) int {
	steps := 0
	wait := synAckTimeout
	for end := time.Duration(0); end < l.options.DeferAccept && steps < 255; end += wait {
		if steps > 0 {
			wait = min(2*wait, limit)
		}
		steps++
	}
	return steps
}

// halfOpenTimeout sends the SYN,ACK again, later each time, or gives up.
func (e *Engine) halfOpenTimeout(now tcp.Time, h *halfOpen) {
	if e.tcp.Trace != nil {
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventTimer, Tuple: h.tuple, Timer: tcp.TimerRetransmit})
	}
	deferred := h.acked && int(h.retries) < h.listener.deferSteps(e.tcp.MaxRTO)
	if int(h.retries) >= h.listener.synAckRetries() && !deferred {
		e.dropHalfOpen(now, h, tcp.StateListen, tcp.RuleSynAckExhausted)
		return
	}
	h.retries++
	if !h.acked || int(h.retries) >= h.listener.deferSteps(e.tcp.MaxRTO) {
		e.rule(now, &h.tuple, tcp.RuleSynAckRetransmit)
		e.sendSynAck(now, h)
	}
	e.awaitAck(now, h)
}

// awaitAck starts the time after which the SYN,ACK is sent again.
func (e *Engine) awaitAck(now tcp.Time, h *halfOpen) {
	wait := min(synAckTimeout<<min(h.retries, 16), e.tcp.MaxRTO)
	e.timers.remove(&h.node)
	e.timers.schedule(&h.node, now.Add(wait))
}
