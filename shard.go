package trivet

import (
	"sync"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// shard is one part of the host: an engine, the connections in it, and the
// lock that guards both. No goroutine holds two shards' locks.
//
// Whoever did something with the engine calls settle, which sends what there
// is to send, wakes who waits, sets the timer, and unlocks.
type shard struct {
	stack *Stack

	mu     sync.Mutex // guards all that follows, and the Conns of the shard
	engine *engine.Engine
	links  []*attachment // by interface index; replaced, never changed

	udp     map[*UDPConn]struct{} // open ones
	conns   connList              // of users, until they are closed and done
	closing bool                  // Stack.Close was called: no new connections
	drained chan struct{}         // closed once closing and conns is empty
	closed  bool                  // nothing is sent any more

	freeWaiters *waiter
	numFree     int

	timer   *time.Timer // runs tick
	timerAt tcp.Time    // when it fires; 0: it does not

	// Packets are written without the lock, so that the shard goes on while a
	// device is slow, but by one goroutine at a time, so that none overtakes
	// another. Who finds one sending leaves it the work.
	sending bool
	again   bool       // there may be something new to send
	out     wire.Batch // these belong to who set sending
	plain   wire.Batch
	refused []engine.Refusal
}

// lock locks the shard and returns the time. Time is read under the lock, so
// that it never runs backwards for the engine.
func (s *shard) lock() tcp.Time {
	s.mu.Lock()
	return s.stack.now()
}

// maxRounds is how many batches a call sends before it leaves the rest to a
// goroutine of its own, so that a user's call does not go on for ever with the
// output of others.
const maxRounds = 16

// settle finishes what began with lock.
func (s *shard) settle(now tcp.Time) {
	if s.sending {
		s.again = true
		s.engine.Wake()
		s.arm(now)
		s.mu.Unlock()
		return
	}
	s.sending = true
	s.send(now, maxRounds)
}

// send sends what the engine has to send until there is nothing left. It is
// called with the lock, and sending set, and releases both.
func (s *shard) send(now tcp.Time, rounds int) {
	for {
		s.again = false
		more := s.engine.Output(now, &s.out)
		s.engine.Wake()
		s.arm(now)
		if s.out.Len() == 0 {
			break
		}
		links := s.links
		s.mu.Unlock()
		s.refused = transmit(links, &s.out, &s.plain, s.refused[:0])
		s.mu.Lock()
		if !more && !s.again && len(s.refused) == 0 {
			break
		}
		now = s.stack.now()
		s.engine.Refused(now, s.refused)
		if rounds--; rounds == 0 && !s.closed {
			// Ends when it has nothing left to send; Stack.Close waits.
			s.stack.running.Go(func() { s.send(s.lock(), 0) })
			s.mu.Unlock()
			return
		}
	}
	s.sending = false
	s.mu.Unlock()
}

// arm sets the timer for the engine's next deadline. A timer is only ever
// moved to an earlier time: most deadlines are put off before they come, and
// an early tick is harmless.
func (s *shard) arm(now tcp.Time) {
	next := s.engine.NextTimeout()
	if next == 0 || s.closed || (s.timerAt != 0 && s.timerAt <= next) {
		return
	}
	s.timerAt = next
	d := max(next.Sub(now), 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.tick)
	} else if s.timer.Reset(d) {
		return // tick was still to come and is counted
	}
	s.stack.running.Add(1)
}

// tick is run by the timer. Stack.Close stops the timer, or waits.
func (s *shard) tick() {
	defer s.stack.running.Done()
	now := s.lock()
	s.timerAt = 0
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.engine.Advance(now)
	s.settle(now)
}

// input processes the packets that belong to this shard. Those that it has put
// together from fragments, and that may belong to others, are added to strays.
func (s *shard) input(pkts []wire.Packet, index int, owner []uint8, strays *wire.Batch) {
	now := s.lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	for i := range pkts {
		if int(owner[i]) == index {
			s.engine.Input(now, &pkts[i])
		}
	}
	s.engine.Strays(strays)
	s.settle(now)
}

// stop ends the shard: nothing is sent, timed or remembered any more.
func (s *shard) stop() {
	now := s.lock()
	defer s.mu.Unlock()
	s.engine.EndTimeWait(now)
	s.closed = true
	if s.timer != nil && s.timer.Stop() {
		s.stack.running.Done()
	}
}

// connList is a list of connections through their next and prev fields.
type connList struct{ first *Conn }

func (l *connList) add(c *Conn) {
	c.next = l.first
	if l.first != nil {
		l.first.prev = c
	}
	l.first = c
}

// remove reports whether c was in the list.
func (l *connList) remove(c *Conn) bool {
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case l.first == c:
		l.first = c.next
	default:
		return false
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev = nil, nil
	return true
}

// forget drops a connection that is closed and will send no more.
func (s *shard) forget(c *Conn) {
	if s.conns.remove(c) {
		s.checkDrained()
	}
}

// checkDrained tells Stack.Close when the last connection is gone.
func (s *shard) checkDrained() {
	if s.closing && s.conns.first == nil {
		close(s.drained)
	}
}
