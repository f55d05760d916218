package wire

import (
	"encoding/binary"
	"math/bits"
)

// The Internet checksum (RFC 1071) is a ones' complement sum, which does not
// care in which byte order words are added as long as the result is stored in
// the same one. Inside this package sums are kept in little-endian order,
// 64 bits wide, and folded once at the end.

// Checksum returns the ones' complement sum of initial and the big-endian
// 16-bit words of b, an odd last byte padded with zero. The sum is folded and
// not complemented: the checksum of a header whose field is zero is
// ^Checksum(header, 0), and the sum of a correct one is 0xffff.
func Checksum(b []byte, initial uint16) uint16 {
	acc := accumulate(b, uint64(bits.ReverseBytes16(initial)))
	return bits.ReverseBytes16(fold(acc))
}

// accumulate adds the little-endian words of b to acc, with end-around carry.
func accumulate(b []byte, acc uint64) uint64 {
	var c uint64
	le := binary.LittleEndian
	for len(b) >= 128 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[8:16]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[16:24]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[24:32]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[32:40]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[40:48]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[48:56]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[56:64]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[64:72]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[72:80]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[80:88]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[88:96]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[96:104]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[104:112]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[112:120]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[120:128]), c)
		b = b[128:]
	}
	for len(b) >= 16 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[8:16]), c)
		b = b[16:]
	}
	if len(b) >= 8 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), c)
		b = b[8:]
	}
	var tail uint64
	if len(b) >= 4 {
		tail = uint64(le.Uint32(b))
		b = b[4:]
	}
	shift := 0
	for _, x := range b {
		tail += uint64(x) << shift
		shift += 8
	}
	acc, c = bits.Add64(acc, tail, c)
	acc, c = bits.Add64(acc, 0, c)
	return acc + c
}

// add adds x to acc with end-around carry.
func add(acc, x uint64) uint64 {
	acc, c := bits.Add64(acc, x, 0)
	return acc + c
}

// fold reduces a sum to 16 bits, in little-endian order.
func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffff_ffff // at most 33 bits
	acc = acc>>16 + acc&0xffff      // at most 18 bits
	acc = acc>>16 + acc&0xffff      // at most 17 bits
	return uint16(acc>>16 + acc)
}

// putChecksum stores the complement of a sum in a checksum field.
func putChecksum(field []byte, acc uint64) {
	binary.LittleEndian.PutUint16(field, ^fold(acc))
}

// pseudoSum returns the sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC
// 9293, Section 3.1; RFC 8200, Section 8.1). The prefix ::ffff of an IPv4
// address adds 0xffff, which is zero in ones' complement arithmetic, so both
// versions are summed alike.
func pseudoSum(src, dst *Addr, proto uint8, length int) uint64 {
	le := binary.LittleEndian
	acc, c := bits.Add64(le.Uint64(src[0:8]), le.Uint64(src[8:16]), 0)
	acc, c = bits.Add64(acc, le.Uint64(dst[0:8]), c)
	acc, c = bits.Add64(acc, le.Uint64(dst[8:16]), c)
	acc, c = bits.Add64(acc, uint64(bits.ReverseBytes32(uint32(length)))+uint64(proto)<<8, c)
	return acc + c
}

// accumulateAt adds bytes that begin at an odd or an even offset of what is
// summed. At an odd one the bytes of each word change places (RFC 1071, Section
// 2(B)), and so do those of the sum.
func accumulateAt(odd bool, b []byte, acc uint64) uint64 {
	if odd {
		return add(acc, bits.RotateLeft64(accumulate(b, 0), 8))
	}
	return accumulate(b, acc)
}

// sumFrom adds the packet's bytes from offset off to its end.
func (p *Packet) sumFrom(off int, acc uint64) uint64 {
	odd := false
	if n := int(p.n); n > 0 {
		if off < n {
			acc = accumulate(p.hdr[off:n], acc)
			odd = (n-off)&1 != 0
			off = 0
		} else {
			off -= n
		}
	}
	for i := range p.Payload {
		b := p.Payload[i].Data
		if off >= len(b) {
			off -= len(b)
			continue
		}
		b = b[off:]
		off = 0
		acc = accumulateAt(odd, b, acc)
		odd = odd != (len(b)&1 != 0)
	}
	return acc
}
