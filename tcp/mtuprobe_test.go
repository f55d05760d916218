package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// connect1460 opens a connection over a path of 1500 bytes to a peer that takes
// segments of 1460.
func connect1460(t *testing.T, mode MTUProbing) *driver {
	t.Helper()
	d := newDriver(t, func(d *driver) {
		d.open.Path.MTU = 1500
		d.cfg.NoSACK, d.cfg.MTUProbing, d.cfg.Congestion = false, mode, CongestionReno
	})
	d.dial()
	d.now = d.now.Add(10 * time.Millisecond)
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1460, SACKPermitted: true}})
	d.want(". 1:1(0) ack 1")
	d.trace = d.trace[:0]
	return d
}

// RFC 4821, Section 7.7 (R4821-2): full segments that time out three times in a
// row become smaller, and smaller again after three more; with probing off they
// do not.
func TestBlackHole(t *testing.T) {
	for _, tt := range []struct {
		mode        MTUProbing
		want, again int // PMTU after three time-outs, and after six
	}{
		{MTUProbingBlackHole, 1064, 532},
		{MTUProbingOff, 1500, 1500},
	} {
		d := connect1460(t, tt.mode)
		d.write(1460)
		for range 2 {
			d.advance(d.c.NextTimeout().Sub(d.now)) // the tail loss probe, too
		}
		d.sent, d.trace = d.sent[:0], d.trace[:0]
		for range 2 {
			d.advance(d.c.NextTimeout().Sub(d.now))
		}
		if tt.mode != MTUProbingOff {
			d.wantRule(RuleBlackHole)
		}
		if got := d.c.Info(d.now).PMTU; got != tt.want {
			t.Errorf("mode %v: PMTU after three time-outs = %v, want %v", tt.mode, got, tt.want)
		}
		for range 3 {
			d.advance(d.c.NextTimeout().Sub(d.now))
		}
		if got := d.c.Info(d.now).PMTU; got != tt.again {
			t.Errorf("mode %v: PMTU after six time-outs = %v, want %v", tt.mode, got, tt.again)
		}
	}
}

// RFC 4821, Sections 7.3 and 7.6 (R4821-1): a probe halves the range; one that is
// acknowledged is the new size; one that SACK shows to be lost is the end of the
// range, goes again in smaller segments, and is no congestion.
func TestMTUProbe(t *testing.T) {
	d := connect1460(t, MTUProbingAlways)
	d.write(40_000)
	d.wantRule(RuleMTUProbe)
	if n := d.c.mtu.end.Diff(d.c.mtu.start); d.c.mtu.size != 1282 || n != 1242 {
		t.Fatalf("probe of %d bytes in a packet of %d, want 1242, 1282", n, d.c.mtu.size)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1243})
	d.wantRule(RuleMTUProbeAcked)
	if got := d.c.Info(d.now).PMTU; got != 1282 {
		t.Errorf("PMTU = %v, want 1282", got)
	}
	if d.c.mtu.size != 1391 {
		t.Fatalf("next probe of %d bytes, want 1391", d.c.mtu.size)
	}

	start, end := d.c.mtu.start.Diff(testISS), d.c.mtu.end.Diff(testISS)
	cwnd := d.c.Info(d.now).SndCwnd
	d.now = d.now.Add(10 * time.Millisecond)
	d.in(seg{f: wire.ACK, seq: 1, ack: start})
	d.sent, d.trace = d.sent[:0], d.trace[:0]
	d.now = d.now.Add(10 * time.Millisecond)
	k := wire.SACKBlock{Left: testISS.Add(seqnum.Size(end)), Right: testISS.Add(seqnum.Size(end + 4*1242))}
	o := wire.Options{NumSACK: 1}
	o.SACK[0] = k
	d.in(seg{f: wire.ACK, seq: 1, ack: start, opt: o})
	d.wantRule(RuleMTUProbeLost)
	if d.c.mtu.high != 1390 {
		t.Errorf("the range ends at %d, want 1390", d.c.mtu.high)
	}
	if i := d.c.Info(d.now); i.SndCwnd < cwnd || i.SndSsthresh < 1<<30 {
		t.Errorf("cwnd, ssthresh = %v, %v after the loss of a probe, %v before", i.SndCwnd, i.SndSsthresh, cwnd)
	}
	if i := d.c.Info(d.now); i.TotalRetrans != 2 {
		t.Errorf("%d segments went again, want 2", i.TotalRetrans)
	}
}
