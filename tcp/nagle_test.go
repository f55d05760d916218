package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.7.4 (SHLD-7, R9293-20): with a small segment
// unacknowledged, what is less than a segment waits; in Minshall's variant it
// may follow full segments at once.
func TestNagle(t *testing.T) {
	d := newDriver(t, withOptions(Options{})).connect()
	d.write(10)
	d.want("P. 1:11(10) ack 1")
	d.write(10)
	d.write(10)
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 11})
	d.want("P. 11:31(20) ack 1")
	d.write(2000) // full segments need not wait (SHLD-28)
	d.want(". 31:1031(1000) ack 1", "P. 1031:2031(1000) ack 1")
	d.write(500)
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 31}) // only full ones are outstanding
	d.want("P. 2031:2531(500) ack 1")
	d.write(5)
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 2031}) // the small one is not covered
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 2531})
	d.want("P. 2531:2536(5) ack 1")
}

// SHLD-27: what was written in small pieces goes in full segments.
func TestSmallWritesAreCollected(t *testing.T) {
	d := newDriver(t, withOptions(Options{})).connect()
	for range 205 {
		d.write(10)
	}
	d.want("P. 1:11(10) ack 1", "P. 11:1011(1000) ack 1", "P. 1011:2011(1000) ack 1")
}

// RFC 9293, Section 3.7.4 (MUST-17): Nagle's algorithm can be turned off, and
// that sends what waits.
func TestNoDelay(t *testing.T) {
	d := newDriver(t, withOptions(Options{NoDelay: true})).connect()
	d.write(10)
	d.write(10)
	d.want("P. 1:11(10) ack 1", "P. 11:21(10) ack 1")

	d = newDriver(t, withOptions(Options{})).connect()
	d.write(10)
	d.write(10)
	d.want("P. 1:11(10) ack 1")
	d.setOptions(func(o *Options) { o.NoDelay = true })
	d.want("P. 11:21(10) ack 1")
}

// R9293-20: a FIN sends what waits.
func TestFinPushes(t *testing.T) {
	d := newDriver(t, withOptions(Options{})).connect()
	d.write(10)
	d.write(10)
	d.c.CloseWrite(d.now)
	d.output()
	d.want("P. 1:11(10) ack 1", "FP. 11:21(10) ack 1")
}

// NAG-1, SOCK-62 (tcp(7)): TCP_CORK holds partial segments, for 200 ms at most;
// taking the cork out, or setting TCP_NODELAY, sends them at once.
func TestCork(t *testing.T) {
	corked := func(t *testing.T) *driver {
		d := newDriver(t, withOptions(Options{Cork: true, NoDelay: true})).connect()
		d.write(1500)
		d.want(". 1:1001(1000) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
		d.want()
		return d
	}
	t.Run("200 ms", func(t *testing.T) {
		d := corked(t)
		d.advance(199 * ms)
		d.want()
		d.advance(ms)
		d.want("P. 1001:1501(500) ack 1")
	})
	t.Run("enough", func(t *testing.T) {
		d := corked(t)
		d.write(500)
		d.want("P. 1001:2001(1000) ack 1")
	})
	t.Run("uncorked", func(t *testing.T) {
		d := corked(t)
		d.setOptions(func(o *Options) { o.Cork = false })
		d.want("P. 1001:1501(500) ack 1")
	})
	t.Run("NODELAY set", func(t *testing.T) {
		d := corked(t)
		d.setOptions(func(o *Options) { o.NoDelay = false })
		d.want()
		d.setOptions(func(o *Options) { o.NoDelay = true })
		d.want("P. 1001:1501(500) ack 1")
		d.write(10) // the cork is still in
		d.want()
	})
	t.Run("FIN", func(t *testing.T) {
		d := corked(t)
		d.c.CloseWrite(d.now)
		d.output()
		d.want("FP. 1001:1501(500) ack 1")
	})
}

// SC-28: one byte at a time, against a peer that delays its ACKs: none waits
// longer than a round trip and the delay, and there is no deadlock.
func TestByteByByteAgainstDelayedAcks(t *testing.T) {
	p := newPair(t, 1, network{delay: 5 * ms})
	p.ends[0].toSend, p.ends[0].chunk, p.ends[0].pace = 200, 1, true
	p.dial(p.ends[0])
	p.run()
	p.wantComplete()
	if took := p.now.Sub(Time(time.Second)); took > 200*50*ms {
		t.Errorf("200 bytes took %v", took)
	}
}
