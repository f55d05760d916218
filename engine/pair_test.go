package engine

import (
	"bytes"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// pair is two hosts joined by a wire without delay.
type pair struct {
	a, b *host
	log  [][]byte // every packet
}

func newPair(t testing.TB, cfg Config) *pair {
	other := cfg
	other.Secret[0]++
	return &pair{a: newHost(t, cfg, addrA, addrA6), b: newHost(t, other, addrB, addrB6)}
}

// exchange carries packets until both hosts are silent.
func (p *pair) exchange() {
	for quiet := false; !quiet; {
		quiet = true
		for _, d := range [][2]*host{{p.a, p.b}, {p.b, p.a}} {
			for _, pkt := range d[0].output() {
				quiet = false
				p.log = append(p.log, pkt.data)
				to := d[1]
				if pkt.link == 9 {
					to = d[0]
				}
				to.input(pkt.link, pkt.data)
			}
		}
	}
}

// wait lets time pass on both.
func (p *pair) wait(d time.Duration) {
	end := p.a.now.Add(d)
	for {
		next := tcp.Earliest(p.a.e.NextTimeout(), p.b.e.NextTimeout())
		if !next.Due(end) {
			break
		}
		p.advance(max(next, p.a.now))
		p.exchange()
	}
	p.advance(end)
	p.exchange()
}

func (p *pair) advance(now tcp.Time) {
	for _, h := range []*host{p.a, p.b} {
		h.now = now
		h.e.Advance(now)
	}
}

// dial connects a to a listener of b.
func (p *pair) dial(l *Listener) (a, b *Conn) {
	p.a.t.Helper()
	c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, l.Addr(), tcp.Options{})
	if err != nil {
		p.a.t.Fatalf("Dial(%v): %v", l.Addr(), err)
	}
	p.exchange()
	if b = l.Accept(); b == nil {
		p.a.t.Fatalf("Accept() = nil, the client is in %v", c.State())
	}
	return c, b
}

// Two hosts open a connection, move bytes both ways, close, and forget.
func TestConversation(t *testing.T) {
	for _, addr := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
		t.Run(addr, func(t *testing.T) {
			p := newPair(t, Config{})
			l := p.b.listen(addr, ListenOptions{})
			c, s := p.dial(l)
			request, answer := bytes.Repeat([]byte("question"), 5000), bytes.Repeat([]byte("answer"), 50000)
			if n, err := c.Write(p.a.now, request); n != len(request) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			if err := c.CloseWrite(p.a.now); err != nil {
				t.Fatal(err)
			}
			p.exchange()
			if got := readAll(t, p.b, s); !bytes.Equal(got, request) {
				t.Errorf("the server read %d bytes, want %d, or other ones", len(got), len(request))
			}
			s.Write(p.b.now, answer)
			s.Close(p.b.now)
			p.wait(time.Second)
			if got := readAll(t, p.a, c); !bytes.Equal(got, answer) {
				t.Errorf("the client read %d bytes, want %d, or other ones", len(got), len(answer))
			}
			if c.State() != tcp.StateTimeWait || s.State() != tcp.StateClosed {
				t.Errorf("states %v and %v, want TIME-WAIT and CLOSED", c.State(), s.State())
			}
			c.Close(p.a.now)
			p.wait(59 * time.Second)
			if n := p.a.e.Stats().TimeWaits; n != 1 {
				t.Errorf("%d TIME-WAIT records before 2 MSL, want 1", n)
			}
			p.wait(time.Second)
			for _, h := range []*host{p.a, p.b} {
				if s := h.e.Stats(); s.Conns+s.TimeWaits+s.HalfOpen+s.Orphans != 0 || h.e.NextTimeout() != 0 {
					t.Errorf("left over: %d connections, %d TIME-WAIT, %d half-open, %d orphans, timer %v",
						s.Conns, s.TimeWaits, s.HalfOpen, s.Orphans, h.e.NextTimeout())
				}
			}
			if c.State() != tcp.StateClosed {
				t.Errorf("state after 2 MSL = %v, want CLOSED", c.State())
			}
		})
	}
}

// readAll reads up to EOF.
func readAll(t testing.TB, h *host, c *Conn) (all []byte) {
	t.Helper()
	b := make([]byte, 10000)
	for {
		n, err := c.Read(h.now, b)
		all = append(all, b[:n]...)
		switch err {
		case nil:
		case io.EOF:
			return all
		case syscall.EAGAIN:
			t.Fatalf("Read: EAGAIN after %d bytes, before EOF", len(all))
		default:
			t.Fatalf("Read: %v after %d bytes", err, len(all))
		}
	}
}

// SOCK-80: accepted connections inherit the listener's options, those that were
// set after listen(), too.
func TestListenerOptionsSetLater(t *testing.T) {
	p := newPair(t, Config{})
	l, err := p.b.e.Listen(p.b.now, netip.AddrPortFrom(addrB, 80), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.SetOptions(tcp.Options{MaxSeg: 500, NoDelay: true})
	a, b := p.dial(l)
	if o := b.Options(); o.MaxSeg != 500 || !o.NoDelay {
		t.Errorf("accepted with %+v, want MaxSeg 500, NoDelay", o)
	}
	if i := a.Info(p.a.now); i.SndMSS != 500-12 {
		t.Errorf("the client sends segments of %d bytes, want 488 and the timestamps", i.SndMSS)
	}
}
