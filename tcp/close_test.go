package tcp

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// closeWrite sends our FIN after what is queued.
func (d *driver) closeWrite() {
	d.t.Helper()
	if err := d.c.CloseWrite(d.now); err != nil {
		d.t.Fatalf("CloseWrite = %v", err)
	}
	d.output()
}

// RFC 9293, Section 3.6, Figure 12 (SC-9): the close in four segments, from
// the side that begins it, and from the other.
func TestFourWayClose(t *testing.T) {
	d := newDriver(t).connect()
	d.closeWrite()
	d.want("F. 1:1(0) ack 1")
	d.wantState(StateFinWait1)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2})
	d.want()
	d.wantState(StateFinWait2)
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 2})
	d.want(". 2:2(0) ack 2")
	d.wantState(StateTimeWait)
	d.wantRead(0, io.EOF)

	d = newDriver(t).connect()
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1})
	d.want(". 1:1(0) ack 2")
	d.wantState(StateCloseWait)
	d.wantRead(0, io.EOF)
	d.closeWrite()
	d.want("F. 1:1(0) ack 2")
	d.wantState(StateLastAck)
	d.in(seg{f: wire.ACK, seq: 2, ack: 2})
	d.want()
	d.wantState(StateClosed)
	d.wantRead(0, io.EOF)
}

// RFC 9293, Section 3.10.7.4, eighth check (SC-10): the peer's FIN acknowledges
// ours: FIN-WAIT-1 to TIME-WAIT directly, with one ACK.
func TestMergedClose(t *testing.T) {
	d := newDriver(t).connect()
	d.closeWrite()
	d.trace = d.trace[:0]
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 2})
	d.want(". 2:2(0) ack 2")
	d.wantState(StateTimeWait)
	for _, s := range d.trace {
		if s == "FIN-WAIT-1>FIN-WAIT-2" {
			t.Error("went by FIN-WAIT-2")
		}
	}
}

// RFC 9293, Section 3.6, Figure 13 (SC-11): both close at once.
func TestSimultaneousClose(t *testing.T) {
	d := newDriver(t).connect()
	d.closeWrite()
	d.want("F. 1:1(0) ack 1")
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1})
	d.want(". 2:2(0) ack 2")
	d.wantState(StateClosing)
	d.in(seg{f: wire.ACK, seq: 2, ack: 1}) // not our FIN yet
	d.wantState(StateClosing)
	d.in(seg{f: wire.ACK, seq: 2, ack: 2})
	d.want()
	d.wantState(StateTimeWait)
}

// RFC 9293, Section 3.6.1 (SC-12): after our FIN the peer may send as much as
// it likes, and FIN-WAIT-2 lasts as long as the user holds the connection.
func TestHalfClose(t *testing.T) {
	d := newDriver(t).connect()
	d.closeWrite()
	d.in(seg{f: wire.ACK, seq: 1, ack: 2})
	d.wantState(StateFinWait2)
	at := 1
	for range 3000 {
		d.in(seg{f: wire.ACK, seq: at, ack: 2, n: 1000})
		d.read(at, 1000)
		at += 1000
		d.now = d.now.Add(time.Minute)
		d.advance(0)
	}
	d.wantState(StateFinWait2)
	d.wantWrite(syscall.EPIPE)
	d.in(seg{f: wire.ACK | wire.FIN, seq: at, ack: 2})
	d.wantState(StateTimeWait)
}

// RFC 9293, Section 3.10.4 (SOCK-32, SC-13): the FIN follows what is queued,
// with the last of it when it fits, and is sent again with or without it.
func TestFinAfterText(t *testing.T) {
	t.Run("on the last segment", func(t *testing.T) {
		d := newDriver(t).connect()
		if _, err := d.c.Write(d.now, pattern(0, 1500)); err != nil {
			t.Fatal(err)
		}
		d.closeWrite()
		d.want(". 1:1001(1000) ack 1", "FP. 1001:1501(500) ack 1")
		d.advance(210 * ms)
		d.want(". 1:1001(1000) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
		d.want("FP. 1001:1501(500) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1501}) // all but the FIN
		d.wantState(StateFinWait1)
		d.advance(time.Second)
		d.want("F. 1501:1501(0) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1502})
		d.wantState(StateFinWait2)
	})
	t.Run("later", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 1000})
		d.write(2000)
		d.closeWrite()
		d.want(". 1:1001(1000) ack 1")
		d.wantState(StateFinWait1)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 1000}) // no room for the FIN
		d.want("P. 1001:2001(1000) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 2001, win: 1000})
		d.want("F. 2001:2001(0) ack 1")
	})
}

// RFC 9293, Section 3.10.7.4 (SC-13, SC-14): a FIN that comes again is
// acknowledged again; in TIME-WAIT, too.
func TestFinAgain(t *testing.T) {
	for _, s := range []State{StateCloseWait, StateClosing, StateLastAck, StateTimeWait} {
		d := connState(t, s)
		una := d.c.snd.una.Diff(testISS)
		for range 3 {
			d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: una})
			snd, _ := d.nxt()
			d.want(ackOf(snd, 2))
			d.wantState(s)
		}
	}
}

// RFC 9293, Section 3.10.4: a second CLOSE does nothing; reading goes on.
func TestCloseTwice(t *testing.T) {
	d := newDriver(t).connect()
	d.closeWrite()
	d.closeWrite()
	d.want("F. 1:1(0) ack 1")
	d.c.Close(d.now)
	d.c.Close(d.now)
	d.output()
	d.want()
	d.wantState(StateFinWait1)
	if !d.c.Orphan() {
		t.Error("not an orphan after Close")
	}
}

// RFC 9293, Section 3.6.1 (SHLD-3, SOCK-31, SOCK-50, DIS-11): CLOSE with text
// that nobody read resets; what is queued is dropped.
func TestCloseWithUnreadText(t *testing.T) {
	for _, s := range []State{StateEstablished, StateCloseWait} {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
		if s == StateCloseWait {
			d.in(seg{f: wire.ACK | wire.FIN, seq: 11, ack: 1})
		}
		d.write(100)
		d.sent = d.sent[:0]
		_, rcv := d.nxt()
		d.c.Close(d.now)
		d.output()
		if d.wantState(StateClosed); rcv == 11 {
			d.want("R. 101:101(0) ack 11")
		} else {
			d.want("R. 101:101(0) ack 12")
		}
		d.wantRule(RuleCloseUnread)
	}
}

// RFC 9293, Section 3.6.1 (SHLD-3, SOCK-33, SOCK-41): new text for a user who
// closed, or shut both directions down, resets the connection.
func TestTextAfterClose(t *testing.T) {
	for name, shut := range map[string]func(d *driver){
		"close": func(d *driver) { d.c.Close(d.now) },
		"shutdown of both": func(d *driver) {
			if err := d.c.CloseRead(d.now); err != nil {
				t.Error(err)
			}
			d.closeWrite()
		},
	} {
		for _, s := range []State{StateFinWait1, StateFinWait2} {
			d := newDriver(t).connect()
			shut(d)
			d.output()
			if s == StateFinWait2 {
				d.in(seg{f: wire.ACK, seq: 1, ack: 2})
			}
			d.wantState(s)
			d.sent = d.sent[:0]
			d.in(seg{f: wire.ACK, seq: 1, ack: 2, n: 10})
			d.want("R 2:2(0)")
			d.wantState(StateClosed)
			d.wantRule(RuleDataAfterClose)
			if name != "close" { // SOCK-41
				d.wantRead(0, syscall.ECONNRESET)
				d.wantRead(0, io.EOF)
			}
		}
	}
	// A FIN is no text: the close goes on.
	d := connState(t, StateFinWait2)
	d.c.Close(d.now)
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 2})
	d.wantState(StateTimeWait)
}

// SOCK-39, SOCK-40, DIS-12: after CloseRead nothing is sent; what the peer
// sends is taken and can be read; if it is not, Close resets.
func TestCloseRead(t *testing.T) {
	d := newDriver(t).connect()
	if err := d.c.CloseRead(d.now); err != nil {
		t.Fatal(err)
	}
	d.output()
	d.want()
	d.wantRead(0, io.EOF)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.want(". 1:1(0) ack 11")
	d.wantRead(10, nil)
	d.wantRead(0, io.EOF)
	d.in(seg{f: wire.ACK, seq: 11, ack: 1, n: 10})
	d.sent = d.sent[:0]
	d.c.Close(d.now)
	d.output()
	d.want("R. 1:1(0) ack 21")
}

// SOCK-42: shutting down twice, in either order, is fine as long as there is a
// connection.
func TestShutdownErrors(t *testing.T) {
	d := connState(t, StateLastAck)
	if err := d.c.CloseRead(d.now); err != nil {
		t.Errorf("CloseRead in LAST-ACK = %v", err)
	}
	d.closeWrite()
	d.want()
	d.in(seg{f: wire.ACK, seq: 2, ack: 2})
	d.wantState(StateClosed)
	if err := d.c.CloseWrite(d.now); err != syscall.ENOTCONN {
		t.Errorf("CloseWrite in CLOSED = %v, want ENOTCONN", err)
	}
}

// SOCK-47, D-03: a connection that nobody owns leaves FIN-WAIT-2 after 60 s.
func TestFinWait2Timeout(t *testing.T) {
	t.Run("closed in FIN-WAIT-1", func(t *testing.T) {
		d := newDriver(t).connect()
		d.c.Close(d.now)
		d.output()
		d.in(seg{f: wire.ACK, seq: 1, ack: 2})
		d.wantTimeout(time.Minute)
		d.advance(time.Minute)
		d.wantState(StateClosed)
		d.wantRule(RuleFinWait2Timeout)
	})
	t.Run("closed in FIN-WAIT-2", func(t *testing.T) {
		d := connState(t, StateFinWait2)
		d.advance(time.Hour)
		d.wantState(StateFinWait2)
		d.c.Close(d.now)
		d.wantTimeout(time.Minute)
	})
	t.Run("TCP_LINGER2", func(t *testing.T) {
		d := connState(t, StateFinWait2, withOptions(Options{FinWait2: 5 * time.Second}))
		d.c.Close(d.now)
		d.wantTimeout(5 * time.Second)
	})
	t.Run("TCP_LINGER2, too long", func(t *testing.T) {
		d := connState(t, StateFinWait2, withOptions(Options{FinWait2: time.Hour}))
		d.c.Close(d.now)
		d.wantTimeout(2 * time.Minute)
	})
	t.Run("TCP_LINGER2, negative", func(t *testing.T) {
		d := connState(t, StateFinWait2, withOptions(Options{FinWait2: -time.Second}))
		d.c.Close(d.now)
		d.output()
		d.want("R. 2:2(0) ack 1")
		d.wantState(StateClosed)
	})
	t.Run("TCP_LINGER2, negative, closed in FIN-WAIT-1", func(t *testing.T) {
		d := newDriver(t, withOptions(Options{FinWait2: -1})).connect()
		d.c.Close(d.now)
		d.output()
		d.sent = d.sent[:0]
		d.in(seg{f: wire.ACK, seq: 1, ack: 2})
		d.want("R. 2:2(0) ack 1")
		d.wantState(StateClosed)
	})
	t.Run("for ever", func(t *testing.T) {
		d := connState(t, StateFinWait2, withConfig(func(c *Config) { c.FinWait2 = -1 }))
		d.c.Close(d.now)
		if d.c.NextTimeout() != 0 {
			t.Error("a timer runs")
		}
	})
}

// RFC 9293, Section 3.10.5: ABORT in every state: RST where the peer still
// counts on us, nothing elsewhere; no timer survives.
func TestAbort(t *testing.T) {
	for _, tt := range []struct {
		state State
		sent  string
	}{
		{StateSynReceived, "R. 1:1(0) ack 1"},
		{StateEstablished, "R. 1:1(0) ack 1"},
		{StateFinWait1, "R. 2:2(0) ack 1"},
		{StateFinWait2, "R. 2:2(0) ack 1"},
		{StateCloseWait, "R. 1:1(0) ack 2"},
		{StateClosing, ""},
		{StateLastAck, ""},
		{StateTimeWait, ""},
	} {
		t.Run(tt.state.String(), func(t *testing.T) {
			d := connState(t, tt.state)
			d.c.Abort(d.now)
			d.output()
			if tt.sent == "" {
				d.want()
			} else {
				d.want(tt.sent)
			}
			d.wantState(StateClosed)
			if d.c.NextTimeout() != 0 {
				t.Error("a timer runs")
			}
			d.c.Abort(d.now)
			d.output()
			d.want()
		})
	}
}

// RFC 9293, Section 3.10.7.1, 3.5.2 (R9293-9): the RST that answers a segment
// without a connection.
func TestResetFor(t *testing.T) {
	tests := []struct {
		name string
		in   wire.Segment
		want wire.Segment
		ok   bool
	}{
		{"RST", wire.Segment{Flags: wire.RST, Seq: 5}, wire.Segment{}, false},
		{"RST,ACK", wire.Segment{Flags: wire.RST | wire.ACK, Seq: 5}, wire.Segment{}, false},
		{
			"SYN",
			wire.Segment{Flags: wire.SYN, Seq: 5, SrcPort: 1, DstPort: 2},
			wire.Segment{Flags: wire.RST | wire.ACK, Ack: 6, SrcPort: 2, DstPort: 1, Count: 1},
			true,
		},
		{"SYN,FIN", wire.Segment{Flags: wire.SYN | wire.FIN, Seq: 5}, wire.Segment{Flags: wire.RST | wire.ACK, Ack: 7, Count: 1}, true},
		{"SYN,ACK", wire.Segment{Flags: wire.SYN | wire.ACK, Seq: 5, Ack: 9}, wire.Segment{Flags: wire.RST, Seq: 9, Count: 1}, true},
		{"text", wire.Segment{Flags: wire.ACK, Seq: 5, Ack: 9, PayloadLen: 10}, wire.Segment{Flags: wire.RST, Seq: 9, Count: 1}, true},
		{"no flags", wire.Segment{Seq: 5, PayloadLen: 10}, wire.Segment{Flags: wire.RST | wire.ACK, Ack: 15, Count: 1}, true},
		{"FIN", wire.Segment{Flags: wire.FIN, Seq: 5}, wire.Segment{Flags: wire.RST | wire.ACK, Ack: 6, Count: 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out wire.Segment
			ok := ResetFor(&tt.in, &out)
			if ok != tt.ok || out.Seq != tt.want.Seq || out.Ack != tt.want.Ack || out.Flags != tt.want.Flags ||
				out.SrcPort != tt.want.SrcPort || out.DstPort != tt.want.DstPort || out.Count != tt.want.Count {
				t.Errorf("ResetFor(%+v) = %+v, %v, want %+v, %v", tt.in, out, ok, tt.want, tt.ok)
			}
		})
	}
}

// What an engine needs to answer for a connection in TIME-WAIT.
func TestTimeWaitRecord(t *testing.T) {
	d := connState(t, StateTimeWait, withAllOptions)
	w := d.c.TimeWait()
	if w.SndNxt != ours(2) || w.RcvNxt != theirs(2) || !w.Timestamps || w.TSRecent != 100 || w.RcvWnd == 0 {
		t.Errorf("TimeWait = %+v", w)
	}
}

// RFC 9293, Section 3.3.2: no other transition than those of Figure 5 and of
// Section 3.10 is legal; a connection that tried would be broken.
func TestLegal(t *testing.T) {
	for _, tt := range []struct {
		from, to State
		want     bool
	}{
		{StateClosed, StateSynSent, true},
		{StateEstablished, StateTimeWait, false},
		{StateFinWait1, StateTimeWait, true},
		{StateLastAck, StateTimeWait, false},
		{StateCloseWait, StateFinWait1, false},
		{numStates, StateClosed, false},
		{StateClosed, numStates, false},
	} {
		if got := Legal(tt.from, tt.to); got != tt.want {
			t.Errorf("Legal(%v, %v) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an illegal transition went unnoticed")
		}
	}()
	d := newDriver(t).connect()
	d.c.setState(d.now, StateTimeWait, NoRule)
}

// CLOSE of what is over gives back what nobody will read.
func TestCloseAfterReset(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.in(seg{f: wire.RST, seq: 11})
	if got := d.c.Info(d.now).Unread; got != 10 {
		t.Errorf("%d bytes unread after a reset, want 10", got)
	}
	d.c.Close(d.now)
	if got := d.c.Info(d.now).Unread; got != 0 || d.c.Tuple() != testTuple {
		t.Errorf("%d bytes unread after Close, want 0", got)
	}
}

// RFC 9293, Section 3.8.6 (SHLD-14): what answers a FIN that comes again in
// TIME-WAIT says what the ACK of the first one said, down to the window, which
// the shift rounds.
func TestWindowInTimeWait(t *testing.T) {
	for _, size := range []int{1, 31, 32, 33, 500} {
		d := newDriver(t, withAllOptions).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: size, opt: d.stamp()})
		d.read(1, size)
		d.c.CloseWrite(d.now)
		d.output()
		d.input(seg{f: wire.FIN | wire.ACK, seq: 1 + size, ack: 2, opt: d.stamp()})
		d.wantState(StateTimeWait)
		before := d.c.TimeWait().RcvWnd
		d.output()
		if got, want := d.c.TimeWait().RcvWnd, d.last.Window; before != want || got != want {
			t.Errorf("%d bytes: window %v, then %v in TIME-WAIT, want %v as in the last ACK", size, before, got, want)
		}
	}
}
