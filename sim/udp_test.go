package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
)

// listenUDP opens a socket on all addresses that appends what it receives to got.
func listenUDP(t *testing.T, h *Host, port uint16, got *[]string) *UDPSocket {
	t.Helper()
	s, err := h.ListenUDP(netip.AddrPortFrom(netip.Addr{}, port), engine.UDPOptions{}, func(m Message) {
		*got = append(*got, string(m.Data))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// UDP repairs nothing (RFC 768): what the link loses is lost, what it reorders
// comes in that order; and the same seed does the same.
func TestUDPOverBadLink(t *testing.T) {
	run := func(seed uint64) (got []string) {
		n := New(Config{Seed: seed})
		a, b := n.AddHost("a", engine.Config{}), n.AddHost("b", engine.Config{})
		n.Connect(a, b, Symmetric(Settings{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1, Reorder: 0.2}))
		listenUDP(t, b, 7, &got)
		c, err := a.DialUDP(netip.AddrPortFrom(b.Addr(), 7), engine.UDPOptions{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			n.After(time.Duration(i)*time.Millisecond, func() {
				if err := c.Send(fmt.Appendf(nil, "%02d", i), netip.AddrPort{}); err != nil {
					t.Error(err)
				}
			})
		}
		n.RunFor(10 * time.Second)
		return got
	}
	got := run(1)
	if len(got) < 75 || len(got) > 98 || slices.IsSorted(got) {
		t.Errorf("received %d of 100, in order: %v; want about 90, not in order", len(got), slices.IsSorted(got))
	}
	if again := run(1); !slices.Equal(got, again) {
		t.Errorf("the same seed gave %v and %v", got, again)
	}
}

// A datagram to a group reaches each member once, over switches in a ring too,
// and nobody else (RFC 1112). A large one goes in fragments.
func TestUDPMulticast(t *testing.T) {
	for _, group := range []string{"239.1.2.3", "ff05::1"} {
		for _, text := range []string{"hello", strings.Repeat("x", 5000)} {
			n := New(Config{Seed: 1})
			var switches []*Switch
			for i := range 3 {
				switches = append(switches, n.AddSwitch(fmt.Sprintf("s%d", i)))
			}
			for i := range switches {
				n.Connect(switches[i], switches[(i+1)%3], fast)
			}
			addr := netip.MustParseAddr(group)
			got := make([][]string, 4)
			for i := range got {
				h := n.AddHost(fmt.Sprintf("h%d", i), engine.Config{})
				n.Connect(h, switches[i%3], fast)
				s := listenUDP(t, h, 7, &got[i])
				if i == 3 {
					continue
				}
				if err := s.Join(addr); err != nil {
					t.Fatal(err)
				}
			}
			sender := n.AddHost("sender", engine.Config{})
			n.Connect(sender, switches[0], fast)
			s := listenUDP(t, sender, 8, new([]string))
			if err := s.Send([]byte(text), netip.AddrPortFrom(addr, 7)); err != nil {
				t.Fatal(err)
			}
			n.RunFor(5 * time.Second)
			for i := range got {
				if want := i < 3; len(got[i]) > 1 || (len(got[i]) == 1) != want || want && got[i][0] != text {
					t.Errorf("%s: host %d received %d datagrams, want one: %v", group, i, len(got[i]), want)
				}
			}
			s.Close()
			if err := s.Send(nil, netip.AddrPortFrom(addr, 7)); err != syscall.ENOTCONN {
				t.Errorf("Send after Close = %v, want ENOTCONN", err)
			}
		}
	}
}

// A connected socket hears of a port that nobody has; after a crash of its host
// it is dead.
func TestUDPRefused(t *testing.T) {
	n := New(Config{Seed: 1})
	a, b := n.AddHost("a", engine.Config{}), n.AddHost("b", engine.Config{})
	n.Connect(a, b, fast)
	var heard []error
	c, err := a.DialUDP(netip.AddrPortFrom(b.Addr6(), 7), engine.UDPOptions{}, func(m Message) { heard = append(heard, m.Err) })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(nil, netip.AddrPort{}); err != nil {
		t.Fatal(err)
	}
	n.RunFor(time.Second)
	if len(heard) != 1 || !errors.Is(heard[0], syscall.ECONNREFUSED) {
		t.Errorf("heard %v, want ECONNREFUSED", heard)
	}
	a.Crash()
	if err := c.Send(nil, netip.AddrPort{}); err != syscall.ENOTCONN {
		t.Errorf("Send after a crash = %v, want ENOTCONN", err)
	}
	if _, err := a.ListenUDP(netip.AddrPort{}, engine.UDPOptions{}, nil); err != syscall.ENETDOWN {
		t.Errorf("ListenUDP on a host that is down = %v, want ENETDOWN", err)
	}
}
