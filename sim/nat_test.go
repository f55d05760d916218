package sim

import (
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

// home is two clients behind a NAT, and a server outside.
type home struct {
	*Network
	t        *testing.T
	nat      *NAT
	clients  [2]*Host
	server   *Host
	outside  *Link
	accepted []*Conn
}

func newHome(t *testing.T, cfg NATConfig) *home {
	h := &home{Network: New(Config{Seed: 1}), t: t}
	h.nat = h.AddNAT("nat", cfg)
	h.server = h.AddHost("server", engine.Config{})
	h.outside = h.Connect(h.nat, h.server, fast)
	inside := h.AddSwitch("inside")
	h.Connect(h.nat, inside, fast)
	for i := range h.clients {
		h.clients[i] = h.AddHost(fmt.Sprintf("client%d", i), engine.Config{})
		h.Connect(h.clients[i], inside, fast)
	}
	if _, err := h.server.Listen(webPort, func(c *Conn) {
		h.accepted = append(h.accepted, c)
		Receive(c, func(b []byte) { Send(c, append([]byte(nil), b...), nil) }, func(error) { c.Close() })
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

// dial opens a connection from a client's port to the server.
func (h *home) dial(client int, port uint16, to netip.Addr) *Conn {
	h.t.Helper()
	c, err := h.clients[client].DialFrom(netip.AddrPortFrom(netip.Addr{}, port), netip.AddrPortFrom(to, webPort), tcp.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.RunFor(time.Second)
	return c
}

// echo sends a byte and reports whether it comes back.
func (h *home) echo(c *Conn) bool {
	n := 0
	Send(c, []byte("x"), nil)
	h.RunFor(5 * time.Second)
	k, _ := c.Read(make([]byte, 10))
	n += k
	return n == 1
}

// RFC 2663, Section 4.1.2: hosts inside are seen outside by the NAT's address;
// two that use the same port are told apart.
func TestNAT(t *testing.T) {
	h := newHome(t, NATConfig{})
	for _, to := range []netip.Addr{h.server.Addr(), h.server.Addr6()} {
		h.accepted = nil
		a, b := h.dial(0, 5000, to), h.dial(1, 5000, to)
		for _, c := range []*Conn{a, b} {
			if !h.echo(c) {
				t.Fatalf("no answer from %v", to)
			}
		}
		first, second := h.accepted[0].Tuple().Remote(), h.accepted[1].Tuple().Remote()
		want := h.nat.Addr()
		if to.Is6() {
			want = h.nat.Addr6()
		}
		if first.Addr() != want || second.Addr() != want || first.Port() != 5000 || second.Port() == 5000 {
			t.Errorf("the server sees %v and %v, want %v with port 5000 and another", first, second, want)
		}
	}
	if n := h.nat.Mappings(); n != 4 {
		t.Errorf("%d mappings, want 4", n)
	}
}

// From outside the inside cannot be reached, but over a forwarded port; those
// inside reach each other.
func TestNATHidesTheInside(t *testing.T) {
	h := newHome(t, NATConfig{})
	opened := 0
	if _, err := h.clients[0].Listen(webPort, func(*Conn) { opened++ }); err != nil {
		t.Fatal(err)
	}
	h.nat.Forward(wire.ProtoTCP, 8080, netip.AddrPortFrom(h.clients[0].Addr(), webPort))
	for _, tt := range []struct {
		from *Host
		to   netip.AddrPort
		want int
	}{
		{h.server, netip.AddrPortFrom(h.clients[0].Addr(), webPort), 0},
		{h.server, netip.AddrPortFrom(h.nat.Addr(), webPort), 0},
		{h.server, netip.AddrPortFrom(h.nat.Addr(), 8080), 1},
		{h.clients[1], netip.AddrPortFrom(h.clients[0].Addr(), webPort), 1},
	} {
		opened = 0
		if _, err := tt.from.Dial(tt.to, tcp.Options{}); err != nil {
			t.Fatal(err)
		}
		h.RunFor(5 * time.Second)
		if opened != tt.want {
			t.Errorf("%s to %v: %d connections, want %d", tt.from.Name(), tt.to, opened, tt.want)
		}
	}
}

// RFC 5382, Section 5: the mapping of an open connection lives for two hours of
// silence and more; after that the NAT knows it no longer, and is silent or
// resets.
func TestNATForgets(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset=%v", reset), func(t *testing.T) {
			h := newHome(t, NATConfig{Reset: reset})
			c := h.dial(0, 5000, h.server.Addr())
			h.RunFor(2 * time.Hour)
			if !h.echo(c) {
				t.Fatal("forgotten after two hours")
			}
			h.RunFor(3 * time.Hour)
			var err error
			Receive(c, func([]byte) { t.Error("an answer after three hours") }, func(e error) { err = e })
			Send(c, []byte("x"), nil)
			h.RunFor(time.Minute)
			if reset != errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ended with %v", err)
			}
			if n := h.nat.Mappings(); n != 0 {
				t.Errorf("%d mappings, want 0", n)
			}
		})
	}
}

// A connection that is closed, or never opened, is forgotten sooner; one that
// the NAT lost in a reboot is unknown at once.
func TestNATTransitory(t *testing.T) {
	h := newHome(t, NATConfig{})
	c := h.dial(0, 5000, h.server.Addr())
	h.dial(0, 5001, netip.MustParseAddr("192.0.2.1"))
	c.Close()
	h.RunFor(time.Minute)
	if n := h.nat.Mappings(); n != 1 { // nothing leads to 192.0.2.1, so no mapping is needed there
		t.Errorf("%d mappings, want 1", n)
	}
	h.RunFor(10 * time.Minute)
	if n := h.nat.Mappings(); n != 0 {
		t.Errorf("%d mappings ten minutes later, want 0", n)
	}
	c = h.dial(1, 5000, h.server.Addr())
	h.nat.Forget()
	if h.echo(c) {
		t.Error("an answer through a NAT that forgot")
	}
}

// RFC 5508, Section 4: path MTU discovery works through a NAT, whether the
// narrow link is outside or inside. Both ends learn from routers beyond it.
func TestNATTranslatesErrors(t *testing.T) {
	for _, six := range []bool{false, true} {
		n := New(Config{Seed: 1})
		client, server := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
		nat := n.AddNAT("nat", NATConfig{})
		var routers []*Router
		for i := range 4 {
			routers = append(routers, n.AddRouter(fmt.Sprintf("router%d", i), RouterConfig{}))
		}
		wide, narrow := fast, fast
		narrow.MTU = 1300
		n.Connect(nat, routers[2], wide) // the first: outside
		n.Connect(routers[2], routers[3], narrow)
		n.Connect(routers[3], server, wide)
		n.Connect(nat, routers[1], wide)
		n.Connect(routers[1], routers[0], narrow)
		n.Connect(routers[0], client, wide)
		to := server.Addr()
		if six {
			to = server.Addr6()
		}
		var sent, echoed int
		if _, err := server.Listen(webPort, func(c *Conn) {
			Receive(c, func(b []byte) { sent += len(b) }, func(error) {
				Send(c, make([]byte, 100_000), func(error) { c.Close() })
			})
		}); err != nil {
			t.Fatal(err)
		}
		c, err := client.Dial(netip.AddrPortFrom(to, webPort), tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		Receive(c, func(b []byte) { echoed += len(b) }, func(error) { c.Close() })
		Send(c, make([]byte, 100_000), func(error) { _ = c.CloseWrite() })
		n.RunFor(time.Minute)
		if sent != 100_000 || echoed != 100_000 {
			t.Errorf("six %v: %d bytes arrived, %d came back, want 100000 each", six, sent, echoed)
		}
		if a, b := routers[0].Stats().ErrorsSent, routers[3].Stats().ErrorsSent; a == 0 || b == 0 {
			t.Errorf("six %v: the routers before the narrow links told %d and %d times, want some", six, a, b)
		}
	}
}
