package trace_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// stage is two hosts on a link with a round-trip time of 20 ms.
type stage struct {
	*sim.Network
	t              *testing.T
	client, server *sim.Host
	link           *sim.Link
	log            trace.Log
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t}
	s.Network = sim.New(sim.Config{Seed: 1, OnEvent: s.log.Event, OnPacket: s.log.Packet})
	cfg := engine.Config{TimeWait: 2 * time.Second}
	s.client, s.server = s.AddHost("client", cfg), s.AddHost("server", cfg)
	s.link = s.Connect(s.client, s.server, sim.Symmetric(sim.Settings{Delay: 10 * time.Millisecond}))
	return s
}

func (s *stage) dial(opt tcp.Options) *sim.Conn {
	c, err := s.client.Dial(netip.AddrPortFrom(s.server.Addr(), 80), opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// open returns both ends of a connection, half a second old.
func (s *stage) open(opt tcp.Options) (client, server *sim.Conn) {
	if _, err := s.server.Listen(80, func(c *sim.Conn) { server = c }); err != nil {
		s.t.Fatal(err)
	}
	client = s.dial(opt)
	s.RunFor(50 * time.Millisecond)
	return client, server
}

// The ladders of what the textbooks show.
func TestScenarioLadders(t *testing.T) {
	for name, play := range map[string]func(*stage){
		"refused": func(s *stage) {
			s.dial(tcp.Options{})
		},
		"simultaneous": func(s *stage) {
			x, y := netip.AddrPortFrom(s.client.Addr(), 1000), netip.AddrPortFrom(s.server.Addr(), 2000)
			a, err := s.client.DialFrom(x, y, tcp.Options{})
			if err != nil {
				s.t.Fatal(err)
			}
			b, err := s.server.DialFrom(y, x, tcp.Options{})
			if err != nil {
				s.t.Fatal(err)
			}
			s.RunFor(50 * time.Millisecond)
			a.Close()
			b.Close()
		},
		"zerowindow": func(s *stage) {
			var server *sim.Conn
			small := engine.ListenOptions{Options: tcp.Options{RecvBuffer: 3000}}
			any80 := netip.AddrPortFrom(netip.Addr{}, 80)
			if _, err := s.server.ListenWith(any80, small, func(c *sim.Conn) { server = c }); err != nil {
				s.t.Fatal(err)
			}
			client := s.dial(tcp.Options{})
			s.RunFor(50 * time.Millisecond)
			sim.Send(client, make([]byte, 6000), func(error) { _ = client.CloseWrite() }) // the ladder tells
			s.RunFor(2 * time.Second)
			sim.Receive(server, func([]byte) {}, func(error) { server.Close(); client.Close() })
		},
		"fates": func(s *stage) {
			client, server := s.open(tcp.Options{NoDelay: true})
			sim.Receive(server, func([]byte) {}, func(error) { server.Close() })
			s.Filter(func(_ tcp.Time, p *trace.Packet) sim.Verdict {
				return map[int]sim.Verdict{
					4: {Duplicate: true}, 6: {Corrupt: true}, 7: {Delay: 5 * time.Millisecond},
				}[p.Number]
			})
			for range 5 {
				sim.Send(client, []byte("a line of text\r\n"), nil)
				s.RunFor(2 * time.Millisecond)
			}
			s.RunFor(time.Second)
			client.Close()
		},
		"crash": func(s *stage) {
			client, _ := s.open(tcp.Options{})
			s.server.Reboot()
			sim.Send(client, []byte("still there?"), nil)
		},
		"abort": func(s *stage) {
			client, server := s.open(tcp.Options{})
			sim.Send(server, []byte("unread"), nil)
			s.RunFor(time.Second)
			client.Close()
		},
		"unplugged": func(s *stage) {
			client, _ := s.open(tcp.Options{KeepAlive: true, KeepIdle: time.Second, KeepInterval: time.Second, KeepCount: 2})
			s.RunFor(1100 * time.Millisecond)
			s.link.Unplug()
			sim.Receive(client, func([]byte) {}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			play(s)
			s.RunFor(time.Minute)
			var b strings.Builder
			if _, err := trace.NewLadder(&s.log, trace.Style{Left: "client"}).WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			path := filepath.Join("testdata", "scenario."+name+".txt")
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the ladder differs from %s (write it anew with -update):\n%s", path, got)
			}
		})
	}
}
