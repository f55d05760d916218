package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// icmpPacket returns an ICMP message, or one of ICMPv6, with its checksum made
// right.
func icmpPacket(version int, message []byte) []byte {
	m := slices.Clone(message)
	if version == 4 {
		b := ipv4Packet(nil, m, func(b []byte) { b[9] = ProtoICMP })
		if len(m) >= 4 {
			putChecksum(b[ipv4HeaderLen+2:], accumulate(m, 0))
		}
		return b
	}
	b := ipv6Packet(ProtoICMPv6, m, nil)
	if len(m) >= 4 {
		src, dst := Addr(b[8:24]), Addr(b[24:40])
		putChecksum(b[ipv6HeaderLen+2:], accumulate(m, pseudoSum(&src, &dst, ProtoICMPv6, len(m))))
	}
	return b
}

// quote returns an ICMP error of the given type and code about a segment of
// ours, of which n bytes after the IP header are quoted.
func quote(version int, typ, code byte, rest uint32, n int) []byte {
	t := make([]byte, 0, 64)
	t = binary.BigEndian.AppendUint16(t, 40000)
	t = binary.BigEndian.AppendUint16(t, 80)
	t = binary.BigEndian.AppendUint32(t, 0xfedcba98)
	t = append(t, make([]byte, 12)...)
	var packet []byte
	if version == 4 {
		packet = ipv4Packet(nil, t, nil)
	} else {
		packet = ipv6Packet(ProtoTCP, t, nil)
	}
	packet = packet[:len(packet)-len(t)+n]
	m := binary.BigEndian.AppendUint32([]byte{typ, code, 0, 0}, rest)
	return append(m, packet...)
}

func quotedTuple(version int) FourTuple {
	if version == 4 {
		return Tuple(netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:80"))
	}
	return Tuple(netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:80"))
}

// RFC 9293, Section 3.9.2.2 (MUST-54): an error is mapped to the connection
// by the header it quotes; RFC 5927 asks for the sequence number too.
func TestParseICMPErrors(t *testing.T) {
	tests := []struct {
		name      string
		version   int
		typ, code byte
		rest      uint32
		want      ICMPKind
		mtu       int
	}{
		{name: "net unreachable", version: 4, typ: 3, code: ICMPNetUnreachable, want: ICMPUnreachable},
		{name: "host unreachable", version: 4, typ: 3, code: ICMPHostUnreachable, want: ICMPUnreachable},
		{name: "port unreachable", version: 4, typ: 3, code: ICMPPortUnreachable, want: ICMPUnreachable},
		{name: "prohibited", version: 4, typ: 3, code: ICMPProhibited, want: ICMPUnreachable},
		{name: "fragmentation needed", version: 4, typ: 3, code: 4, rest: 1400, want: ICMPTooBig, mtu: 1400},
		{name: "from an old router", version: 4, typ: 3, code: 4, want: ICMPTooBig},
		{name: "time exceeded", version: 4, typ: 11, want: ICMPTimeExceeded},
		{name: "parameter problem", version: 4, typ: 12, rest: 20 << 24, want: ICMPParameterProblem},
		{name: "no route", version: 6, typ: 1, code: ICMPv6NoRoute, want: ICMPUnreachable},
		{name: "port unreachable in IPv6", version: 6, typ: 1, code: ICMPv6PortUnreachable, want: ICMPUnreachable},
		{name: "code 4 in IPv6", version: 6, typ: 1, code: 4, rest: 1400, want: ICMPUnreachable},
		{name: "packet too big", version: 6, typ: 2, rest: 1280, want: ICMPTooBig, mtu: 1280},
		{name: "packet far too big", version: 6, typ: 2, rest: 1 << 31, want: ICMPTooBig, mtu: 65535},
		{name: "time exceeded in IPv6", version: 6, typ: 3, code: 1, want: ICMPTimeExceeded},
		{
			name: "unknown next header", version: 6, typ: 4, code: ICMPv6UnknownNextHeader, rest: 6,
			want: ICMPParameterProblem,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := quote(test.version, test.typ, test.code, test.rest, 8)
			got, d := parseICMP(t, icmpPacket(test.version, m))
			want := ICMP{
				Kind: test.want, Code: test.code, MTU: test.mtu, Protocol: ProtoTCP,
				Tuple: quotedTuple(test.version), TCPSeq: 0xfedcba98,
			}
			if d != DropNone || got != want {
				t.Errorf("ParseICMP = %+v, %v, want %+v", got, d, want)
			}
		})
	}
}

// parseICMP parses the packet b, divided in different ways, which makes no
// difference.
func parseICMP(t *testing.T, b []byte) (m ICMP, d Drop) {
	t.Helper()
	for i, n := range []int{0, 20, 48, 70, MaxHeader + min(70, len(b))} {
		p := dividedAt(b, n)
		if n == 20 && b[0]>>4 == 6 {
			continue // a part of the IP header alone
		}
		var ip IP
		if d := p.ParseIP(&ip); d != DropNone {
			t.Fatalf("ParseIP(%x) = %v", b, d)
		}
		before, drop := m, d
		if d = p.ParseICMP(&ip, &m); i > 0 && (m != before || d != drop) {
			t.Errorf("ParseICMP divided at %d = %+v, %v, want %+v, %v", n, m, d, before, drop)
		}
	}
	return m, d
}

func TestParseICMPDrops(t *testing.T) {
	edited := func(m []byte, edit func(m []byte)) []byte {
		edit(m)
		return m
	}
	const quoteAt = icmpHeaderLen
	tests := []struct {
		name    string
		version int
		m       []byte
		want    Drop
	}{
		{name: "nothing", version: 4, want: DropICMPHeader},
		{name: "short", version: 4, m: make([]byte, 7), want: DropICMPHeader},
		{name: "short in IPv6", version: 6, m: make([]byte, 7), want: DropICMPHeader},

		// RFC 9293, Section 3.9.2.2: source quenches are dropped silently
		// (MUST-55).
		{name: "source quench", version: 4, m: quote(4, 4, 0, 0, 8), want: DropICMPType},
		{name: "redirect", version: 4, m: quote(4, 5, 0, 0, 8), want: DropICMPType},
		{name: "timestamp", version: 4, m: append([]byte{13}, make([]byte, 19)...), want: DropICMPType},
		{name: "router solicitation", version: 6, m: append([]byte{133}, make([]byte, 7)...), want: DropICMPType},
		{name: "ICMPv4's type in IPv6", version: 6, m: append([]byte{8}, make([]byte, 7)...), want: DropICMPType},

		// RFC 792: 8 bytes of the quoted packet's data are always there.
		{name: "quote cut off", version: 4, m: quote(4, 3, 1, 0, 7), want: DropICMPHeader},
		{name: "quote cut off in IPv6", version: 6, m: quote(6, 1, 0, 0, 7), want: DropICMPHeader},
		{name: "no quote", version: 4, m: quote(4, 3, 1, 0, 0)[:icmpHeaderLen], want: DropICMPHeader},
		{name: "quote of IPv6 in ICMPv4", version: 4, m: quote(6, 3, 1, 0, 8), want: DropICMPHeader},
		{name: "quote of IPv4 in ICMPv6", version: 6, m: append(quote(4, 1, 1, 0, 20), make([]byte, 20)...), want: DropICMPHeader},
		{
			name: "quoted header length", version: 4, want: DropICMPHeader,
			m: edited(quote(4, 3, 1, 0, 8), func(m []byte) { m[quoteAt] = 0x44 }),
		},
		{
			name: "quoted options cut off", version: 4, want: DropICMPHeader,
			m: edited(quote(4, 3, 1, 0, 8), func(m []byte) { m[quoteAt] = 0x46 }),
		},
		{
			name: "quoted fragment", version: 4, want: DropICMPHeader,
			m: edited(quote(4, 3, 1, 0, 8), func(m []byte) { m[quoteAt+7] = 1 }),
		},
		{
			name: "quoted extension header cut off", version: 6, want: DropICMPHeader,
			m: edited(quote(6, 1, 0, 0, 8), func(m []byte) { m[quoteAt+6], m[quoteAt+41] = ipv6Destination, 1 }),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := icmpPacket(test.version, test.m)
			if m, d := parseICMP(t, b); d != test.want {
				t.Errorf("ParseICMP(%x) = %+v, %v, want %v", b, m, d, test.want)
			}
		})
	}
}

// The first fragment of what we sent is quoted as well as a whole packet, and
// so is what routers changed on the way: TTL, checksum, length.
func TestQuoteChangedOnTheWay(t *testing.T) {
	m := quote(4, 3, 1, 0, 8)
	q := m[icmpHeaderLen:]
	q[6] |= 0x20 // more fragments
	q[8] = 1
	q[10]++
	q[2]++
	got, d := parseICMP(t, icmpPacket(4, m))
	if d != DropNone || got.Tuple != quotedTuple(4) {
		t.Errorf("ParseICMP = %+v, %v, want %v", got, d, quotedTuple(4))
	}
}

// A quoted protocol without ports has none.
func TestQuoteOfOtherProtocol(t *testing.T) {
	m := quote(4, 3, 2, 0, 8)
	m[icmpHeaderLen+9] = 47
	got, d := parseICMP(t, icmpPacket(4, m))
	want := quotedTuple(4)
	want.LocalPort, want.RemotePort = 0, 0
	if d != DropNone || got.Protocol != 47 || got.Tuple != want || got.TCPSeq != 0 {
		t.Errorf("ParseICMP = %+v, %v, want %v", got, d, want)
	}
}

// ICMP belongs to IPv4, ICMPv6 to IPv6, and each has its checksum: RFC 792;
// RFC 4443, Section 2.3.
func TestICMPProtocolAndChecksum(t *testing.T) {
	var p Packet
	var ip IP
	var m ICMP
	p.SetBytes(ipv4Packet(nil, bytesOf(t, vectorEcho6)[ipv6HeaderLen:], func(b []byte) { b[9] = ProtoICMPv6 }))
	p.ParseIP(&ip)
	if d := p.ParseICMP(&ip, &m); d != DropProtocol {
		t.Errorf("ParseICMP of ICMPv6 in IPv4 = %v, want %v", d, DropProtocol)
	}
	for _, vector := range []string{vectorEcho4, vectorEcho6, vectorUDP4Error, vectorUDP6Error} {
		good := bytesOf(t, vector)
		hl := ipv4HeaderLen
		if good[0]>>4 == 6 {
			hl = ipv6HeaderLen
		}
		for bit := hl * 8; bit < len(good)*8; bit++ {
			b := slices.Clone(good)
			b[bit/8] ^= 1 << (bit % 8)
			p.SetBytes(b)
			p.ParseIP(&ip)
			if d := p.ParseICMP(&ip, &m); d != DropICMPChecksum {
				t.Errorf("ParseICMP with bit %d wrong = %v, want %v", bit, d, DropICMPChecksum)
			}
		}
		p.SetBytes(good)
		good[hl+2]++
		p.Checksum = ChecksumValid
		if d := p.ParseICMP(&ip, &m); d != DropNone {
			t.Errorf("ParseICMP of what the link vouches for = %v", d)
		}
	}
}

// The kernel's messages parse, and ours are the same but for the TOS and
// identification that the kernel chose.
func TestICMPAgainstKernel(t *testing.T) {
	tests := []struct {
		name, in, answer string
		build            func(p *Packet, ip *IP, in *Packet)
		want             ICMP
	}{
		{
			name: "echo", in: vectorEcho4, answer: vectorEchoReply4,
			build: func(p *Packet, ip *IP, in *Packet) { p.BuildEchoReply(ip, in) },
			want:  ICMP{Kind: ICMPEchoReply, ID: 77, Seq: 1},
		},
		{
			name: "echo in IPv6", in: vectorEcho6, answer: vectorEchoReply6,
			build: func(p *Packet, ip *IP, in *Packet) { p.BuildEchoReply(ip, in) },
			want:  ICMP{Kind: ICMPEchoReply, ID: 77, Seq: 1},
		},
		{
			name: "port", in: vectorUDP4, answer: vectorUDP4Error,
			build: func(p *Packet, ip *IP, in *Packet) { p.BuildHostError(ip, in, HostErrorPort) },
			want: ICMP{
				Kind: ICMPUnreachable, Code: ICMPPortUnreachable, Protocol: ProtoUDP,
				Tuple: Tuple(netip.MustParseAddrPort("192.0.2.2:5000"), netip.MustParseAddrPort("192.0.2.1:5001")),
			},
		},
		{
			name: "port in IPv6", in: vectorUDP6, answer: vectorUDP6Error,
			build: func(p *Packet, ip *IP, in *Packet) { p.BuildHostError(ip, in, HostErrorPort) },
			want: ICMP{
				Kind: ICMPUnreachable, Code: ICMPv6PortUnreachable, Protocol: ProtoUDP,
				Tuple: Tuple(netip.MustParseAddrPort("[2001:db8::2]:5000"), netip.MustParseAddrPort("[2001:db8::1]:5001")),
			},
		},
		{
			name: "protocol in IPv6", in: vectorProto6, answer: vectorProto6Error,
			build: func(p *Packet, ip *IP, in *Packet) { p.BuildHostError(ip, in, HostErrorProtocol) },
			want: ICMP{
				Kind: ICMPParameterProblem, Code: ICMPv6UnknownNextHeader, Protocol: 253,
				Tuple: Tuple(netip.MustParseAddrPort("[2001:db8::2]:0"), netip.MustParseAddrPort("[2001:db8::1]:0")),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := bytesOf(t, test.answer)
			if m, d := parseICMP(t, answer); d != DropNone || m != test.want {
				t.Errorf("ParseICMP = %+v, %v, want %+v", m, d, test.want)
			}
			got := build(t, bytesOf(t, test.in), test.build)
			if m, d := parseICMP(t, got); d != DropNone || m != test.want {
				t.Errorf("what we build parses as %+v, %v, want %+v", m, d, test.want)
			}
			hl := ipv4HeaderLen
			if answer[0]>>4 == 6 {
				hl = ipv6HeaderLen
			}
			if !bytes.Equal(got[hl:], answer[hl:]) {
				t.Errorf("built %x, want %x", got[hl:], answer[hl:])
			}
		})
	}

	// The kernel quotes less than the 8 bytes that its packet did not have.
	got := build(t, bytesOf(t, vectorProto4), func(p *Packet, ip *IP, in *Packet) {
		p.BuildHostError(ip, in, HostErrorProtocol)
	})
	if want := bytesOf(t, vectorProto4Error); !bytes.Equal(got[ipv4HeaderLen:], want[ipv4HeaderLen:]) {
		t.Errorf("built %x, want %x", got, want)
	}
}

// build returns the bytes of the answer to the packet in, which may be gone
// before the answer is.
func build(t *testing.T, in []byte, f func(p *Packet, ip *IP, in *Packet)) []byte {
	t.Helper()
	var q Packet
	q.SetBytes(in)
	var ip IP
	if d := q.ParseIP(&ip); d != DropNone {
		t.Fatalf("ParseIP(%x) = %v", in, d)
	}
	p := Packet{Link: 4}
	f(&p, &ip, &q)
	clear(in)
	if p.Link != 4 {
		t.Errorf("Link = %d, want 4", p.Link)
	}
	b := p.AppendTo(nil)
	p.Release()
	return b
}

// RFC 1812, Section 4.3.2.3: an error is at most 576 bytes long; RFC 4443,
// Section 2.4: in IPv6, at most 1280. It quotes as much as that allows.
func TestQuoteLength(t *testing.T) {
	data := []byte(strings.Repeat("0123456789", 200))
	for _, test := range []struct {
		name   string
		in     []byte
		header int
		want   int
	}{
		{"IPv4", ipv4Packet(nil, data, func(b []byte) { b[9] = ProtoUDP }), ipv4HeaderLen + icmpHeaderLen, 576},
		{"IPv6", ipv6Packet(ProtoUDP, data, nil), ipv6HeaderLen + icmpHeaderLen, 1280},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := slices.Clone(test.in)
			b := build(t, in, func(p *Packet, ip *IP, in *Packet) { p.BuildHostError(ip, in, HostErrorPort) })
			if len(b) != test.want {
				t.Errorf("error of %d bytes, want %d", len(b), test.want)
			}
			m, d := parseICMP(t, b)
			if d != DropNone || m.Kind != ICMPUnreachable {
				t.Errorf("ParseICMP = %+v, %v", m, d)
			}
			if !bytes.HasPrefix(test.in, b[test.header:]) {
				t.Error("the quote is not the beginning of the packet")
			}
		})
	}
}

// RFC 4443, Section 3.4: the pointer shows where the unknown next header is
// named, which extension headers move.
func TestUnknownNextHeaderPointer(t *testing.T) {
	options := []byte{200, 0, 1, 4, 0, 0, 0, 0}
	in := ipv6Packet(ipv6Destination, append(options, "payload"...), nil)
	b := build(t, in, func(p *Packet, ip *IP, in *Packet) { p.BuildHostError(ip, in, HostErrorProtocol) })
	if got := binary.BigEndian.Uint32(b[ipv6HeaderLen+4:]); got != ipv6HeaderLen {
		t.Errorf("pointer = %d, want %d", got, ipv6HeaderLen)
	}
}
