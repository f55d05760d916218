package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// FIPS 197, Appendix, and SP 800-38A: AES-128 of a block of zeros under a key
// of zeros begins 66e94bd4; the second block is that of a counter of 1.
func TestStream(t *testing.T) {
	const want = "66e94bd4ef8a2c3b884cfa59ca342b2e58e2fccefa7e3061367f1d57a4e7455a"
	got, err := io.ReadAll(streamOf(32))
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("streamOf(32) = %x, %v, want %s", got, err, want)
	}
	if err := iotest.TestReader(streamOf(1000), mustRead(t, streamOf(1000))); err != nil {
		t.Error(err)
	}
}

func mustRead(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWeb(t *testing.T) {
	web := newWeb(func() any { return map[string]int{"answer": 42} })
	sum := sha256.Sum256([]byte("abc"))
	digest := hex.EncodeToString(sum[:])
	tests := []struct {
		method, path, body string
		status             int
		want               string // in the answer's body
	}{
		{"GET", "/", "", 200, "Hello from Trivet"},
		{"GET", "/stats", "", 200, `"answer": 42`},
		{"GET", "/bytes/0", "", 200, ""},
		{"GET", "/bytes/4", "", 200, "\x66\xe9\x4b\xd4"},
		{"GET", "/bytes/-1", "", 400, "not a number of bytes"},
		{"GET", "/bytes/many", "", 400, "not a number of bytes"},
		{"GET", "/bytes/99999999999999999999", "", 400, "not a number of bytes"},
		{"PUT", "/sink", "abc", 200, digest},
		{"POST", "/sink", "abc", 200, `"length": 3`},
		{"GET", "/sink", "", 405, ""},
		{"POST", "/", "", 405, ""},
		{"GET", "/other", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			w := httptest.NewRecorder()
			web.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%s %s = %d %q, want %d and %q", tt.method, tt.path, w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

func TestWebHead(t *testing.T) {
	w := httptest.NewRecorder()
	newWeb(nil).ServeHTTP(w, httptest.NewRequest("HEAD", "/bytes/1000000000000", nil))
	if got := w.Header().Get("Content-Length"); w.Code != 200 || got != "1000000000000" || w.Body.Len() != 0 {
		t.Errorf("HEAD = %d, Content-Length %q, %d bytes", w.Code, got, w.Body.Len())
	}
}

// A body cut short must not be answered as if it were whole.
func TestSinkShortBody(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("PUT", "/sink", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))))
	newWeb(nil).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "after 1 bytes") {
		t.Errorf("PUT /sink of a broken body = %d %q, want 400", w.Code, w.Body)
	}
}

// serviceConn returns the client's end of a connection to the service.
func serviceConn(t *testing.T, handle func(net.Conn)) net.Conn {
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() { // ends when the client closes
		defer close(done)
		handle(server)
		server.Close()
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

// RFC 862: any data received is sent back.
func TestEcho(t *testing.T) {
	c := serviceConn(t, echo)
	io.WriteString(c, "hello")
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("echo of hello = %q, %v", b, err)
	}
}

// RFC 863: any data received is thrown away; no response is sent.
func TestDiscard(t *testing.T) {
	c := serviceConn(t, discard)
	if n, err := c.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
}

// RFC 867: the current date and time is sent as a character string, and the
// connection is closed.
func TestDaytime(t *testing.T) {
	got := mustRead(t, serviceConn(t, daytime))
	want := regexp.MustCompile(`^[A-Z][a-z]+day, [A-Z][a-z]+ \d{1,2}, \d{4} \d\d:\d\d:\d\d-UTC\r\n$`)
	if !want.Match(got) {
		t.Errorf("daytime = %q, want %v", got, want)
	}
}

// RFC 864: data is sent without regard to input; the popular pattern is 72
// characters a line of the 95 printing characters, in a ring.
func TestChargen(t *testing.T) {
	c := serviceConn(t, chargen)
	go c.Write([]byte("thrown away")) // ends with the connection
	got := make([]byte, 96*74)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(got, []byte("\r\n"))
	const first = ` !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_` + "`abcdefg"
	if string(lines[0]) != first || string(lines[1]) != first[1:]+"h" || string(lines[95]) != first {
		t.Errorf("chargen begins %q, %q and line 95 is %q", lines[0], lines[1], lines[95])
	}
	for i, line := range lines[:96] {
		if len(line) != 72 {
			t.Errorf("line %d has %d characters, want 72", i, len(line))
		}
	}
}

// The JSON of /stats shows names, not numbers.
func TestStatsJSON(t *testing.T) {
	var s hostStats
	s.Stack.Drops = map[string]uint64{"short": 1}
	s.Stack.Stats.Drops[1] = 1
	s.Connections = []connection{{State: "ESTABLISHED", Local: "10.1.0.2:80", Remote: "10.1.0.1:5000"}}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Drops":{"short":1}`, `"State":"ESTABLISHED"`, `"Local":"10.1.0.2:80"`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the JSON has no %s: %s", want, b)
		}
	}
}
