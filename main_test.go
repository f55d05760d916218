package trivet_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
)

// TestMain fails when a test left a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if left := leftover(before); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left after the tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftover returns the stacks of the goroutines beyond the first n, or "" if
// they end within a while: net/http's take a moment to notice.
func leftover(n int) string {
	for range 100 {
		if runtime.NumGoroutine() <= n {
			return ""
		}
		runtime.Gosched()
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// The addresses of the two hosts that newPair joins.
var (
	clientPrefixes = prefixes("10.1.0.1/24", "fd00:1::1/64")
	serverPrefixes = prefixes("10.1.0.2/24", "fd00:1::2/64")
)

const (
	serverIP4 = "10.1.0.2"
	serverIP6 = "fd00:1::2"
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// pairConfig is what newPair is told. The zero value: plain packets of 1500
// bytes.
type pairConfig struct {
	mtu  int
	link link.PairOptions
	host trivet.Config
}

// newPair returns two hosts joined by a link in memory. At the end of the test
// they are closed, and nothing may be left of them.
func newPair(t testing.TB, cfg pairConfig) (client, server *trivet.Stack) {
	t.Helper()
	if cfg.mtu == 0 {
		cfg.mtu = 1500
	}
	a, b := link.Pair(cfg.mtu, cfg.link)
	client = newHost(t, cfg.host, a, clientPrefixes)
	server = newHost(t, cfg.host, b, serverPrefixes)
	// The client is closed first (cleanups run backwards), while the server
	// still answers.
	t.Cleanup(func() { closeHost(t, server) })
	t.Cleanup(func() { closeHost(t, client) })
	return client, server
}

func newHost(t testing.TB, cfg trivet.Config, l link.Link, p []netip.Prefix) *trivet.Stack {
	t.Helper()
	s, err := trivet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if l != nil {
		if err := s.AddLink(l, p...); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// closeHost closes a host, giving connections whose peers the test left open
// little time, and checks that no connection is left.
func closeHost(t testing.TB, s *trivet.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	s.Close(ctx) // resets what is left
	if left := s.Connections(); len(left) != 0 {
		t.Errorf("%v: left after Close: %+v", s, left)
	}
	if st := s.Stats(); st.Conns != 0 || st.HalfOpen != 0 || st.Listeners != 0 || st.AcceptWait != 0 {
		t.Errorf("%v: after Close: %d connections, %d half-open, %d listeners, %d to accept",
			s, st.Conns, st.HalfOpen, st.Listeners, st.AcceptWait)
	}
}

// listen listens on a port that the host chooses.
func listen(t testing.TB, s *trivet.Stack, network, address string) *trivet.Listener {
	t.Helper()
	l, err := s.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*trivet.Listener)
}

// connect returns the two ends of a connection between the hosts of newPair.
func connect(t testing.TB, client, server *trivet.Stack) (c, s *trivet.Conn) {
	t.Helper()
	l := listen(t, server, "tcp", serverIP4+":0")
	nc, err := client.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close(); s.Close() })
	return nc.(*trivet.Conn), s
}

// portOf returns ":port" of an address.
func portOf(a net.Addr) string {
	s := a.String()
	return s[strings.LastIndexByte(s, ':'):]
}
