package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

const ms = time.Millisecond

// RFC 6298, Section 2 (R6298-1 to R6298-5): the time-out from samples.
func TestEstimator(t *testing.T) {
	cfg := NewConfig(Config{})
	tests := []struct {
		name         string
		samples      []time.Duration
		srtt, rttvar time.Duration
		rto          time.Duration
	}{
		{"first: SRTT = R, RTTVAR = R/2", []time.Duration{100 * ms}, 100 * ms, 50 * ms, 300 * ms},
		{"second: RTTVAR before SRTT", []time.Duration{100 * ms, 200 * ms}, 112500 * time.Microsecond, 62500 * time.Microsecond, 362500 * time.Microsecond},
		{"third", []time.Duration{100 * ms, 200 * ms, 112500 * time.Microsecond}, 112500 * time.Microsecond, 46875 * time.Microsecond, 312500 * time.Microsecond},
		{"RTTVAR not under the minimum", []time.Duration{ms}, ms, ms / 2, 201 * ms},
		{"not over the maximum", []time.Duration{100 * time.Second}, 100 * time.Second, 50 * time.Second, 120 * time.Second},
		{"no time at all", []time.Duration{0}, 1, 0, 200*ms + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := estimator{rto: initialRTO}
			for _, r := range tt.samples {
				e.sample(Time(time.Second), r, cfg)
			}
			if e.srtt != tt.srtt || e.rttvar != tt.rttvar || e.rto != tt.rto {
				t.Errorf("samples %v: SRTT %v, RTTVAR %v, RTO %v, want %v, %v, %v",
					tt.samples, e.srtt, e.rttvar, e.rto, tt.srtt, tt.rttvar, tt.rto)
			}
		})
	}
	// G, the granularity of the clock, is the least above SRTT.
	e := estimator{}
	low := NewConfig(Config{MinRTO: ms})
	for range 200 {
		e.sample(Time(time.Second), 50*ms, low)
	}
	if e.rto != 51*ms {
		t.Errorf("RTO of a steady 50 ms = %v, want 51ms", e.rto)
	}
}

// RFC 6298, Section 5 (R6298-8): the timer runs while anything is outstanding,
// and begins anew with each ACK of something new.
func TestRetransmissionTimer(t *testing.T) {
	d := newDriver(t).connect()
	if at := d.c.NextTimeout(); at != 0 {
		t.Fatalf("a timer runs with nothing outstanding")
	}
	d.write(2000)
	d.wantTimeout(210 * ms)
	d.now = d.now.Add(50 * ms)
	d.write(1000)
	d.wantTimeout(160 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
	d.wantTimeout(215 * ms) // SRTT grew to 15 ms
	d.now = d.now.Add(50 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
	d.wantTimeout(165 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001})
	if at := d.c.NextTimeout(); at != 0 {
		t.Fatalf("a timer runs with everything acknowledged")
	}
}

// retransmit fires timers until the connection ends and returns the time of
// each retransmission, and of the end.
func (d *driver) retransmit() (at []time.Duration, end time.Duration) {
	d.t.Helper()
	start := d.now
	for d.c.NextTimeout() != 0 {
		d.now = d.c.NextTimeout()
		d.c.Advance(d.now)
		d.output()
		for range d.sent {
			at = append(at, d.now.Sub(start))
		}
		d.sent = d.sent[:0]
	}
	return at, d.now.Sub(start)
}

// RFC 6298, Section 5.5 (R6298-9), RFC 9293, Section 3.8.3 (MUST-20, SHLD-11,
// D-12): the time-out doubles up to its maximum; after 15 retransmissions, 935
// s here, the connection is given up.
func TestR2(t *testing.T) {
	d := newDriver(t).connect()
	d.write(1000)
	d.sent = d.sent[:0]
	at, end := d.retransmit()
	if len(at) != 15 || at[0] != 210*ms || at[1] != 630*ms || at[9] != 214830*ms || at[10] != 334830*ms {
		t.Errorf("retransmissions at %v", at)
	}
	if end != 934830*ms {
		t.Errorf("gave up after %v, want 934.83s", end)
	}
	d.wantState(StateClosed)
	d.wantRule(RuleRetriesExhausted)
	d.wantRead(0, syscall.ETIMEDOUT)
}

// D-15 (SOCK-48): a connection that nobody owns is given up after eight.
func TestR2OfAnOrphan(t *testing.T) {
	d := newDriver(t).connect()
	d.write(1000)
	d.c.Close(d.now)
	d.output()
	d.sent = d.sent[:0]
	if at, _ := d.retransmit(); len(at) != 8 {
		t.Errorf("%d retransmissions, want 8", len(at))
	}
	d.wantState(StateClosed)
}

// RFC 6298, Section 5.7 and Section 3 (R6298-6, R6298-10): an ACK of what was
// sent twice is no sample; the backed-off time-out holds until there is one.
func TestKarn(t *testing.T) {
	d := newDriver(t).connect()
	d.write(1000)
	d.advance(210 * ms)
	d.advance(420 * ms)
	d.now = d.now.Add(100 * ms)
	before := d.c.Info(d.now)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
	after := d.c.Info(d.now)
	if after.RTT != before.RTT || after.RTO != 840*ms || after.Backoff != 2 {
		t.Errorf("RTT %v, RTO %v, backoff %v, want %v, 840ms, 2", after.RTT, after.RTO, after.Backoff, before.RTT)
	}
	d.write(1000)
	d.wantTimeout(840 * ms)
	d.now = d.now.Add(10 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001})
	if i := d.c.Info(d.now); i.RTO != 210*ms || i.Backoff != 0 || i.RTT != 10*ms {
		t.Errorf("RTT %v, RTO %v, backoff %v after a sample", i.RTT, i.RTO, i.Backoff)
	}
}

// RFC 7323, Section 4.1 (R6298-6, R7323-14): the timestamp tells which copy
// was answered, so that such an ACK is a sample after all; but only if it
// acknowledges something new.
func TestKarnWithTimestamps(t *testing.T) {
	d := newDriver(t, withTimestamps).connect()
	d.write(1000)
	first := d.stamp() // echoes the first copy
	d.advance(d.c.Info(d.now).RTO)
	d.now = d.now.Add(30 * ms)
	second := d.stamp()
	first.TSVal = second.TSVal
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: second})
	if i := d.c.Info(d.now); i.RTT != 10*ms {
		t.Errorf("RTT %v after a duplicate ACK, want 10ms", i.RTT)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, opt: second})
	// 10 ms + (30 ms - 10 ms) / 8
	if i := d.c.Info(d.now); i.RTT != 12500*time.Microsecond || i.Backoff != 0 {
		t.Errorf("RTT %v, backoff %v, want 12.5ms, 0", i.RTT, i.Backoff)
	}
	// An echo from the future is no sample.
	d.write(1000)
	d.advance(d.c.Info(d.now).RTO)
	rtt := d.c.Info(d.now).RTT
	o := d.stamp()
	o.TSEcr += 5000
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001, opt: o})
	if i := d.c.Info(d.now); i.RTT != rtt {
		t.Errorf("RTT %v, want %v", i.RTT, rtt)
	}
}

// RFC 6298, Section 5.7 (R6298-10, R7323-14): the backed-off time-out holds until
// there is a sample, and the timestamp makes one of the first ACK that is news,
// though much that was sent before the time-out is still unacknowledged: were
// that lost too, it would not wait twice as long each time.
func TestBackoffEndsWithinTheFlight(t *testing.T) {
	d := newDriver(t, withTimestamps).connect()
	d.write(8000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, opt: d.stamp()}) // a sample: the next one beyond 8001
	d.sent = d.sent[:0]
	for n := range 3 {
		una := 1001 + 1000*n
		d.advance(d.c.Info(d.now).RTO)
		if i := d.c.Info(d.now); i.Backoff != 1 || i.Retransmits != 1 {
			t.Fatalf("after time-out %d: backoff %v, retransmits %v, want 1, 1", n, i.Backoff, i.Retransmits)
		}
		d.now = d.now.Add(10 * ms)
		d.in(seg{f: wire.ACK, seq: 1, ack: una + 1000, opt: d.stamp()})
		if i := d.c.Info(d.now); i.Backoff != 0 || i.RTO > 210*ms {
			t.Errorf("after the ACK of %d: backoff %v, RTO %v, want 0, at most 210ms", una+1000, i.Backoff, i.RTO)
		}
		d.sent = d.sent[:0]
	}
}

// RFC 6298, Section 3 (R6298-7): one sample in a round trip, to the nanosecond.
func TestSampleOncePerRoundTrip(t *testing.T) {
	d := newDriver(t).connect()
	d.write(5000)
	d.now = d.now.Add(20 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
	rtt := d.c.Info(d.now).RTT
	if rtt != 11250*time.Microsecond { // 10 + (20-10)/8
		t.Errorf("RTT %v, want 11.25ms", rtt)
	}
	d.now = d.now.Add(20 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 5001})
	if got := d.c.Info(d.now).RTT; got != rtt {
		t.Errorf("RTT %v after a second ACK for the same flight, want %v", got, rtt)
	}
	if got := d.c.Info(d.now).MinRTT; got != 10*ms {
		t.Errorf("least RTT %v, want 10ms", got)
	}
}

// RFC 6298, Section 5.7 (R6298-11, D-04): when the SYN timed out, data begins
// with a time-out of 3 s; unless timestamps tell the round-trip time.
func TestTimeoutAfterLostSyn(t *testing.T) {
	t.Run("active", func(t *testing.T) {
		d := newDriver(t)
		d.dial()
		d.advance(1010 * ms)
		d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}})
		d.write(10)
		d.wantTimeout(3 * time.Second)
	})
	t.Run("active, timestamps", func(t *testing.T) {
		d := newDriver(t, withAllOptions)
		d.dial()
		d.advance(1010 * ms)
		d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000, HasTS: true, TSVal: 1, TSEcr: d.last.Options.TSVal}})
		if got := d.c.Info(d.now).RTT; got != 10*ms {
			t.Errorf("RTT %v, want 10ms", got)
		}
		d.write(10)
		d.wantTimeout(210 * ms)
	})
	t.Run("passive", func(t *testing.T) {
		d := newDriver(t).accept(func(h *Handshake) { h.Retransmits = 2 })
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		d.write(10)
		d.wantTimeout(3 * time.Second)
	})
	t.Run("passive, timestamps", func(t *testing.T) {
		d := newDriver(t, withAllOptions).accept(func(h *Handshake) {
			h.Retransmits, h.Peer.HasTS, h.Peer.TSVal = 2, true, 50
		})
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: wire.Options{HasTS: true, TSVal: 60, TSEcr: TSVal(d.now, 0) - 40}})
		if got := d.c.Info(d.now).RTT; got != 40*ms {
			t.Errorf("RTT %v, want 40ms", got)
		}
	})
	t.Run("passive, nothing lost", func(t *testing.T) {
		d := newDriver(t).accept()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		if got := d.c.Info(d.now).RTT; got != 10*ms {
			t.Errorf("RTT %v, want 10ms", got)
		}
	})
	t.Run("a cookie knows nothing", func(t *testing.T) {
		d := newDriver(t).accept(func(h *Handshake) { h.SentAt = 0 })
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		d.write(10)
		d.wantTimeout(time.Second)
	})
}

// RFC 7323, Section 4.1: an echo from the future, or older than any time-out, is
// no sample.
func TestHandshakeEchoThatCannotBe(t *testing.T) {
	for _, age := range []time.Duration{-time.Second, 121 * time.Second, -1 << 30 * ms} {
		d := newDriver(t, withAllOptions).accept(func(h *Handshake) {
			h.Retransmits, h.Peer.HasTS, h.Peer.TSVal = 1, true, 50
		})
		echo := TSVal(d.now, 0) - uint32(age/ms)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: wire.Options{HasTS: true, TSVal: 60, TSEcr: echo}})
		if got := d.c.Info(d.now).RTT; got != 0 {
			t.Errorf("RTT %v of an echo %v old, want none", got, age)
		}
		d.write(10)
		d.wantTimeout(3 * time.Second)
	}
}

// RFC 9293, Section 3.8.1: a retransmission carries the newest ACK, window and
// timestamp (R7323-21).
func TestRetransmissionIsCurrent(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.write(1000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 500, opt: d.stamp()})
	d.sent = d.sent[:0]
	d.advance(30 * ms)
	d.want("P. 989:1001(12) ack 501") // the tail loss probe
	d.advance(202 * ms)
	d.want(". 1:989(988) ack 501")
	if d.last.Options.TSVal != TSVal(d.now, 0) || !d.last.Retransmit {
		t.Errorf("TSval %v at %v, Retransmit %v", d.last.Options.TSVal, TSVal(d.now, 0), d.last.Retransmit)
	}
}

// RFC 6298, Section 5.7 (R6298-11): a handshake that took 5 s leaves a time-out
// of 3 s, not of 15, and the first round trip of data forgets it.
func TestTimeoutAfterSlowHandshake(t *testing.T) {
	d := newDriver(t, withTimestamps)
	d.dial()
	first := d.last.Options.TSVal
	d.advance(5 * time.Second)
	d.sent = d.sent[:0]
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000, HasTS: true, TSVal: 1, TSEcr: first}})
	if i := d.c.Info(d.now); i.RTO != 3*time.Second {
		t.Errorf("RTO %v after the handshake, want 3s", i.RTO)
	}
	d.write(100)
	d.wantTimeout(3 * time.Second)
	d.now = d.now.Add(20 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 101, opt: wire.Options{HasTS: true, TSVal: 2, TSEcr: TSVal(d.now, 0) - 20}})
	if i := d.c.Info(d.now); i.RTO > 220*ms || i.RTT != 20*ms {
		t.Errorf("RTO %v, RTT %v after the first sample, want 220ms at most, 20ms", i.RTO, i.RTT)
	}
}
