package netsim_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
)

// certificate returns one for the name "server", and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), // of the bubble's time
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// web runs a net/http server with TLS and HTTP/2 on the world's server, and
// returns a client for it. The function it returns ends both.
func (w *world) web(t *testing.T, h http.Handler) (*http.Client, func()) {
	t.Helper()
	cert, pool := certificate(t)
	srv := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	l := w.listen(t, ":443")
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.ServeTLS(l, "", "") }) // ends with ErrServerClosed
	hc := &http.Client{Transport: &http.Transport{
		DialContext: w.client.DialContext, TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true,
	}}
	return hc, func() {
		hc.CloseIdleConnections()
		_ = srv.Close()
		serving.Wait()
	}
}

// net/http with TLS and HTTP/2: twenty pages at once over one connection, on a
// link that loses, delays and reorders.
func TestHTTP2OverLoss(t *testing.T) {
	page := noise(100_000, 5)
	inWorld(t, netsim.Config{Seed: 9}, func(t *testing.T, w *world) {
		hc, end := w.web(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(rw, r.Proto)
			_, _ = rw.Write(page)
		}))
		var fetching sync.WaitGroup
		fetch := func() {
			resp, err := hc.Get("https://server/")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if want := append([]byte("HTTP/2.0\n"), page...); err != nil || !bytes.Equal(body, want) {
				t.Errorf("%d bytes, %v, want %d", len(body), err, len(want))
			}
		}
		fetch() // so that the others find the connection
		for range 20 {
			fetching.Go(fetch)
		}
		fetching.Wait()
		if n := len(netsim.Connections(w.server)); n != 1 {
			t.Errorf("%d connections, want one for all:\n%s", n, netsim.Table(w.server))
		}
		end()
	}, netsim.Delay(20*time.Millisecond), netsim.Rate(50*netsim.Mbit), netsim.Queue(100, 0),
		netsim.Loss(0.02), netsim.Late(0.05, 10*time.Millisecond))
}

// message writes one message of a stream as gRPC has it on the wire: a flag, a
// length, the bytes.
func message(w io.Writer, b []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(b)))
	_, err := w.Write(append(head, b...))
	return err
}

// readMessage reads one.
func readMessage(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// A stream in both directions as gRPC does it, over HTTP/2, with messages that
// wait for each other, an answer's trailers at its end, and a link that is cut
// for ten seconds in the middle.
func TestStreamLikeGRPC(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 10}, func(t *testing.T, w *world) {
		hc, end := w.web(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Trailer", "Grpc-Status")
			flush := http.NewResponseController(rw)
			_ = flush.EnableFullDuplex()
			for {
				m, err := readMessage(r.Body)
				if err != nil {
					rw.Header().Set("Grpc-Status", fmt.Sprint(map[bool]int{true: 0, false: 13}[errors.Is(err, io.EOF)]))
					return
				}
				if message(rw, bytes.ToUpper(m)) != nil || flush.Flush() != nil {
					return
				}
			}
		}))
		body, requests := io.Pipe()
		req, err := http.NewRequest(http.MethodPost, "https://server/echo", body)
		if err != nil {
			t.Fatal(err)
		}
		first := make(chan error, 1)
		go func() { first <- message(requests, []byte("message 0")) }()
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if m, err := readMessage(resp.Body); err != nil || string(m) != fmt.Sprintf("MESSAGE %d", i) {
				t.Fatalf("message %d: %q, %v", i, m, err)
			}
			if i == 20 {
				w.link.Unplug()
				time.AfterFunc(10*time.Second, w.link.Plug)
			}
			if err := message(requests, fmt.Appendf(nil, "message %d", i+1)); err != nil {
				t.Fatal(err)
			}
		}
		_ = requests.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) == 0 {
			t.Errorf("the last answer: %d bytes, %v", len(rest), err)
		}
		if got := resp.Trailer.Get("Grpc-Status"); got != "0" {
			t.Errorf("the stream ended with status %q, want 0", got)
		}
		_ = resp.Body.Close()
		end()
	}, netsim.Delay(20*time.Millisecond), netsim.Loss(0.02))
}

// toyDB is a database over a connection: a line asks, a line answers. It is a
// driver.Connector, with the dialer that drivers let users set.
type toyDB struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (d *toyDB) Driver() driver.Driver { return nil }

func (d *toyDB) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.dial(ctx, "tcp", "server:5432")
	if err != nil {
		return nil, err
	}
	return &toyConn{Conn: c, lines: bufio.NewReader(c)}, nil
}

type toyConn struct {
	net.Conn
	lines *bufio.Reader
}

func (c *toyConn) Begin() (driver.Tx, error)                 { return nil, driver.ErrSkip }
func (c *toyConn) Prepare(query string) (driver.Stmt, error) { return &toyStmt{c, query}, nil }

type toyStmt struct {
	c     *toyConn
	query string
}

func (s *toyStmt) Close() error                               { return nil }
func (s *toyStmt) NumInput() int                              { return 0 }
func (s *toyStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

func (s *toyStmt) Query([]driver.Value) (driver.Rows, error) {
	if _, err := fmt.Fprintln(s.c, s.query); err != nil {
		return nil, driver.ErrBadConn
	}
	line, err := s.c.lines.ReadString('\n')
	if err != nil {
		return nil, driver.ErrBadConn
	}
	return &toyRows{strings.Fields(line)}, nil
}

type toyRows struct{ left []string }

func (r *toyRows) Columns() []string { return []string{"value"} }
func (r *toyRows) Close() error      { return nil }

func (r *toyRows) Next(dest []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	dest[0], r.left = r.left[0], r.left[1:]
	return nil
}

// serveDB answers each query with its words.
func serveDB(t *testing.T, s *trivet.Stack) {
	l, err := s.Listen("tcp", ":5432")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the host
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
}

// database/sql keeps connections in a pool; after the server crashed and came
// back the pool finds out that they are dead, and makes new ones.
func TestDatabaseSQL(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 11}, func(t *testing.T, w *world) {
		serveDB(t, w.server)
		db := sql.OpenDB(&toyDB{dial: w.client.DialContext})
		query := func() error {
			rows, err := db.Query("one two three")
			if err != nil {
				return err
			}
			defer rows.Close()
			var got []string
			for rows.Next() {
				var v string
				if err := rows.Scan(&v); err != nil {
					return err
				}
				got = append(got, v)
			}
			if fmt.Sprint(got) != "[one two three]" {
				return fmt.Errorf("rows %v", got)
			}
			return rows.Err()
		}
		var asking sync.WaitGroup
		for range 5 {
			asking.Go(func() {
				for range 10 {
					if err := query(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		asking.Wait()
		if db.Stats().OpenConnections == 0 {
			t.Error("the pool is empty")
		}
		w.server = w.Reboot(w.server)
		serveDB(t, w.server)
		if err := query(); err != nil {
			t.Errorf("after the reboot: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}, netsim.Delay(5*time.Millisecond), netsim.Loss(0.01))
}

// httputil.ReverseProxy on a host between client and server.
func TestReverseProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 12, TB: t})
		client, front, back := n.Host("client"), n.Host("front"), n.Host("back")
		n.Link(client, front, netsim.Delay(30*time.Millisecond), netsim.BurstLoss(0.02, 4))
		n.Link(front, back, netsim.Delay(time.Millisecond))
		page := noise(200_000, 6)
		run := func(s *trivet.Stack, h http.Handler) {
			l, err := s.Listen("tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			srv := &http.Server{Handler: h}
			go func() { _ = srv.Serve(l) }() // ends with ErrServerClosed
			t.Cleanup(func() { _ = srv.Close() })
		}
		run(back, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-For", r.Header.Get("X-Forwarded-For"))
			_, _ = rw.Write(page)
		}))
		p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "back"})
		inner := &http.Transport{DialContext: front.DialContext}
		p.Transport = inner
		run(front, p)
		outer := &http.Transport{DialContext: client.DialContext}
		hc := &http.Client{Transport: outer}
		t.Cleanup(func() { outer.CloseIdleConnections(); inner.CloseIdleConnections() })
		for range 10 {
			resp, err := hc.Get("http://front/page")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || !bytes.Equal(body, page) || resp.Header.Get("X-For") != n.Addr(client).String() {
				t.Errorf("%d bytes, %v, for %q", len(body), err, resp.Header.Get("X-For"))
			}
		}
	})
}
