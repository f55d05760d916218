package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// sendTen opens a connection and sends ten segments of 100 bytes, a millisecond
// apart.
func sendTen(p *pair) (received *bytes.Buffer) {
	client, server := p.open(tcp.Options{NoDelay: true})
	received = new(bytes.Buffer)
	Receive(server, func(b []byte) { received.Write(b) }, nil)
	for i := range 10 {
		p.After(time.Duration(i)*time.Millisecond, func() { _, _ = client.Write(bytes.Repeat([]byte{byte('0' + i)}, 100)) })
	}
	return received
}

// Rules do what they say to the packets that are meant, count these, and leave
// the others alone.
func TestRules(t *testing.T) {
	third := func() []Match { return []Match{From("client"), Data, Nth(3)} }
	for _, tt := range []struct {
		name       string
		rule       func(*Network) *Rule
		repeats    int // segments sent again
		duplicates uint64
	}{
		{"count", func(n *Network) *Rule { return n.Count(third()...) }, 0, 0},
		{"drop", func(n *Network) *Rule { return n.Drop(third()...) }, 1, 0},
		{"corrupt", func(n *Network) *Rule { return n.Corrupt(third()...) }, 1, 0},
		{"duplicate", func(n *Network) *Rule { return n.Duplicate(third()...) }, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
			r := tt.rule(p.Network)
			again := p.Count(From("client"), Retransmission())
			data := p.Count(From("client"), Data)
			got := sendTen(p)
			p.RunFor(10 * time.Second)
			if r.Count() != 1 || again.Count() != tt.repeats || data.Count() != 10+tt.repeats {
				t.Errorf("%d matched, %d sent again, %d with data, want 1, %d, %d", r.Count(), again.Count(), data.Count(), tt.repeats, 10+tt.repeats)
			}
			if forward, _ := p.link.Stats(); forward.Duplicated != tt.duplicates {
				t.Errorf("%d packets were delivered twice, want %d", forward.Duplicated, tt.duplicates)
			}
			if got.Len() != 1000 {
				t.Errorf("%d bytes arrived, want 1000", got.Len())
			}
		})
	}
}

// What is held arrives after Release and not before, and then in its order.
func TestHold(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	held := p.Hold(From("client"), Data, Containing("2"), First(2)) // the segment and its first repetition
	got := sendTen(p)
	p.RunFor(100 * time.Millisecond)
	if got.Len() != 200 || held.Held() == 0 {
		t.Fatalf("%d bytes arrived with %d packets held, want 200", got.Len(), held.Held())
	}
	held.Release()
	p.RunFor(11 * time.Millisecond)
	if got.Len() != 1000 || held.Held() != 0 {
		t.Errorf("%d bytes arrived after the release, %d packets held, want 1000, 0", got.Len(), held.Held())
	}
}

// SC-14 by hand: the last ACK is held, the peer stays in LAST-ACK, and it is
// released.
func TestHoldTheLastAck(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	p.RunFor(time.Second)
	client.Close()
	p.RunFor(time.Second)
	last := p.Hold(From("client"), PureAck)
	server.Close()
	p.RunFor(100 * time.Millisecond)
	if server.State() != tcp.StateLastAck || client.State() != tcp.StateTimeWait {
		t.Fatalf("the server is in %v, the client in %v", server.State(), client.State())
	}
	last.Stop()
	last.Release()
	p.RunFor(11 * time.Millisecond)
	if server.State() != tcp.StateClosed {
		t.Errorf("after the release the server is in %v, want CLOSED", server.State())
	}
}

// A packet that is delayed is overtaken; a rule that was stopped does nothing.
func TestDelayAndStop(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	late := p.Delay(20*time.Millisecond, From("client"), Data, Nth(1))
	stopped := p.Drop()
	stopped.Stop()
	sendTen(p)
	p.RunFor(time.Second)
	if late.Count() != 1 {
		t.Errorf("%d packets were late, want 1", late.Count())
	}
	forward, backward := p.link.Stats()
	if forward.Reordered != 1 || forward.Filtered+backward.Filtered != 0 {
		t.Errorf("%d packets held back, %d dropped, want 1, 0", forward.Reordered, forward.Filtered+backward.Filtered)
	}
}

// Matches say what they are named after.
func TestMatches(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	matches := []struct {
		name string
		m    Match
	}{
		{"syn", Syn},
		{"synack", SynAck},
		{"data", Data},
		{"pureack", PureAck},
		{"fin", Fin},
		{"rst", Rst},
		{"segment", Segment},
		{"icmp", ICMP},
		{"from", From("client")},
		{"to", To("client")},
		{"port", Port(webPort)},
		{"other", Port(81)},
		{"large", Larger(100)},
		{"not", Not(Syn)},
		{"any", Any(Syn, Fin)},
		{"text", Containing("hello")},
		{"second", Nth(2)},
		{"first", First(2)},
	}
	var rules []*Rule
	for _, m := range matches {
		rules = append(rules, p.Count(m.m))
	}
	client, server := p.open(tcp.Options{})
	p.RunFor(time.Second)
	if _, err := client.Write([]byte("well, hello there")); err != nil {
		t.Fatal(err)
	}
	p.RunFor(time.Second)
	client.Close()
	p.RunFor(time.Second)
	server.Abort()
	p.RunFor(time.Second)
	var got bytes.Buffer
	for i, m := range matches {
		fmt.Fprintf(&got, "%s %d ", m.name, rules[i].Count())
	}
	// SYN, SYN,ACK, ACK, data, ACK, FIN, ACK, RST.
	want := "syn 1 synack 1 data 1 pureack 3 fin 1 rst 1 segment 8 icmp 0 from 4 to 4 port 8 other 0 large 0 not 7 any 2 text 1 second 1 first 2 "
	if got.String() != want {
		t.Errorf("counted\n%s, want\n%s", &got, want)
	}
}

// A middlebox that strips options leaves two ends that do without.
func TestStripOptions(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.link.Insert(StripOptions(3, 4, 8))
	client, server := p.open(tcp.Options{})
	got := 0
	Receive(server, func(b []byte) { got += len(b) }, nil)
	Send(client, make([]byte, 100_000), nil)
	p.RunFor(time.Second)
	for _, c := range []*Conn{client, server} {
		if i := c.Info(); i.Timestamps || i.SACK || i.WindowScale {
			t.Errorf("options in use: timestamps %v, SACK %v, window scale %v, want none", i.Timestamps, i.SACK, i.WindowScale)
		}
	}
	if got != 100_000 {
		t.Errorf("%d bytes arrived, want 100000", got)
	}
}

// A middlebox that clamps the MSS keeps segments small.
func TestClampMSS(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.link.Insert(ClampMSS(1000))
	large := p.Count(Larger(1040 + 12))
	client, server := p.open(tcp.Options{})
	got := 0
	Receive(server, func(b []byte) { got += len(b) }, nil)
	Send(client, make([]byte, 100_000), nil)
	p.RunFor(time.Second)
	if got != 100_000 || large.Count() != 0 {
		t.Errorf("%d bytes arrived, %d packets are larger than the MSS allows, want 100000, 0", got, large.Count())
	}
}

// A middlebox that resets breaks both ends.
func TestResetOn(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.link.Insert(ResetOn(Containing("forbidden")))
	client, server := p.open(tcp.Options{})
	var errs [2]error
	Receive(client, func([]byte) {}, func(err error) { errs[0] = err })
	Receive(server, func(b []byte) {
		if bytes.Contains(b, []byte("forbidden")) {
			t.Error("the text got through")
		}
	}, func(err error) { errs[1] = err })
	Send(client, []byte("allowed"), nil)
	p.RunFor(time.Second)
	Send(client, []byte("forbidden"), nil)
	p.RunFor(time.Second)
	for i, err := range errs {
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("end %d: %v, want %v", i, err, syscall.ECONNRESET)
		}
	}
}

// A firewall forgets a connection that was silent, and then resets or is
// silent itself.
func TestFirewall(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset=%v", reset), func(t *testing.T) {
			p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
			p.link.Insert(Firewall(5*time.Minute, reset))
			client, server := p.open(tcp.Options{})
			got := 0
			Receive(server, func(b []byte) { got += len(b) }, nil)
			for range 3 {
				p.RunFor(4 * time.Minute)
				Send(client, []byte("x"), nil)
			}
			p.RunFor(time.Minute)
			if got != 3 {
				t.Fatalf("%d bytes arrived, want 3", got)
			}
			p.RunFor(10 * time.Minute)
			Send(client, []byte("x"), nil)
			p.RunFor(time.Minute)
			want := tcp.StateEstablished
			if reset {
				want = tcp.StateClosed
			}
			if got != 3 || client.State() != want {
				t.Errorf("%d bytes arrived, the client is in %v, want 3, %v", got, client.State(), want)
			}
		})
	}
}

// A middlebox may put more packets on the way in both directions, and those
// behind it see what it sends on.
func TestMiddleboxesInARow(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.link.Insert(func(m *Passing) {
		if m.Segment != nil && bytes.Equal(m.Payload, []byte("abc")) {
			packet := slices.Clone(m.Data)
			copy(packet[len(packet)-3:], "xyz")
			seal(packet)
			m.Replace(packet)
			m.Onward(packet)
		}
	})
	seen := 0
	p.link.Insert(func(m *Passing) {
		if m.Segment != nil && bytes.Equal(m.Payload, []byte("xyz")) {
			seen++
		}
	})
	client, server := p.open(tcp.Options{})
	var got bytes.Buffer
	Receive(server, func(b []byte) { got.Write(b) }, nil)
	Send(client, []byte("abc"), nil)
	p.RunFor(time.Second)
	if got.String() != "xyz" || seen != 2 {
		t.Errorf("%q arrived, the second box saw it %d times, want xyz, 2", &got, seen)
	}
}

// BleachECN clears the field and keeps the header's checksum right.
func TestBleachECN(t *testing.T) {
	for _, version := range []int{4, 6} {
		for ecn := range byte(4) {
			data := ipPacket(version, ecn, 100)
			p := Passing{Crossing: &Crossing{Data: data}}
			BleachECN(&p)
			out := data
			if len(p.onward) == 1 {
				out = p.onward[0]
			}
			if ecnOf(out) != 0 || ecnOf(data) != ecn || version == 4 && wire.Checksum(out[:20], 0) != 0xffff {
				t.Errorf("IPv%d: ECN %d became %d", version, ecn, ecnOf(out))
			}
		}
	}
}
