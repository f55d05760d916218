package trivet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
)

// addressCalls are the calls that take an address, of package net or of a Stack.
// Those that open something return it.
type addressCalls struct {
	listen       func(network, address string) (net.Listener, error)
	listenPacket func(network, address string) (net.PacketConn, error)
	dial         func(local net.Addr, network, address string) (net.Conn, error)
	listenTCP    func(string, *net.TCPAddr) (net.Listener, error)
	listenUDP    func(string, *net.UDPAddr) (udpConn, error)
	dialTCP      func(string, *net.TCPAddr, *net.TCPAddr) (net.Conn, error)
	dialUDP      func(string, *net.UDPAddr, *net.UDPAddr) (net.Conn, error)
	dialerTCP    func(network string, local, remote netip.AddrPort) (net.Conn, error)
	dialerUDP    func(network string, local, remote netip.AddrPort) (net.Conn, error)
}

func kernelCalls() addressCalls {
	return addressCalls{
		listen:       net.Listen,
		listenPacket: net.ListenPacket,
		dial: func(local net.Addr, network, address string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: local}
			return d.Dial(network, address)
		},
		listenTCP: func(n string, a *net.TCPAddr) (net.Listener, error) { return net.ListenTCP(n, a) },
		listenUDP: func(n string, a *net.UDPAddr) (udpConn, error) { return net.ListenUDP(n, a) },
		dialTCP:   func(n string, l, r *net.TCPAddr) (net.Conn, error) { return net.DialTCP(n, l, r) },
		dialUDP:   func(n string, l, r *net.UDPAddr) (net.Conn, error) { return net.DialUDP(n, l, r) },
		dialerTCP: func(n string, l, r netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialTCP(context.Background(), n, l, r)
		},
		dialerUDP: func(n string, l, r netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialUDP(context.Background(), n, l, r)
		},
	}
}

func stackCalls(s *trivet.Stack) addressCalls {
	return addressCalls{
		listen:       s.Listen,
		listenPacket: s.ListenPacket,
		dial: func(local net.Addr, network, address string) (net.Conn, error) {
			d := trivet.Dialer{Stack: s, LocalAddr: local}
			return d.Dial(network, address)
		},
		listenTCP: func(n string, a *net.TCPAddr) (net.Listener, error) { return s.ListenTCP(n, a) },
		listenUDP: func(n string, a *net.UDPAddr) (udpConn, error) { return s.ListenUDP(n, a) },
		dialTCP:   func(n string, l, r *net.TCPAddr) (net.Conn, error) { return s.DialTCP(n, l, r) },
		dialUDP:   func(n string, l, r *net.UDPAddr) (net.Conn, error) { return s.DialUDP(n, l, r) },
		dialerTCP: func(n string, l, r netip.AddrPort) (net.Conn, error) {
			return (&trivet.Dialer{Stack: s}).DialTCP(context.Background(), n, l, r)
		},
		dialerUDP: func(n string, l, r netip.AddrPort) (net.Conn, error) {
			return (&trivet.Dialer{Stack: s}).DialUDP(context.Background(), n, l, r)
		},
	}
}

// addressIPs are IPs of all kinds that concern nobody but the host itself.
var addressIPs = []net.IP{
	nil, net.IPv4zero, net.IPv6zero, net.IPv4(127, 0, 0, 1), {127, 0, 0, 1}, net.IPv6loopback, {1, 2, 3, 4, 5, 6, 7, 8},
}

// outcomes is what the calls return, by call.
type outcomes struct {
	calls  []string
	result map[string]string
	port   string // of the server
}

func (o *outcomes) opened(call string, local, remote net.Addr, closer func() error) {
	o.saw(call, fmt.Sprintf("%v %T, %v %T", o.named(local), local, o.named(remote), remote))
	closer()
}

func (o *outcomes) failed(call string, err error) { o.saw(call, o.hide(chain(err))) }

func (o *outcomes) saw(call, result string) {
	call = strings.ReplaceAll(call, o.port, "server")
	o.calls = append(o.calls, call)
	o.result[call] = result
}

// named is an address whose port is the server's, or some.
func (o *outcomes) named(a net.Addr) string {
	if a == nil {
		return "none"
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil || port == o.port {
		return o.hide(a.String())
	}
	return host + " some port"
}

func (o *outcomes) hide(s string) string { return strings.ReplaceAll(s, ":"+o.port, ":server") }

// tryAddresses makes every call with every address.
func tryAddresses(t *testing.T, c addressCalls) *outcomes {
	l, err := c.listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	u, err := c.listenPacket("udp", portOf(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	o := &outcomes{result: map[string]string{}, port: fmt.Sprint(port)}
	for _, family := range []string{"", "4", "6", "9"} {
		o.byName(c, family, port)
		for _, ip := range append(addressIPs, net.IP{0}) {
			for _, p := range []int{0, -1, 1 << 16} {
				o.listening(c, family, end(ip, p))
			}
			for _, ip2 := range addressIPs {
				o.dialling(c, family, end(ip, 0), end(ip2, port))
			}
			o.dialling(c, family, end(ip, -1), end(ip, port))
			o.dialling(c, family, end(nil, 0), end(ip, 1<<16))
		}
		o.dialling(c, family, end(nil, 0), nil)
		o.writing(c, family, port)
	}
	return o
}

// end returns an address; nil for an IP of one byte.
func end(ip net.IP, port int) *net.UDPAddr {
	if len(ip) == 1 {
		return nil
	}
	return &net.UDPAddr{IP: ip, Port: port}
}

// byName opens by the text of an address.
func (o *outcomes) byName(c addressCalls, family string, port int) {
	for _, host := range []string{"", "0.0.0.0", "[::]", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"} {
		call := fmt.Sprintf("Listen tcp%s %s", family, host)
		if l, err := c.listen("tcp"+family, host+":0"); err != nil {
			o.failed(call, err)
		} else {
			o.opened(call, l.Addr(), nil, l.Close)
		}
		call = fmt.Sprintf("ListenPacket udp%s %s", family, host)
		if u, err := c.listenPacket("udp"+family, host+":0"); err != nil {
			o.failed(call, err)
		} else {
			o.opened(call, u.LocalAddr(), nil, u.Close)
		}
		for _, ip := range addressIPs {
			a := &net.TCPAddr{IP: ip}
			for network, local := range map[string]net.Addr{"tcp" + family: a, "udp" + family: (*net.UDPAddr)(a)} {
				call := fmt.Sprintf("Dial %s %s from %v", network, host, []byte(ip))
				if d, err := c.dial(local, network, fmt.Sprintf("%s:%d", host, port)); err != nil {
					o.failed(call, err)
				} else {
					o.opened(call, d.LocalAddr(), d.RemoteAddr(), d.Close)
				}
			}
		}
	}
}

func (o *outcomes) listening(c addressCalls, family string, a *net.UDPAddr) {
	call := fmt.Sprintf("ListenTCP tcp%s %v", family, a)
	if l, err := c.listenTCP("tcp"+family, (*net.TCPAddr)(a)); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, l.Addr(), nil, l.Close)
	}
	call = fmt.Sprintf("ListenUDP udp%s %v", family, a)
	if u, err := c.listenUDP("udp"+family, a); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, u.LocalAddr(), nil, u.Close)
	}
}

func (o *outcomes) dialling(c addressCalls, family string, from, to *net.UDPAddr) {
	call := fmt.Sprintf("DialTCP tcp%s %v %v", family, from, to)
	if d, err := c.dialTCP("tcp"+family, (*net.TCPAddr)(from), (*net.TCPAddr)(to)); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, d.LocalAddr(), d.RemoteAddr(), d.Close)
	}
	call = fmt.Sprintf("DialUDP udp%s %v %v", family, from, to)
	if d, err := c.dialUDP("udp"+family, from, to); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, d.LocalAddr(), d.RemoteAddr(), d.Close)
	}
	if from == nil || to == nil || from.Port != 0 || to.Port >= 1<<16 {
		return
	}
	l, r := from.AddrPort(), to.AddrPort()
	call = fmt.Sprintf("Dialer.DialTCP tcp%s %v %v", family, l, r)
	if d, err := c.dialerTCP("tcp"+family, l, r); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, d.LocalAddr(), d.RemoteAddr(), d.Close)
	}
	call = fmt.Sprintf("Dialer.DialUDP udp%s %v %v", family, l, r)
	if d, err := c.dialerUDP("udp"+family, l, r); err != nil {
		o.failed(call, err)
	} else {
		o.opened(call, d.LocalAddr(), d.RemoteAddr(), d.Close)
	}
}

func (o *outcomes) writing(c addressCalls, family string, port int) {
	for _, local := range addressIPs {
		u, err := c.listenUDP("udp"+family, end(local, 0))
		if err != nil {
			continue
		}
		for _, ip := range addressIPs {
			for _, p := range []int{port, 0, 1 << 16} {
				call := fmt.Sprintf("WriteTo on udp%s %v to %v", family, local, end(ip, p))
				if n, err := u.WriteToUDP(nil, end(ip, p)); err != nil {
					o.failed(call, err)
				} else {
					o.saw(call, fmt.Sprint(n))
				}
			}
			if a, ok := netip.AddrFromSlice(ip); ok {
				call := fmt.Sprintf("WriteToUDPAddrPort on udp%s %v to %v", family, local, a)
				if n, err := u.WriteToUDPAddrPort(nil, netip.AddrPortFrom(a, uint16(port))); err != nil {
					o.failed(call, err)
				} else {
					o.saw(call, fmt.Sprint(n))
				}
			}
		}
		// Ports of local ends differ, and errors name them.
		_, p, _ := net.SplitHostPort(u.LocalAddr().String())
		for call, result := range o.result {
			o.result[call] = strings.ReplaceAll(result, ":"+p+"->", ":local->")
		}
		u.Close()
	}
}

// Every call that takes an address takes, refuses and understands the same ones as
// package net: IPv4-mapped addresses, the unspecified ones of either family, ends
// of different families, ports that are none, no address at all.
func TestAddressesAsPackageNet(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		netns.Unavailable(t, "the kernel has no IPv6: %v", err)
	}
	six.Close()
	s := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, s)
	got, want := tryAddresses(t, stackCalls(s)), tryAddresses(t, kernelCalls())
	for _, call := range want.calls {
		if got.result[call] != want.result[call] {
			t.Errorf("%s:\n%s\npackage net:\n%s", call, got.result[call], want.result[call])
		}
	}
}

// Dialer.DialTCP and DialUDP keep to the Dialer's time and to the context.
func TestDialEndpointInTime(t *testing.T) {
	s := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, s)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	to := netip.MustParseAddrPort("127.0.0.1:9")
	for _, try := range []struct {
		ctx     context.Context
		timeout time.Duration
		want    error
	}{
		{canceled, 0, context.Canceled},
		{context.Background(), -1, context.DeadlineExceeded},
	} {
		d := trivet.Dialer{Stack: s, Timeout: try.timeout}
		if _, err := d.DialTCP(try.ctx, "tcp", netip.AddrPort{}, to); !errors.Is(err, try.want) {
			t.Errorf("DialTCP: %v, want %v", err, try.want)
		}
		if _, err := d.DialUDP(try.ctx, "udp", netip.AddrPort{}, to); !errors.Is(err, try.want) {
			t.Errorf("DialUDP: %v, want %v", err, try.want)
		}
	}
}
