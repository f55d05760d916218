package tcp

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// fsmStates are the columns of the table below. SYN-SENT and SYN-RECEIVED have
// tests of their own, TIME-WAIT belongs to package engine.
var fsmStates = []State{
	StateEstablished, StateFinWait1, StateFinWait2, StateCloseWait, StateClosing, StateLastAck,
}

// fsmOptions let every timer of the table run.
var fsmOptions = Options{
	NoDelay: true, UserTimeout: 0, KeepIdle: time.Hour, KeepInterval: time.Minute, KeepCount: 2,
}

// RFC 9293, Section 3.10, with RFC 5961: what each event does in each state: the
// next state, "=" for the same, and what is sent: an ACK ("."), a FIN ("F."),
// text ("P."), a RST ("R."), or nothing ("-"). "n/a" is what cannot happen.
func TestStateMachine(t *testing.T) {
	at := func(d *driver, s seg) seg { // numbers relative to what is expected
		_, rcv := d.nxt()
		s.seq += rcv
		s.ack += d.c.snd.una.Diff(testISS)
		return s
	}
	in := func(s seg) func(*driver) {
		return func(d *driver) { d.in(at(d, s)) }
	}
	text := func(d *driver) { // something outstanding where it may be
		if d.c.State() == StateEstablished || d.c.State() == StateCloseWait {
			d.write(10)
		}
		d.sent = d.sent[:0]
	}
	// ES, F1, F2, CW, CG, LA.
	tests := []struct {
		event string
		do    func(*driver)
		want  string
	}{
		{"RST=", in(seg{f: wire.RST}), "CL- CL- CL- CL- CL- CL-"},
		{"RST~", in(seg{f: wire.RST, seq: 9}), "=. =. =. =. =. =."},
		{"RSTx", in(seg{f: wire.RST, seq: 99999}), "=- =- =- =- =- =-"},
		{"SYN", in(seg{f: wire.SYN}), "=. =. =. =. =. =."},
		{"SYNACK", in(seg{f: wire.SYN | wire.ACK}), "=. =. =. =. =. =."},
		{"SYNFIN", in(seg{f: wire.SYN | wire.FIN}), "=. =. =. =. =. =."},
		{"ACKn", func(d *driver) {
			text(d)
			d.in(at(d, seg{f: wire.ACK, ack: d.c.outstanding()}))
		}, "=- F2- =- =- TW- CL-"},
		{"ACKd", in(seg{f: wire.ACK}), "=- =- =- =- =- =-"},
		{"ACKo", in(seg{f: wire.ACK, ack: -9}), "=- =- =- =- =- =-"},
		{"ACKx", in(seg{f: wire.ACK, ack: -99999}), "=. =. =. =. =. =."},
		{"ACKf", in(seg{f: wire.ACK, ack: 99999}), "=. =. =. =. =. =."},
		{"NOACK", in(seg{n: 5}), "=- =- =- =- =- =-"},
		{"DATA", in(seg{f: wire.ACK, n: 5}), "=. =. =. =. =. =."},
		{"OOO", in(seg{f: wire.ACK, seq: 9, n: 5}), "=. =. =. =. =. =."},
		{"DOLD", in(seg{f: wire.ACK, seq: -9, n: 5}), "=. =. =. =. =. =."},
		{"DRIGHT", in(seg{f: wire.ACK, seq: 99999, n: 5}), "=. =. =. =. =. =."},
		{"DTRIM", in(seg{f: wire.ACK, seq: -9, n: 15}), "=. =. =. =. =. =."},
		{"FIN", in(seg{f: wire.ACK | wire.FIN}), "CW. CG. TW. =. =. =."},
		{"FINg", in(seg{f: wire.ACK | wire.FIN, seq: 9}), "=. =. =. =. =. =."},
		{"FINd", in(seg{f: wire.ACK | wire.FIN, seq: -1}), "n/a n/a n/a =. =. =."},
		{"URG", func(d *driver) {
			snd, rcv := d.nxt()
			u := urgent(rcv, 5, "")
			u.Ack = ours(int64(min(snd, d.c.snd.una.Diff(testISS))))
			d.c.Input(d.now, u)
			d.output()
		}, "=- =- =- =- =- =-"},

		{"SEND", func(d *driver) {
			if _, err := d.c.Write(d.now, []byte("x")); err != nil && err != syscall.EPIPE {
				d.t.Errorf("Write = %v", err)
			}
			d.output()
		}, "=P. =- =- =P. =- =-"},
		{"RECV", func(d *driver) { _, _ = d.c.Read(d.now, make([]byte, 1)); d.output() }, "=- =- =- =- =- =-"},
		{"CLOSE", (*driver).closeWrite, "F1F. =- =- LAF. =- =-"},
		{"ABORT", func(d *driver) { d.c.Abort(d.now); d.output() }, "CLR. CLR. CLR. CLR. CL- CL-"},

		{"USERTO", func(d *driver) {
			text(d)
			d.setOptions(func(o *Options) { o.UserTimeout = ms })
			d.advance(ms)
		}, "CLR. CLR. n/a CLR. CLR. CLR."},
		{"RTO", func(d *driver) {
			text(d)
			d.advance(210 * ms)
		}, "=P. =F. n/a =P. =F. =F."},
		{"R2", func(d *driver) {
			text(d)
			d.retransmit()
		}, "CL- CL- n/a CL- CL- CL-"},
		{"PERSIST", func(d *driver) {
			d.in(at(d, seg{f: wire.ACK, win: -1}))
			if d.c.outstanding() == 0 {
				_, _ = d.c.Write(d.now, []byte("x"))
			}
			d.output()
			d.advance(450 * ms)
		}, "=. =F. n/a =. =F. =F."}, // a FIN takes no room
		{"KEEP", func(d *driver) {
			d.setOptions(func(o *Options) { o.KeepAlive = true })
			d.advance(time.Hour)
		}, "=. n/a =. =. n/a n/a"},
		{"KEEPX", func(d *driver) {
			d.setOptions(func(o *Options) { o.KeepAlive = true })
			d.advance(time.Hour + time.Minute)
			d.sent = d.sent[:0]
			d.advance(time.Minute)
		}, "CLR. n/a CLR. CLR. n/a n/a"},
		{"FW2", func(d *driver) {
			d.c.Close(d.now)
			d.output()
			d.sent = d.sent[:0]
			d.advance(time.Minute)
		}, "n/a n/a CL- n/a n/a n/a"},
		{"IHARD", func(d *driver) { d.c.ICMPError(d.now, d.c.snd.una, syscall.ECONNREFUSED, true); d.output() }, "=- =- =- =- =- =-"},
		{"ISOFT", func(d *driver) { d.c.ICMPError(d.now, d.c.snd.una, syscall.EHOSTUNREACH, false); d.output() }, "=- =- =- =- =- =-"},
		{"IPTB", func(d *driver) {
			text(d)
			d.c.ICMPTooBig(d.now, d.c.snd.una, 600)
			d.output()
		}, "=P. =F. =- =P. =F. =F."},
	}
	short := map[State]string{
		StateClosed: "CL", StateFinWait1: "F1", StateFinWait2: "F2", StateCloseWait: "CW",
		StateClosing: "CG", StateLastAck: "LA", StateTimeWait: "TW",
	}
	for _, tt := range tests {
		for i, want := range strings.Fields(tt.want) {
			s := fsmStates[i]
			if want == "n/a" {
				continue
			}
			t.Run(tt.event+" in "+s.String(), func(t *testing.T) {
				d := connState(t, s, withOptions(fsmOptions))
				tt.do(d)
				got := "="
				if d.c.State() != s {
					got = short[d.c.State()]
				}
				sent := "-"
				if n := len(d.sent); n > 0 {
					sent, _, _ = strings.Cut(d.sent[n-1], " ")
				}
				if got += sent; got != want {
					t.Errorf("%q, want %q; sent %v, trace %v", got, want, d.sent, d.trace)
				}
				if err := invariants(&d.c); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
