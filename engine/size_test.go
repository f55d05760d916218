package engine

import (
	"math/bits"
	"reflect"
	"testing"
)

// maxConnSize is the largest size class that keeps an idle pair of connections,
// with what trivet, the table and the timers have of each, under 2000 bytes: 768,
// of which 8 are the allocator's, for an object of this size that has pointers.
const maxConnSize = 768 - 8

func TestConnSize(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("pointers of another size")
	}
	if n := reflect.TypeFor[Conn]().Size(); n > maxConnSize {
		t.Errorf("a Conn takes %d bytes, want at most %d", n, maxConnSize)
	}
}
