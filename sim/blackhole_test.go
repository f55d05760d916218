package sim

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// RFC 4821, Section 7.7 (R4821-2): a router that drops large packets without a
// word stops nobody for good: after three time-outs the segments are smaller, and
// probes find the size that the path carries, to 8 bytes (R4821-1). A probe that
// is lost is no congestion.
func TestPathMTUBlackHole(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    tcp.MTUProbing
		carries int // bytes of the largest packet that gets through, 0: all
		want    int // Info.PMTU, less at most 8
		within  time.Duration
		noSACK  bool
	}{
		{"black hole", tcp.MTUProbingBlackHole, 1300, 1300, 20 * time.Second, false},
		{"without SACK", tcp.MTUProbingBlackHole, 1300, 1300, 20 * time.Second, true},
		{"just under the link's", tcp.MTUProbingBlackHole, 1490, 1490, 20 * time.Second, false},
		{"under the base", tcp.MTUProbingBlackHole, 600, 600, 60 * time.Second, false},
		{"always, black hole", tcp.MTUProbingAlways, 1300, 1300, 10 * time.Second, false},
		{"always, none", tcp.MTUProbingAlways, 0, 1500, 10 * time.Second, false},
		{"none", tcp.MTUProbingBlackHole, 0, 1500, 10 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := engine.Config{TCP: tcp.Config{MTUProbing: tt.mode, NoSACK: tt.noSACK}}
			p := newPair(t, 1, cfg, Symmetric(Settings{Delay: 10 * time.Millisecond, MaxPacket: tt.carries}))
			p.quiet = true
			client, server := p.open(tcp.Options{})
			text := pseudoRandom(1<<20, 1)
			got := 0
			Send(client, text, nil)
			Receive(server, func(b []byte) { got += len(b) }, func(error) {})
			begin := p.Now()
			p.until("all arrived", 10*time.Minute, func() bool { return got == len(text) })
			if took := p.Now().Sub(begin); took > tt.within {
				t.Errorf("it took %v, want at most %v", took, tt.within)
			}
			info := client.Info()
			if info.PMTU > tt.want || info.PMTU <= tt.want-8 {
				t.Errorf("PMTU = %v, want %v or up to 7 less", info.PMTU, tt.want)
			}
			if tt.mode == tcp.MTUProbingAlways && info.SndSsthresh < 1<<30 {
				t.Errorf("ssthresh = %v: a probe was taken for congestion", info.SndSsthresh)
			}
		})
	}
}

// RFC 1191, Section 6.3 (R1191-3), within a connection: ten minutes after a
// message lowered the path MTU, larger segments are tried again.
func TestPathMTUGrowsBack(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(Settings{Delay: 10 * time.Millisecond, MaxPacket: 1200}))
	p.quiet = true
	client, server := p.open(tcp.Options{})
	got := 0
	Receive(server, func(b []byte) { got += len(b) }, func(error) {})
	send := func(n int) {
		t.Helper()
		want := got + n
		Send(client, pseudoRandom(n, 1), nil)
		p.until("all arrived", time.Minute, func() bool { return got == want })
	}
	send(1 << 20)
	if mtu := client.Info().PMTU; mtu > 1200 {
		t.Fatalf("PMTU = %v, want at most 1200", mtu)
	}
	p.link.Set(Settings{Delay: 10 * time.Millisecond}, Settings{Delay: 10 * time.Millisecond})
	send(1 << 20)
	if mtu := client.Info().PMTU; mtu > 1200 {
		t.Errorf("PMTU = %v before ten minutes, want at most 1200", mtu)
	}
	p.RunFor(11 * time.Minute)
	send(1 << 20)
	if mtu := client.Info().PMTU; mtu <= 1492 {
		t.Errorf("PMTU = %v after ten minutes, want 1500", mtu)
	}
}
