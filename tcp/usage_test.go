package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 7661, Section 4.3: the window grows while it is used. In slow start that
// is while the most that was in flight in a round is over half of it, although
// little is outstanding when the last ACKs of the round come.
func TestSlowStartOfAnAlmostUsedWindow(t *testing.T) {
	d := newDriver(t).connect()
	d.write(9000)
	for i, want := range []int{12000, 14000, 16000, 18000} {
		d.in(seg{f: wire.ACK, seq: 1, ack: 1 + 2000*(i+1)})
		if got := d.c.Info(d.now).SndCwnd; got != want {
			t.Errorf("after %d segments: window %d, want %d", 2*(i+1), got, want)
		}
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 9001})
	// 9000 in flight is no more than half of 18000: no further growth.
	d.write(5000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 14001})
	if got := d.c.Info(d.now).SndCwnd; got != 18000 {
		t.Errorf("after a round of 5 segments: window %d, want 18000", got)
	}
}

// As on Linux, PSH is on every super-segment, too: a receiver that merges
// segments then delivers it without waiting for the next.
func TestPushOnSuperSegments(t *testing.T) {
	d := newDriver(t, func(d *driver) { d.open.Path.MaxSuper = 64000 }).connect()
	d.write(4500)
	d.want("P. 1:2001(2000) ack 1", "P. 2001:4001(2000) ack 1", "P. 4001:4501(500) ack 1")
}

// A super-segment holds what goes out in a millisecond, at twice the window in a
// round trip; two segments or Config.MinSuper at least, half of the window at
// most; and more where round trips are under 8 ms.
func TestBurst(t *testing.T) {
	for _, tt := range []struct {
		rtt       time.Duration
		cwnd      int32
		min, want int
	}{
		{0, 10_000, 2, 5000},
		{100 * ms, 10_000, 2, 2000},
		{100 * ms, 10_000, 4, 4000},
		{100 * ms, 10_000, 8, 5000},
		{100 * ms, 400_000, 2, 8000},
		{100 * ms, 1 << 24, 2, 1 << 16},
		{10 * ms, 200_000, 2, 40_000},
		{5 * ms, 10_000, 2, 4000 + 1<<7},
		{5 * ms, 200_000, 2, 1 << 16},
		{5 * ms, 20_000, 2, 8000 + 1<<7},
		{200 * time.Microsecond, 100_000, 2, 50_000},
		{10 * ms, 3000, 2, 1500},
	} {
		d := newDriver(t, withConfig(func(c *Config) { c.MinSuper = tt.min })).connect()
		d.c.rtt.srtt, d.c.rtt.min = tt.rtt, tt.rtt
		d.c.cc = &reno{cwnd: tt.cwnd, ssthresh: 1 << 30, mss: 1000}
		if got := d.c.burst(); got != tt.want {
			t.Errorf("burst with a window of %d, RTT %v and MinSuper %d = %d, want %d", tt.cwnd, tt.rtt, tt.min, got, tt.want)
		}
	}
}

// As on Linux, the time since data arrived begins with the connection.
func TestLastDataRecvBeginsWithTheConnection(t *testing.T) {
	d := newDriver(t).connect()
	d.advance(time.Second)
	if got := d.c.Info(d.now).LastDataRecv; got != time.Second {
		t.Errorf("LastDataRecv = %v, want 1s", got)
	}
}
