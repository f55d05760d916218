package engine

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// testFastKey makes cookies that scripts of Linux know.
var testFastKey = FastOpenKey([]byte("0123456789abcdef"))

func fastHost(t *testing.T, pending int, keys ...FastOpenKey) (*host, *Listener) {
	t.Helper()
	h := newHost(t, Config{}, addrA, addrA6)
	return h, h.listen("10.0.0.1:80", ListenOptions{FastOpen: pending, FastOpenKeys: keys})
}

// ask lets a peer ask for a cookie, and returns what it gets. The connection is
// reset.
func (p *peer) ask() wire.FastOpen {
	p.t.Helper()
	p.seg.Options.FastOpen = wire.FastOpen{Present: true}
	cookie := p.open().Options.FastOpen
	p.seg.Options.FastOpen = wire.FastOpen{}
	p.send(wire.RST, 0, "")
	p.none()
	return cookie
}

// synWith sends a SYN with a cookie and text.
func (p *peer) synWith(f wire.FastOpen, text string) {
	p.seg.Options.FastOpen = f
	p.send(wire.SYN, 0, text)
	p.seg.Options.FastOpen = wire.FastOpen{}
}

func read(t *testing.T, now tcp.Time, c *Conn) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := c.Read(now, b)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return string(b[:n])
}

// RFC 7413, Sections 4.1.2 and 4.2.2 (R7413-2, R7413-4): with the cookie that it
// was given a client's SYN opens the connection: its text can be read, and the
// server may send, before the handshake is over.
func TestFastOpen(t *testing.T) {
	for _, six := range []bool{false, true} {
		h := newHost(t, Config{}, addrA, addrA6)
		l, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, 80), ListenOptions{FastOpen: 5})
		if err != nil {
			t.Fatal(err)
		}
		from := addrB
		if six {
			from = addrB6
		}
		p := h.peer(from, 5000, 80)
		cookie := p.ask()
		if cookie.Len != 8 || cookie.Experimental {
			t.Fatalf("the cookie is %+v, want 8 bytes", cookie)
		}
		p = h.peer(from, 5001, 80)
		p.synWith(cookie, "hello")
		s := p.one()
		if s.Flags != wire.SYN|wire.ACK || s.Ack != p.seq.Add(6) || s.Options.FastOpen.Present {
			t.Fatalf("answer to the SYN is %v", s)
		}
		p.seq, p.ack = p.seq.Add(6), s.Seq.Add(1)
		c := l.Accept()
		if c == nil || c.State() != tcp.StateSynReceived {
			t.Fatalf("Accept() = %v before the handshake is over", c)
		}
		if got := read(t, h.now, c); got != "hello" {
			t.Errorf("Read = %q", got)
		}
		if _, err := c.Write(h.now, []byte("welcome")); err != nil {
			t.Fatal(err)
		}
		if s := p.want(wire.ACK|wire.PSH, 0, 0); s.text != "welcome" {
			t.Errorf("sent %v", s)
		}
		p.ack = p.ack.Add(7)
		p.send(wire.ACK, 0, "more")
		if got := read(t, h.now, c); got != "more" || c.State() != tcp.StateEstablished || !c.Info(h.now).SynData {
			t.Errorf("Read = %q in %v, SynData %v", got, c.State(), c.Info(h.now).SynData)
		}
		if n := l.backlog.fast.Load(); n != 0 {
			t.Errorf("%d connections wait for the end of the handshake", n)
		}
	}
}

// RFC 7413, Section 4.2.2 (R7413-5): a wrong cookie, or that of another client,
// opens nothing: the SYN,ACK acknowledges the SYN alone and has the right one.
func TestFastOpenWrongCookie(t *testing.T) {
	h, l := fastHost(t, 5)
	other := h.peer(netip.MustParseAddr("10.0.0.77"), 1, 80).ask()
	for _, f := range []wire.FastOpen{
		other,
		{Present: true, Len: 8},
		{Present: true, Len: 4, Cookie: other.Cookie},
		{Present: true, Len: 16},
	} {
		p := h.peer(addrB, 6000+uint16(f.Len), 80)
		want := h.peer(addrB, 5000, 80).ask()
		p.synWith(f, "hello")
		if s := p.one(); s.Flags != wire.SYN|wire.ACK || s.Ack != p.seq.Add(1) || s.Options.FastOpen != want {
			t.Errorf("answer to the SYN is %v, want its number acknowledged, and %v", s, want)
		}
		if c := l.Accept(); c != nil {
			t.Errorf("cookie %v opened a connection", f)
		}
	}
}

// RFC 7413, Section 4.1.1 (R7413-1, R7413-3): a listener without Fast Open ignores
// the option and the text.
func TestFastOpenOff(t *testing.T) {
	h, l := fastHost(t, 0)
	p := h.peer(addrB, 5000, 80)
	p.synWith(wire.FastOpen{Present: true}, "hello")
	if s := p.one(); s.Ack != p.seq.Add(1) || s.Options.FastOpen.Present || l.Accept() != nil {
		t.Errorf("answer to the SYN is %v", s)
	}
}

// A host that is told so takes the text of every SYN (TCP_FASTOPEN_NO_COOKIE).
func TestFastOpenAnyone(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{FastOpen: 5, FastOpenAnyone: true})
	p := h.peer(addrB, 5000, 80)
	p.send(wire.SYN, 0, "hello")
	if s := p.one(); s.Ack != p.seq.Add(6) {
		t.Errorf("answer to the SYN is %v", s)
	}
	if c := l.Accept(); c == nil || read(t, h.now, c) != "hello" {
		t.Errorf("Accept() = %v", c)
	}
}

// RFC 7413, Sections 4.2 and 5.1 (R7413-3): only so many connections may wait for
// the end of their handshake; one more is opened as usual. One that is reset
// counts for a minute.
func TestFastOpenLimit(t *testing.T) {
	h, l := fastHost(t, 2)
	cookie := h.peer(addrB, 4999, 80).ask()
	fast := func(port uint16) (*peer, bool) {
		t.Helper()
		p := h.peer(addrB, port, 80)
		p.synWith(cookie, "x")
		s := p.one()
		p.ack = s.Seq.Add(1)
		return p, s.Ack == p.seq.Add(2)
	}
	first, ok := fast(5000)
	second, also := fast(5001)
	if _, third := fast(5002); !ok || !also || third {
		t.Fatalf("by Fast Open: %v, %v, %v, want two of three", ok, also, third)
	}
	first.send(wire.ACK, 2, "")
	if _, ok := fast(5003); !ok {
		t.Error("no room although a handshake is over")
	}
	second.send(wire.RST, 2, "")
	if _, ok := fast(5004); ok {
		t.Error("a connection that was reset counts no more")
	}
	h.clearEvents()
	h.silence(time.Second) // not all of the minute: SYN,ACKs are sent again
	h.now = h.now.Add(time.Minute)
	if _, ok := fast(5005); !ok {
		t.Error("a connection that was reset counts after a minute")
	}
	if got := l.backlog.waiting(); got != 4 {
		t.Errorf("%d connections wait to be accepted, want 4", got)
	}
}

// RFC 7413, Section 4.1.2 (R7413-2): cookies are made with another key every day;
// those of the day before are good, and replaced, older ones are not.
func TestFastOpenKeysRotate(t *testing.T) {
	h, _ := fastHost(t, 5)
	old := h.peer(addrB, 4999, 80).ask()
	h.now = h.now.Add(fastOpenEpoch)
	renewed := h.peer(addrB, 5000, 80).ask()
	if renewed.Cookie == old.Cookie {
		t.Fatal("the cookie is that of yesterday")
	}
	p := h.peer(addrB, 5001, 80)
	p.synWith(old, "x")
	if s := p.one(); s.Ack != p.seq.Add(2) || s.Options.FastOpen != renewed {
		t.Errorf("answer to yesterday's cookie is %v, want a new one", s)
	}
	h.now = h.now.Add(fastOpenEpoch)
	p = h.peer(addrB, 5002, 80)
	p.synWith(old, "x")
	if s := p.one(); s.Ack != p.seq.Add(1) || !s.Options.FastOpen.Present {
		t.Errorf("answer to the cookie of two days ago is %v", s)
	}
}

// Keys can be set (TCP_FASTOPEN_KEY); hosts that share them know each other's
// cookies, and those made with the second key.
func TestFastOpenKeys(t *testing.T) {
	backup := FastOpenKey{1}
	h, _ := fastHost(t, 5, backup)
	old := h.peer(addrB, 5000, 80).ask()
	h, _ = fastHost(t, 5, testFastKey, backup)
	p := h.peer(addrB, 5001, 80)
	p.synWith(old, "x")
	if s := p.one(); s.Ack != p.seq.Add(2) || s.Options.FastOpen.Len != 8 || s.Options.FastOpen.Cookie == old.Cookie {
		t.Errorf("answer to a cookie of the second key is %v", s)
	}
}

// RFC 7413, Section 3 (R7413-8 within the stack): a SYN that comes twice does not
// bring its text twice, whether the second copy has it or not.
func TestFastOpenSynAgain(t *testing.T) {
	h, l := fastHost(t, 5)
	cookie := h.peer(addrB, 4999, 80).ask()
	p := h.peer(addrB, 5000, 80)
	p.synWith(cookie, "hello")
	s := p.one()
	p.synWith(cookie, "hello")
	if again := p.one(); again.Ack != s.Ack || again.Seq != s.Seq {
		t.Errorf("answer to the second SYN is %v, to the first %v", again, s)
	}
	p.send(wire.SYN, 0, "")
	if again := p.one(); again.Ack != s.Ack {
		t.Errorf("answer to the SYN without text is %v", again)
	}
	c := l.Accept()
	if got := read(t, h.now, c); got != "hello" {
		t.Errorf("Read = %q", got)
	}
	if _, err := c.Read(h.now, make([]byte, 1)); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("the second Read: %v, want EAGAIN", err)
	}
}

// A connection that is reset before it is accepted still gives its text, then the
// error.
func TestFastOpenReset(t *testing.T) {
	h, l := fastHost(t, 5)
	cookie := h.peer(addrB, 4999, 80).ask()
	p := h.peer(addrB, 5000, 80)
	p.synWith(cookie, "hello")
	p.one()
	p.send(wire.RST, 6, "")
	c := l.Accept()
	if got := read(t, h.now, c); got != "hello" {
		t.Errorf("Read = %q", got)
	}
	if _, err := c.Read(h.now, make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read: %v, want ECONNRESET", err)
	}
}

// The SYN,ACK goes again with the same ACK, and the server's text with it once the
// handshake is over; a FIN may follow before.
func TestFastOpenSynAckLost(t *testing.T) {
	h, l := fastHost(t, 5)
	cookie := h.peer(addrB, 4999, 80).ask()
	p := h.peer(addrB, 5000, 80)
	p.synWith(cookie, "hello")
	s := p.one()
	c := l.Accept()
	read(t, h.now, c)
	if _, err := c.Write(h.now, []byte("bye")); err != nil {
		t.Fatal(err)
	}
	c.Close(h.now)
	if out := h.segments(); len(out) != 1 || out[0].text != "bye" || !out[0].Flags.Has(wire.FIN) {
		t.Fatalf("sent %v", out)
	}
	h.now = h.now.Add(time.Second)
	h.e.Advance(h.now)
	if again := p.one(); again.Flags != wire.SYN|wire.ACK || again.Ack != s.Ack {
		t.Fatalf("sent %v a second later", again)
	}
	p.seq, p.ack = p.seq.Add(6), s.Seq.Add(1)
	p.send(wire.ACK, 0, "")
	h.now = h.now.Add(4 * time.Second)
	h.e.Advance(h.now)
	if out := h.segments(); len(out) != 1 || out[0].text != "bye" || !out[0].Flags.Has(wire.FIN) {
		t.Fatalf("sent %v after the handshake", out)
	}
	p.ack = p.ack.Add(4)
	p.send(wire.ACK|wire.FIN, 0, "")
	p.want(wire.ACK, 0, 1)
}

// RFC 4987 (R4987-14): while SYN cookies are needed there is no Fast Open. In
// TIME-WAIT a new incarnation may be one.
func TestFastOpenBesides(t *testing.T) {
	h := newHost(t, Config{SynBacklog: 1}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{FastOpen: 5})
	cookie := h.peer(addrB, 4999, 80).ask()

	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	c.Close(h.now)
	p.one()
	p.ack = p.ack.Add(1)
	p.send(wire.ACK|wire.FIN, 0, "")
	p.want(wire.ACK, 0, 1)
	if c.State() != tcp.StateTimeWait {
		t.Fatalf("state %v", c.State())
	}
	p.seq = p.seq.Add(1000)
	p.synWith(cookie, "again")
	if s := p.one(); s.Ack != p.seq.Add(6) {
		t.Errorf("answer to the SYN in TIME-WAIT is %v", s)
	}
	if c := l.Accept(); c == nil || read(t, h.now, c) != "again" {
		t.Error("no connection from TIME-WAIT")
	}

	h.peer(netip.MustParseAddr("10.0.0.200"), 1, 80).open()
	p = h.peer(addrB, 5001, 80)
	p.synWith(cookie, "hello")
	if s := p.one(); s.Ack != p.seq.Add(1) || s.Options.FastOpen.Present {
		t.Errorf("answer while the SYN queue is full is %v", s)
	}
}

// fastPair returns two hosts of which b listens with Fast Open.
func fastPair(t *testing.T, pending int) (*pair, *Listener) {
	p := newPair(t, Config{})
	return p, p.b.listen("10.0.0.2:80", ListenOptions{FastOpen: pending})
}

// dialFast dials with Fast Open from a to b.
func (p *pair) dialFast() *Conn {
	p.a.t.Helper()
	c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, netip.AddrPortFrom(addrB, 80), tcp.Options{FastOpen: true})
	if err != nil {
		p.a.t.Fatal(err)
	}
	return c
}

// lastSyn returns the option of the last SYN in the log, and its text.
func (p *pair) lastSyn() (f wire.FastOpen, text string) {
	for _, b := range p.log {
		if s := parse(p.a.t, b); s.Flags&(wire.SYN|wire.ACK) == wire.SYN {
			f, text = s.Options.FastOpen, s.text
		}
	}
	return f, text
}

// RFC 7413, Sections 4.1.3 and 4.2.1 (R7413-6): the first connection asks for a
// cookie; the next is writable at once, and its SYN has the cookie and the text.
func TestFastOpenDial(t *testing.T) {
	p, l := fastPair(t, 5)
	c := p.dialFast()
	if r := c.Ready(); r&(tcp.Connected|tcp.Writable) != 0 {
		t.Errorf("Ready = %v without a cookie", r)
	}
	p.exchange()
	if f, text := p.lastSyn(); !f.Present || f.Len != 0 || text != "" {
		t.Fatalf("the first SYN has %v and %q", f, text)
	}
	if c.State() != tcp.StateEstablished || l.Accept() == nil {
		t.Fatalf("state %v", c.State())
	}

	c = p.dialFast()
	p.exchange()
	if len(p.log) == 0 || c.Ready()&(tcp.Connected|tcp.Writable) != tcp.Connected|tcp.Writable {
		t.Fatalf("Ready = %v with a cookie", c.Ready())
	}
	if f, _ := p.lastSyn(); f.Len != 0 {
		t.Fatal("a SYN was sent before the first Write")
	}
	if n, err := c.Write(p.a.now, []byte(strings.Repeat("x", 3000))); n != 1420 || err != syscall.EAGAIN {
		t.Errorf("Write = %v, %v, want what goes with the SYN, 1420", n, err)
	}
	p.exchange()
	f, text := p.lastSyn()
	if f.Len != 8 || len(text) != 1420 {
		t.Errorf("the SYN has %v and %d bytes", f, len(text))
	}
	s := l.Accept()
	if s == nil || s.Info(p.b.now).Unread != 1420 || !c.Info(p.a.now).SynData || c.State() != tcp.StateEstablished {
		t.Fatalf("accepted %v, state %v", s, c.State())
	}
	if i := c.Info(p.a.now); i.Unacked != 0 || i.BytesAcked != 1420 || i.TotalRetrans != 0 {
		t.Errorf("unacknowledged %v, acknowledged %v, retransmitted %v", i.Unacked, i.BytesAcked, i.TotalRetrans)
	}
}

// A client that reads first sends its SYN without text; one that closes sends
// nothing.
func TestFastOpenWithoutText(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	c := p.dialFast()
	n := len(p.log)
	c.SendSyn(p.a.now, 5*time.Millisecond)
	if p.exchange(); len(p.log) != n {
		t.Error("the SYN did not wait for a Write that may be about to come")
	}
	p.wait(10 * time.Millisecond)
	if c.State() != tcp.StateEstablished || l.Accept() == nil {
		t.Errorf("state %v", c.State())
	}
	n = len(p.log)
	p.dialFast().Close(p.a.now)
	p.exchange()
	if len(p.log) != n {
		t.Errorf("%d packets for a connection that was closed unused", len(p.log)-n)
	}
}

// RFC 7413, Section 4.2.2 (R7413-5): a server that does not know the cookie any
// more acknowledges the SYN alone: the text goes again at once, and the next SYN
// has the new cookie.
func TestFastOpenRefused(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	l.SetFastOpenKeys(testFastKey)
	c := p.dialFast()
	if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	s := l.Accept()
	if s == nil || read(t, p.b.now, s) != "hello" || c.Info(p.a.now).SynData {
		t.Fatalf("accepted %v", s)
	}
	if _, err := s.Read(p.b.now, make([]byte, 1)); err != syscall.EAGAIN {
		t.Errorf("more to read: %v", err)
	}
	old, _ := p.lastSyn()
	c = p.dialFast()
	if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	if f, _ := p.lastSyn(); f.Cookie == old.Cookie || !c.Info(p.a.now).SynData {
		t.Errorf("the next SYN has %v", f)
	}
}

// RFC 7413, Section 4.1.1: a server that gives no cookie is asked in the form of the
// experiment, once: an older one knows no other. What it gives then goes in that
// form, too.
func TestFastOpenExperimental(t *testing.T) {
	p, l := fastPair(t, 0)
	for i, want := range []bool{false, true, false, false} {
		p.dialFast()
		p.exchange()
		l.Accept()
		if f, _ := p.lastSyn(); !f.Present || f.Experimental != want {
			t.Errorf("SYN %d has %v, the form of the experiment: %v, want %v", i, f, f.Experimental, want)
		}
	}
	p, l = fastPair(t, 0)
	p.dialFast()
	p.exchange()
	l.Accept()
	l.SetFastOpen(5)
	p.dialFast()
	p.exchange()
	l.Accept()
	c := p.dialFast()
	if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	if f, _ := p.lastSyn(); f.Len != 8 || !f.Experimental || !c.Info(p.a.now).SynData {
		t.Errorf("the SYN has %v", f)
	}
}

// Config.FastOpenPause: with none, a server is tried however often it fails.
func TestFastOpenNoPause(t *testing.T) {
	f := fastOpen{failures: 200, failed: 1}
	if !f.paused(2, time.Minute) || f.paused(2, -1) {
		t.Errorf("paused = %v with a pause, %v without", f.paused(2, time.Minute), f.paused(2, -1))
	}
}

// R7413-10, RFC 7413, Section 4.1.3.1: a server whose SYNs with the option get lost
// again and again is not tried for a while.
func TestFastOpenPause(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	for i, want := range []bool{true, true, false} {
		c := p.dialFast()
		n := len(p.log)
		if _, err := c.Write(p.a.now, []byte("hello")); (err == nil) != want {
			t.Fatalf("Write %d: %v", i, err)
		}
		if want {
			p.a.output() // lost
		}
		p.wait(time.Second)
		if c.State() != tcp.StateEstablished {
			t.Fatalf("state %v", c.State())
		}
		for _, b := range p.log[n:] {
			if s := parse(t, b); s.Options.FastOpen.Present {
				t.Errorf("connection %d: %v after the first was lost", i, s)
			}
		}
		if s := l.Accept(); want && (s == nil || read(t, p.b.now, s) != "hello") {
			t.Errorf("the text of connection %d did not arrive", i)
		}
	}
}

// The servers that are remembered are bounded; the one that was not used for
// longest makes room.
func TestFastOpensAreBounded(t *testing.T) {
	var m fastOpens
	tuple := func(i int) *wire.FourTuple {
		return &wire.FourTuple{RemoteAddr: wire.Addr{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}, RemotePort: 80}
	}
	o := tcp.FastOpenOutcome{MSS: 1000, Cookie: wire.FastOpen{Present: true, Len: 4}}
	for i := range maxFastOpens + 10 {
		m.learn(tcp.Time(i+1), tuple(i), &o)
	}
	known := func(i int) bool {
		open := tcp.Open{Tuple: *tuple(i)}
		m.tell(tcp.Time(time.Hour), time.Minute, &open)
		return open.FastOpen.Len == 4 && open.PeerMSS == 1000
	}
	if len(m) != maxFastOpens || known(9) || !known(10) {
		t.Errorf("%d servers known; the tenth: %v, the eleventh: %v", len(m), known(9), known(10))
	}
}

// A connection that is refused after it was writable tells that to Read.
func TestFastOpenPortClosed(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Close(p.b.now)
	p.exchange()
	c := p.dialFast()
	if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	if _, err := c.Read(p.a.now, make([]byte, 1)); err != syscall.ECONNREFUSED {
		t.Errorf("Read: %v, want ECONNREFUSED", err)
	}
	if _, err := c.Read(p.a.now, make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
}

// RFC 7413, Section 4.2: a connection counts as pending until its client has shown
// where it is, although the server has closed it by then.
func TestFastOpenLimitAfterClose(t *testing.T) {
	h, l := fastHost(t, 1)
	cookie := h.peer(addrB, 4999, 80).ask()
	p := h.peer(addrB, 5000, 80)
	p.synWith(cookie, "x")
	s := p.one()
	c := l.Accept()
	read(t, h.now, c)
	c.Close(h.now)
	h.segments()
	q := h.peer(addrB, 5001, 80)
	q.synWith(cookie, "x")
	if s := q.one(); s.Ack != q.seq.Add(1) {
		t.Errorf("answer to the second SYN is %v: there is room for one", s)
	}
	p.seq, p.ack = p.seq.Add(2), s.Seq.Add(1)
	p.send(wire.ACK, 0, "")
	if n := l.backlog.fast.Load(); n != 0 {
		t.Errorf("%d connections are pending after the handshake", n)
	}
}

// RFC 7413, Section 4.1.3.1: Fast Open is enabled for each port, so failures count
// for one; the cookie is good for all. A client must remember a server that does not
// acknowledge the text of a SYN: one such answer is enough.
func TestFastOpenPorts(t *testing.T) {
	p, l := fastPair(t, 5)
	other := p.b.listen("10.0.0.2:81", ListenOptions{})
	p.dialFast()
	p.exchange()
	l.Accept()
	dial := func(port uint16) (text string) {
		t.Helper()
		c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, netip.AddrPortFrom(addrB, port), tcp.Options{FastOpen: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
			return ""
		}
		p.exchange()
		_, text = p.lastSyn()
		return text
	}
	for i, want := range []string{"hello", ""} {
		if got := dial(81); got != want {
			t.Errorf("SYN %d to the port without Fast Open has %q, want %q", i, got, want)
		}
		if s := other.Accept(); want != "" && (s == nil || read(t, p.b.now, s) != "hello") {
			t.Errorf("the text of connection %d did not arrive", i)
		}
	}
	if got := dial(80); got != "hello" {
		t.Errorf("the SYN to the port with Fast Open has %q", got)
	}
}

// RFC 7413, Section 4.1.3.1: a client must remember servers that do not answer at
// all, for a middlebox may have blocked the connection for its SYN with text; the
// pause grows with each time (R7413-10).
func TestFastOpenNoAnswer(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	lose := func() {
		t.Helper()
		c := p.dialFast()
		if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			p.a.output()
			if next := p.a.e.NextTimeout(); next != 0 {
				p.a.now = next
				p.a.e.Advance(next)
			}
		}
		if c.State() != tcp.StateClosed {
			t.Fatalf("state %v", c.State())
		}
	}
	paused := func() bool {
		o := tcp.Open{Tuple: wire.FourTuple{LocalAddr: wire.AddrFrom(addrA), RemoteAddr: wire.AddrFrom(addrB), RemotePort: 80}}
		p.a.e.fastOpens.tell(p.a.now, time.Minute, &o)
		return !o.FastOpen.Present
	}
	for _, want := range []time.Duration{4 * time.Minute, 8 * time.Minute, 16 * time.Minute} {
		lose()
		p.a.now = p.a.now.Add(want - time.Minute)
		if !paused() {
			t.Errorf("tried again before %v", want)
		}
		p.a.now = p.a.now.Add(2 * time.Minute)
		if paused() {
			t.Errorf("not tried after %v", want)
		}
	}
}

// Options.FastOpenNoCookie, and a listener that asks for none.
func TestFastOpenNoCookie(t *testing.T) {
	p := newPair(t, Config{})
	l := p.b.listen("10.0.0.2:80", ListenOptions{FastOpen: 5, FastOpenAnyone: true})
	c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, l.Addr(), tcp.Options{FastOpen: true, FastOpenNoCookie: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(p.a.now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	f, text := p.lastSyn()
	if s := l.Accept(); f.Present || text != "hello" || s == nil || !c.Info(p.a.now).SynData {
		t.Errorf("the SYN has %v and %q; accepted %v", f, text, s)
	}
}

// Who waits to write tells so by Await: the rest of the text goes with the ACK of
// the SYN,ACK.
func TestFastOpenAwaitWritable(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	c := p.dialFast()
	text := []byte(strings.Repeat("x", 2000))
	n, err := c.Write(p.a.now, text)
	if err != syscall.EAGAIN || !c.Await(tcp.Writable) {
		t.Fatalf("Write = %v, %v", n, err)
	}
	before := len(p.log)
	p.exchange()
	if got := len(p.log) - before; got != 2 {
		t.Errorf("%d packets, want SYN and SYN,ACK", got)
	}
	if _, err := c.Write(p.a.now, text[n:]); err != nil {
		t.Fatal(err)
	}
	p.exchange()
	if s := parse(t, p.log[before+2]); s.Flags != wire.ACK|wire.PSH || len(s.text) != 2000-n {
		t.Errorf("the SYN,ACK is answered by %v", s)
	}
}

// A reset says nothing of Fast Open, most of the time: the port was closed. But two
// in a row may be the work of a middlebox that cannot stand text in a SYN.
func TestFastOpenResets(t *testing.T) {
	p, l := fastPair(t, 5)
	p.dialFast()
	p.exchange()
	l.Accept()
	l.Close(p.b.now)
	p.exchange()
	for i, want := range []bool{true, true, false} {
		c := p.dialFast()
		if _, err := c.Write(p.a.now, []byte("hello")); (err == nil) != want {
			t.Errorf("Write %d before the SYN,ACK: %v", i, err)
		}
		p.exchange()
		if err := c.TakeError(); err != syscall.ECONNREFUSED {
			t.Errorf("connection %d: %v, want ECONNREFUSED", i, err)
		}
	}
}

// ForgetPaths: in another network neither cookies nor path MTUs are worth anything.
func TestForgetPaths(t *testing.T) {
	p, l := fastPair(t, 5)
	c := p.dialFast()
	p.exchange()
	l.Accept()
	if _, err := c.Write(p.a.now, make([]byte, 4000)); err != nil {
		t.Fatal(err)
	}
	big := p.a.output()
	p.a.input(0, icmpPacket(addrB, addrA, 3, 4, 1000, big[0].data))
	p.exchange()
	if len(p.a.e.paths) != 1 || len(p.a.e.fastOpens) != 1 {
		t.Fatalf("%d path MTUs and %d servers known", len(p.a.e.paths), len(p.a.e.fastOpens))
	}
	p.a.e.ForgetPaths()
	c = p.dialFast()
	p.exchange()
	if f, _ := p.lastSyn(); !f.Present || f.Len != 0 || c.Info(p.a.now).PMTU != 1500 {
		t.Errorf("the SYN has %v, the path MTU is %d", f, c.Info(p.a.now).PMTU)
	}
}
