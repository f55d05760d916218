package engine

import "github.com/trivet-net/trivet/tcp"

// timers is a heap of the nodes that want to be called, the earliest first.
//
// Most deadlines are put off before they come: every ACK restarts the
// retransmission timer. So a node is moved only when its deadline becomes
// earlier; when it fires too early, it is asked again for its deadline.
type timers struct {
	heap []timerEntry
	next uint64 // order of the next entry
}

// timerEntry has a copy of the deadline, so that sifting touches only the heap.
type timerEntry struct {
	at    tcp.Time
	order uint64 // of entry: of equal deadlines the older goes first
	node  *node
}

// arity of the heap: four children share a cache line or two, and the tree is
// half as deep as a binary one.
const arity = 4

func (t *timerEntry) less(u *timerEntry) bool {
	return t.at < u.at || (t.at == u.at && t.order < u.order)
}

// first returns the earliest deadline, 0 for none.
func (h *timers) first() tcp.Time {
	if len(h.heap) == 0 {
		return 0
	}
	return h.heap[0].at
}

// schedule makes n fire at the time or earlier; 0 asks for nothing.
func (h *timers) schedule(n *node, at tcp.Time) {
	switch {
	case at == 0 || (n.timer != 0 && n.at <= at):
		return
	case n.timer == 0:
		n.at = at
		h.heap = append(h.heap, timerEntry{at, h.next, n})
		h.next++
		h.up(len(h.heap) - 1)
	default:
		n.at = at
		h.heap[n.timer-1].at = at
		h.up(int(n.timer) - 1)
	}
}

// remove takes n out, if it is in.
func (h *timers) remove(n *node) {
	if n.timer == 0 {
		return
	}
	i, last := int(n.timer)-1, len(h.heap)-1
	n.timer = 0
	moved := h.heap[last]
	h.heap[last] = timerEntry{}
	h.heap = h.heap[:last]
	if i == last {
		return
	}
	h.heap[i] = moved
	h.up(i)
	h.down(int(moved.node.timer) - 1)
}

// pop takes out the earliest node if it is due.
func (h *timers) pop(now tcp.Time) *node {
	if !h.first().Due(now) {
		return nil
	}
	n := h.heap[0].node
	h.remove(n)
	return n
}

func (h *timers) up(i int) {
	e := h.heap[i]
	for i > 0 {
		parent := (i - 1) / arity
		if !e.less(&h.heap[parent]) {
			break
		}
		h.place(i, h.heap[parent])
		i = parent
	}
	h.place(i, e)
}

func (h *timers) down(i int) {
	e := h.heap[i]
	for {
		least := i
		first := i*arity + 1
		for c := first; c < min(first+arity, len(h.heap)); c++ {
			if least == i && h.heap[c].less(&e) || least != i && h.heap[c].less(&h.heap[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		h.place(i, h.heap[least])
		i = least
	}
	h.place(i, e)
}

func (h *timers) place(i int, e timerEntry) {
	h.heap[i] = e
	e.node.timer = int32(i) + 1
}
