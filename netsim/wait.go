package netsim

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/tcp"
)

// ErrTimeout is wrapped by what the Wait methods return when what they wait for
// has not come in time.
var ErrTimeout = errors.New("netsim: it has not come in time")

// Wait returns once done reports true, or an ErrTimeout when that takes longer
// than the time given. Done is asked again whenever packets have moved or a
// connection has changed its state; it must look only, not move packets itself.
func (n *Network) Wait(timeout time.Duration, done func() bool) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	n.waiting.join()
	defer n.waiting.leave()
	for {
		changed := n.waiting.changes()
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			if done() {
				return nil
			}
			return fmt.Errorf("%w: waited for %v", ErrTimeout, timeout)
		}
	}
}

// WaitState waits until the connection, one that a host of the network dialled
// or accepted, is in the state. The connection may be closed already. The
// segment that the same event sends may still be on its way to the link:
// [testing/synctest.Wait] lets everything of this instant happen.
func (n *Network) WaitState(c net.Conn, state tcp.State, timeout time.Duration) error {
	conn, ok := c.(*trivet.Conn)
	if !ok {
		return fmt.Errorf("netsim: a %T has no state", c)
	}
	err := n.Wait(timeout, func() bool { return conn.Info().State == state })
	if err != nil {
		return fmt.Errorf("%w for %v: the connection is in %v", err, state, conn.Info().State)
	}
	return nil
}

// waiting wakes those who wait for a change.
type waiting struct {
	mu      sync.Mutex // nothing is locked under it
	waiters int
	changed chan struct{} // closed at the next change
}

func (w *waiting) join() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters++
}

func (w *waiting) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters--
}

// changes returns a channel that is closed at the next change.
func (w *waiting) changes() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// notify tells of a change.
func (w *waiting) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters > 0 && w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
