package tcp

import (
	"io"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// SOCK-74: with TCP_NOTSENT_LOWAT bytes unsent Write takes no more; the writer
// is woken when less than half of that is.
func TestNotSentLowat(t *testing.T) {
	d := newDriver(t, withOptions(Options{NotSentLowat: 4000, NoDelay: true})).connect()
	write := func(n, want int) {
		t.Helper()
		if got, err := d.c.Write(d.now, make([]byte, n)); got != want || err != syscall.EAGAIN {
			t.Errorf("Write(%d bytes) = %d, %v, want %d, EAGAIN", n, got, err, want)
		}
		d.output()
	}
	writable := func(want bool) {
		t.Helper()
		if got := d.c.Ready()&Writable != 0; got != want {
			t.Errorf("with %d bytes unsent, writable is %v", d.c.unsent(), got)
		}
	}
	for range 2 {
		write(5000, 4000)
	}
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1", "P. 3001:4001(1000) ack 1",
		". 4001:5001(1000) ack 1", ". 5001:6001(1000) ack 1", ". 6001:7001(1000) ack 1", "P. 7001:8001(1000) ack 1")
	write(5000, 4000) // two more segments fill the congestion window
	writable(false)
	d.sent = d.sent[:0]
	write(5000, 2000)
	write(5000, 0)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001}) // the window grows: two go
	d.want(". 10001:11001(1000) ack 1", ". 11001:12001(1000) ack 1")
	writable(false)
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001})
	d.want(". 12001:13001(1000) ack 1", "P. 13001:14001(1000) ack 1")
	writable(true)
}

// SOCK-75: SO_RCVLOWAT bytes make a connection readable, or the end.
func TestRecvLowat(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvLowat: 1500, RecvBuffer: 4000})).connect()
	readable := func(want bool) {
		t.Helper()
		if got := d.c.Ready()&Readable != 0; got != want {
			t.Errorf("with %d bytes unread, readable is %v", d.c.rcvbuf.size, got)
		}
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	readable(false)
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 500})
	readable(true)
	d.read(1, 1500)
	readable(false)
	d.in(seg{f: wire.ACK, seq: 1501, ack: 1, n: 10})
	readable(false)
	d.in(seg{f: wire.FIN | wire.ACK, seq: 1511, ack: 1})
	readable(true)
}

// recv(2), MSG_PEEK: what was looked at is read later; with nothing there, Peek
// says what Read would.
func TestPeek(t *testing.T) {
	d := newDriver(t).connect()
	peek := func(n, want int, wantErr error) []byte {
		t.Helper()
		p := make([]byte, n)
		if got, err := d.c.Peek(d.now, p); got != want || err != wantErr {
			t.Errorf("Peek(%d bytes) = %d, %v, want %d, %v", n, got, err, want, wantErr)
		}
		return p
	}
	peek(10, 0, syscall.EAGAIN)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, text: "abc"})
	d.in(seg{f: wire.ACK | wire.FIN, seq: 4, ack: 1, text: "de"})
	for range 2 {
		if p := peek(4, 4, nil); string(p) != "abcd" {
			t.Errorf("Peek saw %q, want abcd", p)
		}
	}
	peek(10, 5, nil)
	d.wantRead(5, nil)
	peek(10, 0, io.EOF)
}
