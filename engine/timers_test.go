package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trivet-net/trivet/tcp"
)

// The heap gives nodes in the order of their deadlines, and equal ones in the
// order of entry, whatever was moved and removed before.
func TestTimersOrder(t *testing.T) {
	const n = 500
	var h timers
	nodes := make([]node, n)
	x := uint32(1)
	random := func(m uint32) uint32 {
		x = x*1664525 + 1013904223
		return x >> 8 % m
	}
	for i := range nodes {
		h.schedule(&nodes[i], tcp.Time(1+random(100)))
	}
	for i := range nodes {
		switch random(4) {
		case 0:
			h.remove(&nodes[i])
		case 1:
			h.schedule(&nodes[i], nodes[i].at-min(nodes[i].at-1, tcp.Time(random(50))))
		}
	}
	var want []*node
	for i := range nodes {
		if nodes[i].timer != 0 {
			want = append(want, &nodes[i])
		}
	}
	slices.SortStableFunc(want, func(a, b *node) int { return int(a.at - b.at) })
	for i, w := range want {
		if got := h.pop(1000); got != w {
			t.Fatalf("pop %d: deadline %d, want %d", i, got.at, w.at)
		}
		if w.timer != 0 {
			t.Fatalf("pop %d: the node believes to be in the heap", i)
		}
	}
	if got := h.pop(1000); got != nil {
		t.Error("pop of an empty heap returned a node")
	}
}

// A deadline that is put off does not move the node; one that is brought
// forward does; none leaves it where it is.
func TestTimersLazy(t *testing.T) {
	tests := []struct {
		name string
		at   tcp.Time
		want tcp.Time
	}{
		{"later", 20, 10},
		{"earlier", 5, 5},
		{"none", 0, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h timers
			var n node
			h.schedule(&n, 10)
			h.schedule(&n, tt.at)
			if got := h.first(); got != tt.want {
				t.Errorf("first() = %d, want %d", got, tt.want)
			}
			if got := h.pop(tt.want - 1); got != nil {
				t.Error("popped before its time")
			}
		})
	}
}

func BenchmarkTimers(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			var h timers
			nodes := make([]node, n)
			for i := range nodes {
				h.schedule(&nodes[i], tcp.Time(i+1))
			}
			now := tcp.Time(n)
			b.ReportAllocs()
			for b.Loop() {
				now++
				h.schedule(h.pop(now), now+tcp.Time(n))
			}
		})
	}
}
