package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"

	"github.com/trivet-net/trivet/lab"
)

//go:embed all:dist
var dist embed.FS

// Config says how a Server serves.
type Config struct {
	// Token, if not empty, must be known to whoever asks: "/?token=..." once,
	// which leaves a cookie.
	Token string
	// Hosts are names that the server answers to, beside localhost and every
	// address.
	Hosts []string
	// Out is the folder that runs are saved into; it is made when it is first
	// needed. "": the page cannot save, only download.
	Out string
}

// Server is the handler of the page. Its methods are safe for concurrent use.
type Server struct {
	config  Config
	handler http.Handler
	runs    runs
	feeds   feeds
	ctx     context.Context // done when the server is closed
	close   context.CancelFunc
}

// New returns a server, whose feeds and plays last until Close.
func New(c Config) (*Server, error) {
	page, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, runs: runs{most: maxRuns, bytes: maxBytes}}
	s.ctx, s.close = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /api/scenarios", s.scenarios)
	mux.HandleFunc("GET /api/feed", s.feed)
	mux.HandleFunc("POST /api/play", s.play)
	mux.HandleFunc("GET /api/runs/{id}", s.model)
	mux.HandleFunc("GET /api/runs/{id}/outline", s.outline)
	mux.HandleFunc("GET /api/runs/{id}/events", s.events)
	mux.HandleFunc("GET /api/runs/{id}/files/{name}", s.download)
	mux.HandleFunc("POST /api/runs/{id}/save", s.save)
	s.handler = s.guard(mux)
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends every feed, so that http.Server.Shutdown need not wait for them,
// and waits for what is being played.
func (s *Server) Close() {
	s.close()
	s.runs.playing.Wait()
}

// about is what the page needs to know before it plays anything.
type about struct {
	Scenarios []lab.ScenarioInfo `json:"scenarios"`
	// Saves says that the server has a folder for runs.
	Saves bool `json:"saves"`
}

func (s *Server) scenarios(w http.ResponseWriter, _ *http.Request) {
	a := about{Saves: s.config.Out != ""}
	for _, sc := range lab.Scenarios() {
		a.Scenarios = append(a.Scenarios, sc.Info())
	}
	answer(w, http.StatusOK, a)
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // fails when the reader goes away
}

// refuse says why a request is not done.
func refuse(w http.ResponseWriter, status int, err error) {
	// The path of a file that cannot be written says more than its reader
	// must know.
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	answer(w, status, map[string]string{"error": err.Error()})
}
