package trivet_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
)

// net/http and crypto/tls in virtual time (SOCK-111): what they do with
// deadlines and half-closed connections is exact.

// An idle connection outlives any pause: its keep-alive probes are answered.
func TestHTTPSlowHandler(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, server, _ := newCable(t, trivet.Config{})
			var serverTLS, clientTLS *tls.Config
			if secure {
				serverTLS, clientTLS = certificate(t)
			}
			slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(24 * time.Hour)
				io.WriteString(w, "good morning")
			})
			base := serveHTTP(t, server, &http.Server{Handler: slow, TLSConfig: serverTLS})
			tr := &http.Transport{DialContext: client.DialContext, TLSClientConfig: clientTLS, ForceAttemptHTTP2: secure}
			defer tr.CloseIdleConnections()
			if got := get(t, &http.Client{Transport: tr}, base); got != "good morning" {
				t.Errorf("GET: %q", got)
			}
		})
	}
}

// serveHTTP serves until the end of the test, and returns the server's URL.
func serveHTTP(t *testing.T, s *trivet.Stack, srv *http.Server) string {
	t.Helper()
	l := listen(t, s, "tcp", serverIP4+":0")
	serve, scheme := srv.Serve, "http://"
	if srv.TLSConfig != nil {
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		scheme = "https://"
	}
	var running sync.WaitGroup
	running.Go(func() { serve(l) })
	t.Cleanup(func() {
		srv.Close()
		running.Wait()
	})
	return scheme + l.Addr().String()
}

// The server's time-outs close connections at their time, and the client's
// ends a request.
func TestHTTPTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		forever := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/forever" {
				<-r.Context().Done() // when the client goes
				return
			}
			io.WriteString(w, "soon")
		})
		base := serveHTTP(t, server, &http.Server{
			Handler: forever, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		})
		host := strings.TrimPrefix(base, "http://")

		silent, err := client.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		start := time.Now()
		if err := readErr(silent); err != io.EOF {
			t.Errorf("a connection without a request ends with %v, want %v", err, io.EOF)
		}
		within(t, "ReadHeaderTimeout", start, 5*time.Second)

		idle, err := client.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		fmt.Fprintf(idle, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		start = time.Now()
		all, err := io.ReadAll(idle)
		if err != nil || !strings.HasSuffix(string(all), "soon") {
			t.Errorf("an idle connection: %q, %v", all, err)
		}
		within(t, "IdleTimeout", start, time.Minute)

		tr := &http.Transport{DialContext: client.DialContext}
		defer tr.CloseIdleConnections()
		start = time.Now()
		_, err = (&http.Client{Transport: tr, Timeout: 7 * time.Second}).Get(base + "/forever")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("GET with a time-out: %v, want %v", err, context.DeadlineExceeded)
		}
		within(t, "Client.Timeout", start, 7*time.Second)
		silent.Close()
		idle.Close()
		synctest.Wait()
		if n := server.Stats().Conns; n != 0 {
			t.Errorf("%d connections left at the server", n)
		}
	})
}

// A proxy carries an upgraded connection, and the end of each direction by
// itself: httputil.ReverseProxy finds CloseWrite by an interface (SOCK-106).
func TestReverseProxyHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		backend := serveHTTP(t, server, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: count\r\n\r\n")
			n, err := io.Copy(io.Discard, rw) // until the user's end of it
			fmt.Fprintf(c, "%d bytes, %v", n, err)
		})})
		target, err := url.Parse(backend)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{DialContext: client.DialContext}
		defer tr.CloseIdleConnections()
		proxy := serveHTTP(t, server, &http.Server{Handler: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport: tr,
		}})
		c, err := client.Dial("tcp", strings.TrimPrefix(proxy, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: count\r\n\r\n")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("upgrade: %v, %v", resp, err)
		}
		const size = 1 << 20
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := c.(*trivet.Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(r)
		if got, want := string(all), fmt.Sprintf("%d bytes, <nil>", size); got != want || err != nil {
			t.Errorf("after CloseWrite: %q, %v, want %q", got, err, want)
		}
	})
}

// TLS over a connection of which one direction ends: tls.Conn.CloseWrite sends
// close_notify, and the answer still comes. A deadline in the past ends a
// handshake with nobody.
func TestTLSHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		c, s := connect(t, client, server)
		serverTLS, clientTLS := certificate(t)
		clientTLS.ServerName = serverIP4
		var answering sync.WaitGroup
		answering.Go(func() {
			conn := tls.Server(s, serverTLS)
			defer conn.Close()
			all, err := io.ReadAll(conn)
			fmt.Fprintf(conn, "%d bytes, %v", len(all), err)
		})
		conn := tls.Client(c, clientTLS)
		if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := conn.CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		all, err := io.ReadAll(conn)
		if want := fmt.Sprintf("%d bytes, <nil>", 1<<20); string(all) != want || err != nil {
			t.Errorf("after CloseWrite: %q, %v, want %q", all, err, want)
		}
		answering.Wait()

		c, _ = connect(t, client, server)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := tls.Client(c, clientTLS).HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("handshake with nobody: %v, want %v", err, context.DeadlineExceeded)
		}
		within(t, "the handshake", start, 3*time.Second)
	})
}

// SOCK-105: a deadline and what comes at the same moment: Read returns the one
// or the other, and loses nothing.
func TestDeadlineRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		c, s := connect(t, client, server)
		const rounds = 500
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range rounds {
				// Before the deadline, at the same moment, and after it.
				time.Sleep(time.Second + time.Duration(i%3-1)*time.Microsecond)
				s.Write([]byte{byte(i)})
			}
			s.CloseWrite()
		})
		var got []byte
		timeouts := 0
		buf := make([]byte, 4)
		for {
			c.SetReadDeadline(time.Now().Add(time.Second))
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				timeouts++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		writing.Wait()
		if timeouts == 0 || timeouts >= rounds {
			t.Errorf("%d of %d reads ran out of time, want some", timeouts, rounds)
		}
		if len(got) != rounds {
			t.Fatalf("read %d bytes, want %d", len(got), rounds)
		}
		for i, b := range got {
			if b != byte(i) {
				t.Fatalf("byte %d is %d, want %d", i, b, byte(i))
			}
		}
	})
}

// A deadline that is moved by one goroutine while another waits always counts
// from where it was moved to last.
func TestDeadlineMovedByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		c, _ := connect(t, client, server)
		start := time.Now()
		var moving sync.WaitGroup
		for i := range 10 {
			moving.Go(func() {
				for j := range 100 {
					time.Sleep(time.Duration(i+1) * time.Millisecond)
					c.SetDeadline(time.Now().Add(time.Duration(j%7+1) * time.Second))
				}
			})
		}
		go func() {
			moving.Wait()
			c.SetReadDeadline(start.Add(time.Minute))
		}()
		if err := readErr(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want %v", err, os.ErrDeadlineExceeded)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("Read ended after %v, want %v", took, time.Minute)
		}
	})
}
