package sim

import (
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// RFC 3168: over a bottleneck whose queue marks, two hosts that speak ECN keep
// the queue short without losing a packet; over one that drops, or through a
// router that bleaches the field, they lose some.
func TestECNOverCoDel(t *testing.T) {
	for _, tt := range []struct {
		name    string
		hosts   tcp.ECN
		bleach  bool
		lossful bool
	}{
		{"both speak it", tcp.ECNOn, false, false},
		{"nobody asks", tcp.ECNPassive, false, true},
		{"bleached", tcp.ECNOn, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := rtt20
			s.Rate, s.CoDel, s.ECN = 10e6, true, true
			p := newPair(t, 1, engine.Config{TCP: tcp.Config{ECN: tt.hosts}}, Symmetric(s))
			p.quiet = true
			if tt.bleach {
				p.link.Insert(BleachECN)
			}
			client, server := p.open(tcp.Options{})
			got := 0
			Receive(server, func(b []byte) { got += len(b) }, nil)
			Pump(client)
			p.RunFor(20 * time.Second)
			forward, _ := p.link.Stats()
			if (forward.AQM > 0) != tt.lossful || (forward.Marked > 0) == tt.lossful {
				t.Errorf("%d packets dropped, %d marked", forward.AQM, forward.Marked)
			}
			if share := float64(got) * 8 / 20 / 10e6; share < 0.8 {
				t.Errorf("%.2f of the rate was used, want 0.8 and more", share)
			}
		})
	}
}

// RFC 4787, Section 4.3: a UDP flow through a NAT lives for five minutes of
// silence, and answers find the way back; another port of the same server has
// no way in.
func TestUDPThroughNAT(t *testing.T) {
	n := New(Config{Seed: 1})
	client, server := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
	nat := n.AddNAT("nat", NATConfig{})
	n.Connect(nat, server, fast)
	n.Connect(nat, client, fast)
	var seen netip.AddrPort
	var echo, other *UDPSocket
	echo, err := server.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 7), engine.UDPOptions{}, func(m Message) {
		seen = m.From
		if err := echo.Send(m.Data, m.From); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if other, err = server.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 8), engine.UDPOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	answers := 0
	c, err := client.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 5000), engine.UDPOptions{}, func(Message) { answers++ })
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		if err := c.Send([]byte("hello"), netip.AddrPortFrom(server.Addr(), 7)); err != nil {
			t.Fatal(err)
		}
		n.RunFor(time.Second)
	}
	ask()
	if answers != 1 || seen != netip.AddrPortFrom(nat.Addr(), 5000) {
		t.Errorf("%d answers, the server saw %v, want 1 and the NAT", answers, seen)
	}
	if err := other.Send([]byte("unasked"), seen); err != nil {
		t.Fatal(err)
	}
	n.RunFor(4 * time.Minute)
	if err := echo.Send([]byte("still there?"), seen); err != nil {
		t.Fatal(err)
	}
	n.RunFor(6 * time.Minute)
	if answers != 2 || nat.Mappings() != 0 {
		t.Errorf("%d answers, %d mappings, want 2 and none left", answers, nat.Mappings())
	}
	if err := echo.Send([]byte("too late"), seen); err != nil {
		t.Fatal(err)
	}
	n.RunFor(time.Second)
	if answers != 2 {
		t.Error("a datagram came in over a mapping whose time was over")
	}
}

// Super-segments that a coalescing link hands to routers and NATs cross them,
// also before a narrower link, whether anybody looks at them or not.
func TestSuperSegmentsThroughRouters(t *testing.T) {
	for _, looked := range []bool{false, true} {
		n := New(Config{Seed: 1})
		client, server := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
		nat, router := n.AddNAT("nat", NATConfig{}), n.AddRouter("router", RouterConfig{})
		wide := Symmetric(Settings{Rate: 1e9, Delay: time.Millisecond, Coalesce: 300 * time.Microsecond})
		wide.MaxSuper = 60_000
		narrow := wide
		narrow.MTU = 1400
		n.Connect(nat, router, wide)
		n.Connect(router, server, narrow)
		n.Connect(nat, client, wide)
		if looked {
			n.Count()
		}
		data := pseudoRandom(3_000_000, 1)
		same, at := true, 0
		if _, err := server.Listen(webPort, func(c *Conn) {
			Receive(c, func(b []byte) {
				for i := range b {
					same = same && b[i] == data[at+i]
				}
				at += len(b)
			}, nil)
		}); err != nil {
			t.Fatal(err)
		}
		c, err := client.Dial(netip.AddrPortFrom(server.Addr(), webPort), tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		Send(c, data, nil)
		n.RunFor(10 * time.Second)
		if at != len(data) || !same {
			t.Errorf("looked at %v: %d of %d bytes arrived, unchanged: %v", looked, at, len(data), same)
		}
	}
}
