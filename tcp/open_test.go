package tcp

import (
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.5, Figure 6 (SC-1): the three-way handshake, from the
// side that begins it.
func TestActiveOpen(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.wantState(StateSynSent)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1})
	d.want(". 1:1(0) ack 1 win 65535")
	d.wantState(StateEstablished)
	if at := d.c.NextTimeout(); at != 0 {
		t.Errorf("a timer is set for %v", at)
	}
}

// RFC 9293, Section 3.5, Figure 6 (SC-1, SC-21, SC-23): and from the other
// side. The third segment may carry text and FIN.
func TestPassiveOpen(t *testing.T) {
	tests := []struct {
		name  string
		seg   seg
		sent  []string
		state State
	}{
		{"ACK", seg{f: wire.ACK, seq: 1, ack: 1}, nil, StateEstablished},
		{"text", seg{f: wire.ACK, seq: 1, ack: 1, n: 5}, []string{". 1:1(0) ack 6"}, StateEstablished},
		{"later text", seg{f: wire.ACK, seq: 6, ack: 1, n: 5}, []string{". 1:1(0) ack 1"}, StateEstablished},
		{"FIN", seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1}, []string{". 1:1(0) ack 2"}, StateCloseWait},
		{"later FIN", seg{f: wire.ACK | wire.FIN, seq: 5, ack: 1}, []string{". 1:1(0) ack 1"}, StateEstablished},
		{"text and FIN", seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, n: 5}, []string{". 1:1(0) ack 7"}, StateCloseWait},
		{"urgent", seg{f: wire.ACK | wire.URG, seq: 1, ack: 1}, nil, StateEstablished},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t).accept()
			d.wantState(StateSynReceived)
			d.in(tt.seg)
			d.want(tt.sent...)
			d.wantState(tt.state)
			d.wantRule(RuleHandshakeAck)
		})
	}
}

// RFC 9293, Section 3.10.7.4: segments in SYN-RECEIVED that do not complete
// the handshake, and what becomes of it.
func TestSynReceived(t *testing.T) {
	const chack = ". 1:1(0) ack 1"
	tests := []struct {
		name  string
		seg   seg
		sent  string
		state State
		rule  Rule
	}{
		{"ACK of nothing", seg{f: wire.ACK, seq: 1, ack: 0}, "R 0:0(0)", StateSynReceived, RuleHandshakeBadAck},
		{"ACK of too much", seg{f: wire.ACK, seq: 1, ack: 2}, "R 2:2(0)", StateSynReceived, RuleHandshakeBadAck},
		{"ancient ACK", seg{f: wire.ACK, seq: 1, ack: -100000}, "R -100000:-100000(0)", StateSynReceived, RuleHandshakeBadAck},
		{"no ACK", seg{seq: 1}, "", StateSynReceived, RuleNoAck},
		{"old segment", seg{f: wire.ACK, seq: -50, ack: 1, n: 10}, chack, StateSynReceived, RuleUnacceptable},
		{"beyond the window", seg{f: wire.ACK, seq: 70000, ack: 1, n: 10}, chack, StateSynReceived, RuleUnacceptable},
		{"SYN again", seg{f: wire.SYN}, "S. 0:0(0) ack 1", StateSynReceived, RuleSynReceivedSynAgain},
		{"another SYN", seg{f: wire.SYN, seq: 7}, chack, StateSynReceived, RuleChallengeSyn},
		{"SYN,FIN", seg{f: wire.SYN | wire.FIN}, chack, StateSynReceived, RuleChallengeSyn},
		{"RST", seg{f: wire.RST, seq: 1}, "", StateClosed, RuleSynReceivedReset},
		{"RST in the window", seg{f: wire.RST, seq: 2}, chack, StateSynReceived, RuleChallengeReset},
		{"RST outside", seg{f: wire.RST, seq: 70000}, "", StateSynReceived, RuleResetOutside},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t).accept()
			d.in(tt.seg)
			if tt.sent == "" {
				d.want()
			} else {
				d.want(tt.sent)
			}
			d.wantState(tt.state)
			d.wantRule(tt.rule)
			if tt.state == StateSynReceived {
				d.in(seg{f: wire.ACK, seq: 1, ack: 1})
				d.wantState(StateEstablished)
			}
		})
	}
}

// RFC 9293, Section 3.8.3 (MUST-22): an accepted connection whose handshake is
// not completed after all repeats the SYN,ACK, and is given up in the end.
func TestAcceptedButNotCompleted(t *testing.T) {
	d := newDriver(t).accept()
	d.in(seg{f: wire.ACK, seq: -50, ack: 1, n: 10})
	d.sent = d.sent[:0]
	d.advance(time.Second)
	d.want("S. 0:0(0) ack 1")
	d.advance(10 * time.Minute)
	d.wantState(StateClosed)
	if len(d.sent) != 5 {
		t.Errorf("SYN,ACK sent %d times more, want 5", len(d.sent))
	}
}

// RFC 9293, Section 3.5, Figure 7 (MUST-10, SC-2): both ends open at once. The
// SYN,ACK repeats the SYN and its options.
func TestSimultaneousOpen(t *testing.T) {
	d := newDriver(t, withAllOptions)
	d.dial()
	syn := d.last.Options
	d.in(seg{f: wire.SYN, opt: wire.Options{MSS: 1000, HasTS: true, TSVal: 5, HasWScale: true, WScale: 2, SACKPermitted: true}})
	d.want("S. 0:0(0) ack 1 win 65535")
	d.wantState(StateSynReceived)
	if got, want := d.last.Options, syn; got.MSS != want.MSS || got.WScale != want.WScale ||
		got.HasTS != want.HasTS || got.TSEcr != 5 || !got.SACKPermitted {
		t.Errorf("options of the SYN,ACK: %+v, of the SYN: %+v", got, want)
	}
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, win: 1000, opt: wire.Options{HasTS: true, TSVal: 6}})
	d.want()
	d.wantState(StateEstablished)
	if got := d.c.Info(d.now).SndWnd; got != 1000 {
		t.Errorf("SND.WND = %v, want 1000: the window of a SYN,ACK is not scaled", got)
	}
}

// RFC 9293, Section 3.5 (SC-3): the same with our SYN,ACK lost: it goes again.
func TestSimultaneousOpenLostSynAck(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.in(seg{f: wire.SYN})
	d.want("S. 0:0(0) ack 1")
	d.advance(time.Second)
	d.want("S. 0:0(0) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1})
	d.wantState(StateEstablished)
}

// RFC 9293, Section 3.10.7.4: a reset in SYN-RECEIVED refuses the connection to
// the one who opened it actively.
func TestSimultaneousOpenRefused(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.in(seg{f: wire.SYN})
	d.in(seg{f: wire.RST, seq: 1})
	d.wantState(StateClosed)
	d.wantRead(0, syscall.ECONNREFUSED)
}

// RFC 9293, Section 3.10.4: CLOSE in SYN-RECEIVED sends FIN at once, for
// nothing can be queued; the SYN,ACK is still repeated until it is answered.
func TestCloseInSynReceived(t *testing.T) {
	simultaneous := func(t *testing.T) *driver {
		d := newDriver(t)
		d.dial()
		d.in(seg{f: wire.SYN})
		d.c.Close(d.now)
		d.output()
		d.want("S. 0:0(0) ack 1", "F. 1:1(0) ack 1")
		d.wantState(StateFinWait1)
		return d
	}
	t.Run("both acknowledged", func(t *testing.T) {
		d := simultaneous(t)
		d.in(seg{f: wire.ACK, seq: 1, ack: 2})
		d.want()
		d.wantState(StateFinWait2)
	})
	t.Run("FIN lost", func(t *testing.T) {
		d := simultaneous(t)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		d.wantState(StateFinWait1)
		d.advance(time.Second)
		d.want("F. 1:1(0) ack 1")
	})
	t.Run("SYN,ACK repeated by the peer", func(t *testing.T) {
		d := simultaneous(t)
		d.in(seg{f: wire.SYN | wire.ACK, seq: 0, ack: 1})
		d.want()
		d.wantState(StateFinWait1)
		d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 2})
		d.want(". 2:2(0) ack 2")
		d.wantState(StateTimeWait)
	})
	t.Run("SYN,ACK and FIN lost", func(t *testing.T) {
		d := simultaneous(t)
		d.advance(time.Second)
		d.want("S. 0:0(0) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		d.advance(3 * time.Second)
		d.want("F. 1:1(0) ack 1")
	})
	t.Run("packet too big", func(t *testing.T) {
		d := simultaneous(t)
		d.c.ICMPTooBig(d.now, testISS, 600)
		d.output()
		if d.sent = d.sent[:0]; d.c.State() != StateFinWait1 {
			t.Errorf("state %v, want FIN-WAIT-1", d.c.State())
		}
	})
}

// RFC 9293, Section 3.10.5: ABORT in SYN-RECEIVED sends a RST.
func TestAbortInSynReceived(t *testing.T) {
	d := newDriver(t).accept()
	d.c.Abort(d.now)
	d.output()
	d.want("R. 1:1(0) ack 1")
	d.wantState(StateClosed)
}

// RFC 9293, Section 3.10.7.4 (SC-22): the peer repeats its SYN,ACK because our
// ACK was lost: ACK, never RST.
func TestSynAckAgain(t *testing.T) {
	d := newDriver(t).connect()
	d.advance(time.Second)
	d.in(seg{f: wire.SYN | wire.ACK, seq: 0, ack: 1})
	d.want(". 1:1(0) ack 1")
	d.wantState(StateEstablished)
	d.wantRule(RuleChallengeSyn)
}

// RFC 9293, Appendix A.2 (R9293-14, SC-4): a connection to itself is a
// simultaneous open, and closes fully.
func TestSelfConnect(t *testing.T) {
	cfg := NewConfig(Config{})
	var c Conn
	now := Time(time.Second)
	c.Dial(now, cfg, &Open{Tuple: testTuple, ISS: testISS, Path: Path{MTU: 1500}})
	loop := func() {
		for range 100 {
			var b Batch
			c.Output(now, &b)
			if len(b.Segments) == 0 {
				break
			}
			for i := range b.Segments {
				at := 0
				c.Input(now, clonePiece(&b.Segments[i], &at, true, new(blockCheck)))
			}
		}
	}
	loop()
	if c.State() != StateEstablished {
		t.Fatalf("state %v, want ESTABLISHED", c.State())
	}
	if n, err := c.Write(now, []byte("echo")); n != 4 || err != nil {
		t.Fatalf("Write = %v, %v", n, err)
	}
	loop()
	p := make([]byte, 10)
	if n, err := c.Read(now, p); n != 4 || err != nil || string(p[:n]) != "echo" {
		t.Fatalf("Read = %v, %v: %q", n, err, p[:n])
	}
	if err := c.CloseWrite(now); err != nil {
		t.Fatal(err)
	}
	loop()
	if !c.dead() {
		t.Errorf("state %v, want CLOSED or TIME-WAIT", c.State())
	}
}

// RFC 9293, Section 3.7.1 (MUST-14 to MUST-16, MUST-67, SHLD-5, R7323-22): the
// MSS announced, and the size of the segments that we send.
func TestMSS(t *testing.T) {
	v6 := wire.FourTuple{LocalAddr: wire.Addr{0: 0xfd, 15: 1}, RemoteAddr: wire.Addr{0: 0xfd, 15: 2}, LocalPort: 1, RemotePort: 2}
	tests := []struct {
		name      string
		tuple     wire.FourTuple
		mtu       int
		maxSeg    int
		peer      wire.Options
		announced uint16
		sent      int
	}{
		{"Ethernet", testTuple, 1500, 0, wire.Options{MSS: 1460}, 1460, 1460},
		{"with timestamps", testTuple, 1500, 0, wire.Options{MSS: 1460, HasTS: true, TSVal: 1}, 1460, 1448},
		{"IPv6", v6, 1500, 0, wire.Options{MSS: 1440}, 1440, 1440},
		{"no option", testTuple, 1500, 0, wire.Options{}, 1460, 536},
		{"no option, IPv6", v6, 1500, 0, wire.Options{}, 1440, 1220},
		{"peer smaller", testTuple, 1500, 0, wire.Options{MSS: 1000}, 1460, 1000},
		{"path smaller", testTuple, 1000, 0, wire.Options{MSS: 1460}, 960, 960},
		{"TCP_MAXSEG", testTuple, 1500, 500, wire.Options{MSS: 1460}, 500, 500},
		{"far too small (R2018-10)", testTuple, 1500, 0, wire.Options{MSS: 1}, 1460, 48},
		{"jumbo", testTuple, 65535, 0, wire.Options{MSS: 65495}, 65495, 65495},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, func(d *driver) {
				d.open.Tuple, d.open.Path.MTU = tt.tuple, tt.mtu
				d.open.Options.MaxSeg = tt.maxSeg
				d.cfg.NoTimestamps = false
			})
			d.dial()
			if got := d.last.Options.MSS; got != tt.announced {
				t.Errorf("MSS option = %v, want %v", got, tt.announced)
			}
			d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: tt.peer})
			d.sent = d.sent[:0]
			if n, err := d.c.Write(d.now, make([]byte, 100000)); n == 0 || err != nil {
				t.Fatalf("Write = %v, %v", n, err)
			}
			d.output()
			if got := d.batch.Segments[0].PayloadLen; got != tt.sent {
				t.Errorf("segment with %v bytes, want %v", got, tt.sent)
			}
			if got := d.last.Options.MSS; got != 0 {
				t.Errorf("MSS option %v on a segment without SYN (MUST-65)", got)
			}
		})
	}
}

// RFC 7323, Sections 2.2 and 3.2, RFC 2018, Section 2 (R7323-2): a SYN,ACK has
// an option only if the SYN had it, and we are to use it.
func TestSynAckOptions(t *testing.T) {
	all := wire.Options{MSS: 1000, HasTS: true, TSVal: 7, HasWScale: true, WScale: 2, SACKPermitted: true}
	tests := []struct {
		name string
		cfg  Config
		peer wire.Options
		want wire.Options
	}{
		{
			"all",
			Config{},
			all,
			wire.Options{MSS: 1460, HasTS: true, TSVal: 1000, TSEcr: 7, HasWScale: true, WScale: 8, SACKPermitted: true},
		},
		{"peer has none", Config{}, wire.Options{MSS: 1000}, wire.Options{MSS: 1460}},
		{"we have none", Config{NoTimestamps: true, NoWindowScale: true, NoSACK: true}, all, wire.Options{MSS: 1460}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &Handshake{Open: Open{Tuple: testTuple, Path: Path{MTU: 1500}}, Peer: tt.peer}
			o, shift, window := SynAckOptions(Time(time.Second), NewConfig(tt.cfg), h)
			if o != tt.want || shift != tt.want.WScale || window != 65535 {
				t.Errorf("SynAckOptions = %+v, %v, %v, want %+v, %v, 65535", o, shift, window, tt.want, tt.want.WScale)
			}
		})
	}
}

// RFC 7323, Section 2.3 (R7323-7, R7323-8): the shift is the least that lets
// the window express the whole buffer.
func TestShift(t *testing.T) {
	for _, tt := range []struct {
		buffer int
		want   uint8
	}{{1, 0}, {65535, 0}, {65536, 1}, {1 << 20, 5}, {6 << 20, 7}, {maxBuffer, 14}} {
		if got := shiftFor(tt.buffer); got != tt.want {
			t.Errorf("shiftFor(%v) = %v, want %v", tt.buffer, got, tt.want)
		}
	}
}

// RFC 9293, Section 3.8.3 (MUST-22, D-21): an active open tries at 1, 3, 7, 15,
// 31 and 63 s, and gives up after 127 s with ETIMEDOUT (SOCK-14).
func TestActiveOpenGivesUp(t *testing.T) {
	d := newDriver(t)
	d.dial()
	start := d.now
	var at []time.Duration
	for d.c.NextTimeout() != 0 {
		d.now = d.c.NextTimeout()
		d.c.Advance(d.now)
		if d.output(); len(d.sent) > 0 {
			d.want("S 0:0(0)")
			at = append(at, d.now.Sub(start))
		}
	}
	if got := fmt.Sprint(at); got != "[1s 3s 7s 15s 31s 1m3s]" {
		t.Errorf("SYN sent again at %v", got)
	}
	if got := d.now.Sub(start); got != 127*time.Second {
		t.Errorf("gave up after %v, want 127s", got)
	}
	d.wantRead(0, syscall.ETIMEDOUT)
	d.wantRead(0, io.EOF)
}

// RFC 9293, Section 3.10.8 (R5482-4): a user time-out set before the open
// bounds it.
func TestActiveOpenUserTimeout(t *testing.T) {
	d := newDriver(t, withOptions(Options{UserTimeout: 5 * time.Second}))
	d.dial()
	d.advance(4999 * time.Millisecond)
	d.wantState(StateSynSent)
	d.sent = d.sent[:0]
	d.advance(time.Millisecond)
	d.wantState(StateClosed)
	d.want()
	d.wantRead(0, syscall.ETIMEDOUT)
}

// RFC 6928, Section 2 (R6928-1, R6928-2): ten segments to begin with, one when
// the SYN or the SYN,ACK was lost.
func TestInitialWindow(t *testing.T) {
	for _, tt := range []struct{ mss, segments, want int }{
		{1000, 10, 10000}, {1460, 10, 14600}, {9000, 10, 18000}, {536, 10, 5360}, {1460, 1, 1460}, {9000, 1, 9000},
	} {
		if got := initialWindow(tt.mss, tt.segments); got != tt.want {
			t.Errorf("initialWindow(%v, %v) = %v, want %v", tt.mss, tt.segments, got, tt.want)
		}
	}
	t.Run("SYN lost", func(t *testing.T) {
		d := newDriver(t)
		d.dial()
		d.advance(time.Second)
		d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}})
		if got := d.c.Info(d.now).SndCwnd; got != 1000 {
			t.Errorf("cwnd = %v, want 1000", got)
		}
	})
	t.Run("SYN,ACK lost", func(t *testing.T) {
		d := newDriver(t).accept(func(h *Handshake) { h.Retransmits = 1 })
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		if got := d.c.Info(d.now).SndCwnd; got != 1000 {
			t.Errorf("cwnd = %v, want 1000", got)
		}
	})
}

// RFC 9293, Sections 3.9.1.9 and 3.9.2 (MUST-48, MUST-49, SHLD-21, SHLD-22):
// the user sets traffic class and TTL, from the SYN to the RST, at any time.
func TestTOSAndTTL(t *testing.T) {
	d := newDriver(t, withOptions(Options{TOS: 0x20, TTL: 9}))
	check := func(what string, tos, ttl uint8) {
		t.Helper()
		if d.last.TOS != tos || d.last.TTL != ttl {
			t.Errorf("%s: TOS %#x, TTL %v, want %#x, %v", what, d.last.TOS, d.last.TTL, tos, ttl)
		}
	}
	d.dial()
	check("SYN", 0x20, 9)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 7})
	check("refusal", 0x20, 9)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1})
	check("ACK", 0x20, 9)
	d.setOptions(func(o *Options) { o.TOS, o.TTL = 0x40, 77 })
	d.write(10)
	check("text", 0x40, 77)
	d.c.Abort(d.now)
	d.output()
	check("RST", 0x40, 77)
}
