package netsim_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// fastListen listens with Fast Open.
func (w *world) fastListen(t *testing.T) net.Listener {
	t.Helper()
	lc := trivet.ListenConfig{Stack: w.server, FastOpen: 10}
	l, err := lc.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// RFC 7413, Section 3: from the second connection on a request is answered a round
// trip earlier, through net/http, too.
func TestFastOpenSavesARoundTrip(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		l := w.fastListen(t)
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(rw, "hello")
		})}
		go server.Serve(l)
		d := trivet.Dialer{Stack: w.client, Options: tcp.Options{FastOpen: true}}
		client := http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
		for i, want := range []time.Duration{200 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond} {
			begin := time.Now()
			resp, err := client.Get("http://server/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "hello" {
				t.Errorf("body %q, %v", body, err)
			}
			resp.Body.Close()
			if took := time.Since(begin); took < want || took > want+10*time.Millisecond {
				t.Errorf("request %d took %v, want %v", i+1, took, want)
			}
		}
		_ = server.Close()
	}, netsim.Delay(50*time.Millisecond))
}

// A Dial with a cookie returns at once and sends nothing; the first Write tells of
// more than goes with the SYN, too, and a server that speaks first is heard.
func TestFastOpenDial(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		l := w.fastListen(t)
		d := trivet.Dialer{Stack: w.client, Options: tcp.Options{FastOpen: true}}
		dial := func() net.Conn {
			t.Helper()
			c, err := d.Dial("tcp", "server:80")
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		accept := func() net.Conn {
			t.Helper()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := dial()
		defer first.Close()
		defer accept().Close()

		begin := time.Now()
		c := dial()
		defer c.Close()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Dial took %v with a cookie", took)
		}
		data := noise(100_000, 1)
		go c.Write(data)
		s := accept()
		defer s.Close()
		if took := time.Since(begin); took < 50*time.Millisecond || took > 60*time.Millisecond {
			t.Errorf("accepted after %v, want half a round trip", took)
		}
		got := make([]byte, len(data))
		if _, err := io.ReadFull(s, got); err != nil || string(got) != string(data) {
			t.Errorf("ReadFull: %v, right: %v", err, string(got) == string(data))
		}

		for name, read := range map[string]func(io.Writer, net.Conn) (int64, error){
			"Read":    func(w io.Writer, c net.Conn) (int64, error) { return io.Copy(w, struct{ io.Reader }{c}) },
			"WriteTo": func(w io.Writer, c net.Conn) (int64, error) { return io.Copy(w, c) },
		} {
			c := dial()
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			go func() {
				s := accept()
				_, _ = io.WriteString(s, "welcome")
				s.Close()
			}()
			var b strings.Builder
			if _, err := read(&b, c); err != nil || b.String() != "welcome" {
				t.Errorf("%s: %q, %v", name, b.String(), err)
			}
		}
	}, netsim.Delay(50*time.Millisecond))
}

// answer is a server that reads requests of 5 bytes and answers each.
func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			request := make([]byte, 5)
			if _, err := io.ReadFull(c, request); err == nil {
				_, _ = io.WriteString(c, "to "+string(request))
			}
		}()
	}
}

// ask sends one request on a connection of its own and returns how long the answer
// took, and whether the server took the request with the SYN.
func (w *world) ask(t *testing.T) (took time.Duration, early bool) {
	t.Helper()
	w.fast.FastOpen = true
	d := trivet.Dialer{Stack: w.client, Options: w.fast}
	begin := time.Now()
	c, err := d.Dial("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "to hello" {
		t.Errorf("answer %q, %v", b, err)
	}
	return time.Since(begin), c.(*trivet.Conn).Info().SynData
}

// asked is what is wanted of a row of requests.
type asked struct {
	took  time.Duration
	early bool
}

func (w *world) wantAsked(t *testing.T, what string, want ...asked) {
	t.Helper()
	for i, x := range want {
		took, early := w.ask(t)
		if took < x.took || took > x.took+10*time.Millisecond || early != x.early {
			t.Errorf("%s: request %d took %v, in the SYN: %v; want %v, %v", what, i+1, took, early, x.took, x.early)
		}
	}
}

const (
	aRoundTrip    = 100 * time.Millisecond
	twoRoundTrips = 2 * aRoundTrip
)

// RFC 7413, Sections 4.1.3.1 and 4.2.1: firewalls drop SYNs with text. Each costs a
// time-out, since the SYN goes again without; after two of them Fast Open is not
// tried for a while, and then again, when the firewall may be gone. All requests are
// answered.
func TestFastOpenBlocked(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		l := w.fastListen(t)
		defer l.Close()
		go answer(l)
		var blocks atomic.Bool
		blocks.Store(true)
		w.link.Insert(func(p *sim.Passing) {
			if blocks.Load() && p.Segment != nil && p.Segment.Flags.Has(wire.SYN) && p.Segment.PayloadLen > 0 {
				p.Drop()
			}
		})
		late := asked{time.Second + twoRoundTrips, false}
		w.wantAsked(t, "text blocked", asked{twoRoundTrips, false}, late, late, asked{twoRoundTrips, false}, asked{twoRoundTrips, false})
		blocks.Store(false)
		time.Sleep(5 * time.Minute)
		w.wantAsked(t, "later", asked{aRoundTrip, true}, asked{aRoundTrip, true})
	}, netsim.Delay(50*time.Millisecond))
}

// RFC 7413, Section 7.1: middleboxes that take the option out, or the SYNs with it:
// the connections are opened as ever, and nothing is lost.
func TestFastOpenStripped(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		l := w.fastListen(t)
		defer l.Close()
		go answer(l)
		w.link.Insert(sim.StripOptions(34, 254))
		w.wantAsked(t, "option stripped", asked{twoRoundTrips, false}, asked{twoRoundTrips, false}, asked{twoRoundTrips, false})
	}, netsim.Delay(50*time.Millisecond))
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		l := w.fastListen(t)
		defer l.Close()
		go answer(l)
		w.link.Insert(func(p *sim.Passing) {
			if p.Segment != nil && p.Segment.Options.FastOpen.Present {
				p.Drop()
			}
		})
		late := asked{time.Second + twoRoundTrips, false}
		w.wantAsked(t, "SYNs with the option dropped", late, late, asked{twoRoundTrips, false})
	}, netsim.Delay(50*time.Millisecond))
}

// RFC 7413, Section 4.1.2: a server that was restarted has another key, and does not
// know the client: the text goes again after the handshake, and the new cookie is
// good for the next connection. Servers that share a key know each other's clients.
func TestFastOpenServerRestarted(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
			listen := func(key byte) net.Listener {
				lc := trivet.ListenConfig{Stack: w.server, FastOpen: 10, FastOpenKeys: []engine.FastOpenKey{{key}}}
				l, err := lc.Listen(context.Background(), "tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				go answer(l)
				return l
			}
			l := listen(1)
			w.wantAsked(t, "before", asked{twoRoundTrips, false}, asked{aRoundTrip, true})
			_ = l.Close()
			w.server = w.Reboot(w.server)
			first, key := asked{twoRoundTrips, false}, byte(2)
			if shared {
				first, key = asked{aRoundTrip, true}, 1
			}
			l = listen(key)
			w.wantAsked(t, "after", first, asked{aRoundTrip, true})
			_ = l.Close()
		}, netsim.Delay(50*time.Millisecond))
	}
}

// Without cookies, in a network of one's own: the first request goes with its SYN,
// too (ListenConfig.FastOpenAnyone, Options.FastOpenNoCookie).
func TestFastOpenAnyone(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		lc := trivet.ListenConfig{Stack: w.server, FastOpen: 10, FastOpenAnyone: true}
		l, err := lc.Listen(context.Background(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go answer(l)
		w.fast.FastOpenNoCookie = true
		w.wantAsked(t, "without a cookie", asked{aRoundTrip, true}, asked{aRoundTrip, true})
	}, netsim.Delay(50*time.Millisecond))
}
