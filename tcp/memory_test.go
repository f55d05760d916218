package tcp

import (
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

func withMemory(n int) func(*driver) { return withConfig(func(c *Config) { c.MaxMemory = n }) }

// tcp(7), tcp_mem: when memory is short, what the window let in is dropped and
// the ACK says what there is room for; RFC 9293, Section 3.8.6, discourages a
// window that shrinks and bids the peer be ready for it. The user who reads
// makes room again, and the peer is told at once.
func TestNoMemoryToReceive(t *testing.T) {
	d := newDriver(t, withMemory(4096)).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1001")
	d.in(seg{f: wire.ACK, seq: 2001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1001")

	d.in(seg{f: wire.ACK, seq: 4001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1001 win 1048")
	d.wantRule(RuleNoMemory)
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 3001 win 1048")
	d.in(seg{f: wire.ACK, seq: 3001, ack: 1, n: 1500})
	d.want(". 1:1(0) ack 4049 win 0")
	d.wantRule(RuleNoMemory)
	if got := d.cfg.Counters.MemoryFull; got != 2 {
		t.Errorf("MemoryFull = %v, want 2", got)
	}

	d.read(1, 4048)
	d.want(". 1:1(0) ack 4049 win 2048")
	d.in(seg{f: wire.ACK, seq: 4049, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 5049 win 1048")
	d.read(4049, 1000)
	if got := d.cfg.Counters.Memory; got != 0 {
		t.Errorf("Memory = %v at the end, want 0", got)
	}
}

// However little memory there is, each connection may queue 2 KiB, and is
// writable again when they are acknowledged.
func TestNoMemoryToSend(t *testing.T) {
	d := newDriver(t, withMemory(1000)).connect()
	n, err := d.c.Write(d.now, make([]byte, 3000))
	if n != 2048 || err != syscall.EAGAIN {
		t.Fatalf("Write = %v, %v, want 2048, EAGAIN", n, err)
	}
	if d.c.Ready()&Writable != 0 {
		t.Error("writable with nothing left")
	}
	d.output()
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", "P. 2001:2049(48) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 2049})
	if d.c.Ready()&Writable == 0 {
		t.Error("not writable with nothing queued")
	}
}

// Config.MaxMemory is shared by all connections of a Config; what one that is
// over gives back is there for the others.
func TestMemoryIsShared(t *testing.T) {
	d := newDriver(t, withMemory(64<<10)).connect()
	other := newDriver(t, func(o *driver) { o.cfg = d.cfg }).connect()
	if n, err := d.c.Write(d.now, make([]byte, 100_000)); n != 64<<10 || err != syscall.EAGAIN {
		t.Fatalf("Write = %v, %v, want 65536, EAGAIN", n, err)
	}
	if n, err := other.c.Write(d.now, make([]byte, 10_000)); n != 2048 || err != syscall.EAGAIN {
		t.Fatalf("Write of another connection = %v, %v, want 2048, EAGAIN", n, err)
	}
	d.c.Abort(d.now)
	if n, err := other.c.Write(d.now, make([]byte, 10_000)); n != 10_000 || err != nil {
		t.Errorf("Write after Abort = %v, %v, want 10000, nil", n, err)
	}
}
