package tcp

import (
	"math"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

const (
	// maxPersist caps the interval of zero-window probes; RFC 9293, Section
	// 3.8.6.1, wants it to grow exponentially.
	maxPersist = 60 * time.Second
	// corkTime is how long TCP_CORK holds a partial segment (tcp(7)), and
	// overrideTime how long silly window avoidance does (RFC 9293, Section
	// 3.8.6.2.1: 0.1 to 1 s).
	corkTime     = 200 * time.Millisecond
	overrideTime = 200 * time.Millisecond
)

func (c *Conn) setTimer(t Timer, at Time) { *c.timer(t) = at }
func (c *Conn) stopTimer(t Timer)         { *c.timer(t) = 0 }
func (c *Conn) timerRunning(t Timer) bool { return *c.timer(t) != 0 }

// timer returns where the time of t is.
func (c *Conn) timer(t Timer) *Time {
	if t == TimerKeepAlive {
		return &c.keepAlive
	}
	return &c.timers[t]
}

// NextTimeout returns when Advance is to be called, 0 for never.
func (c *Conn) NextTimeout() Time {
	if c.transient == &resting {
		return c.keepAlive
	}
	next := uint64(c.keepAlive) - 1 // so that 0, which is never, is the latest
	for _, at := range &c.timers {
		next = min(next, uint64(at)-1)
	}
	return Time(next + 1)
}

// NextTimer returns the timer that fires next, and when; 0 for none.
func (c *Conn) NextTimer() (t Timer, at Time) {
	for i := range Timer(numTimers) {
		if d := *c.timer(i); d != 0 && (at == 0 || d < at) {
			t, at = i, d
		}
	}
	return t, at
}

// shown are the timers as Linux shows one of them for a socket: what waits for an
// acknowledgement or a window goes before what waits for the peer to speak.
var shown = [...][]Timer{
	{TimerRetransmit, TimerReorder, TimerProbe},
	{TimerPersist},
	{TimerKeepAlive, TimerFinWait2},
}

// ShownTimer returns the timer that ss shows, and when it fires: NextTimer where
// Linux would show none.
func (c *Conn) ShownTimer() (t Timer, at Time) {
	for _, group := range &shown {
		for _, i := range group {
			if d := *c.timer(i); d != 0 && (at == 0 || d < at) {
				t, at = i, d
			}
		}
		if at != 0 {
			return t, at
		}
	}
	return c.NextTimer()
}

// Advance fires the timers that are due at now. An early call is harmless.
func (c *Conn) Advance(now Time) {
	c.wake()
	for t := range Timer(numTimers) {
		if !c.timer(t).Due(now) {
			continue
		}
		c.stopTimer(t)
		if c.cfg.Trace != nil {
			c.cfg.Trace(&Event{Time: now, Kind: EventTimer, Tuple: c.id, Timer: t})
		}
		switch t {
		case TimerRetransmit:
			refused := c.refused
			c.rtoAt, c.refused = 0, false
			c.retransmitTimeout(now, refused)
		case TimerReorder:
			c.refused = false
			c.reorderTimeout(now)
		case TimerPacing:
			// Output sends what waited.
		case TimerProbe:
			c.wants.tailProbe, c.refused = true, false
		case TimerPersist:
			c.persistTimeout(now)
		case TimerDelayedAck:
			if c.waitsForText() {
				c.sendWaitingSyn(now)
				continue
			}
			c.rule(now, RuleDelayedAck)
			c.wants.ack = true
		case TimerKeepAlive:
			c.keepAliveTimeout(now)
		case TimerFinWait2:
			c.die(now, 0, RuleFinWait2Timeout)
		case TimerUserTimeout:
			c.wants.reset = c.state.Synchronized()
			c.giveUp(now, RuleUserTimeout)
		}
	}
	c.rest(now)
}

// startRetransmit runs the retransmission timer anew, unless the persist timer
// runs in its place: then Output decides.
func (c *Conn) startRetransmit(now Time) {
	if !c.timerRunning(TimerPersist) {
		c.rtoAt = now.Add(c.rtt.timeout(c.cfg))
		c.armLossTimer(now)
	}
}

// armLossTimer runs one of the timers that wait for the ACK of what is
// outstanding (RFC 8985, Section 8): RACK's, if that found something to wait
// for, else that of the tail loss probe, else the retransmission timer.
func (c *Conn) armLossTimer(now Time) {
	c.stopTimer(TimerRetransmit)
	c.stopTimer(TimerProbe)
	switch {
	case c.rtoAt == 0 || c.timerRunning(TimerReorder):
	case c.mayProbe():
		c.setTimer(TimerProbe, c.probeTime(now))
	default:
		c.setTimer(TimerRetransmit, c.rtoAt)
	}
}

// stopLossTimers stops all of them.
func (c *Conn) stopLossTimers() {
	c.rtoAt = 0
	c.stopTimer(TimerReorder)
	c.armLossTimer(0)
}

// retransmitTimeout is RFC 6298, Sections 5.4 to 5.7: the earliest segment
// goes again, the time-out doubles; and RFC 9293, Section 3.8.3: after R2 the
// connection is given up. What the host's own link refused says nothing about the
// path.
func (c *Conn) retransmitTimeout(now Time, refused bool) {
	if int(c.count.retransmits) >= c.retryLimit() {
		c.giveUp(now, RuleRetriesExhausted)
		return
	}
	c.rule(now, RuleRetransmitTimeout)
	first := c.count.retransmits == 0
	c.count.retransmits++
	c.rtt.backOff()
	c.rtt.cancel()
	if c.synUnacked() {
		c.wants.syn = true
		return
	}
	c.suspectFastOpen()
	if !refused {
		c.suspectBlackHole(now)
	}
	c.loseByTimeout(now, first)
	if c.snd.wnd == 0 && c.sndbuf.size > 0 {
		c.probeWindow(now) // for the text that is lost there is no room
	}
}

// loseByTimeout marks what a time-out says is lost. RFC 8985, Section 6.3: that
// is the first segment, and what was sent a round trip ago; RFC 6582, Section 3.2: without
// SACK, all that is outstanding.
func (c *Conn) loseByTimeout(now Time, first bool) {
	l, fresh := &c.loss, c.loss.phase == lossOpen
	// With the window closed, the silence is no sign of congestion, and
	// nothing may be sent but probes: Output arms the persist timer.
	if c.snd.wnd > 0 {
		c.cc.timeout(now, c.outstanding(), first)
	}
	l.begin(lossTimedOut, c.snd.una, c.snd.nxt)
	c.ecn.reduced(c.snd.nxt)
	l.force = true
	c.stopTimer(TimerReorder)
	if c.sent == nil {
		return
	}
	if fresh || !first {
		l.frto = frtoSent // RFC 5682, Section 2.1, step 1
	}
	if c.reneged() {
		// RFC 2018, Section 8: what was reported to have arrived is not there
		// any more.
		c.rule(now, RuleReneged)
		c.sent.forget()
		l.frto = frtoOff
	} else if c.rcv.sack && c.snd.wnd > 0 {
		c.loseHead(now)
		age := c.rack.rtt + c.rack.window(true, c.rtt.least(), c.rtt.srtt)
		c.sent.loseOlder(now.Add(-age), func(r *sentRecord) { c.noteLost(now, r) })
		return
	}
	c.sent.loseOlder(now, func(r *sentRecord) { c.noteLost(now, r) })
}

// loseHead marks the first segment as lost.
func (c *Conn) loseHead(now Time) {
	b := c.sent
	if b.at(0).has(recLost) {
		return
	}
	if r := b.at(0); r.len() > c.snd.mss+1 {
		b.split(0, r.start.Add(seqnum.Size(c.snd.mss)))
	}
	c.noteLost(now, b.at(0))
	b.lose(0)
}

// retryLimit is R2, counted in retransmissions. A user time-out replaces it
// (tcp(7)).
func (c *Conn) retryLimit() int {
	switch {
	case !c.state.Synchronized():
		if c.opt.SynRetries > 0 {
			return c.opt.SynRetries
		}
		return c.cfg.SynRetries
	case c.opt.UserTimeout > 0:
		return math.MaxInt
	case c.orphan:
		return c.cfg.OrphanRetries
	}
	return c.cfg.Retries
}

// giveUp ends the connection because the peer does not answer. A soft error
// tells more than a time-out (RFC 9293, Section 3.9.2.2).
func (c *Conn) giveUp(now Time, rule Rule) {
	err := syscall.Errno(c.softErr)
	if err == 0 {
		err = syscall.ETIMEDOUT
	}
	c.die(now, err, rule)
}

// persistTimeout asks for a zero-window probe, or, when the window is only
// too small for comfort, lets Output send what fits. RFC 9293, Section
// 3.8.6.1: the connection stays as long as the probes are answered; one that
// nobody owns does not stay for ever.
func (c *Conn) persistTimeout(now Time) {
	if c.refused {
		c.refused = false
		c.retryRefused(now)
		return
	}
	if c.snd.wnd > 0 {
		c.rule(now, RuleSillyWindowOverride)
		c.wants.override = true
		c.snd.push = c.dataEnd()
		return
	}
	if int(c.count.probes) >= c.retryLimit() || (c.orphan && int(c.rtt.backoff) >= c.cfg.OrphanRetries) {
		c.giveUp(now, RuleRetriesExhausted)
		return
	}
	c.rtt.backOff()
	c.rtt.cancel()
	c.probeWindow(now)
}

// probeWindow asks for a zero-window probe. The first one comes when the window
// was closed for one time-out (RFC 9293, Section 3.8.6.1, SHLD-29).
func (c *Conn) probeWindow(now Time) {
	c.rule(now, RuleZeroWindowProbe)
	c.count.probes++
	c.wants.probe = true
}

// startPersist runs the persist timer: first after the retransmission
// time-out, then doubling (RFC 9293, Section 3.8.6.1).
func (c *Conn) startPersist(now Time, d time.Duration) {
	if !c.timerRunning(TimerPersist) {
		c.setTimer(TimerPersist, now.Add(d))
	}
}

// keepAliveTimeout is RFC 9293, Section 3.8.4: a probe when nothing arrived
// for the idle time and nothing is outstanding; the connection is dead when
// several go unanswered.
func (c *Conn) keepAliveTimeout(now Time) {
	idle := now.Sub(c.count.lastRecv)
	switch {
	case c.outstanding() > 0 || c.unsent() > 0 || c.finPending():
		// The retransmission or persist timer watches the peer.
		c.setTimer(TimerKeepAlive, now.Add(c.opt.KeepIdle))
		return
	case idle < c.opt.KeepIdle:
		c.setTimer(TimerKeepAlive, c.count.lastRecv.Add(c.opt.KeepIdle))
		return
	case c.keepAliveSpent(idle):
		c.wants.reset = true
		c.die(now, syscall.ETIMEDOUT, RuleKeepAliveDead)
		return
	}
	c.rule(now, RuleKeepAliveProbe)
	c.count.probes++
	c.wants.probe = true
	c.setTimer(TimerKeepAlive, now.Add(c.opt.KeepInterval))
}

// keepAliveSpent reports whether the peer had its chances. With a user time-out
// set that decides instead of the count (tcp(7)).
func (c *Conn) keepAliveSpent(idle time.Duration) bool {
	if c.opt.UserTimeout > 0 {
		return c.count.probes > 0 && idle >= c.opt.UserTimeout
	}
	return int(c.count.probes) >= c.opt.KeepCount
}

// startKeepAlive runs the keep-alive timer anew, from the last segment that
// arrived.
func (c *Conn) startKeepAlive(now Time) {
	if c.opt.KeepAlive && c.state.Synchronized() && c.state != StateTimeWait {
		c.setTimer(TimerKeepAlive, max(now, c.count.lastRecv.Add(c.opt.KeepIdle)))
	}
}

// startUserTimeout runs the user time-out, unless it runs already, from the
// last time something was acknowledged or first became outstanding (RFC 9293,
// Section 3.10.8).
func (c *Conn) startUserTimeout(now Time) {
	if c.opt.UserTimeout > 0 && !c.timerRunning(TimerUserTimeout) {
		c.setTimer(TimerUserTimeout, now.Add(c.opt.UserTimeout))
	}
}

// startFinWait2 bounds FIN-WAIT-2 for a connection that nobody owns: the peer
// might never close.
func (c *Conn) startFinWait2(now Time) {
	limit := c.cfg.FinWait2
	switch {
	case c.opt.FinWait2 > 0:
		limit = c.opt.FinWait2
	case c.opt.FinWait2 < 0:
		c.wants.reset = true
		c.die(now, 0, RuleFinWait2Timeout)
		return
	}
	if limit > 0 {
		c.setTimer(TimerFinWait2, now.Add(limit))
	}
}
