package trivet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

func TestConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  trivet.Config
		ok   bool
	}{
		{name: "zero", ok: true},
		{name: "TimeWait smallest", cfg: trivet.Config{TimeWait: time.Second}, ok: true},
		{name: "TimeWait largest", cfg: trivet.Config{TimeWait: 240 * time.Second}, ok: true},
		{name: "TimeWait too small", cfg: trivet.Config{TimeWait: time.Second - 1}},
		{name: "TimeWait too large", cfg: trivet.Config{TimeWait: 240*time.Second + 1}},
		{name: "known congestion control", cfg: trivet.Config{TCP: tcp.Config{Congestion: "reno"}}, ok: true},
		{name: "unknown congestion control", cfg: trivet.Config{TCP: tcp.Config{Congestion: "vegas"}}},
		{name: "most shards", cfg: trivet.Config{Shards: 64}, ok: true},
		{name: "too many shards", cfg: trivet.Config{Shards: 65}},
		{name: "negative shards", cfg: trivet.Config{Shards: -1}},
		{name: "ports backwards", cfg: trivet.Config{FirstPort: 2000, LastPort: 1000}},
		{name: "last port under the default first", cfg: trivet.Config{LastPort: 1000}},
		{name: "first port over the default last", cfg: trivet.Config{FirstPort: 61000}},
		{name: "low ports", cfg: trivet.Config{FirstPort: 1024, LastPort: 2000}, ok: true},
		{name: "negative backlog", cfg: trivet.Config{MaxBacklog: -1}},
		{name: "negative buffer", cfg: trivet.Config{RecvBuffer: -1}},
		{name: "negative time-out", cfg: trivet.Config{TCP: tcp.Config{MaxRTO: -1}}},
		{name: "negative retries", cfg: trivet.Config{TCP: tcp.Config{Retries: -1}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := trivet.New(test.cfg)
			if (err == nil) != test.ok || (err != nil && !errors.Is(err, trivet.ErrConfig)) {
				t.Errorf("New(%+v) = %v, want success %v", test.cfg, err, test.ok)
			}
			if err == nil {
				closeHost(t, s)
			}
		})
	}
}

// Links come and go; what is not attached is told apart.
func TestLinks(t *testing.T) {
	s := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, s)
	a, b := link.Pair(1500, link.PairOptions{})
	net10 := netip.MustParsePrefix("10.0.0.0/8")
	if err := s.AddRoute(net10, a); !errors.Is(err, trivet.ErrNoLink) {
		t.Errorf("AddRoute before AddLink: %v, want %v", err, trivet.ErrNoLink)
	}
	if err := s.RemoveLink(a); !errors.Is(err, trivet.ErrNoLink) {
		t.Errorf("RemoveLink before AddLink: %v, want %v", err, trivet.ErrNoLink)
	}
	if _, err := s.Dial("tcp", "10.1.0.2:1"); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("Dial without a link: %v, want %v", err, syscall.ENETUNREACH)
	}
	if err := s.AddLink(a, clientPrefixes...); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dial("tcp", "192.0.2.1:1"); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("Dial without a route: %v, want %v", err, syscall.ENETUNREACH)
	}
	if err := s.AddRoute(net10, a); err != nil {
		t.Errorf("AddRoute: %v", err)
	}
	if err := s.AddLink(a, clientPrefixes...); !errors.Is(err, trivet.ErrLinkAttached) {
		t.Errorf("second AddLink: %v, want %v", err, trivet.ErrLinkAttached)
	}
	if err := s.AddLink(b, prefixes("224.0.0.1/24")...); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("AddLink with a multicast address: %v, want %v", err, syscall.EINVAL)
	}
	for _, bad := range []struct {
		l        link.Link
		prefixes []netip.Prefix
		text     string
	}{
		{nil, clientPrefixes, "no link"},
		{link.Loopback(68), prefixes("192.0.2.1/24"), "MTU 68"},
		{link.Loopback(70000), prefixes("192.0.2.1/24"), "65535"},
		{b, prefixes("255.255.255.255/32"), "unicast"},
	} {
		if err := s.AddLink(bad.l, bad.prefixes...); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), bad.text) {
			t.Errorf("AddLink: %v, want %v with %q", err, syscall.EINVAL, bad.text)
		}
	}
	if err := s.AddRoute(netip.Prefix{}, a); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "route") {
		t.Errorf("AddRoute of nothing: %v, want %v and what cannot be done", err, syscall.EINVAL)
	}
	if got := len(s.Stats().Links); got != 2 {
		t.Errorf("%d links, want 2 with the loopback", got)
	}
	if err := s.RemoveLink(a); err != nil {
		t.Errorf("RemoveLink: %v", err)
	}
	if _, err := a.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write to a removed link: %v, want %v", err, net.ErrClosed)
	}
	if err := s.AddLink(b, clientPrefixes...); err != nil {
		t.Errorf("AddLink of another link with the same addresses: %v", err)
	}
}

// AddRoute reaches hosts beyond the link's own network.
func TestAddRoute(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	client := newHost(t, trivet.Config{}, a, prefixes("10.1.0.1/32"))
	server := newHost(t, trivet.Config{}, b, prefixes("192.0.2.1/32"))
	defer closeHost(t, server)
	defer closeHost(t, client)
	if err := client.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), a); err != nil {
		t.Fatal(err)
	}
	if err := server.AddRoute(netip.MustParsePrefix("10.1.0.0/16"), b); err != nil {
		t.Fatal(err)
	}
	l := listen(t, server, "tcp", ":7")
	wait := echo(l)
	c, err := client.Dial("tcp", "192.0.2.1:7")
	if err != nil {
		t.Fatal(err)
	}
	if err := exchange(c); err != nil {
		t.Error(err)
	}
	c.Close()
	l.Close()
	wait()
}

// LinkDown is told of a link that fails, not of one that is closed.
func TestLinkDown(t *testing.T) {
	broken := errors.New("broken")
	down := make(chan error, 2)
	cfg := trivet.Config{LinkDown: func(_ link.Link, err error) { down <- err }}
	s := newHost(t, cfg, failingLink{err: broken}, clientPrefixes)
	if err := <-down; !errors.Is(err, broken) {
		t.Errorf("LinkDown(%v), want %v", err, broken)
	}
	for _, l := range s.Stats().Links {
		if _, ours := l.Link.(failingLink); ours != errors.Is(l.Down, broken) || !ours && l.Down != nil {
			t.Errorf("Stats of %T: down with %v", l.Link, l.Down)
		}
	}
	closeHost(t, s)
	if len(down) > 0 {
		t.Errorf("LinkDown(%v) after Close", <-down)
	}
}

// failingLink is a link whose Read fails at once.
type failingLink struct{ err error }

func (l failingLink) Read([]wire.Packet) (int, error)    { return 0, l.err }
func (l failingLink) Write(p []wire.Packet) (int, error) { return len(p), nil }
func (l failingLink) MTU() int                           { return 1500 }
func (l failingLink) Offloads() link.Offloads            { return 0 }
func (l failingLink) Close() error                       { return nil }

// After Close everything says net.ErrClosed, and a second Close too.
func TestStackClosed(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, _ := connect(t, client, server)
	l := listen(t, client, "tcp", ":0")
	closeHost(t, client)
	ctx := context.Background()
	calls := []struct {
		name string
		call func() error
	}{
		{"Close", func() error { return client.Close(ctx) }},
		{"Listen", func() error { _, err := client.Listen("tcp", ":0"); return err }},
		{"Dial", func() error { _, err := client.Dial("tcp", serverIP4+":1"); return err }},
		{"AddLink", func() error { a, _ := link.Pair(1500, link.PairOptions{}); return client.AddLink(a) }},
		{"Accept", func() error { _, err := l.Accept(); return err }},
		{"Listener.Close", l.Close},
		{"Read", func() error { _, err := c.Read(make([]byte, 1)); return err }},
		{"Write", func() error { _, err := c.Write(make([]byte, 1)); return err }},
		{"Conn.Close", c.Close},
	}
	for _, call := range calls {
		if err := call.call(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Stack.Close: %v, want %v", call.name, err, net.ErrClosed)
		}
	}
	if got := c.Info().State; got != tcp.StateClosed {
		t.Errorf("state after Stack.Close is %v, want CLOSED", got)
	}
}

// Close sends FIN on every connection and waits for the peers (SOCK-53).
func TestStackCloseGraceful(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, s := connect(t, client, server)
	if _, err := c.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		all, err := io.ReadAll(s)
		if string(all) != "last words" {
			err = fmt.Errorf("read %q, %v", all, err)
		}
		s.Close()
		done <- err
	}()
	if err := client.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Close resets the connections whose peers do not end in time, and says so.
func TestStackCloseForced(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	_, s := connect(t, client, server)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := client.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want %v", err, context.DeadlineExceeded)
	}
	buf := make([]byte, 1)
	var err error
	for err == nil || errors.Is(err, io.EOF) {
		// The FIN comes first; a write is answered by the reset.
		if _, err = s.Read(buf); errors.Is(err, io.EOF) {
			_, err = s.Write(buf)
		}
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("peer of a reset connection: %v, want EPIPE or ECONNRESET", err)
	}
}

// Calls that wait end with net.ErrClosed when the stack is closed.
func TestStackCloseWakes(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, _ := connect(t, client, server)
	l := listen(t, client, "tcp", ":0")
	results := make(chan error, 3)
	go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
	go func() { _, err := c.Write(make([]byte, 64<<20)); results <- err }()
	go func() { _, err := l.Accept(); results <- err }()
	closeHost(t, client)
	for range cap(results) {
		if err := <-results; !errors.Is(err, net.ErrClosed) {
			t.Errorf("call that waited: %v, want %v", err, net.ErrClosed)
		}
	}
}

// The socket table shows listeners once, connections with their state, and
// TIME-WAIT.
func TestConnections(t *testing.T) {
	client, server := newPair(t, pairConfig{host: trivet.Config{Shards: 4}})
	c, s := connect(t, client, server)
	listen(t, server, "tcp", ":80")
	want := func(name string, stack *trivet.Stack, want map[tcp.State]int) {
		t.Helper()
		got := map[tcp.State]int{}
		for _, info := range stack.Connections() {
			got[info.State]++
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: sockets by state %v, want %v", name, got, want)
		}
	}
	want("open, client", client, map[tcp.State]int{tcp.StateEstablished: 1})
	want("open, server", server, map[tcp.State]int{tcp.StateEstablished: 1, tcp.StateListen: 2})
	c.Close()
	s.Read(make([]byte, 1)) // the FIN has come
	want("half closed, server", server, map[tcp.State]int{tcp.StateCloseWait: 1, tcp.StateListen: 2})
	s.Close()
	closeGracefully(t, server) // waits for the ACK of our FIN
	want("closed, client", client, map[tcp.State]int{tcp.StateTimeWait: 1})
}

// Names go to Config.Resolve; without it only localhost is one.
func TestResolve(t *testing.T) {
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "self.example":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}, nil
		case "six.example":
			return []netip.Addr{netip.IPv6Loopback()}, nil
		}
		return nil, errors.New("who?")
	}
	s := newHost(t, trivet.Config{Resolve: resolve}, nil, nil)
	defer closeHost(t, s)
	l4 := listen(t, s, "tcp4", "self.example:0")
	for _, test := range []struct {
		network, host string
		want          string
	}{
		{"tcp", "self.example", ""},
		{"tcp4", "self.example", ""},
		{"tcp", "localhost", ""},
		{"tcp6", "self.example", "dial tcp6 [::1]" + portOf(l4.Addr()) + ": connect: connection refused"},
		{"tcp", "six.example", "dial tcp [::1]" + portOf(l4.Addr()) + ": connect: connection refused"},
		{"tcp4", "six.example", "dial tcp4: address six.example: no suitable address found"},
		{"tcp", "none.example", "dial tcp: lookup none.example: who?"},
	} {
		c, err := s.Dial(test.network, test.host+portOf(l4.Addr()))
		if got := fmt.Sprint(err); err != nil && got != test.want || err == nil && test.want != "" {
			t.Errorf("Dial(%q, %q): %v, want %q", test.network, test.host, err, test.want)
		}
		if err == nil {
			c.Close()
		}
	}
	bare := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, bare)
	_, err := bare.Dial("tcp", "self.example:80")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("Dial of a name without Resolve: %v, want a net.DNSError with IsNotFound", err)
	}
}

// Whatever bytes come from a link are counted and dropped, and the host goes
// on.
func TestGarbage(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	s := newHost(t, trivet.Config{Shards: 3}, a, clientPrefixes)
	defer closeHost(t, s)
	listen(t, s, "tcp", ":7")
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 3000
	for range n {
		bytes := make([]byte, rng.IntN(120))
		for i := range bytes {
			bytes[i] = byte(rng.Uint32())
		}
		if len(bytes) > 9 && rng.IntN(2) == 0 { // begins like IPv4 with TCP in it
			bytes[0], bytes[9] = 0x45, 6
			bytes[2], bytes[3] = 0, byte(len(bytes))
		}
		var p [1]wire.Packet
		p[0].SetBytes(bytes)
		if _, err := b.Write(p[:]); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Dial("tcp", "10.1.0.1:7")
	if err != nil {
		t.Fatalf("Dial after garbage: %v", err)
	}
	c.Close()
	for s.Stats().PacketsIn < n {
		runtime.Gosched()
	}
	var dropped uint64
	for _, count := range s.Stats().Drops {
		dropped += count
	}
	if dropped < n {
		t.Errorf("%d packets counted as dropped, want %d", dropped, n)
	}
}

// The trace hook sees both ends of a conversation; with one shard, one event
// at a time.
func TestTrace(t *testing.T) {
	edges := map[string]int{}
	cfg := trivet.Config{Shards: 1}
	cfg.TCP.Trace = func(e *tcp.Event) {
		if e.Kind == tcp.EventState {
			edges[e.From.String()+" to "+e.To.String()]++
		}
	}
	s := newHost(t, cfg, nil, nil)
	l := listen(t, s, "tcp", "localhost:7")
	c, err := s.Dial("tcp", "localhost:7")
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v, want %v", err, io.EOF)
	}
	p.Close()
	l.Close()
	closeGracefully(t, s)
	for _, edge := range []string{
		"CLOSED to SYN-SENT", "SYN-SENT to ESTABLISHED", "SYN-RECEIVED to ESTABLISHED", "ESTABLISHED to FIN-WAIT-1",
		"ESTABLISHED to CLOSE-WAIT", "CLOSE-WAIT to LAST-ACK", "LAST-ACK to CLOSED",
	} {
		if edges[edge] != 1 {
			t.Errorf("%s: %d times, want 1; all: %v", edge, edges[edge], edges)
		}
	}
}

// A stack tells its name and its time, and listens as net.ListenTCP does.
func TestSmallThings(t *testing.T) {
	s := newHost(t, trivet.Config{Name: "host"}, nil, nil)
	defer closeHost(t, s)
	if got := s.String(); got != "host" {
		t.Errorf("String() = %q, want host", got)
	}
	if first := s.Now(); first == 0 || s.Now() < first {
		t.Errorf("Now() = %v, then earlier", first)
	}
	l, err := s.ListenTCP("tcp6", nil)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	c, err := s.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv6unspecified, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := s.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback, Port: port}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("ListenTCP: %v, want %v", err, syscall.EADDRINUSE)
	}
	if _, err := s.DialTCP("tcp", nil, nil); err == nil {
		t.Error("DialTCP to no address succeeded")
	}
	l.Close()
}

// ForgetPaths: a dial with Fast Open to a server whose cookie was forgotten waits for
// the handshake again, and the next one does not.
func TestForgetPaths(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	lc := trivet.ListenConfig{Stack: server, FastOpen: 10}
	l, err := lc.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := trivet.Dialer{Stack: client, Options: tcp.Options{FastOpen: true}}
	for i, want := range []tcp.State{tcp.StateEstablished, tcp.StateSynSent, tcp.StateEstablished, tcp.StateSynSent} {
		if i == 2 {
			client.ForgetPaths()
		}
		c, err := d.Dial("tcp", net.JoinHostPort(serverIP4, "80"))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.(*trivet.Conn).Info().State; got != want {
			t.Errorf("dial %d returns in state %v, want %v", i, got, want)
		}
		c.Close()
	}
}

// stubborn is a link whose Read ends a while after Close.
type stubborn struct {
	*link.Memory
	release chan struct{}
}

func (l *stubborn) Read(pkts []wire.Packet) (int, error) {
	n, err := l.Memory.Read(pkts)
	if err != nil {
		<-l.release
	}
	return n, err
}

// When Close returns no goroutine of the stack is left, not even that of a link
// which is being removed.
func TestStackCloseDuringRemoveLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := link.Pair(1500, link.PairOptions{})
		l := &stubborn{a, make(chan struct{})}
		s := newHost(t, trivet.Config{}, l, clientPrefixes)
		removed, closed := make(chan error, 1), make(chan error, 1)
		go func() { removed <- s.RemoveLink(l) }()
		synctest.Wait()
		go func() { closed <- s.Close(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Errorf("Close: %v while the link is read from", err)
			closed <- err
		default:
		}
		close(l.release)
		if err := errors.Join(<-removed, <-closed); err != nil {
			t.Error(err)
		}
	})
}

// babbler is a link that goes on reading after Close: packets that are none, or
// nothing at all.
type babbler struct {
	link.Link
	packets int
}

func (b *babbler) Read(pkts []wire.Packet) (int, error) {
	for i := range pkts[:b.packets] {
		pkts[i].SetBytes([]byte{0x45, 0, 0})
	}
	return b.packets, nil
}

// A link whose Read does not end with Close does not keep RemoveLink and
// Stack.Close waiting.
func TestLinkThatReadsOn(t *testing.T) {
	for _, packets := range []int{0, 1} {
		a, b := link.Pair(1500, link.PairOptions{})
		s := newHost(t, trivet.Config{}, &babbler{a, packets}, clientPrefixes)
		second := &babbler{b, packets}
		if err := s.AddLink(second, serverPrefixes...); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveLink(second); err != nil {
			t.Error(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A Dialer or ListenConfig whose Stack was forgotten says so, and so does a Stack
// that New has not made.
func TestNoStack(t *testing.T) {
	for _, s := range []*trivet.Stack{nil, {}} {
		d, lc := trivet.Dialer{Stack: s}, trivet.ListenConfig{Stack: s}
		a := netip.MustParseAddrPort("127.0.0.1:1")
		for name, call := range map[string]func() error{
			"Dial tcp":           func() error { return fails(d.Dial("tcp", "127.0.0.1:1")) },
			"Dial udp":           func() error { return fails(d.Dial("udp", "127.0.0.1:1")) },
			"Dial by name":       func() error { return fails(d.Dial("tcp", "host:1")) },
			"DialTCP":            func() error { return fails(d.DialTCP(t.Context(), "tcp", netip.AddrPort{}, a)) },
			"Stack.DialTCP":      func() error { return fails(s.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(a))) },
			"Stack.DialUDP":      func() error { return fails(s.DialUDP("udp", nil, net.UDPAddrFromAddrPort(a))) },
			"Listen":             func() error { return fails(lc.Listen(t.Context(), "tcp", ":1")) },
			"Listen everywhere":  func() error { return fails(lc.Listen(t.Context(), "tcp", "")) },
			"ListenPacket":       func() error { return fails(lc.ListenPacket(t.Context(), "udp", ":1")) },
			"Stack.ListenTCP":    func() error { return fails(s.ListenTCP("tcp", nil)) },
			"Stack.ListenUDP":    func() error { return fails(s.ListenUDP("udp", nil)) },
			"ListenMulticastUDP": func() error { return fails(s.ListenMulticastUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 5)})) },
			"AddLink":            func() error { return s.AddLink(link.Loopback(1500), clientPrefixes...) },
		} {
			if err := call(); err == nil || !strings.Contains(err.Error(), "no Stack") {
				t.Errorf("%s: %v, want an error that says that there is no Stack", name, err)
			}
		}
	}
}

// fails returns the error of a call.
func fails[T any](_ T, err error) error { return err }
