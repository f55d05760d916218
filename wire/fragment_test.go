package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
)

// Fragments of UDP from 10.0.0.1 to .2 and fd00::1 to ::2, written by hand: the
// first of two, with 8 bytes of the UDP header.
const (
	vectorFragment4 = "4500001c123420004011349b0a0000010a000002" + "1388138900100000"
	vectorFragment6 = "6000000000102c40fd000000000000000000000000000001fd000000000000000000000000000002" +
		"1100000100012345" + "1388138900100000"
)

var (
	udpTuple4 = FourTuple{
		LocalAddr: Addr{10: 0xff, 11: 0xff, 12: 10, 15: 1}, RemoteAddr: Addr{10: 0xff, 11: 0xff, 12: 10, 15: 2},
		LocalPort: 5000, RemotePort: 5001,
	}
	udpTuple6 = FourTuple{
		LocalAddr: Addr{0: 0xfd, 15: 1}, RemoteAddr: Addr{0: 0xfd, 15: 2}, LocalPort: 5000, RemotePort: 5001,
	}
)

// datagramOf returns a datagram with the data, its checksum partial.
func datagramOf(t FourTuple, data []byte) *Packet {
	b := block.Get(max(len(data), 1))
	p := new(Packet)
	p.BuildUDP(&t, 0, 0, block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), data)]})
	return p
}

// RFC 768: what BuildUDP makes, ParseUDP reads, and the checksum is right. RFC
// 8200, Section 8.1: in IPv6 too, where it must not be zero.
func TestBuildUDP(t *testing.T) {
	for _, tuple := range []FourTuple{udpTuple4, udpTuple6} {
		for _, n := range []int{0, 1, 2, 1000, 1001, MaxUDPPayload4} {
			t.Run(fmt.Sprintf("%v, %d bytes", tuple.LocalAddr, n), func(t *testing.T) {
				data := randomBytes(n)
				p := datagramOf(tuple, data)
				p.FinishChecksum()
				var got Packet
				got.SetBytes(p.AppendTo(nil))
				var ip IP
				var u UDP
				if d := got.ParseIP(&ip); d != DropNone {
					t.Fatalf("ParseIP = %v", d)
				}
				if d := got.ParseUDP(&ip, &u); d != DropNone || !bytes.Equal(join(u), data) {
					t.Fatalf("ParseUDP = %v, %d bytes, want %d", d, u.PayloadLen, n)
				}
				if ip.Src != tuple.LocalAddr || ip.Dst != tuple.RemoteAddr || ip.TTL != 64 || u.SrcPort != 5000 || u.DstPort != 5001 {
					t.Errorf("parsed as %+v, %+v", ip, u)
				}
			})
		}
	}
}

// RFC 768: a checksum that comes out as zero is sent as all ones.
func TestUDPChecksumOfZero(t *testing.T) {
	p := datagramOf(udpTuple6, []byte{0, 0})
	sum := bytesSum(p)
	p = datagramOf(udpTuple6, binary.BigEndian.AppendUint16(nil, sum))
	p.FinishChecksum()
	if got := binary.BigEndian.Uint16(p.Header()[ipv6HeaderLen+6:]); got != 0xffff {
		t.Errorf("checksum %#x, want 0xffff", got)
	}
}

// bytesSum returns the checksum of a datagram.
func bytesSum(p *Packet) uint16 {
	p.FinishChecksum()
	return binary.BigEndian.Uint16(p.Header()[ipv6HeaderLen+6:])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// RFC 791, Section 3.2, RFC 8200, Section 4.5: no fragment is longer than the
// MTU, all but the last carry a multiple of 8 bytes, and together they are the
// datagram.
func TestCutFragments(t *testing.T) {
	for _, tuple := range []FourTuple{udpTuple4, udpTuple6} {
		for _, mtu := range []int{88, 1280, 1500, 1501} {
			for _, n := range []int{mtu - 20, 2*mtu + 3, MaxUDPPayload4} {
				t.Run(fmt.Sprintf("%v, MTU %d, %d bytes", tuple.LocalAddr, mtu, n), func(t *testing.T) {
					data := randomBytes(n)
					var out Batch
					if !CutFragments(datagramOf(tuple, data), mtu, 0x12345, &out) {
						t.Fatal("CutFragments = false")
					}
					got := joinFragments(t, &out, mtu)
					var ip IP
					var u UDP
					if d := got.ParseIP(&ip); d != DropNone {
						t.Fatalf("ParseIP of the whole = %v", d)
					}
					if d := got.ParseUDP(&ip, &u); d != DropNone || !bytes.Equal(join(u), data) {
						t.Fatalf("ParseUDP of the whole = %v, %d bytes, want %d", d, u.PayloadLen, n)
					}
					out.Release()
				})
			}
		}
	}
	if CutFragments(datagramOf(udpTuple6, make([]byte, 100)), 55, 1, &Batch{}) {
		t.Error("CutFragments with an MTU of 55 = true, want false")
	}
}

// joinFragments puts fragments together that are there in order.
func joinFragments(t *testing.T, out *Batch, mtu int) *Packet {
	t.Helper()
	var first Fragment
	var header, data []byte
	for i := range out.Packets {
		var p Packet
		p.SetBytes(out.Packets[i].AppendTo(nil))
		var ip IP
		var f Fragment
		if d := p.ParseIP(&ip); d != DropFragment || p.Len() > mtu {
			t.Fatalf("ParseIP of fragment %d, %d bytes long = %v, want %v", i, p.Len(), d, DropFragment)
		}
		if d := p.ParseFragment(&f); d != DropNone || f.Offset != len(data) || f.More != (i < out.Len()-1) {
			t.Fatalf("ParseFragment %d = %v, %+v", i, d, f)
		}
		if want := uint32(0x12345); f.ID != want && (f.Version == 6 || f.ID != want&0xffff) {
			t.Errorf("identification %#x, want %#x", f.ID, want)
		}
		if i == 0 {
			first, header = f, p.AppendTo(nil)[:f.HeaderLen]
		}
		data = append(data, p.AppendTo(nil)[f.HeaderLen:]...)
	}
	whole := new(Packet)
	whole.SetBytes(append(first.WholeHeader(header, len(data), false), data...))
	return whole
}

func TestParseFragment(t *testing.T) {
	edited := func(vector string, edit func(b []byte)) []byte {
		b := bytesOf(t, vector)
		edit(b)
		if b[0]>>4 == 4 {
			b[10], b[11] = 0, 0
			putChecksum(b[10:], accumulate(b[:20], 0))
		}
		return b
	}
	tests := []struct {
		name   string
		b      []byte
		want   Drop
		offset int
		more   bool
		wrong  int
	}{
		{name: "IPv4", b: bytesOf(t, vectorFragment4), more: true},
		{name: "IPv6", b: bytesOf(t, vectorFragment6), more: true},
		{name: "last", b: edited(vectorFragment4, func(b []byte) { b[6], b[7] = 0, 3 }), offset: 24},
		{name: "last in IPv6", b: edited(vectorFragment6, func(b []byte) { b[43] = 24 }), offset: 24},

		// RFC 791, RFC 8200: only the last may be no multiple of 8 long.
		{name: "odd length", b: edited(vectorFragment4, func(b []byte) { b[3]-- })[:27], want: DropFragment},
		{name: "odd length in IPv6", b: edited(vectorFragment6, func(b []byte) { b[5]-- })[:55], want: DropFragment, wrong: 4},
		{name: "nothing", b: edited(vectorFragment4, func(b []byte) { b[3] = 20 })[:20], want: DropFragment},
		// The "ping of death": the end is past what a datagram can be.
		{name: "too far", b: edited(vectorFragment4, func(b []byte) { b[6], b[7] = 0x3f, 0xff }), want: DropFragment},
		{name: "too far in IPv6", b: edited(vectorFragment6, func(b []byte) { b[42], b[43] = 0xff, 0xf9 }), want: DropFragment, wrong: 42},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p Packet
			p.SetBytes(test.b)
			var ip IP
			if d := p.ParseIP(&ip); d != DropFragment {
				t.Fatalf("ParseIP = %v, want %v", d, DropFragment)
			}
			var f Fragment
			if d := p.ParseFragment(&f); d != test.want {
				t.Fatalf("ParseFragment = %v, want %v", d, test.want)
			}
			if f.Version == 6 && f.WrongAt != test.wrong {
				t.Errorf("WrongAt = %d, want %d", f.WrongAt, test.wrong)
			}
			if test.want == DropNone && (f.Offset != test.offset || f.More != test.more || f.Protocol != ProtoUDP || f.DataLen != 8) {
				t.Errorf("ParseFragment = %+v, want offset %d, more %v", f, test.offset, test.more)
			}
		})
	}
}

// RFC 3168, Section 5.3: a mark on any fragment is one on the whole.
func TestWholeHeaderKeepsMark(t *testing.T) {
	for _, vector := range []string{vectorFragment4, vectorFragment6} {
		var p Packet
		p.SetBytes(bytesOf(t, vector))
		var f Fragment
		if d := p.ParseFragment(&f); d != DropNone {
			t.Fatalf("ParseFragment = %v", d)
		}
		h := f.WholeHeader(bytes.Clone(p.Contiguous()[:f.HeaderLen]), 8, true)
		var whole Packet
		whole.SetBytes(append(h, make([]byte, 8)...))
		var ip IP
		if d := whole.ParseIP(&ip); d != DropNone || ip.TOS != 3 {
			t.Errorf("ParseIP = %v, TOS %#x, want 0x3", d, ip.TOS)
		}
		if f.WholeHeader(bytes.Clone(p.Contiguous()[:f.HeaderLen]), 65536, false) != nil {
			t.Error("WholeHeader of 65536 bytes is not nil")
		}
	}
}
