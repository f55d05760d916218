package trivet

import (
	"net"
	"sync"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// deadline is when pending and future calls of one kind fail. The timer, which
// exists only once there was a deadline, wakes those that wait; they look at
// the time themselves, so a late or early wake-up is harmless.
type deadline struct {
	at    tcp.Time // 0: never
	timer *time.Timer
}

// far is beyond any deadline: 146 years.
const far = 1 << 62

// setDeadline moves the deadline of calls on c to t, the zero time being never,
// and reports whether it has passed already.
func setDeadline[T any](d *deadline, c T, now tcp.Time, t time.Time, wake func(T)) (passed bool) {
	d.stop()
	if t.IsZero() {
		return false
	}
	left := time.Until(t)
	if left > far {
		return false
	}
	if left <= 0 {
		d.at = now
		return true
	}
	d.at = now.Add(left)
	if d.timer == nil {
		d.timer = time.AfterFunc(left, func() { wake(c) })
	} else {
		d.timer.Reset(left)
	}
	return false
}

// stop forgets the deadline.
func (d *deadline) stop() {
	d.at = 0
	if d.timer != nil {
		d.timer.Stop()
	}
}

// SetDeadline sets the time after which Read and Write fail with
// os.ErrDeadlineExceeded, those that wait now included. The zero time means
// never.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline sets the deadline of Read; see SetDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline sets the deadline of Write; see SetDeadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	now := c.shard.lock()
	defer c.shard.mu.Unlock()
	if c.closed {
		return c.localError("set", net.ErrClosed)
	}
	if read && setDeadline(&c.read, c, now, t, (*Conn).wakeReaders) {
		c.readers.wakeAll()
	}
	if write && setDeadline(&c.write, c, now, t, (*Conn).wakeWriters) {
		c.writers.wakeAll()
		c.turns.wakeAll()
	}
	return nil
}

// wakeReaders is run by the timer of the read deadline.
func (c *Conn) wakeReaders() {
	c.shard.mu.Lock()
	c.readers.wakeAll()
	c.shard.mu.Unlock()
}

// wakeWriters is run by the timers of the write deadline and of linger.
func (c *Conn) wakeWriters() {
	c.shard.mu.Lock()
	c.writers.wakeAll()
	c.turns.wakeAll()
	c.shard.mu.Unlock()
}

// alarm is a deadline as a channel, for calls that wait for several things.
type alarm struct {
	mu    sync.Mutex // guards what follows; held for no other lock
	timer *time.Timer
	rung  chan struct{} // closed once the deadline has passed
}

func newAlarm() *alarm { return &alarm{rung: make(chan struct{})} }

// done returns a channel that is closed once the deadline has passed.
func (a *alarm) done() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rung
}

// set moves the deadline to t, the zero time being never. Calls that wait on
// done notice.
func (a *alarm) set(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	select {
	case <-a.rung:
		a.rung = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(a.rung)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.timer == timer { // not set anew since
			close(a.rung)
			a.timer = nil
		}
	})
	a.timer = timer
}
