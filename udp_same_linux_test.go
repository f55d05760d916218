package trivet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
)

// udpConn is what *net.UDPConn and *trivet.UDPConn have in common.
type udpConn interface {
	net.Conn
	net.PacketConn
	ReadFromUDP([]byte) (int, *net.UDPAddr, error)
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	WriteToUDP([]byte, *net.UDPAddr) (int, error)
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

var (
	_ udpConn = (*net.UDPConn)(nil)
	_ udpConn = (*trivet.UDPConn)(nil)
)

// udpHost is package net, or a Stack.
type udpHost struct {
	listenPacket func(network, address string) (net.PacketConn, error)
	listen       func(network, address string) (net.Listener, error)
	dial         func(ctx context.Context, local net.Addr, network, address string) (net.Conn, error)
	settle       func() // waits until nothing is on its way
}

func kernelUDP() udpHost {
	return udpHost{
		listenPacket: net.ListenPacket,
		listen:       net.Listen,
		dial: func(ctx context.Context, local net.Addr, network, address string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: local}
			return d.DialContext(ctx, network, address)
		},
		settle: func() {}, // the loopback of Linux delivers within the call
	}
}

func trivetUDP(s *trivet.Stack) udpHost {
	return udpHost{
		listenPacket: s.ListenPacket,
		listen:       s.Listen,
		dial: func(ctx context.Context, local net.Addr, network, address string) (net.Conn, error) {
			d := trivet.Dialer{Stack: s, LocalAddr: local}
			return d.DialContext(ctx, network, address)
		},
		settle: synctest.Wait,
	}
}

// udpRun is one run of a case on a host.
type udpRun struct {
	*testing.T
	udpHost
	saw   []string
	ports map[string]string // names of ports, by their text
}

// note writes down the outcome of a call, with names for ports.
func (r *udpRun) note(call string, results ...any) {
	var b strings.Builder
	b.WriteString(call)
	for _, v := range results {
		b.WriteString(" | ")
		if err, ok := v.(error); ok {
			b.WriteString(chain(err))
		} else {
			fmt.Fprintf(&b, "%v", v)
		}
	}
	text := b.String()
	for port, name := range r.ports {
		text = strings.ReplaceAll(text, ":"+port, ":"+name)
	}
	r.saw = append(r.saw, text)
}

// chain tells of an error what it says, and the types that it is made of.
func chain(err error) string {
	text := err.Error()
	var timeout interface{ Timeout() bool }
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf(" <%T>", e)
	}
	text = strings.ReplaceAll(text, "poll.errNetClosing", "errors.errorString")
	text = strings.ReplaceAll(text, "trivet.", "net.")
	return text + fmt.Sprintf(" timeout %v, closed %v, deadline %v", errors.As(err, &timeout) && timeout.Timeout(),
		errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded))
}

// name gives the port of an address a name.
func (r *udpRun) name(a net.Addr, name string) string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		r.Fatal(err)
	}
	r.ports[port] = name
	return a.String()
}

func (r *udpRun) open(network, address, name string) (udpConn, string) {
	r.Helper()
	c, err := r.listenPacket(network, address)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	return c.(udpConn), r.name(c.LocalAddr(), name)
}

func (r *udpRun) connect(network, address, name string) udpConn {
	r.Helper()
	c, err := r.dial(context.Background(), nil, network, address)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	r.name(c.LocalAddr(), name)
	return c.(udpConn)
}

// read notes a Read with room for n bytes.
func (r *udpRun) read(c udpConn, n int) {
	b := make([]byte, n)
	k, err := c.Read(b)
	r.note("Read", string(b[:k]), err)
}

func (r *udpRun) readFrom(c udpConn, n int) {
	b := make([]byte, n)
	k, from, err := c.ReadFrom(b)
	r.note("ReadFrom", string(b[:k]), from, err)
}

func (r *udpRun) write(c udpConn, s string) {
	n, err := c.Write([]byte(s))
	r.note("Write", n, err)
}

func (r *udpRun) writeTo(c udpConn, n int, to net.Addr) {
	n, err := c.WriteTo(make([]byte, n), to)
	r.note("WriteTo", n, err)
}

func udpAddr(s string) *net.UDPAddr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

var udpCases = []struct {
	name string
	run  func(*udpRun)
}{
	{"there and back", func(r *udpRun) {
		for _, loopback := range []string{"127.0.0.1:0", "[::1]:0"} {
			s, address := r.open("udp", loopback, "S")
			c := r.connect("udp", address, "C")
			r.note("addresses", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), c.LocalAddr().Network())
			r.note("peer of none", s.(net.Conn).RemoteAddr())
			r.write(c, "hello")
			r.write(c, "")
			r.write(c, "truncated")
			r.write(c, "again")
			r.settle()
			r.readFrom(s, 100)
			r.readFrom(s, 100)
			r.readFrom(s, 4)
			b := make([]byte, 10)
			n, from, err := s.ReadFromUDPAddrPort(b)
			r.note("ReadFromUDPAddrPort", string(b[:n]), from, err)
			n, err = s.WriteToUDPAddrPort([]byte("x"), from)
			r.note("WriteToUDPAddrPort", n, err)
			r.writeTo(s, 5, c.LocalAddr())
			r.writeTo(s, 0, c.LocalAddr())
			r.settle()
			r.read(c, 0)
			r.read(c, 3)
			r.read(c, 3)
			r.read(c, 3)
		}
	}},
	{"both families on one socket", func(r *udpRun) {
		s, address := r.open("udp", ":0", "S")
		r.note("address", s.LocalAddr())
		_, port, _ := net.SplitHostPort(address)
		for _, host := range []string{"127.0.0.1", "::1", "", "localhost"} {
			c := r.connect("udp", net.JoinHostPort(host, port), "C")
			r.write(c, "x")
			r.settle()
			r.readFrom(s, 10)
			r.writeTo(s, 1, c.LocalAddr())
			r.settle()
			r.read(c, 10)
			delete(r.ports, c.LocalAddr().String()[strings.LastIndex(c.LocalAddr().String(), ":")+1:])
			c.Close()
		}
	}},
	{"nobody listens", func(r *udpRun) {
		for _, loopback := range []string{"127.0.0.1:0", "[::1]:0"} {
			s, address := r.open("udp", loopback, "S")
			c := r.connect("udp", address, "C")
			s.Close()
			r.write(c, "x")
			r.settle()
			r.read(c, 10)
			r.write(c, "x")
			r.settle()
			r.write(c, "x")
			r.write(c, "x")
			r.settle()
			r.readFrom(c, 10)
			u, _ := r.open("udp", loopback, "U")
			r.writeTo(u, 1, udpAddr(address))
			r.settle()
			r.writeTo(u, 1, udpAddr(address))
			r.note("deadline", u.SetReadDeadline(time.Now().Add(-time.Second)))
			r.readFrom(u, 10)
		}
	}},
	{"a stranger is refused", func(r *udpRun) {
		for _, loopback := range []string{"127.0.0.1:0", "[::1]:0"} {
			s, address := r.open("udp", loopback, "S")
			c := r.connect("udp", address, "C")
			x := r.connect("udp", c.LocalAddr().String(), "X")
			r.write(x, "not from the peer")
			r.settle()
			r.read(x, 20)
			r.writeTo(s, 3, c.LocalAddr())
			r.settle()
			r.readFrom(c, 20)
		}
	}},
	{"an error comes before what has arrived", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		c := r.connect("udp", address, "C")
		other := r.connect("udp", address, "D")
		r.writeTo(s, 3, c.LocalAddr())
		r.settle()
		s.Close()
		r.write(c, "x")
		r.settle()
		r.read(c, 10)
		r.read(c, 10)
		r.write(c, "x")
		r.settle()
		r.note("set", c.SetDeadline(time.Unix(1, 0)))
		r.read(c, 10)
		r.note("set", c.SetDeadline(time.Time{}))
		r.write(c, "x")
		again, err := r.listenPacket("udp", address)
		r.note("again", err)
		defer again.Close()
		r.write(c, "y")
		r.settle()
		r.readFrom(again.(udpConn), 10)
		r.note("set", other.SetReadDeadline(time.Unix(1, 0)))
		r.read(other, 10) // it has done nothing wrong
	}},
	{"one's own port", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		s.Close()
		c, err := r.dial(context.Background(), udpAddr(address), "udp", address)
		if err != nil {
			r.Fatal(err)
		}
		r.write(c.(udpConn), "to itself")
		r.settle()
		r.readFrom(c.(udpConn), 10)
		_, err = r.dial(context.Background(), udpAddr(address), "udp", "127.0.0.1:9")
		r.note("from the same port", err)
		_, port, _ := net.SplitHostPort(address)
		_, err = r.listenPacket("udp", ":"+port)
		r.note("on all addresses", err)
		six, err := r.listenPacket("udp6", "[::1]:"+port)
		r.note("of the other family", err)
		six.Close()
		c.Close()
	}},
	{"all who wait", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		c := r.connect("udp", address, "C")
		results := make(chan error, 6)
		for range 6 {
			go func() { _, _, err := s.ReadFrom(make([]byte, 1)); results <- err }()
		}
		r.settle()
		r.write(c, "1")
		r.write(c, "2")
		r.note("ReadFrom", <-results)
		r.note("ReadFrom", <-results)
		for range 3 {
			go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
		}
		r.settle()
		r.note("set", s.SetReadDeadline(time.Unix(1, 0)))
		for range 4 {
			r.note("ReadFrom", <-results)
		}
		r.note("close", c.Close())
		for range 3 {
			r.note("Read", <-results)
		}
	}},
	{"too long", func(r *udpRun) {
		s, _ := r.open("udp4", "127.0.0.1:0", "S")
		r.writeTo(s, 65507, s.LocalAddr())
		r.writeTo(s, 65508, s.LocalAddr())
		s, address := r.open("udp6", "[::1]:0", "T")
		r.writeTo(s, 65528, s.LocalAddr())
		c := r.connect("udp", address, "C")
		r.write(c, strings.Repeat("x", 65528))
	}},
	{"wrong destinations", func(r *udpRun) {
		s, address := r.open("udp4", "127.0.0.1:0", "S")
		six, _ := r.open("udp6", "[::1]:0", "T")
		c := r.connect("udp", address, "C")
		r.writeTo(c, 1, s.LocalAddr())
		n, err := c.WriteToUDPAddrPort(nil, netip.MustParseAddrPort("127.0.0.1:9"))
		r.note("WriteToUDPAddrPort", n, err)
		r.write(s, "x")
		r.writeTo(s, 1, nil)
		r.writeTo(s, 1, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
		r.writeTo(s, 1, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		r.writeTo(s, 1, udpAddr("[::1]:9"))
		r.writeTo(six, 1, udpAddr("127.0.0.1:9"))
		n, err = s.WriteToUDPAddrPort(nil, netip.MustParseAddrPort("[::1]:9"))
		r.note("WriteToUDPAddrPort", n, err)
		n, err = s.WriteToUDPAddrPort(nil, netip.AddrPort{})
		r.note("WriteToUDPAddrPort to none", n, err)
		n, err = s.WriteToUDP(nil, nil)
		r.note("WriteToUDP to none", n, err)
		n, err = s.WriteToUDP([]byte("self"), &net.UDPAddr{Port: s.LocalAddr().(*net.UDPAddr).Port})
		r.note("WriteToUDP to oneself", n, err)
		r.settle()
		r.readFrom(s, 10)
	}},
	{"deadlines", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		c := r.connect("udp", address, "C")
		r.note("set", c.SetDeadline(time.Now().Add(-time.Second)))
		r.read(c, 10)
		r.readFrom(c, 10)
		r.write(c, "x")
		r.writeTo(s, 1, c.LocalAddr())
		r.settle()
		r.read(c, 10)
		r.read(c, 0)
		r.note("set", c.SetDeadline(time.Time{}))
		r.read(c, 10)
		r.note("set", c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		r.readFrom(c, 10)
		r.write(c, "x")
		r.note("set", c.SetWriteDeadline(time.Now().Add(-1)))
		r.write(c, "x")
	}},
	{"closed", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		c := r.connect("udp", address, "C")
		waited := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			waited <- err
		}()
		r.settle()
		r.note("close", c.Close())
		r.note("Read that waited", <-waited)
		r.note("close again", c.Close())
		r.read(c, 1)
		r.read(c, 0)
		r.readFrom(c, 1)
		r.write(c, "x")
		r.writeTo(s, 1, c.LocalAddr())
		r.note("set", c.SetDeadline(time.Time{}))
		r.note("set", c.SetReadBuffer(1000))
		r.note("addresses", c.LocalAddr(), c.RemoteAddr())
		r.note("close", s.Close())
		r.readFrom(s, 1)
		r.writeTo(s, 1, udpAddr(address))
	}},
	{"buffers", func(r *udpRun) {
		s, _ := r.open("udp", "127.0.0.1:0", "S")
		r.note("read buffer", s.SetReadBuffer(0), s.SetReadBuffer(1<<16))
		r.note("write buffer", s.SetWriteBuffer(0), s.SetWriteBuffer(1<<16))
	}},
	{"listening", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		for _, try := range []struct{ network, address string }{
			{"udp", address},
			{"udp4", address},
			{"udp4", strings.Replace(address, "127.0.0.1", "", 1)},
			{"udp", "192.0.2.1:0"},
			{"udp4", "[::1]:0"},
			{"udp6", "127.0.0.1:0"},
			{"udp", "127.0.0.1"},
			{"udp", "127.0.0.1:99999"},
			{"udp5", "127.0.0.1:0"},
			{"", "127.0.0.1:0"},
			{"tcp", "127.0.0.1:0"},
		} {
			c, err := r.listenPacket(try.network, try.address)
			r.note("ListenPacket "+try.network+" "+try.address, c == nil, err)
			if err == nil {
				c.Close()
			}
		}
		l, err := r.listen("udp", "127.0.0.1:0")
		r.note("Listen udp", l == nil, err)
		r.note("close", s.Close())
		again, err := r.listenPacket("udp", address)
		r.note("again", err)
		again.Close()
		for _, address := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "224.0.0.251:0"} {
			c, err := r.listenPacket("udp", address)
			if err != nil {
				r.note(address, err)
				continue
			}
			r.name(c.LocalAddr(), "X")
			r.note("address "+address, c.LocalAddr())
			c.Close()
		}
	}},
	{"dialling", func(r *udpRun) {
		s, address := r.open("udp", "127.0.0.1:0", "S")
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		for _, try := range []struct {
			ctx              context.Context
			local            net.Addr
			network, address string
		}{
			{nil, nil, "udp", "127.0.0.1"},
			{nil, nil, "udp", ""},
			{nil, nil, "udp4", "[::1]:9"},
			{nil, nil, "udp6", "127.0.0.1:9"},
			{nil, nil, "udp9", "127.0.0.1:9"},
			{nil, &net.TCPAddr{}, "udp", address},
			{nil, udpAddr("[::1]:0"), "udp", address},
			{nil, udpAddr("192.0.2.1:0"), "udp", address},
			{nil, s.LocalAddr(), "udp", address},
			{canceled, nil, "udp", address},
		} {
			if try.ctx == nil {
				try.ctx = context.Background()
			}
			c, err := r.dial(try.ctx, try.local, try.network, try.address)
			r.note(fmt.Sprintf("Dial %s %s from %v", try.network, try.address, try.local), c == nil, err)
			if err == nil {
				c.Close()
			}
		}
	}},
}

// UDP sockets do what package net's do over the kernel's loopback: bytes,
// addresses, errors with all that is in them.
func TestUDPSameAsPackageNet(t *testing.T) {
	for _, c := range udpCases {
		t.Run(c.name, func(t *testing.T) {
			kernel := &udpRun{T: t, udpHost: kernelUDP(), ports: map[string]string{}}
			c.run(kernel)
			var ours *udpRun
			synctest.Test(t, func(t *testing.T) {
				s := newHost(t, trivet.Config{}, nil, nil)
				ours = &udpRun{T: t, udpHost: trivetUDP(s), ports: map[string]string{}}
				c.run(ours)
				closeHost(t, s)
			})
			if len(ours.saw) != len(kernel.saw) {
				t.Fatalf("saw %q, want %q", ours.saw, kernel.saw)
			}
			for i, want := range kernel.saw {
				if ours.saw[i] != want {
					t.Errorf("got  %s\nwant %s", ours.saw[i], want)
				}
			}
		})
	}
}
