package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/trivet-net/trivet/lab"
)

// The bounds of what a page can ask for.
const (
	maxRecipe = 64 << 10 // bytes of a recipe
	maxEvents = 5000     // in one answer
	firstPart = 1000     // events that come with the run
)

var (
	errRun    = errors.New("nobody knows this run any more: play it again")
	errWindow = fmt.Errorf("want first from 0 on and count from 1 to %d", maxEvents)
	errNoFeed = errors.New("this tab has no feed: open it first")
)

// identify names the run that a recipe gives: equal recipes, equal runs.
func identify(r *lab.Recipe) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// play checks a recipe and has it played; the tab's feed tells when it is.
func (s *Server) play(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRecipe))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("a recipe has at most %d bytes", maxRecipe))
		return
	}
	recipe, err := lab.ParseRecipe(text)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	id, err := identify(&recipe)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	f := s.feeds.of(r.URL.Query().Get("tab"))
	if f == nil {
		refuse(w, http.StatusConflict, errNoFeed)
		return
	}
	f.want(id)
	s.runs.playing.Go(func() { s.perform(f, id, recipe) })
	answer(w, http.StatusAccepted, map[string]string{"id": id})
}

// perform plays a recipe, unless it is played already or the tab wants another
// one by now, and tells the feed.
func (s *Server) perform(f *feed, id string, recipe lab.Recipe) {
	s.runs.one.Lock()
	defer s.runs.one.Unlock()
	if s.ctx.Err() != nil || !f.wants(id) {
		return
	}
	if _, err := s.runs.again(id, recipe); err != nil {
		f.tell("run", news{ID: id, Error: err.Error()})
		return
	}
	f.tell("run", news{ID: id})
}

// news is what the feed tells about a run.
type news struct {
	ID    string `json:"id"`
	Error string `json:"error,omitempty"`
}

// withRun answers a request about a run. One that was dropped is played again:
// equal recipes give equal runs.
func (s *Server) withRun(w http.ResponseWriter, r *http.Request, do func(*lab.Run)) {
	x, err := s.runs.get(r.Context(), r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	do(x.run)
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) {
	s.withRun(w, r, func(run *lab.Run) { answer(w, http.StatusOK, run.Model(lab.Window{Count: firstPart})) })
}

func (s *Server) outline(w http.ResponseWriter, r *http.Request) {
	s.withRun(w, r, func(run *lab.Run) { answer(w, http.StatusOK, run.Outline()) })
}

// part is what a window concerns of a model.
type part struct {
	Window    lab.WindowModel     `json:"window"`
	Segments  []lab.SegmentModel  `json:"segments"`
	Events    []lab.EventModel    `json:"events"`
	Snapshots []lab.SnapshotModel `json:"snapshots"`
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	first, err := strconv.Atoi(r.URL.Query().Get("first"))
	count, err2 := strconv.Atoi(r.URL.Query().Get("count"))
	if err != nil || err2 != nil || first < 0 || count < 1 || count > maxEvents {
		refuse(w, http.StatusBadRequest, errWindow)
		return
	}
	s.withRun(w, r, func(run *lab.Run) {
		m := run.Part(lab.Window{First: first, Count: count})
		answer(w, http.StatusOK, part{m.Window, m.Segments, m.Events, m.Snapshots})
	})
}
