package trivet_test

import (
	"io"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// flood writes one segment from each of n spoofed addresses to 10.0.0.1:port.
func flood(t *testing.T, l link.Link, n int, port uint16, flags wire.Flags) {
	t.Helper()
	for i := range n {
		spoofed := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		var b wire.Batch
		p := b.Next()
		p.BuildTCP(wire.Tuple(netip.AddrPortFrom(spoofed, 1000), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)),
			&wire.Segment{Seq: 1, Ack: 1, Flags: flags, Window: 1000}, 0)
		p.FinishChecksum()
		if taken, err := l.Write(b.Packets); taken != 1 || err != nil {
			t.Fatalf("Write = %d, %v", taken, err)
		}
		synctest.Wait()
	}
}

// RFC 4987, Section 3.1: half-open connections are bounded. The limits of a
// host are those of all its shards together.
func TestLimitsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.Pair(1500, link.PairOptions{})
		s := newHost(t, trivet.Config{Shards: 4, SynBacklog: 8, SynCookies: engine.CookiesNever, ResetRate: 40}, a,
			[]netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")})
		defer closeHost(t, s)
		ln, err := s.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()

		flood(t, b, 200, 80, wire.SYN)
		st := s.Stats()
		if st.HalfOpen != 8 || st.ListenDrops != 192 {
			t.Errorf("200 SYNs: %d half-open, %d dropped, want 8 and 192", st.HalfOpen, st.ListenDrops)
		}
		flood(t, b, 200, 81, wire.ACK)
		st = s.Stats()
		if st.TCP.ResetsOut != 40 || st.ResetsSuppressed != 160 {
			t.Errorf("200 stray ACKs: %d RSTs sent, %d not, want 40 and 160", st.TCP.ResetsOut, st.ResetsSuppressed)
		}
	})
}

// A limit as large as an int holds is none: it does not wrap round to nothing.
func TestLimitsDoNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := trivet.Config{
			Shards: 2, MaxBacklog: math.MaxInt, SynBacklog: math.MaxInt, MaxTimeWait: math.MaxInt, SynAckRetries: math.MaxInt,
			SynCookies: engine.CookiesNever, TCP: tcp.Config{MaxMemory: math.MaxInt},
		}
		a, b := link.Pair(1500, link.PairOptions{})
		client, server := newHost(t, cfg, a, clientPrefixes), newHost(t, cfg, b, serverPrefixes)
		defer closeHost(t, client)
		defer closeHost(t, server)
		start := time.Now()
		for range 3 {
			c, s := connect(t, client, server)
			transfer(t, c, s, 1<<20)
			_ = c.Close()
			if err := readErr(s); err != io.EOF {
				t.Error(err)
			}
			_ = s.Close()
			synctest.Wait()
		}
		if n := client.Stats().TimeWaits; n != 3 {
			t.Errorf("%d TIME-WAIT records, want 3", n)
		}
		if n := server.Stats().TCP.MemoryFull; n != 0 {
			t.Errorf("the memory was found full %d times", n)
		}
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}
