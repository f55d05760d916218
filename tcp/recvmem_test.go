package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// blocks is a SegmentMemory: each packet holds blocks of 2 KiB.
func blocks(payload, packets int) int {
	each := (payload + packets - 1) / packets
	return packets * ((each + block.Small - 1) / block.Small * block.Small)
}

// withCountedMemory counts memory, in a receive buffer of that size.
func withCountedMemory(size int) func(*driver) {
	return func(d *driver) {
		d.cfg.SegmentMemory = blocks
		d.open.Options.RecvBuffer = size
	}
}

// text delivers n bytes at position at, merged of packets.
func (d *driver) text(at, n, packets int) {
	d.t.Helper()
	o := wire.Options{}
	if d.c.ts.on {
		o = d.stamp()
	}
	d.in(seg{f: wire.ACK, seq: at, ack: 1, n: n, count: packets, opt: o})
}

// Config.SegmentMemory: the window is what of the receive buffer is likely to be
// payload, at first a half; the right edge stays where it is while full segments
// fill it, and the last of them may lie over the bound.
func TestWindowFromMemory(t *testing.T) {
	d := newDriver(t, withCountedMemory(20000))
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want("S 0:0(0) win 10000")
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}})
	d.want(". 1:1(0) ack 1 win 10000")
	for i := range 4 {
		d.text(1+1000*i, 1000, 1)
	}
	d.want(". 1:1(0) ack 1001 win 9000", ". 1:1(0) ack 2001 win 8000", ". 1:1(0) ack 3001 win 7000", ". 1:1(0) ack 4001 win 6000")
	for i := range 6 {
		d.text(4001+1000*i, 1000, 1)
	}
	// More than a half is in use: the user is given time to read.
	d.want()
	d.wantTimeout(40 * time.Millisecond)
	d.advance(40 * time.Millisecond)
	d.want(". 1:1(0) ack 10001 win 0")
	d.read(1, 10000)
	d.want(". 1:1(0) ack 10001 win 9000") // of 20000, 125/256 are payload: 9765
}

// RFC 9293, Section 3.8.6: small segments hold as much memory as large ones, so
// that it ends before the window does. What there is no room for is dropped, and
// the window closed, which is to be expected of a receiver though it should not
// happen.
func TestSmallSegmentsFillMemory(t *testing.T) {
	d := newDriver(t, withCountedMemory(20000)).connect()
	for i := range 10 {
		d.text(1+100*i, 100, 1)
	}
	d.advance(40 * time.Millisecond)
	d.sent = d.sent[:0]
	d.text(1001, 100, 1)
	d.wantRule(RuleNoMemory)
	d.want(". 1:1(0) ack 1001 win 0")
	d.text(1001, 100, 1)
	d.wantRule(RuleZeroWindowData)
	d.want(". 1:1(0) ack 1001 win 0")
	if i := d.c.Info(d.now); i.RcvWnd != 0 || i.Unread != 1000 {
		t.Errorf("window %d, %d bytes unread, want 0, 1000", i.RcvWnd, i.Unread)
	}
	d.read(1, 1000)
	d.want(". 1:1(0) ack 1001 win 9648") // 10000, in segments of 536
}

// RFC 9293, Section 3.10.7.4, would cut a segment to the window. Where memory is
// counted one that ends beyond it is dropped, as on Linux, unless nothing waits
// for the user: then it is taken whole, and its ACK waits for the user to read.
func TestBeyondWindow(t *testing.T) {
	d := newDriver(t, withCountedMemory(8000)).connect()
	d.text(1, 1000, 1)
	d.want(". 1:1(0) ack 1001 win 3000")
	for _, at := range []int{1001, 2001, 4002} { // in order, after a gap, outside
		d.text(at, 4000, 4)
		d.wantRule(RuleBeyondWindow)
		d.want(". 1:1(0) ack 1001 win 3000")
	}
	d.read(1, 1000)
	d.want()
	d.text(1001, 4000, 4)
	d.wantRule(RuleOverrun)
	d.want()
	d.advance(40 * time.Millisecond)
	d.want(". 1:1(0) ack 5001 win 0")
	d.in(seg{f: wire.FIN | wire.ACK, seq: 5001, ack: 1})
	d.want(". 1:1(0) ack 5002 win 0")
	d.wantState(StateCloseWait)
	d.read(1001, 4000)
	if got := d.cfg.Counters.RecvBufferFull; got != 3 {
		t.Errorf("RecvBufferFull = %d, want 3", got)
	}
}

// A RST with the number after text beyond the window is exact.
func TestResetAfterOverrun(t *testing.T) {
	d := newDriver(t, withCountedMemory(8000)).connect()
	d.text(1, 6000, 6)
	d.in(seg{f: wire.RST, seq: 6001})
	d.wantRule(RuleResetExact)
	d.want()
}

// RFC 2018, Section 8: what came out of order may be dropped when memory is short.
// It gives way to what is next, for the gap would never be filled.
func TestGapsGiveWay(t *testing.T) {
	d := newDriver(t, withCountedMemory(8000)).connect()
	d.text(1001, 1000, 10)
	d.text(2501, 100, 1)
	d.sent = d.sent[:0]
	if i := d.c.Info(d.now); i.OutOfOrder != 1000 || d.cfg.Counters.OutOfOrderFull != 1 {
		t.Errorf("%d bytes out of order, OutOfOrderFull = %d, want 1000, 1", i.OutOfOrder, d.cfg.Counters.OutOfOrderFull)
	}
	d.text(1, 100, 1)
	d.want(". 1:1(0) ack 101")
	if i := d.c.Info(d.now); i.OutOfOrder != 0 || i.Unread != 100 {
		t.Errorf("%d bytes out of order, %d unread, want 0, 100", i.OutOfOrder, i.Unread)
	}
}

// Memory that came out of order is that of the user's queue once the gap is
// filled, and free once it was read.
func TestMemoryOfGapsMoves(t *testing.T) {
	d := newDriver(t, withCountedMemory(20000)).connect()
	d.text(1001, 2000, 2)
	d.text(4001, 1000, 1)
	d.text(1, 1000, 1)
	if m := d.c.rcvmem; m.queued != 3*2048 || m.ooo != 2048 {
		t.Errorf("%d bytes of memory in order, %d out of order", m.queued, m.ooo)
	}
	d.text(3001, 1000, 1)
	if got, want := d.c.memoryHeld(), 5*2048; got != want {
		t.Errorf("%d bytes of memory are held, want %d", got, want)
	}
	d.read(1, 2500)
	if got, want := d.c.memoryHeld(), 5*2048/2; got != want {
		t.Errorf("%d bytes of memory are held after half was read, want %d", got, want)
	}
	d.read(2501, 2500)
	if got := d.c.memoryHeld(); got != 0 {
		t.Errorf("%d bytes of memory are held after all was read, want 0", got)
	}
}

// RFC 7323, Section 2.4: with Config.ShrinkWindow the right edge moves left when
// segments take up more memory than was thought, and what the peer sent up to the
// edge before is taken while the window is open; without, it never does.
func TestShrinkWindow(t *testing.T) {
	for _, shrinks := range []bool{false, true} {
		d := newDriver(t, withAllOptions, withCountedMemory(400000), withConfig(func(c *Config) { c.ShrinkWindow = shrinks })).connect()
		edge := func() int { i := d.c.Info(d.now); return int(i.RcvNxt) + i.RcvWnd }
		d.text(1, 1000, 1)
		first := edge()
		for i := range 20 {
			d.text(1001+100*i, 100, 1)
		}
		d.sent = d.sent[:0]
		if moved := edge() < first; moved != shrinks {
			t.Errorf("ShrinkWindow %v: the edge went from %d to %d", shrinks, first, edge())
		}
		if !shrinks {
			continue
		}
		d.text(first-1000, 1000, 1) // beyond the window that was told last
		d.wantRule(RuleBeyondWindow)
		d.text(3001, first-3001, 250)
		if got := d.c.Info(d.now).RcvNxt; int(got) != first {
			t.Errorf("text up to the edge before: RCV.NXT %d, want %d", got, first)
		}
	}
}

// The edge does not move left of what came out of order: gaps can be filled.
func TestShrinkWindowLeavesGapsOpen(t *testing.T) {
	d := newDriver(t, withAllOptions, withCountedMemory(400000), withConfig(func(c *Config) { c.ShrinkWindow = true })).connect()
	d.text(1, 1000, 1)
	for i := range 250 {
		d.text(2001+200*i, 100, 1)
	}
	if i := d.c.Info(d.now); i.RcvWnd < 1000+200*150 {
		t.Errorf("window %d is less than what came out of order needs", i.RcvWnd)
	}
	d.sent = d.sent[:0]
}

// A receive buffer without a size of its own grows by what waits behind a gap, but
// not while nobody accepted the connection.
func TestBufferGrowsForGap(t *testing.T) {
	for _, given := range []bool{false, true} {
		d := newDriver(t, withConfig(func(c *Config) { c.SegmentMemory, c.InitialRecvBuffer = blocks, 100000 })).accept()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1})
		if given {
			d.c.Given()
		}
		d.text(1001, 60000, 60)
		d.sent = d.sent[:0]
		if got := d.c.Info(d.now).RecvBuffer; (got > 100000) != given {
			t.Errorf("given %v: receive buffer of %d bytes after a gap, 100000 before", given, got)
		}
	}
}

// Config.DelayFin: the ACK of a FIN waits for the user's own, as RFC 9293, Section
// 3.8.6.3, lets that of text wait; not longer than it, nor where no text came or
// the user does not have the connection yet.
func TestDelayFin(t *testing.T) {
	delay := withConfig(func(c *Config) { c.DelayFin = true })
	fin := seg{f: wire.FIN | wire.ACK, seq: 501, ack: 1}
	open := func() *driver {
		d := newDriver(t, delay).connect()
		d.text(1, 500, 1)
		d.want(". 1:1(0) ack 501")
		d.read(1, 500)
		return d
	}
	d := open()
	d.in(fin)
	d.want()
	d.wantState(StateCloseWait)
	d.c.Close(d.now)
	d.output()
	d.want("F. 1:1(0) ack 502")

	d = open()
	d.in(fin)
	d.wantTimeout(40 * time.Millisecond)
	d.advance(40 * time.Millisecond)
	d.want(". 1:1(0) ack 502")
	d.in(fin) // again: its ACK was lost
	d.want(". 1:1(0) ack 502")

	d = newDriver(t, delay).connect()
	d.in(seg{f: wire.FIN | wire.ACK, seq: 1, ack: 1})
	d.want(". 1:1(0) ack 2")

	d = newDriver(t, delay).accept()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 500})
	d.want(". 1:1(0) ack 501")
	d.in(fin)
	d.want(". 1:1(0) ack 502")
}

// RFC 5681, Section 4.2: each segment out of order is acknowledged at once. Of those
// that were merged one ACK with SACK tells as much as several (RFC 6675, Section 4).
func TestDuplicateAcksOfMerged(t *testing.T) {
	d := newDriver(t).connect()
	d.text(1001, 3000, 3)
	d.want(". 1:1(0) ack 1", ". 1:1(0) ack 1", ". 1:1(0) ack 1")
	d = newDriver(t, withAllOptions).connect()
	d.text(1001, 3000, 3)
	if len(d.sent) != 1 || d.last.Options.NumSACK != 1 {
		t.Errorf("sent %v, want one ACK with a SACK block", d.sent)
	}
}

// Config.InitialRecvBuffer is what is offered where Options name no size.
func TestInitialRecvBuffer(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.InitialRecvBuffer = 10000 }))
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want("S 0:0(0) win 10000")
	if got := NewConfig(Config{}).InitialRecvBuffer; got != 1<<20 {
		t.Errorf("InitialRecvBuffer zero becomes %d, want 1 MiB", got)
	}
}

// Config.MaxRecvBuffer is what the shift is chosen for (RFC 7323, Section 2.2): it
// may be as small as InitialRecvBuffer.
func TestMaxRecvBuffer(t *testing.T) {
	for _, tt := range []struct{ initial, most, want int }{
		{0, 0, defaultMaxBuffer},
		{0, 1000, 1 << 20},
		{65536, 73728, 73728},
		{65536, 1000, 65536},
		{65536, math.MaxInt, 1 << 30},
	} {
		c := NewConfig(Config{InitialRecvBuffer: tt.initial, MaxRecvBuffer: tt.most})
		if c.MaxRecvBuffer != tt.want {
			t.Errorf("MaxRecvBuffer %d with InitialRecvBuffer %d becomes %d, want %d", tt.most, tt.initial, c.MaxRecvBuffer, tt.want)
		}
	}
	c := NewConfig(Config{InitialRecvBuffer: 65536, MaxRecvBuffer: 73728})
	if shift := c.windowShift(&Options{}); shift != 1 {
		t.Errorf("windowShift = %d, want 1", shift)
	}
}
