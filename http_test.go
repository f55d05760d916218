package trivet_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
)

// handler answers GET with as many bytes as asked for, and PUT with the hash
// of what came.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%s %d %x %v", r.Proto, n, h.Sum(nil), err)
		return
	}
	fmt.Fprintf(w, "hello over %s", r.Proto)
})

// startHTTP serves on the server until the end of the test, and returns the
// server's URL. With a TLS configuration, HTTP/2 is on.
func startHTTP(t *testing.T, s *trivet.Stack, address string, conf *tls.Config) string {
	t.Helper()
	l := listen(t, s, "tcp", address)
	srv := &http.Server{Handler: handler, TLSConfig: conf}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conf != nil {
			srv.ServeTLS(l, "", "")
		} else {
			srv.Serve(l)
		}
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	if conf != nil {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// certificate returns TLS configurations for a server and its client.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.ParseIP(serverIP4), net.ParseIP(serverIP6)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool}
}

// net/http, crypto/tls and HTTP/2 run unmodified (SOCK-111), over IPv4 and
// IPv6.
func TestHTTP(t *testing.T) {
	tests := []struct {
		name  string
		tls   bool
		http2 bool
		want  string
	}{
		{name: "HTTP/1.1", want: "HTTP/1.1"},
		{name: "HTTPS/1.1", tls: true, want: "HTTP/1.1"},
		{name: "HTTP/2", tls: true, http2: true, want: "HTTP/2.0"},
	}
	for _, test := range tests {
		for _, ip := range []string{serverIP4, serverIP6} {
			t.Run(test.name+" "+ip, func(t *testing.T) {
				client, server := newPair(t, pairConfig{})
				var serverTLS, clientTLS *tls.Config
				if test.tls {
					serverTLS, clientTLS = certificate(t)
				}
				url := startHTTP(t, server, net.JoinHostPort(ip, "0"), serverTLS)
				tr := &http.Transport{
					DialContext:       client.DialContext,
					TLSClientConfig:   clientTLS,
					ForceAttemptHTTP2: test.http2,
				}
				defer tr.CloseIdleConnections()
				testHTTP(t, &http.Client{Transport: tr}, url, test.want)
			})
		}
	}
}

func testHTTP(t *testing.T, c *http.Client, url, proto string) {
	t.Helper()
	for range 3 {
		if got, want := get(t, c, url), "hello over "+proto; got != want {
			t.Errorf("GET: %q, want %q", got, want)
		}
	}
	body := make([]byte, 3<<20)
	rand.Read(body)
	req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	want := fmt.Sprintf("%s %d %x %v", proto, len(body), sha256.Sum256(body), nil)
	if err != nil || string(got) != want {
		t.Errorf("PUT: %q, %v; want %q", got, err, want)
	}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A server that shuts down lets the requests under way finish.
func TestHTTPShutdown(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	l := listen(t, server, "tcp", ":80")
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "done")
	})}
	go srv.Serve(l)
	tr := &http.Transport{DialContext: client.DialContext}
	defer tr.CloseIdleConnections()
	got := make(chan string)
	go func() { got <- get(t, &http.Client{Transport: tr}, "http://"+serverIP4) }()
	<-entered
	shut := make(chan error)
	go func() { shut <- srv.Shutdown(context.Background()) }()
	close(leave)
	if s := <-got; s != "done" {
		t.Errorf("GET: %q, want done", s)
	}
	if err := <-shut; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
