package engine

import (
	"encoding/binary"
	"math/bits"

	"github.com/trivet-net/trivet/wire"
)

// key is a key of SipHash (Aumasson and Bernstein, "SipHash: a fast short-input
// PRF", 2012): 128 bits, little-endian.
type key [2]uint64

// siphash returns SipHash-c-d of b. With a secret key nobody outside can find
// inputs that collide, or tell one output from another.
func siphash(k *key, c, d int, b []byte) uint64 {
	s := sipState{
		k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
		k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573,
	}
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		s.word(c, binary.LittleEndian.Uint64(b))
	}
	for i, x := range b {
		last |= uint64(x) << (8 * i)
	}
	s.word(c, last)
	s[2] ^= 0xff
	s.rounds(d)
	return s[0] ^ s[1] ^ s[2] ^ s[3]
}

type sipState [4]uint64

func (s *sipState) word(c int, m uint64) {
	s[3] ^= m
	s.rounds(c)
	s[0] ^= m
}

func (s *sipState) rounds(n int) {
	v0, v1, v2, v3 := s[0], s[1], s[2], s[3]
	for range n {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	s[0], s[1], s[2], s[3] = v0, v1, v2, v3
}

// tupleSize is the length of a 4-tuple as it is hashed, in bytes.
const tupleSize = 36

// hash returns SipHash-1-3 of the 4-tuple, for tables: fast, and strong enough
// where the output is never seen.
func (k *key) hash(t *wire.FourTuple) uint64 {
	b := tupleBytes(t)
	return siphash(k, 1, 3, b[:])
}

// hashStrong returns SipHash-2-4 of the 4-tuple, for values that the network
// sees (RFC 9293, Section 3.4.1; RFC 6528).
func (k *key) hashStrong(t *wire.FourTuple) uint64 {
	b := tupleBytes(t)
	return siphash(k, 2, 4, b[:])
}

func tupleBytes(t *wire.FourTuple) (b [tupleSize]byte) {
	copy(b[0:], t.LocalAddr[:])
	copy(b[16:], t.RemoteAddr[:])
	binary.LittleEndian.PutUint16(b[32:], t.LocalPort)
	binary.LittleEndian.PutUint16(b[34:], t.RemotePort)
	return b
}
