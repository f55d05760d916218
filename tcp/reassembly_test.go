package tcp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// byteMap is what a reassembly should be: which bytes there are.
type byteMap map[int]byte

// insert adds bytes that are not there yet.
func (m byteMap) insert(at int, p []byte) {
	for i, b := range p {
		if _, ok := m[at+i]; !ok {
			m[at+i] = b
		}
	}
}

// ranges returns the runs of bytes.
func (m byteMap) ranges(limit int) (all []span) {
	for i := 0; i <= limit; i++ {
		_, here := m[i]
		_, before := m[i-1]
		if here && !before {
			all = append(all, span{i, i})
		}
		if here {
			all[len(all)-1].to = i + 1
		}
	}
	return all
}

// RFC 9293, Section 3.10.7.4 (SHLD-31): what comes out of order is kept as it
// would be in a map of bytes, whatever the order, size and blocks.
func TestReassembly(t *testing.T) {
	const size = 4000
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var r reassembly
		var blocks blockCheck
		model := byteMap{}
		base := seqnum.Value(0xffff_f000) // the wrap is inside
		next := 0
		var got recvBuffer
		var want []byte
		for range 60 {
			if rng.IntN(6) == 0 { // some bytes came in order
				n := rng.IntN(400)
				for i := next; i < next+n; i++ {
					delete(model, i)
				}
				next += n
				taken := r.take(base.Add(seqnum.Size(next)), &got).Diff(base)
				for next < taken {
					want = append(want, model[next])
					delete(model, next)
					next++
				}
			}
			at := next + 1 + rng.IntN(size)
			p := make([]byte, 1+rng.IntN([]int{60, 1400}[rng.IntN(2)]))
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			if !r.insert(base.Add(seqnum.Size(at)), someChunks(rng, &blocks, p), len(p), maxRanges) {
				t.Fatalf("seed %d: no room", seed)
			}
			model.insert(at, p)
			checkRanges(t, seed, &r, model, base, next+size+1500)
			checkBlocks(t, seed, &r)
		}
		if have := drain(&got); !bytes.Equal(have, want) {
			t.Fatalf("seed %d: taken %d bytes, want %d, or they differ", seed, len(have), len(want))
		}
		r.clear()
		if n := blocks.leaked(); n > 0 {
			t.Fatalf("seed %d: %d blocks leaked", seed, n)
		}
	}
}

// someChunks splits p into chunks, in blocks or not, of different kinds.
func someChunks(rng *rand.Rand, blocks *blockCheck, p []byte) (chunks []block.Chunk) {
	for len(p) > 0 {
		n := 1 + rng.IntN(len(p))
		switch rng.IntN(2) {
		case 0: // lent memory
			chunks = append(chunks, block.Chunk{Data: p[:n:n]})
		case 1: // a block, to be kept or copied by how full it is
			b := block.Get(block.Small)
			blocks.note(b)
			copy(b.Bytes()[100:], p[:n])
			chunks = append(chunks, block.Chunk{Block: b, Data: b.Bytes()[100 : 100+n]})
			b.Release()
		}
		p = p[n:]
	}
	return chunks
}

func checkRanges(t *testing.T, seed uint64, r *reassembly, model byteMap, base seqnum.Value, limit int) {
	t.Helper()
	var have []span
	size := 0
	for i := range r.ranges {
		o := &r.ranges[i]
		have = append(have, span{o.start.Diff(base), o.end.Diff(base)})
		size += o.data.size
		if o.data.size != o.end.Diff(o.start) {
			t.Fatalf("seed %d: range %v has %d bytes", seed, have[i], o.data.size)
		}
		at := o.start.Diff(base)
		for _, c := range o.data.chunks[o.data.head:] {
			for _, b := range c.Data {
				if model[at] != b {
					t.Fatalf("seed %d: byte %d is %d, want %d", seed, at, b, model[at])
				}
				at++
			}
		}
	}
	if want := model.ranges(limit); fmt.Sprint(have) != fmt.Sprint(want) || size != r.size {
		t.Fatalf("seed %d: ranges %v, want %v; size %d, want %d", seed, have, want, r.size, size)
	}
}

// checkBlocks asserts that blocks reported for SACK are ranges, each once.
func checkBlocks(t *testing.T, seed uint64, r *reassembly) {
	t.Helper()
	var o wire.Options
	dup := r.hasDup
	r.blocks(&o, 4)
	seen := map[wire.SACKBlock]bool{}
	for i, b := range o.SACK[:o.NumSACK] {
		if i == 0 && dup {
			continue
		}
		ok := false
		for k := range r.ranges {
			ok = ok || (r.ranges[k].start == b.Left && r.ranges[k].end == b.Right)
		}
		if !ok || seen[b] {
			t.Fatalf("seed %d: SACK block %v is no range, or there twice", seed, b)
		}
		seen[b] = true
	}
}

// drain reads everything.
func drain(b *recvBuffer) []byte {
	p := make([]byte, b.size)
	return p[:b.read(p)]
}

// R2018-9: the number of ranges is bounded, whatever the peer sends; text in
// order is taken all the same, and so is what closes a gap.
func TestReassemblyLimit(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 4 << 20})).connect()
	for i := range maxRanges + 10 {
		d.in(seg{f: wire.ACK, seq: 3 + 2*i, ack: 1, n: 1})
	}
	if got := len(d.c.ooo.ranges); got != maxRanges {
		t.Errorf("%d ranges, want %d", got, maxRanges)
	}
	if got := d.cfg.Counters.OutOfOrderFull; got != 10 {
		t.Errorf("OutOfOrderFull = %v, want 10", got)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 3})
	d.read(1, 3)
	for i := range maxRanges {
		d.in(seg{f: wire.ACK, seq: 4 + 2*i, ack: 1, n: 1})
	}
	d.read(4, 2*maxRanges-1)
}

// RFC 2018, Section 4 (R2018-1 to R2018-4): with SACK permitted, every ACK
// tells of the ranges there are while a gap is open: first the one that the
// last segment went to, then those told of most recently, as many as fit.
func TestSACKBlocksSent(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.NoSACK = false })).connect()
	in := func(seq, n int) { d.in(seg{f: wire.ACK, seq: seq, ack: 1, n: n}) }
	const ack = ". 1:1(0) ack 1 win 65535"
	in(101, 100)
	d.want(ack + " sack 101:201")
	in(301, 100)
	d.want(ack + " sack 301:401 sack 101:201")
	in(501, 100)
	d.want(ack + " sack 501:601 sack 301:401 sack 101:201")
	in(701, 100)
	d.want(ack + " sack 701:801 sack 501:601 sack 301:401 sack 101:201")
	in(901, 100)
	d.want(ack + " sack 901:1001 sack 701:801 sack 501:601 sack 301:401")
	in(201, 50) // grows a range
	d.want(ack + " sack 101:251 sack 901:1001 sack 701:801 sack 501:601")
	in(601, 100) // joins two
	d.want(ack + " sack 501:801 sack 101:251 sack 901:1001")
	d.write(10) // on text too
	d.want("P. 1:11(10) ack 1 win 65535 sack 501:801 sack 101:251 sack 901:1001")
	d.in(seg{f: wire.ACK, seq: 1, ack: 11, n: 100})
	d.want(". 11:11(0) ack 251 win 65285 sack 501:801 sack 901:1001")
	in(251, 50)
	in(401, 100)
	in(801, 100)
	d.sent = d.sent[:0]
	if d.in(seg{f: wire.ACK, seq: 1001, ack: 11, n: 100}); d.last.Options.NumSACK != 0 {
		t.Errorf("SACK blocks %v with nothing missing", d.last.Options.SACK)
	}
}

// RFC 2018, Section 3 (D-39): with timestamps there is room for three.
func TestSACKBlocksWithTimestamps(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	for i := range 5 {
		d.in(seg{f: wire.ACK, seq: 101 + 200*i, ack: 1, n: 100, opt: d.stamp()})
	}
	if got := d.last.Options.NumSACK; got != 3 {
		t.Errorf("%d SACK blocks, want 3", got)
	}
	// A full segment leaves room for the blocks.
	d.write(5000)
	for _, s := range d.batch.Segments {
		if n := s.PayloadLen + 12 + 4 + 8*int(s.Options.NumSACK); n > 1000 {
			t.Errorf("segment with %d bytes of payload and %d blocks", s.PayloadLen, s.Options.NumSACK)
		}
	}
}

// RFC 2018, Section 2 (R2018-1): without permission there are none.
func TestSACKNotPermitted(t *testing.T) {
	d := newDriver(t).connect()
	d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100})
	d.want(". 1:1(0) ack 1 win 65535")
	d.in(seg{f: wire.ACK, seq: 101, ack: 1, n: 100})
	d.want(". 1:1(0) ack 1 win 65535")
}

// RFC 2883, Section 4 (R2883-1, R2883-2): a duplicate is told of once, in the
// first block: by itself when it is below RCV.NXT, followed by the range it
// lies in when that is still queued.
func TestDSACK(t *testing.T) {
	d := newDriver(t, withConfig(func(c *Config) { c.NoSACK = false })).connect()
	in := func(seq, n int) { d.in(seg{f: wire.ACK, seq: seq, ack: 1, n: n}) }
	in(1, 1000)
	d.want(". 1:1(0) ack 1001 win 65535")
	in(501, 100) // received and acknowledged
	d.want(". 1:1(0) ack 1001 win 65535 sack 501:601")
	in(901, 200) // in part
	d.want(". 1:1(0) ack 1101 win 65435 sack 901:1001")
	in(1101, 100) // once only
	d.want(". 1:1(0) ack 1201 win 65335")
	in(2001, 1000)
	d.want(". 1:1(0) ack 1201 win 65335 sack 2001:3001")
	in(2501, 100) // queued
	d.want(". 1:1(0) ack 1201 win 65335 sack 2501:2601 sack 2001:3001")
	in(2901, 200) // in part
	d.want(". 1:1(0) ack 1201 win 65335 sack 2901:3001 sack 2001:3101")
	in(1101, 2000) // it fills the gap, and repeats more than that
	d.want(". 1:1(0) ack 3101 win 65535 sack 1101:1201")
}

// R2018-9: each range takes a block; all together take no more than the receive
// buffer.
func TestReassemblyLimitBySmallBuffer(t *testing.T) {
	d := newDriver(t, withOptions(Options{RecvBuffer: 40_000})).connect()
	for i := range 100 {
		d.in(seg{f: wire.ACK, seq: 3 + 2*i, ack: 1, n: 1})
	}
	if got := len(d.c.ooo.ranges) * block.Small; got > 40_000 {
		t.Errorf("100 bytes out of order take %d bytes", got)
	}
}
