package engine

import (
	"math/bits"
	"reflect"
	"testing"
)

// maxConnSize is the largest size class that keeps an idle pair of connections,
// with what trivet, the table and the timers have of each, under 2000 bytes.
const maxConnSize = 768

func TestConnSize(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("pointers of another size")
	}
	if n := reflect.TypeFor[Conn]().Size(); n > maxConnSize {
		t.Errorf("a Conn takes %d bytes, want at most %d", n, maxConnSize)
	}
}
