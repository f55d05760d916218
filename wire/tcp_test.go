package wire

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/seqnum"
)

// tcpPacket returns an IPv4 packet with the given TCP header, its checksum
// made right.
func tcpPacket(header []byte, edit func(b []byte)) []byte {
	b := ipv4Packet(nil, header, edit)
	t := b[ipv4HeaderLen:]
	if len(t) >= tcpHeaderLen {
		var src, dst Addr
		src.setIPv4(b[12:])
		dst.setIPv4(b[16:])
		t[16], t[17] = 0, 0
		putChecksum(t[16:], accumulate(t, pseudoSum(&src, &dst, ProtoTCP, len(t))))
	}
	return b
}

// tcpHeader returns a TCP header without options, with ACK set.
func tcpHeader() []byte {
	h := make([]byte, tcpHeaderLen)
	binary.BigEndian.PutUint16(h[0:], 40000)
	binary.BigEndian.PutUint16(h[2:], 80)
	h[12], h[13] = 5<<4, byte(ACK)
	return h
}

func TestParseTCP(t *testing.T) {
	tests := []struct {
		name   string
		header func(h []byte) []byte
		ip     func(b []byte)
		want   Drop
	}{
		{name: "plain"},
		{name: "header cut off", header: func(h []byte) []byte { return h[:19] }, want: DropTCPHeader},
		{name: "no header", header: func([]byte) []byte { return nil }, want: DropTCPHeader},
		{name: "data offset 4", header: func(h []byte) []byte { h[12] = 4 << 4; return h }, want: DropTCPHeader},
		{name: "data offset past the end", header: func(h []byte) []byte { h[12] = 6 << 4; return h }, want: DropTCPHeader},
		{name: "reserved bits", header: func(h []byte) []byte { h[12] |= 0xe; return h }},

		// RFC 9293, Section 3.9.2.3: segments from or to invalid addresses are
		// ignored, and so are those to broadcast and multicast.
		{name: "network zero", ip: func(b []byte) { b[12] = 0 }, want: DropAddress},
		{name: "to network zero", ip: func(b []byte) { b[16] = 0 }, want: DropAddress},
		{name: "to multicast", ip: func(b []byte) { b[16] = 239 }, want: DropAddress},
		{name: "to broadcast", ip: func(b []byte) { copy(b[16:], "\xff\xff\xff\xff") }, want: DropAddress},
		{name: "reserved address", ip: func(b []byte) { b[12] = 240 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := tcpHeader()
			if test.header != nil {
				h = test.header(h)
			}
			var p Packet
			p.SetBytes(tcpPacket(h, test.ip))
			var ip IP
			if d := p.ParseIP(&ip); d != DropNone {
				t.Fatalf("ParseIP = %v", d)
			}
			if got := p.ParseTCP(&ip, new(Segment)); got != test.want {
				t.Errorf("ParseTCP(%x) = %v, want %v", h, got, test.want)
			}
		})
	}
}

// RFC 9293, Section 3.9.2.3, in IPv6: no multicast, nothing unspecified.
func TestParseTCPAddresses6(t *testing.T) {
	for _, edit := range []func(b []byte){
		func(b []byte) { clear(b[8:24]) },
		func(b []byte) { b[24] = 0xff },
	} {
		p := Packet{}
		p.SetBytes(ipv6Packet(ProtoTCP, tcpHeader(), edit))
		p.Checksum = ChecksumValid
		var ip IP
		if d := p.ParseIP(&ip); d != DropNone {
			t.Fatalf("ParseIP = %v", d)
		}
		if d := p.ParseTCP(&ip, new(Segment)); d != DropAddress {
			t.Errorf("ParseTCP from %v to %v = %v, want %v", ip.Src, ip.Dst, d, DropAddress)
		}
	}
}

// RFC 9293, Section 3.1: every field in its place.
func TestTCPFields(t *testing.T) {
	h := tcpHeader()
	be := binary.BigEndian
	be.PutUint32(h[4:], 0xfedcba98)
	be.PutUint32(h[8:], 0x89abcdef)
	be.PutUint16(h[14:], 0xabcd)
	be.PutUint16(h[18:], 0x1234)
	for bit := range 9 {
		want := Segment{
			SrcPort: 40000, DstPort: 80, Seq: 0xfedcba98, Ack: 0x89abcdef, Window: 0xabcd, Urgent: 0x1234,
			Flags: 1 << bit, PayloadLen: 3, Count: 1, TOS: 7, TTL: 64,
		}
		be.PutUint16(h[12:], 5<<12|1<<bit)
		var p Packet
		p.SetBytes(tcpPacket(append(slices.Clone(h), "abc"...), func(b []byte) { b[1] = 7 }))
		_, got := parseSegment(t, &p)
		if len(got.Payload) != 1 || string(got.Payload[0].Data) != "abc" {
			t.Errorf("payload %v, want abc", got.Payload)
		}
		got.Payload = nil
		if gotText, wantText := got.String(), want.String(); gotText != wantText || got.SrcPort != want.SrcPort ||
			got.DstPort != want.DstPort || got.Urgent != want.Urgent || got.Count != 1 || got.TOS != 7 || got.TTL != 64 {
			t.Errorf("ParseTCP made %+v, want %+v", got, want)
		}
	}
}

// RFC 9293, Section 3.1: the receiver must check the checksum (MUST-3). One
// wrong bit anywhere is found, however the packet is divided, unless the link
// vouches for it or the packet never was on a wire.
func TestTCPChecksum(t *testing.T) {
	s := Segment{Flags: ACK}
	s.Append(payload(25))
	for name, tuple := range map[string]FourTuple{"IPv4": tuple4, "IPv6": tuple6} {
		t.Run(name, func(t *testing.T) {
			var p Packet
			p.BuildTCP(tuple, &s, 1)
			p.FinishChecksum()
			good := p.AppendTo(nil)
			hl := len(p.Header()) - tcpHeaderLen
			for bit := hl * 8; bit < len(good)*8; bit++ {
				b := slices.Clone(good)
				b[bit/8] ^= 1 << (bit % 8)
				for _, place := range placements(b, hl+tcpHeaderLen) {
					wantChecksumDrop(t, &place.packet, bit)
				}
			}
		})
	}
}

// Who watches a link sees a segment whose checksum the sender left to its card, and
// tells it from datagrams and from what is cut short.
func TestDecodeTCP(t *testing.T) {
	s := Segment{Flags: ACK, Seq: 7}
	s.Append(payload(25))
	for name, tuple := range map[string]FourTuple{"IPv4": tuple4, "IPv6": tuple6} {
		t.Run(name, func(t *testing.T) {
			var p Packet
			p.BuildTCP(tuple, &s, 1)
			var got Segment
			if from, ok := DecodeTCP(p.AppendTo(nil), &got); !ok || from != tuple || got.Seq != 7 || got.PayloadLen != 25 {
				t.Errorf("DecodeTCP = %v, %v, %v; want %v, %v", from, ok, &got, tuple, &s)
			}
		})
	}
	for _, b := range [][]byte{nil, bytesOf(t, vectorUDP4), bytesOf(t, vectorSYN4)[:39]} {
		if _, ok := DecodeTCP(b, new(Segment)); ok {
			t.Errorf("DecodeTCP takes %x for a segment", b)
		}
	}
}

func wantChecksumDrop(t *testing.T, p *Packet, bit int) {
	t.Helper()
	var ip IP
	var s Segment
	if d := p.ParseIP(&ip); d != DropNone {
		t.Fatalf("ParseIP = %v", d)
	}
	if d := p.ParseTCP(&ip, &s); d != DropTCPChecksum && d != DropTCPHeader {
		t.Errorf("ParseTCP with bit %d wrong = %v", bit, d)
	}
	for _, state := range []ChecksumState{ChecksumPartial, ChecksumValid} {
		p.Checksum = state
		if d := p.ParseTCP(&ip, &s); d == DropTCPChecksum {
			t.Errorf("ParseTCP with state %d = %v", state, d)
		}
	}
}

// Offload metadata has to fit the segment.
func TestSuperSegmentMetadata(t *testing.T) {
	tests := []struct {
		name          string
		flags         Flags
		payload, size int
		want          Drop
		wantSize      int
		wantCount     int
	}{
		{name: "plain", payload: 100, wantCount: 1},
		{name: "several", payload: 100, size: 30, wantSize: 30, wantCount: 4},
		{name: "no rest", payload: 100, size: 50, wantSize: 50, wantCount: 2},
		{name: "one", payload: 100, size: 100, wantCount: 1},
		{name: "less than one", payload: 99, size: 100, wantCount: 1},
		{name: "nothing", payload: 0, size: 100, wantCount: 1},
		{name: "FIN", flags: FIN, payload: 100, size: 30, wantSize: 30, wantCount: 4},
		{name: "negative", payload: 100, size: -1, want: DropSuperSegment},
		{name: "SYN", flags: SYN, payload: 100, size: 30, want: DropSuperSegment},
		{name: "RST", flags: RST, payload: 100, size: 30, want: DropSuperSegment},
		{name: "URG", flags: URG, payload: 100, size: 30, want: DropSuperSegment},
		{name: "SYN that fits", flags: SYN, payload: 30, size: 30, wantCount: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := tcpHeader()
			h[13] |= byte(test.flags)
			var p Packet
			p.SetBytes(tcpPacket(append(h, strings.Repeat("x", test.payload)...), nil))
			p.SegSize = test.size
			var ip IP
			var s Segment
			if d := p.ParseIP(&ip); d != DropNone {
				t.Fatalf("ParseIP = %v", d)
			}
			if d := p.ParseTCP(&ip, &s); d != test.want {
				t.Fatalf("ParseTCP = %v, want %v", d, test.want)
			}
			if test.want == DropNone && (s.SegSize != test.wantSize || s.Count != test.wantCount) {
				t.Errorf("SegSize %d, Count %d; want %d, %d", s.SegSize, s.Count, test.wantSize, test.wantCount)
			}
		})
	}
}

// BuildTCP takes the ports of the tuple and 64 for a TTL of 0, and leaves the
// packet's interface alone.
func TestBuildTCPDefaults(t *testing.T) {
	for _, tuple := range []FourTuple{tuple4, tuple6} {
		s := Segment{SrcPort: 1, DstPort: 2, Flags: RST, Seq: seqnum.Value(9)}
		p := Packet{Link: 5}
		p.BuildTCP(tuple, &s, 0)
		if p.Link != 5 || p.Checksum != ChecksumPartial || p.SegSize != 0 {
			t.Errorf("BuildTCP left Link %d, Checksum %d, SegSize %d", p.Link, p.Checksum, p.SegSize)
		}
		ip, got := parseSegment(t, &p)
		if tupleOf(&ip, &got) != tuple {
			t.Errorf("built from %v to %v, want %v", ip.Src, ip.Dst, tuple)
		}
		if got.TTL != 64 {
			t.Errorf("TTL = %d, want 64", got.TTL)
		}
	}
}

// RFC 6864, Section 4: "don't fragment" is set, and the identification is what
// the caller says.
func TestBuildIPv4Fields(t *testing.T) {
	var p Packet
	p.BuildTCP(tuple4, &Segment{Flags: SYN, TTL: 9, TOS: 0x12}, 0xabcd)
	h := p.Header()
	if got := binary.BigEndian.Uint16(h[4:]); got != 0xabcd {
		t.Errorf("identification %#x, want 0xabcd", got)
	}
	if got := binary.BigEndian.Uint16(h[6:]); got != ipv4DontFragment {
		t.Errorf("flags and offset %#x, want %#x", got, ipv4DontFragment)
	}
	if h[1] != 0x12 || h[8] != 9 {
		t.Errorf("TOS %#x, TTL %d, want 0x12 and 9", h[1], h[8])
	}
}

// FinishChecksum leaves what is not partial as it is, and does not write to
// memory that others may see.
func TestFinishChecksum(t *testing.T) {
	var p Packet
	p.BuildTCP(tuple4, &Segment{Flags: ACK}, 1)
	partial := p.AppendTo(nil)

	var q Packet
	q.SetBytes(partial)
	q.FinishChecksum()
	if got := q.AppendTo(nil); string(got) != string(partial) {
		t.Error("FinishChecksum changed a packet whose checksum is not partial")
	}
	before := slices.Clone(partial)
	q.Checksum = ChecksumPartial
	q.FinishChecksum()
	if string(partial) != string(before) {
		t.Error("FinishChecksum wrote to borrowed bytes")
	}
	if q.Checksum != ChecksumUnknown {
		t.Errorf("Checksum = %d, want %d", q.Checksum, ChecksumUnknown)
	}
	parseSegment(t, &q)
}

// A partial checksum of UDP and ICMPv6 is completed too; a UDP checksum that
// comes out as zero is sent as ones (RFC 768).
func TestFinishChecksumProtocols(t *testing.T) {
	pseudo := func(b []byte, field int) {
		var src, dst Addr
		src, dst = Addr(b[8:24]), Addr(b[24:40])
		sum := fold(pseudoSum(&src, &dst, b[6], len(b)-ipv6HeaderLen))
		binary.LittleEndian.PutUint16(b[ipv6HeaderLen+field:], sum)
	}
	t.Run("UDP", func(t *testing.T) {
		want := bytesOf(t, vectorUDP6)
		b := slices.Clone(want)
		pseudo(b, 6)
		wantFinished(t, b, want)
	})
	t.Run("ICMPv6", func(t *testing.T) {
		want := bytesOf(t, vectorEchoReply6)
		b := slices.Clone(want)
		pseudo(b, 2)
		wantFinished(t, b, want)
	})
	t.Run("ICMP", func(t *testing.T) {
		want := bytesOf(t, vectorEchoReply4)
		b := slices.Clone(want)
		b[ipv4HeaderLen+2], b[ipv4HeaderLen+3] = 0, 0
		wantFinished(t, b, want)
	})
	t.Run("UDP zero", func(t *testing.T) {
		b := bytesOf(t, vectorUDP6)
		checksum := binary.BigEndian.Uint16(b[ipv6HeaderLen+6:])
		// The source port takes up what the checksum was, so that it is zero.
		port := binary.BigEndian.Uint16(b[ipv6HeaderLen:])
		binary.BigEndian.PutUint16(b[ipv6HeaderLen:], Checksum([]byte{byte(port >> 8), byte(port)}, checksum))
		want := slices.Clone(b)
		want[ipv6HeaderLen+6], want[ipv6HeaderLen+7] = 0xff, 0xff
		pseudo(b, 6)
		wantFinished(t, b, want)
	})
	t.Run("none", func(t *testing.T) {
		var p Packet
		p.SetBytes(bytesOf(t, vectorProto6))
		p.Checksum = ChecksumPartial
		p.FinishChecksum()
		if p.Checksum != ChecksumPartial {
			t.Error("FinishChecksum finished a protocol without a checksum")
		}
	})
}

func wantFinished(t *testing.T, b, want []byte) {
	t.Helper()
	var p Packet
	p.SetBytes(b)
	p.Checksum = ChecksumPartial
	p.FinishChecksum()
	if got := p.AppendTo(nil); string(got) != string(want) || p.Checksum != ChecksumUnknown {
		t.Errorf("FinishChecksum made %x, want %x", got, want)
	}
}
