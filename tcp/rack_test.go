package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// withSACK turns SACK on.
func withSACK(d *driver) { d.cfg.NoSACK = false }

// sack delivers an ACK of at with SACK blocks, pairs of relative numbers.
func (d *driver) sack(at int, edges ...int64) {
	d.t.Helper()
	o := wire.Options{}
	for i := 0; i < len(edges); i += 2 {
		o.SACK[o.NumSACK] = wire.SACKBlock{Left: ours(edges[i]), Right: ours(edges[i+1])}
		o.NumSACK++
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: at, opt: o})
}

// sackFlight opens a connection with SACK, sends ten segments, and waits for
// most of a round trip of 100 ms.
func sackFlight(t *testing.T, more int, mod ...func(*driver)) *driver {
	t.Helper()
	d := newDriver(t, append([]func(*driver){withSACK}, mod...)...)
	o := wire.Options{MSS: 1000, SACKPermitted: true}
	if !d.cfg.NoTimestamps {
		d.open.Path.MTU += timestampsSize
	}
	d.dial()
	d.now = d.now.Add(100 * ms)
	if !d.cfg.NoTimestamps {
		o.MSS += timestampsSize
		o.HasTS, o.TSVal, o.TSEcr = true, 100, TSVal(d.now, 0)-100
	}
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: o})
	d.want(". 1:1(0) ack 1")
	d.write(10000 + more)
	if n := d.sentCount(); n != 10 {
		t.Fatalf("%d segments to begin with, want 10", n)
	}
	d.now = d.now.Add(100 * ms)
	d.trace = d.trace[:0]
	return d
}

// RFC 8985, Section 6.2, step 5 (R8985-5, R8985-7): with few segments SACKed
// what was sent before them has a quarter of the round trip to come; then a
// timer finds it lost.
func TestReorderTimer(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 2001)
	d.want()
	if timer, at := d.c.NextTimer(); timer != TimerReorder || at.Sub(d.now) != 25*ms {
		t.Fatalf("timer %v in %v, want reorder in 25ms", timer, at.Sub(d.now))
	}
	d.advance(25 * ms)
	d.wantRule(RuleReorderTimeout)
	d.want(". 1:1001(1000) ack 1")
	if i := d.c.Info(d.now); i.CAState != "recovery" {
		t.Errorf("state %v, want recovery", i.CAState)
	}
}

// RFC 8985, Section 6.2, step 4 (R8985-5, R6675-1): once three segments are
// SACKed there is no waiting, unless the path is known to reorder.
func TestThreeSegmentsAreEnough(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 3001)
	d.want()
	d.sack(1, 1001, 4001)
	d.want(". 1:1001(1000) ack 1")
	d.wantRule(RuleFastRetransmit)
}

// RFC 8985, Section 6.2, step 3 (R8985-4): the arrival of what was sent before
// something that arrived earlier shows that the path reorders; from then on
// three segments are not enough.
func TestReorderingIsLearnt(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 3001)
	d.now = d.now.Add(5*ms + 1001)
	d.ack(3001, 1)
	d.wantRule(RuleReordering)
	if i := d.c.Info(d.now); i.ReordSeen != 1 || i.Reordering != 3 {
		t.Errorf("ReordSeen %v, Reordering %v, want 1, 3", i.ReordSeen, i.Reordering)
	}
	d.sack(3001, 4001, 8001)
	d.want()
	d.advance(30 * ms)
	d.want(". 3001:4001(1000) ack 1")
}

// RFC 8985, Section 6.2 (R8985-8): what is lost a second time is found like
// the first time, without a time-out.
func TestLostRetransmission(t *testing.T) {
	d := sackFlight(t, 20_000)
	d.sack(1, 1001, 4001)
	d.want(". 1:1001(1000) ack 1", ". 10001:11001(1000) ack 1")
	d.sack(1, 1001, 10001)
	d.sent = d.sent[:0]
	d.now = d.now.Add(100*ms + 1001)
	// New data that went after the retransmission arrives, that did not.
	d.sack(1, 1001, 11001)
	if len(d.sent) == 0 || d.sent[0] != ". 1:1001(1000) ack 1 win 65535" {
		t.Fatalf("sent %v, want the first segment again", d.sent)
	}
	if i := d.c.Info(d.now); i.Retransmits != 0 {
		t.Errorf("%d time-outs, want none", i.Retransmits)
	}
}

// RFC 8985, Section 6.2, step 4 (R8985-6): a DSACK widens the window by a
// quarter of the round trip, once in a round trip; after sixteen recoveries it
// is as at the beginning. It never exceeds SRTT.
func TestReorderingWindow(t *testing.T) {
	r := rack{rackMemory: rackMemory{reordered: true}}
	want := func(w time.Duration) {
		t.Helper()
		if got := r.window(true, 40*ms, 50*ms); got != w {
			t.Fatalf("window = %v, want %v", got, w)
		}
	}
	want(10 * ms)
	r.duplicate(1000, 2000)
	want(20 * ms)
	r.duplicate(1500, 2500)
	want(20 * ms)
	r.duplicate(2000, 3000)
	want(30 * ms)
	for range 20 {
		r.dsacked = false
		r.duplicate(2000, 3000)
	}
	want(50 * ms)
	for range reoPersist {
		want(50 * ms)
		r.recovered()
	}
	want(10 * ms)
	r = rack{}
	want(0)
	if got := r.window(false, 40*ms, 50*ms); got != 10*ms {
		t.Errorf("window = %v before three segments are SACKed, want 10ms", got)
	}
}

// RFC 8985, Section 6.2, step 1 (R8985-2): the least round trip is that of the
// last minutes, so that a longer path is noticed.
func TestLeastRoundTrip(t *testing.T) {
	var e estimator
	now := Time(time.Hour)
	for _, step := range []struct {
		after, rtt, want time.Duration
	}{
		{0, 0, 0},
		{0, 20 * ms, 20 * ms},
		{time.Minute, 10 * ms, 10 * ms},
		{time.Minute, 30 * ms, 10 * ms},
		{4 * time.Minute, 30 * ms, 10 * ms},
		{6 * time.Minute, 40 * ms, 30 * ms},
		{6 * time.Minute, 50 * ms, 40 * ms},
	} {
		now = now.Add(step.after)
		e.noteLeast(now, step.rtt)
		if got := e.least(); got != step.want {
			t.Fatalf("least() = %v at %v after %v, want %v", got, time.Duration(now), step.rtt, step.want)
		}
	}
}

// RFC 8985, Section 6.2, step 2 (R8985-3): a segment that went again tells a
// round trip only if it is its last copy that was answered. The timestamp echoed
// tells that of what is acknowledged; of what SACK reports it tells nothing, as
// the receiver echoes what came before the gap (RFC 7323, Section 4.3).
func TestAmbiguousCopy(t *testing.T) {
	sent := Time(10 * time.Second)
	for _, tt := range []struct {
		name  string
		flags recordFlags
		ecr   time.Duration // after sent; negative: there are no timestamps
		at    time.Duration
		cum   seqnum.Value
		sure  bool
	}{
		{"once only", 0, -1, 5 * ms, 2, true},
		{"again, less than a round trip ago", recResent, -1, 5 * ms, 2, false},
		{"again, a round trip ago", recResent, -1, 25 * ms, 2, true},
		{"again, an older echo", recResent, 0, 25 * ms, 2, false},
		{"again, its own echo", recResent, 1 * ms, 25 * ms, 2, true},
		{"again, an older echo, by SACK", recResent, 0, 25 * ms, 1, true},
		{"again, an older echo, by SACK, less than a round trip ago", recResent, 0, 5 * ms, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := delivery{now: sent.Add(tt.at), minRTT: 20 * ms, cum: tt.cum}
			if tt.ecr >= 0 {
				d.ecr, d.ecrKnown = TSVal(sent.Add(tt.ecr-ms), 0), true
			}
			d.deliver(&sentRecord{start: 1, end: 2, sentAt: sent, size: 1, flags: tt.flags})
			if d.sure != tt.sure || d.bytes != 1 {
				t.Errorf("sure %v, %d bytes, want %v, 1", d.sure, d.bytes, tt.sure)
			}
		})
	}
}

// RFC 8985, Section 4: the times may come from a clock that is coarser than the
// round trip. What went out in one burst, on both sides of a tick, is not taken
// for lost when it comes in another order.
func TestCoarseClock(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, 15625 * time.Microsecond} {
		for _, rtt := range []time.Duration{50 * time.Microsecond, 5 * ms, 20 * ms, 100 * ms} {
			c := coarse{tick: tick, rtt: rtt}
			if n := c.retransmits(t); n != 0 {
				t.Errorf("tick %v, round trip %v: %d segments sent again, want none", tick, rtt, n)
			}
		}
	}
}

// With a coarse clock a loss is still found by what arrived after it, once, and
// long before the time-out.
func TestLossByACoarseClock(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, 15625 * time.Microsecond} {
		for _, rtt := range []time.Duration{50 * time.Microsecond, 5 * ms, 20 * ms, 100 * ms} {
			c := coarse{tick: tick, rtt: rtt}
			d := newDriver(t, withSACK)
			at := 7 * ms
			set := func(to time.Duration) { at = to; d.now = c.read(at) }
			set(at)
			d.dial()
			set(at + rtt)
			d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000, SACKPermitted: true}})
			d.sent = d.sent[:0]
			d.write(6000)
			for i := range 10 { // a round trip is known
				set(at + rtt + time.Duration(i%3)*tick)
				d.ack(6001+6000*i, 1)
				d.write(6000)
			}
			d.sent = d.sent[:0]
			set(at + rtt)
			d.sack(60_001, 61_001, 63_001)
			sacked := at
			for d.c.Info(d.now).TotalRetrans == 0 && at < sacked+time.Second {
				set(at + c.tick/4)
				d.c.Advance(d.now)
				d.output()
			}
			if late := at - sacked; late > rtt/2+3*tick {
				t.Errorf("tick %v, round trip %v: sent again after %v", tick, rtt, late)
			}
			set(at + rtt)
			d.ack(66_001, 1)
			if i := d.c.Info(d.now); i.TotalRetrans != 1 || i.Retransmits != 0 {
				t.Errorf("tick %v, round trip %v: %d sent again, %d time-outs, want 1, 0", tick, rtt, i.TotalRetrans, i.Retransmits)
			}
		}
	}
}

// coarse is a transfer over a path which swaps two segments of each burst, with
// a clock that shows only whole ticks.
type coarse struct{ tick, rtt time.Duration }

func (c coarse) read(at time.Duration) Time {
	return Time(time.Hour + at.Truncate(c.tick))
}

func (c coarse) retransmits(t *testing.T) uint64 {
	d := newDriver(t, withSACK)
	at := time.Duration(0)
	set := func(to time.Duration) { at = to; d.now = c.read(at) }
	set(0)
	d.dial()
	set(c.rtt)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000, SACKPermitted: true}})
	done := 1
	for range 40 {
		// The burst begins just before a tick, and ends after it.
		start := (at/c.tick+2)*c.tick - 20*time.Microsecond
		for i := range 4 {
			set(start + time.Duration(i)*10*time.Microsecond)
			d.write(1000)
		}
		d.sent = d.sent[:0]
		// The second comes 1 microsecond after the fourth.
		end := start + c.rtt
		set(end)
		d.ack(done+1000, 1)
		set(end + 20*time.Microsecond)
		d.sack(done+1000, int64(done+2000), int64(done+3000))
		set(end + 30*time.Microsecond)
		d.sack(done+1000, int64(done+2000), int64(done+4000))
		d.advance(0)
		set(end + 31*time.Microsecond)
		d.ack(done+4000, 1)
		done += 4000
	}
	return d.c.Info(d.now).TotalRetrans
}

// RFC 6298, Section 4, and RFC 7323, Appendix G: SACK, too, tells the round-trip
// time, once in a round, while a hole keeps the number of the ACKs where it is.
func TestRoundTripBySACK(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.NoSACK = false })).connect()
	d.write(10000)
	sacked := func(right int64) {
		o := wire.Options{NumSACK: 1}
		o.SACK[0] = wire.SACKBlock{Left: ours(1001), Right: ours(right)}
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: o})
	}
	before := d.c.Info(d.now).RTT // 10 ms, by the handshake
	sacked(2001)
	if got := d.c.Info(d.now).RTT; got != before {
		t.Errorf("RTT %v after no time at all, want %v", got, before)
	}
	d.now = d.now.Add(90 * time.Millisecond)
	sacked(3001)
	want := before + (90*time.Millisecond-before)/8
	if got := d.c.Info(d.now).RTT; got != want {
		t.Errorf("RTT %v after a SACK of 90 ms, want %v", got, want)
	}
	sacked(4001)
	if got := d.c.Info(d.now).RTT; got != want {
		t.Errorf("RTT %v after the next SACK of the round, want %v", got, want)
	}
}

// RFC 8985, Section 6.2, step 2 (R8985-3): the round trip of the segment delivered
// last says how long ACKs take now, even beside one that went again and so was
// sent later. The path is seen to reorder: what left with the first copy has a
// quarter of a round trip more.
func TestRoundTripOfTheLast(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 2001)
	d.sack(1, 1001, 3001)
	d.sack(1, 1001, 3001, 8001, 9001)
	d.want(". 1:1001(1000) ack 1")
	d.now = d.now.Add(120 * ms)
	d.sack(4001, 8001, 9001)
	if d.c.rack.rtt != 220*ms {
		t.Errorf("round trip %v after an ACK of a first copy 220 ms old, want that", d.c.rack.rtt)
	}
	if i := d.c.Info(d.now); i.Lost != 4 {
		t.Errorf("%d segments lost, want 4: the tenth may be on its way", i.Lost)
	}
}
