package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// node is what the table and the timers know of a connection or a half-open
// connection. It is part of either.
type node struct {
	hash  uint32
	timer int32    // place in the timer heap, from 1; 0: not in it
	at    tcp.Time // when the timer fires
	next  *node    // in the chain of the table

	conn *Conn // one of the two is set
	half *halfOpen
}

// tuple returns the 4-tuple, which is kept in one place only.
func (n *node) tuple() *wire.FourTuple {
	if n.half != nil {
		return &n.half.tuple
	}
	return n.conn.tcp.ID()
}

// table finds nodes by 4-tuple. It is a hash table with chains through the
// nodes themselves, so that an entry costs no allocation.
type table struct {
	buckets []*node // a power of two
	size    int
}

const minBuckets = 64

// lookup returns the node with the tuple, nil if there is none.
func (t *table) lookup(hash uint32, tuple *wire.FourTuple) *node {
	if t.size == 0 {
		return nil
	}
	for n := t.buckets[hash&uint32(len(t.buckets)-1)]; n != nil; n = n.next {
		if n.hash == hash && *n.tuple() == *tuple {
			return n
		}
	}
	return nil
}

// insert adds a node whose tuple is not in the table.
func (t *table) insert(n *node) {
	if t.size >= len(t.buckets) {
		t.grow()
	}
	t.size++
	t.link(n)
}

func (t *table) link(n *node) {
	b := &t.buckets[n.hash&uint32(len(t.buckets)-1)]
	n.next, *b = *b, n
}

func (t *table) grow() {
	old := t.buckets
	t.buckets = make([]*node, max(minBuckets, 2*len(old)))
	for _, n := range old {
		for n != nil {
			next := n.next
			t.link(n)
			n = next
		}
	}
}

// remove takes a node out that is in the table.
func (t *table) remove(n *node) {
	p := &t.buckets[n.hash&uint32(len(t.buckets)-1)]
	for *p != n {
		p = &(*p).next
	}
	*p, n.next = n.next, nil
	t.size--
}

// all calls f for every node.
func (t *table) all(f func(*node)) {
	for _, n := range t.buckets {
		for ; n != nil; n = n.next {
			f(n)
		}
	}
}
