package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.10.7.3: what each segment does in SYN-SENT. Sequence
// numbers play no part; the ACK has to be that of our SYN.
func TestSynSent(t *testing.T) {
	tests := []struct {
		name  string
		seg   seg
		state State
		sent  string
		rule  Rule
		err   error
	}{
		{"SYN,ACK", seg{f: wire.SYN | wire.ACK, ack: 1}, StateEstablished, ". 1:1(0) ack 1", RuleSynSentSynAck, nil},
		{"SYN,ACK of too much", seg{f: wire.SYN | wire.ACK, ack: 2}, StateSynSent, "R 2:2(0)", RuleSynSentBadAck, nil},
		{"SYN,ACK of nothing", seg{f: wire.SYN | wire.ACK, ack: 0}, StateSynSent, "R 0:0(0)", RuleSynSentBadAck, nil},
		{"SYN", seg{f: wire.SYN}, StateSynReceived, "S. 0:0(0) ack 1", RuleSimultaneousOpen, nil},
		{"SYN,FIN", seg{f: wire.SYN | wire.FIN}, StateSynSent, "", RuleSynSentSynFin, nil},
		{"SYN,FIN,ACK", seg{f: wire.SYN | wire.FIN | wire.ACK, ack: 1}, StateCloseWait, ". 1:1(0) ack 2", RuleFin, nil},
		{"RST,ACK", seg{f: wire.RST | wire.ACK, seq: 77, ack: 1}, StateClosed, "", RuleSynSentReset, syscall.ECONNREFUSED},
		{"RST", seg{f: wire.RST}, StateSynSent, "", RuleSynSentResetIgnored, nil},
		{"RST,ACK of nothing", seg{f: wire.RST | wire.ACK, ack: 0}, StateSynSent, "", RuleSynSentBadAck, nil},
		{"RST,ACK of too much", seg{f: wire.RST | wire.ACK, ack: 2}, StateSynSent, "", RuleSynSentBadAck, nil},
		{"ACK", seg{f: wire.ACK, seq: 5, ack: 1}, StateSynSent, "", RuleSynSentIgnored, nil},
		{"ACK of an old connection", seg{f: wire.ACK, seq: 5, ack: -300}, StateSynSent, "R -300:-300(0)", RuleSynSentBadAck, nil},
		{"no flags", seg{}, StateSynSent, "", RuleSynSentIgnored, nil},
		{"text", seg{f: wire.ACK, seq: 5, ack: 1, n: 10}, StateSynSent, "", RuleSynSentIgnored, nil},
		{"text of an old connection", seg{f: wire.ACK, seq: 5, ack: 9, n: 10}, StateSynSent, "R 9:9(0)", RuleSynSentBadAck, nil},
		{"FIN", seg{f: wire.FIN | wire.ACK, seq: 5, ack: 1}, StateSynSent, "", RuleSynSentIgnored, nil},
		{"FIN of an old connection", seg{f: wire.FIN | wire.ACK, seq: 5, ack: 9}, StateSynSent, "R 9:9(0)", RuleSynSentBadAck, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t)
			d.dial()
			d.in(tt.seg)
			if tt.sent == "" {
				d.want()
			} else {
				d.want(tt.sent)
			}
			d.wantState(tt.state)
			d.wantRule(tt.rule)
			if err := d.c.TakeError(); err != tt.err {
				t.Errorf("pending error %v, want %v", err, tt.err)
			}
			if tt.state == StateSynSent {
				// Whatever it was, the SYN is still tried.
				d.advance(time.Second)
				d.want("S 0:0(0)")
			}
		})
	}
}

// RFC 7323, Section 4.1: a timestamp that is echoed is one that was sent. A SYN,ACK,
// or RST, with one that no SYN of ours had is an old duplicate or forged: it is
// refused, and the right one opens the connection.
func TestSynSentEcho(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration
		ok   bool
	}{
		{"of the last SYN", 10 * ms, true},
		{"of the first SYN", 1010 * ms, true},
		{"before the first SYN", 1011 * ms, false},
		{"of the future", -1 * ms, false},
		{"far away", 1 << 30 * ms, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, withAllOptions)
			d.open.TSOffset = 1 << 20
			d.dial()
			d.advance(1010 * ms)
			answer := func(f wire.Flags, age time.Duration) seg {
				return seg{f: f, ack: 1, opt: wire.Options{MSS: 1000, HasTS: true, TSVal: 1, TSEcr: TSVal(d.now, 1<<20) - uint32(age/ms)}}
			}
			if !tt.ok {
				d.in(answer(wire.RST|wire.ACK, tt.age))
				d.wantRule(RuleSynSentBadEcho)
				d.sent = d.sent[:0]
				d.in(answer(wire.SYN|wire.ACK, tt.age))
				d.want("R 1:1(0)")
				d.wantState(StateSynSent)
				d.in(answer(wire.SYN|wire.ACK, 0))
			} else {
				d.in(answer(wire.SYN|wire.ACK, tt.age))
			}
			d.wantState(StateEstablished)
		})
	}
}

// RFC 9293, Section 3.10.7.3 (R9293-7): text that comes with the SYN,ACK is
// taken, and acknowledged with it.
func TestSynAckWithText(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, text: "hello"})
	d.want(". 1:1(0) ack 6")
	d.wantRead(5, nil)
}

// RFC 9293, Section 3.10.7.3 (R9293-7): text that comes with the SYN of a
// simultaneous open is kept, and delivered once the connection is established.
func TestSynWithText(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.in(seg{f: wire.SYN, text: "hello"})
	d.want("S. 0:0(0) ack 6")
	d.wantRead(0, syscall.EAGAIN)
	if r := d.c.Ready(); r&Readable != 0 {
		t.Error("readable before the handshake is over")
	}
	d.in(seg{f: wire.ACK, seq: 6, ack: 1})
	d.wantState(StateEstablished)
	d.wantRead(5, nil)
}

// RFC 9293, Section 3.8.6: the window of our SYN,ACK is less what came with the
// SYN of a simultaneous open, for which the buffer has room no more.
func TestSynWithTextTakesWindow(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 3000}))
	d.dial()
	d.in(seg{f: wire.SYN, text: string(pattern(1, 2000))})
	d.want("S. 0:0(0) ack 2001 win 1000")
	d.advance(time.Second)
	d.want("S. 0:0(0) ack 2001 win 1000")
	d.in(seg{f: wire.ACK, seq: 2001, ack: 1})
	d.read(1, 2000)
}

// RFC 9293, Section 3.10.2, 3.10.3 (SOCK-25): sending and receiving wait until
// the connection is open; shutdown has nothing to shut (SOCK-24).
func TestCallsInSynSent(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.wantRead(0, syscall.EAGAIN)
	d.wantWrite(syscall.EAGAIN)
	if err := d.c.CloseWrite(d.now); err != syscall.ENOTCONN {
		t.Errorf("CloseWrite = %v, want ENOTCONN", err)
	}
	if err := d.c.CloseRead(d.now); err != syscall.ENOTCONN {
		t.Errorf("CloseRead = %v, want ENOTCONN", err)
	}
	if r := d.c.Ready(); r != 0 {
		t.Errorf("Ready = %b, want 0", r)
	}
}

// RFC 9293, Sections 3.10.4 and 3.10.5 (SOCK-43): CLOSE and ABORT in SYN-SENT
// delete the connection; nothing is sent.
func TestCloseInSynSent(t *testing.T) {
	for name, end := range map[string]func(*Conn, Time){"close": (*Conn).Close, "abort": (*Conn).Abort} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t)
			d.dial()
			end(&d.c, d.now)
			d.output()
			d.want()
			d.wantState(StateClosed)
			if at := d.c.NextTimeout(); at != 0 {
				t.Errorf("a timer is set for %v", at)
			}
		})
	}
}
