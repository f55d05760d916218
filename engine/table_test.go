package engine

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// tupleNumber returns one of many different 4-tuples.
func tupleNumber(i int) wire.FourTuple {
	t := wire.FourTuple{LocalPort: 80, RemotePort: uint16(i)}
	t.LocalAddr = wire.AddrFrom(addrA)
	t.RemoteAddr = wire.AddrFrom(addrB)
	binary.BigEndian.PutUint16(t.RemoteAddr[13:], uint16(i>>16))
	return t
}

func TestTable(t *testing.T) {
	const n = 1000
	k := deriveKey(&[32]byte{}, "table")
	var tab table
	nodes := make([]node, n)
	for i := range nodes {
		nodes[i].half = &halfOpen{tuple: tupleNumber(i)}
		nodes[i].hash = uint32(k.hash(nodes[i].tuple())) &^ 7 // some collide
		tab.insert(&nodes[i])
	}
	for i := 0; i < n; i += 2 {
		tab.remove(&nodes[i])
	}
	for i := range nodes {
		tuple := tupleNumber(i)
		want := &nodes[i]
		if i%2 == 0 {
			want = nil
		}
		if got := tab.lookup(nodes[i].hash, &tuple); got != want {
			t.Fatalf("lookup of entry %d = %p, want %p", i, got, want)
		}
	}
	count := 0
	tab.all(func(*node) { count++ })
	if tab.size != n/2 || count != n/2 {
		t.Errorf("size = %d, all calls %d times, want %d", tab.size, count, n/2)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
			e := New(Config{})
			nodes := make([]node, n)
			for i := range nodes {
				nodes[i].half = &halfOpen{tuple: tupleNumber(i)}
				nodes[i].hash = uint32(e.keys.table.hash(nodes[i].tuple()))
				e.table.insert(&nodes[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tuple := *nodes[i*7919%n].tuple()
				if e.table.lookup(uint32(e.keys.table.hash(&tuple)), &tuple) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
