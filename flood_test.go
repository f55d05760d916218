package trivet_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// R4987-16: an operator learns of a SYN flood, once when it begins and once when it
// is over, whichever shards it reached.
func TestFloodIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.Pair(1500, link.PairOptions{})
		var lines []string
		s := newHost(t, trivet.Config{
			Shards: 4, SynBacklog: 8,
			Flood: func(f trivet.Flood) { lines = append(lines, f.String()) },
		}, a, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")})
		defer closeHost(t, s)
		ln, err := s.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()

		flood(t, b, 2008, 80, wire.SYN)
		time.Sleep(10 * time.Second)
		flood(t, b, 500, 80, wire.SYN)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		n := s.Stats().CookiesSent
		want := []string{
			"SYN flood on :80: 2,000 SYN/s, cookies on",
			"SYN flood on :80 is over: 2,492 SYNs in 11s",
		}
		// Eight of the second 500 are of those that the queue remembers.
		if n != 2492 || !slices.Equal(lines, want) {
			t.Errorf("%d cookies, told %q; want 2492, %q", n, lines, want)
		}
		flood(t, b, 500, 80, wire.SYN) // another one
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(lines) != 3 {
			t.Errorf("told %q", lines)
		}
	})
}

// A Flood is a line for a log.
func TestFloodString(t *testing.T) {
	f := trivet.Flood{Listener: netip.MustParseAddrPort("10.0.0.1:80"), SYNs: 71_000, Took: time.Second}
	if got, want := f.String(), "SYN flood on 10.0.0.1:80: 71,000 SYN/s, cookies off"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// ListenConfig and Config refuse what makes no sense.
func TestBadSynCookies(t *testing.T) {
	if _, err := trivet.New(trivet.Config{SynCookies: engine.CookiesNever + 1}); err == nil {
		t.Error("New took an unknown SynCookies")
	}
}
