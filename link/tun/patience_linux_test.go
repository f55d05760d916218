package tun

import "testing"

// looks plays one sleep: after a Read of so many packets and bytes the reader looks
// until a packet comes at look number comes, or it sleeps. It returns how often it
// looked.
func (p *patience) looks(packets, bytes, comes int) int {
	p.begin(packets, bytes)
	for n := 0; ; n++ {
		if n == comes {
			p.came()
			return n
		}
		if !p.more() {
			p.came() // woken
			return n
		}
	}
}

const never = 1 << 30

// A reader that exchanges small packets goes on looking, one that waits in vain
// stops doing so for longer and longer, and one in bulk never looks, not even after
// the small packets in it.
func TestPatience(t *testing.T) {
	var p patience
	for range minRow {
		if n := p.looks(1, 53, 20); n != 0 {
			t.Errorf("%d looks before small packets came %d times on end", n, minRow)
		}
	}
	for range 1000 {
		if n := p.looks(1, 53, 20); n != 20 {
			t.Fatalf("%d looks where the answer comes at the 20th", n)
		}
	}
	total := 0
	const sleeps = 10_000
	for range sleeps {
		total += p.looks(1, 53, never)
	}
	if most := maxLooks * (sleeps/maxPenalty + 10); total > most {
		t.Errorf("%d looks in %d sleeps in vain, want at most %d", total, sleeps, most)
	}
	// Once it was worth it, it is so again: within a penalty it tries, and then goes on.
	for range maxPenalty + 1 {
		p.looks(1, 53, 5)
	}
	for range 10 {
		if n := p.looks(1, 53, 5); n != 5 {
			t.Errorf("%d looks where the answer comes at the 5th", n)
		}
	}
	for _, bulk := range [][2]int{{1, smallBatch + 1}, {2, 104}, {64, 64 << 10}, {0, 0}} {
		if n := p.looks(bulk[0], bulk[1], never); n != 0 {
			t.Errorf("%d looks after %d packets of %d bytes, want none", n, bulk[0], bulk[1])
		}
	}
	for i := range 1000 {
		size := 53
		if i%(minRow+1) == 0 {
			size = 60_000
		}
		if n := p.looks(1, size, 5); n != 0 {
			t.Fatalf("%d looks in a stream that has small packets in it", n)
		}
	}
}
