package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/wire"
)

func withTimestamps(d *driver) { d.cfg.NoTimestamps = false }

// wantUndone asserts that the window is what it was before, and no recovery is
// under way.
func (d *driver) wantUndone(cwnd int) {
	d.t.Helper()
	if i := d.c.Info(d.now); i.SndCwnd < cwnd || (i.CAState != "open" && i.CAState != "disorder") || i.Undos != 1 || i.Lost != 0 {
		d.t.Fatalf("window %v, state %v, %v undone, %v lost; want %v, open or disorder, 1, 0; trace %v",
			i.SndCwnd, i.CAState, i.Undos, i.Lost, cwnd, d.trace)
	}
}

// RFC 4015, Section 3 (R5682-6): an ACK with the timestamp of the first copy
// says that the fast retransmit was needless: the window is restored, and the
// path known to reorder.
func TestUndoByTimestamp(t *testing.T) {
	for _, sack := range []bool{false, true} {
		d := sackFlight(t, 0, withTimestamps, func(d *driver) { d.cfg.NoSACK = !sack })
		cwnd := d.c.Info(d.now).SndCwnd
		first := wire.Options{HasTS: true, TSVal: 200, TSEcr: TSVal(d.now, 0) - 100}
		dup := first
		if sack {
			dup.NumSACK, dup.SACK[0] = 1, wire.SACKBlock{Left: ours(1001), Right: ours(4001)}
		}
		for range 3 {
			d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: dup})
		}
		d.wantRule(RuleFastRetransmit)
		d.now = d.now.Add(10 * ms)
		d.in(seg{f: wire.ACK, seq: 1, ack: 10001, opt: first})
		d.wantRule(RuleUndoRecovery)
		d.wantUndone(cwnd)
	}
}

// What went again in an earlier recovery, and is answered now, says nothing of the
// present one: its timestamp is older than all that went again in this one.
func TestNoUndoByAnOlderRepair(t *testing.T) {
	d := sackFlight(t, 40_000, withTimestamps)
	stamped := func(ack int, ecr uint32, edges ...int64) {
		o := wire.Options{HasTS: true, TSVal: 200, TSEcr: ecr}
		for i := 0; i < len(edges); i += 2 {
			o.SACK[o.NumSACK] = wire.SACKBlock{Left: ours(edges[i]), Right: ours(edges[i+1])}
			o.NumSACK++
		}
		d.in(seg{f: wire.ACK, seq: 1, ack: ack, opt: o})
	}
	first := TSVal(d.now, 0) - 100
	stamped(1, first, 1001, 5001)
	d.wantRule(RuleFastRetransmit)
	again := TSVal(d.now, 0)
	d.now = d.now.Add(10 * ms)
	stamped(1, first, 1001, 10_001) // new data goes
	d.now = d.now.Add(100 * ms)
	// The first of the new segments is missing; it goes again in this recovery.
	end := d.c.snd.nxt.Diff(ours(0))
	stamped(1, again, 11_001, int64(end), 1001, 10_001)
	second := TSVal(d.now, 0)
	stamped(10_001, again, 11_001, int64(end))
	d.wantRule(RuleRecovered)
	// Another recovery begins, and then the answer to the older repair comes.
	d.now = d.now.Add(50 * ms)
	next := d.c.snd.nxt.Diff(ours(0))
	stamped(10_001, again, int64(next-3000), int64(next), 11_001, int64(end))
	d.now = d.now.Add(50 * ms)
	stamped(end, second, int64(next-3000), int64(next))
	if i := d.c.Info(d.now); i.Undos != 0 {
		t.Errorf("%d undone, want none", i.Undos)
	}
}

// RFC 3708, Section 3 (R5682-6): so does the report that all that went again
// arrived twice, whenever it comes.
func TestUndoByDuplicates(t *testing.T) {
	d := sackFlight(t, 0)
	cwnd := d.c.Info(d.now).SndCwnd
	d.sack(1, 1001, 4001)
	d.wantRule(RuleFastRetransmit)
	d.now = d.now.Add(10 * ms)
	d.ack(4001, 1)
	d.now = d.now.Add(90 * ms)
	d.sack(4001, 1, 1001)
	d.wantRule(RuleUndoRecovery)
	d.wantUndone(cwnd)
	if i := d.c.Info(d.now); i.Spurious != 1 {
		t.Errorf("Spurious = %v, want 1", i.Spurious)
	}
}

// After the end of the recovery, too.
func TestUndoByDuplicatesLate(t *testing.T) {
	d := sackFlight(t, 0)
	cwnd := d.c.Info(d.now).SndCwnd
	d.sack(1, 1001, 4001)
	d.now = d.now.Add(10 * ms)
	d.ack(10001, 1)
	d.wantRule(RuleRecovered)
	d.now = d.now.Add(90 * ms)
	d.sack(10001, 1, 1001)
	d.wantRule(RuleUndoRecovery)
	d.wantUndone(cwnd)
}

// timedOut is ten segments in flight of which the first went again after a
// time-out, with more to come.
func timedOut(t *testing.T, more int, mod ...func(*driver)) (d *driver, cwnd int) {
	d = sackFlight(t, more, mod...)
	cwnd = d.c.Info(d.now).SndCwnd
	for d.c.Info(d.now).Retransmits == 0 {
		d.advance(10 * ms)
	}
	d.sent = d.sent[:0]
	d.trace = d.trace[:0]
	return d, cwnd
}

// RFC 5682, Section 2.1 (R5682-1 to R5682-3): the first ACK after a time-out
// lets two new segments out; if the next ACK advances too, without duplicate,
// the time-out was spurious, and nothing more goes again.
func TestForwardRTO(t *testing.T) {
	d, cwnd := timedOut(t, 20_000, func(d *driver) { d.cfg.NoSACK = true })
	d.ack(1001, 1)
	d.wantRule(RuleForwardRTO)
	d.want(". 10001:11001(1000) ack 1", ". 11001:12001(1000) ack 1")
	d.ack(2001, 1)
	d.wantRule(RuleUndoTimeout)
	d.wantUndone(cwnd)
	if i := d.c.Info(d.now); i.TotalRetrans != 1 {
		t.Errorf("%d segments went again, want 1", i.TotalRetrans)
	}
}

// RFC 5682, Section 2.1, step 3a (R5682-3): a duplicate ACK as the second one
// says that the loss was real. Step 2a (R5682-4): as the first one, likewise.
func TestForwardRTOAtARealLoss(t *testing.T) {
	d, _ := timedOut(t, 20_000, func(d *driver) { d.cfg.NoSACK = true })
	d.ack(1001, 1)
	d.want(". 10001:11001(1000) ack 1", ". 11001:12001(1000) ack 1")
	d.ack(1001, 1)
	if len(d.sent) == 0 || d.sent[0] != ". 1001:2001(1000) ack 1 win 65535" {
		t.Errorf("sent %v, want the second segment again", d.sent)
	}
	d, _ = timedOut(t, 20_000, func(d *driver) { d.cfg.NoSACK = true })
	d.ack(1, 1)
	d.ack(1001, 1)
	d.want(". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1")
}

// RFC 5682, Section 3.1 (R5682-5): with SACK it is enough that something
// arrives which did not go again.
func TestForwardRTOWithSACK(t *testing.T) {
	d, cwnd := timedOut(t, 0)
	d.sack(1, 1001, 2001)
	d.wantRule(RuleUndoTimeout)
	d.wantUndone(cwnd)
}

// RFC 4015, Section 3: with timestamps the first ACK is enough.
func TestUndoTimeoutByTimestamp(t *testing.T) {
	d, cwnd := timedOut(t, 0, withTimestamps)
	o := wire.Options{HasTS: true, TSVal: 900, TSEcr: TSVal(d.now, 0) - 400}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, opt: o})
	d.wantRule(RuleUndoTimeout)
	d.wantUndone(cwnd)
}

// RFC 2018, Section 8 (R2018-5 to R2018-7): a time-out while the first segment
// is SACKed says that the peer dropped what it had reported: all goes again.
func TestReneging(t *testing.T) {
	d := sackFlight(t, 0)
	d.sack(1, 1001, 10001)
	d.now = d.now.Add(100 * ms)
	d.ack(1001, 1)
	if i := d.c.Info(d.now); i.Sacked != 9 || i.InFlight != 0 {
		t.Fatalf("%d SACKed, %d in flight, want 9, 0", i.Sacked, i.InFlight)
	}
	d.sent = d.sent[:0]
	d.advance(2 * 200 * ms)
	d.wantRule(RuleReneged)
	d.want(". 1001:2001(1000) ack 1")
	d.now = d.now.Add(100 * ms)
	d.ack(2001, 1)
	d.want(". 2001:3001(1000) ack 1", ". 3001:4001(1000) ack 1")
}

// The same when more is queued than the window lets out: although all that was
// sent seems to have arrived, the time-out comes, and no override of the silly
// window, which has nothing to send.
func TestRenegingWithFullWindow(t *testing.T) {
	d := sackFlight(t, 5000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 10000, opt: wire.Options{NumSACK: 1, SACK: [4]wire.SACKBlock{{Left: ours(1001), Right: ours(10001)}}}})
	d.now = d.now.Add(100 * ms)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001, win: 9000})
	if i := d.c.Info(d.now); i.Sacked != 9 || i.InFlight != 0 || i.NotSent == 0 {
		t.Fatalf("%d SACKed, %d in flight, %d not sent, want 9, 0, some", i.Sacked, i.InFlight, i.NotSent)
	}
	d.sent = d.sent[:0]
	d.advance(2 * 200 * ms)
	d.wantRule(RuleReneged)
	d.want(". 1001:2001(1000) ack 1")
}
