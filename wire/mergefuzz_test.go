package wire

import (
	"hash/crc32"
	"slices"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
)

// said is what one segment on the wire says.
type said struct {
	header string
	text   uint32
}

// FuzzMerge merges a batch of segments of three flows, made by the bytes of a
// schedule: in order, repeated, after a gap, with flags, with a wrong checksum.
// What comes out says the same, flow by flow and in the same order.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0, 10, 0, 10, 1, 10, 0, 10, 1, 10, 2, 3})
	f.Add([]byte{0, 10, 4, 10, 0, 10, 8, 10, 0, 10, 12, 10, 0, 9, 0, 10})
	f.Add([]byte{0, 10, 16, 10, 0, 10, 20, 10, 0, 10, 24, 10, 0, 10, 28, 10, 0, 10})
	f.Fuzz(func(t *testing.T, schedule []byte) {
		var pkts []Packet
		var chunks []block.Chunk
		next := [4]seqnum.Value{1<<32 - 30, 5, 5, 5}
		for ; len(schedule) >= 2 && len(pkts) < 100; schedule = schedule[2:] {
			var p Packet
			c := payload(int(schedule[1]))
			chunks = append(chunks, c)
			scheduled(&p, schedule[0], c, &next)
			p.Hold()
			pkts = append(pkts, p)
		}
		before := flowsOf(t, pkts)
		n := Merge(pkts)
		after := flowsOf(t, pkts[:n])
		for port := range before {
			if !slices.Equal(before[port], after[port]) {
				t.Errorf("flow %d said %v, after Merge %v", port, before[port], after[port])
			}
		}
		for i := range pkts {
			pkts[i].Release()
		}
		wantFree(t, chunks)
		for _, c := range chunks {
			c.Release()
		}
	})
}

// scheduled makes p the packet that the byte of a schedule asks for: the flow
// in the lowest two bits, what is special in the next three.
func scheduled(p *Packet, what byte, c block.Chunk, next *[4]seqnum.Value) {
	flow := what & 3
	s := Segment{Flags: ACK, Ack: 9, Window: 100}
	tuple := tuple4
	if flow == 1 {
		tuple = tuple6
	}
	tuple.RemotePort = uint16(flow)
	switch what >> 2 & 7 {
	case 1:
		next[flow] -= 10
	case 2:
		next[flow] += 10
	case 3:
		s.Flags |= PSH
	case 4:
		s.Flags |= FIN
	case 5:
		s.Options.HasTS, s.Options.TSVal = true, uint32(what)
	case 6:
		s.TOS = 3
	}
	s.Seq = next[flow]
	s.Append(c)
	next[flow] = s.Seq.Add(seqnum.Size(s.PayloadLen))
	p.BuildTCP(tuple, &s, 0)
	p.FinishChecksum()
	if what>>2&7 == 7 {
		p.Header()[len(p.Header())-1] ^= 1 // the urgent pointer, which nobody reads
	}
}

// flowsOf returns what the packets say, cut into the segments that they stand
// for, by destination port.
func flowsOf(t *testing.T, pkts []Packet) map[uint16][]said {
	flows := make(map[uint16][]said)
	for i := range pkts {
		var ip IP
		var s Segment
		var out Batch
		if pkts[i].SegSize == 0 {
			pkts[i].CopyTo(out.Next())
		} else if !Cut(&pkts[i], 1500, &out) {
			t.Fatalf("packet %d cannot be cut", i)
		}
		for j := range out.Packets {
			p := &out.Packets[j]
			p.Checksum = ChecksumValid
			if p.ParseIP(&ip) != DropNone || p.ParseTCP(&ip, &s) != DropNone {
				t.Fatalf("packet %d does not parse", i)
			}
			sum := crc32.NewIEEE()
			for _, c := range s.Payload {
				sum.Write(c.Data)
			}
			flows[s.DstPort] = append(flows[s.DstPort], said{header: s.String(), text: sum.Sum32()})
		}
		out.Release()
	}
	return flows
}
