package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

const page = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Trivet</title>
<h1>Hello from Trivet</h1>
<p>This page came over a TCP/IP stack that is a program, not a kernel.</p>
<ul>
<li><a href="/stats">/stats</a>: counters and connections, as JSON</li>
<li><a href="/bytes/1000000">/bytes/N</a>: N bytes of a fixed pseudo-random stream</li>
<li>/sink: PUT or POST anything; the answer is its length and SHA-256</li>
</ul>
<p>Also here: echo on port 7, discard on 9, daytime on 13, chargen on 19.</p>
</html>
`

// newWeb returns the handler of the web server. stats is called for each
// request of /stats, and what it returns is sent as JSON.
func newWeb(stats func() any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, stats()) })
	mux.HandleFunc("GET /bytes/{n}", serveBytes)
	mux.HandleFunc("PUT /sink", serveSink)
	mux.HandleFunc("POST /sink", serveSink)
	return mux
}

// serveBytes answers with as many bytes of the stream as the path asks for.
func serveBytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, fmt.Sprintf("%q is not a number of bytes", r.PathValue("n")), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	if r.Method != http.MethodHead {
		copyBuffer(w, streamOf(n)) // fails when the client goes away
	}
}

// sinkAnswer is what /sink says about a request's body.
type sinkAnswer struct {
	Length int64  `json:"length"`
	SHA256 string `json:"sha256"`
}

func serveSink(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := copyBuffer(h, r.Body)
	if err != nil {
		http.Error(w, fmt.Sprintf("the body ended after %d bytes: %v", n, err), http.StatusBadRequest)
		return
	}
	writeJSON(w, sinkAnswer{n, hex.EncodeToString(h.Sum(nil))})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(v) // fails when the client goes away
}

// copyBuffer is io.Copy with a buffer that makes super-segments worth while,
// and without the short cuts that would use a smaller one.
func copyBuffer(w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 128<<10))
}
