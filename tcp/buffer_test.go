package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// A send buffer is a bytes.Buffer that lends out any part of what it holds, as
// often as asked, and gives its blocks back.
func TestSendBuffer(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var b sendBuffer
		var model bytes.Buffer
		var blocks blockCheck
		limit := 1 + rng.IntN(300_000)
		for range 200 {
			switch rng.IntN(4) {
			case 0, 1:
				p := make([]byte, rng.IntN([]int{10, 3000, 100_000}[rng.IntN(3)]))
				for i := range p {
					p[i] = byte(rng.Uint32())
				}
				n := b.write(p[:max(0, min(len(p), limit-b.size))], 1<<20)
				if want := min(len(p), max(0, limit-model.Len())); n != want {
					t.Fatalf("seed %d: write(%d) with %d of %d = %d, want %d", seed, len(p), model.Len(), limit, n, want)
				}
				model.Write(p[:n])
			case 2:
				for range 5 { // some parts, in order and not
					if b.size > 0 {
						off := rng.IntN(b.size)
						checkSlice(t, seed, &b, model.Bytes(), off, 1+rng.IntN(b.size-off))
					}
				}
			case 3:
				n := rng.IntN(b.size + 1)
				if rng.IntN(10) == 0 {
					n = b.size
				}
				b.discard(n)
				model.Next(n)
			}
			blocks.noteQueue(&b.chunkQueue)
			if b.size != model.Len() {
				t.Fatalf("seed %d: size %d, want %d", seed, b.size, model.Len())
			}
			if b.size == 0 && !b.empty() {
				t.Fatalf("seed %d: an empty buffer holds a block", seed)
			}
		}
		b.clear()
		if n := blocks.leaked(); n > 0 {
			t.Fatalf("seed %d: %d blocks leaked", seed, n)
		}
	}
}

func checkSlice(t *testing.T, seed uint64, b *sendBuffer, want []byte, off, n int) {
	t.Helper()
	var s wire.Segment
	b.slice(&s, off, n)
	var got []byte
	for _, c := range s.Payload {
		got = append(got, c.Data...)
	}
	if s.PayloadLen != n || !bytes.Equal(got, want[off:off+n]) {
		t.Fatalf("seed %d: slice(%d, %d) of %d has %d bytes, or others", seed, off, n, b.size, len(got))
	}
}

// What was lent out stays as it was while more is written: the network may
// still read it.
func TestSendBufferKeepsWhatIsLent(t *testing.T) {
	var b sendBuffer
	b.write([]byte("lent"), 0)
	var s wire.Segment
	b.slice(&s, 0, 4)
	b.write([]byte("more"), 0)
	b.discard(4)
	b.write([]byte("and more"), 0)
	if got := string(s.Payload[0].Data); got != "lent" {
		t.Errorf("lent bytes became %q", got)
	}
	b.clear()
}

// A receive buffer is a bytes.Buffer, too, whatever it is fed: lent memory,
// parts of blocks, runs that follow each other in a block.
func TestRecvBuffer(t *testing.T) {
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 4))
		var b recvBuffer
		var model bytes.Buffer
		var blocks blockCheck
		for range 200 {
			switch rng.IntN(5) {
			case 0, 1:
				feed(rng, &b, &model, &blocks)
			case 2:
				var o recvBuffer
				feed(rng, &o, &model, &blocks)
				blocks.noteQueue(&o.chunkQueue)
				b.join(&o)
				if o.size != 0 || !o.empty() {
					t.Fatalf("seed %d: bytes left after join", seed)
				}
			case 3:
				p := make([]byte, rng.IntN(20_000))
				n := b.read(p)
				want := model.Next(len(p))
				if !bytes.Equal(p[:n], want) {
					t.Fatalf("seed %d: read %d bytes, want %d, or others", seed, n, len(want))
				}
			case 4:
				n := rng.IntN(b.size + 1)
				b.discard(n)
				model.Next(n)
			}
			blocks.noteQueue(&b.chunkQueue)
			if b.size != model.Len() {
				t.Fatalf("seed %d: size %d, want %d", seed, b.size, model.Len())
			}
			if b.size == 0 && !b.empty() {
				t.Fatalf("seed %d: an empty buffer holds a block", seed)
			}
		}
		b.clear()
		if n := blocks.leaked(); n > 0 {
			t.Fatalf("seed %d: %d blocks leaked", seed, n)
		}
	}
}

// feed appends a block's worth of bytes in pieces, as segments bring them.
func feed(rng *rand.Rand, b *recvBuffer, model *bytes.Buffer, blocks *blockCheck) {
	k := block.Get([]int{block.Small, block.Medium, block.Large}[rng.IntN(3)])
	blocks.note(k)
	data := k.Bytes()
	for i := range data[:100] {
		data[i*len(data)/100] = byte(rng.Uint32())
	}
	for at := 0; at < len(data); {
		n := min(1+rng.IntN(len(data)), len(data)-at)
		c := block.Chunk{Block: k, Data: data[at : at+n]}
		if rng.IntN(4) == 0 {
			c.Block = nil
		}
		b.append(c)
		model.Write(c.Data)
		at += n + rng.IntN(100)
	}
	k.Release()
}

// A small segment never pins a large block, and many of them do not take a
// block each.
func TestSmallSegmentsAreCollected(t *testing.T) {
	var b recvBuffer
	total := 0
	for range 1000 {
		k := block.Get(block.Large)
		b.append(block.Chunk{Block: k, Data: k.Bytes()[:10]})
		if k.Shared() {
			t.Fatal("ten bytes pin a large block")
		}
		k.Release()
	}
	for _, c := range b.chunks[b.head:] {
		total += c.Block.Cap()
	}
	if total > 3*10_000 {
		t.Errorf("10000 bytes take %d", total)
	}
	b.clear()
}

// Whatever the sizes, what is queued pins at most eight times its own size, and
// a block to begin with.
func TestPinnedMemory(t *testing.T) {
	for _, sizes := range [][]int{{1448, 1}, {512, 1}, {1}, {511}, {2048, 1, 1}, {100, 600}} {
		var b recvBuffer
		for i := range 2000 {
			k := block.Get(block.Small)
			b.append(block.Chunk{Block: k, Data: k.Bytes()[:sizes[i%len(sizes)]]})
			k.Release()
		}
		pinned := 0
		for _, c := range b.chunks[b.head:] {
			pinned += c.Block.Cap()
		}
		if most := 8*b.size + block.Medium; pinned > most {
			t.Errorf("segments of %v: %d bytes pin %d, want at most %d", sizes, b.size, pinned, most)
		}
		b.clear()
	}
}

// An idle connection keeps no block, and no queue.
func TestIdleConnectionKeepsNothing(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.write(60_000)
	for d.c.outstanding() > 0 {
		d.in(seg{f: wire.ACK, seq: 1, ack: d.c.snd.nxt.Diff(testISS), opt: d.stamp()})
	}
	for i := range 100 {
		d.in(seg{f: wire.ACK, seq: 1 + (i^1)*500, ack: 60_001, n: 500, opt: d.stamp()})
	}
	d.read(1, 50_000)
	if d.c.sndbuf.chunkList != nil || d.c.rcvbuf.chunkList != nil {
		t.Error("a list of nothing")
	}
	if d.c.ooo != nil && d.c.ooo.ranges != nil {
		t.Error("ranges of nothing")
	}
}

// As on Linux, a writer is woken when a third of the buffer is free; but of a
// large one when there is room for 1 MiB.
func TestWakeOfWriter(t *testing.T) {
	for _, tt := range []struct {
		buffer, written int
		want            bool
	}{
		{30_000, 20_000, true},
		{30_000, 20_001, false},
		{8 << 20, 7 << 20, true},
		{8 << 20, 7<<20 + 1, false},
	} {
		d := newDriver(t, withOptions(Options{SendBuffer: tt.buffer})).connect()
		d.write(tt.written)
		if got := d.c.Ready()&Writable != 0; got != tt.want {
			t.Errorf("%d of %d bytes written: writable %v, want %v", tt.written, tt.buffer, got, tt.want)
		}
	}
}
