package tcp

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

func userTimeout(t *testing.T) *driver {
	return newDriver(t, withOptions(Options{NoDelay: true, UserTimeout: 5 * time.Second})).connect()
}

// RFC 9293, Section 3.10.8 (MUST-21, R5482-3): text that stays unacknowledged
// that long ends the connection, with ETIMEDOUT and a RST.
func TestUserTimeout(t *testing.T) {
	d := userTimeout(t)
	d.now = d.now.Add(time.Hour)
	d.write(10)
	d.advance(4999 * ms)
	d.wantState(StateEstablished)
	d.sent = d.sent[:0]
	d.advance(ms)
	d.want("R. 11:11(0) ack 1")
	d.wantState(StateClosed)
	d.wantRule(RuleUserTimeout)
	d.wantWrite(syscall.ETIMEDOUT)
	d.wantRead(0, io.EOF)
}

// Each ACK of something new begins it anew; with nothing left it stops.
func TestUserTimeoutProgress(t *testing.T) {
	d := userTimeout(t)
	d.write(100)
	for i := range 10 {
		d.advance(4 * time.Second)
		d.in(seg{f: wire.ACK, seq: 1, ack: 2 + i})
	}
	d.wantState(StateEstablished)
	d.write(100) // more text is no progress
	d.advance(4 * time.Second)
	d.write(100)
	d.advance(time.Second)
	d.wantState(StateClosed)

	d = userTimeout(t)
	d.write(10)
	d.in(seg{f: wire.ACK, seq: 1, ack: 11})
	if d.c.NextTimeout() != 0 {
		t.Error("a timer runs with nothing outstanding")
	}
}

// R5482-3: it bounds the time behind a closed window, too, answered probes or
// not.
func TestUserTimeoutBehindZeroWindow(t *testing.T) {
	d := userTimeout(t)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.write(10)
	for range 6 {
		d.advance(time.Second)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	}
	d.wantState(StateClosed)
	d.wantRead(0, syscall.ETIMEDOUT)
}

// It bounds a FIN; calling Close again, or later, does not prolong it.
func TestUserTimeoutOfFin(t *testing.T) {
	d := userTimeout(t)
	d.closeWrite()
	d.advance(3 * time.Second)
	d.c.Close(d.now)
	d.output()
	d.advance(2 * time.Second)
	d.wantState(StateClosed)

	d = userTimeout(t)
	d.write(10)
	d.advance(3 * time.Second)
	d.closeWrite()
	d.advance(2 * time.Second)
	d.wantState(StateClosed)
}

// MUST-21: it can be set, changed and taken away while text is outstanding.
func TestUserTimeoutChanged(t *testing.T) {
	d := newDriver(t).connect()
	d.write(10)
	d.advance(time.Second)
	d.setOptions(func(o *Options) { o.UserTimeout = 3 * time.Second })
	d.advance(3 * time.Second)
	d.wantState(StateClosed)

	d = userTimeout(t)
	d.write(10)
	d.setOptions(func(o *Options) { o.UserTimeout = 0 })
	d.advance(time.Minute)
	d.wantState(StateEstablished)
}

// MUST-21 (tcp(7)): a user time-out replaces R2: the connection may live longer,
// too.
func TestUserTimeoutReplacesR2(t *testing.T) {
	for name, begin := range map[string]func(*driver){
		"unanswered text": func(d *driver) { d.write(10) },
		"unanswered probes": func(d *driver) {
			d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
			d.write(10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, withOptions(Options{NoDelay: true, UserTimeout: 24 * time.Hour})).connect()
			begin(d)
			_, end := d.retransmit()
			if end != 24*time.Hour {
				t.Errorf("gave up after %v, want 24h", end)
			}
			d.wantRule(RuleUserTimeout)
		})
	}
}
