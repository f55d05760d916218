package wire

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Packets as Linux 6.18 sent them to a TUN device without offloads, between
// 192.0.2.1 or 2001:db8::1 (the kernel) and .2 or ::2; echo4, echo6, udp4 and
// udp6 are what was written to it.
const (
	vectorSYN4 = "4500003cab5f400040060b59c0000201c0000202ca6600504a3d8d3800000000a002faf02c0b0000" +
		"020405b40402080acaaa3026000000000103030a"
	vectorSYN6 = "6007ba1f0028064020010db800000000000000000000000120010db8000000000000000000000002" +
		"8a8a0050f67b081e00000000a002fd204ace0000020405a00402080a95a48594000000000103030a"
	vectorACK4  = "45000034ab60400040060b60c0000201c0000202ca6600504a3d8d39000013898010003f3e0a00000101080acaaa3027000003e8"
	vectorSACK4 = "45000040ab61400040060b53c0000201c0000202ca6600504a3d8d3900001389b010003fe00e0000" +
		"0101080acaaa3027000003e80101050a000013ed000013f7"
	vectorData4 = "45000052ab62400040060b40c0000201c0000202ca6600504a3d8d3900001389b018003f01550000" +
		"0101080acaaa3027000003e80101050a000013ed000013f7474554202f20485454502f312e300d0a0d0a"

	vectorUDP4      = "45000020000700004011f6c2c0000202c000020113881389000c000070696e67"
	vectorUDP4Error = "45c0003ca3da000040015223c0000201c00002020303f70e00000000" + vectorUDP4
	vectorUDP6      = "60000000000c114020010db800000000000000000000000220010db8000000000000000000000001" +
		"13881389000c9e7f70696e67"
	vectorUDP6Error = "6009bf7d003c3a4020010db800000000000000000000000120010db8000000000000000000000002" +
		"010431e100000000" + vectorUDP6

	vectorProto4      = "450000180007000040fdf5dec0000202c000020161626364"
	vectorProto4Error = "45c00034a3db00004001522ac0000201c00002020302383700000000" + vectorProto4
	vectorProto6      = "600000000008fd4020010db800000000000000000000000220010db80000000000000000000000016162636465666768"
	vectorProto6Error = "600a115500383a4020010db800000000000000000000000120010db8000000000000000000000002" +
		"040155bd00000006" + vectorProto6

	vectorEcho4      = "45000021000700004001f6d1c0000202c00002010800b3df004d000168656c6c6f"
	vectorEchoReply4 = "45000021a3dc0000400152fcc0000201c00002020000bbdf004d000168656c6c6f"
	vectorEcho6      = "60000000000d3a4020010db800000000000000000000000220010db8000000000000000000000001" +
		"8000e022004d000168656c6c6f"
	vectorEchoReply6 = "60037a93000d3a4020010db800000000000000000000000120010db8000000000000000000000002" +
		"8100df22004d000168656c6c6f"
)

// bytesOf returns the bytes of a vector.
func bytesOf(t testing.TB, vector string) []byte {
	t.Helper()
	b, err := hex.DecodeString(vector)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parseSegment parses a packet that is whole and right.
func parseSegment(t testing.TB, p *Packet) (IP, Segment) {
	t.Helper()
	var ip IP
	var s Segment
	if d := p.ParseIP(&ip); d != DropNone {
		t.Fatalf("ParseIP(%x) = %v", p.AppendTo(nil), d)
	}
	if d := p.ParseTCP(&ip, &s); d != DropNone {
		t.Fatalf("ParseTCP(%x) = %v", p.AppendTo(nil), d)
	}
	return ip, s
}

// The kernel's segments parse to what they say, and BuildTCP makes the same
// bytes of that: the layout of options is Linux's.
func TestKernelSegments(t *testing.T) {
	tests := []struct {
		name, vector string
		want         string
		id           uint16
	}{
		{
			name: "SYN", vector: vectorSYN4, id: 0xab5f,
			want: "S 1245547832:1245547832(0) win 64240 <mss 1460,sackOK,TS val 3400151078 ecr 0,nop,wscale 10>",
		},
		{
			name: "SYN over IPv6", vector: vectorSYN6,
			want: "S 4135258142:4135258142(0) win 64800 <mss 1440,sackOK,TS val 2510587284 ecr 0,nop,wscale 10>",
		},
		{
			name: "ACK", vector: vectorACK4, id: 0xab60,
			want: ". 1245547833:1245547833(0) ack 5001 win 63 <nop,nop,TS val 3400151079 ecr 1000>",
		},
		{
			name: "SACK", vector: vectorSACK4, id: 0xab61,
			want: ". 1245547833:1245547833(0) ack 5001 win 63 <nop,nop,TS val 3400151079 ecr 1000,nop,nop,sack 5101:5111>",
		},
		{
			name: "data", vector: vectorData4, id: 0xab62,
			want: "P. 1245547833:1245547851(18) ack 5001 win 63 <nop,nop,TS val 3400151079 ecr 1000,nop,nop,sack 5101:5111>",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := bytesOf(t, test.vector)
			var p Packet
			p.SetBytes(b)
			ip, s := parseSegment(t, &p)
			if got := s.String(); got != test.want {
				t.Errorf("String() = %q, want %q", got, test.want)
			}
			var q Packet
			q.BuildTCP(tupleOf(&ip, &s), &s, test.id)
			q.FinishChecksum()
			got := q.AppendTo(nil)
			if ip.Version == 6 {
				b[1], b[2], b[3] = 0, 0, 0 // the flow label, which Trivet leaves empty
			}
			if string(got) != string(b) {
				t.Errorf("BuildTCP made\n%x, want\n%x", got, b)
			}
		})
	}
}

// tupleOf returns the tuple by which a segment is sent once more as it came.
func tupleOf(ip *IP, s *Segment) FourTuple {
	return FourTuple{LocalAddr: ip.Src, RemoteAddr: ip.Dst, LocalPort: s.SrcPort, RemotePort: s.DstPort}
}

// The payload of a segment is the same wherever its headers are and however
// it is divided.
func TestPlacement(t *testing.T) {
	b := bytesOf(t, vectorData4)
	const header = 64
	for _, test := range placements(b, header) {
		t.Run(test.name, func(t *testing.T) {
			_, s := parseSegment(t, &test.packet)
			var text strings.Builder
			for _, c := range s.Payload {
				text.Write(c.Data)
			}
			if got, want := text.String(), "GET / HTTP/1.0\r\n\r\n"; got != want || s.PayloadLen != len(want) {
				t.Errorf("payload %q with PayloadLen %d, want %q", got, s.PayloadLen, want)
			}
		})
	}
}

type placement struct {
	name   string
	packet Packet
}

// placements returns the bytes of b, which begin with header bytes of headers,
// as a packet in all the ways that can be.
func placements(b []byte, header int) []placement {
	var whole, headers, split, own, ownSplit, ownMore Packet
	whole.SetBytes(b)
	split.SetBytes(b[:header+1])
	add := func(p *Packet, parts ...[]byte) {
		for _, part := range parts {
			q := Packet{}
			q.SetBytes(part)
			p.Payload = append(p.Payload, q.Payload...)
		}
	}
	headers.SetBytes(b[:header])
	add(&headers, b[header:])
	add(&split, nil, b[header+1:header+4], b[header+4:])
	copy(own.SetHeader(header), b)
	add(&own, b[header:])
	copy(ownSplit.SetHeader(header), b)
	add(&ownSplit, b[header:header+3], b[header+3:header+4], b[header+4:], nil)
	copy(ownMore.SetHeader(header+1), b)
	add(&ownMore, b[header+1:header+3], b[header+3:])
	return []placement{
		{"in one chunk", whole},
		{"in a chunk of their own", headers},
		{"in several chunks", split},
		{"in the packet and one chunk", own},
		{"in the packet and several chunks", ownSplit},
		{"in the packet with payload", ownMore},
	}
}
