package sim

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// rtt20 is a link with a round-trip time of 20 ms.
var rtt20 = Settings{Delay: 10 * time.Millisecond, Rate: 100e6}

// SC-1, SC-9. RFC 9293, Figures 6 and 12: three segments open a connection,
// four close it, and the end that closed first waits for 2MSL.
func TestOpenAndClose(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	client.Close()
	p.until("the server has the FIN", time.Second, func() bool { return server.State() == tcp.StateCloseWait })
	p.RunFor(time.Second)
	server.Close()
	began := p.Now()
	p.until("both forget", 2*time.Minute, p.over)
	if took := p.Now().Sub(began); took < 60*time.Second || took > 61*time.Second {
		t.Errorf("TIME-WAIT took %v, want 60 s", took)
	}
	p.wantPaths(
		"SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED",
		"SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
	if packets := len(p.log.Packets()); packets != 7 {
		t.Errorf("the connection took %d segments, want 3 + 4", packets)
	}
}

// SC-2. RFC 9293, Section 3.5, Figure 7: two SYNs that cross make one
// connection.
func TestSimultaneousOpen(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	x := netip.AddrPortFrom(p.client.Addr(), 1000)
	y := netip.AddrPortFrom(p.server.Addr(), 2000)
	a, err := p.client.DialFrom(x, y, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.server.DialFrom(y, x, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.until("both are open", time.Second, func() bool {
		return a.State() == tcp.StateEstablished && b.State() == tcp.StateEstablished
	})
	var got bytes.Buffer
	Send(a, []byte("across"), nil)
	Receive(b, func(q []byte) { got.Write(q) }, nil)
	p.until("the data is there", time.Second, func() bool { return got.String() == "across" })
	want := "SYN-SENT SYN-RECEIVED ESTABLISHED"
	p.wantPaths(want, want)
}

// SC-3. A simultaneous open survives the loss of any one of its segments.
func TestSimultaneousOpenWithLoss(t *testing.T) {
	for lost := 1; lost <= 4; lost++ {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
			p.Filter(Drop(lost))
			x := netip.AddrPortFrom(p.client.Addr(), 1000)
			y := netip.AddrPortFrom(p.server.Addr(), 2000)
			a, err := p.client.DialFrom(x, y, tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.server.DialFrom(y, x, tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			p.until("both are open", 10*time.Second, func() bool {
				return a.State() == tcp.StateEstablished && b.State() == tcp.StateEstablished
			})
		})
	}
}

// SC-11. RFC 9293, Figure 13: two FINs that cross lead through CLOSING, and
// both ends wait.
func TestSimultaneousClose(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	p.RunFor(time.Second)
	client.Close()
	server.Close()
	p.until("both forget", 2*time.Minute, p.over)
	p.wantPaths(
		"SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT CLOSED",
		"SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT CLOSED")
}

// SC-12. RFC 9293, Section 3.6: after CLOSE the other direction goes on; all
// that the peer still sends arrives.
func TestHalfClose(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.quiet = true
	x := exchange{request: []byte("all"), response: pseudoRandom(3<<20, 1)}
	x.start(p)
	p.until("both forget", 10*time.Minute, p.over)
	x.check(p)
	p.wantPaths(
		"SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED",
		"SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
}

// A connection to a port where nobody listens is refused after one round trip.
func TestRefused(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	c := p.dial(tcp.Options{})
	var err error
	began := p.Now()
	c.Await(tcp.Connected, func() { err = c.TakeError() })
	p.until("the call fails", time.Second, func() bool { return err != nil })
	if !errors.Is(err, syscall.ECONNREFUSED) || c.State() != tcp.StateClosed {
		t.Errorf("error %v in %v, want %v in CLOSED", err, c.State(), syscall.ECONNREFUSED)
	}
	if took := p.Now().Sub(began); took > 21*time.Millisecond {
		t.Errorf("it took %v, want one round trip", took)
	}
}

// RFC 9293, Section 3.8.3: a SYN that nobody answers is given up, after at
// least three minutes or what the configuration says; Linux takes 127 s.
func TestConnectTimeout(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.link.Unplug()
	c := p.dial(tcp.Options{})
	var err error
	began := p.Now()
	c.Await(tcp.Connected, func() { err = c.TakeError() })
	p.until("the call fails", time.Hour, func() bool { return err != nil })
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("error %v, want %v", err, syscall.ETIMEDOUT)
	}
	if took := p.Now().Sub(began); took != 127*time.Second {
		t.Errorf("it took %v, want 127 s", took)
	}
}

// SC-5 to SC-14, SC-21, SC-22: whatever happens to any one packet of a
// conversation, SYN, data, FIN or the last ACK, both ends get every byte and
// close in good order.
func TestEveryPacketInTurn(t *testing.T) {
	conversation := func(t *testing.T, f func(tcp.Time, *trace.Packet) Verdict) *pair {
		p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
		p.Filter(f)
		x := exchange{request: pseudoRandom(2000, 1), response: pseudoRandom(5000, 2)}
		x.start(p)
		p.until("both forget", time.Hour, p.over)
		x.check(p)
		return p
	}
	plain := conversation(t, nil)
	packets := len(plain.log.Packets())
	for _, tt := range []struct {
		name string
		v    Verdict
	}{
		{"lost", Verdict{Drop: true}},
		{"twice", Verdict{Duplicate: true}},
		{"damaged", Verdict{Corrupt: true}},
		{"late by 5ms", Verdict{Delay: 5 * time.Millisecond}},
		{"late by 3s", Verdict{Delay: 3 * time.Second}},
	} {
		for i := 1; i <= packets; i++ {
			t.Run(fmt.Sprintf("%s/%d", tt.name, i), func(t *testing.T) {
				conversation(t, func(_ tcp.Time, p *trace.Packet) Verdict {
					if p.Number == i {
						return tt.v
					}
					return Verdict{}
				})
			})
		}
	}
	for i := 1; i <= packets; i++ {
		for j := i + 1; j <= packets+1; j++ {
			t.Run(fmt.Sprintf("lost/%d and %d", i, j), func(t *testing.T) { conversation(t, Drop(i, j)) })
		}
	}
}

// RFC 9293, Section 1: TCP delivers a reliable, in-order byte stream whatever
// the network does to packets.
func TestTransfersOverBadLinks(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	slow := Settings{Delay: 10 * time.Millisecond, Rate: 20e6}
	with := func(change func(*Settings)) Settings {
		s := slow
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name string
		s    Settings
		size int
	}{
		{"loss 1 %", with(func(s *Settings) { s.Loss = 0.01 }), 400_000},
		{"loss 5 %", with(func(s *Settings) { s.Loss = 0.05 }), 200_000},
		{"loss 15 %", with(func(s *Settings) { s.Loss = 0.15 }), 100_000},
		{"loss 30 %", with(func(s *Settings) { s.Loss = 0.30 }), 30_000},
		{"reordering", with(func(s *Settings) { s.Reorder, s.ReorderDelay = 0.2, 3*time.Millisecond }), 400_000},
		{"jitter and duplication", with(func(s *Settings) { s.Jitter, s.Duplicate = 20*time.Millisecond, 0.3 }), 400_000},
		{"corruption", with(func(s *Settings) { s.Corrupt = 0.05 }), 200_000},
		{"short queue", with(func(s *Settings) { s.Rate, s.QueuePackets = 5e6, 8 }), 400_000},
		{"everything", with(func(s *Settings) {
			s.Loss, s.Duplicate, s.Reorder, s.Corrupt, s.Jitter = 0.05, 0.05, 0.05, 0.05, 5*time.Millisecond
			s.QueuePackets = 20
		}), 100_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := *seedFlag; seed < *seedFlag+uint64(seeds); seed++ {
				link := Symmetric(tt.s)
				if seed%2 == 0 {
					link.MaxSuper = 60_000 // the same over super-segments
				}
				p := newPair(t, seed, engine.Config{}, link)
				p.quiet = true
				x := exchange{request: pseudoRandom(tt.size, seed), response: pseudoRandom(tt.size, seed+1)}
				x.start(p)
				p.until(fmt.Sprintf("both forget, seed %d", seed), 24*time.Hour, p.over)
				x.check(p)
			}
		})
	}
}

// SC-25. RFC 9293, Section 3.8.3: a connection outlives a cut of the network
// that is shorter than R2.
func TestUnplugAndPlug(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(Settings{Delay: 10 * time.Millisecond, Rate: 1e6}))
	p.quiet = true
	x := exchange{request: pseudoRandom(500_000, 1), response: pseudoRandom(500_000, 2)}
	x.start(p)
	p.RunFor(2 * time.Second)
	p.link.Unplug()
	p.RunFor(5 * time.Minute)
	p.link.Plug()
	p.until("both forget", time.Hour, p.over)
	x.check(p)
}

// RFC 9293, Section 3.8.3, R2: without a network for long, the connection is
// given up with ETIMEDOUT; Linux takes 15 retransmissions, 924.6 s when the
// first time-out is 200 ms.
func TestUnplugForever(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, _ := p.open(tcp.Options{})
	p.link.Unplug()
	began := p.Now()
	Send(client, []byte("hello?"), nil)
	var err error
	Receive(client, func([]byte) {}, func(e error) { err = e })
	p.until("the client gives up", 2*time.Hour, func() bool { return err != nil })
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("error %v, want %v", err, syscall.ETIMEDOUT)
	}
	if took := p.Now().Sub(began); took < 800*time.Second || took > 1100*time.Second {
		t.Errorf("it took %v, want 15 to 18 minutes", took)
	}
}

// SC-27, MUST-37. RFC 9293, Section 3.8.6.1: a window may stay closed for as
// long as the peer answers probes.
func TestZeroWindowForAnHour(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.quiet = true
	client, server := p.open(tcp.Options{SendBuffer: 4 << 20})
	data := pseudoRandom(3<<20, 1)
	Send(client, data, func(err error) {
		if err != nil {
			t.Errorf("Send = %v", err)
		}
		if err := client.CloseWrite(); err != nil { // Close would leave it to the limits of an orphan
			t.Errorf("CloseWrite = %v", err)
		}
	})
	p.RunFor(time.Minute)
	before, _ := p.link.Stats()
	p.RunFor(time.Hour)
	after, _ := p.link.Stats()
	if n := after.Sent - before.Sent; n < 20 || n > 200 {
		t.Errorf("%d probes in an hour, want one each 30 to 120 s", n)
	}
	if client.State() != tcp.StateEstablished && client.State() != tcp.StateFinWait1 {
		t.Fatalf("the client is in %v", client.State())
	}
	var got bytes.Buffer
	Receive(server, func(b []byte) { got.Write(b) }, func(err error) {
		if err != nil {
			t.Errorf("Receive = %v", err)
		}
		server.Close()
		client.Close()
	})
	p.until("both forget", time.Hour, p.over)
	if !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes arrived, other than the %d sent", got.Len(), len(data))
	}
}

// SC-8. RFC 9293, Figure 10: data for a host that has forgotten the connection
// is answered by a reset.
func TestServerCrashes(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, _ := p.open(tcp.Options{})
	p.server.Reboot()
	var err error
	Send(client, []byte("still there?"), nil)
	Receive(client, func([]byte) {}, func(e error) { err = e })
	p.until("the client hears of it", time.Second, func() bool { return err != nil })
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want %v", err, syscall.ECONNRESET)
	}
}

// SC-7. RFC 9293, Figure 9, with RFC 5961, Section 4: a client that has
// crashed connects again from the same port. The server challenges the SYN,
// is reset, and takes the next SYN.
func TestClientCrashesAndComesBack(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	var accepted []*Conn
	var serverErr error
	p.listen(func(c *Conn) {
		accepted = append(accepted, c)
		Receive(c, func([]byte) {}, func(err error) {
			if serverErr == nil {
				serverErr = err
			}
		})
	})
	local := netip.AddrPortFrom(p.client.Addr(), 1000)
	remote := netip.AddrPortFrom(p.server.Addr(), webPort)
	if _, err := p.client.DialFrom(local, remote, tcp.Options{}); err != nil {
		t.Fatal(err)
	}
	p.until("the server has it", time.Second, func() bool { return len(accepted) == 1 })
	p.client.Reboot()
	again, err := p.client.DialFrom(local, remote, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.until("it is open again", 10*time.Second, func() bool {
		return len(accepted) == 2 && again.State() == tcp.StateEstablished
	})
	if !errors.Is(serverErr, syscall.ECONNRESET) {
		t.Errorf("the server's first connection ended with %v, want %v", serverErr, syscall.ECONNRESET)
	}
}

// RFC 9293, Section 3.8.4: keep-alive finds out that the peer is gone, after
// the idle time and the unanswered probes.
func TestKeepAliveOnUnpluggedLink(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	opt := tcp.Options{KeepAlive: true, KeepIdle: time.Minute, KeepInterval: 10 * time.Second, KeepCount: 3}
	client, _ := p.open(opt)
	p.RunFor(10 * time.Minute) // probes are answered
	if client.State() != tcp.StateEstablished {
		t.Fatalf("with a peer that answers, the client is in %v", client.State())
	}
	p.link.Unplug()
	began := p.Now()
	var err error
	Receive(client, func([]byte) {}, func(e error) { err = e })
	p.until("the client gives up", time.Hour, func() bool { return err != nil })
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("error %v, want %v", err, syscall.ETIMEDOUT)
	}
	if took := p.Now().Sub(began); took < 30*time.Second || took > 91*time.Second {
		t.Errorf("it took %v, want at most 60 s and 3 times 10 s", took)
	}
}

// The same works over IPv6.
func TestIPv6(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(Settings{Delay: 10 * time.Millisecond, Loss: 0.05}))
	data := pseudoRandom(50_000, 1)
	var got bytes.Buffer
	p.listen(func(c *Conn) {
		Receive(c, func(b []byte) { got.Write(b) }, func(error) { c.Close() })
	})
	c, err := p.client.Dial(netip.AddrPortFrom(p.server.Addr6(), webPort), tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Await(tcp.Connected, func() { Send(c, data, func(error) { c.Close() }) })
	p.until("both forget", time.Hour, p.over)
	if !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes arrived, other than the %d sent", got.Len(), len(data))
	}
}

// RFC 7323, Section 4.1: timestamps tell which copy of a segment an ACK
// answers. When the ACK of the first copy is lost, the second copy is
// unacceptable, and yet its ACK must not make the round trip look longer, or
// loss in both directions drives the time-out up without end.
func TestLostAckDoesNotInflateRTT(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	Receive(server, func([]byte) {}, nil)
	p.RunFor(time.Second)
	lost := false
	p.Filter(func(_ tcp.Time, q *trace.Packet) Verdict {
		drop := q.From == "server" && !lost
		lost = lost || drop
		return Verdict{Drop: drop}
	})
	Send(client, make([]byte, 100), nil)
	p.RunFor(10 * time.Second)
	if info := client.Info(); info.RTT > 25*time.Millisecond || info.Unacked > 0 {
		t.Errorf("SRTT is %v with %d bytes unacknowledged, want the 20 ms of the link and none", info.RTT, info.Unacked)
	}
}

// SC-16. RFC 6191: a server in TIME-WAIT takes a new connection from the same
// address and port at once, because its timestamps or sequence numbers are
// newer.
func TestTimeWaitLetsTheNextConnectionIn(t *testing.T) {
	for _, noTimestamps := range []bool{false, true} {
		t.Run(fmt.Sprintf("timestamps=%v", !noTimestamps), func(t *testing.T) {
			var cfg engine.Config
			cfg.TCP.NoTimestamps = noTimestamps
			p := newPair(t, 1, cfg, Symmetric(rtt20))
			var accepted []*Conn
			p.listen(func(c *Conn) { accepted = append(accepted, c) })
			local := netip.AddrPortFrom(p.client.Addr(), 1000)
			remote := netip.AddrPortFrom(p.server.Addr(), webPort)
			for i := 1; i <= 3; i++ {
				c, err := p.client.DialFrom(local, remote, tcp.Options{})
				if err != nil {
					t.Fatal(err)
				}
				began := p.Now()
				p.until("it is open", time.Second, func() bool { return len(accepted) == i })
				if took := p.Now().Sub(began); took > 31*time.Millisecond {
					t.Errorf("opening number %d took %v, want one and a half round trips", i, took)
				}
				accepted[i-1].Close() // the server closes first
				p.RunFor(time.Second)
				c.Close()
				p.RunFor(time.Second)
				if got := p.server.Engine().Stats().TimeWaits; got != 1 {
					t.Fatalf("the server has %d TIME-WAIT records, want 1", got)
				}
			}
		})
	}
}

// SC-17, SC-18. Two ends that both closed their windows, with data and FINs to
// send, probe each other at a bounded rate, and go on when the windows open.
func TestBothWindowsClosed(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.quiet = true
	client, server := p.open(tcp.Options{SendBuffer: 4 << 20})
	server.SetOptions(tcp.Options{SendBuffer: 4 << 20})
	ab, ba := pseudoRandom(3<<20, 1), pseudoRandom(3<<20, 2)
	for _, x := range []struct {
		c    *Conn
		data []byte
	}{{client, ab}, {server, ba}} {
		Send(x.c, x.data, func(err error) {
			if err == nil {
				err = x.c.CloseWrite()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	p.RunFor(time.Minute)
	before, _ := p.link.Stats()
	p.RunFor(10 * time.Minute)
	after, _ := p.link.Stats()
	if n := after.Sent - before.Sent; n > 100 {
		t.Errorf("%d packets each way in ten minutes, want a probe and an answer now and then", n)
	}
	var got [2]bytes.Buffer
	Receive(client, func(b []byte) { got[0].Write(b) }, func(error) { client.Close() })
	Receive(server, func(b []byte) { got[1].Write(b) }, func(error) { server.Close() })
	p.until("both forget", time.Hour, p.over)
	if !bytes.Equal(got[0].Bytes(), ba) || !bytes.Equal(got[1].Bytes(), ab) {
		t.Errorf("%d and %d bytes arrived, other than the %d sent each way", got[0].Len(), got[1].Len(), len(ab))
	}
}
