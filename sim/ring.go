package sim

// ring is a queue in a slice that is used again.
type ring[T any] struct {
	slots []T // their number is a power of two
	head  int
	count int
}

// at returns the i-th oldest element.
func (r *ring[T]) at(i int) *T { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

// push adds an element and returns it to be filled. It is not cleared.
func (r *ring[T]) push() *T {
	if r.count == len(r.slots) {
		bigger := make([]T, max(16, 2*len(r.slots)))
		n := copy(bigger, r.slots[r.head:])
		copy(bigger[n:], r.slots[:r.head])
		r.slots, r.head = bigger, 0
	}
	r.count++
	return r.at(r.count - 1)
}

// drop removes the oldest element.
func (r *ring[T]) drop() {
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.count--
}
