package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// tailProbe is the tail loss probe of RFC 8985, Section 7: when the ACKs cease,
// the last segment goes again, or a new one, so that its ACK tells by SACK what
// is missing before the retransmission time-out has to.
type tailProbe struct {
	end    seqnum.Value // TLP.end_seq: an ACK of it answers the probe
	active bool         // a probe was sent and is not answered
	again  bool         // it was a retransmission (TLP.is_retrans)
	stale  bool         // no round trip was measured since the last probe
}

const (
	// ackDelay is WCDelAckT: how long a peer may keep the ACK of a single
	// segment (Section 7.2).
	ackDelay = 200 * time.Millisecond
	// probeSlack is added where several segments are in flight, so that on a
	// short path the probe does not race with their ACK.
	probeSlack = 2 * time.Millisecond
	// eagerRTT is the round-trip time from which on a probe may be eager: on a
	// shorter path every delayed ACK would draw one.
	eagerRTT = 10 * time.Millisecond
)

// probeTimeout is the PTO of Section 7.2.
func probeTimeout(srtt time.Duration, single bool, tick time.Duration) time.Duration {
	d := 2*srtt + probeSlack + 2*tick
	if single {
		d = 2*srtt + ackDelay
	}
	return d
}

// eagerTimeout is a PTO by what was measured: how long the peer keeps its ACKs is
// part of the round-trip times, and their variation says how sure they are (as in
// QUIC, RFC 9002, Section 6.2.1).
func eagerTimeout(srtt, rttvar, tick time.Duration) time.Duration {
	return srtt + 4*rttvar + probeSlack + 2*tick
}

// sent notes that a probe went out, up to end.
func (p *tailProbe) sent(end seqnum.Value, again bool) {
	*p = tailProbe{end: end, active: true, again: again, stale: true}
}

// acked takes an ACK of una, and reports whether the probe repaired a loss that
// nothing else told of (Section 7.4.2). duplicate: it reported the probe by
// DSACK; empty: it was a duplicate ACK which told nothing.
func (p *tailProbe) acked(una seqnum.Value, duplicate, empty bool) (repaired bool) {
	if !p.active || una.Less(p.end) {
		return false
	}
	switch {
	case !p.again, duplicate:
		p.active = false
	case p.end.Less(una):
		p.active = false
		return true
	case empty:
		p.active = false
	}
	return false
}

// mayProbe reports whether the timer to run is that of the tail loss probe
// (Section 7.2): not before there is a round-trip time, not while SACK or the
// recovery tells more, and not again before an answer.
func (c *Conn) mayProbe() bool {
	return c.rcv.sack && c.state.Synchronized() && !c.synUnacked() && c.rtt.srtt > 0 &&
		c.loss.phase == lossOpen && !c.loss.tlp.active && !c.loss.tlp.stale &&
		c.sent != nil && c.sent.sacked == 0 && c.sent.lost == 0
}

// probeTime is when the probe is due: never after the time-out. What was measured
// decides until a probe turns out to have been needless (ADR 11).
func (c *Conn) probeTime(now Time) Time {
	tick := c.rack.coarse()
	at := min(now.Add(probeTimeout(c.rtt.srtt, c.outstanding() <= c.snd.mss, tick)), c.rtoAt)
	if c.cfg.PatientProbes || c.rack.patient || c.rtt.srtt < eagerRTT {
		return at
	}
	// From when the last segment left, not from the last ACK; but what comes
	// with that ACK is let in.
	eager := c.count.lastSent.Add(eagerTimeout(c.rtt.srtt, c.rtt.rttvar, tick))
	return min(at, max(eager, now.Add(probeSlack)))
}

// probeAcked tells the probe of an ACK. A loss that the probe repaired, and
// nothing else saw, is a sign of congestion all the same (Section 7.4.2).
func (c *Conn) probeAcked(now Time, seg *wire.Segment, advanced bool, d *delivery) {
	p := &c.loss.tlp
	dup := d.dsack != (wire.SACKBlock{}) && d.dsack.Right == p.end
	empty := !advanced && !d.news && seg.Len() == 0
	if dup && p.active && p.again {
		c.rack.patient = true
	}
	if p.acked(c.snd.una, dup, empty) && c.loss.phase == lossOpen {
		c.rule(now, RuleProbeRepaired)
		c.cc.lost(now, c.inFlight()+d.bytes)
		c.cc.recovered(now, max(c.outstanding(), c.cc.threshold()))
	}
}

// sendTailProbe sends the probe: new data if there is some and the peer has
// room, else the last segment again (Section 7.3). The congestion window does
// not hold it.
func (c *Conn) sendTailProbe(now Time, out *Batch) {
	if !c.wants.tailProbe {
		return
	}
	c.wants.tailProbe = false
	if c.sent == nil || c.loss.phase != lossOpen || c.sent.sacked > 0 || c.sent.at(c.sent.n-1).has(recLost) {
		c.armLossTimer(now) // an ACK came in between, or the link refused what goes instead
		return
	}
	c.rule(now, RuleTailProbe)
	n := min(c.unsent(), c.dataMSS())
	if n > 0 && c.windowEdge().Diff(c.snd.nxt) >= n {
		c.sendNewSegment(now, out, n, c.finPending() && n == c.unsent())
		c.loss.tlp.sent(c.snd.nxt, false)
	} else if !c.windowEdge().Less(seqnum.Min(c.snd.nxt, c.dataEnd())) {
		// What the peer's window has no room for any more is not sent again
		// (RFC 9293, MAY-7).
		c.resendLast(now, out)
		c.loss.tlp.sent(c.snd.nxt, true)
	} else {
		c.loss.tlp.stale = true // the time-out is next
	}
	c.startRetransmit(now) // the answer has a time-out to come
}

// resendLast sends the last segment that was sent once more.
func (c *Conn) resendLast(now Time, out *Batch) {
	b := c.sent
	r := b.at(b.n - 1)
	text := seqnum.Min(r.end, c.dataEnd()).Diff(r.start)
	if before := (text - 1) / int(r.size) * int(r.size); before > 0 {
		b.split(b.n-1, r.start.Add(seqnum.Size(before)))
		r, text = b.at(b.n-1), text-before
	}
	b.lose(b.n - 1)
	c.sendAgain(now, out, r.start, text, c.snd.finSent)
}
