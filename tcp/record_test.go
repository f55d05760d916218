package tcp

import (
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// send is a write with flags.
func (d *driver) send(n int, flags SendFlags) {
	d.t.Helper()
	if m, err := d.c.Send(d.now, make([]byte, n), flags); m != n || err != nil {
		d.t.Fatalf("Send(%d bytes) = %d, %v", n, m, err)
	}
	d.output()
}

// send(2), MSG_EOR: what comes after the end of a record goes in a segment of its
// own; a record that is followed by something does not wait for Nagle.
func TestEndOfRecord(t *testing.T) {
	d := newDriver(t, withOptions(Options{}), func(d *driver) { d.open.Path.MaxSuper = 64000 }).connect()
	d.send(100, 0)
	d.want("P. 1:101(100) ack 1")
	d.send(100, 0)
	d.send(200, EndOfRecord)
	d.want()
	d.send(50, EndOfRecord)
	d.want("P. 101:401(300) ack 1")
	d.send(2500, 0)
	d.want("P. 401:451(50) ack 1", "P. 451:2451(2000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 101})
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 451})
	d.want("P. 2451:2951(500) ack 1")
	if d.c.sndbuf.hasRecords() {
		t.Errorf("the ends of records %v are kept after they were acknowledged", d.c.sndbuf.records)
	}
}

// send(2), MSG_EOR: nor are records joined when they go again.
func TestRecordsSentAgain(t *testing.T) {
	d := newDriver(t).connect()
	for range 3 {
		d.send(400, EndOfRecord)
	}
	d.want("P. 1:401(400) ack 1", "P. 401:801(400) ack 1", "P. 801:1201(400) ack 1")
	d.advance(d.c.NextTimeout().Sub(d.now))
	d.want("P. 1:401(400) ack 1", "P. 401:801(400) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 401})
	d.want("P. 801:1201(400) ack 1")
}

// A record that does not fit is not ended, and a user who marks every byte
// costs a bounded amount of memory.
func TestRecordLimits(t *testing.T) {
	d := newDriver(t, withOptions(Options{SendBuffer: 5000})).connect()
	if n, err := d.c.Send(d.now, make([]byte, 6000), EndOfRecord|More); n != 5000 || err != syscall.EAGAIN {
		t.Fatalf("Send = %d, %v, want 5000, EAGAIN", n, err)
	}
	if d.c.sndbuf.hasRecords() || d.c.snd.more {
		t.Error("the flags of a write that was cut short count")
	}
	d = newDriver(t).connect()
	for range maxRecords + 10 {
		d.send(1, EndOfRecord)
	}
	if n := len(d.c.sndbuf.records); n != maxRecords {
		t.Errorf("%d ends are kept, want %d", n, maxRecords)
	}
}

// SOCK-63: MSG_MORE holds a partial segment back, TCP_NODELAY or not, until the
// next write without it, an ACK, or 200 ms; what the user did not push has no
// PSH.
func TestMore(t *testing.T) {
	d := newDriver(t).connect()
	d.send(100, More)
	d.send(200, More)
	d.want()
	d.send(5, 0)
	d.want("P. 1:306(305) ack 1")
	d.send(1100, More)
	d.want(". 306:1306(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 306})
	d.want(". 1306:1406(100) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 1406})
	d.send(10, More)
	d.advance(corkTime - 1)
	d.want()
	d.advance(1)
	d.want("P. 1406:1416(10) ack 1")
}

// tcp(7): TCP_NODELAY sends what MSG_MORE or TCP_CORK holds, also when it was on
// before.
func TestNoDelayAgain(t *testing.T) {
	d := newDriver(t).connect()
	d.send(100, More)
	d.c.SetNoDelay(true)
	d.output()
	d.want(". 1:101(100) ack 1")
	d.setOptions(func(o *Options) { o.Cork = true })
	d.in(seg{f: wire.ACK, seq: 1, ack: 101})
	d.send(100, 0)
	d.want()
	d.c.SetNoDelay(true)
	d.output()
	d.want("P. 101:201(100) ack 1")
}
