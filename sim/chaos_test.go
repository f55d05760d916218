package sim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// chaos lets two hosts do everything at random that programs do with
// connections, over a link on which everything happens, and checks that no
// byte that is read is another than the one that was written there, and that
// a stream that ends in good order is whole.
type chaos struct {
	*pair
	choose func(n int) int // a number under n
	ends   []*chaosEnd
	byID   map[string]*chaosEnd
}

// chaosEnd is one end of a connection.
type chaosEnd struct {
	conn          *Conn
	id            string // of the connection and direction written
	peer          string // of the direction read
	written, read int
	finished      bool // CloseWrite or Close was called: written is final
	sawEOF        bool
	closed        bool
}

// expected is the byte at an offset of a stream.
func expected(id string, offset int) byte {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return byte((h + uint32(offset)*2654435761) >> 13)
}

func newChaos(t *testing.T, seed uint64, choose func(int) int) *chaos {
	link := Symmetric(Settings{
		Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond, Rate: 20e6, QueuePackets: 60,
		Loss: 0.02, Duplicate: 0.02, Reorder: 0.02, Corrupt: 0.01,
	})
	c := &chaos{choose: choose, byID: map[string]*chaosEnd{}}
	if choose(2) == 0 {
		link.MaxSuper = 30_000
	}
	c.pair = newPair(t, seed, engine.Config{TimeWait: 5 * time.Second}, link)
	c.quiet = true
	for _, h := range c.Hosts() {
		c.serve(h)
	}
	return c
}

func (c *chaos) serve(h *Host) {
	if _, err := h.Listen(webPort, func(conn *Conn) { c.add(conn) }); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chaos) add(conn *Conn) *chaosEnd {
	t := conn.Tuple()
	e := &chaosEnd{conn: conn}
	e.id = fmt.Sprint(t)
	e.peer = fmt.Sprint(t.Reverse())
	c.ends = append(c.ends, e)
	c.byID[e.id] = e
	c.read(e)
	return e
}

func (c *chaos) dial(from, to *Host) {
	conn, err := from.Dial(netip.AddrPortFrom(to.Addr(), webPort), tcp.Options{
		RecvBuffer: 5000 + c.choose(100_000), NoDelay: c.choose(2) == 0,
	})
	if err != nil {
		c.t.Errorf("Dial = %v", err)
		return
	}
	c.add(conn)
}

// read takes what there is, now and whenever there is more, but not always
// all of it.
func (c *chaos) read(e *chaosEnd) {
	buf := make([]byte, 1+c.choose(20_000))
	for !e.closed {
		n, err := e.conn.Read(buf)
		for i, b := range buf[:n] {
			if want := expected(e.peer, e.read+i); b != want {
				c.t.Fatalf("%s: byte %d is %#x, want %#x", e.peer, e.read+i, b, want)
			}
		}
		e.read += n
		switch {
		case errors.Is(err, io.EOF):
			e.sawEOF = true
			return
		case errors.Is(err, syscall.EAGAIN):
			e.conn.Await(tcp.Readable, func() {
				pause := time.Duration(c.choose(20)) * time.Millisecond
				c.After(pause, func() { c.read(e) })
			})
			return
		case err != nil:
			return
		}
	}
}

func (c *chaos) write(e *chaosEnd) {
	if e.finished {
		return
	}
	data := make([]byte, 1+c.choose(30_000))
	for i := range data {
		data[i] = expected(e.id, e.written+i)
	}
	n, err := e.conn.Write(data)
	e.written += n
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		e.finished = true
	}
}

// step does one thing at random.
func (c *chaos) step() {
	hosts := c.Hosts()
	k := c.choose(100)
	if len(c.ends) == 0 || k < 5 {
		i := c.choose(2)
		c.dial(hosts[i], hosts[1-i])
		return
	}
	e := c.ends[c.choose(len(c.ends))]
	switch {
	case k < 70:
		c.write(e)
	case k < 80:
		e.finished = true
		_ = e.conn.CloseWrite() // ENOTCONN when it is too early or too late
	case k < 90:
		e.finished, e.closed = true, true
		e.conn.Close()
	case k < 92:
		e.finished, e.closed = true, true
		e.conn.Abort()
	case k < 94:
		c.link.Unplug()
		c.After(time.Duration(c.choose(20))*time.Second, c.link.Plug)
	case k == 94:
		h := hosts[c.choose(2)]
		h.Reboot()
		c.serve(h)
	case k < 97:
		e.conn.SetOptions(tcp.Options{KeepAlive: true, KeepIdle: time.Second, KeepInterval: time.Second, KeepCount: 5})
	}
}

// finish ends everything and waits until nothing is left.
func (c *chaos) finish() {
	c.link.Plug()
	c.link.Set(Settings{Delay: time.Millisecond}, Settings{Delay: time.Millisecond})
	for _, e := range c.ends {
		e.finished = true
		e.conn.SetOptions(tcp.Options{KeepAlive: true, KeepIdle: time.Minute, KeepInterval: time.Second, KeepCount: 5})
		_ = e.conn.CloseWrite() // ENOTCONN when it is over already
	}
	c.RunFor(10 * time.Minute)
	for _, e := range c.ends {
		e.closed = true
		e.conn.Close()
	}
	c.until("nothing is left", time.Hour, c.over)
	for _, e := range c.ends {
		if e.sawEOF && c.byID[e.peer] != nil && c.byID[e.peer].conn.live() && e.read != c.byID[e.peer].written {
			c.t.Errorf("%s ended in good order after %d bytes, but %d were written", e.peer, e.read, c.byID[e.peer].written)
		}
	}
}

// However programs use connections and whatever the link does: no wrong byte,
// no stream cut short that looks whole, no state that stays for ever.
func TestChaos(t *testing.T) {
	seeds := 15
	if testing.Short() {
		seeds = 3
	}
	for seed := *seedFlag; seed < *seedFlag+uint64(seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newChaos(t, seed, rand.New(rand.NewPCG(seed, 5)).IntN)
			for range 400 {
				c.step()
				c.RunFor(time.Duration(c.choose(200)) * time.Millisecond)
			}
			c.finish()
		})
	}
}
