package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// fastOpen is what an open by TCP Fast Open (RFC 7413) has to remember until the
// handshake is over.
type fastOpen struct {
	option    wire.FastOpen // of the first SYN, or of the SYN,ACK
	answer    wire.FastOpen // of the peer's SYN,ACK
	text      int           // bytes that went with the SYN
	taken     bool          // of which the peer acknowledged some
	early     bool          // the user goes on before the handshake is over
	waiting   bool          // the SYN waits for the first text
	textWaits bool          // a Write waits for the end of the handshake
	again     bool          // the SYN went a second time, without the option
	refused   bool          // by a reset
	blackHole bool          // nothing came through after the handshake
}

// maxOptions is what the options of a SYN take at most.
const maxOptions = 40

// beginFastOpen takes what is known of the peer. With a cookie the SYN waits for
// the first Write, whose text it carries (TCP_FASTOPEN_CONNECT); without, it asks
// for one.
func (c *Conn) beginFastOpen(o *Open) {
	if !o.FastOpen.Present && !o.SynText {
		return
	}
	early := o.FastOpen.Len > 0 || o.SynText
	c.fast = &fastOpen{option: o.FastOpen, early: early, waiting: early}
	switch {
	case o.PeerMSS != 0:
		c.snd.peerMSS = o.PeerMSS
	case o.SynText:
		c.snd.peerMSS = c.rcv.advMSS // in a network of one's own, as on Linux
	default:
		return
	}
	c.setMSS()
}

// waitsForText reports whether the SYN waits for the first text.
func (c *Conn) waitsForText() bool {
	return c.fast != nil && c.fast.waiting && c.state == StateSynSent
}

// goneAhead reports whether the user of an active open went on before the end of
// the handshake: what was written is to be sent even if the user closes by then.
func (c *Conn) goneAhead() bool { return c.fast != nil && c.fast.early && c.state == StateSynSent }

// open reports whether data flows: after the handshake, and before its end where
// the SYN had a cookie (RFC 7413, Section 4.2.2).
func (c *Conn) open() bool {
	return c.state.Synchronized() || (c.early && c.state == StateSynReceived)
}

// synRoom is how many bytes may go with the SYN: RFC 7413, Section 4.2.1: what the
// peer took as segment size the last time, with room for all options, as Linux
// has it.
func (c *Conn) synRoom() int {
	mss := min(int(c.snd.peerMSS), segmentRoom(c.id.LocalAddr.Is4(), c.path.MTU))
	if c.opt.MaxSeg != 0 {
		mss = min(mss, c.opt.MaxSeg)
	}
	return max(0, mss-maxOptions)
}

// SendSyn tells that the user waits for the peer: a SYN that waits for the first
// Write goes without text, unless there is some after the given time. It reports
// whether there is one.
func (c *Conn) SendSyn(now Time, patience time.Duration) bool {
	c.wake()
	defer c.rest(now)
	switch {
	case !c.waitsForText():
		return false
	case patience == 0:
		c.sendWaitingSyn(now)
	case !c.timerRunning(TimerDelayedAck):
		c.setTimer(TimerDelayedAck, now.Add(patience))
	}
	return true
}

// ExpectText tells that a user waits to write more than went with the SYN: the ACK
// of the SYN,ACK is delayed, so that it goes with that text, as on Linux.
func (c *Conn) ExpectText() {
	if c.fast != nil {
		c.fast.textWaits = true
	}
}

// delaysHandshakeAck reports whether the ACK of the SYN,ACK may wait for text that
// is about to be written: after Options.DeferAccept (tcp(7), TCP_DEFER_ACCEPT) and
// ExpectText.
func (c *Conn) delaysHandshakeAck() bool {
	return c.cfg.DelayedAck > 0 && (c.opt.DeferAccept > 0 || (c.fast != nil && c.fast.textWaits))
}

// sendWaitingSyn lets the SYN go that waits for text, with what there is.
func (c *Conn) sendWaitingSyn(now Time) {
	if c.waitsForText() {
		c.fast.waiting = false
		c.wants.syn = true
		c.stopTimer(TimerDelayedAck)
		c.startUserTimeout(now)
	}
}

// addFastOpen adds the option and the text to our SYN, or the cookie that the
// client is to use from now on to our SYN,ACK. RFC 7413, Section 4.2.1: a SYN that
// goes again has neither, in case that one of them is why it was not answered.
func (c *Conn) addFastOpen(now Time, seg *wire.Segment) {
	f := c.fast
	if f == nil || (c.state == StateSynSent && seg.Retransmit) {
		if f != nil {
			f.again = true
		}
		return
	}
	if c.state != StateSynSent && !c.early {
		return // simultaneous open
	}
	seg.Options.FastOpen = f.option
	if n := min(c.sndbuf.size, c.synRoom()); n > 0 && c.state == StateSynSent {
		c.rule(now, RuleFastOpenText)
		f.text = n
		c.sndbuf.slice(seg, 0, n)
		if c.sent == nil {
			c.sent = c.newScoreboard()
		}
		r := c.record(now, seg, 0)
		r.start = r.start.Add(1) // after the SYN
		c.sent.push(r)
	}
}

// synTextAcked takes the ACK of our SYN: what it does not cover of the text that
// went with it goes again at once; that is no congestion (RFC 7413, Section
// 4.2.2).
func (c *Conn) synTextAcked(now Time, seg *wire.Segment) {
	f := c.fast
	if f == nil || f.text == 0 || c.sent == nil {
		return
	}
	acked := min(seg.Ack.Diff(c.snd.una), f.text)
	c.synData, f.taken = acked == f.text, acked > 0
	if acked > 0 {
		var d delivery
		c.beginDelivery(&d, now, seg)
		c.snd.una = c.snd.una.Add(seqnum.Size(acked))
		c.sndbuf.discard(acked)
		c.sndbuf.forgetRecords(c.snd.una)
		c.count.bytesAcked += uint64(acked)
		c.sent.ack(c.snd.una, &d)
		c.catchUp()
	}
	if c.synData {
		c.rule(now, RuleFastOpenAcked)
		if c.sent.n == 0 { // or else our FIN was sent already
			c.sent = nil
		}
		return
	}
	c.rule(now, RuleFastOpenRefused)
	c.sent.loseOlder(now, func(*sentRecord) {})
	c.loss.force = true
	c.rtt.cancel()
}

// SynAcked reports whether the peer acknowledged our SYN: it is where it says to be.
func (c *Conn) SynAcked() bool { return c.snd.synAcked }

// fastOpenTimeouts is after how many time-outs in a row a path is suspected to
// swallow what follows a SYN with text, as Linux has it.
const fastOpenTimeouts = 2

// suspectFastOpen looks at a time-out. Some middleboxes let text pass with the SYN
// and nothing after it: the peer took ours, and was not heard of since.
func (c *Conn) suspectFastOpen() {
	if c.synData && !c.passive && c.count.retransmits == fastOpenTimeouts && c.count.bytesReceived == 0 && !c.finRcvd {
		c.fast = &fastOpen{blackHole: true}
	}
}

// FastOpenOutcome is what became of an active open by Fast Open: what RFC 7413,
// Section 4.1.3, wants to be remembered of the peer.
type FastOpenOutcome struct {
	Cookie wire.FastOpen // of the SYN,ACK
	MSS    uint16        // of the SYN,ACK, in bytes; 0: there was none
	// The SYN asked for a cookie, and that in the form of the experiment; it went
	// again without; there was text in it; the peer took some of that.
	Asked, Experimental, Again, Text, Taken bool
	// Failed: the connection failed before it was open, and not by a reset, which
	// has other reasons most of the time. BlackHole: what was sent after the SYN was
	// never answered.
	Failed, BlackHole bool
}

// FastOpenOver reports whether TakeFastOpen may have something to tell.
func (c *Conn) FastOpenOver() bool { return c.fast != nil && (c.snd.synAcked || c.dead()) }

// TakeFastOpen returns the outcome of an active open by Fast Open, once, and later
// that of a black hole, if there seems to be one. ok is false when there is nothing
// to tell.
func (c *Conn) TakeFastOpen() (o FastOpenOutcome, ok bool) {
	if !c.FastOpenOver() {
		return o, false
	}
	f := c.fast
	c.fast = nil
	if c.passive || !(c.snd.synAcked || c.err != 0) {
		return o, false // of a listener's, or the user gave up
	}
	if !f.option.Present {
		f.answer = wire.FastOpen{} // nobody asked
	}
	return FastOpenOutcome{
		Cookie: f.answer, MSS: c.synMSS(),
		Asked: f.option.Present && f.option.Len == 0, Experimental: f.option.Experimental, Again: f.again,
		Text: f.text > 0, Taken: f.taken,
		Failed: !c.snd.synAcked && c.err != 0 && !f.refused, BlackHole: f.blackHole,
	}, true
}

// synMSS is the segment size that the peer announced, 0 before.
func (c *Conn) synMSS() uint16 {
	if !c.snd.synAcked {
		return 0
	}
	return c.snd.peerMSS
}

// AcceptFast makes c a passive open in SYN-RECEIVED by a SYN with a good cookie:
// its text can be read, and Write sends before the handshake is over (RFC 7413,
// Section 4.2.2). The SYN,ACK is still to be sent; it has the cookie that the
// client is to use from now on, if there is one. h needs no RcvWScale, RcvWindow
// and SentAt.
func (c *Conn) AcceptFast(now Time, cfg *Config, h *Handshake, syn *wire.Segment, cookie wire.FastOpen) {
	c.begin(cfg, &h.Open)
	c.openPassively(now)
	c.early = true
	c.snd.una, c.snd.nxt, c.snd.small = h.ISS, h.ISS, h.ISS
	c.learnPeer(now, h.IRS, &h.Peer)
	c.ecn.on, c.ecn.end = h.ECN, h.ISS
	c.rcv.adv = c.rcv.nxt.Add(seqnum.Size(c.synWindow()))
	c.rcv.lastAck = c.rcv.nxt
	c.takeWindow(syn, 0)
	if cookie.Present {
		c.fast = &fastOpen{option: cookie}
	}
	c.wants.syn = true
	c.count.segsIn = 1
	if syn.PayloadLen > 0 {
		c.count.dataSegsIn, c.count.lastDataRecv = 1, now
		c.synData = true
		c.takeText(now, syn)
		// The window is what any SYN,ACK offers, where there is room for it.
		edge := c.rcv.nxt.Add(seqnum.Size(c.synWindow()))
		c.rcv.adv = seqnum.Max(c.rcv.adv, seqnum.Min(edge, c.freeEdge()))
	}
	c.account()
}
