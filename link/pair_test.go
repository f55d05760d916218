package link_test

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// packetOf returns a packet that owns one block with the bytes of s.
func packetOf(s string) wire.Packet {
	b := block.Get(len(s))
	var p wire.Packet
	p.SetChunk(block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), s)]})
	return p
}

func write(t *testing.T, l link.Link, texts ...string) int {
	t.Helper()
	var pkts []wire.Packet
	for _, s := range texts {
		pkts = append(pkts, packetOf(s))
	}
	n, err := l.Write(pkts)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	for i := range pkts {
		pkts[i].Release()
	}
	return n
}

func read(t *testing.T, l link.Link, room int) []string {
	t.Helper()
	pkts := make([]wire.Packet, room)
	n, err := l.Read(pkts)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	var texts []string
	for i := range pkts[:n] {
		texts = append(texts, string(pkts[i].AppendTo(nil)))
		pkts[i].Release()
	}
	return texts
}

func wantTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("read %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("read %q, want %q", got, want)
		}
	}
}

// Packets come out at the other end, in order, both ways at once, in batches
// as large as the reader has room for.
func TestPairOrder(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	write(t, a, "1", "2", "3")
	write(t, b, "x")
	write(t, a, "4")
	wantTexts(t, read(t, b, 3), "1", "2", "3")
	wantTexts(t, read(t, a, 3), "x")
	wantTexts(t, read(t, b, 3), "4")
}

// The ring grows and wraps without losing order.
func TestPairWrap(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	next, expect := 0, 0
	send := func(n int) {
		for range n {
			write(t, a, string([]byte{byte(next >> 8), byte(next)}))
			next++
		}
	}
	receive := func(n int) {
		for n > 0 {
			for _, s := range read(t, b, min(n, 7)) {
				if got := int(s[0])<<8 | int(s[1]); got != expect {
					t.Fatalf("packet %d, want %d", got, expect)
				}
				expect++
				n--
			}
		}
	}
	send(50)
	receive(30)
	send(60) // wraps, then grows
	receive(70)
	send(300)
	receive(310)
	if next != expect {
		t.Errorf("%d packets sent, %d received", next, expect)
	}
}

// A full queue drops what comes next and counts it; it never waits.
func TestPairFull(t *testing.T) {
	tests := []struct {
		name    string
		options link.PairOptions
		write   []string
		want    int
	}{
		{name: "packets", options: link.PairOptions{QueuePackets: 2}, write: []string{"1", "2", "3"}, want: 2},
		{name: "bytes", options: link.PairOptions{QueueBytes: 5}, write: []string{"123", "45", "6"}, want: 2},
		{name: "one packet over the bytes", options: link.PairOptions{QueueBytes: 2}, write: []string{"123", "4"}, want: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := link.Pair(1500, test.options)
			if n := write(t, a, test.write...); n != test.want {
				t.Errorf("Write took %d packets, want %d", n, test.want)
			}
			if got, want := a.Dropped(), uint64(len(test.write)-test.want); got != want {
				t.Errorf("Dropped() = %d, want %d", got, want)
			}
			wantTexts(t, read(t, b, 10), test.write[:test.want]...)
		})
	}
}

// What the link does not do for the stack is not let through.
func TestPairOffloads(t *testing.T) {
	const mtu = 100
	long := string(bytes.Repeat([]byte("x"), mtu+1))
	tests := []struct {
		name     string
		offloads link.Offloads
		text     string
		segSize  int
		checksum wire.ChecksumState
		want     bool
		arrives  wire.ChecksumState
	}{
		{name: "plain", text: "p", want: true},
		{name: "over the MTU", text: long},
		{name: "partial checksum", text: "p", checksum: wire.ChecksumPartial},
		{
			name: "partial checksum offloaded", offloads: link.TxChecksum, text: "p",
			checksum: wire.ChecksumPartial, want: true, arrives: wire.ChecksumValid,
		},
		{name: "super-segment", offloads: link.TxChecksum, text: long, segSize: 10},
		{
			name: "super-segment offloaded", offloads: link.TSO, text: long, segSize: 10,
			checksum: wire.ChecksumPartial, want: true, arrives: wire.ChecksumValid,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := link.Pair(mtu, link.PairOptions{Offloads: test.offloads})
			p := []wire.Packet{packetOf(test.text)}
			p[0].SegSize, p[0].Checksum = test.segSize, test.checksum
			if _, err := a.Write(p); err != nil {
				t.Fatal(err)
			}
			if got := a.Dropped() == 0; got != test.want {
				t.Fatalf("carried: %v, want %v", got, test.want)
			}
			if !test.want {
				return
			}
			var in [1]wire.Packet
			if _, err := b.Read(in[:]); err != nil {
				t.Fatal(err)
			}
			if in[0].SegSize != test.segSize || in[0].Checksum != test.arrives {
				t.Errorf("arrived with SegSize %d, Checksum %d; want %d, %d",
					in[0].SegSize, in[0].Checksum, test.segSize, test.arrives)
			}
		})
	}
}

// Close ends a waiting Read with net.ErrClosed; what the other end writes is
// dropped; a second Close is harmless.
func TestPairClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.Pair(1500, link.PairOptions{})
		result := make(chan error)
		go func() {
			var pkts [1]wire.Packet
			_, err := a.Read(pkts[:])
			result <- err
		}()
		synctest.Wait()
		a.Close()
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %v, want %v", err, net.ErrClosed)
		}
		a.Close()
		if _, err := a.Write(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v, want %v", err, net.ErrClosed)
		}
		write(t, b, "lost")
		if got := b.Dropped(); got != 1 {
			t.Errorf("Dropped() = %d, want 1", got)
		}
	})
}

// Payload is shared, not copied, and its references are given back.
func TestPairReferences(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	p := []wire.Packet{packetOf("shared")}
	blk := p[0].Payload[0].Block
	if _, err := a.Write(p); err != nil {
		t.Fatal(err)
	}
	var in [1]wire.Packet
	if _, err := b.Read(in[:]); err != nil {
		t.Fatal(err)
	}
	if in[0].Payload[0].Block != blk || !blk.Shared() {
		t.Error("the payload was copied")
	}
	in[0].Release()
	if blk.Shared() {
		t.Error("a reference is left after Release")
	}
	p[0].Release()
}

// A loopback gives back what is written.
func TestLoopback(t *testing.T) {
	l := link.Loopback(65535)
	write(t, l, "1", "2")
	wantTexts(t, read(t, l, 10), "1", "2")
	if !l.Offloads().Has(link.TSO | link.TxChecksum | link.RxMerged) {
		t.Errorf("Offloads() = %b, want all", l.Offloads())
	}
	l.Close()
	if _, err := l.Read(make([]wire.Packet, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v, want %v", err, net.ErrClosed)
	}
}

func BenchmarkPair(b *testing.B) {
	const batch, size = 32, 1448
	x, y := link.Pair(1500, link.PairOptions{})
	out := make([]wire.Packet, batch)
	for i := range out {
		out[i] = packetOf(string(make([]byte, size)))
	}
	in := make([]wire.Packet, batch)
	b.SetBytes(batch * size)
	b.ReportAllocs()
	for b.Loop() {
		x.Write(out)
		n, _ := y.Read(in)
		for i := range in[:n] {
			in[i].Release()
		}
	}
}
