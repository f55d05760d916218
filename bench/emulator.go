package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// terms are what a path does to packets, in each direction.
type terms struct {
	rate  float64 // bytes per second
	delay time.Duration
	queue float64 // bytes
	loss  float64 // probability
}

// end is a host's end of a path: it gives its packets to out and takes those
// that arrive, whose bytes are good until deliver returns.
type end interface {
	start(out *way) error
	deliver(packets [][]byte)
}

// join puts a path between two ends.
func join(a, b end, t terms) error {
	if err := a.start(newWay(t, b.deliver)); err != nil {
		return err
	}
	return b.start(newWay(t, a.deliver))
}

// way is one direction of a path.
type way struct {
	terms
	deliver func(packets [][]byte)

	mu     sync.Mutex // guards what follows
	filled sync.Cond
	flight []flying  // in the order of arrival
	free   [][]byte  // buffers
	clear  time.Time // when the bottleneck has sent all it has
}

// flying is a packet on its way.
type flying struct {
	data    []byte
	arrives time.Time
}

func newWay(t terms, deliver func([][]byte)) *way {
	w := &way{terms: t, deliver: deliver}
	w.filled.L = &w.mu
	go w.run() // for as long as the process
	return w
}

// send takes a packet whose bytes fill puts into a buffer, or drops it: by
// chance, or when the queue is full.
func (w *way) send(fill func([]byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := time.Now()
	if w.clear.Before(t) {
		w.clear = t
	}
	if w.clear.Sub(t).Seconds()*w.rate > w.queue {
		return
	}
	var data []byte
	if n := len(w.free); n > 0 {
		data, w.free = w.free[n-1], w.free[:n-1]
	}
	data = fill(data[:0])
	w.clear = w.clear.Add(time.Duration(float64(len(data)) / w.rate * 1e9))
	if rand.Float64() < w.loss {
		w.free = append(w.free, data)
		return
	}
	w.flight = append(w.flight, flying{data, w.clear.Add(w.delay)})
	w.filled.Signal()
}

// run delivers what has arrived, in batches.
func (w *way) run() {
	var batch [][]byte
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.flight) == 0 {
			w.filled.Wait()
		}
		if d := time.Until(w.flight[0].arrives); d > 0 {
			w.mu.Unlock()
			time.Sleep(d)
			w.mu.Lock()
		}
		t, n := time.Now(), 0
		for n < len(w.flight) && n < 64 && !w.flight[n].arrives.After(t) {
			batch = append(batch, w.flight[n].data)
			n++
		}
		w.flight = w.flight[n:]
		w.mu.Unlock()
		w.deliver(batch)
		w.mu.Lock()
		w.free = append(w.free, batch...)
		batch = batch[:0]
	}
}
