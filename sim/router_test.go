package sim

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// route is a client and a server with routers between them, joined by links of
// the given MTUs.
type route struct {
	*pair
	routers []*Router
	links   []*Link
}

func newRoute(t *testing.T, cfg RouterConfig, mtus ...int) *route {
	r := &route{pair: &pair{t: t, paths: map[string][]tcp.State{}, quiet: true}}
	r.Network = New(Config{Seed: 1, OnEvent: r.event})
	r.client, r.server = r.AddHost("client", engine.Config{}), r.AddHost("server", engine.Config{})
	var last Node = r.client
	for i, mtu := range mtus {
		var next Node = r.server
		if i < len(mtus)-1 {
			router := r.AddRouter(fmt.Sprintf("router%d", i+1), cfg)
			r.routers = append(r.routers, router)
			next = router
		}
		r.links = append(r.links, r.Connect(last, next, LinkConfig{
			AtoB: Settings{Delay: time.Millisecond}, BtoA: Settings{Delay: time.Millisecond}, MTU: mtu, MaxSuper: 40_000,
		}))
		last = next
	}
	return r
}

// fetch lets the server send data to the client over a connection to the given
// address of the server, and reports whether it came within a minute.
func (r *route) fetch(addr netip.Addr, opt tcp.Options, n int) bool {
	r.t.Helper()
	data := pseudoRandom(n, 1)
	l, err := r.server.Listen(webPort, func(c *Conn) { Send(c, data, func(error) { c.Close() }) })
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	c, err := r.client.Dial(netip.AddrPortFrom(addr, webPort), opt)
	if err != nil {
		r.t.Fatal(err)
	}
	var got bytes.Buffer
	done := false
	Receive(c, func(b []byte) { got.Write(b) }, func(error) { done = true; c.Close() })
	if err := r.RunUntil(func() bool { return done }, time.Minute); err != nil {
		return false
	}
	return bytes.Equal(got.Bytes(), data)
}

// Over several hops, with both versions of IP, every router takes one from the
// TTL.
func TestRouters(t *testing.T) {
	r := newRoute(t, RouterConfig{}, 1500, 1500, 1500, 1500)
	ttl := uint8(0)
	r.Count(To("client"), Segment, func(c *Crossing) bool { ttl = c.IP.TTL; return true })
	for _, a := range []netip.Addr{r.server.Addr(), r.server.Addr6()} {
		if !r.fetch(a, tcp.Options{}, 100_000) {
			t.Errorf("nothing came from %v", a)
		}
		if ttl != 61 {
			t.Errorf("segments from %v arrive with TTL %d, want 64 - 3", a, ttl)
		}
	}
	if s := r.routers[1].Stats(); s.Forwarded < 100 || s.NoRoute+s.Expired+s.TooLarge+s.BadHeader > 0 {
		t.Errorf("the router in the middle counts %+v", s)
	}
}

// RFC 1812, Section 5.3.1: a packet whose TTL comes to zero is dropped, and its
// sender told, to whom it is a soft error (RFC 9293, Section 3.9.2.2).
func TestTimeExceeded(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for _, six := range []bool{false, true} {
			r := newRoute(t, RouterConfig{Silent: silent}, 1500, 1500, 1500, 1500)
			told := r.Count(To("client"), ICMP)
			to := r.server.Addr()
			if six {
				to = r.server.Addr6()
			}
			if r.fetch(to, tcp.Options{TTL: 3}, 1000) {
				t.Error("it came with a TTL of 3 over 3 routers")
			}
			if s := r.routers[2].Stats(); s.Expired == 0 || (s.ErrorsSent > 0) == silent || (told.Count() > 0) == silent {
				t.Errorf("silent %v: %d packets expired, %d told, the client heard %d times", silent, s.Expired, s.ErrorsSent, told.Count())
			}
		}
	}
}

// RFC 1812, Section 5.2.7.1: no route is told, too, which ends an attempt to
// connect, as on Linux.
func TestNoRoute(t *testing.T) {
	r := newRoute(t, RouterConfig{}, 1500, 1500)
	c, err := r.client.Dial(netip.MustParseAddrPort("192.0.2.1:80"), tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.RunFor(2 * time.Second)
	if err := c.TakeError(); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("the connection ended with %v, want %v", err, syscall.ENETUNREACH)
	}
}

// RFC 1191, Section 4, RFC 8201: before a link with a smaller MTU the sender is
// told its size, sends smaller segments, and everything arrives. A silent
// router makes a black hole, and the sender finds out by itself (RFC 4821).
func TestPathMTU(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("six=%v/silent=%v", six, silent), func(t *testing.T) {
				r := newRoute(t, RouterConfig{Silent: silent}, 1500, 1300, 1500)
				to := r.server.Addr()
				if six {
					to = r.server.Addr6()
				}
				came := r.fetch(to, tcp.Options{}, 300_000)
				s := r.routers[1].Stats()
				if s.TooLarge == 0 || (s.ErrorsSent > 0) == silent {
					t.Errorf("%d packets were too large, %d told", s.TooLarge, s.ErrorsSent)
				}
				if !came {
					t.Error("it did not come")
				}
			})
		}
	}
}

// RFC 791, Section 3.2: an IPv4 packet that may be fragmented is, and the
// fragments make up the packet.
func TestFragments(t *testing.T) {
	r := newRoute(t, RouterConfig{}, 1500, 600)
	packet := make([]byte, 1500)
	copy(packet, []byte{0x45, 0, 1500 >> 8, 1500 & 0xff, 1, 2, 0, 0, 64, wire.ProtoUDP})
	copy(packet[12:], r.client.Addr().AsSlice())
	copy(packet[16:], r.server.Addr().AsSlice())
	copy(packet[20:], pseudoRandom(1480, 1))
	sealIPv4(packet[:20])
	whole := make([]byte, 1480)
	pieces, last := 0, false
	r.Count(To("server"), func(c *Crossing) bool {
		pieces++
		field := int(c.Data[6])<<8 | int(c.Data[7])
		copy(whole[field&0x1fff*8:], c.Data[20:])
		last = last || field&0x2000 == 0
		if len(c.Data) > 600 || wire.Checksum(c.Data[:20], 0) != 0xffff {
			t.Errorf("a fragment of %d bytes, or a wrong checksum", len(c.Data))
		}
		return true
	})
	r.links[0].Inject(r.client, packet)
	r.RunFor(time.Second)
	if pieces != 3 || !last || !bytes.Equal(whole, packet[20:]) {
		t.Errorf("%d fragments, the last one seen: %v, want 3 that make up the packet", pieces, last)
	}
}

// A router drops what was damaged in the IP header (RFC 1812, Section 5.2.2)
// and does not mend what was damaged after it.
func TestRouterDoesNotRepair(t *testing.T) {
	r := newRoute(t, RouterConfig{}, 1500, 1500)
	r.links[0].Set(Settings{Corrupt: 0.3}, Settings{Corrupt: 0.3})
	if !r.fetch(r.server.Addr(), tcp.Options{}, 50_000) {
		t.Error("it did not come, or was changed")
	}
	if r.routers[0].Stats().BadHeader == 0 {
		t.Error("no header was damaged")
	}
}

// A router answers an echo request.
func TestRouterEcho(t *testing.T) {
	r := newRoute(t, RouterConfig{}, 1500, 1500)
	request := []byte{
		0x45, 0, 0, 28, 0, 0, 0, 0, 64, wire.ProtoICMP, 0, 0, 10, 0, 0, 1, 10, 255, 0, 1,
		8, 0, 0xf7, 0xfd, 0, 1, 0, 1,
	}
	sealIPv4(request[:20])
	answers := r.Count(From("router1"), To("client"), ICMP)
	r.links[0].Inject(r.client, request)
	r.RunFor(time.Second)
	if answers.Count() != 1 {
		t.Errorf("%d answers, want 1", answers.Count())
	}
}
