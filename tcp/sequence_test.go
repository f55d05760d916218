package tcp

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// connState brings a connection to a state in which nothing but the next ACK
// of our FIN, if there is one, is outstanding. In all of them SND.NXT is 1 or,
// once our FIN is sent, 2; RCV.NXT is 1 or, once the peer's FIN came, 2.
func connState(t *testing.T, s State, mod ...func(*driver)) *driver {
	t.Helper()
	d := newDriver(t, mod...)
	if s == StateSynReceived {
		d.accept()
	} else {
		d.connect()
	}
	fin := func() {
		if err := d.c.CloseWrite(d.now); err != nil {
			t.Fatal(err)
		}
		d.output()
	}
	peerFin := func(ack int) {
		o := wire.Options{}
		if d.c.ts.on {
			o = d.stamp()
		}
		d.in(seg{f: wire.FIN | wire.ACK, seq: 1, ack: ack, opt: o})
	}
	switch s {
	case StateFinWait1:
		fin()
	case StateFinWait2:
		fin()
		d.in(seg{f: wire.ACK, seq: 1, ack: 2})
	case StateCloseWait:
		peerFin(1)
	case StateClosing:
		fin()
		peerFin(1)
	case StateLastAck:
		peerFin(1)
		fin()
	case StateTimeWait:
		fin()
		peerFin(2)
	}
	d.wantState(s)
	d.sent, d.trace = d.sent[:0], d.trace[:0]
	return d
}

// nxt returns SND.NXT and RCV.NXT, relative to the initial numbers.
func (d *driver) nxt() (snd, rcv int) {
	return int(d.c.snd.nxt - testISS), int(d.c.rcv.nxt - testIRS)
}

// synchronized are the states in which both ends know each other's number.
var synchronized = []State{
	StateEstablished, StateFinWait1, StateFinWait2, StateCloseWait, StateClosing, StateLastAck, StateTimeWait,
}

// RFC 9293, Section 3.4 (R9293-2): the four cases of acceptability, by the
// length of the segment and the size of the window.
func TestAcceptability(t *testing.T) {
	open := func(t *testing.T) *driver { // RCV.NXT 1, RCV.WND 3000
		return newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
	}
	closed := func(t *testing.T) *driver { // RCV.NXT 3001, RCV.WND 0
		d := open(t)
		for i := range 3 {
			d.in(seg{f: wire.ACK, seq: 1 + 1000*i, ack: 1, n: 1000})
		}
		d.sent, d.trace = d.sent[:0], d.trace[:0]
		return d
	}
	tests := []struct {
		name   string
		begin  func(*testing.T) *driver
		seq, n int
		ok     bool
	}{
		{"empty at RCV.NXT", open, 1, 0, true},
		{"empty at the last number", open, 3000, 0, true},
		{"empty before", open, -5, 0, false},
		{"empty at the right edge", open, 3001, 0, true},
		{"empty after", open, 3002, 0, false},
		{"text at RCV.NXT", open, 1, 100, true},
		{"first byte at the last number", open, 3000, 100, true},
		{"last byte at RCV.NXT", open, -99, 101, true},
		{"text beyond both edges", open, -99, 4000, true},
		{"text before", open, -99, 100, false},
		{"text after", open, 3001, 100, false},
		{"empty at RCV.NXT, no window", closed, 3001, 0, true},
		{"empty after, no window", closed, 3002, 0, false},
		{"empty before, no window", closed, 2900, 0, false},
		{"text after, no window", closed, 3002, 1, false},
		{"text before, no window", closed, 2900, 50, false},
		{"text that reaches RCV.NXT, no window", closed, 3000, 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.begin(t)
			d.in(seg{f: wire.ACK, seq: tt.seq, ack: 1, n: tt.n})
			if !tt.ok {
				d.wantRule(RuleUnacceptable)
				if len(d.sent) != 1 { // R9293-10: an empty ACK
					t.Errorf("sent %v, want an ACK", d.sent)
				}
				return
			}
			for _, r := range d.trace {
				if r == RuleUnacceptable.String() {
					t.Errorf("the segment was not acceptable")
				}
			}
		})
	}
}

// RFC 5961, Section 3.2 (R5961-1): RST in SYN-RECEIVED and every state after
// it: the exact number resets, one in the window draws a challenge ACK, one
// outside nothing. What the user is told depends on what he was told before.
func TestReset(t *testing.T) {
	tests := []struct {
		state       State
		read, write error
	}{
		{StateEstablished, syscall.ECONNRESET, syscall.ECONNRESET},
		{StateFinWait1, syscall.ECONNRESET, syscall.ECONNRESET},
		{StateFinWait2, syscall.ECONNRESET, syscall.ECONNRESET},
		{StateCloseWait, io.EOF, syscall.EPIPE}, // DIS-13
		{StateClosing, io.EOF, syscall.EPIPE},
		{StateLastAck, io.EOF, syscall.EPIPE},
	}
	for _, tt := range tests {
		t.Run(tt.state.String(), func(t *testing.T) {
			_, next := connState(t, tt.state).nxt()

			d := connState(t, tt.state)
			d.in(seg{f: wire.RST, seq: next})
			d.want()
			d.wantState(StateClosed)
			d.wantRule(RuleResetExact)
			d.wantRead(0, tt.read)
			d.wantRead(0, io.EOF)
			d.wantWrite(syscall.EPIPE)

			d = connState(t, tt.state)
			d.in(seg{f: wire.RST | wire.ACK, seq: next, ack: 1, n: 5}) // SHLD-2: with text, too
			d.wantState(StateClosed)
			d.wantWrite(tt.write)
			d.wantWrite(syscall.EPIPE)

			d = connState(t, tt.state)
			d.in(seg{f: wire.RST, seq: next + 1000})
			d.wantRule(RuleChallengeReset)
			snd, rcv := d.nxt()
			d.want(ackOf(snd, rcv))
			d.wantState(tt.state)

			d = connState(t, tt.state)
			d.in(seg{f: wire.RST, seq: next - 500})
			d.in(seg{f: wire.RST, seq: next + 100000})
			d.wantRule(RuleResetOutside)
			d.want() // R9293-9: no answer to a RST
			d.wantState(tt.state)
		})
	}
}

// RFC 5961, Section 3.2, as Linux has it (R5961-9): a peer that takes a hole
// for filled resets at the right edge of what it knows we have; one that sent
// FIN may reset at the FIN's own number.
func TestResetInDisguise(t *testing.T) {
	t.Run("end of a SACK block", func(t *testing.T) {
		d := newDriver(t, withAllOptions).connect()
		d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000, opt: d.stamp()})
		d.in(seg{f: wire.RST, seq: 2001})
		d.wantState(StateClosed)
	})
	t.Run("inside of one", func(t *testing.T) {
		d := newDriver(t, withAllOptions).connect()
		d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000, opt: d.stamp()})
		d.in(seg{f: wire.RST, seq: 2000})
		d.wantState(StateEstablished)
	})
	t.Run("end of a block that was not told", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000})
		d.in(seg{f: wire.RST, seq: 2001})
		d.wantState(StateEstablished)
	})
	t.Run("number of the FIN", func(t *testing.T) {
		d := connState(t, StateCloseWait)
		d.in(seg{f: wire.RST, seq: 1})
		d.wantState(StateClosed)
	})
}

// RFC 5961, Section 4.2 (R5961-2): SYN, with anything, in a synchronized state
// draws a challenge ACK whatever its number, and changes nothing.
func TestSynInSynchronizedState(t *testing.T) {
	for _, s := range synchronized {
		for name, f := range map[string]wire.Flags{
			"SYN": wire.SYN, "SYN,ACK": wire.SYN | wire.ACK, "SYN,FIN": wire.SYN | wire.FIN,
		} {
			for _, seq := range []int{-70000, 0, 1, 2, 500, 70000} {
				d := connState(t, s)
				snd, rcv := d.nxt()
				d.in(seg{f: f, seq: seq, ack: 1})
				d.wantRule(RuleChallengeSyn)
				d.want(ackOf(snd, rcv))
				if d.c.State() != s {
					t.Errorf("%v at %v in %v: state %v", name, seq, s, d.c.State())
				}
			}
		}
	}
}

// RFC 9293, Section 3.10.7.4, with RFC 5961, Section 4.2 (R5961-3, SC-7): a
// peer that crashed and opens anew gets a challenge ACK, answers with a RST
// that fits, and is believed.
func TestPeerCrashedAndReopens(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.SYN, seq: 12345})
	d.want(". 1:1(0) ack 1")
	d.in(seg{f: wire.RST, seq: 1})
	d.wantState(StateClosed)
	d.wantRead(0, syscall.ECONNRESET)
}

// RFC 5961, Section 7 (R5961-6, R5961-7): at most one challenge ACK, or answer
// to an unacceptable segment without text, in 500 ms.
func TestChallengeAckLimit(t *testing.T) {
	kinds := map[string]seg{
		"SYN":             {f: wire.SYN, seq: 5},
		"RST":             {f: wire.RST, seq: 5},
		"ancient ACK":     {f: wire.ACK, seq: 1, ack: -70000},
		"ACK of unsent":   {f: wire.ACK, seq: 1, ack: 70000},
		"empty, outside":  {f: wire.ACK, seq: -70000, ack: 1},
		"probe, ACK bad":  {f: wire.ACK, seq: 0, ack: 70000},
		"SYN with text":   {f: wire.SYN, seq: 5, n: 5},
		"SYN,ACK outside": {f: wire.SYN | wire.ACK, seq: 99999, ack: 1},
	}
	for name, s := range kinds {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t).connect()
			for range 10 {
				d.in(s)
			}
			d.want(". 1:1(0) ack 1")
			d.now = d.now.Add(499 * time.Millisecond)
			d.in(s)
			d.want()
			d.now = d.now.Add(time.Millisecond)
			d.in(s)
			d.want(". 1:1(0) ack 1")
			if n := d.c.cfg.Counters.ChallengesSuppressed; n < 10 { // a probe with a bad ACK has two reasons
				t.Errorf("%d suppressed, want 10 or more", n)
			}
		})
	}
	t.Run("no limit", func(t *testing.T) {
		d := newDriver(t, withConfig(func(c *Config) { c.ChallengeAckInterval = -1 })).connect()
		d.in(kinds["SYN"])
		d.in(kinds["SYN"])
		d.want(". 1:1(0) ack 1", ". 1:1(0) ack 1")
	})
}

// R5961-8, as Linux has it: an unacceptable segment with text or FIN is always
// answered. It cannot be part of a loop of ACKs, and the ACK it asks for may
// have been lost.
func TestUnacceptableTextIsAlwaysAnswered(t *testing.T) {
	d := connState(t, StateCloseWait)
	for range 3 {
		d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1})
		d.want(". 1:1(0) ack 2")
		d.wantRule(RuleUnacceptable)
		d.in(seg{f: wire.ACK, seq: -9, ack: 1, n: 10})
		d.want(". 1:1(0) ack 2")
	}
}

// SC-19: two ends that disagree about both numbers do not exchange ACKs
// without end.
func TestAckStorm(t *testing.T) {
	d := newDriver(t).connect()
	answers := 0
	for range 1000 { // each of our ACKs is answered by one that is as wrong
		d.in(seg{f: wire.ACK, seq: 0, ack: 50})
		answers += len(d.sent)
		d.sent = d.sent[:0]
		d.now = d.now.Add(time.Millisecond)
	}
	if answers > 3 {
		t.Errorf("%d ACKs in a second, want at most 3", answers)
	}
}

// RFC 5961, Section 7 (R5961-10): a challenge ACK has timestamps as any other
// segment.
func TestChallengeAckHasTimestamps(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.in(seg{f: wire.SYN, seq: 5, opt: d.stamp()})
	if o := d.last.Options; !o.HasTS || o.TSVal != TSVal(d.now, 0) || o.TSEcr != 100 {
		t.Errorf("options of the challenge ACK: %+v", o)
	}
}

// RFC 9293, Section 3.8.4 and Appendix A.2 (R1122K-5, R9293-14): a keep-alive
// probe is answered, its ACK counts, and it is not taken for a duplicate.
func TestKeepAliveProbeReceived(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.write(10)
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK, seq: 0, ack: 11, n: 1, opt: d.stamp()})
	d.want(". 11:11(0) ack 1")
	d.wantRule(RuleKeepAliveProbeReceived)
	if i := d.c.Info(d.now); i.Unacked != 0 {
		t.Errorf("%d bytes unacknowledged, want 0", i.Unacked)
	}
	d.write(10)
	for range 5 {
		d.in(seg{f: wire.ACK, seq: 0, ack: 11, opt: d.stamp()})
	}
	if i := d.c.Info(d.now); i.DupAcksIn != 0 {
		t.Errorf("%d duplicate ACKs, want 0", i.DupAcksIn)
	}
}

// RFC 9293, Section 3.10.7.4: a segment without ACK, SYN and RST is dropped.
func TestNoFlags(t *testing.T) {
	for _, s := range synchronized {
		d := connState(t, s)
		_, rcv := d.nxt()
		d.in(seg{seq: rcv, n: 10})
		d.wantRule(RuleNoAck)
		d.want()
		d.wantState(s)
	}
}

// RFC 9293, Section 3.4: numbers are compared modulo 2^32. Whatever a segment's
// are, at the edges of what is expected, a window away, or half of the space,
// where each of two is before the other: the connection stays in order.
func TestNumbersOfForgedSegments(t *testing.T) {
	const wnd, half = 65535, 1 << 31 // and -half is the same, where an int has 32 bits
	offsets := []int{0, 1, -1, wnd - 1, wnd, -wnd, -half, half - 1, half - wnd, -half + wnd}
	flags := []wire.Flags{
		wire.ACK, wire.FIN | wire.ACK, wire.SYN, wire.SYN | wire.ACK, wire.RST, wire.RST | wire.ACK, wire.URG | wire.ACK,
	}
	for s := StateSynReceived; s <= StateTimeWait; s++ {
		for _, f := range flags {
			for _, seq := range offsets {
				for _, ack := range offsets {
					if !f.Has(wire.ACK) && ack != 0 {
						continue
					}
					for _, n := range []int{0, 100} {
						d := connState(t, s)
						if s == StateEstablished {
							d.write(3000)
							d.in(seg{f: wire.ACK | wire.FIN, seq: 201, ack: 1, n: 100}) // after a gap
						}
						_, rcv := d.nxt()
						d.in(seg{f: f, seq: rcv + seq, ack: d.c.snd.una.Diff(testISS) + ack, n: n})
						_, after := d.nxt()
						d.advance(time.Second)
						if err := invariants(&d.c); err != nil || after < rcv || after > rcv+n+1 {
							t.Fatalf("%v in %v at RCV.NXT%+d, ACK at SND.UNA%+d, %d bytes: RCV.NXT moved by %d: %v",
								f, s, seq, ack, n, after-rcv, err)
						}
					}
				}
			}
		}
	}
}
