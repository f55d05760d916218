package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.8.6.3 (MUST-40, SHLD-18, SHLD-19, D-09, D-10): an ACK
// waits for a second full segment, but not longer than 40 ms.
func TestDelayedAck(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	at := 1
	full := func() {
		d.in(seg{f: wire.ACK, seq: at, ack: 1, n: 1000})
		at += 1000
	}
	full()
	d.want()
	d.wantTimeout(40 * ms)
	full()
	d.want(". 1:1(0) ack 2001")
	if d.c.NextTimeout() != 0 {
		t.Error("the timer runs on")
	}
	full()
	d.advance(39 * ms)
	d.want()
	d.advance(ms)
	d.want(". 1:1(0) ack 3001")
	d.wantRule(RuleDelayedAck)
	// Small segments: when they make more than a full one.
	for range 10 {
		d.in(seg{f: wire.ACK, seq: at, ack: 1, n: 100})
		at += 100
	}
	d.want()
	d.in(seg{f: wire.ACK, seq: at, ack: 1, n: 100})
	d.want(". 1:1(0) ack 4101")
}

// DACK-4: text of ours carries the ACK, and the timer stops.
func TestAckRidesOnText(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100})
	d.write(10)
	d.want("P. 1:11(10) ack 101")
	d.in(seg{f: wire.ACK, seq: 101, ack: 11})
	if d.c.NextTimeout() != 0 {
		t.Error("the delayed-ACK timer runs on")
	}
}

// As on Linux, what follows a gap is acknowledged at once, for 16 segments: the
// sender's window is small now.
func TestQuickAckAfterGap(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000})
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.sent = d.sent[:0]
	for i := range 16 {
		d.in(seg{f: wire.ACK, seq: 2001 + 1000*i, ack: 1, n: 1000})
		d.want(ackOf(1, 3001+1000*i))
	}
	d.in(seg{f: wire.ACK, seq: 18001, ack: 1, n: 1000})
	d.want()
}

// DACK-1: a new connection acknowledges its first 16 segments at once.
func TestQuickAck(t *testing.T) {
	d := newDriver(t).connect()
	for i := range 20 {
		d.in(seg{f: wire.ACK, seq: 1 + 100*i, ack: 1, n: 100})
		if i < 16 {
			d.want(fmt.Sprintf(". 1:1(0) ack %d", 101+100*i))
		}
	}
	d.want()
}

// DACK-3: a merged unit counts as the segments it was made of.
func TestMergedSegmentsAreAcknowledgedAtOnce(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.c.rcv.mss = 1000
	for i, tt := range []struct{ n, size int }{{2000, 1000}, {5000, 1000}, {1001, 1000}} {
		w := wire.Segment{Seq: d.c.rcv.nxt, Ack: d.c.snd.una, Flags: wire.ACK, Window: 65535, SegSize: tt.size, Count: 2}
		w.Append(chunkOf(make([]byte, tt.n)))
		d.c.Input(d.now, &w)
		d.output()
		if n := d.sentCount(); n != 1 {
			t.Errorf("unit %d: %d ACKs, want 1", i, n)
		}
	}
	if d.c.rcv.mss != 1000 {
		t.Errorf("segment size taken for %d, want 1000", d.c.rcv.mss)
	}
}

// DACK-2: FIN, text that is not in order and text that fills a gap are
// acknowledged at once; see also TestOutOfOrder.
func TestFinIsAcknowledgedAtOnce(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, n: 10})
	d.want(". 1:1(0) ack 12")
}

// Config.DelayedAck, negative: every segment is acknowledged at once.
func TestNoDelayedAck(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.DelayedAck = -1 })).connect().noQuickAck()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.want(". 1:1(0) ack 11")
}

// MUST-40: the ACK of the last piece of a stream never waits half a second,
// whatever the configuration of the peer's writes is.
func TestDelayedAckIsUnderHalfASecond(t *testing.T) {
	if got := NewConfig(Config{DelayedAck: 10 * time.Second}).DelayedAck; got >= 500*ms {
		t.Errorf("DelayedAck of 10 s is taken as %v, want under 500ms", got)
	}
}

// What we know of the peer's segments outlives a change of our own.
func TestSegmentSizeSeenIsKept(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.setOptions(func(o *Options) { o.MaxSeg = 300 })
	if got := d.c.Info(d.now).RcvMSS; got != 1000 {
		t.Errorf("RcvMSS = %v, want 1000", got)
	}
}

// SOCK-64: TCP_QUICKACK sends the ACK that waits and has the next segments
// acknowledged at once, but not for ever; turned off, the delay is back.
func TestSetQuickAck(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100})
	d.want()
	d.c.SetQuickAck(true)
	d.output()
	d.want(". 1:1(0) ack 101")
	d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100})
	d.want(". 1:1(0) ack 201")
	for i := range quickAcks - 1 {
		d.in(seg{f: wire.ACK, seq: 201 + 10*i, ack: 1, n: 10})
		d.want(fmt.Sprintf(". 1:1(0) ack %d", 211+10*i))
	}
	d.in(seg{f: wire.ACK, seq: 351, ack: 1, n: 10})
	d.want()
	d.c.SetQuickAck(true)
	d.output()
	d.want(". 1:1(0) ack 361")
	d.c.SetQuickAck(false)
	d.in(seg{f: wire.ACK, seq: 361, ack: 1, n: 10})
	d.want()
}
