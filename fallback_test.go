package trivet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
)

// RFC 8305, Section 5, as package net does it: when a name has addresses of both
// families, those of the other one are tried beside the first ones after 300 ms, or
// as soon as the first ones have failed. Whoever is connected first wins, and
// nothing is left of the other.
func TestFallback(t *testing.T) {
	const (
		deaf4, deaf6 = "10.1.0.7", "fd00:1::7" // nobody answers
		self4, self6 = "127.0.0.1", "::1"
	)
	for _, tt := range []struct {
		name    string
		addrs   []string
		network string
		delay   time.Duration // FallbackDelay
		closed  bool          // nobody listens
		want    string
		after   time.Duration
		err     error
	}{
		{name: "the first answers", addrs: []string{self6, deaf4}, want: self6},
		{name: "the first is deaf", addrs: []string{deaf6, self4}, want: self4, after: 300 * time.Millisecond},
		{name: "the first is deaf, IPv4", addrs: []string{deaf4, self6}, want: self6, after: 300 * time.Millisecond},
		{name: "a delay of one's own", addrs: []string{deaf6, self4}, delay: 2 * time.Second, want: self4, after: 2 * time.Second},
		{name: "no fallback", addrs: []string{deaf6, self4}, delay: -1, want: self4, after: 15 * time.Second},
		{name: "one family", addrs: []string{deaf4, self4}, want: self4, after: 15 * time.Second},
		{name: "families mixed", addrs: []string{deaf6, self4, self6}, want: self4, after: 300 * time.Millisecond},
		{name: "tcp6 only", network: "tcp6", addrs: []string{deaf6, self4, self6}, want: self6, after: 15 * time.Second},
		{name: "both refuse", addrs: []string{self6, self4}, closed: true, err: syscall.ECONNREFUSED},
		{name: "one refuses, one is deaf", addrs: []string{self6, deaf4}, closed: true, err: syscall.ECONNREFUSED, after: 30 * time.Second},
		{name: "both are deaf", addrs: []string{deaf6, deaf4}, err: context.DeadlineExceeded, after: 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := link.Pair(1500, link.PairOptions{})
				defer b.Close()
				resolve := func(context.Context, string) (all []netip.Addr, err error) {
					for _, s := range tt.addrs {
						all = append(all, netip.MustParseAddr(s))
					}
					return all, nil
				}
				s := newHost(t, trivet.Config{Resolve: resolve}, a, clientPrefixes)
				defer closeHost(t, s)
				l := listen(t, s, "tcp", ":7")
				if tt.closed {
					l.Close()
				}
				d := trivet.Dialer{Stack: s, Timeout: 30 * time.Second, FallbackDelay: tt.delay}
				network := "tcp"
				if tt.network != "" {
					network = tt.network
				}
				start := time.Now()
				c, err := d.Dial(network, "name.example:7")
				if got := time.Since(start); got != tt.after {
					t.Errorf("it took %v, want %v", got, tt.after)
				}
				switch {
				case !errors.Is(err, tt.err):
					t.Fatalf("Dial: %v, want %v", err, tt.err)
				case err == nil:
					if got := c.RemoteAddr().(*net.TCPAddr).IP.String(); got != tt.want {
						t.Errorf("connected to %s, want %s", got, tt.want)
					}
					c.Close()
				default:
					var op *net.OpError
					if !errors.As(err, &op) || op.Addr.(*net.TCPAddr).IP.String() != tt.addrs[0] {
						t.Errorf("the error is %v, want that of %s", err, tt.addrs[0])
					}
				}
				l.Close()
				synctest.Wait()
				if left := s.Stats().Conns; left != 0 {
					t.Errorf("%d connections left", left)
				}
			})
		})
	}
}
