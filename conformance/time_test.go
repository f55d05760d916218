package conformance

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

func (t *trial) timeUser() {
	const limit = 100 * time.Millisecond
	set := func(o *tcp.Options) { o.UserTimeout = limit }
	switch {
	case t.begins("CL", "LI", "TW"):
		if t.conn != nil {
			t.setOptions(set)
		}
		t.never(tcp.TimerUserTimeout, tcp.RuleUserTimeout)
	case t.has("passive"):
		t.until(tcp.RuleSynAckExhausted) // the only limit, with no user to set one
	case t.has("keep-alive"):
		t.setOptions(func(o *tcp.Options) { o.UserTimeout = time.Hour + 30*time.Second })
		t.until(tcp.RuleKeepAliveDead)
	case t.has("idle"):
		t.setOptions(set)
		t.never(tcp.TimerUserTimeout, tcp.RuleUserTimeout)
	default:
		if t.begins("ES", "CW") && !t.has("text") {
			t.write(10)
		}
		t.setOptions(set)
		t.until(tcp.RuleUserTimeout)
	}
}

// timeRetransmit lets the retransmission time-out pass, of what is outstanding.
func (t *trial) timeRetransmit() {
	rules := []tcp.Rule{tcp.RuleRetransmitTimeout, tcp.RuleSynAckRetransmit}
	switch {
	case t.begins("CL", "LI", "F2", "TW"):
		t.never(tcp.TimerRetransmit, rules...)
	case t.begins("ES", "CW"):
		t.write(10)
		fallthrough
	default:
		t.until(rules...)
	}
}

// timeR2 lets all retransmissions go unanswered.
func (t *trial) timeR2() {
	rules := []tcp.Rule{tcp.RuleRetriesExhausted, tcp.RuleSynAckExhausted}
	if t.begins("CL", "LI", "F2", "TW") {
		t.never(tcp.TimerRetransmit, rules...)
		return
	}
	if t.begins("ES", "CW") {
		t.write(10)
	}
	if t.has("soft") {
		t.unreachable(wire.ICMPHostUnreachable, t.peer.una)
	}
	t.until(rules...)
}

// timePersist lets the persist timer fire while the peer's window is zero.
func (t *trial) timePersist() {
	rules := []tcp.Rule{tcp.RuleZeroWindowProbe, tcp.RuleSillyWindowOverride}
	if !t.has("shut-wnd") {
		t.never(tcp.TimerPersist, rules...)
		return
	}
	if t.has("orphan") {
		t.probesUntilOver()
		return
	}
	t.until(rules...)
	// RFC 9293, Section 3.8.6.1: never fatal while the peer answers.
	state, probes := t.next(), t.sent
	t.after = func() {
		for range 50 {
			t.until(rules...)
			t.send(wire.ACK, 0, t.peer.una, 0)
		}
		if t.next() != state || len(probes) == 0 {
			t.Errorf("%s after 50 probes that were answered, want %s", t.next(), state)
		}
	}
}

// probesUntilOver answers the probes of a connection that nobody owns, until
// there are no more.
func (t *trial) probesUntilOver() {
	n := 0
	for ; n < 100 && t.next() == t.state; n++ {
		t.until(tcp.RuleZeroWindowProbe, tcp.RuleRetriesExhausted)
		if t.rules[tcp.RuleZeroWindowProbe] > 0 {
			t.send(wire.ACK, 0, t.peer.una, 0)
		}
	}
	if n != 9 {
		t.Errorf("over after %d probes, want 8", n-1)
	}
}

// timeKeepAlive lets the idle time pass.
func (t *trial) timeKeepAlive() {
	if t.has("busy") {
		// Retransmissions that go unanswered would end the connection first.
		t.write(10)
		t.setOptions(func(o *tcp.Options) { o.KeepIdle, o.KeepInterval = time.Second, time.Second })
	}
	if t.has("idle") && t.has("keep-alive") {
		t.until(tcp.RuleKeepAliveProbe)
		return
	}
	if t.conn != nil && !t.has("off") {
		t.setOptions(func(o *tcp.Options) { o.KeepAlive, o.KeepIdle = true, time.Second })
	}
	t.never(noTimer, tcp.RuleKeepAliveProbe)
}

// timeKeepAliveSpent lets all probes go unanswered.
func (t *trial) timeKeepAliveSpent() {
	if t.has("idle") {
		t.until(tcp.RuleKeepAliveDead)
		return
	}
	if t.conn != nil {
		t.setOptions(func(o *tcp.Options) { o.KeepAlive, o.KeepIdle, o.KeepInterval = true, time.Second, time.Second })
	}
	t.never(noTimer, tcp.RuleKeepAliveDead)
}

func (t *trial) timeTimeWait() {
	if !t.begins("TW") {
		t.never(tcp.TimerTimeWait, tcp.RuleTimeWaitExpired)
		return
	}
	t.until(tcp.RuleTimeWaitExpired)
	t.listener.Close(t.now)
	t.after = func() { // the port can be used again
		c, err := t.e.Dial(t.now, t.peer.tuple.Local(), t.peer.tuple.Remote(), tcp.Options{})
		if err != nil {
			t.Errorf("Dial from the same port: %v", err)
			return
		}
		c.Abort(t.now)
	}
}

func (t *trial) timeFinWait2() {
	if !t.has("orphan") {
		t.never(tcp.TimerFinWait2, tcp.RuleFinWait2Timeout)
		return
	}
	start := t.now
	t.until(tcp.RuleFinWait2Timeout)
	if d := t.now.Sub(start); d != time.Minute {
		t.Errorf("FIN-WAIT-2 ends after %v, want 1m", d)
	}
	t.after = func() { // what comes later meets CLOSED
		t.listener.Close(t.now)
		t.mark()
		t.text(0, 5)
		if got := t.segments(); got != "RST(a)" {
			t.Errorf("later text is answered by %s, want RST(a)", got)
		}
	}
}
