package engine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 1191, Sections 3 and 6.3: a lowered path MTU is that of the destination:
// the next connection to it, opened by either side, uses it; ten minutes later
// the larger size is tried again. RFC 9293, Section 3.7.2: the MSS option says
// what we receive and does not change (R1191-5).
func TestPathMTUIsRemembered(t *testing.T) {
	p := newPair(t, Config{})
	l := p.b.listen("10.0.0.2:80", ListenOptions{})
	c, _ := p.dial(l)
	c.Write(p.a.now, make([]byte, 4000))
	big := p.a.output()
	p.a.input(0, icmpPacket(addrB, addrA, 3, 4, 1000, big[0].data))
	p.exchange()

	info := func(what string, c *Conn, wantMTU int) {
		t.Helper()
		if i := c.Info(p.a.now); i.PMTU != wantMTU || i.SndMSS != wantMTU-52 || i.AdvMSS != 1460 {
			t.Errorf("%s: PMTU %d, segments of %d bytes, %d announced, want %d, %d, 1460",
				what, i.PMTU, i.SndMSS, i.AdvMSS, wantMTU, wantMTU-52)
		}
	}
	next, _ := p.dial(l)
	info("the next connection", next, 1000)

	own := p.a.listen("10.0.0.1:80", ListenOptions{})
	if _, err := p.b.e.Dial(p.b.now, netip.AddrPort{}, own.Addr(), tcp.Options{}); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	info("a connection from there", own.Accept(), 1000)

	p.wait(pathAge + time.Second)
	late, _ := p.dial(l)
	info("ten minutes later", late, 1500)
}

// The path MTUs that are remembered are bounded; those that are old make room.
func TestPathMTUsAreBounded(t *testing.T) {
	var m pathMTUs
	addr := func(i int) *wire.Addr { return &wire.Addr{0: 0xfd, 14: byte(i >> 8), 15: byte(i)} }
	now := tcp.Time(time.Hour)
	for i := range maxPaths + 10 {
		m.learn(now, addr(i), 1300)
	}
	if len(m) != maxPaths || m.lookup(now, addr(0)).bytes != 1300 || m.lookup(now, addr(maxPaths)).bytes != 0 {
		t.Errorf("%d paths of %d are known", len(m), maxPaths+10)
	}
	m.learn(now, addr(0), 1280)
	if got := m.lookup(now, addr(0)).bytes; got != 1280 {
		t.Errorf("a path that was known: %d, want 1280", got)
	}
	now = now.Add(pathAge)
	m.learn(now, addr(maxPaths), 1400)
	if len(m) != 1 || m.lookup(now, addr(maxPaths)).bytes != 1400 {
		t.Errorf("%d paths are known after %v, want the new one", len(m), pathAge)
	}
}
