package tcp

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.1 (MUST-1, REC-1): the window field is unsigned; values
// from 0x8000 on are large windows.
func TestWindowIsUnsigned(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 0xffff})
	if i := d.c.Info(d.now); i.SndWnd != 0xffff {
		t.Errorf("SND.WND = %v, want %v", i.SndWnd, 0xffff)
	}
}

// RFC 7323, Section 2.2 (R7323-1, R7323-4, R7323-5): scaling is in force when
// both SYNs offered it; the window of a SYN is never scaled, that of the ACK
// that completes the handshake is.
func TestWindowScaling(t *testing.T) {
	tests := []struct {
		name     string
		disabled bool
		peer     wire.Options
		wantWnd  int    // SND.WND after an ACK with window 1000
		wantAck  string // window of our first ACK
	}{
		{"both", false, wire.Options{HasWScale: true, WScale: 3}, 8000, "win 4096"},
		{"peer has none", false, wire.Options{}, 1000, "win 65535"},
		{"we have none", true, wire.Options{HasWScale: true, WScale: 3}, 1000, "win 65535"},
		// Section 2.3 (R7323-3): a shift over 14 counts as 14.
		{"shift 15", false, wire.Options{HasWScale: true, WScale: 15}, 1000 << 14, "win 4096"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, withConfig(func(c *Config) { c.NoWindowScale = tt.disabled }))
			d.dial()
			d.in(seg{f: wire.SYN | wire.ACK, ack: 1, win: 500, opt: tt.peer})
			if got := d.c.Info(d.now).SndWnd; got != 500 {
				t.Errorf("SND.WND after the SYN,ACK = %v, want 500", got)
			}
			d.want(". 1:1(0) ack 1 " + tt.wantAck)
			d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 1000})
			if got := d.c.Info(d.now).SndWnd; got != tt.wantWnd {
				t.Errorf("SND.WND = %v, want %v", got, tt.wantWnd)
			}
		})
	}
}

// RFC 7323, Section 2.2 (R7323-1): a window scale option on any other segment
// than a SYN means nothing.
func TestWindowScaleAfterTheHandshake(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 1000, opt: wire.Options{HasWScale: true, WScale: 5}})
	if got := d.c.Info(d.now).SndWnd; got != 1000 {
		t.Errorf("SND.WND = %v, want 1000", got)
	}
}

// A SYN that is sent again offers what the first one did, whatever the user
// changed meanwhile: the peer may have seen only the first.
func TestRetransmittedSynOffersTheSameShift(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.NoWindowScale = false }))
	d.dial()
	o := d.c.Options()
	o.RecvBuffer = 100 << 20
	d.c.SetOptions(d.now, o)
	d.advance(time.Second)
	d.want("S 0:0(0)")
	if got := d.last.Options.WScale; got != 8 {
		t.Errorf("shift of the second SYN = %v, want 8", got)
	}
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{HasWScale: true}})
	if got := d.c.Info(d.now).RcvWScale; got != 8 {
		t.Errorf("Rcv.Wind.Shift = %v, want 8", got)
	}
}

// RFC 9293, Section 3.8.6 (SHLD-14) and RFC 7323, Section 2.4 (R7323-6): the
// right edge never moves left, not by the rounding of the shift either.
func TestRightEdgeNeverMovesLeft(t *testing.T) {
	for _, size := range []int{1, 7, 100, 999, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d := newDriver(t, withAllOptions).connect().noQuickAck()
			edge, at := seqnum.Value(0), 1
			for range 600 {
				d.input(seg{f: wire.ACK, seq: at, ack: 1, n: size, opt: d.stamp()})
				at += size
				d.c.wants.ack = true
				d.output()
				e := d.last.Ack.Add(seqnum.Size(d.last.Window) << d.c.rcv.shift)
				if edge != 0 && e.Less(edge) {
					t.Fatalf("after %d bytes the edge moved from %d to %d", at, edge, e)
				}
				edge = e
				d.sent = d.sent[:0]
			}
		})
	}
}

// RFC 9293, Section 3.8.6 (SHLD-14, SOCK-72): nor does it when the user makes
// the buffer smaller; the window closes as data arrives.
func TestSmallerReceiveBuffer(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 10000})).connect()
	d.setOptions(func(o *Options) { o.RecvBuffer = 2304 })
	for i := range 10 {
		d.in(seg{f: wire.ACK, seq: 1 + i*1000, ack: 1, n: 1000})
		d.want(fmt.Sprintf(". 1:1(0) ack %d win %d", 1001+i*1000, 9000-i*1000))
	}
	d.read(1, 9000)
	d.want(". 1:1(0) ack 10001 win 1304")
	d.read(9001, 1000)
	d.want() // it would not even double
}

// A larger buffer opens the window at once when it was closed.
func TestLargerReceiveBuffer(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000})
	d.in(seg{f: wire.ACK, seq: 2001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1001 win 2000", ". 1:1(0) ack 2001 win 1000", ". 1:1(0) ack 3001 win 0")
	d.setOptions(func(o *Options) { o.RecvBuffer = 10000 })
	d.want(". 1:1(0) ack 3001 win 7000")
}

// RFC 9293, Section 3.8.6.2.2 (MUST-39, SC-29): a user who reads byte by byte
// does not make the window open byte by byte.
func TestReceiverSillyWindow(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 4000})).connect()
	for i := range 4 {
		d.in(seg{f: wire.ACK, seq: 1 + i*1000, ack: 1, n: 1000})
	}
	d.want(". 1:1(0) ack 1001 win 3000", ". 1:1(0) ack 2001 win 2000", ". 1:1(0) ack 3001 win 1000", ". 1:1(0) ack 4001 win 0")
	var updates []int
	for i := range 4000 {
		d.read(1+i, 1)
		if len(d.sent) > 0 {
			updates = append(updates, i+1)
			d.want(fmt.Sprintf(". 1:1(0) ack 4001 win %d", i+1))
		}
	}
	// One segment, and then whenever the window doubles.
	if fmt.Sprint(updates) != "[1000 2000 4000]" {
		t.Errorf("window updates after reading %v bytes, want [1000 2000 4000]", updates)
	}
}

// SOCK-73: TCP_WINDOW_CLAMP bounds the window from the SYN on, while the buffer
// takes more, and a window under a segment still moves.
func TestWindowClamp(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 100000, WindowClamp: 1500})).connect()
	for i := range 10 { // nobody reads
		d.in(seg{f: wire.ACK, seq: 1 + i*1000, ack: 1, n: 1000})
		d.want(fmt.Sprintf(". 1:1(0) ack %d win 1500", 1001+i*1000))
	}
	d.read(1, 10000)
	d.want()
	small := Options{WindowClamp: 1}.WithDefaults()
	if got := small.WindowClamp; got != 1152 {
		t.Errorf("WindowClamp 1 becomes %d, want 1152", got)
	}
	if got := synWindow(NewConfig(Config{}), &small, 1460); got != 1152 {
		t.Errorf("the SYN announces %d, want 1152", got)
	}
}

// RFC 9293, Section 3.8.6.2.1 (MUST-38, R9293-21): a small piece of a window
// that is not yet open is not sent, unless it is half of the largest window
// ever seen, or the override time-out fires.
func TestSenderSillyWindow(t *testing.T) {
	t.Run("override", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 100})
		d.write(3000)
		d.want()
		d.wantTimeout(overrideTime)
		d.advance(overrideTime)
		d.want(". 1:101(100) ack 1")
		d.wantRule(RuleSillyWindowOverride)
	})
	t.Run("half of the largest window", func(t *testing.T) {
		d := newDriver(t)
		d.dial()
		d.in(seg{f: wire.SYN | wire.ACK, ack: 1, win: 800, opt: wire.Options{MSS: 1000}})
		d.want(". 1:1(0) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 400})
		d.write(3000)
		d.want(". 1:401(400) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 401, win: 399})
		d.want()
	})
	t.Run("all there is", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 100})
		d.write(100)
		d.want("P. 1:101(100) ack 1")
	})
}

// RFC 9293, Section 3.10.7.4 (R9293-6): a window comes from the newest segment
// only; one that was overtaken changes nothing.
func TestWindowUpdateFromOldSegment(t *testing.T) {
	d := newDriver(t).connect()
	d.write(1000)
	d.want("P. 1:1001(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 5000})
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 50}) // WL2 > SEG.ACK
	if got := d.c.Info(d.now).SndWnd; got != 5000 {
		t.Errorf("SND.WND = %v after an old ACK, want 5000", got)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, n: 10, win: 6000})
	d.in(seg{f: wire.ACK, seq: 11, ack: 1001, win: 7000})
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, n: 20, win: 70}) // WL1 > SEG.SEQ
	if got := d.c.Info(d.now).SndWnd; got != 7000 {
		t.Errorf("SND.WND = %v after an old segment, want 7000", got)
	}
}

// RFC 9293, Section 3.8.6 (R9293-6): text that the peer sends again carries its
// ACK and window of now. They are the newest, although the sequence number is
// not: the right edge is not SND.UNA plus the window of before.
func TestWindowOfRetransmittedText(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 3000})
	d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100, win: 3000}) // 1:101 was lost
	d.want(ackOf(1, 1))
	d.write(6000)
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001, n: 100, win: -1})
	d.want(ackOf(3001, 201))
	if got := d.c.Info(d.now).SndWnd; got != 0 {
		t.Errorf("SND.WND = %v after text that was sent again closed it, want 0", got)
	}
	d.in(seg{f: wire.ACK, seq: 201, ack: 3001, win: 2000})
	d.want(". 3001:4001(1000) ack 201", ". 4001:5001(1000) ack 201")
}

// RFC 9293, Section 3.8.6 (MUST-34, SHLD-15 to SHLD-17, SC-26): the peer takes
// back window that we used already. Nothing new is sent, what lies inside is
// retransmitted, and the connection does not die of what lies beyond.
func TestPeerShrinksWindow(t *testing.T) {
	d := newDriver(t).connect()
	d.write(6000)
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1",
		". 3001:4001(1000) ack 1", ". 4001:5001(1000) ack 1", "P. 5001:6001(1000) ack 1")
	d.write(3000)
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 1500})
	d.want()
	d.wantRule(RuleWindowShrunk)
	d.write(100)
	d.want()
	d.advance(300 * time.Millisecond)
	d.want(". 1001:2001(1000) ack 1")
	d.wantRule(RuleRetransmitTimeout)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001, win: 500})
	d.want(". 2001:2501(500) ack 1") // what the window has room for (SHLD-16)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2501, win: -1})
	d.want()
	for range 40 { // far more than R2 (SHLD-17)
		d.advance(time.Minute)
		d.sent = d.sent[:0]
		d.in(seg{f: wire.ACK, seq: 1, ack: 2501, win: -1})
	}
	d.wantState(StateEstablished)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2501, win: 60000})
	if len(d.sent) == 0 || !strings.HasPrefix(d.sent[0], ". 2501:3501(1000)") {
		t.Errorf("after the window opened: sent %v, want 2501:3501 first", d.sent)
	}
}

// RFC 9293, Section 3.8.6.1 (MUST-35 to MUST-37, SHLD-29, SHLD-30, SC-27): a
// closed window is probed, first after one time-out, then ever more rarely up
// to 60 s; as long as the probes are answered the connection lives.
func TestZeroWindowForAnHour(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.write(10)
	d.want()
	start := d.now
	gap, last := 210*time.Millisecond, d.now
	probes := 0
	for d.now.Sub(start) < time.Hour {
		d.now = d.c.NextTimeout()
		d.c.Advance(d.now)
		d.output()
		d.want(". 0:0(0) ack 1")
		d.wantRule(RuleZeroWindowProbe)
		if got := d.now.Sub(last); got != gap {
			t.Fatalf("probe %d came %v after the one before, want %v", probes, got, gap)
		}
		gap, last = min(gap*2, maxPersist), d.now
		probes++
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
		d.want()
		if i := d.c.Info(d.now); i.Probes != 0 {
			t.Fatalf("%d probes count as unanswered", i.Probes)
		}
	}
	d.wantState(StateEstablished)
	// ZWP-2: the window opens: at once, and with a fresh time-out.
	d.in(seg{f: wire.ACK, seq: 1, ack: 1})
	d.want("P. 1:11(10) ack 1")
	d.wantTimeout(210 * time.Millisecond)
	if i := d.c.Info(d.now); i.SndCwnd != 10000 {
		t.Errorf("cwnd = %v, want 10000: probes are no losses (ZWP-5)", i.SndCwnd)
	}
}

// RFC 9293, Section 3.8.3: probes that nobody answers end the connection after
// R2, for then the peer is gone.
func TestUnansweredProbesKill(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.write(10)
	probes := 0
	for d.c.NextTimeout() != 0 {
		d.now = d.c.NextTimeout()
		d.c.Advance(d.now)
		d.output()
		probes += len(d.sent)
		d.sent = d.sent[:0]
	}
	d.wantState(StateClosed)
	if probes != 15 {
		t.Errorf("%d probes, want 15", probes)
	}
	d.wantRule(RuleRetriesExhausted)
	d.wantRead(0, syscall.ETIMEDOUT)
}

// ZWP-4: a connection that nobody owns does not probe for ever, not even a
// peer that answers.
func TestOrphanBehindZeroWindow(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.write(10)
	d.c.Close(d.now)
	d.output()
	probes := 0
	for d.c.NextTimeout() != 0 && probes < 100 {
		d.now = d.c.NextTimeout()
		d.c.Advance(d.now)
		d.output()
		probes += len(d.sent)
		d.sent = d.sent[:0]
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	}
	if d.wantState(StateClosed); probes != 8 {
		t.Errorf("%d probes, want 8", probes)
	}
}

// ZWP-3: the ACK that opens the window is lost. The answer to the next probe
// tells of it.
func TestLostWindowUpdate(t *testing.T) {
	d := newDriver(t).connect()
	d.write(1000)
	d.want("P. 1:1001(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: -1})
	d.write(500)
	d.want()
	d.advance(time.Second) // the update is lost
	d.want(". 1000:1000(0) ack 1", ". 1000:1000(0) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 3000})
	d.want("P. 1001:1501(500) ack 1")
}

// What was in the network when the window closed is not lost on us: after the
// time-out the persist timer takes over from the retransmission timer, and the
// retransmission goes out when the window opens. That time-out is the one after
// which the first probe is due (RFC 9293, Section 3.8.6.1, SHLD-29, SHLD-30).
func TestRetransmissionBehindZeroWindow(t *testing.T) {
	d := newDriver(t).connect()
	d.write(2000)
	d.want(". 1:1001(1000) ack 1", "P. 1001:2001(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: -1})
	d.want()
	d.advance(210 * time.Millisecond) // the time-out: no text may be sent
	d.want(". 1000:1000(0) ack 1")
	d.wantRule(RuleZeroWindowProbe)
	if timer, _ := d.c.NextTimer(); timer != TimerPersist {
		t.Fatalf("next timer is %v, want persist", timer)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: -1})
	d.advance(420 * time.Millisecond)
	d.want(". 1000:1000(0) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 2000})
	d.want("P. 1001:2001(1000) ack 1")
	if timer, _ := d.c.NextTimer(); timer != TimerRetransmit {
		t.Fatalf("next timer is %v, want retransmit", timer)
	}
}

// SC-17: FINs cross while one window is closed. The FIN waits behind the
// window, its probes are answered, and it goes out when the window opens.
func TestFinBehindZeroWindow(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.c.CloseWrite(d.now)
	d.output()
	d.want()
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, win: -1})
	d.want(". 1:1(0) ack 2")
	d.wantState(StateClosing)
	d.advance(500 * time.Millisecond)
	d.want(". 0:0(0) ack 2")
	d.in(seg{f: wire.ACK, seq: 2, ack: 1})
	d.want("F. 1:1(0) ack 2")
	d.in(seg{f: wire.ACK, seq: 2, ack: 2})
	d.wantState(StateTimeWait)
}

// RFC 9293, Section 3.10.7.4 (R9293-12, R9293-13, MUST-66, ZWP-1): with our
// own window closed, text is refused, each probe of either form is answered,
// and ACK and RST are taken.
func TestOwnWindowClosed(t *testing.T) {
	closed := func(t *testing.T) *driver {
		d := newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
		d.write(10)
		for i := range 3 {
			d.in(seg{f: wire.ACK, seq: 1 + i*1000, ack: 1, n: 1000})
		}
		d.sent = d.sent[:0]
		return d
	}
	t.Run("probe with a byte", func(t *testing.T) {
		d := closed(t)
		for range 5 {
			d.in(seg{f: wire.ACK, seq: 3001, ack: 1, n: 1})
			d.want(". 11:11(0) ack 3001 win 0")
			d.wantRule(RuleZeroWindowData)
		}
	})
	t.Run("probe before the window", func(t *testing.T) {
		d := closed(t)
		for range 5 {
			d.in(seg{f: wire.ACK, seq: 3000, ack: 1})
			d.want(". 11:11(0) ack 3001 win 0")
			d.wantRule(RuleKeepAliveProbeReceived)
		}
	})
	t.Run("ACK with text", func(t *testing.T) {
		d := closed(t)
		d.in(seg{f: wire.ACK, seq: 3001, ack: 11, n: 1})
		if i := d.c.Info(d.now); i.Unacked != 0 {
			t.Errorf("%d bytes unacknowledged, want 0", i.Unacked)
		}
	})
	t.Run("RST", func(t *testing.T) {
		d := closed(t)
		d.in(seg{f: wire.RST, seq: 3001})
		d.wantState(StateClosed)
	})
	t.Run("FIN", func(t *testing.T) {
		d := closed(t)
		d.in(seg{f: wire.ACK | wire.FIN, seq: 3001, ack: 1})
		d.want(". 11:11(0) ack 3002 win 0")
		d.wantState(StateCloseWait)
	})
	t.Run("URG", func(t *testing.T) {
		d := closed(t)
		d.c.Input(d.now, urgent(3001, 5, ""))
		d.wantRule(RuleUrgent)
	})
}

// RFC 9293, Section 3.10.7.4: a FIN at the very edge of the window takes no
// room; RCV.NXT does not overtake the edge.
func TestFinAtTheEdge(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
	for i := range 2 {
		d.in(seg{f: wire.ACK, seq: 1 + i*1000, ack: 1, n: 1000})
	}
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK | wire.FIN, seq: 2001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 3002 win 0")
	d.wantState(StateCloseWait)
	if err := invariants(&d.c); err != nil {
		t.Error(err)
	}
	d.read(1, 3000)
	d.want() // nothing more can come
}

// What ss shows is the timer that the connection depends on, also where another
// one fires sooner.
func TestShownTimer(t *testing.T) {
	d := newDriver(t).connect()
	d.c.SetOptions(d.now, Options{KeepAlive: true, KeepIdle: 50 * time.Millisecond})
	if timer, _ := d.c.ShownTimer(); timer != TimerKeepAlive {
		t.Errorf("idle: %v, want keep-alive", timer)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10}) // is to be acknowledged, later
	d.write(1000)
	if timer, _ := d.c.ShownTimer(); timer != TimerRetransmit && timer != TimerProbe {
		t.Errorf("with data under way: %v, want retransmit or tail-probe", timer)
	}
	d.in(seg{f: wire.ACK, seq: 11, ack: 1001, win: -1})
	d.write(1000)
	if next, _ := d.c.NextTimer(); next != TimerKeepAlive {
		t.Errorf("%v fires next, want keep-alive", next)
	}
	if timer, _ := d.c.ShownTimer(); timer != TimerPersist {
		t.Errorf("with a closed window: %v, want persist", timer)
	}
}

// The peer acknowledges what it had no window for, in part or whole, while we
// probe: one timer runs, and none once nothing is left to be sent.
func TestAckWhileProbing(t *testing.T) {
	d := newDriver(t).connect()
	d.write(2000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.advance(500 * time.Millisecond)
	if timer, _ := d.c.NextTimer(); timer != TimerPersist {
		t.Fatalf("next timer is %v, want persist", timer)
	}
	d.input(seg{f: wire.ACK, seq: 1, ack: 1001, win: -1})
	if err := invariants(&d.c); err != nil {
		t.Error(err)
	}
	d.output()
	d.input(seg{f: wire.ACK, seq: 1, ack: 2001, win: -1})
	if d.c.HasOutput() {
		t.Error("HasOutput with nothing to send")
	}
	if at := d.c.NextTimeout(); at != 0 {
		t.Errorf("timers %v run for nothing", d.c.timers)
	}
}

// RFC 7323, Section 2.4 (R7323-6): the same with a user who never reads, down to
// the closed window. Rounding may cost a unit for each full segment of the
// buffer, and an eighth of it; past that, and only there, the edge gives way by less than a unit of the shift.
func TestWindowClosesWithoutMovingLeft(t *testing.T) {
	for _, tt := range []struct {
		buffer, size int
		exact        bool // the reserve is not reached
	}{
		{1 << 20, 1000, true}, {1 << 20, 999, true}, {1 << 20, 900, true}, {70_000, 1, false}, {70_000, 2, true}, {16 << 20, 700, false},
	} {
		t.Run(fmt.Sprint(tt.buffer, tt.size), func(t *testing.T) {
			d := newDriver(t, withConfig(func(c *Config) { c.NoWindowScale = false }), withOptions(Options{RecvBuffer: tt.buffer})).connect()
			d.cfg.Trace = nil
			edge, at := d.c.rcv.adv, 1
			for d.c.window() > 0 {
				d.input(seg{f: wire.ACK, seq: at, ack: 1, n: min(tt.size, int(d.c.window()))})
				at = d.c.rcv.nxt.Diff(testIRS)
				d.c.wants.ack = true
				d.output()
				d.sent = d.sent[:0]
				e := d.last.Ack.Add(seqnum.Size(d.last.Window) << d.c.rcv.shift)
				slack := 0
				if !tt.exact {
					slack = 1<<d.c.rcv.shift - 1
				}
				if e.Diff(edge) < -slack {
					t.Fatalf("after %d bytes the edge moved by %d", at, e.Diff(edge))
				}
				edge = seqnum.Max(e, edge)
			}
			unit := 1 << d.c.rcv.shift
			if most := tt.buffer + tt.buffer/8 + unit*(1+tt.buffer/int(d.c.rcv.advMSS)); d.c.rcvbuf.size > most {
				t.Errorf("%d bytes taken, want at most %d", d.c.rcvbuf.size, most)
			}
		})
	}
}
