package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// RFC 2018, Section 3 (R2018-8): a block that cannot be true tells nothing, and
// those beside it count.
func TestBlocksThatCannotBe(t *testing.T) {
	tests := []struct {
		name  string
		edges []int64
	}{
		{"empty", []int64{2001, 2001}},
		{"upside down", []int64{3001, 2001}},
		{"beyond what was sent", []int64{9001, 12001}},
		{"before what was acknowledged, into what was not", []int64{-500, 1001}},
		{"half of the space away", []int64{1 << 31, 1<<31 + 1000}},
		{"half of the space long", []int64{1001, 1001 + 1<<31}},
		{"half of the space long, from beyond", []int64{12_001, 12_001 + 1<<31}},
		{"half of the space long, from far beyond", []int64{1<<31 - 4999, 1<<32 - 4999}},
		{"half of the space long, from before", []int64{-7000, -7000 + 1<<31}},
		{"less than a segment", []int64{1101, 1901}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sackFlight(t, 0)
			d.sack(1, tt.edges...)
			if i := d.c.Info(d.now); i.Sacked != 0 || i.InFlight != 10_000 {
				t.Errorf("%d segments SACKed, %d bytes in flight, want 0, 10000", i.Sacked, i.InFlight)
			}
			d.sack(1, append([]int64{5001, 6001}, tt.edges...)...)
			if i := d.c.Info(d.now); i.Sacked != 1 || i.InFlight != 9000 {
				t.Errorf("with a good block: %d segments SACKed, %d bytes in flight, want 1, 9000", i.Sacked, i.InFlight)
			}
		})
	}
}

// RFC 2883, Section 5 (R2883-3): a first block before the ACK, or inside the
// second block, reports a duplicate; it is nothing that arrived now.
func TestDuplicateReports(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ack    int
		edges  []int64
		dsacks uint64
		sacked int
	}{
		{"below the ACK", 3001, []int64{1001, 2001}, 1, 0},
		{"at the ACK", 3001, []int64{2001, 3001}, 1, 0},
		{"inside the second block", 1, []int64{3001, 4001, 2001, 5001}, 1, 3},
		{"only the first block can", 1, []int64{2001, 5001, 3001, 4001}, 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := sackFlight(t, 0)
			d.sack(tt.ack, tt.edges...)
			if i := d.c.Info(d.now); i.DSACKDups != tt.dsacks || i.Sacked != tt.sacked {
				t.Errorf("%d duplicates, %d segments SACKed, want %d, %d", i.DSACKDups, i.Sacked, tt.dsacks, tt.sacked)
			}
		})
	}
}

// A peer that reports every other segment (R2018-9, CVE-2019-11478) is believed
// up to a number of ranges; the memory and the work for each ACK stay bounded.
func TestSACKRangesAreBounded(t *testing.T) {
	b := new(scoreboard)
	const segments = 4 * maxSackRanges
	at := func(i int) seqnum.Value { return seqnum.Value(i * 100) }
	for i := range segments {
		b.push(sentRecord{start: at(i), end: at(i + 1), sentAt: 1, size: 100})
	}
	for i := 1; i < segments; i += 2 {
		b.sack(at(i), at(i+1), &delivery{})
	}
	if len(b.ranges) != maxSackRanges || b.sacked != 100*maxSackRanges {
		t.Errorf("%d ranges of %d bytes, want %d, %d", len(b.ranges), b.sacked, maxSackRanges, 100*maxSackRanges)
	}
	// Ranges that grow together are taken still.
	if !b.sack(at(1), at(segments), &delivery{}) || len(b.ranges) != 1 {
		t.Errorf("%d ranges after all is reported, want 1", len(b.ranges))
	}
	if err := b.check(at(0), at(segments)); err != nil {
		t.Error(err)
	}
}

// Records are cut at the borders of segments only: blocks of single bytes make
// no new ones (R2018-9).
func TestTinyBlocksCostNothing(t *testing.T) {
	b := new(scoreboard)
	b.push(sentRecord{start: 0, end: 64_000, sentAt: 1, size: 1000})
	for i := range 32_000 {
		b.sack(seqnum.Value(2*i), seqnum.Value(2*i+1), &delivery{})
	}
	if b.n != 1 || len(b.ranges) != 0 {
		t.Errorf("%d records, %d ranges, want 1, 0", b.n, len(b.ranges))
	}
}

// BenchmarkSACKOfEveryOther is the cost of an ACK of a hostile peer.
func BenchmarkSACKOfEveryOther(b *testing.B) {
	s := new(scoreboard)
	const segments = 2 * maxSackRanges
	for i := range segments {
		s.push(sentRecord{start: seqnum.Value(i * 100), end: seqnum.Value(i*100 + 100), sentAt: 1, size: 100})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % segments
		s.sack(seqnum.Value(i|1)*100, seqnum.Value(i|1)*100+100, &delivery{})
	}
}

// The blocks of one ACK in any order say the same.
func TestOrderOfBlocks(t *testing.T) {
	blocks := []int64{2001, 3001, 4001, 5001, 6001, 7001}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		d := sackFlight(t, 0)
		o := wire.Options{}
		for _, i := range order {
			o.SACK[o.NumSACK] = wire.SACKBlock{Left: ours(blocks[2*i]), Right: ours(blocks[2*i+1])}
			o.NumSACK++
		}
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: o})
		if i := d.c.Info(d.now); i.Sacked != 3 || i.Lost != 4 || i.LostTotal != 4 {
			t.Errorf("blocks %v: %d SACKed, %d lost, %d in all, want 3, 4, 4", order, i.Sacked, i.Lost, i.LostTotal)
		}
	}
}
