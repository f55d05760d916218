package engine

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// R4987-15: hosts that share a secret and an address share cookies: the ACK of
// one's SYN,ACK makes a connection on the other, whose timestamps go on where those
// of the first were, although their clocks began at different times. A third host
// with another secret sends a RST.
func TestCookieShared(t *testing.T) {
	config := func(secret byte, epoch time.Duration) Config {
		return Config{
			Secret: [32]byte{byte(epoch / time.Minute)}, CookieSecret: [32]byte{secret}, CookieEpoch: epoch,
			SynCookies: CookiesAlways,
		}
	}
	newShared := func(secret byte, epoch time.Duration) (*host, *Listener) {
		h := newHost(t, config(secret, epoch), addrA)
		return h, h.listen("10.0.0.1:80", ListenOptions{})
	}
	first, _ := newShared(1, 20*time.Minute)
	second, l := newShared(1, 50*time.Minute)
	stranger, _ := newShared(2, 50*time.Minute)
	second.now = second.now.Add(-30 * time.Minute) // the same time
	stranger.now = second.now

	p := first.peer(addrB, 5000, 80).timestamps(100)
	p.seg.Options.SACKPermitted, p.seg.Options.HasWScale, p.seg.Options.WScale = true, true, 7
	p.seg.Options.MSS = 1460
	synAck := p.open()
	for _, h := range []*host{stranger, second} {
		h.now = h.now.Add(100 * time.Millisecond)
		q := *p
		q.host = h
		q.send(wire.ACK, 0, "")
		if h == stranger {
			q.want(wire.RST, 0, 0)
			continue
		}
		c := l.Accept()
		if c == nil {
			t.Fatal("the cookie of the other host was refused")
		}
		q.send(wire.ACK, 0, "hello")
		s := q.one()
		since := int32(s.Options.TSVal - synAck.Options.TSVal)
		if since < 100 || since > 100+1<<6 {
			t.Errorf("TSval went from %d to %d in 100 ms", synAck.Options.TSVal, s.Options.TSVal)
		}
		if i := c.Info(h.now); !i.SACK || i.SndWScale != 7 {
			t.Errorf("SACK %v, window scale %d; want true, 7", i.SACK, i.SndWScale)
		}
	}
	if s := second.e.Stats(); s.CookiesSent != 0 || s.CookiesAccepted != 1 {
		t.Errorf("second host: sent %d, accepted %d; want 0, 1", s.CookiesSent, s.CookiesAccepted)
	}
	if s := stranger.e.Stats(); s.CookiesRefused != 1 {
		t.Errorf("the stranger refused %d, want 1", s.CookiesRefused)
	}
}

// R4987-15: keys change every hour, and a cookie of the last minute of one is good
// in the first of the next.
func TestCookieKeysChange(t *testing.T) {
	h, l := flooded(t, Config{}, ListenOptions{})
	h.now = tcp.Time(3*time.Hour - time.Second)
	p := h.peer(addrB, 5000, 80)
	p.open()
	before := *h.e.cookieKeys(h.e.cookieCount(h.now))
	h.now = h.now.Add(2 * time.Second)
	if after := *h.e.cookieKeys(h.e.cookieCount(h.now)); after.all == before.all || after.low == before.low {
		t.Error("the keys are those of the hour before")
	}
	p.send(wire.ACK, 0, "")
	if l.Accept() == nil {
		t.Error("a cookie of two seconds ago was refused")
	}
}
