package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.10.6, STATUS (SOCK-77): what Info tells after some
// traffic.
func TestInfo(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.now = d.now.Add(100 * ms)
	d.write(1000)
	d.now = d.now.Add(50 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 989, n: 500, win: 20, opt: d.stamp()})
	d.in(seg{f: wire.ACK, seq: 1001, ack: 989, n: 100, win: 20, opt: d.stamp()})
	d.now = d.now.Add(7 * ms)
	i := d.c.Info(d.now)
	want := Info{
		State: StateEstablished, InState: 157 * ms, Timestamps: true, SACK: true, WindowScale: true, SndWScale: 7, RcvWScale: 8,
		RTO: i.RTO, RTT: 15 * ms, RTTVar: i.RTTVar, MinRTT: 10 * ms, ATO: 40 * ms,
		SndMSS: 988, RcvMSS: 536, AdvMSS: 1000, PMTU: 1040, Congestion: "reno", CAState: "open",
		SndCwnd: 9880, SndSsthresh: 1<<31 - 1, InFlight: 12,
		SndUna: 989, SndNxt: 1001, RcvNxt: 501, ISS: uint32(testISS), IRS: uint32(testIRS),
		SndWnd: 20 << 7, RcvWnd: i.RcvWnd,
		Unacked: 12, SendBuffer: 1 << 20, Unread: 500, RecvBuffer: 1 << 20, OutOfOrder: 100,
		BytesSent: 1000, BytesAcked: 988, BytesReceived: 500,
		SegsOut: 6, SegsIn: 3, DataSegsOut: 2, DataSegsIn: 2, RcvOutOfOrder: 1,
		Reordering: 3, DeliveryRate: 988 * 20, AppLimited: true, Delivered: 988, BusyTime: 57 * ms,
		LastDataSent: 57 * ms, LastDataRecv: 7 * ms, LastAckRecv: 7 * ms,
	}
	if i != want {
		t.Errorf("Info = %+v\nwant   %+v", i, want)
	}
	if i.RcvWnd < 1<<20-600 {
		t.Errorf("RcvWnd = %v", i.RcvWnd)
	}
}

// A SYN,ACK that goes again counts as a retransmission, text that waits as not
// sent; what never happened was 0 ago.
func TestInfoBeforeTheHandshake(t *testing.T) {
	d := newDriver(t)
	d.dial()
	i := d.c.Info(d.now)
	if i.State != StateSynSent || i.SndNxt != 1 || i.RTO != time.Second || i.LastDataRecv != 0 || i.NotSent != 0 || i.Unacked != 0 {
		t.Errorf("Info = %+v", i)
	}
	d.advance(time.Second)
	if i := d.c.Info(d.now); i.TotalRetrans != 1 || i.Retransmits != 1 || i.Backoff != 1 || i.RTO != 2*time.Second {
		t.Errorf("after a time-out Info = %+v", i)
	}
}

// SIOCOUTQ is what is unacknowledged and unsent together.
func TestInfoQueues(t *testing.T) {
	d := newDriver(t).connect()
	d.write(25000)
	i := d.c.Info(d.now)
	if i.Unacked != 10000 || i.NotSent != 15000 {
		t.Errorf("Unacked %v, NotSent %v, want 10000, 15000", i.Unacked, i.NotSent)
	}
	d.c.Close(d.now)
	d.output()
	for d.c.State() == StateFinWait1 {
		d.in(seg{f: wire.ACK, seq: 1, ack: d.c.snd.nxt.Diff(testISS)})
	}
	if i = d.c.Info(d.now); i.Unacked != 0 || i.NotSent != 0 || i.BytesAcked != 25000 {
		t.Errorf("Unacked %v, NotSent %v, BytesAcked %v", i.Unacked, i.NotSent, i.BytesAcked)
	}
}

// Names as traces and tables print them.
func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{StateSynReceived.String(), "SYN-RECEIVED"},
		{StateSynReceived.SS(), "SYN-RECV"},
		{numStates.String(), "State(11)"},
		{numStates.SS(), "State(11)"},
		{RuleChallengeSyn.String(), "challenge-ack-syn"},
		{RuleChallengeSyn.Cite(), "RFC 5961 4.2"},
		{Rule(200).String(), "Rule(200)"},
		{Rule(200).Cite(), ""},
		{TimerPersist.String(), "persist"},
		{Timer(99).String(), "unknown"},
		{EventSend.String(), "send"},
		{EventKind(99).String(), "unknown"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	seen := map[string]Rule{}
	for r := NoRule + 1; r < NumRules; r++ {
		if old, dup := seen[r.String()]; dup || r.String() == "" || r.Cite() == "" {
			t.Errorf("rule %d: name %q, cited %q; rule %d has the same name: %v", r, r, r.Cite(), old, dup)
		}
		seen[r.String()] = r
	}
}

// Counters of several engines add up.
func TestCountersAdd(t *testing.T) {
	d := newDriver(t).connect()
	d.write(100)
	var sum Counters
	sum.Add(d.cfg.Counters)
	sum.Add(d.cfg.Counters)
	if sum.BytesOut != 200 || sum.ActiveOpens != 2 || sum.SegmentsIn != 2 || sum.Rules[RuleActiveOpen] != 2 {
		t.Errorf("sum = %+v", sum)
	}
}

// The hook hears of each call, segment, rule, timer and state, in order.
func TestTrace(t *testing.T) {
	d := newDriver(t)
	var kinds []EventKind
	d.cfg.Trace = func(e *Event) { kinds = append(kinds, e.Kind) }
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.advance(time.Second)
	d.in(seg{f: wire.RST | wire.ACK, ack: 1})
	want := []EventKind{
		EventCall, EventRule, EventState, EventSend, EventTimer, EventRule, EventSend, EventReceive, EventRule, EventState,
	}
	if len(kinds) != len(want) {
		t.Fatalf("events %v, want %v", kinds, want)
	}
	for i := range want {
		if kinds[i] != want[i] {
			t.Fatalf("events %v, want %v", kinds, want)
		}
	}
}
