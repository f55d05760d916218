package sim

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/pcapng"
)

var (
	// seedFlag starts the seeds of the randomised tests.
	seedFlag = flag.Uint64("seed", 1, "first seed of randomised tests")
	// chaosFlag makes TestChaos go on.
	chaosFlag = flag.Duration("chaos", 0, "let TestChaos try seeds for so long, by the clock on the wall")
	// recordFlag makes it remember, so that a failure can be looked at.
	recordFlag = flag.Bool("record", false, "let TestChaos draw the ladder and write the packets when it fails")
)

const webPort = 80

// pair is a client and a server at the two ends of a link, and the record of
// what they do. When the test fails it draws the ladder.
type pair struct {
	*Network
	t              *testing.T
	client, server *Host
	link           *Link
	log            trace.Log
	paths          map[string][]tcp.State
	quiet          bool // too long to draw
}

// newPair joins the two by a link with the same settings both ways.
func newPair(t *testing.T, seed uint64, cfg engine.Config, link LinkConfig) *pair {
	t.Helper()
	p := &pair{t: t, paths: map[string][]tcp.State{}}
	p.Network = New(Config{Seed: seed, OnEvent: p.event, OnPacket: p.packet})
	p.client, p.server = p.AddHost("client", cfg), p.AddHost("server", cfg)
	p.link = p.Connect(p.client, p.server, link)
	t.Cleanup(func() { p.explain(seed) })
	return p
}

// explain draws the ladder of a test that failed, and leaves its packets and
// its seed in the directory of its artifacts.
func (p *pair) explain(seed uint64) {
	if !p.t.Failed() {
		return
	}
	dir := p.t.ArtifactDir()
	if err := os.WriteFile(filepath.Join(dir, "seed.txt"), fmt.Appendln(nil, seed), 0o644); err != nil {
		p.t.Error(err)
	}
	if p.quiet {
		return
	}
	var b strings.Builder
	if _, err := trace.NewLadder(&p.log, trace.Style{Left: "client"}).WriteTo(&b); err != nil {
		p.t.Error(err)
	}
	p.t.Logf("seed %d, packets in %s\n%s", seed, dir, &b)
	file, err := os.Create(filepath.Join(dir, "wire.pcapng"))
	if err != nil {
		p.t.Error(err)
		return
	}
	defer file.Close()
	if err := pcapng.Write(file, &p.log, trace.English); err != nil {
		p.t.Error(err)
	}
}

func (p *pair) event(host string, e *tcp.Event) {
	if e.Kind == tcp.EventState {
		if !tcp.Legal(e.From, e.To) {
			p.t.Errorf("%s goes from %v to %v", host, e.From, e.To)
		}
		p.paths[host] = append(p.paths[host], e.To)
	}
	if !p.quiet {
		p.log.Event(host, e)
	}
}

func (p *pair) packet(now tcp.Time, q *trace.Packet) {
	if !p.quiet {
		p.log.Packet(now, q)
	}
}

// path is the states that a host's connection went through.
func (p *pair) path(h *Host) string {
	var b strings.Builder
	for i, s := range p.paths[h.Name()] {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.String())
	}
	return b.String()
}

func (p *pair) wantPaths(client, server string) {
	p.t.Helper()
	if got := p.path(p.client); got != client {
		p.t.Errorf("the client went through %s, want %s", got, client)
	}
	if got := p.path(p.server); got != server {
		p.t.Errorf("the server went through %s, want %s", got, server)
	}
}

func (p *pair) listen(accept func(*Conn)) *Listener {
	p.t.Helper()
	l, err := p.server.Listen(webPort, accept)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *pair) dial(opt tcp.Options) *Conn {
	p.t.Helper()
	c, err := p.client.Dial(netip.AddrPortFrom(p.server.Addr(), webPort), opt)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// until runs until done, which must happen within d.
func (p *pair) until(what string, d time.Duration, done func() bool) {
	p.t.Helper()
	if err := p.RunUntil(done, d); err != nil {
		p.t.Fatalf("waiting until %s: %v at %v", what, err, time.Duration(p.Now()))
	}
}

// open returns both ends of an established connection.
func (p *pair) open(opt tcp.Options) (client, server *Conn) {
	p.t.Helper()
	p.listen(func(c *Conn) { server = c })
	client = p.dial(opt)
	p.until("the connection is open", time.Hour, func() bool {
		return server != nil && client.State() == tcp.StateEstablished
	})
	return client, server
}

// over reports whether neither host has anything left of a connection.
func (p *pair) over() bool { return idle(p.client) && idle(p.server) }

func idle(h *Host) bool {
	s := h.Engine().Stats()
	return s.Conns+s.HalfOpen+s.TimeWaits == 0
}

// pseudoRandom returns n bytes that do not compress or repeat.
func pseudoRandom(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewPCG(seed, 42)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

// exchange is a request and a response, then a close by the client and, a
// little later, by the server.
type exchange struct {
	request, response       []byte
	gotRequest, gotResponse bytes.Buffer
	opt                     tcp.Options // of the client
	clientErr, serverErr    error
	clientEnd, serverEnd    bool
}

// start sets the exchange going: the client sends the request and then its
// FIN, the server answers when it has seen that FIN, and closes.
func (x *exchange) start(p *pair) {
	p.listen(func(c *Conn) {
		Receive(c, func(b []byte) { x.gotRequest.Write(b) }, func(err error) {
			x.serverErr = err
			Send(c, x.response, func(err error) {
				if x.serverErr == nil {
					x.serverErr = err
				}
				x.serverEnd = true
				c.Close()
			})
		})
	})
	c := p.dial(x.opt)
	c.Await(tcp.Connected, func() {
		Send(c, x.request, func(err error) {
			x.clientErr = err
			if err == nil {
				x.clientErr = c.CloseWrite()
			}
		})
		Receive(c, func(b []byte) { x.gotResponse.Write(b) }, func(err error) {
			if x.clientErr == nil {
				x.clientErr = err
			}
			x.clientEnd = true
			c.Close()
		})
	})
}

// check tells whether everything arrived and both ended well.
func (x *exchange) check(p *pair) {
	p.t.Helper()
	if x.clientErr != nil || x.serverErr != nil {
		p.t.Errorf("errors: client %v, server %v", x.clientErr, x.serverErr)
	}
	if !x.clientEnd || !x.serverEnd {
		p.t.Errorf("ended: client %v, server %v", x.clientEnd, x.serverEnd)
	}
	if !bytes.Equal(x.gotRequest.Bytes(), x.request) {
		p.t.Errorf("the server got %d bytes, other than the %d sent", x.gotRequest.Len(), len(x.request))
	}
	if !bytes.Equal(x.gotResponse.Bytes(), x.response) {
		p.t.Errorf("the client got %d bytes, other than the %d sent", x.gotResponse.Len(), len(x.response))
	}
}
