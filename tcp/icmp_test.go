package tcp

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 5927, Section 4.1 (R5927-1): an ICMP error counts only when it quotes a
// number that is outstanding.
func TestICMPQuote(t *testing.T) {
	tests := []struct {
		name string
		seq  int64
		want Rule
	}{
		{"first byte", 1, RuleICMPSoft},
		{"last byte", 2000, RuleICMPSoft},
		{"acknowledged", 0, RuleICMPIgnored},
		{"unsent", 2001, RuleICMPIgnored},
		{"far away", 1 << 31, RuleICMPIgnored},
		{"half of the space away", 2001 + 1<<31, RuleICMPIgnored},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t).connect()
			d.write(2000)
			d.c.ICMPError(d.now, ours(tt.seq), syscall.EHOSTUNREACH, false)
			d.wantRule(tt.want)
			d.wantState(StateEstablished)
		})
	}
}

// RFC 9293, Section 3.9.2.2 (MUST-56, SHLD-25, SHLD-26, DIS-4, DIS-5, R5927-2):
// while opening, errors end the attempt; later they are remembered only.
func TestICMPError(t *testing.T) {
	tests := []struct {
		name  string
		state State
		hard  bool
		want  State
		rule  Rule
	}{
		{"soft, opening", StateSynSent, false, StateClosed, RuleICMPSoft},
		{"hard, opening", StateSynSent, true, StateClosed, RuleICMPHard},
		{"soft, half open", StateSynReceived, false, StateSynReceived, RuleICMPSoft},
		{"hard, half open", StateSynReceived, true, StateClosed, RuleICMPHard},
		{"soft, open", StateEstablished, false, StateEstablished, RuleICMPSoft},
		{"hard, open", StateEstablished, true, StateEstablished, RuleICMPHard},
		{"hard, closing", StateFinWait1, true, StateFinWait1, RuleICMPHard},
		{"hard, last", StateLastAck, true, StateLastAck, RuleICMPHard},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d *driver
			if tt.state == StateSynSent {
				d = newDriver(t)
				d.dial()
			} else {
				d = connState(t, tt.state)
			}
			if tt.state == StateEstablished {
				d.write(10)
			}
			d.c.ICMPError(d.now, d.c.snd.una, syscall.ECONNREFUSED, tt.hard)
			d.wantState(tt.want)
			d.wantRule(tt.rule)
			if err := d.c.TakeError(); (err == syscall.ECONNREFUSED) != (tt.want == StateClosed) {
				t.Errorf("pending error %v", err)
			}
			if soft := d.c.Info(d.now).SoftError; tt.want != StateClosed && soft != syscall.ECONNREFUSED {
				t.Errorf("SoftError = %v (MUST-47)", soft)
			}
		})
	}
}

// RFC 9293, Section 3.9.2.2 (SOCK-18, SOCK-14): when the connection fails, the
// error remembered says why.
func TestSoftErrorTellsWhy(t *testing.T) {
	d := newDriver(t).connect()
	d.write(10)
	d.c.ICMPError(d.now, ours(1), syscall.EHOSTUNREACH, false)
	d.retransmit()
	d.wantState(StateClosed)
	d.wantRead(0, syscall.EHOSTUNREACH)
	d.wantRead(0, io.EOF)
	// One that was overcome does not.
	d = newDriver(t).connect()
	d.write(10)
	d.c.ICMPError(d.now, ours(1), syscall.EHOSTUNREACH, false)
	d.in(seg{f: wire.ACK, seq: 1, ack: 11})
	d.write(10)
	d.retransmit()
	d.wantRead(0, syscall.ETIMEDOUT)
	// The user's own time-out has no other reason (FSM-ES-USERTO).
	d = userTimeout(t)
	d.write(10)
	d.c.ICMPError(d.now, ours(1), syscall.ENOPROTOOPT, true)
	d.advance(5 * time.Second)
	d.wantRule(RuleUserTimeout)
	d.wantWrite(syscall.ENOPROTOOPT)
}

// RFC 1191, Section 6.5 (R1191-4), R5927-4: packet too big: what was too big
// goes again at once in smaller segments, without a cut of the window or a
// sample.
func TestPacketTooBig(t *testing.T) {
	d := newDriver(t).connect()
	d.write(3000)
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", "P. 2001:3001(1000) ack 1")
	cwnd := d.c.Info(d.now).SndCwnd
	if !d.c.ICMPTooBig(d.now, ours(1001), 840) {
		t.Fatal("not believed")
	}
	d.output()
	d.want(". 1:801(800) ack 1", ". 801:1601(800) ack 1", ". 1601:2401(800) ack 1", "P. 2401:3001(600) ack 1")
	d.wantRule(RulePathMTU)
	i := d.c.Info(d.now)
	if i.SndCwnd != cwnd || i.PMTU != 840 || i.SndMSS != 800 || i.CAState != "open" {
		t.Errorf("cwnd %v, PMTU %v, MSS %v, %v", i.SndCwnd, i.PMTU, i.SndMSS, i.CAState)
	}
	rtt := i.RTT
	d.now = d.now.Add(50 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001})
	if got := d.c.Info(d.now).RTT; got != rtt {
		t.Errorf("RTT %v, want %v: it was sent twice", got, rtt)
	}
}

// R5927-4, R5927-5, R8201-1, D-32: which messages are believed, and how far.
func TestPacketTooBigLimits(t *testing.T) {
	v6 := wire.FourTuple{LocalAddr: wire.Addr{0: 0xfd, 15: 1}, RemoteAddr: wire.Addr{0: 0xfd, 15: 2}}
	tests := []struct {
		name  string
		tuple wire.FourTuple
		seq   int64
		mtu   int
		want  int // MTU afterwards, of 1500
	}{
		{"smaller", testTuple, 1, 1400, 1400},
		{"not smaller", testTuple, 1, 1500, 1500},
		{"larger", testTuple, 1, 9000, 1500},
		{"not ours", testTuple, 5000, 1400, 1500},
		{"far too small", testTuple, 1, 68, 552},
		{"none told", testTuple, 1, 0, 552},
		{"IPv6", v6, 1, 1280, 1280},
		{"IPv6, too small", v6, 1, 1279, 1500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t)
			d.open.Tuple, d.open.Path.MTU = tt.tuple, 1500
			d.connect()
			d.write(3000)
			believed := d.c.ICMPTooBig(d.now, ours(tt.seq), tt.mtu)
			if got := d.c.Info(d.now).PMTU; got != tt.want || believed != (tt.want != 1500) {
				t.Errorf("ICMPTooBig(%v) = %v, MTU %v, want %v", tt.mtu, believed, got, tt.want)
			}
		})
	}
}

// Nothing is sent again that was small enough; while opening nothing is sent.
func TestPacketTooBigForNothing(t *testing.T) {
	d := newDriver(t)
	d.open.Path.MTU = 1500
	d.connect() // the peer's MSS is 1000
	d.write(3000)
	d.sent = d.sent[:0]
	d.c.ICMPTooBig(d.now, ours(1), 1400)
	d.output()
	d.want()

	d = newDriver(t)
	d.dial()
	d.c.ICMPTooBig(d.now, ours(0), 600)
	d.output()
	d.want()
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}})
	if got := d.c.Info(d.now).SndMSS; got != 560 {
		t.Errorf("MSS %v, want 560", got)
	}
}

// The message comes while a loss is being repaired: all goes again, and the
// repair ends as usual.
func TestPacketTooBigInRecovery(t *testing.T) {
	d := flight(t, 0)
	d.ack(1, 3)
	d.sent = d.sent[:0]
	d.c.ICMPTooBig(d.now, ours(1), 640)
	d.output()
	if d.sent[0] != ". 1:601(600) ack 1 win 65535" {
		t.Errorf("sent %v first", d.sent[0])
	}
	for at := 601; at < 10001; at += 600 {
		d.ack(at, 1)
	}
	d.ack(10001, 1)
	d.wantRule(RuleRecovered)
	d.advance(time.Second)
	if d.c.outstanding() != 0 {
		t.Errorf("%d bytes outstanding", d.c.outstanding())
	}
}
