package link

import (
	"sync"

	"github.com/trivet-net/trivet/wire"
)

// queue is a bounded ring of packets with one reader. Packets are handed over
// in batches under the mutex, with one wake-up for each batch; slots and their
// slices are used again, so that nothing is allocated in the long run.
type queue struct {
	maxPackets, maxBytes int

	mu      sync.Mutex // guards what follows
	filled  sync.Cond  // the ring is not empty, or closed
	ring    []wire.Packet
	head    int // slot of the oldest packet
	count   int
	bytes   int
	dropped uint64
	waiting bool // the reader waits for filled
	closed  bool
}

// minRing is how many slots a ring starts with; it doubles as it fills.
const minRing = 64

func newQueue(o PairOptions) *queue {
	q := &queue{maxPackets: o.QueuePackets, maxBytes: o.QueueBytes}
	if q.maxPackets == 0 {
		q.maxPackets = defaultQueuePackets
	}
	if q.maxBytes == 0 {
		q.maxBytes = defaultQueueBytes
	}
	q.filled.L = &q.mu
	return q
}

// push appends the packets that from carries until the queue is full, and
// returns how many it went through.
func (q *queue) push(pkts []wire.Packet, from *Memory) int {
	q.mu.Lock()
	if q.closed {
		q.dropped += uint64(len(pkts))
		q.mu.Unlock()
		return len(pkts)
	}
	n := 0
	for ; n < len(pkts); n++ {
		p := &pkts[n]
		size := p.Len()
		if q.count == q.maxPackets || (q.count > 0 && q.bytes+size > q.maxBytes) {
			break
		}
		if !from.fits(p) {
			q.dropped++
			continue
		}
		slot := q.slot()
		p.CopyTo(slot)
		if slot.Checksum == wire.ChecksumPartial {
			// Nothing was between the sender's bytes and the reader: the
			// reader gets the bytes as vouched for.
			slot.Checksum = wire.ChecksumValid
		}
		q.count++
		q.bytes += size
	}
	q.dropped += uint64(len(pkts) - n)
	wake := q.waiting && q.count > 0
	if wake {
		q.waiting = false
	}
	q.mu.Unlock()
	if wake {
		q.filled.Signal()
	}
	return n
}

// slot returns the slot after the newest packet, growing the ring if need be.
func (q *queue) slot() *wire.Packet {
	if q.count == len(q.ring) {
		bigger := make([]wire.Packet, max(minRing, 2*len(q.ring)))
		n := copy(bigger, q.ring[q.head:])
		copy(bigger[n:], q.ring[:q.head])
		q.ring, q.head = bigger, 0
	}
	return &q.ring[(q.head+q.count)%len(q.ring)]
}

// pop waits for packets and moves them to pkts. It reports false once the
// queue is closed.
func (q *queue) pop(pkts []wire.Packet) (n int, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count == 0 && !q.closed {
		q.waiting = true
		q.filled.Wait()
	}
	if q.closed {
		return 0, false
	}
	for n < len(pkts) && q.count > 0 {
		slot := &q.ring[q.head]
		q.bytes -= slot.Len()
		// Moved by exchange: the slot keeps the memory of the caller's slice.
		pkts[n], *slot = *slot, pkts[n]
		q.head = (q.head + 1) % len(q.ring)
		q.count--
		n++
	}
	if q.count == 0 {
		q.head = 0 // the first slots are the ones still in the cache
	}
	return n, true
}

// close drops what is queued and everything to come.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	for ; q.count > 0; q.count-- {
		q.ring[q.head].Release()
		q.head = (q.head + 1) % len(q.ring)
		q.dropped++
	}
	q.ring, q.head, q.bytes = nil, 0, 0
	q.mu.Unlock()
	q.filled.Broadcast()
}

func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
