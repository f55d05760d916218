package engine

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.4.1 (MUST-8): the clock of initial sequence numbers ticks
// every 4 microseconds, so that numbers of one 4-tuple only grow (R6528-1).
func TestISSClock(t *testing.T) {
	e := New(Config{})
	tuple := tupleNumber(1)
	const now = tcp.Time(time.Hour)
	first := e.iss(now, &tuple)
	for _, d := range []time.Duration{0, 4 * time.Microsecond, time.Millisecond, time.Second, time.Hour} {
		want := int(d / (4 * time.Microsecond))
		if got := e.iss(now.Add(d), &tuple).Diff(first); got != want {
			t.Errorf("ISS after %v grew by %d, want %d", d, got, want)
		}
	}
	for _, last := range []seqnum.Value{first.Add(1 << 30), first.Add(^seqnum.Size(99)), first} {
		if got := e.issAfter(now, &tuple, last); !last.Add(65535).Less(got) || got.Less(first) {
			t.Errorf("issAfter(%d) = %d, the clock says %d", last, got, first)
		}
	}
}

// RFC 6528, Section 3 (R6528-2): initial sequence numbers of different 4-tuples,
// and of different secrets, are unrelated: each bit is set half of the time, and
// so is each bit of the difference of neighbours.
func TestISSStatistics(t *testing.T) {
	const n = 100_000
	e, other := New(Config{}), New(Config{Secret: [32]byte{1}})
	var bits, diff, secret, offset [32]int
	var last uint32
	for i := range n {
		tuple := tupleNumber(i)
		v := uint32(e.iss(1, &tuple))
		count(&bits, v)
		count(&diff, v-last)
		count(&secret, v-uint32(other.iss(1, &tuple)))
		count(&offset, v-e.tsOffset(&tuple))
		last = v
	}
	limit := 5 * math.Sqrt(n) / 2 // five standard deviations
	for name, c := range map[string]*[32]int{
		"numbers": &bits, "differences of neighbours": &diff,
		"differences of secrets": &secret, "differences to the timestamp offset": &offset,
	} {
		for b, k := range c {
			if math.Abs(float64(k)-n/2) > limit {
				t.Errorf("bit %d of the %s is set %d times of %d", b, name, k, n)
			}
		}
	}
}

func count(bits *[32]int, v uint32) {
	for b := range bits {
		bits[b] += int(v >> b & 1)
	}
}

// The secret decides everything: two engines with one secret choose alike, with
// another one they do not.
func TestSecret(t *testing.T) {
	syn := func(secret byte) wire.Segment {
		h := newHost(t, Config{Secret: [32]byte{secret}}, addrA)
		if _, err := h.e.Dial(h.now, netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:80"), tcp.Options{}); err != nil {
			t.Fatal(err)
		}
		return h.one().Segment
	}
	a, b, c := syn(1), syn(1), syn(2)
	if a.Seq != b.Seq || a.SrcPort != b.SrcPort || a.Options != b.Options {
		t.Error("the same secret gives another SYN")
	}
	if a.Seq == c.Seq || a.SrcPort == c.SrcPort || a.Options.TSVal == c.Options.TSVal {
		t.Error("another secret gives the same numbers")
	}
}
