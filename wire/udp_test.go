package wire

import (
	"slices"
	"testing"
)

func TestParseUDP(t *testing.T) {
	edited := func(vector string, edit func(b []byte)) []byte {
		b := bytesOf(t, vector)
		edit(b)
		return b
	}
	const at4, at6 = ipv4HeaderLen, ipv6HeaderLen
	tests := []struct {
		name    string
		b       []byte
		state   ChecksumState
		segSize int
		want    Drop
	}{
		{name: "IPv4", b: bytesOf(t, vectorUDP4)},
		{name: "IPv6", b: bytesOf(t, vectorUDP6)},
		{name: "length under the header's", b: edited(vectorUDP6, func(b []byte) { b[at6+5] = 7 }), want: DropUDPHeader},
		{name: "length past the end", b: edited(vectorUDP6, func(b []byte) { b[at6+5]++ }), want: DropUDPHeader},
		{name: "wrong checksum", b: edited(vectorUDP6, func(b []byte) { b[at6+6]++ }), want: DropUDPChecksum},
		{name: "wrong data", b: edited(vectorUDP6, func(b []byte) { b[at6+11]++ }), want: DropUDPChecksum},
		{name: "valid by the link's word", b: edited(vectorUDP6, func(b []byte) { b[at6+6]++ }), state: ChecksumValid},
		{name: "partial checksum", b: edited(vectorUDP6, func(b []byte) { b[at6+6]++ }), state: ChecksumPartial},

		// RFC 768: zero means that the sender made no checksum. RFC 8200,
		// Section 8.1: IPv6 receivers must discard those.
		{name: "none in IPv4", b: bytesOf(t, vectorUDP4)},
		{
			name: "none in IPv6", b: edited(vectorUDP6, func(b []byte) { b[at6+6], b[at6+7] = 0, 0 }),
			want: DropUDPChecksum,
		},
		{name: "wrong in IPv4", b: edited(vectorUDP4, func(b []byte) { b[at4+7] = 1 }), want: DropUDPChecksum},
		{name: "super-segment", b: bytesOf(t, vectorUDP4), segSize: 2, want: DropSuperSegment},
		{name: "no header", b: ipv6Packet(ProtoUDP, make([]byte, 7), nil), want: DropUDPHeader},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, divide := range []int{0, at6 + udpHeaderLen, at6 + udpHeaderLen + 1} {
				p := dividedAt(test.b, divide)
				p.Checksum, p.SegSize = test.state, test.segSize
				var ip IP
				var u UDP
				if d := p.ParseIP(&ip); d != DropNone {
					t.Fatalf("ParseIP = %v", d)
				}
				if d := p.ParseUDP(&ip, &u); d != test.want {
					t.Fatalf("ParseUDP(%x) = %v, want %v", test.b, d, test.want)
				}
				if test.want == DropNone && (u.SrcPort != 5000 || u.DstPort != 5001 || string(join(u)) != "ping") {
					t.Errorf("ParseUDP = %+v, want ping from 5000 to 5001", u)
				}
			}
		})
	}
}

func join(u UDP) []byte {
	var b []byte
	for _, c := range u.Payload {
		b = append(b, c.Data...)
	}
	return b
}

// RFC 768: the UDP length, not that of IP, ends the data; what comes after
// is not summed either.
func TestUDPSurplus(t *testing.T) {
	b := bytesOf(t, vectorUDP6)
	for _, surplus := range []string{"x", "surplus"} {
		long := append(slices.Clone(b), surplus...)
		long[5] += byte(len(surplus))
		for divide := ipv6HeaderLen + udpHeaderLen; divide < len(long); divide++ {
			p := dividedAt(long, divide)
			var ip IP
			var u UDP
			p.ParseIP(&ip)
			if d := p.ParseUDP(&ip, &u); d != DropNone || string(join(u)) != "ping" || u.PayloadLen != 4 {
				t.Errorf("ParseUDP with a surplus of %d bytes = %v, %q", len(surplus), d, join(u))
			}
		}
	}
}

// UDP that says nothing has no payload.
func TestUDPEmpty(t *testing.T) {
	var p Packet
	p.SetBytes(ipv4Packet(nil, []byte{0, 1, 0, 2, 0, 8, 0, 0, 'x'}, func(b []byte) { b[9] = ProtoUDP }))
	var ip IP
	var u UDP
	p.ParseIP(&ip)
	if d := p.ParseUDP(&ip, &u); d != DropNone || len(join(u)) != 0 || u.PayloadLen != 0 {
		t.Errorf("ParseUDP = %v, %q, want nothing", d, join(u))
	}
}
