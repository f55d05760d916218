package engine

import (
	"net/netip"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// The vectors of the reference implementation: key 00 01 .. 0f, message of
// the first n bytes 00 01 02 ...
func TestSipHash24(t *testing.T) {
	k := key{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	want := []uint64{
		0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
		0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
		0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
		0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	}
	msg := make([]byte, len(want))
	for i := range msg {
		msg[i] = byte(i)
		if got := siphash(&k, 2, 4, msg[:i]); got != want[i] {
			t.Errorf("SipHash-2-4 of %d bytes = %#x, want %#x", i, got, want[i])
		}
	}
}

// Values of CPython's hash of bytes, which is SipHash-1-3, with a key of zero.
func TestSipHash13(t *testing.T) {
	msg := make([]byte, 36)
	for i := range msg {
		msg[i] = byte(i)
	}
	for n, want := range map[int]uint64{
		1: 0x68a914128e01e473, 3: 0x4d4c9a4a8ef6e0ad, 7: 0x2f098ab0c751325a, 8: 0xead411e67ebe2eea,
		9: 0x75927f9d95124362, 15: 0xf30eb725bb91c9ea, 16: 0x8972188433a5c5b7, 36: 0xac77921fcc642bd3,
	} {
		if got := siphash(&key{}, 1, 3, msg[:n]); got != want {
			t.Errorf("SipHash-1-3 of %d bytes = %#x, want %#x", n, got, want)
		}
	}
}

// Every part of the 4-tuple counts.
func TestTupleHash(t *testing.T) {
	k := deriveKey(&[32]byte{1}, "test")
	base := wire.Tuple(netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2"))
	seen := map[uint64]bool{k.hash(&base): true, k.hashStrong(&base): true}
	for i := range tupleSize {
		u := base
		switch {
		case i < 16:
			u.LocalAddr[i]++
		case i < 32:
			u.RemoteAddr[i-16]++
		case i < 34:
			u.LocalPort += 1 << (8 * (i - 32))
		default:
			u.RemotePort += 1 << (8 * (i - 34))
		}
		for _, h := range []uint64{k.hash(&u), k.hashStrong(&u)} {
			if seen[h] {
				t.Errorf("changing byte %d does not change the hash", i)
			}
			seen[h] = true
		}
	}
}

// Keys for different uses and secrets are unrelated.
func TestDeriveKey(t *testing.T) {
	seen := map[key]bool{}
	for _, secret := range []byte{0, 1} {
		for _, label := range []string{"table", "port"} {
			seen[deriveKey(&[32]byte{secret}, label)] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("4 secrets and labels give %d keys", len(seen))
	}
}

func BenchmarkTupleHash(b *testing.B) {
	k := deriveKey(&[32]byte{1}, "bench")
	var t wire.FourTuple
	b.ReportAllocs()
	for b.Loop() {
		t.LocalPort += uint16(k.hash(&t))
	}
}
