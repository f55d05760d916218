package tcp

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// keepAlive is a connection with keep-alive after 100 s, then every 10 s, three
// times.
func keepAlive(t *testing.T, mod ...func(*Options)) *driver {
	o := Options{NoDelay: true, KeepAlive: true, KeepIdle: 100 * time.Second, KeepInterval: 10 * time.Second, KeepCount: 3}
	for _, m := range mod {
		m(&o)
	}
	return newDriver(t, withOptions(o)).connect()
}

// RFC 9293, Section 3.8.4 (MUST-24, MUST-25, MUST-28, SOCK-59, D-18): off unless
// the user asks; by default the first probe after two hours, and dead after two
// hours, eleven minutes and fifteen seconds.
func TestKeepAliveDefaults(t *testing.T) {
	d := newDriver(t).connect()
	if d.c.NextTimeout() != 0 {
		t.Error("keep-alive is on")
	}
	d.setOptions(func(o *Options) { o.KeepAlive = true })
	d.wantTimeout(2 * time.Hour)
	at, end := d.retransmit()
	if len(at) != 10 || at[0] != 2*time.Hour || at[1]-at[0] != 75*time.Second { // the last is the RST
		t.Errorf("probes at %v", at)
	}
	if end != 2*time.Hour+11*time.Minute+15*time.Second {
		t.Errorf("dead after %v", end)
	}
	d.setOptions(func(o *Options) { o.KeepAlive = false }) // harmless
}

// RFC 9293, Section 3.8.4 (MUST-29, SHLD-12, SOCK-19): an empty probe before the
// window; dead only after several without an answer, with ETIMEDOUT and a RST.
func TestKeepAlive(t *testing.T) {
	d := keepAlive(t)
	d.advance(99 * time.Second)
	d.want()
	d.advance(time.Second)
	d.want(". 0:0(0) ack 1")
	d.wantRule(RuleKeepAliveProbe)
	d.advance(20 * time.Second)
	d.want(". 0:0(0) ack 1", ". 0:0(0) ack 1")
	d.wantState(StateEstablished)
	d.advance(10 * time.Second)
	d.want("R. 1:1(0) ack 1")
	d.wantState(StateClosed)
	d.wantRule(RuleKeepAliveDead)
	d.wantRead(0, syscall.ETIMEDOUT)
}

// R1122K-1: an answer begins the count anew.
func TestKeepAliveAnswered(t *testing.T) {
	d := keepAlive(t)
	for range 50 {
		d.advance(120 * time.Second)
		if n := d.sentCount(); n == 0 || n > 3 {
			t.Fatalf("%d probes in 120 s", n)
		}
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
	}
	d.wantState(StateEstablished)
}

// RFC 9293, Section 3.8.4 (MUST-26, R1122K-2, SOCK-57, SOCK-58): no probe while
// anything is outstanding, nor before the idle time since the last segment.
func TestKeepAliveWaits(t *testing.T) {
	d := keepAlive(t)
	d.now = d.now.Add(60 * time.Second)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 5})
	d.sent = d.sent[:0]
	d.advance(99 * time.Second)
	d.want()
	d.advance(time.Second)
	d.want(". 0:0(0) ack 6")

	d = keepAlive(t)
	d.write(10)
	d.sent = d.sent[:0]
	d.advance(200 * time.Second)
	for _, s := range d.sent {
		if s != "P. 1:11(10) ack 1 win 65535" {
			t.Errorf("sent %v while text is outstanding", s)
		}
	}
}

// SOCK-57: a new idle time counts from the last segment.
func TestKeepIdleChanged(t *testing.T) {
	d := keepAlive(t)
	d.now = d.now.Add(50 * time.Second)
	d.setOptions(func(o *Options) { o.KeepIdle = 70 * time.Second })
	d.wantTimeout(20 * time.Second)
	d.setOptions(func(o *Options) { o.TTL = 7 }) // changes nothing
	d.wantTimeout(20 * time.Second)
	d.setOptions(func(o *Options) { o.KeepIdle = 10 * time.Second })
	d.wantTimeout(0)
	d.setOptions(func(o *Options) { o.KeepAlive = false })
	if d.c.NextTimeout() != 0 {
		t.Error("a timer runs with keep-alive off")
	}
}

// R1122K-3: a peer that was started anew answers with RST.
func TestKeepAliveReset(t *testing.T) {
	d := keepAlive(t)
	d.advance(100 * time.Second)
	d.in(seg{f: wire.RST, seq: 1})
	d.wantRead(0, syscall.ECONNRESET)
}

// R1122K-4 (tcp(7)): with a user time-out set that decides, not the count.
func TestKeepAliveWithUserTimeout(t *testing.T) {
	for _, tt := range []struct{ timeout, dead time.Duration }{
		{200 * time.Second, 200 * time.Second},
		{50 * time.Second, 110 * time.Second},
	} {
		d := keepAlive(t, func(o *Options) { o.UserTimeout = tt.timeout })
		start := d.now
		for d.c.NextTimeout() != 0 {
			d.advance(d.c.NextTimeout().Sub(d.now))
		}
		if got := fmt.Sprint(d.now.Sub(start)); got != fmt.Sprint(tt.dead) {
			t.Errorf("user time-out %v: dead after %v, want %v", tt.timeout, got, tt.dead)
		}
	}
}

// RFC 9293, Section 3.8.4: in every state in which the connection may be idle.
func TestKeepAliveInStates(t *testing.T) {
	for _, s := range []State{StateEstablished, StateCloseWait, StateFinWait2} {
		d := connState(t, s, withOptions(Options{KeepAlive: true, KeepIdle: time.Second}))
		d.advance(time.Second)
		snd, rcv := d.nxt()
		d.want(ackOf(snd-1, rcv))
	}
}
