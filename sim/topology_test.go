package sim

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// fast is a link that is never the bottleneck.
var fast = Symmetric(Settings{Rate: 10e9, Delay: 10 * time.Microsecond})

// Two clients behind one switch share a bottleneck to a second switch with two
// servers: together the flows get its rate, and each arrives where it should.
func TestSharedBottleneck(t *testing.T) {
	n := New(Config{Seed: 1})
	left, right := n.AddSwitch("left"), n.AddSwitch("right")
	bottleneck := n.Connect(left, right, Symmetric(Settings{
		Rate: 20e6, Delay: 5 * time.Millisecond, QueueBytes: 25_000,
	}))
	var received [2]int
	for i := range received {
		c, s := n.AddHost(fmt.Sprintf("client%d", i), engine.Config{}), n.AddHost(fmt.Sprintf("server%d", i), engine.Config{})
		n.Connect(c, left, fast)
		n.Connect(right, s, fast)
		if _, err := s.Listen(webPort, func(c *Conn) {
			Receive(c, func(b []byte) { received[i] += len(b) }, nil)
		}); err != nil {
			t.Fatal(err)
		}
		for _, to := range []netip.Addr{s.Addr(), s.Addr6()} {
			conn, err := c.Dial(netip.AddrPortFrom(to, webPort), tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			Pump(conn)
		}
	}
	n.RunFor(10 * time.Second)
	forward, _ := bottleneck.Stats()
	if share := float64(forward.BytesDelivered) * 8 / 10 / 20e6; share < 0.8 || share > 1 {
		t.Errorf("the bottleneck carried %.2f of its rate, want nearly all", share)
	}
	for i, got := range received {
		if got < 2e6 {
			t.Errorf("server %d got %d bytes in 10 s of two flows, want at least 2 MB", i, got)
		}
	}
}

// A switch knows where each host is, however many switches are between, and
// drops what is for nobody.
func TestSwitches(t *testing.T) {
	n := New(Config{})
	a, b := n.AddHost("a", engine.Config{}), n.AddHost("b", engine.Config{})
	s1, s2, s3 := n.AddSwitch("s1"), n.AddSwitch("s2"), n.AddSwitch("s3")
	n.Connect(a, s1, fast)
	n.Connect(s1, s2, fast)
	n.Connect(s2, s3, fast)
	n.Connect(s3, s1, fast) // a ring
	last := n.Connect(s3, b, fast)
	opened := 0
	if _, err := b.Listen(webPort, func(*Conn) { opened++ }); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"10.0.0.2", "fd00::2", "10.0.0.77"} {
		if _, err := a.Dial(netip.AddrPortFrom(netip.MustParseAddr(to), webPort), tcp.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	n.RunFor(time.Minute)
	if opened != 2 {
		t.Errorf("%d connections opened, want 2", opened)
	}
	if forward, _ := last.Stats(); forward.Sent != 4 { // twice SYN and ACK
		t.Errorf("%d packets went to b, want 4", forward.Sent)
	}
}
