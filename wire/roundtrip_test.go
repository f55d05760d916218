package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
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

func TestBuildParse(t *testing.T) {
	for _, tuple := range []FourTuple{tuple4, tuple6} {
		s := Segment{Seq: 1, Ack: 2, Flags: ACK | PSH, Window: 500, TOS: 3}
		s.Options.HasTS, s.Options.TSVal, s.Options.TSEcr = true, 10, 20
		s.Append(payload(1000))
		s.Append(payload(333))
		s.Append(payload(667))
		var p Packet
		p.BuildTCP(tuple, &s, 7)
		p.FinishChecksum()
		var q Packet
		q.SetBytes(p.AppendTo(nil))
		for _, p := range []*Packet{&p, &q} {
			var ip IP
			var got Segment
			if d := p.ParseIP(&ip); d != DropNone {
				t.Fatalf("ParseIP: %v", d)
			}
			if d := p.ParseTCP(&ip, &got); d != DropNone {
				t.Fatalf("ParseTCP: %v", d)
			}
			if got.Seq != s.Seq || got.Options != s.Options || got.PayloadLen != 2000 {
				t.Errorf("got %+v", got)
			}
		}
	}
}

func TestCutMerge(t *testing.T) {
	for _, tuple := range []FourTuple{tuple4, tuple6} {
		s := Segment{Seq: 1<<32 - 5000, Ack: 2, Flags: ACK | PSH, Window: 500, TOS: 3, SegSize: 1001}
		s.Append(payload(10000))
		s.Append(payload(333))
		s.Append(payload(6670))
		var p Packet
		p.BuildTCP(tuple, &s, 7)
		var out Batch
		if !Cut(&p, 1500, &out) || out.Len() != 17 {
			t.Fatalf("cut into %d", out.Len())
		}
		var ip IP
		var got Segment
		for i := range out.Packets {
			q := &out.Packets[i]
			if d := q.ParseIP(&ip); d != DropNone {
				t.Fatalf("ParseIP: %v", d)
			}
			if d := q.ParseTCP(&ip, &got); d != DropNone {
				t.Fatalf("ParseTCP: %v", d)
			}
		}
		if n := Merge(out.Packets); n != 1 {
			t.Fatalf("merged to %d", n)
		}
		q := &out.Packets[0]
		if d := q.ParseIP(&ip); d != DropNone {
			t.Fatalf("ParseIP: %v", d)
		}
		if d := q.ParseTCP(&ip, &got); d != DropNone {
			t.Fatalf("ParseTCP: %v", d)
		}
		h := len(p.Header())
		if !bytes.Equal(p.AppendTo(nil)[h:], q.AppendTo(nil)[h:]) || len(q.Payload) != 3 {
			t.Errorf("payload differs, %d chunks", len(q.Payload))
		}
	}
}
