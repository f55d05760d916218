package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// withECN lets a connection ask for ECN, and the peer agree.
func withECN(t *testing.T, mod ...func(*driver)) *driver {
	t.Helper()
	d := newDriver(t, append(mod, withConfig(func(c *Config) { c.ECN = ECNOn }))...)
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want("SEW 0:0(0)")
	d.in(seg{f: wire.SYN | wire.ACK | wire.ECE, ack: 1, opt: wire.Options{MSS: 1000}})
	d.want(". 1:1(0) ack 1")
	if !d.c.Info(d.now).ECN {
		t.Fatal("Info.ECN = false")
	}
	d.trace = d.trace[:0]
	return d.noQuickAck()
}

// wantTOS fails unless the last segment was sent with this ECN field.
func (d *driver) wantTOS(want uint8) {
	d.t.Helper()
	if got := d.last.TOS; got != want {
		d.t.Fatalf("TOS = %#x, want %#x", got, want)
	}
}

// RFC 3168, Section 6.1.1 (R3168-1): ECE alone in the SYN,ACK agrees; both flags
// are the echo of a host that knows nothing of them; and none is asked who must
// not.
func TestECNNegotiation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   ECN
		syn    string
		answer wire.Flags
		want   bool
	}{
		{"agreed", ECNOn, "SEW 0:0(0)", wire.ECE, true},
		{"declined", ECNOn, "SEW 0:0(0)", 0, false},
		{"echoed", ECNOn, "SEW 0:0(0)", wire.ECE | wire.CWR, false},
		{"not asked", ECNPassive, "S 0:0(0)", wire.ECE, false},
		{"off", ECNOff, "S 0:0(0)", wire.ECE, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, withConfig(func(c *Config) { c.ECN = tt.mode }))
			d.c.Dial(d.now, d.cfg, &d.open)
			d.output()
			d.want(tt.syn)
			d.wantTOS(0)
			d.in(seg{f: wire.SYN | wire.ACK | tt.answer, ack: 1, opt: wire.Options{MSS: 1000}})
			d.want(". 1:1(0) ack 1")
			if got := d.c.Info(d.now).ECN; got != tt.want {
				t.Errorf("Info.ECN = %v, want %v", got, tt.want)
			}
			d.write(100)
			d.want("P. 1:101(100) ack 1")
			if d.wantTOS(map[bool]uint8{true: 2}[tt.want]); tt.want {
				return
			}
			d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 101, n: 100, tos: 3})
			d.want(". 101:101(0) ack 101")
		})
	}
}

// RFC 3168, Section 6.1.1.1 (R3168-5): a SYN that is sent again does not ask.
func TestECNSynAgain(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.ECN = ECNOn }))
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want("SEW 0:0(0)")
	d.advance(initialRTO)
	d.want("S 0:0(0)")
}

// RFC 3168, Sections 6.1.4 to 6.1.6 (R3168-2): new data says that it may be
// marked; an ACK, a retransmission and a probe do not.
func TestECNCapable(t *testing.T) {
	d := withECN(t)
	d.write(1000)
	d.want("P. 1:1001(1000) ack 1")
	d.wantTOS(2)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100})
	d.advance(d.cfg.DelayedAck)
	d.want(". 1001:1001(0) ack 101")
	d.wantTOS(0)
	d.advance(d.cfg.MinRTO)
	d.want("P. 1:1001(1000) ack 101")
	d.wantTOS(0)
}

// RFC 3168, Section 6.1.3 (R3168-3): after a mark every ACK echoes it, until a
// segment comes with CWR; one with both says and asks for it at once.
func TestECNEcho(t *testing.T) {
	d := withECN(t)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100, tos: 2})
	d.advance(d.cfg.DelayedAck)
	d.want(". 1:1(0) ack 101")
	d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100, tos: 3})
	d.want("E. 1:1(0) ack 201")
	d.wantRule(RuleCongestionMark)
	d.in(seg{f: wire.ACK, seq: 201, ack: 1, n: 1000, tos: 2})
	d.advance(d.cfg.DelayedAck)
	d.want("E. 1:1(0) ack 1201")
	d.write(10)
	d.want("PE. 1:11(10) ack 1201")
	d.in(seg{f: wire.ACK | wire.CWR, seq: 1201, ack: 11, n: 100, tos: 2})
	d.want(". 11:11(0) ack 1301")
	d.in(seg{f: wire.ACK | wire.CWR, seq: 1301, ack: 11, n: 100, tos: 3})
	d.want("E. 11:11(0) ack 1401")
	if !d.c.Info(d.now).ECNSeen {
		t.Error("Info.ECNSeen = false")
	}
}

// RFC 3168, Section 6.1.2 (R3168-4): an echo reduces the window once for a window
// of data, and the next new data says so, not a retransmission and not an ACK.
func TestECNReduces(t *testing.T) {
	d := withECN(t, withConfig(func(c *Config) { c.Congestion = CongestionReno }))
	d.write(10_000)
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 2001})
	d.wantRule(RuleCongestionEcho)
	d.want()
	if got := d.c.Info(d.now).SndSsthresh; got != 5000 {
		t.Errorf("ssthresh = %v after an echo of 10 segments, want 5000", got)
	}
	d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 9001})
	if got := d.c.Info(d.now).SndSsthresh; got != 5000 {
		t.Errorf("ssthresh = %v, reduced twice for one window", got)
	}
	d.write(2000)
	d.want("W. 10001:11001(1000) ack 1", "P. 11001:12001(1000) ack 1")
	d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 12001})
	d.write(1000)
	d.want("PW. 12001:13001(1000) ack 1")
}

// RFC 9937, Section 4 (R9937-7): after an echo PRR leads down to the threshold.
// From ten segments to five, every second segment that is delivered lets one out,
// from the first ACK on, until that many are in flight.
func TestECNProportional(t *testing.T) {
	d := withECN(t, withConfig(func(c *Config) { c.Congestion = CongestionReno }))
	d.write(30_000)
	d.sent = d.sent[:0]
	for i, want := range []int{1, 0, 1, 0, 1, 0, 1, 0, 0} {
		d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: (i+1)*1000 + 1})
		if got := d.sentCount(); got != want {
			t.Errorf("ACK number %d lets out %d segments, want %d", i+1, got, want)
		}
		if state := d.c.Info(d.now).CAState; state != "cwr" {
			t.Errorf("state %v at ACK number %d, want cwr", state, i+1)
		}
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 10_001})
	if i := d.c.Info(d.now); i.CAState != "open" || i.SndCwnd != 5000 || i.InFlight != 5000 {
		t.Errorf("state, window, in flight = %v, %v, %v at the end, want open, 5000, 5000", i.CAState, i.SndCwnd, i.InFlight)
	}
}

// RFC 3168, Section 6.1.2 (R3168-4): a loss in the window of data in which an echo
// reduced the window does not reduce it again, and that it was none after all
// takes nothing back.
func TestECNThenLoss(t *testing.T) {
	d := sackFlight(t, 10_000, withConfig(func(c *Config) { c.Congestion = CongestionReno }))
	d.c.ecn.on = true
	d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 1001})
	d.sack(1001, 2001, 5001)
	d.wantRule(RuleFastRetransmit)
	if i := d.c.Info(d.now); i.CAState != "recovery" || i.SndSsthresh != 5000 {
		t.Errorf("state, ssthresh = %v, %v, want recovery, 5000", i.CAState, i.SndSsthresh)
	}
	d.sack(11_001, 1001, 2001) // a DSACK: it had arrived
	if i := d.c.Info(d.now); i.SndSsthresh != 5000 || i.SndCwnd > 6000 || i.CAState != "open" {
		t.Errorf("state, ssthresh, window = %v, %v, %v, want open, 5000, 5000 or 6000", i.CAState, i.SndSsthresh, i.SndCwnd)
	}
}

// RFC 3168, Section 6.1.2: a reduction because of a loss is told by CWR as well,
// and an echo in the same window is not another.
func TestECNAfterTimeout(t *testing.T) {
	d := withECN(t)
	d.write(1000)
	d.want("P. 1:1001(1000) ack 1")
	d.advance(d.c.rtt.timeout(d.cfg))
	d.want("P. 1:1001(1000) ack 1")
	d.in(seg{f: wire.ACK | wire.ECE, seq: 1, ack: 1001})
	d.write(1000)
	d.want("PW. 1001:2001(1000) ack 1")
}
