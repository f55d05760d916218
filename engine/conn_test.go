package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// One wake for each Await, when what is awaited has come, and not before; what
// holds already needs none.
func TestAwait(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	var w countingWaker
	c.Waker = &w
	if c.Await(tcp.Writable) {
		t.Error("Await(Writable) = true on a new connection")
	}
	if !c.Await(tcp.Readable) || !c.Await(tcp.Done) {
		t.Fatal("Await = false with nothing to read and not done")
	}
	p.send(wire.ACK, 0, "one")
	p.send(wire.ACK, 3, "two")
	h.e.Wake()
	h.e.Wake()
	if w.n != 1 || w.ready != tcp.Readable {
		t.Errorf("woken %d times with %b, want once with Readable", w.n, w.ready)
	}
	p.send(wire.ACK, 6, "three")
	h.e.Wake()
	if w.n != 1 {
		t.Error("woken without Await")
	}
	p.send(wire.RST, 11, "")
	h.e.Wake()
	if w.n != 2 || w.ready&tcp.Done == 0 {
		t.Errorf("woken %d times with %b in all, want a second time with Done", w.n, w.ready)
	}
}

// What was read between the event and Wake is not told; the wake stays asked
// for.
func TestAwaitTaken(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	var w countingWaker
	c.Waker = &w
	c.Await(tcp.Readable)
	p.send(wire.ACK, 0, "gone")
	c.Read(h.now, make([]byte, 10))
	h.e.Wake()
	if w.n != 0 {
		t.Error("woken with nothing to read")
	}
	p.send(wire.ACK, 4, "here")
	h.e.Wake()
	if w.n != 1 {
		t.Errorf("woken %d times, want once", w.n)
	}
}

// A connection that its user closed goes on until the protocol is done, as an
// orphan (SOCK-32, SOCK-48); then nothing of it is left.
func TestOrphan(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	c.Write(h.now, []byte("last words"))
	c.Close(h.now)
	if s := p.want(wire.ACK|wire.PSH|wire.FIN, 0, 0); s.text != "last words" {
		t.Errorf("sent %v", s)
	}
	if s := h.e.Stats(); s.Orphans != 1 || s.Conns != 1 {
		t.Errorf("orphans %d, connections %d; want 1, 1", s.Orphans, s.Conns)
	}
	c.Close(h.now) // harmless
	h.silence(10 * time.Minute)
	if s := h.e.Stats(); s.Orphans != 0 || s.Conns != 0 || h.e.NextTimeout() != 0 {
		t.Errorf("orphans %d, connections %d, timer %v after the peer fell silent", s.Orphans, s.Conns, h.e.NextTimeout())
	}
}

// D-53: too many orphans are reset.
func TestMaxOrphans(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	h.e.stats.Orphans = maxOrphans
	c.Close(h.now)
	p.want(wire.RST|wire.ACK, 0, 0)
	if s := h.e.Stats(); s.OrphanOverflows != 1 || s.Orphans != maxOrphans || s.Conns != 0 {
		t.Errorf("OrphanOverflows %d, orphans %d, connections %d; want 1, %d, 0", s.OrphanOverflows, s.Orphans, s.Conns, maxOrphans)
	}
}

// SC-4: a connection to oneself, when asked for, is a simultaneous open.
func TestSelfConnect(t *testing.T) {
	p := newPair(t, Config{})
	me := netip.MustParseAddrPort("127.0.0.1:4000")
	c, err := p.a.e.Dial(p.a.now, me, me, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.exchange()
	c.Write(p.a.now, []byte("echo"))
	p.exchange()
	b := make([]byte, 10)
	if n, err := c.Read(p.a.now, b); string(b[:n]) != "echo" || err != nil {
		t.Errorf("Read = %q, %v", b[:n], err)
	}
	c.Close(p.a.now)
	p.wait(5 * time.Minute)
	if s := p.a.e.Stats(); s.Conns+s.TimeWaits != 0 {
		t.Errorf("%d connections, %d TIME-WAIT left", s.Conns, s.TimeWaits)
	}
}

// Both ends on one host, by loopback.
func TestLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:80", "[::1]:80", "10.0.0.1:80"} {
		t.Run(addr, func(t *testing.T) {
			p := newPair(t, Config{})
			l := p.a.listen(addr, ListenOptions{})
			c, s := p.dial(l)
			c.Write(p.a.now, []byte("to myself"))
			c.CloseWrite(p.a.now)
			p.exchange()
			if got := readAll(t, p.a, s); string(got) != "to myself" {
				t.Errorf("read %q", got)
			}
			if got := s.Tuple().Reverse(); got != c.Tuple() {
				t.Errorf("tuples %v and %v", c.Tuple(), s.Tuple())
			}
		})
	}
}

// SOCK-13: a dial to a closed port is refused.
func TestRefused(t *testing.T) {
	p := newPair(t, Config{})
	c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:80"), tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Await(tcp.Connected) {
		t.Fatal("Await(Connected) = false before anything arrived")
	}
	p.exchange()
	if c.Ready()&tcp.Connected == 0 || c.TakeError() != syscall.ECONNREFUSED {
		t.Errorf("state %v after the RST", c.State())
	}
}

// Options and the calls that only pass through.
func TestOptions(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{NoDelay: true, TOS: 0x10}})
	p := h.peer(addrB, 5000, 80)
	if s := p.open(); s.TOS != 0x10 {
		t.Errorf("TOS of the SYN,ACK = %#x, want that of the listener", s.TOS)
	}
	p.send(wire.ACK, 0, "")
	c := l.Accept()
	o := c.Options()
	if !o.NoDelay || o.TOS != 0x10 {
		t.Errorf("options %+v, want those of the listener (SOCK-80)", o)
	}
	o.KeepAlive, o.KeepIdle = true, time.Minute
	c.SetOptions(h.now, o)
	h.wait(time.Minute)
	p.want(wire.ACK, -1, 0) // a keep-alive probe
	if err := c.CloseRead(h.now); err != nil {
		t.Errorf("CloseRead: %v", err)
	}
}

// Whatever the options, a timer fires once at a moment: time has to pass before
// it fires again.
func TestTimePasses(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{
		KeepAlive: true, KeepIdle: 1, KeepInterval: -1, KeepCount: 1000,
	}})
	h.peer(addrB, 5000, 80).connect(l)
	h.now++
	for range 10 {
		h.e.Advance(h.now)
		next := h.e.NextTimeout()
		if next <= h.now {
			t.Fatalf("NextTimeout() = %d at %d", next, h.now)
		}
		h.now = next
	}
}

// The table lists everything there is, the same way each time.
func TestSockets(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	l := h.listen("10.0.0.1:80", ListenOptions{Backlog: NewBacklog(7)})
	if _, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, 81), ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	h.peer(addrB, 5000, 80).open()
	done := h.peer(addrB, 5001, 80)
	done.enterTimeWait(done.connect(l))
	p := h.peer(addrB, 5002, 80)
	c := p.connect(l)
	p.send(wire.ACK, 0, "unread")
	c.Write(h.now, []byte("unacked"))
	h.output()
	orphan := h.peer(addrB, 5003, 80)
	orphan.connect(l).Close(h.now)
	h.output()
	waiting := h.peer(addrB, 5004, 80)
	waiting.open()
	waiting.send(wire.ACK, 0, "")
	h.output()
	table := func() string {
		var b strings.Builder
		h.e.Sockets(h.now, func(i *SocketInfo) {
			fmt.Fprintf(&b, "%v %v %d %d %v %v %v\n", i.State, i.Tuple, i.RecvQ, i.SendQ, i.Timer, i.Expires.Sub(h.now), i.Orphan)
		})
		return strings.ReplaceAll(b.String(), time.Duration(-h.now).String(), "-")
	}
	want := `LISTEN 10.0.0.1:80 > [::]:0 1 7 retransmit - false
LISTEN [::]:81 > [::]:0 0 4096 retransmit - false
SYN-RECEIVED 10.0.0.1:80 > 10.0.0.2:5000 0 0 retransmit 1s true
ESTABLISHED 10.0.0.1:80 > 10.0.0.2:5002 6 7 retransmit 200.000001ms false
FIN-WAIT-1 10.0.0.1:80 > 10.0.0.2:5003 0 0 retransmit 200.000001ms true
ESTABLISHED 10.0.0.1:80 > 10.0.0.2:5004 0 0 retransmit - false
TIME-WAIT 10.0.0.1:80 > 10.0.0.2:5001 0 0 time-wait 1m0s true
`
	if got := table(); got != want {
		t.Errorf("table\n%swant\n%s", got, want)
	}
	if first, second := table(), table(); first != second {
		t.Error("the order changes")
	}
	s := h.e.Stats()
	if s.Listeners != 2 || s.HalfOpen != 1 || s.Conns != 3 || s.TimeWaits != 1 || s.Orphans != 1 || s.AcceptWait != 1 {
		t.Errorf("stats %d %d %d %d %d %d, want 2 1 3 1 1 1", s.Listeners, s.HalfOpen, s.Conns, s.TimeWaits, s.Orphans, s.AcceptWait)
	}
	for tuple, want := range map[wire.FourTuple]tcp.State{
		p.tuple: tcp.StateEstablished, done.tuple: tcp.StateTimeWait,
		h.peer(addrB, 5000, 80).tuple: tcp.StateSynReceived, h.peer(addrB, 9, 80).tuple: tcp.StateListen,
		h.peer(addrB, 9, 9).tuple: tcp.StateClosed,
	} {
		if got := h.e.StateOf(tuple); got != want {
			t.Errorf("StateOf(%v) = %v, want %v", tuple, got, want)
		}
	}
}

// Packets that are no segments are counted by the reason, and traced.
func TestDrops(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	good := build(wire.Tuple(netip.AddrPortFrom(addrB, 1), netip.AddrPortFrom(addrA, 2)), &wire.Segment{Flags: wire.SYN})
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	for _, b := range [][]byte{{}, {0x15}, good[:10], bad} {
		h.input(0, b)
	}
	h.none()
	if got := strings.Join(h.events, " "); !strings.HasSuffix(got, "drop tcp-checksum") || len(h.events) != 4 {
		t.Errorf("events %s", got)
	}
	if s := h.e.Stats(); s.PacketsIn != 4 || s.TCP.SegmentsIn != 0 {
		t.Errorf("PacketsIn %d, SegmentsIn %d; want 4, 0", s.PacketsIn, s.TCP.SegmentsIn)
	}
}

// The same inputs at the same times give the same packets, bit for bit.
func TestDeterminism(t *testing.T) {
	run := func() (log string, events []string) {
		p := newPair(t, Config{Secret: [32]byte{7}})
		l := p.b.listen("10.0.0.2:80", ListenOptions{})
		var conns []*Conn
		for i := range 50 {
			c, s := p.dial(l)
			c.Write(p.a.now, make([]byte, 100*i))
			s.Write(p.b.now, make([]byte, 10*i))
			conns = append(conns, c, s)
			p.wait(time.Millisecond)
		}
		for i, c := range conns {
			if i%3 == 0 {
				c.Abort(p.a.now)
			} else {
				c.Close(p.a.now)
			}
		}
		p.wait(5 * time.Minute)
		var b strings.Builder
		for _, pkt := range p.log {
			b.Write(pkt)
		}
		return b.String(), append(p.a.events, p.b.events...)
	}
	log, events := run()
	again, eventsAgain := run()
	if log != again {
		t.Error("a second run sends other bytes")
	}
	if strings.Join(events, " ") != strings.Join(eventsAgain, " ") {
		t.Error("a second run has other events")
	}
}
