package engine

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.5, Figure 6: SYN, SYN,ACK, ACK make a connection; the
// SYN,ACK has only the options that the SYN had (RFC 7323, Section 2.2).
func TestHandshake(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	p.seg.Options = wire.Options{MSS: 1000}
	s := p.open()
	if want := (wire.Options{MSS: 1460}); s.Options != want {
		t.Errorf("options of the SYN,ACK = %+v, want %+v", s.Options, want)
	}
	h.wantEvents("listen-syn", "LISTEN>SYN-RECEIVED")
	if st := h.e.StateOf(p.tuple); st != tcp.StateSynReceived {
		t.Errorf("StateOf = %v, want SYN-RECEIVED", st)
	}
	if l.Accept() != nil {
		t.Fatal("Accept returned a half-open connection")
	}
	p.send(wire.ACK, 0, "")
	c := l.Accept()
	if c == nil || c.State() != tcp.StateEstablished || c.Tuple() != p.tuple {
		t.Fatalf("Accept() = %v", c)
	}
	h.none()
	c.Write(h.now, make([]byte, 3000))
	if segs := h.segments(); len(segs) != 3 || segs[0].PayloadLen != 1000 {
		t.Errorf("3000 bytes leave as %v, want segments of the peer's MSS", segs)
	}
	if n := h.e.tcp.Counters.PassiveOpens; n != 1 {
		t.Errorf("PassiveOpens = %d, want 1", n)
	}
}

// Data and FIN on the segment that completes the handshake are taken (RFC
// 9293, Section 3.10.7.4; SC-21, SC-23).
func TestHandshakeWithDataAndFin(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	p.open()
	p.send(wire.ACK|wire.PSH|wire.FIN, 0, "hello")
	p.want(wire.ACK, 0, 6)
	c := l.Accept()
	if c.State() != tcp.StateCloseWait {
		t.Errorf("state = %v, want CLOSE-WAIT", c.State())
	}
	b := make([]byte, 10)
	if n, err := c.Read(h.now, b); string(b[:n]) != "hello" || err != nil {
		t.Errorf("Read = %q, %v, want hello", b[:n], err)
	}
	if _, err := c.Read(h.now, b); err != io.EOF {
		t.Errorf("second Read: %v, want EOF", err)
	}
}

// RFC 9293, Section 3.10.7.2, SEGMENT ARRIVES in LISTEN.
func TestListenSegments(t *testing.T) {
	tests := []struct {
		name  string
		flags wire.Flags
		text  string
		want  wire.Flags // of the answer; 0: none
		rule  tcp.Rule
	}{
		{"RST", wire.RST, "", 0, tcp.RuleListenReset},
		{"RST,ACK", wire.RST | wire.ACK, "", 0, tcp.RuleListenReset},
		{"ACK", wire.ACK, "", wire.RST, tcp.RuleListenAck},
		{"SYN,ACK", wire.SYN | wire.ACK, "", wire.RST, tcp.RuleListenAck},
		{"data", wire.ACK | wire.PSH, "data", wire.RST, tcp.RuleListenAck},
		{"FIN,ACK", wire.FIN | wire.ACK, "", wire.RST, tcp.RuleListenAck},
		{"FIN", wire.FIN, "", 0, tcp.RuleListenIgnored},
		{"nothing", 0, "data", 0, tcp.RuleListenIgnored},
		{"SYN,FIN", wire.SYN | wire.FIN, "", 0, tcp.RuleListenSynFin},
		{"SYN", wire.SYN, "", wire.SYN | wire.ACK, tcp.RuleListenSyn},
		{"SYN with data", wire.SYN, "data", wire.SYN | wire.ACK, tcp.RuleListenSyn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			h.listen("10.0.0.1:80", ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			p.ack = 77
			p.send(tt.flags, 0, tt.text)
			if n := h.e.tcp.Counters.Rules[tt.rule]; n != 1 {
				t.Errorf("rule %v counted %d times, want once; events %v", tt.rule, n, h.events)
			}
			switch tt.want {
			case 0:
				h.none()
			case wire.RST:
				if s := h.one(); s.Flags != wire.RST || s.Seq != 77 {
					t.Errorf("answer %v, want RST 77", s)
				}
			default:
				if s := h.one(); s.Flags != tt.want || s.Ack != peerISN.Add(1) {
					t.Errorf("answer %v, want %s ack ISN+1", s, flagString(tt.want))
				}
			}
		})
	}
}

// RFC 9293, Section 3.10.7.4, SEGMENT ARRIVES in SYN-RECEIVED by a passive
// open, with RFC 5961.
func TestSynReceivedSegments(t *testing.T) {
	const good, bad = 0, 5 // offsets of the acknowledgement number
	tests := []struct {
		name   string
		flags  wire.Flags
		offset int // from RCV.NXT
		ack    int
		text   string
		want   wire.Flags // of the answer; 0: none
		state  tcp.State
		rule   tcp.Rule
	}{
		{"RST exact", wire.RST, 0, 0, "", 0, tcp.StateListen, tcp.RuleSynReceivedReset},
		{"RST in window", wire.RST, 1, 0, "", wire.ACK, tcp.StateSynReceived, tcp.RuleChallengeReset},
		{"RST outside", wire.RST, 70000, 0, "", 0, tcp.StateSynReceived, tcp.RuleResetOutside},
		{"RST before", wire.RST, -1, 0, "", 0, tcp.StateSynReceived, tcp.RuleResetOutside},
		{"SYN again", wire.SYN, -1, 0, "", wire.SYN | wire.ACK, tcp.StateSynReceived, tcp.RuleSynReceivedSynAgain},
		{"SYN,FIN again", wire.SYN | wire.FIN, -1, 0, "", 0, tcp.StateSynReceived, tcp.RuleListenSynFin},
		{"new SYN in window", wire.SYN, 9, 0, "", 0, tcp.StateListen, tcp.RuleSynReceivedReset},
		{"new SYN outside", wire.SYN, 70000, 0, "", wire.ACK, tcp.StateSynReceived, tcp.RuleUnacceptable},
		{"SYN,ACK", wire.SYN | wire.ACK, -1, good, "", wire.ACK, tcp.StateSynReceived, tcp.RuleUnacceptable},
		{"bad ACK", wire.ACK, 0, bad, "", wire.RST, tcp.StateSynReceived, tcp.RuleHandshakeBadAck},
		{"ACK of nothing", wire.ACK, 0, -1, "", wire.RST, tcp.StateSynReceived, tcp.RuleHandshakeBadAck},
		{"no ACK", 0, 0, 0, "data", 0, tcp.StateSynReceived, tcp.RuleNoAck},
		{"old data", wire.ACK, -9, good, "data", wire.ACK, tcp.StateSynReceived, tcp.RuleUnacceptable},
		{"data right of the window", wire.ACK, 70000, good, "data", wire.ACK, tcp.StateSynReceived, tcp.RuleUnacceptable},
		{"ACK", wire.ACK, 0, good, "", 0, tcp.StateEstablished, tcp.RuleHandshakeAck},
		{"data", wire.ACK, 0, good, "data", wire.ACK, tcp.StateEstablished, tcp.RuleHandshakeAck},
		{"data after a gap", wire.ACK, 2, good, "data", wire.ACK, tcp.StateEstablished, tcp.RuleHandshakeAck},
		{"FIN", wire.ACK | wire.FIN, 0, good, "", wire.ACK, tcp.StateCloseWait, tcp.RuleHandshakeAck},
		{"FIN after a gap", wire.ACK | wire.FIN, 3, good, "", wire.ACK, tcp.StateEstablished, tcp.RuleHandshakeAck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			h.listen("10.0.0.1:80", ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			p.open()
			iss := p.ack.Add(^seqnum.Size(0))
			p.ack = p.ack.Add(seqnum.Size(tt.ack))
			p.send(tt.flags, tt.offset, tt.text)
			if n := h.e.tcp.Counters.Rules[tt.rule]; n != 1 {
				t.Errorf("rule %v counted %d times, want once; events %v", tt.rule, n, h.events)
			}
			if st := h.e.StateOf(p.tuple); st != tt.state {
				t.Errorf("state = %v, want %v", st, tt.state)
			}
			segs := h.segments()
			if len(segs) > 1 || (len(segs) == 1) != (tt.want != 0) {
				t.Fatalf("answers %v, want %q", segs, flagString(tt.want))
			}
			if len(segs) == 0 {
				return
			}
			s := segs[0]
			seq := iss.Add(1)
			switch tt.want {
			case wire.SYN | wire.ACK:
				seq = iss
			case wire.RST:
				seq = p.ack
			}
			if s.Flags != tt.want || s.Seq != seq {
				t.Errorf("answer %v, want %s with sequence number %d", s, flagString(tt.want), seq)
			}
		})
	}
}

// RFC 7323, Section 5.3: PAWS holds in SYN-RECEIVED too; what a segment that it
// drops gets is an ACK with current timestamps, and not each time (RFC 5961,
// Section 7).
func TestSynReceivedPAWS(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(1000)
	p.open()
	p.seg.Options.TSVal = 999
	p.send(wire.ACK, 0, "")
	s := p.want(wire.ACK, 0, 0)
	if !s.Options.HasTS || s.Options.TSEcr != 1000 || s.Options.TSVal != p.seg.Options.TSEcr {
		t.Errorf("options of the answer = %+v", s.Options)
	}
	p.send(wire.SYN, -1, "") // even an old SYN
	h.none()
	h.now = h.now.Add(answerInterval)
	p.send(wire.ACK, 0, "")
	p.want(wire.ACK, 0, 0)
	p.seg.Options.TSVal = 1001
	p.send(wire.ACK, 0, "")
	if st := h.e.StateOf(p.tuple); st != tcp.StateEstablished {
		t.Errorf("state = %v, want ESTABLISHED", st)
	}
}

// DIS-16: each copy of the SYN gets the SYN,ACK again, which echoes its newer
// timestamp, but not more often than an attacker could want.
func TestSynAgain(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(1000)
	first := p.open()
	for i := range uint32(4) {
		p.seg.Options.TSVal = 1001 + i
		p.send(wire.SYN, -1, "")
		if i%2 == 1 {
			h.none()
			h.now = h.now.Add(answerInterval)
			continue
		}
		s := h.one()
		if s.Flags != wire.SYN|wire.ACK || s.Seq != first.Seq || s.Options.TSEcr != 1001+i {
			t.Errorf("answer to copy %d is %v, TSecr %d", i, s, s.Options.TSEcr)
		}
	}
}

// As on Linux, the answer to a copy of the SYN has the whole time-out: the timer
// of the SYN,ACK before does not send another one at once.
func TestSynAgainTimer(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(1000)
	p.open()
	h.now = h.now.Add(synAckTimeout)
	p.send(wire.SYN, -1, "")
	h.one()
	h.e.Advance(h.now)
	h.none()
	if got, want := h.e.NextTimeout(), h.now.Add(synAckTimeout); got != want {
		t.Errorf("the next time-out is at %v, want %v", got, want)
	}
}

// RFC 7323, Section 3.2: a segment without the timestamps that were agreed on
// completes the handshake, unless it is configured not to (DIS-10).
func TestSynReceivedTimestampMissing(t *testing.T) {
	for require, want := range map[bool]tcp.State{false: tcp.StateEstablished, true: tcp.StateSynReceived} {
		h := newHost(t, Config{TCP: tcp.Config{RequireTimestamps: require}}, addrA)
		h.listen("10.0.0.1:80", ListenOptions{})
		p := h.peer(addrB, 5000, 80).timestamps(1000)
		p.open()
		p.seg.Options = wire.Options{}
		p.send(wire.ACK, 0, "")
		if st := h.e.StateOf(p.tuple); st != want {
			t.Errorf("RequireTimestamps %v: state = %v, want %v", require, st, want)
		}
	}
}

// RFC 9293, Section 3.8.3, and RFC 6298, Section 5: a SYN,ACK without an answer
// is sent again after 1, 2, 4, 8, 16 s; 32 s later the half-open connection is
// forgotten.
func TestSynAckRetransmit(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(1)
	first := p.open()
	for _, d := range []time.Duration{1, 2, 4, 8, 16} {
		h.wait(d*time.Second - 1)
		h.none()
		h.wait(1)
		s := h.one()
		if s.Seq != first.Seq || s.Flags != first.Flags || s.Window != first.Window {
			t.Fatalf("sent %v again as %v", first, s)
		}
		if !s.Retransmit && s.Options.TSVal == first.Options.TSVal {
			t.Error("the timestamp of the SYN,ACK sent again is old")
		}
	}
	h.clearEvents()
	h.wait(32*time.Second - 1)
	h.wantEvents()
	h.wait(1)
	h.none()
	h.wantEvents("syn-ack-exhausted", "SYN-RECEIVED>LISTEN")
	if n := h.e.NextTimeout(); n != 0 {
		t.Errorf("NextTimeout() = %v with nothing left", n)
	}
	if n := h.e.tcp.Counters.Retransmitted; n != 5 {
		t.Errorf("Retransmitted = %d, want 5", n)
	}
}

// SOCK-94: a backlog of n lets n+1 connections wait. When they do, new SYNs and
// the last ACK of handshakes are dropped; nobody is reset; once there is room,
// what the peer sends again succeeds.
func TestBacklog(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{Backlog: NewBacklog(1)})
	var peers []*peer
	for i := range uint16(3) {
		p := h.peer(addrB, 5000+i, 80)
		p.open() // while there is room all three begin
		peers = append(peers, p)
	}
	for _, p := range peers {
		p.send(wire.ACK, 0, "")
	}
	h.none()
	if s := h.e.Stats(); s.AcceptWait != 2 || s.HalfOpen != 1 || s.ListenOverflows != 1 || s.ListenDrops != 0 {
		t.Errorf("waiting %d, half-open %d, overflows %d, drops %d; want 2, 1, 1, 0",
			s.AcceptWait, s.HalfOpen, s.ListenOverflows, s.ListenDrops)
	}
	late := h.peer(addrB, 6000, 80)
	late.send(wire.SYN, 0, "")
	h.none()
	if s := h.e.Stats(); s.ListenOverflows != 2 || s.ListenDrops != 1 {
		t.Errorf("overflows %d, drops %d; want 2, 1", s.ListenOverflows, s.ListenDrops)
	}
	for i := range 2 {
		if c := l.Accept(); c == nil || c.Tuple() != peers[i].tuple {
			t.Fatalf("Accept %d = %v, want them in the order of completion", i, c)
		}
	}
	h.wait(time.Second)
	h.one() // SYN,ACK again
	peers[2].send(wire.ACK, 0, "late")
	peers[2].want(wire.ACK, 0, 4)
	if c := l.Accept(); c == nil || c.Tuple() != peers[2].tuple {
		t.Fatalf("Accept = %v after there was room", c)
	}
	late.connect(l)
}

// Parts of one listener share a backlog.
func TestBacklogShared(t *testing.T) {
	b := NewBacklog(0)
	if !b.take(100) || b.take(100) || !b.full(100) {
		t.Error("a backlog of 0 has to take one")
	}
	b.give()
	if b.full(100) || b.waiting() != 0 {
		t.Error("giving back does not make room")
	}
	large := NewBacklog(100)
	if !large.take(0) || large.take(0) {
		t.Error("the engine's limit does not count")
	}
	if b := NewBacklog(-1); !b.take(100) {
		t.Error("a negative backlog has to take one")
	}
}

// RFC 4987, Section 3: the half-open connections of a listener are bounded;
// other listeners and connections go on.
func TestSynQueueFull(t *testing.T) {
	h := newHost(t, Config{SynBacklog: 10, SynCookies: CookiesNever}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	other := h.listen("10.0.0.1:81", ListenOptions{})
	for i := range uint16(100) {
		h.peer(addrB, 1000+i, 80).send(wire.SYN, 0, "")
	}
	if n := len(h.segments()); n != 10 {
		t.Errorf("%d SYN,ACKs, want 10", n)
	}
	if s := h.e.Stats(); s.HalfOpen != 10 || s.ListenDrops != 90 {
		t.Errorf("half-open %d, drops %d; want 10, 90", s.HalfOpen, s.ListenDrops)
	}
	h.peer(addrB, 5000, 81).connect(other)
	l.Close(h.now)
	if s := h.e.Stats(); s.HalfOpen != 0 || s.Listeners != 1 {
		t.Errorf("half-open %d, listeners %d after Close; want 0, 1", s.HalfOpen, s.Listeners)
	}
}

// SC-24: a connection that was reset before it was accepted is accepted, and
// tells.
func TestResetBeforeAccept(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	p.open()
	p.send(wire.ACK, 0, "")
	p.send(wire.RST, 0, "")
	c := l.Accept()
	if c == nil {
		t.Fatal("Accept() = nil")
	}
	if _, err := c.Read(h.now, make([]byte, 1)); err != syscall.ECONNRESET {
		t.Errorf("Read: %v, want ECONNRESET", err)
	}
	if s := h.e.Stats(); s.Conns != 0 || s.AcceptWait != 0 {
		t.Errorf("connections %d, waiting %d; want 0, 0", s.Conns, s.AcceptWait)
	}
}

// SOCK-45: closing a listener resets the connections that nobody accepted,
// forgets the half-open ones, and their later ACK draws a RST.
func TestListenerClose(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	half, whole, accepted := h.peer(addrB, 5000, 80), h.peer(addrB, 5001, 80), h.peer(addrB, 5002, 80)
	c := accepted.connect(l)
	whole.open()
	whole.send(wire.ACK, 0, "")
	half.open()
	h.clearEvents()
	l.Close(h.now)
	l.Close(h.now) // harmless
	h.wantEvents("close", "SYN-RECEIVED>CLOSED", "abort", "ESTABLISHED>CLOSED")
	whole.want(wire.RST|wire.ACK, 0, 0)
	half.send(wire.ACK, 0, "")
	half.want(wire.RST, 0, 0)
	if c.State() != tcp.StateEstablished {
		t.Errorf("an accepted connection is in %v after the listener closed", c.State())
	}
	if l.Accept() != nil || l.backlog.waiting() != 0 {
		t.Error("a closed listener has connections")
	}
}

// The waker is told once for each Await.
func TestListenerAwait(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	var w countingWaker
	l := h.listen("10.0.0.1:80", ListenOptions{Waker: &w})
	if !l.Await() {
		t.Fatal("Await() = false with nothing to accept")
	}
	for i := range uint16(2) {
		p := h.peer(addrB, 5000+i, 80)
		p.open()
		p.send(wire.ACK, 0, "")
	}
	h.e.Wake()
	h.e.Wake()
	if w.n != 1 || w.ready != tcp.Readable {
		t.Errorf("woken %d times with %b, want once with Readable", w.n, w.ready)
	}
	if l.Await() {
		t.Error("Await() = true with connections to accept")
	}
}

type countingWaker struct {
	n     int
	ready tcp.Ready
}

func (w *countingWaker) Wake(r tcp.Ready) { w.n, w.ready = w.n+1, w.ready|r }

// SOCK-85 to SOCK-88, SOCK-100, SOCK-21: what may listen beside what.
func TestListenConflicts(t *testing.T) {
	const both = ""
	tests := []struct {
		name           string
		first, second  string
		share1, share2 bool
		want           error
	}{
		{"same", "10.0.0.1:80", "10.0.0.1:80", false, false, syscall.EADDRINUSE},
		{"same, both share", "10.0.0.1:80", "10.0.0.1:80", true, true, nil},
		{"same, one shares", "10.0.0.1:80", "10.0.0.1:80", true, false, syscall.EADDRINUSE},
		{"other port", "10.0.0.1:80", "10.0.0.1:81", false, false, nil},
		{"wildcard and specific", "0.0.0.0:80", "10.0.0.1:80", false, false, syscall.EADDRINUSE},
		{"specific and wildcard, both share", "10.0.0.1:80", "0.0.0.0:80", true, true, nil},
		{"families", "0.0.0.0:80", "[::]:80", false, false, nil},
		{"families, specific", "[fd00::1]:80", "0.0.0.0:80", false, false, nil},
		{"dual stack and IPv4", both, "0.0.0.0:80", false, false, syscall.EADDRINUSE},
		{"dual stack and IPv6", both, "[fd00::1]:80", false, false, syscall.EADDRINUSE},
		{"not ours", "10.0.0.1:80", "10.0.0.9:80", false, false, syscall.EADDRNOTAVAIL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			first := netip.AddrPortFrom(netip.Addr{}, 80)
			if tt.first != both {
				first = netip.MustParseAddrPort(tt.first)
			}
			l, err := h.e.Listen(h.now, first, ListenOptions{ReusePort: tt.share1})
			if err != nil {
				t.Fatalf("first Listen: %v", err)
			}
			second := netip.MustParseAddrPort(tt.second)
			if _, err := h.e.Listen(h.now, second, ListenOptions{ReusePort: tt.share2}); err != tt.want {
				t.Errorf("second Listen: %v, want %v", err, tt.want)
			}
			l.Close(h.now)
			if tt.want == syscall.EADDRINUSE {
				if _, err := h.e.Listen(h.now, second, ListenOptions{}); err != nil {
					t.Errorf("second Listen after the first closed: %v", err)
				}
			}
		})
	}
}

// A specific address goes before the wildcard of its family, that before the
// listener on both families.
func TestListenerLookup(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrB, addrA6)
	share := ListenOptions{ReusePort: true}
	specific, wild := h.listen("10.0.0.1:80", share), h.listen("0.0.0.0:80", share)
	dual, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, 80), share)
	if err != nil {
		t.Fatal(err)
	}
	remote := netip.MustParseAddrPort("10.0.0.7:9")
	for local, want := range map[netip.Addr]*Listener{addrA: specific, addrB: wild, addrA6: dual} {
		tuple := wire.Tuple(netip.AddrPortFrom(local, 80), remote)
		if got := h.e.listeners.lookup(&tuple, &h.e.keys.spread); got != want {
			t.Errorf("lookup of %v = %v, want %v", local, got.Addr(), want.Addr())
		}
	}
}

// SOCK-87: listeners that share a port get connections by the hash of the
// 4-tuple: each its part, and a tuple always the same.
func TestReusePortSpreads(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	var list []*Listener
	count := map[*Listener]int{}
	for range 4 {
		h.listen("0.0.0.0:80", ListenOptions{ReusePort: true}) // gets nothing: it is less specific
		list = append(list, h.listen("10.0.0.1:80", ListenOptions{ReusePort: true}))
	}
	for i := range uint16(1000) {
		tuple := h.peer(addrB, 1000+i, 80).tuple
		l := h.e.listeners.lookup(&tuple, &h.e.keys.spread)
		if l != h.e.listeners.lookup(&tuple, &h.e.keys.spread) {
			t.Fatal("the choice is not stable")
		}
		count[l]++
	}
	for i, l := range list {
		if n := count[l]; n < 180 || n > 320 {
			t.Errorf("listener %d gets %d of 1000 connections", i, n)
		}
	}
}

// SOCK-102: port 0 is chosen among the ephemeral ports, a free one; when there
// is none the error is EADDRINUSE.
func TestListenPortZero(t *testing.T) {
	h := newHost(t, Config{FirstPort: 50000, LastPort: 50003}, addrA)
	seen := map[uint16]bool{}
	for range 4 {
		port := h.listen("0.0.0.0:0", ListenOptions{}).Addr().Port()
		if port < 50000 || port > 50003 || seen[port] {
			t.Errorf("port %d chosen after %v", port, seen)
		}
		seen[port] = true
	}
	if _, err := h.e.Listen(h.now, netip.MustParseAddrPort("0.0.0.0:0"), ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen with no port left: %v, want EADDRINUSE", err)
	}
}

// A port is used by an address: when each is, the one that is chosen is still free
// on others, as on Linux.
func TestChosenPortOfAnotherAddress(t *testing.T) {
	for _, open := range []struct {
		name string
		port func(h *host, addr string) (uint16, error)
	}{
		{"TCP", func(h *host, addr string) (uint16, error) {
			l, err := h.e.Listen(h.now, netip.MustParseAddrPort(addr), ListenOptions{ReusePort: true})
			if err != nil {
				return 0, err
			}
			return l.Addr().Port(), nil
		}},
		{"UDP", func(h *host, addr string) (uint16, error) {
			s, err := h.e.ListenUDP(h.now, netip.MustParseAddrPort(addr), UDPOptions{ReusePort: true})
			if err != nil {
				return 0, err
			}
			return s.Local().Port(), nil
		}},
	} {
		h := newHost(t, Config{FirstPort: 50000, LastPort: 50001}, addrA, addrA6)
		for _, addr := range []string{"10.0.0.1:0", "127.0.0.1:0", "[::]:0"} {
			seen := map[uint16]bool{}
			for range 2 {
				port, err := open.port(h, addr)
				if err != nil || seen[port] {
					t.Errorf("%s %s: port %d, %v, after %v", open.name, addr, port, err, seen)
				}
				seen[port] = true
			}
			for _, addr := range []string{addr, "0.0.0.0:0"} {
				if port, err := open.port(h, addr); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%s %s with no port left: %d, %v, want EADDRINUSE", open.name, addr, port, err)
				}
			}
		}
	}
}

// SOCK-69: with TCP_DEFER_ACCEPT the ACK of the handshake is forgotten until
// there is text with it.
func TestDeferAccept(t *testing.T) {
	deferring := ListenOptions{Options: tcp.Options{DeferAccept: 5 * time.Second}}
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", deferring)
	p := h.peer(addrB, 5000, 80)
	p.open()
	p.send(wire.ACK, 0, "")
	h.wantEvents("listen-syn", "LISTEN>SYN-RECEIVED", "defer-accept")
	if l.Accept() != nil {
		t.Error("Accept returned a connection without text")
	}
	h.silence(2 * time.Second) // no SYN,ACK again: it arrived
	p.send(wire.ACK|wire.PSH, 0, "hello")
	if c := l.Accept(); c == nil || c.Info(h.now).Unread != 5 {
		t.Errorf("Accept() = %v, want a connection with five bytes", c)
	}
}

// tcp(7): 5 s are three time-outs of the SYN,ACK, 1+2+4 s. The last SYN,ACK goes
// again, and an ACK of it will do.
func TestDeferAcceptEnds(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{DeferAccept: 5 * time.Second}})
	p := h.peer(addrB, 5000, 80)
	p.open()
	p.send(wire.ACK, 0, "")
	h.silence(7*time.Second - 1)
	h.wait(1)
	if s := h.one(); s.Flags != wire.SYN|wire.ACK {
		t.Fatalf("after 7 s came %v, want a SYN,ACK", s)
	}
	p.send(wire.ACK, 0, "")
	if l.Accept() == nil {
		t.Error("the connection still waits for text")
	}
}

// SOCK-68: TCP_SYNCNT of a listener is how often it repeats the SYN,ACK.
func TestSynAckRetriesOfListener(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{SynRetries: 1}})
	h.peer(addrB, 5000, 80).open()
	h.wait(time.Second)
	h.one()
	h.clearEvents()
	h.wait(2 * time.Second)
	h.none()
	h.wantEvents("syn-ack-exhausted", "SYN-RECEIVED>LISTEN")
}

// Listeners are told in the order of Listen, whichever of them are closed.
func TestListenersInOrder(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	ports := func() (p []uint16) {
		h.e.Sockets(h.now, func(i *SocketInfo) { p = append(p, i.Tuple.LocalPort) })
		return p
	}
	var all []*Listener
	for port := uint16(1); port <= 5; port++ {
		l, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, port), ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	for _, tt := range []struct {
		close int
		want  []uint16
	}{
		{2, []uint16{1, 2, 4, 5}}, {0, []uint16{2, 4, 5}}, {4, []uint16{2, 4}}, {3, []uint16{2}}, {1, nil},
	} {
		all[tt.close].Close(h.now)
		if got := ports(); !slices.Equal(got, tt.want) || h.e.Stats().Listeners != len(tt.want) {
			t.Errorf("after closing port %d: %d listeners, on %v, want %v", tt.close+1, h.e.Stats().Listeners, got, tt.want)
		}
	}
	if _, err := h.e.Listen(h.now, netip.AddrPortFrom(netip.Addr{}, 9), ListenOptions{}); err != nil || !slices.Equal(ports(), []uint16{9}) {
		t.Errorf("Listen after all were closed: %v, listeners on %v", err, ports())
	}
}
