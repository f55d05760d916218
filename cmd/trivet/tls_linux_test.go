package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// startTLS starts a web server with TLS and HTTP/2 on the listener.
func startTLS(t *testing.T, l net.Listener) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(newWeb(nil))
	srv.Listener.Close()
	srv.Listener, srv.EnableHTTP2 = l, true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// curl's TLS and HTTP/2 against Go's over Trivet.
func TestCurlHTTP2(t *testing.T) {
	const n = 4 << 20
	inEach(t, func(t *testing.T, s setting) {
		_, h := newHost(t, s)
		l, err := h.stack.Listen("tcp", net.JoinHostPort(s.trivet(), "443"))
		if err != nil {
			t.Fatal(err)
		}
		srv := startTLS(t, l)
		cert := filepath.Join(t.TempDir(), "cert.pem")
		writeFile(t, cert, strings.NewReader(string(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))))
		dir := t.TempDir()
		out, err := curl(t, "--no-globoff", "--no-progress-meter", "--parallel", "--http2", "--cacert", cert,
			"--resolve", "example.com:443:"+s.trivet(), "--output", filepath.Join(dir, "#1"),
			"--write-out", "%{http_version}\n", fmt.Sprintf("https://example.com/bytes/%d?[1-10]", n)).Output()
		if want := strings.Repeat("2\n", 10); err != nil || string(out) != want {
			t.Fatalf("curl: %v, HTTP versions %q, want %q", err, out, want)
		}
		for i := 1; i <= 10; i++ {
			f := openFile(t, filepath.Join(dir, fmt.Sprint(i)))
			if got, want := digestOf(t, f), digestOf(t, streamOf(n)); got != want {
				t.Errorf("stream %d has SHA-256 %s, want %s", i, got, want)
			}
		}
	})
}

// Go's TLS and HTTP/2 over Trivet against a server on the kernel's TCP.
func TestClientHTTP2(t *testing.T) {
	const n = 4 << 20
	inEach(t, func(t *testing.T, s setting) {
		_, h := newHost(t, s)
		l, err := net.Listen("tcp", net.JoinHostPort(s.kernel(), "443"))
		if err != nil {
			t.Fatal(err)
		}
		srv := startTLS(t, l)
		transport := srv.Client().Transport.(*http.Transport).Clone()
		transport.DialContext, transport.ForceAttemptHTTP2 = h.stack.DialContext, true
		transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs, ServerName: "example.com"}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				resp, err := client.Get(fmt.Sprintf("%s/bytes/%d", srv.URL, n))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, want := digestOf(t, resp.Body), digestOf(t, streamOf(n)); got != want || resp.ProtoMajor != 2 {
					t.Errorf("HTTP/%d, SHA-256 %s, want HTTP/2, %s", resp.ProtoMajor, got, want)
				}
			})
		}
		wg.Wait()
	})
}
