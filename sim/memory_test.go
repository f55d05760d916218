package sim

import (
	"bytes"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// A host whose buffers may take up 256 KiB in all serves 100 connections, of
// which each gets more data than its share, in both directions, while its users
// read nothing for ten seconds: what is held stays within the limit and what each
// connection may hold all the same; then every byte arrives.
func TestMemoryLimit(t *testing.T) {
	for _, tt := range []struct {
		name string
		link LinkConfig
	}{
		{"clean", Symmetric(Settings{Delay: 5 * time.Millisecond})},
		{"loss", Symmetric(Settings{Delay: 5 * time.Millisecond, Loss: 0.05, Reorder: 0.05})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const (
				conns = 100
				limit = 256 << 10
				least = 2 * 2 << 10 // of a connection in both directions
				bytes = 64 << 10
			)
			m := newMemoryTest(t, engine.Config{TCP: tcp.Config{MaxMemory: limit}}, tt.link, conns, bytes)
			m.RunFor(10 * time.Second)
			// What was promised or taken just before the limit may be over it by a block.
			held := m.held()
			if held > limit+conns*least+64<<10 {
				t.Errorf("%d bytes are held, the limit is %d", held, limit)
			}
			if held < limit/2 {
				t.Errorf("%d bytes are held: the limit of %d is not met", held, limit)
			}
			if n := m.server.Engine().Stats().TCP.MemoryFull; n == 0 {
				t.Error("nothing was refused")
			}
			m.read()
			m.until("all have everything", 6*time.Hour, m.done)
			m.check()
			if held := m.held(); held != 0 {
				t.Errorf("%d bytes are held at the end", held)
			}
		})
	}
}

// memoryTest is many connections over which both ends send.
type memoryTest struct {
	*pair
	text    []byte
	servers []*Conn
	clients []*Conn
	got     map[*Conn]*bytes.Buffer
	ended   int
}

func newMemoryTest(t *testing.T, cfg engine.Config, link LinkConfig, conns, size int) *memoryTest {
	m := &memoryTest{pair: newPair(t, 1, engine.Config{}, link), got: map[*Conn]*bytes.Buffer{}}
	m.quiet = true
	m.server = m.AddHost("small", cfg)
	m.Connect(m.client, m.server, link)
	m.text = pseudoRandom(size, 1)
	m.listen(func(c *Conn) {
		m.servers = append(m.servers, c)
		m.send(c)
	})
	for range conns {
		c := m.dial(tcp.Options{})
		m.clients = append(m.clients, c)
		c.Await(tcp.Connected, func() { m.send(c) })
	}
	return m
}

func (m *memoryTest) send(c *Conn) {
	Send(c, m.text, func(err error) {
		if err == nil {
			err = c.CloseWrite()
		}
		if err != nil {
			m.t.Errorf("send: %v", err)
		}
	})
}

func (m *memoryTest) held() int { return int(m.server.Engine().Stats().TCP.Memory) }

// read lets both ends of each connection read until its end.
func (m *memoryTest) read() {
	for _, c := range append(m.clients, m.servers...) {
		b := new(bytes.Buffer)
		m.got[c] = b
		Receive(c, func(p []byte) { b.Write(p) }, func(err error) {
			if err != nil {
				m.t.Errorf("receive: %v", err)
			}
			m.ended++
			c.Close()
		})
	}
}

func (m *memoryTest) done() bool { return m.ended == len(m.got) && m.over() }

func (m *memoryTest) check() {
	m.t.Helper()
	if len(m.servers) != len(m.clients) {
		m.t.Errorf("%d connections were accepted, not %d", len(m.servers), len(m.clients))
	}
	for c, b := range m.got {
		if !bytes.Equal(b.Bytes(), m.text) {
			m.t.Errorf("%v: what arrived is not what was sent", c.Tuple())
		}
	}
}
