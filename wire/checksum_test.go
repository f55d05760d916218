package wire

import (
	"encoding/binary"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
)

// naiveChecksum is the sum as RFC 1071, Section 1 defines it.
func naiveChecksum(b []byte, initial uint16) uint16 {
	sum := uint32(initial)
	for i, x := range b {
		if i%2 == 0 {
			sum += uint32(x) << 8
		} else {
			sum += uint32(x)
		}
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// RFC 1071, Section 3: the example.
func TestChecksumExample(t *testing.T) {
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := Checksum(b, 0); got != 0xddf2 {
		t.Errorf("Checksum(%x) = %#x, want 0xddf2", b, got)
	}
}

// Every length around the unrolled loops, with carries everywhere and nowhere.
func TestChecksumLengths(t *testing.T) {
	patterns := map[string]func(i int) byte{
		"zeros":   func(int) byte { return 0 },
		"ones":    func(int) byte { return 0xff },
		"pattern": func(i int) byte { return byte(i*31 + i>>3) },
	}
	for name, pattern := range patterns {
		t.Run(name, func(t *testing.T) {
			b := make([]byte, 600)
			for i := range b {
				b[i] = pattern(i)
			}
			for n := range b {
				for _, initial := range []uint16{0, 1, 0xffff, 0x1234} {
					if got, want := Checksum(b[:n], initial), naiveChecksum(b[:n], initial); got != want {
						t.Fatalf("Checksum of %d bytes from %#x = %#x, want %#x", n, initial, got, want)
					}
				}
			}
		})
	}
}

// Sums that are full of ones keep every carry.
func TestAccumulateCarry(t *testing.T) {
	for _, acc := range []uint64{0, 1, 1<<64 - 1, 1<<64 - 2, 1 << 63} {
		b := []byte{1, 0, 0, 0, 0, 0, 0, 0}
		got := fold(accumulate(b, acc))
		var initial [8]byte
		binary.LittleEndian.PutUint64(initial[:], acc)
		want := naiveChecksum(append(initial[:], b...), 0)
		if got != want>>8|want<<8 {
			t.Errorf("accumulate(%x, %#x) folds to %#x, want %#x", b, acc, got, want>>8|want<<8)
		}
	}
}

// FuzzChecksum compares with the definition, in one piece and divided at any
// two places.
func FuzzChecksum(f *testing.F) {
	f.Add([]byte("The Internet checksum"), uint16(0), uint8(3), uint8(8))
	f.Add(make([]byte, 300), uint16(0xffff), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, initial uint16, i, j uint8) {
		want := naiveChecksum(b, initial)
		if got := Checksum(b, initial); got != want {
			t.Errorf("Checksum(%x, %#x) = %#x, want %#x", b, initial, got, want)
		}
		first := min(int(i), len(b))
		second := min(first+int(j), len(b))
		p := Packet{Payload: []block.Chunk{{Data: b[:first]}, {Data: b[first:second]}, {Data: b[second:]}}}
		got := fold(p.sumFrom(0, uint64(initial>>8|initial<<8)))
		if got = got>>8 | got<<8; got != want {
			t.Errorf("sum of %x divided at %d and %d = %#x, want %#x", b, first, second, got, want)
		}
		for off := range min(len(b), 4) {
			got, want := fold(p.sumFrom(off, 0)), naiveChecksum(b[off:], 0)
			if got = got>>8 | got<<8; got != want {
				t.Errorf("sum of %x from %d = %#x, want %#x", b, off, got, want)
			}
		}
	})
}
