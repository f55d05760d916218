package tcp

import (
	"io"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// SOCK-1, SOCK-12: after the peer's FIN, EOF, again and again; no error, no
// matter for a read of nothing.
func TestReadAtTheEnd(t *testing.T) {
	d := newDriver(t).connect()
	d.wantRead(0, syscall.EAGAIN)
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, n: 5})
	d.wantRead(5, nil)
	d.wantRead(0, io.EOF)
	d.wantRead(0, io.EOF)
	if n, err := d.c.Read(d.now, nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %v, %v", n, err)
	}
	if n, err := d.c.Write(d.now, nil); n != 0 || err != nil {
		t.Errorf("Write of nothing = %v, %v", n, err)
	}
}

// SOCK-2 to SOCK-5, SOCK-7, MUST-12: after a reset: what arrived before it,
// then the error once, whoever asks first, then EOF and EPIPE.
func TestErrorOrder(t *testing.T) {
	reset := func(t *testing.T) *driver {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 5})
		d.write(10)
		d.in(seg{f: wire.RST, seq: 6})
		if r := d.c.Ready(); r != Readable|Writable|Connected|Drained|Done {
			t.Errorf("Ready = %b after a reset", r)
		}
		return d
	}
	t.Run("read first", func(t *testing.T) {
		d := reset(t)
		d.wantRead(5, nil)
		d.wantRead(0, syscall.ECONNRESET)
		d.wantRead(0, io.EOF)
		d.wantWrite(syscall.EPIPE)
	})
	t.Run("write first", func(t *testing.T) {
		d := reset(t)
		d.wantWrite(syscall.ECONNRESET)
		d.wantWrite(syscall.EPIPE)
		d.wantRead(5, nil)
		d.wantRead(0, io.EOF)
	})
	t.Run("SO_ERROR first (SOCK-30)", func(t *testing.T) {
		d := reset(t)
		if err := d.c.TakeError(); err != syscall.ECONNRESET {
			t.Errorf("TakeError = %v, want ECONNRESET", err)
		}
		if err := d.c.TakeError(); err != nil {
			t.Errorf("TakeError = %v, want nil", err)
		}
		d.wantRead(5, nil)
		d.wantRead(0, io.EOF)
	})
}

// SOCK-6, DIS-13: the peer closed, we write, it resets: EPIPE for the writer,
// EOF for the reader.
func TestResetInCloseWait(t *testing.T) {
	d := connState(t, StateCloseWait)
	d.write(10)
	d.in(seg{f: wire.RST, seq: 2})
	d.wantRead(0, io.EOF)
	d.wantWrite(syscall.EPIPE)
	d.wantRead(0, io.EOF)
}

// SOCK-8: writing after CloseWrite.
func TestWriteAfterCloseWrite(t *testing.T) {
	for _, s := range []State{StateFinWait1, StateFinWait2, StateClosing, StateLastAck, StateTimeWait} {
		d := connState(t, s)
		d.wantWrite(syscall.EPIPE)
		if r := d.c.Ready(); r&Writable == 0 {
			t.Errorf("in %v a writer would wait for ever", s)
		}
	}
}

// SOCK-82: a write takes what fits and says so.
func TestShortWrite(t *testing.T) {
	d := newDriver(t, withOptions(Options{SendBuffer: 5000})).connect()
	if n, err := d.c.Write(d.now, make([]byte, 8000)); n != 5000 || err != syscall.EAGAIN {
		t.Errorf("Write = %v, %v, want 5000, EAGAIN", n, err)
	}
	if n, err := d.c.Write(d.now, make([]byte, 10)); n != 0 || err != syscall.EAGAIN {
		t.Errorf("Write = %v, %v, want 0, EAGAIN", n, err)
	}
	// SOCK-70: a smaller buffer takes nothing until it has room.
	d.setOptions(func(o *Options) { o.SendBuffer = 1 })
	d.in(seg{f: wire.ACK, seq: 1, ack: 300})
	d.wantWrite(syscall.EAGAIN)
	d.in(seg{f: wire.ACK, seq: 1, ack: 5001})
	// The segment in which the bound of 4608 lies is filled.
	if n, err := d.c.Write(d.now, make([]byte, 6000)); n != 5000 || err != syscall.EAGAIN {
		t.Errorf("Write = %v, %v, want 5000, EAGAIN", n, err)
	}
}

// What is closed ignores segments; the engine answers them (FSM, CLOSED).
func TestClosedIgnores(t *testing.T) {
	d := connState(t, StateEstablished)
	d.c.Abort(d.now)
	d.output()
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 5})
	d.c.ICMPError(d.now, ours(1), syscall.EHOSTUNREACH, true)
	d.c.SetOptions(d.now, Options{KeepAlive: true, UserTimeout: 1})
	d.c.Advance(d.now.Add(1e18))
	d.output()
	d.want()
	d.wantState(StateClosed)
}
