package wire

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
)

// A general query of IGMPv3 from 10.0.0.1 and of MLDv2 from fe80::1, laid out by
// hand after RFC 3376, Section 4.1, and RFC 3810, Section 5.1.
const (
	vectorQuery4 = "46c000240000000001023a120a000001e0000001" + "94040000" + "1164ec1e00000000027d0000"
	vectorQuery6 = "6000000000240001fe800000000000000000000000000001ff020000000000000000000000000001" +
		"3a00050200000100" + "82007da60000000000000000000000000000000000000000027d0000"
)

// membership returns a packet with an IGMP or MLD message whose checksums are
// made right.
func membership(t *testing.T, src, dst string, body string, hops byte, alert bool) *Packet {
	t.Helper()
	b, err := hex.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	from, to := AddrFrom(netip.MustParseAddr(src)), AddrFrom(netip.MustParseAddr(dst))
	p := new(Packet)
	b[2], b[3] = 0, 0
	if from.Is4() {
		putChecksum(b[2:], accumulate(b, 0))
		copy(p.setIP(&from, &to, ipFields{proto: ProtoIGMP, ttl: hops, room: len(b), length: len(b)}), b)
		return p
	}
	putChecksum(b[2:], accumulate(b, pseudoSum(&from, &to, ProtoICMPv6, len(b))))
	if !alert {
		copy(p.setIP(&from, &to, ipFields{proto: ProtoICMPv6, ttl: hops, room: len(b), length: len(b)}), b)
		return p
	}
	n := len(routerAlert6) + len(b)
	h := p.setIP(&from, &to, ipFields{proto: ipv6HopByHop, ttl: hops, room: n, length: n})
	copy(h, routerAlert6[:])
	copy(h[8:], b)
	return p
}

const zeros = "00000000000000000000000000000000"

func TestParseMembership(t *testing.T) {
	group := AddrFrom(netip.MustParseAddr("239.1.2.3"))
	group6 := AddrFrom(netip.MustParseAddr("ff05::1234"))
	const text6 = "ff050000000000000000000000001234"
	tests := []struct {
		name string
		p    *Packet
		want Membership
		drop Drop
	}{
		// RFC 3376, Section 7.1: 8 bytes and code 0: version 1; 8 bytes: version 2;
		// 12 and more: version 3.
		{
			name: "IGMPv1 query", p: membership(t, "10.0.0.1", "224.0.0.1", "1100000000000000", 1, false),
			want: Membership{Kind: MembershipQuery, Version: 1},
		},
		{
			name: "IGMPv2 query", p: membership(t, "10.0.0.1", "239.1.2.3", "11640000ef010203", 1, false),
			want: Membership{Kind: MembershipQuery, Version: 2, Group: group, MaxResponse: 10 * time.Second},
		},
		{
			name: "IGMPv3 query", p: membership(t, "10.0.0.1", "224.0.0.1", "1164000000000000027d0000", 1, false),
			want: Membership{
				Kind: MembershipQuery, Version: 3, MaxResponse: 10 * time.Second, Robustness: 2, Interval: 125 * time.Second,
			},
		},
		{
			// RFC 3376, Sections 4.1.1 and 4.1.7: (mant | 0x10) << (exp + 3).
			name: "codes as floats", p: membership(t, "10.0.0.1", "224.0.0.1", "118f0000000000000aff0000", 1, false),
			want: Membership{
				Kind: MembershipQuery, Version: 3, MaxResponse: 248 * 100 * time.Millisecond, Robustness: 2,
				Interval: 31744 * time.Second,
			},
		},
		{name: "9 bytes", p: membership(t, "10.0.0.1", "224.0.0.1", "116400000000000002", 1, false), drop: DropICMPHeader},
		{
			name: "IGMPv2 report", p: membership(t, "10.0.0.1", "239.1.2.3", "16000000ef010203", 1, false),
			want: Membership{Kind: MembershipReport, Version: 2, Group: group},
		},
		{
			name: "IGMPv1 report", p: membership(t, "10.0.0.1", "239.1.2.3", "12000000ef010203", 1, false),
			want: Membership{Kind: MembershipReport, Version: 1, Group: group},
		},
		{
			name: "IGMPv2 leave", p: membership(t, "10.0.0.1", "224.0.0.2", "17000000ef010203", 1, false),
			want: Membership{Kind: MembershipLeave, Version: 2, Group: group},
		},
		{name: "IGMPv3 report", p: membership(t, "10.0.0.1", "224.0.0.22", "2200000000000000", 1, false), drop: DropICMPType},
		{name: "short", p: membership(t, "10.0.0.1", "224.0.0.1", "11640000", 1, false), drop: DropICMPHeader},

		// RFC 3810, Section 8.1: 24 bytes: version 1; 28 and more: version 2.
		{
			name: "MLDv1 query", p: membership(t, "fe80::1", "ff05::1234", "8200000003e80000"+text6, 1, true),
			want: Membership{Kind: MembershipQuery, Version: 1, Group: group6, MaxResponse: time.Second},
		},
		{
			name: "MLDv2 query", p: membership(t, "fe80::1", "ff02::1", "820000008fff0000"+zeros+"030a0000", 1, true),
			want: Membership{
				Kind: MembershipQuery, Version: 2, MaxResponse: 8191 * 8 * time.Millisecond, Robustness: 3,
				Interval: 10 * time.Second,
			},
		},
		{
			name: "MLDv1 report", p: membership(t, "fe80::1", "ff05::1234", "8300000000000000"+text6, 1, true),
			want: Membership{Kind: MembershipReport, Version: 1, Group: group6},
		},
		{
			name: "MLD done", p: membership(t, "fe80::1", "ff02::2", "8400000000000000"+text6, 1, true),
			want: Membership{Kind: MembershipLeave, Version: 1, Group: group6},
		},
		// RFC 3810, Section 6.2: without these it is ignored.
		{
			name: "hop limit", p: membership(t, "fe80::1", "ff02::1", "8200000000000000"+zeros, 2, true),
			drop: DropICMPHeader,
		},
		{
			name: "no router alert", p: membership(t, "fe80::1", "ff02::1", "8200000000000000"+zeros, 1, false),
			drop: DropICMPHeader,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var ip IP
			if d := test.p.ParseIP(&ip); d != DropNone {
				t.Fatalf("ParseIP = %v", d)
			}
			var m Membership
			if d := test.p.ParseMembership(&ip, &m); d != test.drop {
				t.Fatalf("ParseMembership = %v, want %v", d, test.drop)
			}
			if test.drop == DropNone && m != test.want {
				t.Errorf("ParseMembership = %+v, want %+v", m, test.want)
			}
			test.p.hdr[test.p.n-1] ^= 1
			if d := test.p.ParseMembership(&ip, &m); test.drop == DropNone && d != DropICMPChecksum {
				t.Errorf("with a wrong checksum: %v, want %v", d, DropICMPChecksum)
			}
		})
	}
}

// RFC 3376, Section 4.2; RFC 3810, Section 5.2; RFC 2236, Section 2; RFC 2710,
// Section 3: the bytes of what is sent, with router alert, TTL 1, and right
// checksums.
func TestBuildMembership(t *testing.T) {
	a4, g4 := AddrFrom(netip.MustParseAddr("10.0.0.1")), AddrFrom(netip.MustParseAddr("239.1.2.3"))
	a6, g6 := AddrFrom(netip.MustParseAddr("fe80::1")), AddrFrom(netip.MustParseAddr("ff05::1234"))
	const head6 = "0001" + "fe800000000000000000000000000001" // hop-by-hop, limit 1, source
	tests := []struct {
		name  string
		build func(p *Packet)
		want  string // without checksums
	}{
		{
			"IGMPv3", func(p *Packet) { p.BuildGroupReport(a4, []GroupRecord{{RecordToExclude, g4}}) },
			"46c00028000000000102" + "0000" + "0a000001e000001694040000" + "22000000" + "00000001" + "04000000ef010203",
		},
		{
			"IGMPv2 report", func(p *Packet) { p.BuildMembership(a4, MembershipReport, 2, g4) },
			"46c00020000000000102" + "0000" + "0a000001ef01020394040000" + "16000000ef010203",
		},
		{
			"IGMPv1 report", func(p *Packet) { p.BuildMembership(a4, MembershipReport, 1, g4) },
			"46c00020000000000102" + "0000" + "0a000001ef01020394040000" + "12000000ef010203",
		},
		{
			"IGMPv2 leave", func(p *Packet) { p.BuildMembership(a4, MembershipLeave, 2, g4) },
			"46c00020000000000102" + "0000" + "0a000001e000000294040000" + "17000000ef010203",
		},
		{
			"MLDv2", func(p *Packet) { p.BuildGroupReport(a6, []GroupRecord{{RecordToInclude, g6}}) },
			"600000000024" + head6 + "ff020000000000000000000000000016" + "3a00050200000100" +
				"8f00000000000001" + "03000000" + "ff050000000000000000000000001234",
		},
		{
			"MLDv1 report", func(p *Packet) { p.BuildMembership(a6, MembershipReport, 1, g6) },
			"600000000020" + head6 + "ff050000000000000000000000001234" + "3a00050200000100" +
				"8300000000000000" + "ff050000000000000000000000001234",
		},
		{
			"MLD done", func(p *Packet) { p.BuildMembership(a6, MembershipLeave, 1, g6) },
			"600000000020" + head6 + "ff020000000000000000000000000002" + "3a00050200000100" +
				"8400000000000000" + "ff050000000000000000000000001234",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p Packet
			test.build(&p)
			b := p.AppendTo(nil)
			var got Packet
			got.SetBytes(b)
			var ip IP
			var m Membership
			if d := got.ParseIP(&ip); d != DropNone || ip.TTL != 1 {
				t.Fatalf("ParseIP = %v, TTL %d", d, ip.TTL)
			}
			if d := got.ParseMembership(&ip, &m); d != DropNone && d != DropICMPType {
				t.Fatalf("ParseMembership = %v", d) // the checksum was looked at before
			}
			b[ip.HeaderLen+2], b[ip.HeaderLen+3] = 0, 0
			if ip.Version == 4 {
				b[10], b[11] = 0, 0
			}
			if got := hex.EncodeToString(b); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A report with as many records as MaxRecords says fits the MTU, and one more
// does not.
func TestMaxRecords(t *testing.T) {
	for _, src := range []string{"10.0.0.1", "fe80::1"} {
		const mtu = 1500
		a := AddrFrom(netip.MustParseAddr(src))
		n := MaxRecords(a.Is4(), mtu)
		var p Packet
		p.BuildGroupReport(a, make([]GroupRecord, n))
		fits := p.Len()
		p.BuildGroupReport(a, make([]GroupRecord, n+1))
		if fits > mtu || p.Len() <= mtu {
			t.Errorf("%s: %d records are %d bytes, one more %d; MTU %d", src, n, fits, p.Len(), mtu)
		}
	}
}

// The queries as they are on the wire are read too.
func TestParseQuery(t *testing.T) {
	for _, vector := range []string{vectorQuery4, vectorQuery6} {
		var p Packet
		p.SetBytes(bytesOf(t, vector))
		var ip IP
		var m Membership
		if d := p.ParseIP(&ip); d != DropNone {
			t.Fatalf("ParseIP = %v", d)
		}
		if d := p.ParseMembership(&ip, &m); d != DropNone || m.Kind != MembershipQuery || m.Interval != 125*time.Second {
			t.Errorf("ParseMembership = %v, %+v", d, m)
		}
		if got := p.IsMLD(&ip); got != (ip.Version == 6) {
			t.Errorf("IsMLD = %v in version %d", got, ip.Version)
		}
	}
}

func TestIsToMany(t *testing.T) {
	for _, tt := range []struct {
		addr string
		want bool
	}{
		{"224.0.0.1", true},
		{"239.255.255.255", true},
		{"255.255.255.255", true},
		{"ff02::1", true},
		{"10.0.0.255", false}, // who knows the prefix length knows better
		{"240.0.0.1", false},
		{"fe80::1", false},
	} {
		if got := AddrFrom(netip.MustParseAddr(tt.addr)).IsToMany(); got != tt.want {
			t.Errorf("IsToMany(%s) = %v, want %v", tt.addr, got, tt.want)
		}
	}
}
