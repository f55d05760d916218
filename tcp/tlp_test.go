package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// wantTimer asserts which timer fires next, and when.
func (d *driver) wantTimer(want Timer, in time.Duration) {
	d.t.Helper()
	if timer, at := d.c.NextTimer(); timer != want || at.Sub(d.now) != in {
		d.t.Fatalf("timer %v in %v, want %v in %v", timer, at.Sub(d.now), want, in)
	}
}

// RFC 8985, Sections 7.2 and 7.3 (R8985-10 to R8985-14): two round trips after
// the last segment it goes again, once; then the time-out is next.
func TestTailLossProbe(t *testing.T) {
	d := sackFlight(t, 0)
	d.now = d.now.Add(-100 * ms)
	d.wantTimer(TimerProbe, 202*ms)
	d.advance(202 * ms)
	d.wantRule(RuleTailProbe)
	d.want("P. 9001:10001(1000) ack 1")
	d.wantTimer(TimerRetransmit, 300*ms)
	d.advance(300 * ms)
	d.wantRule(RuleRetransmitTimeout)
	d.want(". 1:1001(1000) ack 1")
	d.wantTimer(TimerRetransmit, 600*ms)
}

// RFC 8985, Section 7.3 (R8985-13): new data goes rather than old, though the
// congestion window be full; the peer's window counts.
func TestTailLossProbeSendsNewData(t *testing.T) {
	d := sackFlight(t, 5000)
	d.advance(102 * ms)
	d.want(". 10001:11001(1000) ack 1")
	d = sackFlight(t, 5000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 10_500})
	d.advance(102 * ms)
	d.want(". 9001:10001(1000) ack 1")
}

// RFC 9293, Section 3.8.6 (MAY-7): what a shrunken window has no room for is not
// sent again, by the probe either.
func TestTailLossProbeInAShrunkenWindow(t *testing.T) {
	d := sackFlight(t, 0)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 5000})
	d.advance(300 * ms)
	d.want()
	d.advance(150 * ms)
	d.want(". 1:1001(1000) ack 1")
}

// RFC 8985, Section 7.2 (R8985-10): a single segment may wait for the peer's
// delayed ACK; and the probe never comes after the time-out.
func TestTailLossProbeOfOneSegment(t *testing.T) {
	d := sackFlight(t, 0)
	d.cfg.PatientProbes = true
	d.ack(10001, 1)
	d.write(1000)
	i := d.c.Info(d.now)
	d.wantTimer(TimerProbe, min(2*i.RTT+200*ms, i.RTO))
}

// ADR 11: a probe waits as long as the round-trip times measured say, but not on
// a path so short that each delayed ACK would draw one, and not after one turned
// out to have been needless.
func TestEagerTailLossProbe(t *testing.T) {
	d := sackFlight(t, 0)
	d.ack(10001, 1)
	d.write(1000)
	i := d.c.Info(d.now)
	eager := i.RTT + 4*i.RTTVar + probeSlack
	d.wantTimer(TimerProbe, eager)
	d.advance(eager)
	d.want("P. 10001:11001(1000) ack 1", "P. 10001:11001(1000) ack 1")
	o := d.stamp()
	o.SACK[0] = wire.SACKBlock{Left: testISS.Add(10001), Right: testISS.Add(11001)}
	o.NumSACK = 1
	d.in(seg{f: wire.ACK, seq: 1, ack: 11001, opt: o})
	d.write(1000)
	d.now = d.now.Add(100 * ms)
	d.ack(12001, 1)
	d.write(1000)
	i = d.c.Info(d.now)
	d.wantTimer(TimerProbe, min(2*i.RTT+200*ms, i.RTO))

	d = sackFlight(t, 0)
	d.c.rtt.srtt, d.c.rtt.rttvar = 5*ms, ms
	d.ack(10001, 1)
	d.c.rtt.srtt, d.c.rtt.rttvar = 5*ms, ms
	d.write(1000)
	d.wantTimer(TimerProbe, min(10*ms+200*ms, d.c.rtt.timeout(d.cfg)))
}

// RFC 8985, Section 7.4.2 (R8985-15): when the probe repaired a loss that nobody
// noticed, the window is reduced; when the peer had it already, as it says by
// DSACK, it is not.
func TestTailLossProbeIsAnswered(t *testing.T) {
	d := sackFlight(t, 0)
	d.ack(7001, 1)
	_, at := d.c.NextTimer()
	d.advance(at.Sub(d.now))
	d.want("P. 9001:10001(1000) ack 1")
	d.write(1000)
	d.want("P. 10001:11001(1000) ack 1")
	d.now = d.now.Add(50 * ms)
	cwnd := d.c.Info(d.now).SndCwnd
	d.ack(11001, 1)
	d.wantRule(RuleProbeRepaired)
	if now := d.c.Info(d.now).SndCwnd; now >= cwnd {
		t.Errorf("window %v after %v, want less", now, cwnd)
	}

	d = sackFlight(t, 0)
	d.advance(102 * ms)
	d.want("P. 9001:10001(1000) ack 1")
	cwnd = d.c.Info(d.now).SndCwnd
	d.ack(10001, 1)
	d.sack(10001, 9001, 10001)
	if now := d.c.Info(d.now).SndCwnd; now < cwnd {
		t.Errorf("window %v after %v, want as much", now, cwnd)
	}
	if n := d.c.Info(d.now).DSACKDups; n != 1 {
		t.Errorf("DSACKDups = %v, want 1", n)
	}
}

// RFC 8985, Section 7.3 (R8985-12): no second probe before the round trip of the
// first was measured. Its answer by SACK finds what is lost without a time-out.
func TestTailLossProbeFindsTheLoss(t *testing.T) {
	d := sackFlight(t, 0)
	d.ack(7001, 1)
	d.advance(400 * ms)
	if d.sent[0] != "P. 9001:10001(1000) ack 1 win 65535" {
		t.Fatalf("sent %v first, want the last segment", d.sent)
	}
	d = sackFlight(t, 0)
	d.ack(7001, 1)
	_, at := d.c.NextTimer()
	d.advance(at.Sub(d.now))
	d.want("P. 9001:10001(1000) ack 1")
	d.now = d.now.Add(100 * ms)
	d.sack(7001, 9001, 10001)
	d.advance(30 * ms)
	d.want(". 7001:8001(1000) ack 1")
	d.now = d.now.Add(70 * ms)
	d.sack(8001, 9001, 10001)
	d.want(". 8001:9001(1000) ack 1")
	if i := d.c.Info(d.now); i.Retransmits != 0 || i.CAState != "recovery" {
		t.Errorf("%d time-outs, state %v, want 0, recovery", i.Retransmits, i.CAState)
	}
}
