package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// flooded returns a host whose SYN queue of one is full.
func flooded(t testing.TB, cfg Config, opt ListenOptions) (*host, *Listener) {
	cfg.SynBacklog = 1
	h := newHost(t, cfg, addrA, addrA6)
	l, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, 80), opt)
	if err != nil {
		t.Fatal(err)
	}
	h.peer(netip.MustParseAddr("10.0.0.200"), 1, 80).open()
	h.clearEvents()
	return h, l
}

// RFC 4987, Section 3.6 (R4987-2, R4987-17): while the SYN queue is full of SYNs
// from nowhere, who is there gets through, and no memory is used for the rest.
func TestCookieFlood(t *testing.T) {
	h := newHost(t, Config{SynBacklog: 100}, addrA)
	h.e.tcp.Trace = nil
	l := h.listen("10.0.0.1:80", ListenOptions{})
	for i := range 20_000 {
		from := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i%200)})
		h.peer(from, uint16(i), 80).send(wire.SYN, 0, "")
		if len(h.output()) != 1 {
			t.Fatalf("SYN %d was not answered", i)
		}
	}
	if s := h.e.Stats(); s.HalfOpen != 100 || s.Conns != 0 || s.TCP.Rules[tcp.RuleCookieSent] != 20_000-100 {
		t.Errorf("half-open %d, cookies %d; want 100, 19900", s.HalfOpen, s.TCP.Rules[tcp.RuleCookieSent])
	}
	p := h.peer(netip.MustParseAddr("10.0.0.222"), 5000, 80)
	c := p.connect(l)
	p.send(wire.ACK, 0, "hello")
	p.want(wire.ACK, 0, 5)
	if c.State() != tcp.StateEstablished {
		t.Errorf("state = %v, want ESTABLISHED", c.State())
	}
}

// R4987-8 to R4987-10: what survives in a cookie: the segment size rounded down
// to one of a table; window scale and SACK only with timestamps.
func TestCookieOptions(t *testing.T) {
	tests := []struct {
		name    string
		six     bool
		syn     wire.Options
		synAck  wire.Options // but for timestamps
		mss     int
		wscale  int // -1: none
		sack    bool
		hasTime bool
	}{
		{"no options", false, wire.Options{}, wire.Options{MSS: 1460}, 536, -1, false, false},
		{"small MSS", false, wire.Options{MSS: 1299}, wire.Options{MSS: 1460}, 536, -1, false, false},
		{"MSS of the table", false, wire.Options{MSS: 1300}, wire.Options{MSS: 1460}, 1300, -1, false, false},
		{"large MSS", false, wire.Options{MSS: 9000}, wire.Options{MSS: 1460}, 1460, -1, false, false},
		{"IPv6", true, wire.Options{MSS: 1440}, wire.Options{MSS: 1440}, 1440, -1, false, false},
		{
			"no timestamps", false,
			wire.Options{MSS: 1460, HasWScale: true, WScale: 7, SACKPermitted: true},
			wire.Options{MSS: 1460},
			1460, -1, false, false,
		},
		{
			"all", false,
			wire.Options{MSS: 1460, HasWScale: true, WScale: 7, SACKPermitted: true, HasTS: true, TSVal: 9},
			wire.Options{MSS: 1460, HasWScale: true, WScale: 8, SACKPermitted: true},
			1460 - 12, 7, true, true,
		},
		{
			"window scale out of range", false,
			wire.Options{MSS: 1460, HasWScale: true, WScale: 15, HasTS: true, TSVal: 9},
			wire.Options{MSS: 1460, HasWScale: true, WScale: 8},
			1460 - 12, 14, false, true,
		},
		{
			"timestamps only", false,
			wire.Options{MSS: 1460, HasTS: true, TSVal: 9},
			wire.Options{MSS: 1460},
			1460 - 12, -1, false, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, l := flooded(t, Config{}, ListenOptions{})
			from := addrB
			if tt.six {
				from = addrB6
			}
			p := h.peer(from, 5000, 80)
			p.seg.Options = tt.syn
			s := p.open()
			h.wantEvents("cookie-sent")
			ts := s.Options
			s.Options.HasTS, s.Options.TSVal, s.Options.TSEcr = false, 0, 0
			if s.Options != tt.synAck || ts.HasTS != tt.hasTime {
				t.Errorf("options of the SYN,ACK %+v, want %+v", s.Options, tt.synAck)
			}
			if clock := tcp.TSVal(h.now, h.e.tsOffset(&p.tuple)); tt.hasTime && clock-ts.TSVal > 127 {
				t.Errorf("timestamp %d, the clock says %d", ts.TSVal, clock)
			}
			p.send(wire.ACK, 0, "")
			c := l.Accept()
			if c == nil {
				t.Fatalf("the cookie was refused: %v", h.events)
			}
			h.wantEvents("cookie-accepted", "LISTEN>SYN-RECEIVED", "handshake-ack", "SYN-RECEIVED>ESTABLISHED")
			i := c.Info(h.now)
			wscale := -1
			if i.WindowScale {
				wscale = int(i.SndWScale)
			}
			if i.SndMSS != tt.mss || wscale != tt.wscale || i.SACK != tt.sack || i.Timestamps != tt.hasTime {
				t.Errorf("MSS %d, window scale %d, SACK %v, timestamps %v; want %d, %d, %v, %v",
					i.SndMSS, wscale, i.SACK, i.Timestamps, tt.mss, tt.wscale, tt.sack, tt.hasTime)
			}
		})
	}
}

// R4987-7, R4987-11: a cookie is good for its minute and the next, and only
// while the listener's last one is that young.
func TestCookieAge(t *testing.T) {
	for _, tt := range []struct {
		name       string
		start, age time.Duration
		again      bool // another cookie was sent meanwhile
		want       tcp.Rule
	}{
		{"fresh", 0, 0, false, tcp.RuleCookieAccepted},
		{"next minute", 59 * time.Second, 2 * time.Second, false, tcp.RuleCookieAccepted},
		{"end of the next minute", 0, 2*time.Minute - 1, false, tcp.RuleCookieAccepted},
		{"after it", time.Second, 2*time.Minute - time.Second, true, tcp.RuleCookieRefused},
		{"nobody sends cookies any more", 0, 2 * time.Minute, false, tcp.RuleListenAck},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := flooded(t, Config{}, ListenOptions{})
			h.now = h.now.Add(tt.start)
			p := h.peer(addrB, 5000, 80)
			p.open()
			h.now = h.now.Add(tt.age)
			if tt.again {
				h.peer(addrB, 6000, 80).open()
			}
			h.clearEvents()
			p.send(wire.ACK, 0, "")
			if len(h.events) == 0 || h.events[0] != tt.want.String() {
				t.Fatalf("events %v, want %v first", h.events, tt.want)
			}
			if tt.want != tcp.RuleCookieAccepted {
				p.want(wire.RST, 0, 0)
			}
		})
	}
}

// R4987-6: nothing but the ACK of the very cookie is accepted: not another
// number, 4-tuple, or sequence number of the client.
func TestCookieForged(t *testing.T) {
	h, l := flooded(t, Config{ResetRate: -1}, ListenOptions{})
	h.e.tcp.Trace = nil
	p := h.peer(addrB, 5000, 80)
	p.open()
	cookie := p.ack
	for i := range 1000 {
		p.ack = cookie.Add(seqnum.Size(4 + i*4_294_001)) // the nearest ones tell another MSS
		p.send(wire.ACK, 0, "")
		p.want(wire.RST, 0, 0)
	}
	p.ack = cookie
	p.send(wire.ACK, 1, "")
	p.want(wire.RST, 0, 0)
	other := h.peer(addrB, 5001, 80)
	other.seq, other.ack = p.seq, cookie
	other.send(wire.ACK, 0, "")
	other.want(wire.RST, 0, 0)
	if l.Accept() != nil || h.e.tcp.Counters.Rules[tcp.RuleCookieRefused] != 1002 {
		t.Errorf("%d cookies refused, want 1002", h.e.tcp.Counters.Rules[tcp.RuleCookieRefused])
	}
	p.send(wire.ACK, 0, "")
	if l.Accept() == nil {
		t.Error("the true cookie was refused")
	}
}

// R4987-3: when nobody accepts, the ACK of a cookie is dropped, and may come
// again; new SYNs are dropped too.
func TestCookieBacklogFull(t *testing.T) {
	h, l := flooded(t, Config{}, ListenOptions{Backlog: NewBacklog(0)})
	first, second := h.peer(addrB, 5000, 80), h.peer(addrB, 5001, 80)
	first.open()
	second.open()
	first.send(wire.ACK, 0, "")
	second.send(wire.ACK, 0, "")
	h.none()
	h.peer(addrB, 5002, 80).send(wire.SYN, 0, "")
	h.none()
	if s := h.e.Stats(); s.ListenOverflows != 2 || s.ListenDrops != 1 {
		t.Errorf("overflows %d, drops %d; want 2, 1", s.ListenOverflows, s.ListenDrops)
	}
	if l.Accept() == nil {
		t.Fatal("the first connection did not arrive")
	}
	second.send(wire.ACK, 0, "again")
	second.want(wire.ACK, 0, 5)
}

// R4987-12: options that are not in use here cannot have been agreed on.
func TestCookieOptionsDisabled(t *testing.T) {
	for _, cfg := range []tcp.Config{{NoSACK: true}, {NoWindowScale: true}, {NoTimestamps: true}} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			h, l := flooded(t, Config{TCP: cfg}, ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			p.seg.Options = wire.Options{HasTS: true, TSVal: 1, HasWScale: true, SACKPermitted: true}
			s := p.open()
			p.seg.Options = wire.Options{HasTS: true, TSVal: 1, TSEcr: s.Options.TSVal | cookieSACK&^cookieWScale}
			if cfg.NoWindowScale {
				p.seg.Options.TSEcr &^= cookieWScale
			}
			p.send(wire.ACK, 0, "")
			if c := l.Accept(); (c != nil) != cfg.NoTimestamps {
				t.Errorf("accepted: %v, want %v", c != nil, cfg.NoTimestamps)
			}
		})
	}
}

// A timestamp with a cookie in it is at most 127 ms old, and never later than
// the clock, also when the clock wraps.
func TestCookieTimestamp(t *testing.T) {
	for _, clock := range []uint32{0, 1, 15, 16, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff} {
		for _, o := range []wire.Options{{}, {SACKPermitted: true}, {HasWScale: true}} {
			if v := cookieTimestamp(clock, &o, 14, false); clock-v > 127 {
				t.Errorf("cookieTimestamp(%#x) = %#x", clock, v)
			}
		}
	}
}
