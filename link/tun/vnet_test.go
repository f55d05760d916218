package tun

import (
	"encoding/binary"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// tcp4 is an IPv4 packet with a TCP header of 20 bytes and n bytes of payload.
// Only what the offload header speaks of is filled in.
func tcp4(n int) []byte {
	b := make([]byte, 40+n)
	b[0], b[9], b[32] = 0x45, wire.ProtoTCP, 5<<4
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// tcp6 is an IPv6 packet with a TCP header of 32 bytes and n bytes of payload.
func tcp6(n int) []byte {
	b := make([]byte, 72+n)
	b[0], b[6], b[52] = 0x60, wire.ProtoTCP, 8<<4
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

// tcp6ext is tcp6 with a hop-by-hop header of 8 bytes before the TCP header.
func tcp6ext(n int) []byte {
	b := make([]byte, 80+n)
	b[0], b[40], b[60] = 0x60, wire.ProtoTCP, 8<<4
	return b
}

func udp4(n int) []byte {
	b := make([]byte, 28+n)
	b[0], b[9] = 0x45, wire.ProtoUDP
	return b
}

func with(b []byte, at int, v byte) []byte {
	b[at] = v
	return b
}

// Virtual I/O Device 1.2, Section 5.1.6.4: the header's fields locate the
// checksum and the segments in the packet. What does not fit the packet is
// refused rather than guessed.
func TestVnetCheck(t *testing.T) {
	const csum = vnetNeedsChecksum
	tests := []struct {
		name    string
		h       vnetHeader
		pkt     []byte
		segSize int
		sum     wire.ChecksumState
		ok      bool
	}{
		{"nothing to say", vnetHeader{}, tcp4(10), 0, wire.ChecksumUnknown, true},
		{"nothing to say of garbage", vnetHeader{}, []byte{0xff}, 0, wire.ChecksumUnknown, true},
		{"verified", vnetHeader{flags: vnetDataValid}, tcp4(10), 0, wire.ChecksumValid, true},
		{"partial TCP over IPv4", vnetHeader{flags: csum, csumStart: 20, csumOffset: 16}, tcp4(0), 0, wire.ChecksumPartial, true},
		{"partial TCP over IPv6", vnetHeader{flags: csum, csumStart: 40, csumOffset: 16}, tcp6(0), 0, wire.ChecksumPartial, true},
		{"partial after an extension header", vnetHeader{flags: csum, csumStart: 48, csumOffset: 16}, tcp6ext(0), 0, wire.ChecksumPartial, true},
		{"partial UDP", vnetHeader{flags: csum, csumStart: 20, csumOffset: 6}, udp4(3), 0, wire.ChecksumPartial, true},
		{"partial and verified", vnetHeader{flags: csum | vnetDataValid, csumStart: 20, csumOffset: 6}, udp4(3), 0, wire.ChecksumPartial, true},
		{"super-segment over IPv4", vnetHeader{csum, vnetTCPv4, 40, 1000, 20, 16}, tcp4(3000), 1000, wire.ChecksumPartial, true},
		{"super-segment over IPv6", vnetHeader{csum, vnetTCPv6, 72, 1000, 40, 16}, tcp6(1001), 1000, wire.ChecksumPartial, true},
		{"super-segment with CWR", vnetHeader{csum, vnetTCPv4 | vnetECN, 40, 1000, 20, 16}, tcp4(3000), 1000, wire.ChecksumPartial, true},
		{"hint longer than the headers", vnetHeader{csum, vnetTCPv4, 1500, 1000, 20, 16}, tcp4(3000), 1000, wire.ChecksumPartial, true},
		{"one segment after all", vnetHeader{csum, vnetTCPv4, 40, 1000, 20, 16}, tcp4(1000), 0, wire.ChecksumPartial, true},

		{"empty packet", vnetHeader{}, nil, 0, 0, false},
		{"unknown flag", vnetHeader{flags: 8}, tcp4(0), 0, 0, false},
		{"unknown type", vnetHeader{csum, 9, 40, 1000, 20, 16}, tcp4(3000), 0, 0, false},
		{"UDP fragmentation", vnetHeader{csum, 3, 28, 1000, 20, 6}, udp4(3000), 0, 0, false},
		{"CWR without a type", vnetHeader{csum, vnetECN, 40, 1000, 20, 16}, tcp4(3000), 0, 0, false},
		{"type of the other version", vnetHeader{csum, vnetTCPv6, 40, 1000, 20, 16}, tcp4(3000), 0, 0, false},
		{"TCP type on UDP", vnetHeader{csum, vnetTCPv4, 28, 1000, 20, 6}, udp4(3000), 0, 0, false},
		{"super-segment with its checksum complete", vnetHeader{0, vnetTCPv4, 40, 1000, 20, 16}, tcp4(3000), 0, 0, false},
		{"super-segment with its checksum verified", vnetHeader{vnetDataValid, vnetTCPv4, 40, 1000, 20, 16}, tcp4(3000), 0, 0, false},
		{"segments of no bytes", vnetHeader{csum, vnetTCPv4, 40, 0, 20, 16}, tcp4(3000), 0, 0, false},
		{"headers longer than the packet", vnetHeader{csum, vnetTCPv4, 41, 1000, 20, 16}, tcp4(0), 0, 0, false},
		{"sum begins inside IP", vnetHeader{flags: csum, csumStart: 16, csumOffset: 16}, tcp4(9), 0, 0, false},
		{"sum begins in the payload", vnetHeader{flags: csum, csumStart: 40, csumOffset: 16}, tcp4(90), 0, 0, false},
		{"sum goes elsewhere", vnetHeader{flags: csum, csumStart: 20, csumOffset: 6}, tcp4(9), 0, 0, false},
		{"sum goes past the end", vnetHeader{flags: csum, csumStart: 20, csumOffset: 16}, tcp4(0)[:37], 0, 0, false},
		{"partial sum of a protocol without one", vnetHeader{flags: csum, csumStart: 20, csumOffset: 2}, with(tcp4(9), 9, 47), 0, 0, false},
		{"partial sum of garbage", vnetHeader{flags: csum, csumStart: 20, csumOffset: 16}, with(tcp4(9), 0, 0x75), 0, 0, false},
		{"partial sum of a short IP header", vnetHeader{flags: csum, csumStart: 16, csumOffset: 16}, with(tcp4(9), 0, 0x44), 0, 0, false},
		{"extension headers without end", vnetHeader{flags: csum, csumStart: 48, csumOffset: 16}, with(tcp6ext(0), 41, 255), 0, 0, false},
		{"TCP header too short", vnetHeader{csum, vnetTCPv4, 40, 1000, 20, 16}, with(tcp4(3000), 32, 4<<4), 0, 0, false},
		{"TCP header past the end", vnetHeader{csum, vnetTCPv4, 40, 1000, 20, 16}, with(tcp4(10), 32, 15<<4), 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			segSize, sum, ok := tt.h.check(tt.pkt)
			if segSize != tt.segSize || sum != tt.sum || ok != tt.ok {
				t.Errorf("%+v.check(%d bytes) = %d, %d, %v, want %d, %d, %v",
					tt.h, len(tt.pkt), segSize, sum, ok, tt.segSize, tt.sum, tt.ok)
			}
		})
	}
}

// packetOf splits b into a Packet with headers of its own and the payload in
// one chunk, as the stack makes them.
func packetOf(b []byte, header int) *wire.Packet {
	p := new(wire.Packet)
	copy(p.SetHeader(header), b)
	if len(b) > header {
		p.Payload = append(p.Payload, block.Chunk{Data: b[header:]})
	}
	return p
}

func TestVnetFor(t *testing.T) {
	tests := []struct {
		name    string
		pkt     *wire.Packet
		segSize int
		sum     wire.ChecksumState
		want    vnetHeader
		ok      bool
	}{
		{"complete", packetOf(tcp4(10), 40), 0, wire.ChecksumUnknown, vnetHeader{}, true},
		{"verified", packetOf(tcp4(10), 40), 0, wire.ChecksumValid, vnetHeader{flags: vnetDataValid}, true},
		{"partial", packetOf(tcp4(10), 40), 0, wire.ChecksumPartial, vnetHeader{vnetNeedsChecksum, 0, 0, 0, 20, 16}, true},
		{"super-segment over IPv4", packetOf(tcp4(3000), 40), 1460, wire.ChecksumPartial, vnetHeader{vnetNeedsChecksum, vnetTCPv4, 40, 1460, 20, 16}, true},
		{"super-segment over IPv6", packetOf(tcp6(3000), 72), 1428, wire.ChecksumPartial, vnetHeader{vnetNeedsChecksum, vnetTCPv6, 72, 1428, 40, 16}, true},
		{"super-segment with CWR", packetOf(with(tcp4(3000), 33, tcpFlagCWR), 40), 1460, wire.ChecksumPartial, vnetHeader{vnetNeedsChecksum, vnetTCPv4 | vnetECN, 40, 1460, 20, 16}, true},
		{"headers in the payload", packetOf(tcp4(3000), 0), 1460, wire.ChecksumPartial, vnetHeader{vnetNeedsChecksum, vnetTCPv4, 40, 1460, 20, 16}, true},
		{"super-segment with its checksum complete", packetOf(tcp4(3000), 40), 1460, wire.ChecksumUnknown, vnetHeader{}, false},
		{"super-segment with its checksum verified", packetOf(tcp4(3000), 40), 1460, wire.ChecksumValid, vnetHeader{}, false},
		{"segment size past 16 bits", packetOf(tcp4(3000), 40), 1 << 16, wire.ChecksumPartial, vnetHeader{}, false},
		{"segment size negative", packetOf(tcp4(3000), 40), -1, wire.ChecksumPartial, vnetHeader{}, false},
		{"super-segment of UDP", packetOf(udp4(3000), 28), 1460, wire.ChecksumPartial, vnetHeader{}, false},
		{"partial sum of garbage", packetOf(with(tcp4(9), 0, 0x75), 40), 0, wire.ChecksumPartial, vnetHeader{}, false},
		{"headers in two pieces", packetOf(tcp4(3000), 30), 1460, wire.ChecksumPartial, vnetHeader{}, false},
		{"no packet", new(wire.Packet), 0, wire.ChecksumPartial, vnetHeader{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.pkt.SegSize, tt.pkt.Checksum = tt.segSize, tt.sum
			h, ok := vnetFor(tt.pkt)
			if ok != tt.ok || ok && h != tt.want {
				t.Errorf("vnetFor(%d bytes) = %+v, %v, want %+v, %v", tt.pkt.Len(), h, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestVnetEncode(t *testing.T) {
	h := vnetHeader{1, 0x84, 0x1234, 0x5678, 0x9abc, 0xdef0}
	var b [vnetLen]byte
	h.encode(b[:])
	if got := decodeVnet(b[:]); got != h {
		t.Errorf("decodeVnet(encode(%+v)) = %+v", h, got)
	}
}

// FuzzVnet checks that no header and packet make check or vnetFor panic, that
// places found lie inside the packet, and that what check accepts vnetFor
// describes alike.
func FuzzVnet(f *testing.F) {
	seed := func(h vnetHeader, pkt []byte) {
		var b [vnetLen]byte
		h.encode(b[:])
		f.Add(append(b[:], pkt...))
	}
	seed(vnetHeader{}, tcp4(10))
	seed(vnetHeader{vnetNeedsChecksum, vnetTCPv4, 40, 100, 20, 16}, tcp4(300))
	seed(vnetHeader{vnetNeedsChecksum, vnetTCPv6 | vnetECN, 72, 100, 40, 16}, with(tcp6(300), 53, tcpFlagCWR))
	seed(vnetHeader{vnetNeedsChecksum, 0, 0, 0, 48, 16}, tcp6ext(3))
	seed(vnetHeader{vnetNeedsChecksum, 0, 0, 0, 20, 6}, udp4(3))

	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < vnetLen {
			return
		}
		h, pkt := decodeVnet(b), b[vnetLen:]
		segSize, sum, ok := h.check(pkt)
		if !ok {
			return
		}
		if sum == wire.ChecksumPartial && int(h.csumStart)+int(h.csumOffset)+2 > len(pkt) {
			t.Fatalf("%+v.check(%x): checksum past the end", h, pkt)
		}
		if segSize < 0 || segSize > len(pkt) || segSize > 0 && sum != wire.ChecksumPartial {
			t.Fatalf("%+v.check(%x) = %d, %d", h, pkt, segSize, sum)
		}
		p := packetOf(pkt, 0)
		p.SegSize, p.Checksum = segSize, sum
		back, ok := vnetFor(p)
		if !ok {
			t.Fatalf("vnetFor refuses what %+v.check(%x) accepts", h, pkt)
		}
		if sum == wire.ChecksumPartial && (back.csumStart != h.csumStart || back.csumOffset != h.csumOffset) {
			t.Fatalf("vnetFor = %+v, want %+v", back, h)
		}
		if segSize > 0 && (back.gsoSize != h.gsoSize || back.gsoType&^vnetECN != h.gsoType&^vnetECN) {
			t.Fatalf("vnetFor = %+v, want %+v", back, h)
		}
		if s2, sum2, ok := back.check(pkt); s2 != segSize || sum2 != sum || !ok {
			t.Fatalf("%+v.check = %d, %d, %v, want %d, %d", back, s2, sum2, ok, segSize, sum)
		}
	})
}

func BenchmarkVnetCheck(b *testing.B) {
	pkt := tcp4(64000)
	var raw [vnetLen]byte
	vnetHeader{vnetNeedsChecksum, vnetTCPv4, 40, 1460, 20, 16}.encode(raw[:])
	b.ReportAllocs()
	for b.Loop() {
		h := decodeVnet(raw[:])
		if _, _, ok := h.check(pkt); !ok {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVnetFor(b *testing.B) {
	p := packetOf(tcp4(64000), 40)
	p.SegSize, p.Checksum = 1460, wire.ChecksumPartial
	var raw [vnetLen]byte
	b.ReportAllocs()
	for b.Loop() {
		h, ok := vnetFor(p)
		if !ok {
			b.Fatal("refused")
		}
		h.encode(raw[:])
	}
}
