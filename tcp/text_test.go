package tcp

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// span is a segment of a test, in units of bytes: [from, to).
type span struct{ from, to int }

func (s span) String() string { return fmt.Sprintf("%d-%d", s.from, s.to) }

// spans returns every span inside n units.
func spans(n int) (all []span) {
	for from := range n {
		for to := from + 1; to <= n; to++ {
			all = append(all, span{from, to})
		}
	}
	return all
}

// RFC 9293, Section 3.10 (R9293-11, SC-30): segments that overlap in any way
// are trimmed to what is new: each byte is delivered once, in order, and the
// copy that came first wins.
func TestOverlaps(t *testing.T) {
	for _, a := range spans(6) {
		for _, b := range spans(6) {
			checkOverlap(t, 6, 7, a, b)
		}
	}
	all := spans(5)
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				checkOverlap(t, 5, 1, a, b, c)
			}
		}
	}
}

// checkOverlap delivers the spans, of units of size bytes, each filled with a
// letter of its own, and then one that has everything.
func checkOverlap(t *testing.T, n, size int, order ...span) {
	t.Helper()
	d := newDriver(t, withAllOptions).connect()
	want := strings.Split(strings.Repeat("-", n*size), "")
	for i, s := range append(order[:len(order):len(order)], span{0, n}) {
		letter := string(rune('A' + i))
		for k := s.from * size; k < s.to*size; k++ {
			if want[k] == "-" {
				want[k] = letter
			}
		}
		d.in(seg{
			f: wire.ACK, seq: 1 + s.from*size, ack: 1,
			text: strings.Repeat(letter, (s.to-s.from)*size), opt: d.stamp(),
		})
	}
	p := make([]byte, n*size+1)
	m, err := d.c.Read(d.now, p)
	if got := string(p[:m]); got != strings.Join(want, "") || err != nil {
		t.Errorf("%v: Read = %q, %v, want %q", order, got, err, strings.Join(want, ""))
	}
	if got := d.c.Info(d.now); got.OutOfOrder != 0 || got.BytesReceived != uint64(n*size) {
		t.Errorf("%v: %d bytes out of order, %d received, want 0, %d", order, got.OutOfOrder, got.BytesReceived, n*size)
	}
}

// RFC 9293, Section 3.10.7.4 (SHLD-31, MAY-13, DACK-2) and RFC 5681, Section
// 4.2 (R5681-6): text after a gap is kept and acknowledged at once, and so is
// what fills the gap, and what came before.
func TestOutOfOrder(t *testing.T) {
	d := newDriver(t).connect().noQuickAck()
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1")
	d.wantRule(RuleOutOfOrder)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 2001")
	d.wantRule(RuleGapFilled)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 2001")
	d.wantRule(RuleUnacceptable)
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 1500})
	d.want(". 1:1(0) ack 2501")
	d.wantRule(RuleTrimmed)
	d.read(1, 2500)
}

// RFC 5681, Section 4.2: each segment out of order is a duplicate ACK, those
// of a super-segment too; and text of our own that is sent meanwhile does not
// take their place, for then they would not be duplicates.
func TestDuplicateAcksAreSent(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 2000, count: 2})
	d.want(". 1:1(0) ack 1", ". 1:1(0) ack 1")
	d.in(seg{f: wire.ACK, seq: 3001, ack: 1, n: 20000, count: 20})
	d.want(". 1:1(0) ack 1", ". 1:1(0) ack 1", ". 1:1(0) ack 1")

	d.input(seg{f: wire.ACK, seq: 23001, ack: 1, n: 1000})
	d.write(10)
	d.want(". 1:1(0) ack 1", "P. 1:11(10) ack 1")
}

// RFC 9293, Section 3.10.7.4 (MUST-59): a batch of segments is processed
// whole before it is acknowledged.
func TestBatchIsAcknowledgedOnce(t *testing.T) {
	d := newDriver(t).connect()
	for i := range 10 {
		d.input(seg{f: wire.ACK, seq: 1 + 1000*i, ack: 1, n: 1000})
	}
	d.output()
	d.want(". 1:1(0) ack 10001")
}

// RFC 9293, Section 3.10.7.4: text is cut to the window on both sides.
func TestTrimToWindow(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 4000})
	d.want(". 1:1(0) ack 3001 win 0")
	d.wantRule(RuleTrimmed)
	d.in(seg{f: wire.ACK, seq: 3001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 3001 win 0")
	d.wantRule(RuleZeroWindowData)
	if got := d.cfg.Counters.RecvBufferFull; got != 2 {
		t.Errorf("RecvBufferFull = %v, want 2", got)
	}
	d.read(1, 3000)
	d.want(". 1:1(0) ack 3001 win 3000")
}

// RFC 9293, Section 3.10.7.4, seventh check: of a unit that reaches beyond both
// edges of the window, as one made of several segments may, the middle is taken.
func TestTrimBothSides(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 3000})).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 2000})
	d.want(". 1:1(0) ack 2001 win 1000")
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1, n: 4000, count: 4})
	d.want(". 1:1(0) ack 3001 win 0")
	d.wantRule(RuleTrimmed)
	d.read(1, 3000)
}

// RFC 9293, Section 3.10.7.4: CLOSE-WAIT and after: the stream of the peer has
// ended. Text after its end is dropped, with an ACK at most.
func TestTextAfterFin(t *testing.T) {
	for _, s := range []State{StateCloseWait, StateClosing, StateLastAck, StateTimeWait} {
		d := connState(t, s)
		snd, rcv := d.nxt()
		una := d.c.snd.una.Diff(testISS)
		d.in(seg{f: wire.ACK, seq: rcv, ack: una, n: 10})
		d.wantState(s)
		d.want(ackOf(snd, rcv))
		d.wantRule(RuleDataAfterFin)
		d.in(seg{f: wire.ACK, seq: rcv + 100, ack: una, n: 10})
		d.want(ackOf(snd, rcv))
		d.in(seg{f: wire.ACK | wire.FIN, seq: rcv, ack: una, n: 0})
		d.want(ackOf(snd, rcv))
		d.wantState(s)
		d.wantRead(0, io.EOF)
	}
}

// RFC 9293, Section 3.10.7.4 (SC-13): a FIN before its text waits for it.
func TestFinEarly(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1001, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 1")
	d.wantState(StateEstablished)
	d.wantRule(RuleFinEarly)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
	d.want(". 1:1(0) ack 2002")
	d.wantState(StateCloseWait)
	d.read(1, 2000)
	d.wantRead(0, io.EOF)
}

// A peer that sends FIN twice at different places, or text beyond its FIN,
// contradicts itself, or somebody forges segments; the stream goes on, up to
// the first FIN in it (RFC 9293, Section 3.10.7.4, eighth).
func TestFinContradicted(t *testing.T) {
	t.Run("text beyond the FIN", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK | wire.FIN, seq: 501, ack: 1})
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 1000})
		d.wantState(StateCloseWait)
		d.read(1, 500)
		d.wantRead(0, io.EOF)
	})
	t.Run("FIN inside the text", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 501, ack: 1, n: 500})
		d.in(seg{f: wire.ACK | wire.FIN, seq: 601, ack: 1})
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 500})
		d.wantState(StateEstablished)
		d.in(seg{f: wire.ACK | wire.FIN, seq: 1001, ack: 1})
		d.wantState(StateCloseWait)
		d.read(1, 1000)
	})
	t.Run("FIN before text that waits", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK, seq: 601, ack: 1, n: 200})
		d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, n: 500})
		d.want(". 1:1(0) ack 1", ". 1:1(0) ack 502")
		d.wantState(StateCloseWait)
		d.read(1, 500)
		d.wantRead(0, io.EOF)
	})
	t.Run("two FINs, the first one last", func(t *testing.T) {
		d := newDriver(t).connect()
		d.in(seg{f: wire.ACK | wire.FIN, seq: 801, ack: 1, n: 100})
		d.in(seg{f: wire.ACK | wire.FIN, seq: 501, ack: 1})
		d.in(seg{f: wire.ACK, seq: 502, ack: 1, n: 299})
		d.want(". 1:1(0) ack 1", ". 1:1(0) ack 1", ". 1:1(0) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 500})
		d.want(". 1:1(0) ack 502")
		d.wantState(StateCloseWait)
		d.read(1, 500)
		d.wantRead(0, io.EOF)
	})
}

// RFC 9293, Section 3.8.5 (MUST-30, R6093-4): urgent text stays in the stream.
func TestUrgent(t *testing.T) {
	d := newDriver(t).connect()
	d.c.Input(d.now, urgent(1, 3, "abc"))
	d.wantRule(RuleUrgent)
	d.c.Input(d.now, urgent(4, 0, "def"))
	if n := d.c.Info(d.now).Urgent; n != 3 {
		t.Errorf("%d urgent bytes are left, want 3 (MUST-33)", n)
	}
	d.wantRead(6, nil)
	if n := d.c.Info(d.now).Urgent; n != 0 {
		t.Errorf("%d urgent bytes are left, want none", n)
	}
	d = connState(t, StateCloseWait)
	d.c.Input(d.now, urgent(2, 9, ""))
	if len(d.trace) > 0 {
		t.Errorf("URG in CLOSE-WAIT: %v, want nothing", d.trace)
	}
}

func urgent(seq, up int, text string) *wire.Segment {
	w := &wire.Segment{
		Seq: theirs(seq), Ack: ours(1), Flags: wire.ACK | wire.URG, Window: 65535, Urgent: uint16(up), Count: 1,
	}
	if text != "" {
		w.Append(block.Chunk{Data: []byte(text)})
	}
	return w
}

// MUST-30: nor does it stop to work after 2 GiB without any.
func TestUrgentAfterHalfTheSpace(t *testing.T) {
	d := newDriver(t).connect()
	d.c.rcv.nxt = d.c.rcv.nxt.Add(1<<31 + 5)
	d.c.rcv.adv = d.c.rcv.nxt.Add(65535)
	w := urgent(0, 3, "abc")
	w.Seq = d.c.rcv.nxt
	d.c.Input(d.now, w)
	d.wantRule(RuleUrgent)
}

// RFC 9293, Section 3.10 (SC-13): a FIN that is sent again with the text before
// it: the text is a duplicate, the FIN is news.
func TestFinWithOldText(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10})
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1, n: 10})
	d.want(". 1:1(0) ack 11", ". 1:1(0) ack 12")
	d.wantRule(RuleDuplicateData)
	d.wantState(StateCloseWait)
	d.read(1, 10)
}
