package sim

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// oldPacket returns a packet that the network kept for long: a segment with
// the given sequence number, from one address and port to another.
func oldPacket(from, to netip.AddrPort, flags wire.Flags, seq seqnum.Value) []byte {
	var p wire.Packet
	p.BuildTCP(wire.Tuple(from, to), &wire.Segment{Flags: flags, Seq: seq, Window: 1000, Count: 1}, 0)
	p.FinishChecksum()
	return p.AppendTo(nil)
}

// ends returns the addresses of a client's port 1000 and the server's port 80.
func (p *pair) ends() (client, server netip.AddrPort) {
	return netip.AddrPortFrom(p.client.Addr(), 1000), netip.AddrPortFrom(p.server.Addr(), webPort)
}

// SC-5. RFC 9293, Section 3.5, Figure 8: an old duplicate SYN reaches the
// listener before the real one. The client, which knows better, resets what
// the listener made of it; the listener listens again and takes the real SYN.
func TestOldDuplicateSyn(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	accepted := 0
	p.listen(func(*Conn) { accepted++ })
	local, remote := p.ends()
	p.Filter(Drop(1)) // the real SYN is late: its second copy arrives
	c, err := p.client.DialFrom(local, remote, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.RunFor(0)
	p.link.Inject(p.client, oldPacket(local, remote, wire.SYN, 12345))
	p.RunFor(500 * time.Millisecond)
	if s := p.server.Engine().Stats(); s.HalfOpen != 0 || s.Listeners != 1 {
		t.Errorf("%d half-open connections, %d listeners after the reset, want 0, 1", s.HalfOpen, s.Listeners)
	}
	p.until("the real one is open", 10*time.Second, func() bool {
		return c.State() == tcp.StateEstablished && accepted == 1
	})
	p.wantPaths("SYN-SENT ESTABLISHED", "SYN-RECEIVED LISTEN SYN-RECEIVED ESTABLISHED")
}

// SC-6. RFC 9293, Section 3.5, Figure 11: an old duplicate SYN between two
// ends that both only listen leads to a reset, and both listen on.
func TestOldDuplicateSynBetweenListeners(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.listen(func(*Conn) { t.Error("the server accepted a connection") })
	local, remote := p.ends()
	if _, err := p.client.Listen(local.Port(), func(*Conn) { t.Error("the client accepted a connection") }); err != nil {
		t.Fatal(err)
	}
	p.link.Inject(p.client, oldPacket(local, remote, wire.SYN, 12345))
	p.RunFor(time.Minute)
	p.wantPaths("", "SYN-RECEIVED LISTEN")
	if n := len(p.log.Packets()); n != 3 {
		t.Errorf("%d packets, want SYN, SYN,ACK and RST", n)
	}
	for _, h := range []*Host{p.client, p.server} {
		if s := h.Engine().Stats(); s.Listeners != 1 || s.HalfOpen+s.Conns+s.TimeWaits != 0 {
			t.Errorf("%s: %+v", h.Name(), s)
		}
	}
}

// SC-10. RFC 9293, Section 3.10.7.4, eighth check: the FIN of the server
// acknowledges that of the client, since the ACK before it was lost: FIN-WAIT-1
// leads to TIME-WAIT directly, and three segments were enough.
func TestMergedClose(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	p.RunFor(time.Second)
	before := len(p.log.Packets())
	Receive(server, func([]byte) {}, func(error) { server.Close() })
	p.Filter(Drop(before + 2)) // FIN, ACK, FIN,ACK, ACK
	client.Close()
	p.RunFor(time.Second)
	if n := len(p.log.Packets()) - before; n != 4 {
		t.Errorf("%d segments close the connection, want 3 and the lost one", n)
	}
	p.wantPaths("SYN-SENT ESTABLISHED FIN-WAIT-1 TIME-WAIT",
		"SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
}

// SC-14. RFC 9293, Section 3.10.7.4, eighth check: the last ACK is lost. The
// peer in LAST-ACK sends its FIN again; TIME-WAIT answers, and its 2 MSL begin
// anew.
func TestLostLastAck(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	p.RunFor(time.Second)
	client.Close()
	p.until("the server has the FIN", time.Second, func() bool { return server.State() == tcp.StateCloseWait })
	p.RunFor(time.Second)
	lost := 0
	p.Filter(func(_ tcp.Time, q *trace.Packet) Verdict {
		drop := q.From == "client" && lost < 2
		if drop {
			lost++
		}
		return Verdict{Drop: drop}
	})
	server.Close()
	p.until("the server is done", 10*time.Second, func() bool { return server.State() == tcp.StateClosed })
	if lost != 2 {
		t.Fatalf("%d ACKs were lost, want 2", lost)
	}
	done := p.Now()
	p.until("both forget", 2*time.Minute, p.over)
	// The last FIN arrived half a round trip before the server was done.
	if took := p.Now().Sub(done); took < 59900*time.Millisecond || took > 60*time.Second {
		t.Errorf("TIME-WAIT ended %v after the last FIN, want 60 s", took)
	}
}

// SC-15. RFC 1337, Section 2: an old segment makes TIME-WAIT answer with an ACK,
// which a peer that has forgotten everything answers with a reset. It must not
// end TIME-WAIT; and when the ports are used again, segments of the old
// connection do not get into the new one.
func TestTimeWaitAssassination(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	local, remote := p.ends()
	var server *Conn
	var got bytes.Buffer
	p.listen(func(c *Conn) {
		server = c
		Receive(c, func(b []byte) { got.Write(b) }, func(error) { c.Close() })
	})
	var old [][]byte // what the client sent in the first connection, but for SYNs
	talk := func(text string) {
		t.Helper()
		got.Reset()
		c, err := p.client.DialFrom(local, remote, tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.Await(tcp.Connected, func() {
			for _, q := range old {
				p.link.Inject(p.client, q)
			}
			Send(c, []byte(text), func(error) { c.Close() })
		})
		p.until("the server is done", time.Minute, func() bool {
			return c.State() == tcp.StateTimeWait && server.State() == tcp.StateClosed
		})
		if got.String() != text {
			t.Errorf("the server got %q, want %q", got.String(), text)
		}
	}
	p.Filter(func(_ tcp.Time, q *trace.Packet) Verdict {
		if q.From == "client" && q.Number > 1 {
			old = append(old, bytes.Clone(q.Data))
		}
		return Verdict{}
	})
	talk("first life")
	p.Filter(nil)
	resets := p.server.Engine().Stats().TCP.ResetsOut
	p.link.Inject(p.server, oldPacket(remote, local, wire.ACK, 99))
	p.RunFor(time.Second)
	if n := p.server.Engine().Stats().TCP.ResetsOut - resets; n != 1 {
		t.Fatalf("the server sent %d resets, want one", n)
	}
	if n := p.client.Engine().Stats().TimeWaits; n != 1 {
		t.Errorf("%d TIME-WAIT records after the reset, want 1", n)
	}
	if len(old) < 3 {
		t.Fatalf("only %d old segments", len(old))
	}
	talk("second life")
}

// SC-21, SC-22. RFC 9293, Section 3.10.7.4: the ACK that completes the
// handshake and the first data are lost. The server repeats its SYN,ACK, the
// client answers with an ACK, never with a reset.
func TestLostThirdSegment(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	var got bytes.Buffer
	p.listen(func(c *Conn) { Receive(c, func(b []byte) { got.Write(b) }, nil) })
	lost := 0
	p.Filter(func(_ tcp.Time, q *trace.Packet) Verdict {
		drop := q.From == "client" && q.Number > 1 && lost < 2
		if drop {
			lost++
		}
		return Verdict{Drop: drop}
	})
	c := p.dial(tcp.Options{})
	c.Await(tcp.Connected, func() { Send(c, []byte("data"), nil) })
	p.until("the data is there", 10*time.Second, func() bool { return got.String() == "data" })
	if n := p.client.Engine().Stats().TCP.ResetsOut; n != 0 {
		t.Errorf("the client sent %d resets", n)
	}
	p.wantPaths("SYN-SENT ESTABLISHED", "SYN-RECEIVED ESTABLISHED")
}

// SC-24, DIS-14. As on Linux, a connection that was reset before it was
// accepted is accepted, with what arrived before the reset.
func TestResetBeforeAccept(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	l, err := p.server.ListenWith(netip.AddrPortFrom(netip.Addr{}, webPort), engine.ListenOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.closed = true // nobody accepts for the test
	c := p.dial(tcp.Options{})
	c.Await(tcp.Connected, func() { Send(c, []byte("bye"), nil) })
	p.RunFor(time.Second)
	c.Abort()
	p.RunFor(time.Second)
	accepted := l.Accept()
	if accepted == nil {
		t.Fatal("Accept() = nil")
	}
	b := make([]byte, 10)
	if n, err := accepted.Read(p.Now(), b); string(b[:n]) != "bye" || err != nil {
		t.Errorf("Read = %q, %v, want bye", b[:n], err)
	}
	if _, err := accepted.Read(p.Now(), b); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("second Read: %v, want %v", err, syscall.ECONNRESET)
	}
	if _, err := accepted.Read(p.Now(), b); err != io.EOF {
		t.Errorf("third Read: %v, want %v", err, io.EOF)
	}
}

// SC-28. RFC 9293, Section 3.7.4: a program writes single bytes. With Nagle's
// algorithm or without, against a peer that delays its ACKs, each byte arrives
// within a round trip and the delay of an ACK.
func TestSmallWrites(t *testing.T) {
	for _, noDelay := range []bool{false, true} {
		p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
		p.quiet = true
		client, server := p.open(tcp.Options{NoDelay: noDelay})
		n := 0
		Receive(server, func(b []byte) { n += len(b) }, nil)
		for i := 1; i <= 100; i++ {
			if k, err := client.Write([]byte{byte(i)}); k != 1 || err != nil {
				t.Fatalf("NoDelay %v: Write = %d, %v", noDelay, k, err)
			}
			if k, err := client.Write([]byte{byte(i)}); k != 1 || err != nil {
				t.Fatalf("NoDelay %v: Write = %d, %v", noDelay, k, err)
			}
			limit := 71 * time.Millisecond // the second byte waits for the delayed ACK of the first
			if noDelay {
				limit = 11 * time.Millisecond
			}
			p.until("both bytes are there", limit, func() bool { return n == 2*i })
		}
	}
}
