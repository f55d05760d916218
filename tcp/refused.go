package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// refusedTime is how long a connection waits with nothing in flight after the
// host's own link refused what it sent (TCP_RESOURCE_PROBE_INTERVAL of Linux).
const refusedTime = 500 * time.Millisecond

// Refused takes back what the link of this host did not take, from start until
// before end: the queue of the device is full. It never was on the network, so
// that it is no loss that has to show by a missing ACK: new data goes as if it
// had not been sent, and what went again is lost as before. Nothing more is sent
// until an ACK comes, which says that something left, or a timer fires; with
// nothing in flight after a time-out at first, and then every 500 ms, which
// counts as probing (Linux does the same with what a queueing discipline drops).
//
// Refused is called after the Output that sent it, for later data first.
func (c *Conn) Refused(now Time, start, end seqnum.Value) {
	if !c.open() || c.synUnacked() || c.sent == nil {
		return
	}
	start = seqnum.Max(start, c.snd.una)
	if !start.Less(end) || c.snd.nxt.Less(end) {
		return
	}
	c.wake()
	c.rule(now, RuleRefused)
	c.refused = true
	if end == c.snd.nxt {
		end = c.takeBack(start)
	}
	c.loseRefused(start, end)
	if c.outstanding() > 0 {
		return
	}
	c.stopLossTimers()
	if c.count.probes > 0 {
		c.startPersist(now, refusedTime)
		return
	}
	c.stopTimer(TimerUserTimeout) // the first probe starts it
	c.startPersist(now, max(c.rtt.rto, c.cfg.MinRTO))
}

// releaseRefused lets the connection go on after an ACK, before which prior bytes
// were in flight. A queue that was full in this host is as good a sign of congestion
// as one on the way, if what filled it was this connection's.
func (c *Conn) releaseRefused(now Time, prior int) {
	if !c.refused {
		return
	}
	c.refused = false
	if prior > 0 {
		c.reduceByMark(now, prior)
	}
}

// takeBack makes what was sent for the first time from start on, the last that
// was sent, unsent, and returns where that begins.
func (c *Conn) takeBack(start seqnum.Value) seqnum.Value {
	b := c.sent
	old := c.snd.nxt
	for b.n > 0 && start.Less(b.end()) {
		r := b.at(b.n - 1)
		if r.has(recResent | recSacked | recLost) {
			break
		}
		if r.start.Less(start) {
			r.end = start
			break
		}
		b.n--
		c.snd.nxt = r.start
	}
	if b.n > 0 {
		c.snd.nxt = b.end()
	}
	nxt := c.snd.nxt
	if c.snd.finSent && nxt != old {
		c.snd.finSent = false
	}
	if b.n == 0 {
		c.sent = nil
	} else {
		b.settled, b.lostFrom = seqnum.Min(b.settled, nxt), seqnum.Min(b.lostFrom, nxt)
	}
	if c.rtt.timing && nxt.Less(c.rtt.seq) {
		c.rtt.cancel()
	}
	if nxt.Less(c.snd.small) {
		c.snd.small = c.snd.una
	}
	if l := &c.loss; nxt.Less(l.tlp.end) {
		l.tlp = tailProbe{}
	}
	c.loss.recover = seqnum.Min(c.loss.recover, nxt)
	c.usage.end = seqnum.Min(c.usage.end, nxt)
	c.ecn.end = seqnum.Min(c.ecn.end, nxt)
	c.rtt.next = seqnum.Min(c.rtt.next, nxt)
	c.loss.prr.out = max(0, c.loss.prr.out-int32(old.Diff(nxt)))
	return nxt
}

// loseRefused marks what went again, or what later data went past, as lost once
// more. It is not the network that lost it: nobody else is told.
func (c *Conn) loseRefused(start, end seqnum.Value) {
	b := c.sent
	if b == nil || !start.Less(end) {
		return
	}
	i := b.find(start)
	if b.at(i).start.Less(start) {
		b.split(i, start)
		i++
	}
	for ; i < b.n && b.at(i).start.Less(end); i++ {
		if end.Less(b.at(i).end) {
			b.split(i, end)
		}
		r := b.at(i)
		if r.has(recSacked | recLost) {
			continue
		}
		b.lose(i)
		c.loss.prr.out = max(0, c.loss.prr.out-int32(r.len()))
	}
	c.loss.force = c.loss.phase != lossOpen
}

// retryRefused tries again what the link refused, when the timer has run out. How
// often says nothing about the peer: only a user time-out ends the connection, or
// that nobody owns it.
func (c *Conn) retryRefused(now Time) {
	if c.orphan && int(c.count.probes) >= c.cfg.OrphanRetries {
		c.giveUp(now, RuleRetriesExhausted)
		return
	}
	c.count.probes++
	c.startUserTimeout(now)
}
