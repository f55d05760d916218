package wire

import (
	"net/netip"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
)

// A copy shares the payload, with references of its own; bytes that are in no
// block are copied.
func TestCopyTo(t *testing.T) {
	c := payload(10)
	borrowed := []byte("borrowed")
	p := Packet{SegSize: 4, Checksum: ChecksumPartial, Link: 2}
	copy(p.SetHeader(3), "hdr")
	p.Payload = append(p.Payload, c, block.Chunk{Data: borrowed})
	want := string(p.AppendTo(nil))

	var q Packet
	q.SetBytes([]byte("before"))
	p.CopyTo(&q)
	copy(borrowed, "XXXXXXXX")
	if got := string(q.AppendTo(nil)); got != want || q.Len() != len(want) {
		t.Errorf("the copy is %q, want %q", got, want)
	}
	if q.SegSize != 4 || q.Checksum != ChecksumPartial || q.Link != 2 || string(q.Header()) != "hdr" {
		t.Errorf("the copy has SegSize %d, Checksum %d, Link %d, Header %q", q.SegSize, q.Checksum, q.Link, q.Header())
	}
	if !c.Block.Shared() {
		t.Error("the copy has no reference of its own")
	}
	q.Release()
	if c.Block.Shared() {
		t.Error("Release left a reference")
	}
	if q.Len() != 0 || q.Link != 0 || q.SegSize != 0 {
		t.Error("Release did not empty the packet")
	}
}

// Hold and Release count every chunk.
func TestHold(t *testing.T) {
	c := payload(10)
	var p Packet
	p.SetChunk(c)
	p.Hold()
	if !c.Block.Shared() {
		t.Error("Hold took no reference")
	}
	p.Release()
	if c.Block.Shared() {
		t.Error("Release gave no reference back")
	}
}

// The contiguous bytes are the headers in the packet, or the first chunk.
func TestContiguous(t *testing.T) {
	var p Packet
	if got := p.Contiguous(); got != nil {
		t.Errorf("Contiguous of nothing = %q", got)
	}
	p.SetBytes([]byte("chunk"))
	if got := string(p.Contiguous()); got != "chunk" {
		t.Errorf("Contiguous = %q, want chunk", got)
	}
	copy(p.SetHeader(6), "header")
	if got := string(p.Contiguous()); got != "header" {
		t.Errorf("Contiguous = %q, want header", got)
	}
}

// A batch used again gives out empty packets that keep the memory of their
// slices.
func TestBatch(t *testing.T) {
	var b Batch
	c := payload(1)
	for range 3 {
		for i := range 5 {
			p := b.Next()
			if p.Len() != 0 || p.Link != 0 {
				t.Fatalf("packet %d is not empty", i)
			}
			c.Ref()
			p.SetChunk(c)
			p.Link = i
		}
		if b.Len() != 5 {
			t.Fatalf("Len() = %d, want 5", b.Len())
		}
		b.Release()
	}
	if c.Block.Shared() || b.Len() != 0 {
		t.Error("Release left references or packets")
	}
	b.Next().SetChunk(c)
	b.Reset()
	if b.Len() != 0 || c.Block.Shared() {
		t.Error("Reset is not right")
	}
	if n := testing.AllocsPerRun(10, func() { b.Next().SetChunk(c); b.Reset() }); n != 0 {
		t.Errorf("a packet used again makes %v allocations", n)
	}
}

func TestAddr(t *testing.T) {
	tests := []struct {
		text string
		is4  bool
	}{
		{"192.0.2.1", true},
		{"0.0.0.0", true},
		{"2001:db8::1", false},
		{"::", false},
		{"::1", false},
		{"::fffe:192.0.2.1", false},
		{"1::ffff:192.0.2.1", false},
	}
	for _, test := range tests {
		n := netip.MustParseAddr(test.text)
		a := AddrFrom(n)
		if a.Is4() != test.is4 || a.Netip() != n || a.String() != n.String() {
			t.Errorf("%s became %s, Is4() = %v, want %v", n, a, a.Is4(), test.is4)
		}
	}
	if got, want := AddrFrom(netip.MustParseAddr("fe80::1%eth0")), AddrFrom(netip.MustParseAddr("fe80::1")); got != want {
		t.Errorf("with a zone: %v, want %v", got, want)
	}
}

func TestFourTuple(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.2:40000")
	tuple := Tuple(local, remote)
	if tuple.Local() != local || tuple.Remote() != remote {
		t.Errorf("Tuple(%v, %v) has the ends %v and %v", local, remote, tuple.Local(), tuple.Remote())
	}
	if r := tuple.Reverse(); r != Tuple(remote, local) || r.Reverse() != tuple {
		t.Errorf("Reverse() = %v", r)
	}
	if got, want := tuple.String(), "192.0.2.1:80 > 192.0.2.2:40000"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// Every reason has a name of its own.
func TestDropNames(t *testing.T) {
	seen := make(map[string]Drop)
	for d := DropNone; d < NumDrops; d++ {
		name := d.String()
		if other, ok := seen[name]; ok || name == "" || name == "unknown" {
			t.Errorf("Drop %d is called %q, as %d is", d, name, other)
		}
		seen[name] = d
	}
	if got := NumDrops.String(); got != "unknown" {
		t.Errorf("NumDrops.String() = %q, want unknown", got)
	}
}

// RFC 9293, Section 3.4: SYN and FIN count one each.
func TestSegmentLen(t *testing.T) {
	for flags, want := range map[Flags]uint32{ACK: 5, SYN: 6, FIN | ACK: 6, SYN | FIN: 7} {
		s := Segment{Seq: 0xffff_fffe, Flags: flags, PayloadLen: 5}
		if got := s.Len(); uint32(got) != want || uint32(s.End()) != want-2 {
			t.Errorf("%v: Len() = %d, End() = %d, want %d, %d", flags, got, s.End(), want, want-2)
		}
	}
}
