package wire

import (
	"fmt"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
)

// dataPacket returns a packet of n bytes of payload as a link delivers it,
// vouched for or not.
func dataPacket(tuple FourTuple, n int, state ChecksumState) *Packet {
	s := segmentOf(ACK|PSH, payload(n))
	var p Packet
	p.BuildTCP(tuple, &s, 1)
	p.FinishChecksum()
	in := new(Packet)
	in.SetBytes(p.AppendTo(nil))
	in.Checksum = state
	return in
}

// Nothing on the path of a segment allocates.
func TestAllocations(t *testing.T) {
	in := dataPacket(tuple4, 1448, ChecksumUnknown)
	echo := new(Packet)
	echo.SetBytes(bytesOf(t, vectorUDP4Error))
	var ip IP
	var s Segment
	var m ICMP
	var u UDP
	udp := new(Packet)
	udp.SetBytes(bytesOf(t, vectorUDP4))
	out := segmentOf(ACK|PSH, payload(4000), payload(5000))
	out.SegSize = 1448
	out.Options.NumSACK = 2
	var p Packet
	var batch Batch
	tests := map[string]func(){
		"ParseTCP": func() {
			if in.ParseIP(&ip) != DropNone || in.ParseTCP(&ip, &s) != DropNone {
				t.Error("the packet does not parse")
			}
		},
		"ParseICMP": func() {
			if echo.ParseIP(&ip) != DropNone || echo.ParseICMP(&ip, &m) != DropNone {
				t.Error("the packet does not parse")
			}
		},
		"ParseUDP": func() {
			if udp.ParseIP(&ip) != DropNone || udp.ParseUDP(&ip, &u) != DropNone {
				t.Error("the packet does not parse")
			}
		},
		"BuildTCP": func() { p.BuildTCP(tuple4, &out, 1); p.FinishChecksum() },
		"Cut and Merge": func() {
			p.BuildTCP(tuple6, &out, 1)
			if !Cut(&p, 1600, &batch) {
				t.Error("Cut refused the packet")
			}
			if n := Merge(batch.Packets); n != 1 {
				t.Errorf("Merge left %d packets", n)
			}
			batch.Release()
		},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v allocations, want 0", n)
			}
		})
	}
}

func BenchmarkChecksum(b *testing.B) {
	for _, size := range []int{20, 64, 1408, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(i)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Checksum(data, 0)
			}
		})
	}
}

// Header parse, and with it the checksum of the payload unless the link
// vouches for it.
func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct {
		name  string
		tuple FourTuple
		state ChecksumState
	}{
		{"v4/headers", tuple4, ChecksumValid},
		{"v6/headers", tuple6, ChecksumValid},
		{"v4/checksum", tuple4, ChecksumUnknown},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := dataPacket(bench.tuple, 1448, bench.state)
			var ip IP
			var s Segment
			b.ReportAllocs()
			for b.Loop() {
				if p.ParseIP(&ip) != DropNone || p.ParseTCP(&ip, &s) != DropNone {
					b.Fatal("the packet does not parse")
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for name, tuple := range map[string]FourTuple{"v4": tuple4, "v6": tuple6} {
		for _, finish := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/checksum=%v", name, finish), func(b *testing.B) {
				s := segmentOf(ACK|PSH, payload(1448))
				var p Packet
				b.ReportAllocs()
				for b.Loop() {
					p.BuildTCP(tuple, &s, 1)
					if finish {
						p.FinishChecksum()
					}
				}
			})
		}
	}
}

// A super-segment of 44 segments, cut and merged.
func BenchmarkCut(b *testing.B) {
	s := segmentOf(ACK|PSH, payload(44*1448))
	s.SegSize = 1448
	var p Packet
	p.BuildTCP(tuple4, &s, 1)
	var out Batch
	b.SetBytes(int64(s.PayloadLen))
	b.ReportAllocs()
	for b.Loop() {
		Cut(&p, 1500, &out)
		out.Release()
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, flows := range []int{1, 8} {
		for _, state := range []ChecksumState{ChecksumUnknown, ChecksumValid} {
			b.Run(fmt.Sprintf("flows=%d/checksum=%v", flows, state == ChecksumUnknown), func(b *testing.B) {
				benchmarkMerge(b, flows, state)
			})
		}
	}
}

// benchmarkMerge merges 40 segments of some flows that take turns.
func benchmarkMerge(b *testing.B, flows int, state ChecksumState) {
	const each, size = 40, 1448
	pkts := make([]Packet, each)
	in := make([][]byte, each)
	s := segmentOf(ACK, payload(size))
	for i := range in {
		tuple := tuple4
		tuple.RemotePort += uint16(i % flows)
		if i > 0 && i%flows == 0 {
			s.Seq = s.Seq.Add(size)
		}
		var p Packet
		p.BuildTCP(tuple, &s, uint16(i))
		p.FinishChecksum()
		in[i] = p.AppendTo(nil)
	}
	b.SetBytes(each * size)
	b.ReportAllocs()
	for b.Loop() {
		for i := range pkts {
			pkts[i].Reset()
			pkts[i].Payload = append(pkts[i].Payload, block.Chunk{Data: in[i]})
			pkts[i].Checksum = state
		}
		if n := Merge(pkts); n != flows {
			b.Fatalf("%d packets are left", n)
		}
	}
}
