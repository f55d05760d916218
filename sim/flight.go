package sim

import (
	"container/heap"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// passage is one packet in a pipe.
type passage struct {
	*parcel
	index  int // of the packet in the parcel
	copy   int
	marked bool // CE

	// Luck, from when it was sent: lost on the way, held back, and so on.
	doomed, again, torn bool
	where               uint64
	jitter, hold        time.Duration

	entered tcp.Time // when it joined the queue
	at      tcp.Time // when it arrives
	order   uint64   // of packets that arrive at the same moment
}

// before reports whether a arrives before b.
func (a *passage) before(b *passage) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.order < b.order
}

// flight is the packets on their way: those in order, and those that are held
// back while others overtake them.
type flight struct {
	inOrder ring[passage]
	late    lateness
}

func (f *flight) len() int { return f.inOrder.count + len(f.late) }

// first returns the packet that arrives next, nil for none.
func (f *flight) first() *passage {
	switch {
	case f.inOrder.count == 0 && len(f.late) == 0:
		return nil
	case f.inOrder.count == 0:
		return &f.late[0]
	case len(f.late) == 0 || f.inOrder.at(0).before(&f.late[0]):
		return f.inOrder.at(0)
	}
	return &f.late[0]
}

// drop removes the first.
func (f *flight) drop() {
	if f.inOrder.count > 0 && f.first() == f.inOrder.at(0) {
		f.inOrder.drop()
		return
	}
	heap.Pop(&f.late)
}

// lateness is a heap in the order of arrival.
type lateness []passage

func (l lateness) Len() int           { return len(l) }
func (l lateness) Less(i, j int) bool { return l[i].before(&l[j]) }
func (l lateness) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *lateness) Push(x any)        { *l = append(*l, x.(passage)) }

func (l *lateness) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = passage{}
	*l = old[:len(old)-1]
	return last
}
