package engine

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 1122, Section 3.2.1.3, and RFC 9293, Section 3.9.2.3 (MUST-57, MUST-63):
// which addresses a packet may have.
func TestAddresses(t *testing.T) {
	tests := []struct {
		name     string
		link     int
		src, dst string
		want     wire.Drop
	}{
		{"to us", 0, "10.0.0.2", "10.0.0.1", wire.DropNone},
		{"to us over IPv6", 0, "fd00::2", "fd00::1", wire.DropNone},
		{"from afar", 0, "192.0.2.1", "10.0.0.1", wire.DropNone},
		{"by another interface", 1, "192.0.2.1", "10.0.0.1", wire.DropNone},
		{"to others", 0, "10.0.0.2", "10.0.0.3", wire.DropNotLocal},
		{"to the network", 0, "10.0.0.2", "10.0.0.0", wire.DropNotLocal},
		{"to all", 0, "10.0.0.2", "255.255.255.255", wire.DropNotLocal},
		{"to all of the network", 0, "10.0.0.2", "10.0.0.255", wire.DropNotLocal},
		{"to a group", 0, "10.0.0.2", "224.0.0.1", wire.DropNotLocal},
		{"to an IPv6 group", 0, "fd00::2", "ff02::1", wire.DropNotLocal},
		{"from all", 0, "255.255.255.255", "10.0.0.1", wire.DropAddress},
		{"from all of the network", 0, "10.0.0.255", "10.0.0.1", wire.DropAddress},
		{"from a group", 0, "224.0.0.1", "10.0.0.1", wire.DropAddress},
		{"from nobody", 0, "0.0.0.0", "10.0.0.1", wire.DropAddress},
		{"from nobody, IPv6", 0, "::", "fd00::1", wire.DropAddress},
		{"from ourselves", 0, "10.0.0.1", "10.0.0.1", wire.DropAddress},
		{"from loopback", 0, "127.0.0.1", "10.0.0.1", wire.DropAddress},
		{"to loopback", 0, "10.0.0.2", "127.0.0.1", wire.DropAddress},
		{"to IPv6 loopback", 0, "fd00::2", "::1", wire.DropAddress},
		{"loopback on loopback", 9, "127.0.0.1", "127.9.9.9", wire.DropNone},
		{"our own on loopback", 9, "10.0.0.1", "10.0.0.1", wire.DropNone},
		{"mapped", 0, "::ffff:10.0.0.2", "fd00::1", wire.DropAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.add(Interface{Index: 1, MTU: 1500})
			src, dst := netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)
			h.input(tt.link, ipPacket(src, dst, wire.ProtoTCP, nil))
			want := tt.want
			if want == wire.DropNone {
				want = wire.DropTCPHeader // the next thing to be wrong
			}
			s := h.e.Stats()
			for d, n := range s.Drops {
				if (n == 1) != (wire.Drop(d) == want) || n > 1 {
					t.Errorf("%d drops for %v, want one for %v", n, wire.Drop(d), want)
				}
			}
			h.none()
		})
	}
}

// The longest prefix wins, of equal ones the first; the host's own addresses
// are reached by loopback.
func TestRoutes(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	h.add(Interface{Index: 1, MTU: 1400, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/16")}})
	for _, r := range []struct {
		prefix string
		index  int
	}{{"0.0.0.0/0", 0}, {"10.0.0.128/25", 1}, {"10.0.0.128/25", 0}, {"2000::/3", 1}} {
		if err := h.e.AddRoute(netip.MustParsePrefix(r.prefix), r.index); err != nil {
			t.Fatalf("AddRoute(%s): %v", r.prefix, err)
		}
	}
	tests := []struct {
		to     string
		want   int // -1: none
		source string
	}{
		{"10.0.0.2", 0, "10.0.0.1"},
		{"10.0.0.200", 1, "10.1.0.1"},
		{"10.1.2.3", 1, "10.1.0.1"},
		{"192.0.2.1", 0, "10.0.0.1"},
		{"10.0.0.1", 9, "10.0.0.1"},
		{"10.1.0.1", 9, "10.1.0.1"},
		{"127.0.0.1", 9, "127.0.0.1"},
		{"127.1.2.3", 9, "127.0.0.1"},
		{"fd00::1", 9, "fd00::1"},
		{"::1", 9, "::1"},
		{"fd00::99", 0, "fd00::1"},
		{"2001:db8::1", 1, "invalid IP"}, // the interface has no IPv6 address
		{"fe80::1", -1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.to, func(t *testing.T) {
			ip := netip.MustParseAddr(tt.to)
			a := wire.AddrFrom(ip)
			i := h.e.network.find(&a)
			if i == nil {
				if tt.want != -1 {
					t.Errorf("no route, want interface %d", tt.want)
				}
				return
			}
			if i.Index != tt.want {
				t.Errorf("interface %d, want %d", i.Index, tt.want)
			}
			if got := h.e.network.source(i, ip).String(); got != tt.source {
				t.Errorf("source %s, want %s", got, tt.source)
			}
		})
	}
}

// RFC 1122, Section 3.2.1.3, and RFC 4291, Section 2.5.3: packets for a loopback
// address never leave the host, not even one that has no loopback interface and a
// route to everywhere.
func TestLoopbackStays(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	h.e.RemoveInterface(9)
	for _, prefix := range []string{"0.0.0.0/0", "::/0"} {
		if err := h.e.AddRoute(netip.MustParsePrefix(prefix), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"127.0.0.1:80", "127.5.6.7:80", "[::1]:80"} {
		remote := netip.MustParseAddrPort(to)
		if _, err := h.e.Dial(h.now, netip.AddrPort{}, remote, tcp.Options{}); err != syscall.ENETUNREACH {
			t.Errorf("Dial(%s) = %v, want ENETUNREACH", to, err)
		}
		if s, err := h.e.ListenUDP(h.now, netip.AddrPort{}, UDPOptions{}); err != nil {
			t.Error(err)
		} else if err = s.Send(h.now, []byte("x"), remote); err != syscall.ENETUNREACH {
			t.Errorf("Send to %s = %v, want ENETUNREACH", to, err)
		}
	}
	h.none()
}

// What cannot be answered for want of a route is counted.
func TestNoWayBack(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(netip.MustParseAddr("192.0.2.1"), 5000, 80)
	p.send(wire.SYN, 0, "")
	h.peer(netip.MustParseAddr("192.0.2.1"), 5000, 81).send(wire.SYN, 0, "")
	h.none()
	if s := h.e.Stats(); s.NoRoute != 2 || s.HalfOpen != 1 {
		t.Errorf("NoRoute %d, half-open %d; want 2, 1", s.NoRoute, s.HalfOpen)
	}
	if err := h.e.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), 0); err != nil {
		t.Fatal(err)
	}
	h.wait(time.Second)
	if s := h.one(); s.Flags != wire.SYN|wire.ACK || s.Options.MSS != 1460 {
		t.Errorf("sent %v with MSS %d after the route came", s, s.Options.MSS)
	}
}

func TestInterfaceErrors(t *testing.T) {
	prefix := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	h := newHost(t, Config{}, addrA)
	tests := []struct {
		name string
		i    Interface
		want error
	}{
		{"index taken", Interface{Index: 0, MTU: 1500}, syscall.EEXIST},
		{"no MTU", Interface{Index: 1}, syscall.EINVAL},
		{"MTU too large", Interface{Index: 1, MTU: 65536}, syscall.EINVAL},
		{"MTU too small for IPv6", Interface{Index: 1, MTU: 1279, Prefixes: prefix("fd00::1/64")}, syscall.EINVAL},
		{"multicast", Interface{Index: 1, MTU: 1500, Prefixes: prefix("224.0.0.1/4")}, syscall.EINVAL},
		{"broadcast", Interface{Index: 1, MTU: 1500, Prefixes: prefix("255.255.255.255/32")}, syscall.EINVAL},
		{"unspecified", Interface{Index: 1, MTU: 1500, Prefixes: prefix("0.0.0.0/0")}, syscall.EINVAL},
		{"invalid", Interface{Index: 1, MTU: 1500, Prefixes: []netip.Prefix{{}}}, syscall.EINVAL},
		{"an address twice", Interface{Index: 1, MTU: 88, Prefixes: prefix("10.0.0.1/32")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := h.e.AddInterface(tt.i); err != tt.want {
				t.Errorf("AddInterface: %v, want %v", err, tt.want)
			}
		})
	}
	if err := h.e.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), 77); err != syscall.ENODEV {
		t.Errorf("AddRoute by no interface: %v, want ENODEV", err)
	}
	if err := h.e.AddRoute(netip.Prefix{}, 0); err != syscall.EINVAL {
		t.Errorf("AddRoute of nothing: %v, want EINVAL", err)
	}
}

// SC-25: a connection survives its interface's absence; what it sends meanwhile
// is lost and counted.
func TestInterfaceGone(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("0.0.0.0:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	h.e.RemoveInterface(0)
	c.Write(h.now, []byte("lost"))
	h.none()
	p.send(wire.ACK, 0, "not ours")
	h.none()
	if s := h.e.Stats(); s.NoRoute != 1 || s.Drops[wire.DropNotLocal] != 1 || s.Conns != 1 {
		t.Errorf("NoRoute %d, DropNotLocal %d, connections %d; want 1, 1, 1", s.NoRoute, s.Drops[wire.DropNotLocal], s.Conns)
	}
	h.add(Interface{Index: 3, MTU: 1500, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	h.wait(5 * time.Second)
	pkts := h.output()
	if len(pkts) == 0 || pkts[0].link != 3 || parse(t, pkts[0].data).text != "lost" {
		t.Errorf("after the interface came back: %d packets", len(pkts))
	}
}
