package netsim_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/tcp"
)

// fastListen listens with Fast Open, or without.
func (w *world) fastListen(t *testing.T, pending int) net.Listener {
	t.Helper()
	lc := trivet.ListenConfig{Stack: w.server, FastOpen: pending}
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
		l := w.fastListen(t, 10)
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
		l := w.fastListen(t, 10)
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

		c = dial()
		defer c.Close()
		go func() {
			s := accept()
			_, _ = io.WriteString(s, "welcome")
			s.Close()
		}()
		if b, err := io.ReadAll(c); err != nil || string(b) != "welcome" {
			t.Errorf("ReadAll = %q, %v", b, err)
		}
	}, netsim.Delay(50*time.Millisecond))
}
