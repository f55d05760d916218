package wire

import (
	"fmt"
	"testing"
)

func BenchmarkChecksum(b *testing.B) {
	for _, size := range []int{64, 1408, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(i)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Checksum(data, 0)
			}
		})
	}
}
