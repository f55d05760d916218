package wire

import (
	"encoding/binary"
	"slices"
	"testing"
)

// ipv4Packet returns an IPv4 packet with the given options and payload. edit
// changes the header before its checksum is made.
func ipv4Packet(options, payload []byte, edit func(b []byte)) []byte {
	b := make([]byte, ipv4HeaderLen, ipv4HeaderLen+len(options)+len(payload))
	b = append(append(b, options...), payload...)
	hl := ipv4HeaderLen + len(options)
	b[0] = 0x40 | byte(hl/4)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8], b[9] = 64, ProtoTCP
	copy(b[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	if edit != nil {
		edit(b)
	}
	b[10], b[11] = 0, 0
	putChecksum(b[10:], accumulate(b[:hl], 0))
	return b
}

// ipv6Packet returns an IPv6 packet whose next header is proto.
func ipv6Packet(proto byte, payload []byte, edit func(b []byte)) []byte {
	b := make([]byte, ipv6HeaderLen, ipv6HeaderLen+len(payload))
	b = append(b, payload...)
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6], b[7] = proto, 64
	copy(b[8:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	copy(b[24:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 2})
	if edit != nil {
		edit(b)
	}
	return b
}

// mapped is ::ffff:192.0.2.1.
var mapped = []byte{10: 0xff, 11: 0xff, 12: 192, 13: 0, 14: 2, 15: 1}

func TestParseIPv4(t *testing.T) {
	body := []byte("12345678")
	tests := []struct {
		name    string
		options []byte
		edit    func(b []byte)
		cut     int // bytes less than there should be
		want    Drop
	}{
		{name: "plain"},
		{name: "reserved flag", edit: func(b []byte) { b[6] = 0x80 }},
		{name: "don't fragment", edit: func(b []byte) { b[6] = 0x40 }},
		{name: "version 5", edit: func(b []byte) { b[0] = 0x55 }, want: DropVersion},
		{name: "header length 4", edit: func(b []byte) { b[0] = 0x44 }, want: DropHeader},
		{name: "header length past the end", edit: func(b []byte) { b[0] = 0x4f }, want: DropHeader},
		{name: "total length under the header's", edit: func(b []byte) { b[3] = 19 }, want: DropHeader},
		{name: "total length zero", edit: func(b []byte) { b[3] = 0 }, want: DropHeader},
		{name: "total length past the end", edit: func(b []byte) { b[3]++ }, want: DropHeader},
		{name: "cut off", cut: 1, want: DropHeader},
		{name: "cut off in the header", cut: 9, want: DropShort},

		// RFC 791, Section 3.1: a datagram with more fragments or an offset is a
		// fragment.
		{name: "first fragment", edit: func(b []byte) { b[6] = 0x20 }, want: DropFragment},
		{name: "last fragment", edit: func(b []byte) { b[7] = 1 }, want: DropFragment},

		// RFC 1122, Section 3.2.1.8: options that are not understood are
		// passed over.
		{name: "end of options", options: []byte{0, 7, 7, 7}},
		{name: "no operation", options: []byte{1, 1, 1, 1}},
		{name: "router alert", options: []byte{148, 4, 0, 0}},
		{name: "unknown option", options: []byte{1, 0x5e, 3, 9}},
		{name: "record route", options: []byte{7, 7, 4, 0, 0, 0, 0, 0}},
		{name: "loose source route", options: []byte{1, 131, 7, 4, 192, 0, 2, 9}, want: DropSourceRoute},
		{name: "strict source route", options: []byte{137, 7, 4, 192, 0, 2, 9, 0}, want: DropSourceRoute},
		{name: "option length 1", options: []byte{148, 1, 0, 0}, want: DropHeader},
		{name: "option past the end", options: []byte{148, 5, 0, 0}, want: DropHeader},
		{name: "option without a length", options: []byte{1, 1, 1, 148}, want: DropHeader},

		// RFC 1122, Section 3.2.1.3: addresses that cannot be a source or a
		// destination.
		{name: "multicast source", edit: func(b []byte) { b[12] = 224 }, want: DropAddress},
		{name: "broadcast source", edit: func(b []byte) { copy(b[12:], "\xff\xff\xff\xff") }, want: DropAddress},
		{name: "no destination", edit: func(b []byte) { copy(b[16:], "\x00\x00\x00\x00") }, want: DropAddress},
		{name: "multicast destination", edit: func(b []byte) { b[16] = 224 }},
		{name: "broadcast destination", edit: func(b []byte) { copy(b[16:], "\xff\xff\xff\xff") }},
		{name: "loopback", edit: func(b []byte) { b[12], b[16] = 127, 127 }},
		{name: "no source yet", edit: func(b []byte) { copy(b[12:], "\x00\x00\x00\x00") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := ipv4Packet(test.options, body, test.edit)
			b = b[:len(b)-test.cut]
			var p Packet
			p.SetBytes(b)
			var ip IP
			got := p.ParseIP(&ip)
			if got != test.want {
				t.Fatalf("ParseIP(%x) = %v, want %v", b, got, test.want)
			}
			if got != DropNone {
				return
			}
			want := IP{
				Version: 4, Protocol: ProtoTCP, TTL: 64, TOS: b[1],
				HeaderLen: ipv4HeaderLen + len(test.options), Len: len(b),
			}
			want.Src.setIPv4(b[12:])
			want.Dst.setIPv4(b[16:])
			if ip != want {
				t.Errorf("ParseIP(%x) made %+v, want %+v", b, ip, want)
			}
		})
	}
}

// RFC 1122, Section 3.2.1.2: a host verifies the IP header checksum and
// silently discards a datagram with a bad one.
func TestIPv4Checksum(t *testing.T) {
	good := ipv4Packet([]byte{1, 1, 1, 0}, nil, nil)
	for bit := range len(good) * 8 {
		b := slices.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		var p Packet
		p.SetBytes(b)
		if d := p.ParseIP(new(IP)); d == DropNone {
			t.Errorf("ParseIP with bit %d wrong = %v", bit, d)
		}
	}
}

func TestParseIPv6(t *testing.T) {
	const (
		noNextHeader = 59
		padN         = 1
	)
	body := []byte("12345678")
	// header returns an extension header that names the next one.
	header := func(next byte, options ...byte) []byte {
		h := append([]byte{next, 0}, options...)
		for len(h)%8 != 0 {
			h = append(h, 0)
		}
		h[1] = byte(len(h)/8 - 1)
		return h
	}
	fragment := func(next byte, offset uint16) []byte {
		return []byte{next, 0xee, byte(offset >> 8), byte(offset), 1, 2, 3, 4}
	}
	tests := []struct {
		name  string
		proto byte
		ext   []byte
		edit  func(b []byte)
		cut   int
		want  Drop
	}{
		{name: "plain", proto: ProtoTCP},
		{name: "no next header", proto: noNextHeader},
		{name: "payload length past the end", proto: ProtoTCP, edit: func(b []byte) { b[5]++ }, want: DropHeader},
		{name: "cut off", proto: ProtoTCP, cut: 1, want: DropHeader},
		{name: "cut off in the header", proto: ProtoTCP, cut: 9, want: DropShort},

		// RFC 8200, Section 4.2: options are passed over whose type begins with
		// two zero bits; with others the packet is discarded.
		{name: "hop by hop", proto: ipv6HopByHop, ext: header(ProtoTCP, 5, 2, 0, 0)},
		{name: "destination options", proto: ipv6Destination, ext: header(ProtoTCP, padN, 3, 0, 0, 0, 0)},
		{
			name: "both", proto: ipv6HopByHop,
			ext: append(header(ipv6Destination), header(ProtoTCP, padN, 4, 0, 0, 0, 0)...),
		},
		{name: "option to discard", proto: ipv6Destination, ext: header(ProtoTCP, 0x45, 0), want: DropHeader},
		{name: "option to discard and report", proto: ipv6Destination, ext: header(ProtoTCP, 0x85, 0), want: DropOption},
		{name: "jumbo payload", proto: ipv6HopByHop, ext: header(ProtoTCP, 0xc2, 4, 0, 1, 0, 0), want: DropOption},
		{name: "option past the end", proto: ipv6Destination, ext: header(ProtoTCP, padN, 5, 0, 0, 0, 0), want: DropHeader},
		{
			name: "option without a length", proto: ipv6Destination,
			ext: header(ProtoTCP, 0, 0, 0, 0, 0, padN), want: DropHeader,
		},
		{name: "extension header past the end", proto: ipv6Destination, ext: []byte{ProtoTCP, 9, 0, 0, 0, 0, 0, 0}, want: DropShort},
		{
			name: "extension header cut off", proto: ipv6Destination,
			edit: func(b []byte) { copy(b[ipv6HeaderLen:], header(ipv6Destination, padN, 4, 0, 0, 0, 0)) }, want: DropShort,
		},
		// RFC 8200, Section 4.4; RFC 5095, Section 3.
		{name: "routing, at its end", proto: ipv6Routing, ext: header(ProtoTCP, 0, 0)},
		{name: "routing, of an unknown type, at its end", proto: ipv6Routing, ext: header(ProtoTCP, 77, 0, 1, 2, 3)},
		{name: "routing further", proto: ipv6Routing, ext: header(ProtoTCP, 0, 1), want: DropSourceRoute},

		// RFC 6946, Section 4: a fragment that is a whole packet is processed as
		// one.
		{name: "atomic fragment", proto: ipv6Fragment, ext: fragment(ProtoTCP, 0)},
		{name: "reserved bits", proto: ipv6Fragment, ext: fragment(ProtoTCP, 6)},
		{name: "first fragment", proto: ipv6Fragment, ext: fragment(ProtoTCP, 1), want: DropFragment},
		{name: "last fragment", proto: ipv6Fragment, ext: fragment(ProtoTCP, 8), want: DropFragment},

		// RFC 4291, Sections 2.5.2 and 2.7; RFC 4942, Section 2.2.
		{name: "multicast source", proto: ProtoTCP, edit: func(b []byte) { b[8] = 0xff }, want: DropAddress},
		{name: "no destination", proto: ProtoTCP, edit: func(b []byte) { clear(b[24:40]) }, want: DropAddress},
		{name: "mapped source", proto: ProtoTCP, edit: func(b []byte) { copy(b[8:], mapped) }, want: DropAddress},
		{name: "mapped destination", proto: ProtoTCP, edit: func(b []byte) { copy(b[24:], mapped) }, want: DropAddress},
		{name: "multicast destination", proto: ProtoTCP, edit: func(b []byte) { b[24] = 0xff }},
		{name: "no source yet", proto: ProtoTCP, edit: func(b []byte) { clear(b[8:24]) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := ipv6Packet(test.proto, append(slices.Clone(test.ext), body...), test.edit)
			b = b[:len(b)-test.cut]
			var p Packet
			p.SetBytes(b)
			var ip IP
			got := p.ParseIP(&ip)
			if got != test.want {
				t.Fatalf("ParseIP(%x) = %v, want %v", b, got, test.want)
			}
			if got != DropNone {
				return
			}
			want := IP{
				Src: Addr(b[8:24]), Dst: Addr(b[24:40]),
				Version: 6, Protocol: ProtoTCP, TTL: 64, HeaderLen: ipv6HeaderLen + len(test.ext), Len: len(b),
			}
			if test.ext == nil {
				want.Protocol = test.proto
			}
			if ip != want {
				t.Errorf("ParseIP(%x) made %+v, want %+v", b, ip, want)
			}
		})
	}
}

// The traffic class lies across two bytes.
func TestIPv6TrafficClass(t *testing.T) {
	var p Packet
	p.SetBytes(ipv6Packet(ProtoTCP, nil, func(b []byte) { b[0], b[1] = 0x6a, 0xbc }))
	var ip IP
	if d := p.ParseIP(&ip); d != DropNone || ip.TOS != 0xab {
		t.Errorf("ParseIP = %v with TOS %#x, want none and 0xab", d, ip.TOS)
	}
}

// A packet without any bytes is short.
func TestParseIPEmpty(t *testing.T) {
	var none, empty Packet
	empty.SetBytes(nil)
	for _, p := range []*Packet{&none, &empty} {
		if d := p.ParseIP(new(IP)); d != DropShort {
			t.Errorf("ParseIP of no bytes = %v, want %v", d, DropShort)
		}
	}
}

// RFC 894: Ethernet pads short packets, and the padding is not part of the
// IP packet. It is cut off wherever it lies, and no reference is lost.
func TestPadding(t *testing.T) {
	b := append(bytesOf(t, vectorData4), "padding"...)
	for _, test := range placements(b, 64) {
		t.Run(test.name, func(t *testing.T) {
			p := &test.packet
			chunks := len(p.Payload)
			_, s := parseSegment(t, p)
			if got, want := p.Len(), len(b)-len("padding"); got != want {
				t.Errorf("Len() = %d, want %d", got, want)
			}
			if s.PayloadLen != 18 {
				t.Errorf("PayloadLen = %d, want 18", s.PayloadLen)
			}
			if len(p.Payload) != chunks {
				t.Errorf("%d chunks of %d are left", len(p.Payload), chunks)
			}
		})
	}
	var p Packet
	copy(p.SetHeader(len(b)), b)
	parseSegment(t, &p)
	if got, want := p.Len(), len(b)-len("padding"); got != want {
		t.Errorf("Len() of a packet without chunks = %d, want %d", got, want)
	}
}
