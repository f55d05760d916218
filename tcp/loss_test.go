package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// wantCwnd asserts the congestion window and the slow start threshold, in
// segments of 1000 bytes; a threshold of 0 stands for "none yet".
func (d *driver) wantCwnd(cwnd, ssthresh float64) {
	d.t.Helper()
	i := d.c.Info(d.now)
	if float64(i.SndCwnd) != cwnd*1000 || (ssthresh != 0 && float64(i.SndSsthresh) != ssthresh*1000) {
		d.t.Fatalf("cwnd %v, ssthresh %v, want %v, %v segments; trace %v", i.SndCwnd, i.SndSsthresh, cwnd, ssthresh, d.trace)
	}
}

// ack delivers an ACK, n times.
func (d *driver) ack(at, n int) {
	for range n {
		d.in(seg{f: wire.ACK, seq: 1, ack: at})
	}
}

// sentCount returns how many segments were sent since the last call.
func (d *driver) sentCount() int {
	n := len(d.sent)
	d.sent = d.sent[:0]
	return n
}

// flight opens a connection and sends ten segments, with more to come.
func flight(t *testing.T, more int) *driver {
	d := newDriver(t).connect()
	d.write(10000 + more)
	if n := d.sentCount(); n != 10 {
		t.Fatalf("%d segments to begin with, want 10", n)
	}
	return d
}

// RFC 5681, Section 3.1 (R5681-1): slow start: each ACK adds what it
// acknowledges.
func TestSlowStart(t *testing.T) {
	d := flight(t, 100_000)
	for i := range 10 {
		d.ack(1001+1000*i, 1)
		if n := d.sentCount(); n != 2 {
			t.Fatalf("ACK %d let %d segments out, want 2", i, n)
		}
	}
	d.wantCwnd(20, 0)
}

// RFC 5681, Section 3.1 (R5681-10): never more than the peer's window.
func TestWindowOfThePeerLimits(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 3000})
	d.write(10000)
	if n := d.sentCount(); n != 3 {
		t.Errorf("%d segments into a window of three", n)
	}
}

// RFC 5681, Section 3.1 (R5681-11): an ACK counts by its bytes, so that many
// small ones are worth no more than one; and what was not sent cannot be
// acknowledged.
func TestAckDivision(t *testing.T) {
	d := flight(t, 100_000)
	for i := range 1000 {
		d.ack(2+i, 1)
	}
	d.wantCwnd(11, 0)
	d.ack(90_000, 5)
	d.wantCwnd(11, 0)
}

// RFC 7661, Section 4.3, and RFC 5681, Section 3.1: a window that is not used
// does not grow.
func TestNoGrowthWithoutUse(t *testing.T) {
	d := newDriver(t).connect()
	for i := range 100 {
		d.write(1000)
		d.ack(1001+1000*i, 1)
	}
	d.wantCwnd(10, 0)
}

// RFC 3042, Section 2 (R3042-1), RFC 5681, Section 3.2 (R5681-3, R5681-8): the
// first two duplicate ACKs let a new segment out each; the third is a loss: the
// segment goes again, the threshold is half of the flight without those two,
// and each further duplicate inflates the window by a segment.
func TestFastRetransmit(t *testing.T) {
	d := flight(t, 50_000)
	d.ack(1, 1)
	d.want(". 10001:11001(1000) ack 1")
	d.wantRule(RuleLimitedTransmit)
	d.ack(1, 1)
	d.want(". 11001:12001(1000) ack 1")
	d.wantCwnd(10, 0)
	d.ack(1, 1)
	d.want(". 1:1001(1000) ack 1")
	d.wantRule(RuleFastRetransmit)
	d.wantCwnd(5, 5)
	if s := d.c.Info(d.now).CAState; s != "recovery" {
		t.Errorf("state %v, want recovery", s)
	}
	// In flight 12, allowed 5+3: five more duplicates let one out.
	d.ack(1, 4)
	d.want()
	d.ack(1, 1)
	d.want(". 12001:13001(1000) ack 1")
	// The ACK of everything up to recover ends it; the window deflates.
	d.ack(12001, 1)
	d.wantRule(RuleRecovered)
	if n := d.sentCount(); n != 1 { // one is in flight: no burst
		t.Errorf("%d segments after the recovery, want 1", n)
	}
	d.wantCwnd(2, 5)
}

// RFC 5681, Section 3.1 (R5681-2): congestion avoidance: one segment more for
// each window acknowledged.
func TestCongestionAvoidance(t *testing.T) {
	d := flight(t, 200_000)
	d.ack(1, 3)
	d.ack(12001, 1) // recovered
	at := 12001
	for d.c.Info(d.now).SndCwnd < 5000 {
		at += 1000
		d.ack(at, 1)
	}
	d.wantCwnd(5, 5)
	for cwnd := 5; cwnd < 9; cwnd++ {
		for range cwnd {
			d.wantCwnd(float64(cwnd), 5)
			at += 1000
			d.ack(at, 1)
		}
	}
	d.wantCwnd(9, 5)
}

// RFC 6582, Section 3.2 (R6582-1, R6582-3): an ACK that covers the first hole
// but not all sends the next hole at once. The timer restarts for the first
// of those only.
func TestPartialAck(t *testing.T) {
	d := flight(t, 0)
	d.ack(1, 3)
	d.want(". 1:1001(1000) ack 1")
	d.now = d.now.Add(100 * time.Millisecond)
	d.ack(3001, 1)
	d.want(". 3001:4001(1000) ack 1")
	d.wantRule(RulePartialAck)
	d.wantTimeout(210 * time.Millisecond)
	d.now = d.now.Add(50 * time.Millisecond)
	d.ack(6001, 1)
	d.want(". 6001:7001(1000) ack 1")
	d.wantTimeout(160 * time.Millisecond)
	if s := d.c.Info(d.now).CAState; s != "recovery" {
		t.Errorf("state %v, want recovery", s)
	}
	d.ack(10001, 1)
	d.wantRule(RuleRecovered)
	if s := d.c.Info(d.now).CAState; s != "open" {
		t.Errorf("state %v, want open", s)
	}
	d.wantCwnd(2, 5)
}

// RFC 6582, Section 3.2, step 1 (R6582-2): duplicates of what was in flight
// when a loss was repaired are no new loss; neither are those of its end.
func TestRecover(t *testing.T) {
	d := flight(t, 0)
	d.advance(210 * time.Millisecond)
	d.want(". 1:1001(1000) ack 1") // time-out
	d.ack(5001, 1)
	d.ack(5001, 5)
	d.ack(10001, 1)
	d.write(5000)
	before := d.c.Info(d.now).TotalRetrans
	d.ack(10001, 3)
	if n := d.c.Info(d.now).TotalRetrans - before; n != 0 {
		t.Errorf("%d retransmissions for ACKs of recover", n)
	}
	// With the first ACK beyond, three duplicates mean a loss again.
	d.ack(11001, 1)
	d.write(5000)
	d.sent = d.sent[:0]
	d.ack(11001, 3)
	d.wantRule(RuleFastRetransmit)
}

// RFC 6675, Section 4 (R6675-1): SACK blocks that cover three segments say as
// much as three duplicate ACKs; and a hole that SACK shows at the end of the
// last recovery is one.
func TestFastRetransmitBySACK(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.NoSACK = false })).connect()
	d.write(10000)
	d.sent = d.sent[:0]
	sacked := func(ack, left, right int64) {
		o := wire.Options{NumSACK: 1}
		o.SACK[0] = wire.SACKBlock{Left: ours(left), Right: ours(right)}
		d.in(seg{f: wire.ACK, seq: 1, ack: int(ack), opt: o})
	}
	sacked(1, 1001, 3001)
	d.want()
	sacked(1, 1001, 4001)
	d.want(". 1:1001(1000) ack 1")
	d.ack(10001, 1)
	d.write(5000)
	d.sent = d.sent[:0]
	sacked(10001, 11001, 14001)
	d.wantRule(RuleFastRetransmit)
}

// RFC 5681, Section 3.1 (R5681-4), RFC 6298, Section 5 (R6298-9): the time-out
// begins with one segment; the threshold is set by the first one only; what is
// lost goes again in slow start.
func TestTimeoutBeginsAnew(t *testing.T) {
	d := flight(t, 0)
	d.advance(210 * time.Millisecond)
	d.want(". 1:1001(1000) ack 1")
	d.wantCwnd(1, 5)
	if s := d.c.Info(d.now).CAState; s != "loss" {
		t.Errorf("state %v, want loss", s)
	}
	d.advance(420 * time.Millisecond)
	d.want(". 1:1001(1000) ack 1")
	d.wantCwnd(1, 5)
	d.ack(1001, 1)
	d.want(". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1")
	d.wantCwnd(2, 5)
	d.ack(2001, 1)
	d.want(". 3001:4001(1000) ack 1", ". 4001:5001(1000) ack 1")
	d.wantCwnd(3, 5)
	// R3465-1: an ACK of what arrived long ago counts as one segment.
	d.ack(8001, 1)
	d.wantCwnd(4, 5)
	d.want(". 8001:9001(1000) ack 1", "P. 9001:10001(1000) ack 1")
	d.ack(10001, 1)
	d.wantRule(RuleRecovered)
	if i := d.c.Info(d.now); i.TotalRetrans != 8 || i.BytesRetrans != 8000 {
		t.Errorf("%d segments, %d bytes retransmitted, want 8, 8000", i.TotalRetrans, i.BytesRetrans)
	}
}

// What the congestion window leaves room for is sent again in whole segments.
func TestRetransmissionsAreWhole(t *testing.T) {
	d := flight(t, 0)
	d.advance(210 * time.Millisecond)
	d.sent = d.sent[:0]
	d.ack(301, 1) // the window is 1300 now, 700 are in flight
	d.want()
	d.ack(1001, 1)
	d.want(". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1")
}

// RFC 5681, Section 4.1 (R5681-9, D-26): after a time-out's worth of silence
// the window is the initial one again, at most.
func TestIdleRestart(t *testing.T) {
	d := flight(t, 20_000)
	at := 1
	for range 30 {
		at += 1000
		d.ack(at, 1)
	}
	d.wantCwnd(40, 0)
	d.sent = d.sent[:0]
	d.now = d.now.Add(199 * time.Millisecond)
	d.write(1000)
	d.wantCwnd(40, 0)
	d.ack(at+1000, 1)
	d.now = d.now.Add(211 * time.Millisecond)
	d.sent = d.sent[:0]
	d.write(60_000)
	d.wantRule(RuleIdleRestart)
	if n := d.sentCount(); n != 10 {
		t.Errorf("%d segments after the silence, want 10", n)
	}
}

// A burst as one super-segment is a quarter of the window at most, so that the
// ACKs of the others keep coming.
func TestSuperSegments(t *testing.T) {
	d := newDriver(t)
	d.open.Path.MaxSuper = 64000
	d.connect()
	d.write(30_500)
	d.want("P. 1:2001(2000) ack 1", "P. 2001:4001(2000) ack 1", "P. 4001:6001(2000) ack 1",
		"P. 6001:8001(2000) ack 1", "P. 8001:10001(2000) ack 1")
	if s := d.batch.Segments[0]; s.SegSize != 1000 || s.Count != 2 {
		t.Errorf("SegSize %v, Count %v, want 1000, 2", s.SegSize, s.Count)
	}
	for i := range 4 {
		d.ack(2001+2000*i, 1)
		d.sent = d.sent[:0]
	}
	d.ack(10001, 1)
	d.want("P. 26001:30001(4000) ack 1")
}

// RFC 9293, Section 3.9.1.2 (MUST-61): a segment that ended what the user wrote goes
// again as it was, with PSH, whatever was written since; another has none.
func TestPushGoesAgain(t *testing.T) {
	d := newDriver(t, withSACK)
	d.dial()
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000, SACKPermitted: true}})
	d.want(". 1:1(0) ack 1")
	d.write(2000)
	d.want(". 1:1001(1000) ack 1", "P. 1001:2001(1000) ack 1")
	d.write(3000)
	d.want(". 2001:3001(1000) ack 1", ". 3001:4001(1000) ack 1", "P. 4001:5001(1000) ack 1")
	d.now = d.now.Add(50 * ms)
	d.sack(1, 2001, 5001)
	d.want(". 1:1001(1000) ack 1", "P. 1001:2001(1000) ack 1")
}
