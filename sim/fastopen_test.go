package sim

import (
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// A program that has a cookie and reads first, since the server speaks first, is
// connected all the same (RFC 7413, Section 4.2.1: a SYN may have a cookie and no
// text).
func TestFastOpenReadFirst(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(Settings{Delay: 10 * time.Millisecond}))
	_, err := p.server.ListenWith(netip.AddrPortFrom(netip.Addr{}, webPort), engine.ListenOptions{FastOpen: 5}, func(c *Conn) {
		_, _ = c.Write([]byte("welcome"))
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := p.client.Dial(netip.AddrPortFrom(p.server.Addr(), webPort), tcp.Options{FastOpen: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		var read func()
		read = func() {
			buf := make([]byte, 100)
			n, _ := c.Read(buf)
			if got = append(got, buf[:n]...); len(got) == 0 {
				c.Await(tcp.Readable, read)
			}
		}
		read()
		p.RunFor(time.Second)
		if string(got) != "welcome" {
			t.Errorf("read %q in state %v", got, c.Info().State)
		}
	}
}
