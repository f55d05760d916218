package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
)

var (
	tuple4 = Tuple(netip.MustParseAddrPort("10.1.0.2:80"), netip.MustParseAddrPort("10.1.0.1:40000"))
	tuple6 = Tuple(netip.MustParseAddrPort("[fd00::2]:80"), netip.MustParseAddrPort("[fd00::1]:40000"))
)

// payload returns a chunk in a block of its own, n bytes of a fixed pattern.
func payload(n int) block.Chunk {
	b := block.Get(n)
	data := b.Bytes()[:n]
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	return block.Chunk{Block: b, Data: data}
}

// segmentOf returns a segment with the given payload, of which it takes the
// references over.
func segmentOf(flags Flags, chunks ...block.Chunk) Segment {
	s := Segment{Seq: 1<<32 - 2000, Ack: 77, Flags: flags, Window: 500, TOS: 3, TTL: 9}
	s.Options = Options{HasTS: true, TSVal: 10, TSEcr: 20}
	for _, c := range chunks {
		s.Append(c)
	}
	return s
}

// textOf returns the payload of a packet that parses as TCP.
func textOf(t testing.TB, p *Packet) []byte {
	t.Helper()
	_, s := parseSegment(t, p)
	var text []byte
	for _, c := range s.Payload {
		text = append(text, c.Data...)
	}
	return text
}

// wantFree checks that nothing holds the chunks' blocks but the test.
func wantFree(t testing.TB, chunks []block.Chunk) {
	t.Helper()
	for i, c := range chunks {
		if c.Block.Shared() {
			t.Errorf("a reference to chunk %d is left", i)
		}
	}
}

// A super-segment stands for what Cut makes of it: every segment is a whole
// packet, in order, with nothing lost between.
func TestCut(t *testing.T) {
	tests := []struct {
		name    string
		flags   Flags
		chunks  []int
		segSize int
		want    []int // payload sizes
	}{
		{name: "no rest", flags: ACK, chunks: []int{3000}, segSize: 1000, want: []int{1000, 1000, 1000}},
		{name: "rest", flags: ACK | PSH, chunks: []int{2001}, segSize: 1000, want: []int{1000, 1000, 1}},
		{name: "FIN", flags: ACK | FIN, chunks: []int{1001}, segSize: 1000, want: []int{1000, 1}},
		{name: "odd chunks", flags: ACK, chunks: []int{1, 3, 5, 991, 333}, segSize: 667, want: []int{667, 666}},
		{name: "segment over many chunks", flags: ACK, chunks: []int{3, 3, 3, 3, 3}, segSize: 7, want: []int{7, 7, 1}},
		{name: "empty chunks", flags: ACK, chunks: []int{0, 100, 0, 100, 0}, segSize: 100, want: []int{100, 100}},
		{name: "ECN", flags: ACK | ECE | CWR, chunks: []int{30}, segSize: 10, want: []int{10, 10, 10}},
	}
	for _, test := range tests {
		for version, tuple := range map[int]FourTuple{4: tuple4, 6: tuple6} {
			t.Run(fmt.Sprintf("%s/v%d", test.name, version), func(t *testing.T) {
				var chunks []block.Chunk
				for _, n := range test.chunks {
					chunks = append(chunks, payload(n))
				}
				s := segmentOf(test.flags, chunks...)
				s.SegSize = test.segSize
				p := Packet{Link: 3}
				p.BuildTCP(tuple, &s, 0xfffe)
				var out Batch
				if !Cut(&p, 1500, &out) {
					t.Fatal("Cut refused the packet")
				}
				wantCut(t, &s, tuple, out.Packets, test.want)
				out.Release()
				wantFree(t, chunks)
			})
		}
	}
}

// wantCut checks packets against the super-segment that they are cut from.
func wantCut(t *testing.T, s *Segment, tuple FourTuple, pkts []Packet, sizes []int) {
	t.Helper()
	if len(pkts) != len(sizes) {
		t.Fatalf("%d packets, want %d", len(pkts), len(sizes))
	}
	var text, want []byte
	for _, c := range s.Payload {
		want = append(want, c.Data...)
	}
	for i := range pkts {
		p := &pkts[i]
		if p.Link != 3 || p.SegSize != 0 || p.Checksum != ChecksumUnknown {
			t.Errorf("packet %d has Link %d, SegSize %d, Checksum %d", i, p.Link, p.SegSize, p.Checksum)
		}
		ip, got := parseSegment(t, p)
		if tupleOf(&ip, &got) != tuple || got.PayloadLen != sizes[i] || got.Seq != s.Seq.Add(seqnum.Size(len(text))) ||
			got.Ack != s.Ack || got.Options != s.Options || got.Window != s.Window || got.TOS != 3 || got.TTL != 9 {
			t.Errorf("segment %d is %v with TOS %d, TTL %d", i, &got, got.TOS, got.TTL)
		}
		if flags := flagsOfPiece(s.Flags, i == 0, i == len(pkts)-1); got.Flags != flags {
			t.Errorf("segment %d has flags %v, want %v", i, got.Flags, flags)
		}
		// RFC 6864: Linux counts the identification up in the segments of one
		// super-segment.
		if id := binary.BigEndian.Uint16(p.Header()[4:]); ip.Version == 4 && id != 0xfffe+uint16(i) {
			t.Errorf("packet %d has identification %#x", i, id)
		}
		text = append(text, textOf(t, p)...)
	}
	if !bytes.Equal(text, want) {
		t.Error("the payload is not the same")
	}
}

// flagsOfPiece is what Cut leaves of flags: FIN and PSH on the last segment,
// CWR on the first.
func flagsOfPiece(flags Flags, first, last bool) Flags {
	if !last {
		flags &^= FIN | PSH
	}
	if !first {
		flags &^= CWR
	}
	return flags
}

// Headers may be at the start of the payload, as a device delivers them, and
// bytes that are in no block are copied.
func TestCutPlacement(t *testing.T) {
	s := segmentOf(ACK, payload(100))
	var whole Packet
	whole.BuildTCP(tuple4, &s, 1)
	b := whole.AppendTo(nil)
	for _, place := range placements(b, len(whole.Header())) {
		t.Run(place.name, func(t *testing.T) {
			p := &place.packet
			p.SegSize, p.Checksum = 30, ChecksumPartial
			var out Batch
			ok := Cut(p, 1500, &out)
			if place.name == "in the packet with payload" {
				if ok || out.Len() > 0 {
					t.Error("Cut took a packet with payload among its headers")
				}
				return
			}
			if !ok || out.Len() != 4 {
				t.Fatalf("Cut made %d packets", out.Len())
			}
			var text []byte
			for i := range out.Packets {
				text = append(text, textOf(t, &out.Packets[i])...)
				for _, c := range out.Packets[i].Payload {
					if c.Block == nil {
						t.Error("borrowed bytes were kept")
					}
				}
			}
			if !bytes.Equal(text, s.Payload[0].Data) {
				t.Error("the payload is not the same")
			}
			out.Release()
		})
	}
}

// A packet that is no super-segment passes if it is not longer than the MTU.
func TestCutPlain(t *testing.T) {
	chunks := []block.Chunk{payload(100)}
	s := segmentOf(ACK, chunks...)
	p := Packet{Link: 3}
	p.BuildTCP(tuple4, &s, 1)
	partial := p.AppendTo(nil)
	var out Batch
	if Cut(&p, p.Len()-1, &out) || out.Len() != 0 {
		t.Error("Cut took a packet over the MTU")
	}
	if !Cut(&p, p.Len(), &out) || out.Len() != 1 {
		t.Fatal("Cut refused a packet of the MTU")
	}
	if got := textOf(t, &out.Packets[0]); !bytes.Equal(got, chunks[0].Data) || out.Packets[0].Link != 3 {
		t.Errorf("packet came out with Link %d and other bytes", out.Packets[0].Link)
	}
	if !bytes.Equal(p.AppendTo(nil), partial) {
		t.Error("Cut changed the packet it was given")
	}
	out.Release()
	wantFree(t, chunks)
}

// What cannot be cut is refused, and nothing is left of it.
func TestCutRefuses(t *testing.T) {
	build := func(edit func(p *Packet)) *Packet {
		s := segmentOf(ACK, payload(100))
		s.SegSize = 30
		p := new(Packet)
		p.BuildTCP(tuple4, &s, 1)
		edit(p)
		return p
	}
	tests := []struct {
		name string
		edit func(p *Packet)
		mtu  int
	}{
		{name: "MTU", edit: func(*Packet) {}, mtu: 81},
		{name: "negative size", edit: func(p *Packet) { p.SegSize = -1 }},
		{name: "UDP", edit: func(p *Packet) { p.Header()[9] = ProtoUDP }},
		{name: "SYN", edit: func(p *Packet) { p.Header()[33] |= byte(SYN) }},
		{name: "RST", edit: func(p *Packet) { p.Header()[33] |= byte(RST) }},
		{name: "URG", edit: func(p *Packet) { p.Header()[33] |= byte(URG) }},
		{name: "version", edit: func(p *Packet) { p.Header()[0] = 0x55 }},
		{name: "IP header length", edit: func(p *Packet) { p.Header()[0] = 0x42 }},
		{name: "data offset", edit: func(p *Packet) { p.Header()[32] = 0x10 }},
		{name: "data offset past the end", edit: func(p *Packet) { p.Header()[32] = 0xf0 }},
		{name: "no bytes", edit: func(p *Packet) { p.Reset(); p.SegSize = 10 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := build(test.edit)
			if test.mtu == 0 {
				test.mtu = 1500
			}
			var out Batch
			if Cut(p, test.mtu, &out) || out.Len() != 0 {
				t.Errorf("Cut made %d packets", out.Len())
			}
		})
	}
}

// cutAll returns what Cut makes of the segments, one after another.
func cutAll(t testing.TB, tuple FourTuple, segments ...Segment) []Packet {
	t.Helper()
	var out Batch
	for i := range segments {
		var p Packet
		p.BuildTCP(tuple, &segments[i], uint16(i))
		if !Cut(&p, 65535, &out) {
			t.Fatalf("Cut refused segment %d", i)
		}
	}
	return out.Packets
}

func TestMerge(t *testing.T) {
	const size = 100
	// run returns n segments of the given size, then perhaps one of another.
	run := func(seq int, flags Flags, sizes ...int) []Segment {
		var s []Segment
		for _, n := range sizes {
			one := segmentOf(flags, payload(n))
			one.Seq = seqnum.Value(seq)
			s = append(s, one)
			seq += n
		}
		return s
	}
	edit := func(s []Segment, i int, f func(s *Segment)) []Segment {
		f(&s[i])
		return s
	}
	tests := []struct {
		name     string
		segments []Segment
		want     []int // payload sizes
	}{
		{name: "run", segments: run(0, ACK, size, size, size), want: []int{300}},
		{name: "short last", segments: run(0, ACK, size, size, 1), want: []int{201}},
		{name: "short in the middle", segments: run(0, ACK, size, 99, size, size), want: []int{199, 200}},
		{name: "longer", segments: run(0, ACK, size, 101, 101), want: []int{100, 202}},
		{name: "across the wrap", segments: run(-150, ACK, size, size, size), want: []int{300}},
		{name: "gap", segments: append(run(0, ACK, size), run(101, ACK, size, size)...), want: []int{100, 200}},
		{name: "twice the same", segments: append(run(0, ACK, size), run(0, ACK, size)...), want: []int{100, 100}},
		{name: "reordered", segments: append(run(size, ACK, size), run(0, ACK, size)...), want: []int{100, 100}},
		{name: "no payload", segments: run(0, ACK, 0, 0), want: []int{0, 0}},
		{name: "ACK between", segments: run(0, ACK, size, 0, size, size), want: []int{100, 0, 200}},
		{
			name:     "PSH ends a run",
			segments: edit(run(0, ACK, size, size, size, size), 1, func(s *Segment) { s.Flags |= PSH }),
			want:     []int{200, 200},
		},
		{
			name:     "PSH on the first",
			segments: edit(run(0, ACK, size, size, size), 0, func(s *Segment) { s.Flags |= PSH }),
			want:     []int{100, 200},
		},
		{
			name:     "FIN",
			segments: edit(run(0, ACK, size, size, size), 2, func(s *Segment) { s.Flags |= FIN }),
			want:     []int{200, 100},
		},
		{
			name:     "flags in the middle",
			segments: edit(run(0, ACK, size, size, size, size), 1, func(s *Segment) { s.Flags |= ECE }),
			want:     []int{100, 100, 200},
		},
		{name: "no ACK", segments: run(0, 0, size, size), want: []int{100, 100}},
		{
			name:     "timestamps",
			segments: edit(run(0, ACK, size, size, size), 1, func(s *Segment) { s.Options.TSVal++ }),
			want:     []int{100, 100, 100},
		},
		{
			name:     "other options",
			segments: edit(run(0, ACK, size, size, size), 2, func(s *Segment) { s.Options = Options{} }),
			want:     []int{200, 100},
		},
		{
			name:     "ECN field",
			segments: edit(run(0, ACK, size, size, size), 2, func(s *Segment) { s.TOS = 2 }),
			want:     []int{200, 100},
		},
		{
			name:     "TTL",
			segments: edit(run(0, ACK, size, size, size), 2, func(s *Segment) { s.TTL = 1 }),
			want:     []int{200, 100},
		},
		{
			name:     "window",
			segments: edit(run(0, ACK, size, size, size), 2, func(s *Segment) { s.Window++ }),
			want:     []int{200, 100},
		},
		{
			name:     "acknowledgement",
			segments: edit(run(0, ACK, size, size, size), 1, func(s *Segment) { s.Ack++ }),
			want:     []int{100, 100, 100},
		},
		{
			name:     "65535 bytes at most",
			segments: run(0, ACK, slices.Repeat([]int{1400}, 50)...),
			want:     []int{46 * 1400, 4 * 1400},
		},
	}
	for _, test := range tests {
		for version, tuple := range map[int]FourTuple{4: tuple4, 6: tuple6} {
			t.Run(fmt.Sprintf("%s/v%d", test.name, version), func(t *testing.T) {
				var chunks []block.Chunk
				for _, s := range test.segments {
					chunks = append(chunks, s.Payload...)
				}
				wantMerged(t, cutAll(t, tuple, test.segments...), test.want)
				wantFree(t, chunks)
			})
		}
	}
}

// wantMerged merges packets of one flow and compares with the payload sizes
// wanted. What comes out says the same, byte by byte.
func wantMerged(t *testing.T, pkts []Packet, sizes []int) {
	t.Helper()
	var before, after []byte
	var flags, flagsAfter Flags
	for i := range pkts {
		_, s := parseSegment(t, &pkts[i])
		flags |= s.Flags
		before = append(before, textOf(t, &pkts[i])...)
	}
	n := Merge(pkts)
	var got []int
	for i := range pkts[:n] {
		p := &pkts[i]
		_, s := parseSegment(t, p)
		flagsAfter |= s.Flags
		got = append(got, s.PayloadLen)
		text := textOf(t, p)
		after = append(after, text...)
		if p.SegSize == 0 {
			continue
		}
		if p.Checksum != ChecksumValid {
			t.Errorf("packet %d has Checksum %d, want %d", i, p.Checksum, ChecksumValid)
		}
		var again Batch
		if !Cut(p, 65535, &again) || again.Len() != s.Count {
			t.Errorf("packet %d cannot be cut into %d", i, s.Count)
		}
		again.Release()
	}
	if !slices.Equal(got, sizes) {
		t.Errorf("Merge made packets of %v bytes, want %v", got, sizes)
	}
	if !bytes.Equal(before, after) || flags != flagsAfter {
		t.Error("Merge changed what is said")
	}
	for i := range pkts {
		pkts[i].Release()
	}
}

// Segments of several flows that take turns are merged, each flow with its
// own, and packets of other kinds between them stay where they are.
func TestMergeFlows(t *testing.T) {
	const flows, each = 8, 5
	var queues [flows][]Packet
	var chunks []block.Chunk
	for f := range queues {
		tuple := tuple4
		if f%2 == 1 {
			tuple = tuple6
		}
		tuple.RemotePort += uint16(f)
		s := segmentOf(ACK, payload(each*200))
		s.SegSize = 200
		chunks = append(chunks, s.Payload...)
		queues[f] = cutAll(t, tuple, s)
	}
	var batch []Packet
	for i := range each {
		for f := range queues {
			batch = append(batch, queues[f][i])
		}
		echo := Packet{}
		echo.SetBytes(bytesOf(t, vectorEcho4))
		batch = append(batch, echo)
	}
	n := Merge(batch)
	if n != flows+each {
		t.Fatalf("%d packets are left, want %d", n, flows+each)
	}
	for i := range batch[:flows] {
		if _, s := parseSegment(t, &batch[i]); s.Count != each || int(s.DstPort) != 40000+i {
			t.Errorf("packet %d is %v of flow %d", i, &s, s.DstPort-40000)
		}
		if got := len(batch[i].Payload); got != 1 {
			t.Errorf("packet %d has %d chunks; what is one in memory is one chunk", i, got)
		}
	}
	for i := range batch {
		batch[i].Release()
	}
	wantFree(t, chunks)
}

// A segment with a wrong checksum is not merged; it ends the run, so that the
// order stays.
func TestMergeChecksum(t *testing.T) {
	for _, at := range []int{ipv4HeaderLen - 5, ipv4HeaderLen + 9, 60} {
		s := segmentOf(ACK, payload(400))
		s.SegSize = 100
		pkts := cutAll(t, tuple4, s)
		b := pkts[1].AppendTo(nil)
		b[at] ^= 4
		pkts[1].SetBytes(b)
		if n := Merge(pkts); n != 3 {
			t.Errorf("Merge with byte %d wrong left %d packets, want 3", at, n)
		}
		if got := pkts[1].AppendTo(nil); !bytes.Equal(got, b) {
			t.Errorf("Merge with byte %d wrong changed the packet", at)
		}
	}
}

// A device delivers headers and payload as it likes; every reference is given
// back in the end.
func TestMergePlacement(t *testing.T) {
	s := segmentOf(ACK|PSH, payload(300))
	s.SegSize = 100
	const header = 52
	for which, place := range placements(make([]byte, header+100), header) {
		if place.name == "in the packet with payload" {
			continue // which is not merged
		}
		t.Run(place.name, func(t *testing.T) {
			pkts := cutAll(t, tuple4, s)
			var blocks []block.Chunk
			for i := range pkts {
				p := placements(pkts[i].AppendTo(nil), header)[which].packet
				pkts[i].Release()
				for j := range p.Payload {
					c := payload(len(p.Payload[j].Data))
					copy(c.Data, p.Payload[j].Data)
					p.Payload[j] = c
					c.Ref()
					blocks = append(blocks, c)
				}
				pkts[i] = p
			}
			n := Merge(pkts)
			for i := range pkts[:n] {
				parseSegment(t, &pkts[i])
			}
			if n != 1 {
				t.Errorf("%d packets are left, want 1", n)
			}
			for i := range pkts {
				pkts[i].Release()
			}
			wantFree(t, blocks)
		})
	}
}
