package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// Info tells for how long there was work, and for how long the peer's window or
// the send buffer held it back (tcpi_busy_time, tcpi_rwnd_limited,
// tcpi_sndbuf_limited).
func TestTimeLimited(t *testing.T) {
	d := newDriver(t, withOptions(Options{NoDelay: true, SendBuffer: 8000})).connect()
	want := func(busy, receiver, buffer int) {
		t.Helper()
		i := d.c.Info(d.now)
		if got := [3]int{int(i.BusyTime / ms), int(i.RwndLimited / ms), int(i.SndbufLimited / ms)}; got != [3]int{busy, receiver, buffer} {
			t.Errorf("busy %v, limited by the receiver %v, by the buffer %v ms, want %v, %v, %v",
				got[0], got[1], got[2], busy, receiver, buffer)
		}
	}
	d.now = d.now.Add(50 * ms)
	want(0, 0, 0)
	d.write(1000)
	d.now = d.now.Add(10 * ms)
	d.ack(1001, 1)
	want(10, 0, 0)
	d.now = d.now.Add(50 * ms)
	want(10, 0, 0)
	// The peer's window takes half.
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 2000})
	d.write(4000)
	d.now = d.now.Add(20 * ms)
	want(30, 20, 0)
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001, win: 60_000})
	d.now = d.now.Add(5 * ms)
	d.ack(5001, 1)
	want(35, 20, 0)
	// The buffer takes 8000 of what the user has.
	if n, _ := d.c.Write(d.now, pattern(0, 20_000)); n >= 20_000 {
		t.Fatalf("Write took %d bytes, want less", n)
	}
	d.output()
	d.now = d.now.Add(30 * ms)
	want(65, 20, 30)
}
