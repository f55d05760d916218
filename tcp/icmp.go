package tcp

import (
	"syscall"

	"github.com/trivet-net/trivet/seqnum"
)

// The least path MTU we believe in, in bytes: Linux's min_pmtu, and IPv6's own
// (R5927-5).
const (
	minMTU4 = 552
	minMTU6 = 1280
)

// ICMPError tells of an ICMP error that quotes a segment of this connection
// sent with sequence number seq. err is what it maps to. RFC 5927: the
// quoted number has to be one that is outstanding, and in a synchronized state
// even a hard error only tells why, if the connection fails (Sections 4.1 and
// 5.2). While opening, errors end the attempt, soft ones too, as on Linux
// (DIS-4), but in SYN-RECEIVED only hard ones.
func (c *Conn) ICMPError(now Time, seq seqnum.Value, err syscall.Errno, hard bool) {
	c.wake()
	defer c.rest(now)
	if c.dead() || !c.quoted(seq) {
		c.rule(now, RuleICMPIgnored)
		return
	}
	rule := RuleICMPSoft
	if hard {
		rule = RuleICMPHard
	}
	if c.state == StateSynSent || (c.state == StateSynReceived && hard) {
		c.die(now, err, rule)
		return
	}
	c.rule(now, rule)
	c.softErr = errno(err)
}

// quoted reports whether seq is outstanding.
func (c *Conn) quoted(seq seqnum.Value) bool {
	return seq.In(c.snd.una, c.snd.nxt.Sub(c.snd.una))
}

// ICMPTooBig tells of an ICMP "fragmentation needed" or "packet too big" with
// the given MTU that quotes a segment sent with sequence number seq. It
// reports whether the message was believed. What was too big is sent again at
// once in smaller segments; this is no congestion (RFC 1191, Section 6.5).
func (c *Conn) ICMPTooBig(now Time, seq seqnum.Value, mtu int) bool {
	c.wake()
	defer c.rest(now)
	is4 := c.id.LocalAddr.Is4()
	if is4 {
		mtu = max(mtu, minMTU4)
	}
	if !c.dead() && c.quoted(seq) && c.mtuProbeTooBig(now, seq, mtu) {
		return false
	}
	if c.dead() || !c.quoted(seq) || mtu >= c.path.MTU || (!is4 && mtu < minMTU6) {
		c.rule(now, RuleICMPIgnored)
		return false
	}
	c.rule(now, RulePathMTU)
	old := c.snd.mss
	c.searchMTU(now, mtu, mtu) // larger again in ten minutes
	if c.fast != nil && c.fast.text > 0 && c.state == StateSynSent {
		c.wants.syn = true // at once, without the text
	}
	if c.snd.mss < old && c.state.Synchronized() {
		if c.sent != nil {
			c.sent.loseOlder(now, func(*sentRecord) {})
		}
		c.loss.force = true
		c.rtt.cancel()
	}
	return true
}
