package trivet_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// miscounting is a link that moves packets, and says that it were other numbers.
type miscounting struct {
	link.Link
	count atomic.Int64 // added to what is true
}

func (m *miscounting) Read(pkts []wire.Packet) (int, error) {
	n, err := m.Link.Read(pkts)
	if err == nil && m.count.Load() > 0 {
		n = len(pkts) + 1
	}
	return n, err
}

func (m *miscounting) Write(pkts []wire.Packet) (int, error) {
	if m.count.Load() < 0 {
		return -1, errors.New("as of a system call")
	}
	n, err := m.Link.Write(pkts)
	return n + int(m.count.Load()), err
}

// A device that says it took or gave packets that cannot be does not end the
// program, and is of use again when it counts aright.
func TestLinkMiscounts(t *testing.T) {
	for _, count := range []int64{-1, 7} {
		synctest.Test(t, func(t *testing.T) {
			a, b := link.Pair(1500, link.PairOptions{})
			m := &miscounting{Link: a}
			client := newHost(t, trivet.Config{}, m, clientPrefixes)
			server := newHost(t, trivet.Config{}, b, serverPrefixes)
			c, s := connect(t, client, server)
			m.count.Store(count)
			if _, err := c.Write([]byte("what goes")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			m.count.Store(0)
			transfer(t, s, c, 1<<16)
			closeHost(t, client)
			closeHost(t, server)
		})
	}
}
