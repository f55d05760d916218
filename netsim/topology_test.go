package netsim_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
)

// serve answers every connection with what the function makes of its remote
// address, and closes it.
func serve(t *testing.T, s *trivet.Stack, answer func(net.Addr) string) {
	t.Helper()
	l, err := s.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends when the network closes the host
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, answer(c.RemoteAddr()))
			_ = c.Close()
		}
	}()
}

// get returns what a server says.
func get(s *trivet.Stack, address string) (string, error) {
	d := trivet.Dialer{Stack: s, Timeout: 10 * time.Second}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// Clients behind a NAT reach a server over two routers; the server sees the
// NAT, and reaches a client only over a forwarded port.
func TestInternet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 1, TB: t})
		laptop, phone, server := n.Host("laptop"), n.Host("phone"), n.Host("server")
		home, lan := n.NAT("home", sim.NATConfig{}), n.Switch("lan")
		isp, backbone := n.Router("isp"), n.Router("backbone")
		n.Link(home, isp, netsim.Delay(5*time.Millisecond), netsim.Forward(netsim.Rate(20*netsim.Mbit)), netsim.Backward(netsim.Rate(100*netsim.Mbit)))
		n.Link(isp, backbone, netsim.Delay(20*time.Millisecond))
		n.Link(backbone, server)
		n.Link(home, lan)
		n.Link(lan, laptop)
		n.Link(lan, phone)
		whoami := func(a net.Addr) string { return a.(*net.TCPAddr).AddrPort().Addr().String() }
		serve(t, server, whoami)
		serve(t, laptop, whoami)
		nat := func(s *trivet.Stack) string {
			a, err := get(s, "server:80")
			if err != nil {
				t.Error(err)
			}
			return a
		}
		if a, b := nat(laptop), nat(phone); a != b || strings.HasPrefix(a, "10.0.") || a == "" {
			t.Errorf("the server sees %q and %q, want one address of the NAT", a, b)
		}
		if got, err := get(phone, "laptop:80"); err != nil || got != n.Addr(phone).String() {
			t.Errorf("inside, the laptop sees %q, %v, want %v", got, err, n.Addr(phone))
		}
		if got, err := get(server, "laptop:80"); err == nil {
			t.Errorf("from outside the laptop answered %q", got)
		}
		home.Forward(8080, laptop, 80)
		if got, err := get(server, "home:8080"); err != nil || got != n.Addr(server).String() {
			t.Errorf("over the forwarded port the laptop sees %q, %v, want %v", got, err, n.Addr(server))
		}
		if home.Mappings() == 0 || isp.Stats().Forwarded == 0 {
			t.Errorf("%d mappings, the router counts %+v", home.Mappings(), isp.Stats())
		}
		for _, x := range []netsim.Node{laptop, home, lan, isp} {
			if x.String() == "" {
				t.Errorf("a %T has no name", x)
			}
		}
	})
}

// A connection whose NAT forgot it hangs, until its own time-outs.
func TestNATForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 1, TB: t})
		client, server := n.Host("client"), n.Host("server")
		nat := n.NAT("nat", sim.NATConfig{Established: time.Minute})
		n.Link(nat, server)
		n.Link(nat, client)
		l, err := server.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		d := trivet.Dialer{Stack: client, KeepAlive: -1}
		c, err := d.Dial("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		nat.Forget()
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "hello?")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want silence", err)
		}
		_ = s.Close()
	})
}

// Hosts may have addresses of their own choice, and configurations.
func TestHostOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{TB: t})
		mine := netip.MustParseAddr("192.0.2.7")
		client := n.Host("client", netsim.Addresses(mine))
		server := n.Host("server", netsim.Configure(func(c *trivet.Config) { c.TCP.NoTimestamps = true }))
		n.Link(client, server)
		serve(t, server, net.Addr.String)
		got, err := get(client, "server:80")
		if err != nil || !strings.HasPrefix(got, "192.0.2.7:") {
			t.Errorf("the server sees %q, %v, want %v", got, err, mine)
		}
		if n.Addr(client) != mine || n.Addr6(client).IsValid() {
			t.Errorf("the client's addresses are %v and %v", n.Addr(client), n.Addr6(client))
		}
		for _, tt := range []struct {
			name string
			f    func()
		}{
			{"address taken", func() { n.Host("other", netsim.Addresses(mine)) }},
			{"name taken", func() { n.Router("client") }},
			{"a node of another network", func() { n.Link(client, netsim.New(netsim.Config{}).Switch("s")) }},
			{"no node", func() { n.Link(client, net.IPv4zero) }},
			{"boot of a host that is up", func() { n.Boot("server") }},
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", tt.name)
					}
				}()
				tt.f()
			}()
		}
	})
}

// In a partition of one way the one hears and is not heard.
func TestOneWayPartition(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, server := w.connect(t)
		w.link.UnplugFrom(w.client)
		for _, c := range []net.Conn{client, server} {
			if _, err := io.WriteString(c, "hello"); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 10)
		if k, err := client.Read(buf); k != 5 {
			t.Errorf("the client read %d bytes, %v, want 5", k, err)
		}
		if _, err := server.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server read, %v, want nothing", err)
		}
		w.link.PlugFrom(w.client)
		if err := server.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if k, err := server.Read(buf); k != 5 {
			t.Errorf("after the mending the server read %d bytes, %v, want 5", k, err)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// While a host is down nobody answers; links that are made meanwhile are there
// when it is back.
func TestCrashAndBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{TB: t})
		client, server := n.Host("client"), n.Host("server")
		n.Crash(server)
		n.Link(client, server, netsim.Delay(time.Millisecond))
		if _, err := server.Listen("tcp", ":80"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen on a host that is down = %v, want %v", err, net.ErrClosed)
		}
		var timeout net.Error
		if _, err := get(client, "server:80"); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Dial to a host that is down = %v, want a time-out", err)
		}
		server = n.Boot("server")
		serve(t, server, func(net.Addr) string { return "back" })
		if got, err := get(client, "server:80"); got != "back" {
			t.Errorf("after the boot: %q, %v", got, err)
		}
	})
}

// Two hosts with many links in a row between them: whatever is joined how, an
// hour of virtual time passes in no time.
func TestALongWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{TB: t})
		client, server := n.Host("client"), n.Host("server")
		var last netsim.Node = client
		for i := range 20 {
			r := n.Router(fmt.Sprintf("router%d", i))
			n.Link(last, r, netsim.Delay(time.Millisecond))
			last = r
		}
		n.Link(last, server, netsim.Delay(time.Millisecond))
		serve(t, server, func(net.Addr) string { time.Sleep(time.Hour); return "at last" })
		began := time.Now()
		got, err := get(client, "server:80")
		if took := time.Since(began); got != "at last" || took < time.Hour+63*time.Millisecond || took > time.Hour+time.Second {
			t.Errorf("%q, %v after %v, want an hour and three ways", got, err, took)
		}
	})
}
