package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// fastOpen is what an active open by TCP Fast Open (RFC 7413) has to remember
// until the handshake is over.
type fastOpen struct {
	option  wire.FastOpen // of the first SYN
	waiting bool          // the SYN waits for the first text
	again   bool          // the SYN went a second time, without the option
	text    int           // bytes that went with it
}

// maxOptions is what the options of a SYN take at most.
const maxOptions = 40

// beginFastOpen takes what is known of the peer. With a cookie the SYN waits for
// the first Write, whose text it carries (TCP_FASTOPEN_CONNECT); without, it asks
// for one.
func (c *Conn) beginFastOpen(o *Open) {
	if !o.FastOpen.Present {
		return
	}
	c.fast = &fastOpen{option: o.FastOpen, waiting: o.FastOpen.Len > 0}
	if o.PeerMSS != 0 {
		c.snd.peerMSS = o.PeerMSS
		c.setMSS()
	}
}

// waitsForText reports whether the SYN waits for the first text.
func (c *Conn) waitsForText() bool { return c.fast != nil && c.fast.waiting }

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

// synPatience is how long the SYN of a user who reads first waits all the same:
// another goroutine may be about to write.
const synPatience = 5 * time.Millisecond

// SendSyn tells that the user waits for the peer: a SYN that waits for the first
// Write goes soon, without text. It reports whether there is one.
func (c *Conn) SendSyn(now Time) bool {
	if !c.waitsForText() || c.timerRunning(TimerDelayedAck) {
		return false
	}
	c.setTimer(TimerDelayedAck, now.Add(synPatience))
	return true
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
			c.sent = newScoreboard()
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
	c.synData = acked == f.text
	if acked > 0 {
		d := c.newDelivery(now, seg)
		c.snd.una = c.snd.una.Add(seqnum.Size(acked))
		c.sndbuf.discard(acked)
		c.sndbuf.forgetRecords(c.snd.una)
		c.count.bytesAcked += uint64(acked)
		c.sent.ack(c.snd.una, &d)
		c.catchUp()
	}
	if c.synData {
		c.rule(now, RuleFastOpenAcked)
		c.sent.release()
		c.sent = nil
		return
	}
	c.rule(now, RuleFastOpenRefused)
	c.sent.loseOlder(now, func(*sentRecord) {})
	c.loss.force = true
	c.rtt.cancel()
}

// FastOpenTried tells of an active open whose SYN had the Fast Open option, once
// the SYN,ACK is there: whether the SYN went again without it, and whether the
// peer took the text.
func (c *Conn) FastOpenTried() (again, taken bool) {
	return c.fast != nil && c.fast.again, c.synData
}

// AcceptFast makes c a passive open in SYN-RECEIVED by a SYN with a good cookie:
// its text can be read, and Write sends before the handshake is over (RFC 7413,
// Section 4.2.2). The SYN,ACK is still to be sent; it has the cookie that the
// client is to use from now on, if there is one. h needs no RcvWScale, RcvWindow
// and SentAt.
func (c *Conn) AcceptFast(now Time, cfg *Config, h *Handshake, syn *wire.Segment, cookie wire.FastOpen) {
	c.begin(cfg, &h.Open)
	c.passive, c.early = true, true
	c.snd.una, c.snd.nxt, c.snd.small = h.ISS, h.ISS, h.ISS
	c.learnPeer(now, h.IRS, &h.Peer)
	c.ecn.on, c.ecn.end = h.ECN, h.ISS
	c.rcv.adv = c.rcv.nxt.Add(seqnum.Size(synWindow(c.opt)))
	c.rcv.lastAck = c.rcv.nxt
	c.takeWindow(syn, 0)
	if cookie.Present {
		c.fast = &fastOpen{option: cookie}
	}
	c.cfg.Counters.PassiveOpens++
	c.state = StateSynReceived // the listener told the trace already
	c.wants.syn = true
	c.count.segsIn = 1
	if syn.PayloadLen > 0 {
		c.count.dataSegsIn, c.count.lastDataRecv = 1, now
		c.synData = true
		c.takeText(now, syn)
	}
	c.account()
}
