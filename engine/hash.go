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
	v0, v1 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d
	v2, v3 := k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		m := binary.LittleEndian.Uint64(b)
		v3 ^= m
		for range c {
			v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		}
		v0 ^= m
	}
	for i, x := range b {
		last |= uint64(x) << (8 * i)
	}
	v3 ^= last
	for range c {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	v0 ^= last
	v2 ^= 0xff
	for range d {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
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
	return v0, v1, v2, v3
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

// hashWith is hashStrong of the 4-tuple and a number.
func (k *key) hashWith(t *wire.FourTuple, n uint32) uint64 {
	b := tupleBytes(t)
	var all [tupleSize + 4]byte
	copy(all[:], b[:])
	binary.LittleEndian.PutUint32(all[tupleSize:], n)
	return siphash(k, 2, 4, all[:])
}

func tupleBytes(t *wire.FourTuple) (b [tupleSize]byte) {
	copy(b[0:], t.LocalAddr[:])
	copy(b[16:], t.RemoteAddr[:])
	binary.LittleEndian.PutUint16(b[32:], t.LocalPort)
	binary.LittleEndian.PutUint16(b[34:], t.RemotePort)
	return b
}
