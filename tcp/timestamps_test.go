package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// tsDriver is a connection with timestamps whose peer's clock stands at 100.
func tsDriver(t *testing.T, mod ...func(*driver)) *driver {
	return newDriver(t, append(mod, withConfig(func(c *Config) { c.NoTimestamps = false }))...).connect()
}

// ts is a timestamps option of the peer.
func ts(val uint32) wire.Options { return wire.Options{HasTS: true, TSVal: val} }

// RFC 7323, Section 3.2 (R7323-2, R7323-9, R7323-11): once negotiated, the
// option is on every segment, a RST too; a SYN echoes nothing. Not negotiated,
// it is on none.
func TestTimestampsOnEverySegment(t *testing.T) {
	d := newDriver(t, withAllOptions)
	d.open.TSOffset = 0xffff_fff0
	d.dial()
	if o := d.last.Options; !o.HasTS || o.TSEcr != 0 || o.TSVal != TSVal(d.now, 0xffff_fff0) {
		t.Errorf("options of the SYN: %+v", o)
	}
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: ts(100)})
	check := func(what string) {
		t.Helper()
		if o := d.last.Options; !o.HasTS || o.TSEcr != 100 || o.TSVal != TSVal(d.now, 0xffff_fff0) {
			t.Errorf("options of %s: %+v", what, o)
		}
	}
	check("the first ACK")
	d.write(10)
	check("text")
	d.c.Abort(d.now)
	d.output()
	check("the RST")

	d = newDriver(t, withAllOptions)
	d.dial()
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1})
	d.write(10)
	if d.last.Options.HasTS {
		t.Error("timestamps without the peer's consent")
	}
}

// RFC 7323, Section 5.3, R1 (R7323-16, R7323-17): a segment from the past is
// dropped with an ACK, whatever it carries; a RST is not asked for its time.
func TestPAWS(t *testing.T) {
	t.Run("old", func(t *testing.T) {
		d := tsDriver(t)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(99)})
		d.want(". 1:1(0) ack 1")
		d.wantRule(RulePAWS)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(100)})
		d.want(". 1:1(0) ack 11")
	})
	t.Run("across the wrap", func(t *testing.T) {
		d := newDriver(t, withAllOptions)
		d.dial()
		d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: ts(0xffff_fff0)})
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(5)})
		d.want(". 1:1(0) ack 1", ". 1:1(0) ack 11")
		d.in(seg{f: wire.ACK, seq: 11, ack: 1, n: 10, opt: ts(0xffff_fff9)})
		d.wantRule(RulePAWS)
	})
	t.Run("late text fills a gap", func(t *testing.T) {
		d := tsDriver(t, withAllOptions)
		d.in(seg{f: wire.ACK, seq: 21, ack: 1, n: 10, opt: ts(103)})
		d.in(seg{f: wire.ACK, seq: 41, ack: 1, n: 10, opt: ts(104)})
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(150)}) // a repair: TS.Recent is 150
		d.sent = d.sent[:0]
		d.in(seg{f: wire.ACK, seq: 11, ack: 1, n: 10, opt: ts(102)})
		d.want(". 1:1(0) ack 31 win 4096 sack 41:51")
		for _, s := range []seg{
			{f: wire.ACK, seq: 25, ack: 1, n: 10, opt: ts(102)},                      // was here before, in part
			{f: wire.ACK, seq: 31, ack: 1, n: 15, opt: ts(102)},                      // in part
			{f: wire.ACK, seq: 51, ack: 1, n: 10, opt: ts(102)},                      // behind all gaps
			{f: wire.ACK, seq: 31, ack: 1, n: 10, opt: ts(math.MaxUint32 - 851 + 1)}, // too old
			{f: wire.ACK | wire.FIN, seq: 31, ack: 1, n: 10, opt: ts(102)},           // its FIN is here already
		} {
			d.in(s)
			d.wantRule(RulePAWS)
		}
		d.in(seg{f: wire.ACK, seq: 31, ack: 1, n: 10, opt: ts(102)})
		d.wantRule(RuleGapFilled)
		if d.last.Ack != theirs(51) {
			t.Errorf("ACK %v, want 51", d.last.Ack-testIRS)
		}
	})
	t.Run("RST", func(t *testing.T) {
		d := tsDriver(t)
		d.in(seg{f: wire.RST, seq: 1, opt: ts(1)})
		d.wantState(StateClosed)
	})
	t.Run("empty ones are limited (R5961-8)", func(t *testing.T) {
		d := tsDriver(t)
		for range 5 {
			d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: ts(99)})
		}
		d.want(". 1:1(0) ack 1")
	})
	t.Run("after 24 days (R7323-18, D-64)", func(t *testing.T) {
		d := tsDriver(t)
		d.now = d.now.Add(24 * 24 * time.Hour)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(99)})
		d.wantRule(RulePAWS)
		d.now = d.now.Add(time.Second)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, opt: ts(99)})
		d.wantRule(RuleInOrder)
		if d.last.Options.TSEcr != 99 {
			t.Errorf("TSecr %v, want 99", d.last.Options.TSEcr)
		}
	})
}

// RFC 7323, Section 3.2 (R7323-10, DIS-10): a segment without the option is
// taken and counted, or, if so configured, dropped in silence.
func TestMissingTimestamp(t *testing.T) {
	d := tsDriver(t)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.want(". 1:1(0) ack 11")
	d.wantRule(RuleTimestampMissing)
	d = tsDriver(t, withConfig(func(c *Config) { c.RequireTimestamps = true }))
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.want()
	d.wantRule(RuleTimestampMissing)
	d.in(seg{f: wire.RST, seq: 1})
	d.wantState(StateClosed)
}

// RFC 7323, Section 4.3 (R7323-12, R7323-13): which timestamp is echoed.
func TestTSRecent(t *testing.T) {
	echo := func(d *driver, want uint32) {
		d.t.Helper()
		if got := d.last.Options.TSEcr; got != want {
			d.t.Errorf("TSecr %v, want %v", got, want)
		}
	}
	t.Run("delayed ACK: the oldest segment it covers", func(t *testing.T) {
		d := tsDriver(t).noQuickAck()
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100, opt: ts(110)})
		d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100, opt: ts(120)})
		d.advance(40 * ms)
		d.want(". 1:1(0) ack 201")
		echo(d, 110)
	})
	t.Run("a gap: the last segment before it", func(t *testing.T) {
		d := tsDriver(t)
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100, opt: ts(110)})
		d.in(seg{f: wire.ACK, seq: 201, ack: 1, n: 100, opt: ts(130)})
		echo(d, 110)
		d.in(seg{f: wire.ACK, seq: 301, ack: 1, n: 100, opt: ts(140)})
		echo(d, 110)
		// Filled: by the segment that fills it.
		d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100, opt: ts(120)})
		echo(d, 120)
		d.in(seg{f: wire.ACK, seq: 401, ack: 1, n: 100, opt: ts(150)})
		echo(d, 150)
	})
	t.Run("an ACK that is not believed", func(t *testing.T) {
		d := tsDriver(t)
		d.in(seg{f: wire.ACK, seq: 1, ack: 999, opt: ts(500)})
		echo(d, 100)
	})
	t.Run("a RST that does not fit", func(t *testing.T) {
		d := tsDriver(t)
		d.in(seg{f: wire.RST, seq: 2, opt: ts(500)})
		echo(d, 100)
	})
}

// The last segment comes again, because our ACK was lost: its timestamp is
// echoed, so that the peer measures the second round trip; but not that of a
// segment whose ACK is not believed, for anybody could have sent it.
func TestTSRecentOfARepeatedSegment(t *testing.T) {
	d := tsDriver(t)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100, opt: ts(110)})
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 100, opt: ts(400)})
	if got := d.last.Options.TSEcr; got != 400 {
		t.Errorf("TSecr %v, want 400", got)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 99999, n: 100, opt: ts(500)})
	d.in(seg{f: 0, seq: 1, n: 100, opt: ts(600)})
	if got := d.last.Options.TSEcr; got != 400 {
		t.Errorf("TSecr %v, want 400", got)
	}
}
