package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// refuse has the link refuse what was sent from start to end, relative numbers.
func (d *driver) refuse(start, end int64) {
	d.t.Helper()
	d.c.Refused(d.now, ours(start), ours(end))
	d.output()
}

// What the link of the host refuses was not sent: SND.NXT goes back, the window
// is reduced once, since a queue is full, and the rest goes with the next ACK.
func TestRefused(t *testing.T) {
	d := sackFlight(t, 0, withConfig(func(c *Config) { c.Congestion = CongestionReno }))
	d.refuse(9001, 10_001)
	d.wantRule(RuleRefused)
	d.refuse(8001, 9001)
	d.refuse(6501, 8001) // a part of a segment, as of a super-segment
	d.want()
	i := d.c.Info(d.now)
	if i.SndNxt != 6501 || i.InFlight != 6500 || i.NotSent != 3500 {
		t.Errorf("SND.NXT, in flight, not sent = %v, %v, %v, want 6501, 6500, 3500", i.SndNxt, i.InFlight, i.NotSent)
	}
	d.advance(10 * ms)
	d.want() // nothing, until something left
	d.ack(1001, 1)
	d.want(". 6501:7501(1000) ack 1") // by PRR one for two
	if i := d.c.Info(d.now); i.SndSsthresh != 3250 || i.CAState != "cwr" {
		t.Errorf("ssthresh %v in state %v, want 3250 in cwr", i.SndSsthresh, i.CAState)
	}
	d.ack(3001, 1)
	d.want(". 7501:8501(1000) ack 1")
	d.ack(6501, 1)
	d.want(". 8501:9501(1000) ack 1", "P. 9501:10001(500) ack 1")
	if i := d.c.Info(d.now); i.TotalRetrans != 0 || i.LostTotal != 0 {
		t.Errorf("%d sent again, %d lost, want none", i.TotalRetrans, i.LostTotal)
	}
}

// A retransmission that the link refuses is lost as it was before, and nobody
// takes it for one that the network lost.
func TestRefusedRetransmission(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 4001)
	d.want(". 1:1001(1000) ack 1")
	lost := d.c.Info(d.now).LostTotal
	d.refuse(1, 1001)
	i := d.c.Info(d.now)
	if i.Retrans != 0 || i.Lost != 1 || i.LostTotal != lost {
		t.Errorf("%d under way again, %d lost, %d in all, want 0, 1, %d", i.Retrans, i.Lost, i.LostTotal, lost)
	}
	d.sack(1, 1001, 5001)
	d.want(". 1:1001(1000) ack 1")
}

// With nothing in flight it is tried again: after a time-out, then every 500 ms.
// The user time-out counts from the first of these probes, as with a window that
// is closed; without one the connection stays.
func TestRefusedAll(t *testing.T) {
	for _, timeout := range []time.Duration{0, 3 * time.Second} {
		d := newDriver(t, withSACK, withOptions(Options{UserTimeout: timeout})).connectAfter(100 * ms)
		rto := d.c.Info(d.now).RTO
		d.write(100)
		d.want("P. 1:101(100) ack 1")
		d.refuse(1, 101)
		d.wantTimer(TimerPersist, rto)
		d.advance(rto)
		for probe := range 6 {
			d.want("P. 1:101(100) ack 1")
			d.refuse(1, 101)
			if i := d.c.Info(d.now); i.Probes != probe+1 || i.Backoff != 0 || i.SndNxt != 1 {
				t.Fatalf("probes, backoff, SND.NXT = %v, %v, %v, want %v, 0, 1", i.Probes, i.Backoff, i.SndNxt, probe+1)
			}
			if probe < 5 {
				d.wantTimer(TimerPersist, refusedTime)
			}
			d.advance(refusedTime)
		}
		if timeout > 0 {
			d.wantState(StateClosed)
			d.wantWrite(syscall.ETIMEDOUT)
			continue
		}
		d.want("P. 1:101(100) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 101})
		if i := d.c.Info(d.now); i.Probes != 0 || d.c.refused {
			t.Errorf("%d probes after an answer, want none", i.Probes)
		}
	}
}

// A FIN that was refused goes again, and so do the last bytes with it.
func TestRefusedFin(t *testing.T) {
	d := newDriver(t).connect()
	d.write(100)
	d.want("P. 1:101(100) ack 1")
	d.c.CloseWrite(d.now)
	d.output()
	d.want("F. 101:101(0) ack 1")
	d.refuse(101, 102)
	d.want()
	d.in(seg{f: wire.ACK, seq: 1, ack: 101})
	d.want("F. 101:101(0) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 102})
	d.wantState(StateFinWait2)
}
