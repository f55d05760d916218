package engine

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// checksum is the Internet checksum of b (RFC 1071), written anew so that the
// tests do not trust what they test.
func checksum(b ...[]byte) uint16 {
	var sum uint32
	for _, p := range b {
		for i := 0; i < len(p); i += 2 {
			sum += uint32(p[i]) << 8
			if i+1 < len(p) {
				sum += uint32(p[i+1])
			}
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// ipPacket returns an IP packet from src to dst.
func ipPacket(src, dst netip.Addr, proto byte, payload []byte) []byte {
	if src.Is6() {
		b := make([]byte, 40, 40+len(payload))
		b[0], b[6], b[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
		copy(b[8:], src.AsSlice())
		copy(b[24:], dst.AsSlice())
		return append(b, payload...)
	}
	b := make([]byte, 20, 20+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, payload...)
}

// icmpPacket returns an ICMP or ICMPv6 message. rest are its bytes 4 to 7.
func icmpPacket(src, dst netip.Addr, typ, code byte, rest uint32, body []byte) []byte {
	m := append(make([]byte, 8), body...)
	m[0], m[1] = typ, code
	binary.BigEndian.PutUint32(m[4:], rest)
	if src.Is4() {
		binary.BigEndian.PutUint16(m[2:], checksum(m))
		return ipPacket(src, dst, wire.ProtoICMP, m)
	}
	pseudo := make([]byte, 8)
	binary.BigEndian.PutUint32(pseudo, uint32(len(m)))
	pseudo[7] = wire.ProtoICMPv6
	binary.BigEndian.PutUint16(m[2:], checksum(src.AsSlice(), dst.AsSlice(), pseudo, m))
	return ipPacket(src, dst, wire.ProtoICMPv6, m)
}

// RFC 1122, Section 3.2.2.6, and RFC 4443, Section 4.2: an echo request is
// answered with the same data, from the address that it was sent to.
func TestEcho(t *testing.T) {
	for _, tt := range []struct {
		name               string
		src, dst           netip.Addr
		request, reply, ip byte
	}{
		{"IPv4", addrB, addrA, 8, 0, 20},
		{"IPv6", addrB6, addrA6, 128, 129, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.input(0, icmpPacket(tt.src, tt.dst, tt.request, 0, 0x00070009, []byte("ping data")))
			pkts := h.output()
			if len(pkts) != 1 || pkts[0].link != 0 {
				t.Fatalf("%d packets, want 1 by interface 0", len(pkts))
			}
			got, want := pkts[0].data, icmpPacket(tt.dst, tt.src, tt.reply, 0, 0x00070009, []byte("ping data"))
			if string(got[tt.ip:]) != string(want[tt.ip:]) {
				t.Errorf("reply % x\nwant  % x", got[tt.ip:], want[tt.ip:])
			}
			// Nobody answers a reply.
			h.input(0, want)
			h.input(0, icmpPacket(tt.src, tt.dst, tt.reply, 0, 0, nil))
			if n := len(h.output()); n != 0 {
				t.Errorf("%d packets answer a reply", n)
			}
		})
	}
}

// RFC 1122, Section 3.2.2.6: all of the data comes back, also what no single
// packet holds.
func TestEchoInFragments(t *testing.T) {
	data := bytes.Repeat([]byte("abcdefg"), 500)
	for _, tt := range []struct {
		name       string
		src, dst   netip.Addr
		typ, reply byte
		ip         int
	}{
		{"IPv4", addrB, addrA, 8, 0, 20},
		{"IPv6", addrB6, addrA6, 128, 129, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			request := icmpPacket(tt.src, tt.dst, tt.typ, 0, 0x00070009, data)
			upper := request[tt.ip:]
			for at := 0; at < len(upper); at += 1400 {
				end := min(at+1400, len(upper))
				f := fragment(tt.ip == 40, 77, at, upper[at:end], end < len(upper))
				if tt.ip == 40 {
					f[40] = request[6]
				} else {
					f[9], f[10], f[11] = request[9], 0, 0
					binary.BigEndian.PutUint16(f[10:], checksum(f[:20]))
				}
				h.input(0, f)
			}
			got := make([]byte, len(upper))
			n, ids := 0, map[uint32]bool{}
			for _, p := range h.output() {
				pkt := packetOf(p.data)
				var ip wire.IP
				var f wire.Fragment
				if len(p.data) > 1500 || pkt.ParseIP(&ip) != wire.DropFragment || pkt.ParseFragment(&f) != wire.DropNone {
					t.Fatalf("a packet of %d bytes, want fragments", len(p.data))
				}
				ids[f.ID] = true
				n += copy(got[f.Offset:], p.data[f.HeaderLen:])
			}
			want := icmpPacket(tt.dst, tt.src, tt.reply, 0, 0x00070009, data)[tt.ip:]
			if n != len(want) || !bytes.Equal(got, want) || len(ids) != 1 {
				t.Errorf("%d bytes in fragments with %d identifications, want the %d of the reply with one", n, len(ids), len(want))
			}
			if c := h.e.Stats().ICMPOut; c != 1 {
				t.Errorf("ICMPOut = %d, want 1", c)
			}
		})
	}
}

// RFC 4443, Section 4.2: an echo request to an IPv6 group that the host is in is
// answered from an address of the interface. One to many in IPv4 is not (RFC 1122,
// Section 3.2.2.6).
func TestEchoToMany(t *testing.T) {
	joined := netip.MustParseAddr("ff02::77")
	for _, tt := range []struct {
		dst      string
		answered bool
	}{
		{"ff02::1", true},
		{"ff02::77", true},
		{"ff02::78", false},
		{"224.0.0.1", false},
		{"10.0.0.255", false},
		{"255.255.255.255", false},
	} {
		t.Run(tt.dst, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			if err := h.e.JoinGroup(h.now, 0, joined); err != nil {
				t.Fatal(err)
			}
			h.output()
			src, dst, request := addrB, netip.MustParseAddr(tt.dst), byte(8)
			if dst.Is6() {
				src, request = addrB6, 128
			}
			h.input(0, icmpPacket(src, dst, request, 0, 0x00070009, []byte("ping data")))
			pkts := h.output()
			if tt.answered {
				want := icmpPacket(addrA6, addrB6, 129, 0, 0x00070009, []byte("ping data"))
				if len(pkts) != 1 || string(pkts[0].data[8:]) != string(want[8:]) {
					t.Errorf("answers %x, want % x", pkts, want)
				}
			} else if len(pkts) != 0 {
				t.Errorf("answered with % x", pkts[0].data)
			}
			h.input(0, icmpPacket(src, dst, 129, 0, 0, nil))
			if n := len(h.output()); n != 0 {
				t.Errorf("%d packets answer a reply", n)
			}
		})
	}
}

// RFC 9293, Section 3.9.2.2, and RFC 5927: an ICMP error goes to the connection
// that it quotes, if the quoted sequence number is outstanding. While opening it
// ends the attempt (DIS-4).
func TestErrorsWhileDialling(t *testing.T) {
	const v4, v6 = false, true
	tests := []struct {
		name      string
		six       bool
		typ, code byte
		want      error // nil: ignored
	}{
		{"net unreachable", v4, 3, 0, syscall.ENETUNREACH},
		{"host unreachable", v4, 3, 1, syscall.EHOSTUNREACH},
		{"protocol unreachable", v4, 3, 2, syscall.ENOPROTOOPT},
		{"port unreachable", v4, 3, 3, syscall.ECONNREFUSED},
		{"fragmentation needed", v4, 3, 4, nil},
		{"source route failed", v4, 3, 5, syscall.EOPNOTSUPP},
		{"net unknown", v4, 3, 6, syscall.ENETUNREACH},
		{"host unknown", v4, 3, 7, syscall.EHOSTDOWN},
		{"host isolated", v4, 3, 8, errHostIsolated},
		{"net prohibited", v4, 3, 9, syscall.ENETUNREACH},
		{"host prohibited", v4, 3, 10, syscall.EHOSTUNREACH},
		{"prohibited", v4, 3, 13, syscall.EHOSTUNREACH},
		{"unknown code", v4, 3, 99, syscall.EHOSTUNREACH},
		{"time exceeded", v4, 11, 0, syscall.EHOSTUNREACH},
		{"parameter problem", v4, 12, 0, syscall.EPROTO},
		{"source quench", v4, 4, 0, nil}, // MUST-55
		{"redirect", v4, 5, 0, nil},
		{"no route", v6, 1, 0, syscall.ENETUNREACH},
		{"prohibited", v6, 1, 1, syscall.EACCES},
		{"address unreachable", v6, 1, 3, syscall.EHOSTUNREACH},
		{"port unreachable", v6, 1, 4, syscall.ECONNREFUSED},
		{"packet too big", v6, 2, 0, nil},
		{"time exceeded", v6, 3, 0, syscall.EHOSTUNREACH},
		{"unknown next header", v6, 4, 1, syscall.EPROTO},
	}
	for _, tt := range tests {
		version, from, to := "IPv4 ", addrB, addrA
		if tt.six {
			version, from, to = "IPv6 ", addrB6, addrA6
		}
		t.Run(version+tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			c, err := h.e.Dial(h.now, netip.AddrPort{}, netip.AddrPortFrom(from, 80), tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			syn := h.output()[0].data
			forged := append([]byte(nil), syn...)
			forged[len(forged)-40+7]++ // another sequence number
			other := append([]byte(nil), syn...)
			other[len(other)-40+1]++ // another port
			for _, quote := range [][]byte{forged, other} {
				h.input(0, icmpPacket(from, to, tt.typ, tt.code, 1300, quote))
				if st := c.State(); st != tcp.StateSynSent {
					t.Fatalf("an error for something else led to %v", st)
				}
			}
			h.input(0, icmpPacket(from, to, tt.typ, tt.code, 1300, syn))
			if tt.want == nil {
				if st := c.State(); st != tcp.StateSynSent {
					t.Errorf("state = %v, want SYN-SENT", st)
				}
				return
			}
			if st, err := c.State(), c.TakeError(); st != tcp.StateClosed || err != tt.want {
				t.Errorf("state %v, error %v; want CLOSED, %v", st, err, tt.want)
			}
			if n := h.e.Stats().Conns; n != 0 {
				t.Errorf("%d connections left", n)
			}
		})
	}
}

// RFC 9293, Section 3.10.7.4 (row IHARD of SYN-RECEIVED): a hard error ends a
// half-open connection, a soft one does not.
func TestErrorsHalfOpen(t *testing.T) {
	for _, tt := range []struct {
		name      string
		typ, code byte
		forge     bool
		want      tcp.State
	}{
		{"hard", 3, 3, false, tcp.StateListen},
		{"hard, not our segment", 3, 3, true, tcp.StateSynReceived},
		{"soft", 3, 1, false, tcp.StateSynReceived},
		{"too big", 3, 4, false, tcp.StateSynReceived},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			h.listen("10.0.0.1:80", ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			p.send(wire.SYN, 0, "")
			synAck := h.output()[0].data
			if tt.forge {
				synAck[20+7]++
			}
			h.input(0, icmpPacket(addrB, addrA, tt.typ, tt.code, 1300, synAck))
			if st := h.e.StateOf(p.tuple); st != tt.want {
				t.Errorf("state = %v, want %v", st, tt.want)
			}
		})
	}
}

// RFC 1191, Section 6.5: what was too big for the path goes again in smaller
// segments.
func TestPathMTU(t *testing.T) {
	p := newPair(t, Config{})
	l := p.b.listen("10.0.0.2:80", ListenOptions{})
	c, _ := p.dial(l)
	c.Write(p.a.now, make([]byte, 4000))
	big := p.a.output()
	p.a.input(0, icmpPacket(addrB, addrA, 3, 4, 1000, big[0].data))
	if segs := p.a.segments(); len(segs) == 0 || len(segs[0].text) != 1000-52 {
		t.Errorf("after \"fragmentation needed\" for 1000 bytes: %v", segs)
	}
	if got := c.Info(p.a.now).PMTU; got != 1000 {
		t.Errorf("PMTU = %d, want 1000", got)
	}
}

// RFC 1122, Sections 3.2.2.1 and 4.1.3.1, RFC 4443, Sections 3.1 and 3.4: what is
// not spoken here gets an error, but nothing does that could make a storm.
func TestUnreachable(t *testing.T) {
	udp := []byte{0, 53, 0, 54, 0, 8, 0, 0}
	udp6 := []byte{0, 53, 0, 54, 0, 8, 0, 0}
	pseudo := []byte{0, 0, 0, 8, 0, 0, 0, 17}
	binary.BigEndian.PutUint16(udp6[6:], checksum(addrB6.AsSlice(), addrA6.AsSlice(), pseudo, udp6))
	broadcast, group := netip.MustParseAddr("10.0.0.255"), netip.MustParseAddr("224.0.0.1")
	tests := []struct {
		name  string
		pkt   []byte
		reply []byte // type and code
	}{
		{"UDP", ipPacket(addrB, addrA, 17, udp), []byte{3, 3}},
		{"UDP over IPv6", ipPacket(addrB6, addrA6, 17, udp6), []byte{1, 4}},
		{"protocol", ipPacket(addrB, addrA, 132, udp), []byte{3, 2}},
		{"next header", ipPacket(addrB6, addrA6, 132, udp), []byte{4, 1}},
		{"no next header", ipPacket(addrB6, addrA6, 59, nil), nil},
		{"bad UDP", ipPacket(addrB, addrA, 17, udp[:7]), nil},
		{"UDP to broadcast", ipPacket(addrB, broadcast, 17, udp), nil},
		{"UDP to a group", ipPacket(addrB, group, 17, udp), nil},
		{"UDP to others", ipPacket(addrB, netip.MustParseAddr("10.0.0.77"), 17, udp), nil},
		{"UDP from broadcast", ipPacket(broadcast, addrA, 17, udp), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.input(0, tt.pkt)
			pkts := h.output()
			if tt.reply == nil {
				if len(pkts) != 0 {
					t.Errorf("answered with % x", pkts[0].data)
				}
				return
			}
			if len(pkts) != 1 {
				t.Fatalf("%d answers, want 1", len(pkts))
			}
			b := pkts[0].data
			hl := 20
			if b[0]>>4 == 6 {
				hl = 40
			}
			if string(b[hl:hl+2]) != string(tt.reply) || string(b[hl+8:]) != string(tt.pkt) {
				t.Errorf("answer % x, want type and code %v and the packet quoted", b, tt.reply)
			}
		})
	}
}

// RFC 8200, Sections 4.1, 4.2 and 4.4, and RFC 4443, Section 3.4: extension headers
// that cannot be processed are answered where they ask for it, with the place.
// What a host may pass over does not keep it from what follows.
func TestParameterProblem(t *testing.T) {
	const hopByHop, routing, destination = 0, 43, 60
	echo := icmpPacket(addrB6, addrA6, 128, 0, 0x00070009, nil)[40:]
	unreachable := icmpPacket(addrB6, addrA6, 1, 4, 0, make([]byte, 48))[40:]
	ext := func(b ...byte) []byte { return append(make([]byte, 0, 64), b...) }
	group := netip.MustParseAddr("ff02::1")
	tests := []struct {
		name    string
		dst     netip.Addr
		kind    byte
		ext     []byte
		payload []byte
		reply   []byte // type and code
		pointer uint32
	}{
		{"pass over", addrA6, hopByHop, ext(58, 0, 0x1e, 2, 0, 0, 1, 0), echo, []byte{129, 0}, 0},
		{"discard", addrA6, hopByHop, ext(58, 0, 0x5e, 2, 0, 0, 1, 0), echo, nil, 0},
		{"discard, report", addrA6, hopByHop, ext(58, 0, 1, 0, 0x9e, 2, 0, 0), echo, []byte{4, 2}, 44},
		{"discard, report unless to a group", addrA6, destination, ext(58, 0, 0xde, 4, 0, 0, 0, 0), echo, []byte{4, 2}, 42},
		{"to a group", group, destination, ext(58, 0, 0xde, 4, 0, 0, 0, 0), echo, nil, 0},
		{"to a group, report", group, destination, ext(58, 0, 0x9e, 4, 0, 0, 0, 0), echo, []byte{4, 2}, 42},
		{"to a group of others, report", netip.MustParseAddr("ff02::77"), destination, ext(58, 0, 0x9e, 4, 0, 0, 0, 0), echo, nil, 0},
		{"to a group, segments left", group, routing, ext(58, 0, 0, 1, 0, 0, 0, 0), echo, nil, 0},
		{"to others", netip.MustParseAddr("fd00::77"), destination, ext(58, 0, 0xde, 4, 0, 0, 0, 0), echo, nil, 0},
		{"of an error message", addrA6, destination, ext(58, 0, 0xde, 4, 0, 0, 0, 0), unreachable, nil, 0},
		{"option past the end", addrA6, destination, ext(58, 0, 1, 9, 0, 0, 0, 0), echo, nil, 0},
		{"no segments left", addrA6, routing, ext(58, 0, 0, 0, 0, 0, 0, 0), echo, []byte{129, 0}, 0},
		{"unknown routing, none left", addrA6, routing, ext(58, 0, 99, 0, 0, 0, 0, 0), echo, []byte{129, 0}, 0},
		{"segments left", addrA6, routing, ext(58, 0, 0, 1, 0, 0, 0, 0), echo, []byte{4, 0}, 42},
		{
			"hop by hop not first", addrA6, destination,
			append(ext(hopByHop, 0, 1, 4, 0, 0, 0, 0), 58, 0, 1, 4, 0, 0, 0, 0), echo,
			[]byte{4, 1},
			40,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			in := ipPacket(addrB6, tt.dst, tt.kind, append(tt.ext, tt.payload...))
			h.input(0, in)
			pkts := h.output()
			if tt.reply == nil {
				if len(pkts) != 0 {
					t.Errorf("answered with % x", pkts[0].data)
				}
				return
			}
			if len(pkts) != 1 {
				t.Fatalf("%d answers, want 1", len(pkts))
			}
			b := pkts[0].data[40:]
			if string(pkts[0].data[8:24]) != string(addrA6.AsSlice()) {
				t.Errorf("answer from % x", pkts[0].data[8:24])
			}
			if string(b[:2]) != string(tt.reply) {
				t.Fatalf("answer % x, want type and code %v", b, tt.reply)
			}
			if tt.reply[0] == 4 && (binary.BigEndian.Uint32(b[4:]) != tt.pointer || string(b[8:]) != string(in)) {
				t.Errorf("answer % x, want pointer %d and the packet quoted", b, tt.pointer)
			}
		})
	}
}

// R5927-7: ICMP messages are limited.
func TestICMPRate(t *testing.T) {
	h := newHost(t, Config{ICMPRate: 10}, addrA)
	ping := icmpPacket(addrB, addrA, 8, 0, 1, nil)
	for range 15 {
		h.input(0, ping)
	}
	if n := len(h.output()); n != 10 {
		t.Errorf("%d replies, want 10", n)
	}
	if s := h.e.Stats(); s.ICMPIn != 15 || s.ICMPOut != 10 || s.ICMPSuppressed != 5 {
		t.Errorf("in %d, out %d, suppressed %d; want 15, 10, 5", s.ICMPIn, s.ICMPOut, s.ICMPSuppressed)
	}
}
