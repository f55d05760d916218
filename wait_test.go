package trivet

import (
	"math/rand/v2"
	"testing"
)

// Waiters are woken in the order in which they came, each once.
func TestWaitListOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s shard
	var l waitList
	var queued []*waiter
	for range 10_000 {
		switch {
		case rng.IntN(3) > 0:
			w := s.newWaiter()
			l.push(w)
			queued = append(queued, w)
		case len(queued) > 0:
			l.wakeOne()
			checkWoken(t, queued[0])
			s.putWaiter(queued[0])
			queued = queued[1:]
		default:
			l.wakeOne() // nobody: harmless
		}
		if l.empty() != (len(queued) == 0) {
			t.Fatalf("empty() = %v with %d waiters", l.empty(), len(queued))
		}
	}
	l.wakeAll()
	for _, w := range queued {
		checkWoken(t, w)
	}
	if !l.empty() {
		t.Error("not empty after wakeAll")
	}
}

// checkWoken checks that w was woken once, and consumes the wake-up.
func checkWoken(t *testing.T, w *waiter) {
	t.Helper()
	select {
	case <-w.ch:
	default:
		t.Fatal("the first waiter was not woken")
	}
}

// A shard keeps waiters for later, but not without bound.
func TestFreeWaiters(t *testing.T) {
	var s shard
	first := s.newWaiter()
	s.putWaiter(first)
	if w := s.newWaiter(); w != first {
		t.Error("a waiter was not used again")
	}
	for range 2 * maxFreeWaiters {
		s.putWaiter(&waiter{ch: make(chan struct{}, 1)})
	}
	if s.numFree != maxFreeWaiters {
		t.Errorf("%d waiters kept, want %d", s.numFree, maxFreeWaiters)
	}
}
