package trivet

import "github.com/trivet-net/trivet/tcp"

// waiter is a parked call. It is in one waitList, or none; it is woken exactly
// once for each time it is pushed, under the shard's lock, so its channel is
// empty whenever it is in no list and it can be used again.
type waiter struct {
	ch      chan struct{} // capacity 1: waking never blocks
	next    *waiter
	granted bool // woken with the turn to write
}

// waitList is a queue of parked calls, guarded by the shard's lock: a circle,
// of which it points to the last.
type waitList struct{ last *waiter }

func (l *waitList) empty() bool { return l.last == nil }

func (l *waitList) push(w *waiter) {
	if l.last == nil {
		w.next = w
	} else {
		w.next = l.last.next
		l.last.next = w
	}
	l.last = w
}

// pop removes and returns the first waiter, nil if there is none.
func (l *waitList) pop() *waiter {
	if l.last == nil {
		return nil
	}
	w := l.last.next
	if w == l.last {
		l.last = nil
	} else {
		l.last.next = w.next
	}
	w.next = nil
	return w
}

// wakeOne wakes the first waiter.
func (l *waitList) wakeOne() {
	if w := l.pop(); w != nil {
		w.ch <- struct{}{}
	}
}

// wakeAll wakes every waiter.
func (l *waitList) wakeAll() {
	for l.last != nil {
		l.wakeOne()
	}
}

// maxFreeWaiters bounds the waiters that a shard keeps for later.
const maxFreeWaiters = 256

// newWaiter returns a waiter. The shard is locked. Waiters are kept per shard
// and not in a sync.Pool, because a channel belongs to the synctest bubble
// that it was made in, as the shard does.
func (s *shard) newWaiter() *waiter {
	w := s.freeWaiters
	if w == nil {
		return &waiter{ch: make(chan struct{}, 1)}
	}
	s.freeWaiters, w.next = w.next, nil
	s.numFree--
	return w
}

// park waits, without the lock, until somebody wakes the list. What the call
// queued so far is sent before. It returns with the lock again.
func (s *shard) park(now tcp.Time, l *waitList) tcp.Time {
	w := s.join(l)
	s.settle(now)
	return s.woken(w)
}

// idle is park for a call that changed nothing.
func (s *shard) idle(l *waitList) tcp.Time {
	w := s.join(l)
	s.mu.Unlock()
	return s.woken(w)
}

func (s *shard) join(l *waitList) *waiter {
	w := s.newWaiter()
	l.push(w)
	return w
}

func (s *shard) woken(w *waiter) tcp.Time {
	<-w.ch
	now := s.lock()
	s.putWaiter(w)
	return now
}

// putWaiter takes back a waiter that was woken. The shard is locked.
func (s *shard) putWaiter(w *waiter) {
	if s.numFree == maxFreeWaiters {
		return
	}
	w.granted = false
	w.next, s.freeWaiters = s.freeWaiters, w
	s.numFree++
}
