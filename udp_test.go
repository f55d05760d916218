package trivet_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

func listenUDP(t testing.TB, s *trivet.Stack, network, address string) *trivet.UDPConn {
	t.Helper()
	c, err := s.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*trivet.UDPConn)
}

func dialUDP(t testing.TB, s *trivet.Stack, network, address string) *trivet.UDPConn {
	t.Helper()
	c, err := s.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*trivet.UDPConn)
}

// serveUDPEcho sends back what it receives until the socket is closed.
func serveUDPEcho(c *trivet.UDPConn) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		c.WriteToUDPAddrPort(b[:n], from)
	}
}

// Datagrams of every size go there and back, over IPv4 and IPv6, whole or in
// fragments, with one shard and with several (RFC 768; RFC 791, Section 3.2). One
// is on its way at a time, so that no queue is full.
func TestUDPEcho(t *testing.T) {
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := newPair(t, pairConfig{host: trivet.Config{Shards: shards}})
				go serveUDPEcho(listenUDP(t, server, "udp", ":7")) // ends with the test
				for _, host := range []string{serverIP4, serverIP6} {
					for range 4 {
						c := dialUDP(t, client, "udp", net.JoinHostPort(host, "7"))
						for _, n := range []int{0, 1, 1452, 1472, 1473, 4000, 65507} {
							echoDatagram(t, c, n)
						}
					}
				}
				st := server.Stats()
				if want := uint64(8 * 7); st.UDP.In != want || st.UDP.Out != want || st.Fragments.Whole != 8*3+4 {
					t.Errorf("%+v, %+v; want %d in and out, %d in fragments", st.UDP, st.Fragments, want, 8*3+4)
				}
			})
		})
	}
}

func echoDatagram(t *testing.T, c *trivet.UDPConn, n int) {
	want := bytes.Repeat([]byte{byte(n)}, n)
	if k, err := c.Write(want); k != n || err != nil {
		t.Errorf("Write of %d bytes = %d, %v", n, k, err)
		return
	}
	got := make([]byte, 1<<16)
	k, err := c.Read(got)
	if err != nil || !bytes.Equal(got[:k], want) {
		t.Errorf("Read = %d bytes, %v; want %d", k, err, n)
	}
}

// The receive buffer is bounded; what it drops is counted for the socket and the
// host.
func TestUDPReceiveBufferFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newPair(t, pairConfig{})
		s := listenUDP(t, server, "udp", ":7")
		if err := s.SetReadBuffer(5000); err != nil {
			t.Fatal(err)
		}
		c := dialUDP(t, client, "udp", serverIP4+":7")
		for range 10 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if i, st := s.Info(), server.Stats(); i.Drops != 8 || st.UDP.QueueFull != 8 || st.UDP.In != 2 {
			t.Errorf("%d drops of the socket, %+v of the host; want 8", i.Drops, st.UDP)
		}
		if table := server.UDPSockets(); len(table) != 1 || table[0].Drops != 8 || table[0].Tuple.LocalPort != 7 {
			t.Errorf("UDPSockets = %+v", table)
		}
	})
}

// RFC 1122, Section 4.1.3: a connected socket learns that nobody is there, also
// from afar; while waiting too.
func TestUDPRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newPair(t, pairConfig{})
		for _, host := range []string{serverIP4, serverIP6} {
			c := dialUDP(t, client, "udp", net.JoinHostPort(host, "7"))
			c.Write([]byte("x"))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Read = %v, want ECONNREFUSED", err)
			}
		}
	})
}

// RFC 1112: datagrams to a group reach those who joined it, on both hosts; with
// several shards the reports come from shard 0 whatever the socket's.
func TestUDPMulticast(t *testing.T) {
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testMulticast(t, shards) })
		})
	}
}

func testMulticast(t *testing.T, shards int) {
	a, b := link.Pair(1500, link.PairOptions{})
	cfg := trivet.Config{Shards: shards}
	sender, receiver := newHost(t, cfg, a, clientPrefixes), newHost(t, cfg, b, serverPrefixes)
	for _, group := range []string{"239.1.2.3:5000", "[ff05::1]:5001"} {
		addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group))
		var members []*trivet.UDPConn
		for _, l := range []link.Link{nil, b} {
			c, err := receiver.ListenMulticastUDP("udp", l, addr)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, c)
		}
		own := listenUDP(t, sender, "udp", addr.String())
		if err := own.JoinGroup(nil, addr.AddrPort().Addr()); err != nil {
			t.Fatal(err)
		}
		if err := own.JoinGroup(a, addr.AddrPort().Addr()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("JoinGroup again = %v, want EADDRINUSE", err)
		}
		from := listenUDP(t, sender, "udp", ":0")
		hear := func(c *trivet.UDPConn, want bool) {
			t.Helper()
			c.SetReadDeadline(time.Now().Add(time.Second))
			n, d, err := c.ReadDatagram(make([]byte, 10))
			if heard := err == nil && n == 2; heard != want {
				t.Errorf("heard %v, want %v: %v", heard, want, err)
			}
			if err == nil && (d.To != addr.AddrPort().Addr() || d.TTL != 1) {
				t.Errorf("datagram %+v, want to %v with TTL 1", d, addr)
			}
		}
		say := func() {
			t.Helper()
			if _, err := from.WriteTo([]byte("hi"), addr); err != nil {
				t.Fatal(err)
			}
		}
		say()
		hear(members[0], true)
		hear(members[1], true)
		hear(own, true)
		from.SetMulticastLoopback(false)
		if err := members[1].LeaveGroup(b, addr.AddrPort().Addr()); err != nil {
			t.Error(err)
		}
		say()
		hear(members[0], true)
		hear(members[1], false)
		hear(own, false)
		members[0].Close()
		members[1].Close()
	}
	// The sender heard the reports to routers, and had no use for them.
	synctest.Wait()
	if n := sender.Stats().Drops[wire.DropICMPType]; n < 4 {
		t.Errorf("%d reports of groups, want entering and leaving of two", n)
	}
	closeHost(t, receiver)
	closeHost(t, sender)
}

// Calls that wait end when the host is closed, and new sockets are refused.
func TestUDPHostCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, trivet.Config{}, nil, nil)
		c := listenUDP(t, s, "udp", ":7")
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		closeHost(t, s)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read = %v, want net.ErrClosed", err)
		}
		if _, err := s.ListenPacket("udp", ":7"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ListenPacket after Close = %v, want net.ErrClosed", err)
		}
		if _, err := s.Dial("udp", "127.0.0.1:7"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial after Close = %v, want net.ErrClosed", err)
		}
	})
}

// A socket with a deadline in the future wakes up then, and not before.
func TestUDPDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, trivet.Config{}, nil, nil)
		c := listenUDP(t, s, "udp", ":7")
		start := time.Now()
		c.SetReadDeadline(start.Add(time.Hour))
		_, _, err := c.ReadFrom(make([]byte, 1))
		if d := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || d != time.Hour {
			t.Errorf("ReadFrom = %v after %v, want a time-out after an hour", err, d)
		}
		closeHost(t, s)
	})
}

// udpRound returns a function that sends n bytes there and back between two
// hosts.
func udpRound(t testing.TB, n int) (round, done func()) {
	client, server := newPair(t, pairConfig{host: trivet.Config{Shards: 1}})
	s := listenUDP(t, server, "udp", ":7")
	c := dialUDP(t, client, "udp", serverIP4+":7")
	ended := make(chan struct{})
	go func() {
		serveUDPEcho(s)
		close(ended)
	}()
	p, b := make([]byte, n), make([]byte, n)
	round = func() {
		if _, err := c.Write(p); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(b); err != nil {
			t.Error(err)
		}
	}
	return round, func() {
		s.Close()
		<-ended
	}
}

func BenchmarkUDPEcho(b *testing.B) {
	for _, n := range []int{64, 1400} {
		b.Run(fmt.Sprintf("size=%d", n), func(b *testing.B) {
			round, done := udpRound(b, n)
			defer done()
			b.ReportAllocs()
			b.SetBytes(int64(2 * n))
			for b.Loop() {
				round()
			}
		})
	}
}

// dnsServer answers queries for A records of names under example. over UDP and
// TCP; answers for "long.example." over UDP are truncated.
type dnsServer struct {
	mu      sync.Mutex
	queries []string // "udp name."
}

func (d *dnsServer) answer(network string, q []byte) []byte {
	name, end := "", 12
	for end < len(q) && q[end] != 0 {
		name += string(q[end+1:end+1+int(q[end])]) + "."
		end += 1 + int(q[end])
	}
	end += 5 // the root, type and class
	typ := binary.BigEndian.Uint16(q[end-4:])
	d.mu.Lock()
	d.queries = append(d.queries, network+" "+name)
	d.mu.Unlock()
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	switch {
	case !strings.HasSuffix(name, ".example."):
		a[3] |= 3 // no such name
	case network == "udp" && name == "long.example.":
		a[2] |= 2 // truncated
	case typ == 1:
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 0, 2)
	}
	return a
}

// serve answers until the sockets are closed.
func (d *dnsServer) serve(c *trivet.UDPConn, l *trivet.Listener) (stop func()) {
	var all sync.WaitGroup
	all.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(d.answer("udp", b[:n]), from)
		}
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				b := make([]byte, 1500)
				if _, err := io.ReadFull(conn, b[:2]); err != nil {
					return
				}
				n := int(binary.BigEndian.Uint16(b))
				if _, err := io.ReadFull(conn, b[:n]); err != nil {
					return
				}
				a := d.answer("tcp", b[:n])
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
			})
		}
	})
	return func() {
		c.Close()
		l.Close()
		all.Wait()
	}
}

// A net.Resolver whose Dial is the Stack's asks name servers over the Stack: by
// UDP, and again by TCP when the answer was truncated (RFC 7766, Section 5). A
// Dialer with that Resolver dials by name.
func TestResolverOverStack(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	dns := new(dnsServer)
	stop := dns.serve(listenUDP(t, server, "udp", ":53"), listen(t, server, "tcp", ":53"))
	defer stop()
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return client.DialContext(ctx, network, serverIP4+":53")
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, name := range []string{"short.example.", "long.example."} {
		addrs, err := resolver.LookupNetIP(ctx, "ip4", name)
		if err != nil || len(addrs) != 1 || addrs[0].Unmap().String() != serverIP4 {
			t.Errorf("LookupNetIP(%s) = %v, %v, want %s", name, addrs, err, serverIP4)
		}
	}
	if got := strings.Join(dns.queries, ", "); got != "udp short.example., udp long.example., tcp long.example." {
		t.Errorf("queries: %s", got)
	}
	var notFound *net.DNSError
	if _, err := resolver.LookupHost(ctx, "nowhere.invalid."); !errors.As(err, &notFound) || !notFound.IsNotFound {
		t.Errorf("LookupHost of no name = %v, want not found", err)
	}

	l := listen(t, server, "tcp4", ":80")
	d := trivet.Dialer{Stack: client, Resolver: resolver}
	c, err := d.DialContext(ctx, "tcp", "short.example.:80")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != serverIP4+":80" {
		t.Errorf("connected to %s, want %s:80", got, serverIP4)
	}
	c.Close()
	l.Close()
}
