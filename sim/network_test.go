package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// bad is a link on which everything happens.
var bad = Settings{
	Delay: 5 * time.Millisecond, Jitter: time.Millisecond, Rate: 50e6,
	Loss: 0.05, Duplicate: 0.02, Reorder: 0.05, Corrupt: 0.02,
}

// fingerprint runs an exchange over a bad link and returns a hash of every
// packet between the two hosts, with its times and fate.
func fingerprint(t *testing.T, seed uint64, build func(*pair)) [32]byte {
	h := sha256.New()
	p := newPair(t, seed, engine.Config{}, Symmetric(bad))
	p.quiet = true
	p.onPacket = func(now tcp.Time, q *trace.Packet) {
		if q.From == "client" || q.To == "client" {
			fmt.Fprintf(h, "%d %d %s %v %v %v %x\n", now, q.Copy, q.From, q.Sent, q.End, q.Fate, q.Data)
		}
	}
	if build != nil {
		build(p)
	}
	x := exchange{request: pseudoRandom(100_000, 1), response: pseudoRandom(100_000, 2)}
	x.start(p)
	p.until("both forget", 24*time.Hour, p.over)
	x.check(p)
	return [32]byte(h.Sum(nil))
}

// The same seed gives the same bytes at the same times; another seed gives
// others.
func TestSameSeedSameRun(t *testing.T) {
	first := fingerprint(t, 1, nil)
	if again := fingerprint(t, 1, nil); again != first {
		t.Error("the second run with the same seed differs from the first")
	}
	if other := fingerprint(t, 2, nil); other == first {
		t.Error("another seed gives the same run")
	}
}

// Another host with a link of its own, and traffic on it, does not change the
// luck of the first link.
func TestLinksDoNotShareLuck(t *testing.T) {
	alone := fingerprint(t, 1, nil)
	withMore := fingerprint(t, 1, func(p *pair) {
		other := p.AddHost("other", engine.Config{})
		p.Connect(other, p.server, Symmetric(bad))
		if _, err := p.server.Listen(9, func(c *Conn) {
			Receive(c, func([]byte) {}, func(error) { c.Close() })
		}); err != nil {
			t.Fatal(err)
		}
		c, err := other.Dial(netip.AddrPortFrom(p.server.Addr(), 9), tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.Await(tcp.Connected, func() { Send(c, pseudoRandom(20_000, 3), func(error) { c.Close() }) })
	})
	if withMore != alone {
		t.Error("a second link changed what happens on the first")
	}
}

// Calls happen at their time, in the order of time and then of entry.
func TestAfter(t *testing.T) {
	n := New(Config{})
	var got []string
	note := func(s string) func() {
		return func() { got = append(got, fmt.Sprintf("%s@%v", s, n.Now().Sub(tcp.Time(time.Second)))) }
	}
	n.After(2*time.Second, note("c"))
	n.After(time.Second, note("a"))
	n.After(time.Second, note("b"))
	n.After(-time.Second, note("now"))
	err := n.RunUntil(func() bool { return false }, time.Hour)
	if want := "[now@0s a@1s b@1s c@2s]"; fmt.Sprint(got) != want || !errors.Is(err, ErrIdle) {
		t.Errorf("calls %v, error %v, want %v, %v", got, err, want, ErrIdle)
	}
}

func TestRunLimits(t *testing.T) {
	n := New(Config{Start: 5})
	n.After(time.Hour, func() {})
	if err := n.RunUntil(func() bool { return false }, time.Minute); !errors.Is(err, ErrLimit) {
		t.Errorf("RunUntil = %v, want %v", err, ErrLimit)
	}
	if got, want := n.Now(), tcp.Time(5).Add(time.Minute); got != want {
		t.Errorf("it is %v, want %v", got, want)
	}
	n.RunFor(2 * time.Hour)
	if got, want := n.Now(), tcp.Time(5).Add(time.Minute+2*time.Hour); got != want {
		t.Errorf("after RunFor it is %v, want %v", got, want)
	}
	if n.Step() {
		t.Error("Step with nothing left to happen = true")
	}
}

// An application that awaits what it has and does not use would keep the loop
// at one moment for ever: that is noticed.
func TestStandstillPanics(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, _ := p.open(tcp.Options{})
	var again func()
	again = func() { client.Await(tcp.Writable, again) }
	again()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "steps at") {
			t.Errorf("recover() = %v, want a panic about steps at one moment", r)
		}
	}()
	p.RunFor(time.Second)
}

// BenchmarkLoop is bulk data between two simulated hosts: how many segments
// the loop, both engines and the link do in a second.
func BenchmarkLoop(b *testing.B) {
	for _, tt := range []struct {
		super    int
		coalesce time.Duration
	}{{0, 0}, {60_000, 0}, {60_000, 20 * time.Microsecond}} {
		b.Run(fmt.Sprintf("super=%d/coalesce=%v", tt.super, tt.coalesce), func(b *testing.B) {
			link := Symmetric(Settings{Delay: time.Millisecond, Rate: 10e9, Coalesce: tt.coalesce})
			link.MaxSuper = tt.super
			n := New(Config{Seed: 1})
			client, server := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
			l := n.Connect(client, server, link)
			received := 0
			if _, err := server.Listen(webPort, func(c *Conn) {
				Receive(c, func(p []byte) { received += len(p) }, nil)
			}); err != nil {
				b.Fatal(err)
			}
			c, err := client.Dial(netip.AddrPortFrom(server.Addr(), webPort), tcp.Options{})
			if err != nil {
				b.Fatal(err)
			}
			const size = 1 << 20
			data := make([]byte, size)
			open := func() bool { return c.State() == tcp.StateEstablished }
			if err := n.RunUntil(open, time.Minute); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			want := 0
			for b.Loop() {
				want += size
				Send(c, data, nil)
				if err := n.RunUntil(func() bool { return received == want }, time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			forward, backward := l.Stats()
			b.ReportMetric(float64(forward.Sent+backward.Sent)/b.Elapsed().Seconds(), "segments/s")
		})
	}
}
