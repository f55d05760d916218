package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/lab"
)

// newServer serves the page on the loopback interface until the test ends.
func newServer(t *testing.T, c Config) *httptest.Server {
	t.Helper()
	_, server := startServer(t, c)
	return server
}

// startServer is newServer, and gives the handler as well.
func startServer(t *testing.T, c Config) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s, server
}

// do sends a request with changes and returns the answer with its body.
func do(t *testing.T, method, url, body string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// tab is an open feed.
type tab struct {
	server string
	lines  *bufio.Scanner
	close  func()
}

func openTab(t *testing.T, server, name string) *tab {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/api/feed?tab="+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("feed: status %d, type %q", resp.StatusCode, got)
	}
	f := &tab{server, bufio.NewScanner(resp.Body), cancel}
	f.want(t, "hello")
	return f
}

// want waits for an event and returns its data. Beats may come before it.
func (f *tab) want(t *testing.T, event string) string {
	t.Helper()
	for f.lines.Scan() {
		if f.lines.Text() != "event: "+event {
			continue
		}
		f.lines.Scan()
		data, _ := strings.CutPrefix(f.lines.Text(), "data: ")
		return data
	}
	t.Fatalf("the feed ended before %q: %v", event, f.lines.Err())
	return ""
}

const handshake = `{"format":"trivet-lab-recipe/1","scenario":"handshake","seed":1,"params":{},"do":[]}`

// playNow has a recipe played and returns the id of its run.
func playNow(t *testing.T, f *tab, name, recipe string) string {
	t.Helper()
	resp, text := do(t, http.MethodPost, f.server+"/api/play?tab="+name, recipe, nil)
	var asked, told news
	if err := json.Unmarshal([]byte(text), &asked); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("play: status %d: %s", resp.StatusCode, text)
	}
	if err := json.Unmarshal([]byte(f.want(t, "run")), &told); err != nil || told != asked {
		t.Fatalf("the feed told %+v, want %+v", told, asked)
	}
	return asked.ID
}

// A recipe that is posted is played, the tab's feed tells, and the run is there:
// whole, in columns, and in parts.
func TestPlay(t *testing.T) {
	server := newServer(t, Config{})
	f := openTab(t, server.URL, "a")
	id := playNow(t, f, "a", handshake)

	var m lab.Model
	_, text := do(t, http.MethodGet, server.URL+"/api/runs/"+id, "", nil)
	if err := json.Unmarshal([]byte(text), &m); err != nil || !m.Passed || len(m.Segments) != 3 {
		t.Errorf("model: %v, passed %v, %d segments, want 3", err, m.Passed, len(m.Segments))
	}
	var o lab.Outline
	_, text = do(t, http.MethodGet, server.URL+"/api/runs/"+id+"/outline", "", nil)
	if err := json.Unmarshal([]byte(text), &o); err != nil || len(o.Kind) != len(m.Events) {
		t.Errorf("outline: %v, %d events, want %d", err, len(o.Kind), len(m.Events))
	}
	var p part
	_, text = do(t, http.MethodGet, server.URL+"/api/runs/"+id+"/events?first=5&count=3", "", nil)
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Events) != 3 || p.Window.FirstEvent != 5 {
		t.Errorf("part: %v, %d events from %d, want 3 from 5", err, len(p.Events), p.Window.FirstEvent)
	}
	if again := playNow(t, f, "a", handshake); again != id {
		t.Errorf("the same recipe gives run %s, then %s", id, again)
	}
	lost := playNow(t, f, "a", strings.Replace(handshake, `"do":[]`, `"do":["at #2 drop"]`, 1))
	_, text = do(t, http.MethodGet, server.URL+"/api/runs/"+lost, "", nil)
	if lost == id || !strings.Contains(text, `"dropped on purpose"`) {
		t.Errorf("run %s with #2 dropped does not say so", lost)
	}
}

// A recipe may come from anywhere. What is wrong with it is said in words.
func TestRecipesFromElsewhere(t *testing.T) {
	server := newServer(t, Config{})
	openTab(t, server.URL, "a")
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"not JSON", "hello", 400, "not a recipe"},
		{"nothing", "", 400, "not a recipe"},
		{"another format", `{"format":"x"}`, 400, `its format is \"x\"`},
		{"unknown field", strings.Replace(handshake, `"seed"`, `"exec":"rm","seed"`, 1), 400, "unknown field"},
		{"unknown scenario", strings.Replace(handshake, "handshake", "handshak", 1), 400, "did you mean handshake"},
		{"unknown parameter", strings.Replace(handshake, `"params":{}`, `"params":{"rtr":"1s"}`, 1), 400, "did you mean rtt"},
		{"value out of range", strings.Replace(handshake, `"params":{}`, `"params":{"rtt":"1h"}`, 1), 400, "more than 10s"},
		{"unknown action", strings.Replace(handshake, `"do":[]`, `"do":["at #2 explode"]`, 1), 400, `no action`},
		{"a seed below zero", strings.Replace(handshake, `"seed":1`, `"seed":-1`, 1), 400, "not a recipe"},
		{"two recipes", handshake + handshake, 400, "something follows"},
		{
			"too many interventions",
			strings.Replace(handshake, `"do":[]`, `"do":["at #2 drop"`+strings.Repeat(`,"at #2 drop"`, 1000)+`]`, 1),
			400, "more than 1000",
		},
		{"too long", handshake + strings.Repeat(" ", maxRecipe), 413, "at most 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, text := do(t, http.MethodPost, server.URL+"/api/play?tab=a", tt.body, nil)
			if resp.StatusCode != tt.status || !strings.Contains(text, tt.want) || !strings.Contains(text, `"error"`) {
				t.Errorf("status %d: %s, want status %d with %q", resp.StatusCode, text, tt.status, tt.want)
			}
		})
	}
}

// What is asked for wrongly is refused in words.
func TestBadRequests(t *testing.T) {
	server := newServer(t, Config{})
	id := playNow(t, openTab(t, server.URL, "a"), "a", handshake)
	tests := []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/feed", 400},
		{"GET", "/api/feed?tab=" + strings.Repeat("a", 65), 400},
		{"GET", "/api/runs/" + id + "/events", 400},
		{"GET", "/api/runs/" + id + "/events?first=-1&count=1", 400},
		{"GET", "/api/runs/" + id + "/events?first=0&count=5001", 400},
		{"GET", "/api/runs/none", 404},
		{"GET", "/api/runs/" + id + "/files/passwd", 404},
		{"GET", "/api/runs/" + id + "/files/..%2f..%2fgo.mod", 404},
		{"GET", "/server.go", 404},
		{"GET", "/nothing", 404},
		{"POST", "/api/runs/" + id + "/save", 403},
		{"POST", "/", 405},
		{"DELETE", "/api/scenarios", 405},
	}
	for _, tt := range tests {
		if resp, text := do(t, tt.method, server.URL+tt.path, "", nil); resp.StatusCode != tt.status {
			t.Errorf("%s %s: status %d, want %d: %s", tt.method, tt.path, resp.StatusCode, tt.status, text)
		}
	}
	resp, _ := do(t, "POST", server.URL+"/api/play?tab=stranger", handshake, nil)
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("play without a feed: status %d, want %d", resp.StatusCode, http.StatusConflict)
	}
}

// A tab has one stream: another takes its place. Tabs are bounded, and those
// that close make room.
func TestOneFeedForEachTab(t *testing.T) {
	server := newServer(t, Config{})
	first := openTab(t, server.URL, "a")
	second := openTab(t, server.URL, "a")
	for first.lines.Scan() { // until it ends
	}
	playNow(t, second, "a", handshake)

	var tabs []*tab
	for i := 1; i < maxFeeds; i++ {
		tabs = append(tabs, openTab(t, server.URL, "tab"+string(rune('A'+i))))
	}
	if resp, text := do(t, "GET", server.URL+"/api/feed?tab=more", "", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one tab more: status %d, want %d: %s", resp.StatusCode, http.StatusServiceUnavailable, text)
	}
	tabs[0].close()
	for range 1000 { // the server notices in its own time
		r, err := http.Get(server.URL + "/api/feed?tab=more")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
	}
	t.Error("a tab that closed makes no room")
}

// Closing the server ends the feeds, so that Shutdown returns.
func TestCloseEndsFeeds(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	openTab(t, server.URL, "a")
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
}

// A run that is saved is written into a folder of its own in Config.Out, and
// nowhere else, whatever lies there.
func TestSave(t *testing.T) {
	out := filepath.Join(t.TempDir(), "runs")
	server := newServer(t, Config{Out: out})
	id := playNow(t, openTab(t, server.URL, "a"), "a", handshake)
	resp, text := do(t, "POST", server.URL+"/api/runs/"+id+"/save", "{}", nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, "handshake-"+id) {
		t.Fatalf("save: status %d: %s", resp.StatusCode, text)
	}
	recipe, err := os.ReadFile(filepath.Join(out, "handshake-"+id, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := lab.ParseRecipe(recipe); err != nil || r.Scenario != "handshake" {
		t.Errorf("the saved recipe is %+v, %v", r, err)
	}
	_, download := do(t, "GET", server.URL+"/api/runs/"+id+"/files/ladder.txt", "", nil)
	if saved, err := os.ReadFile(filepath.Join(out, "handshake-"+id, "ladder.txt")); err != nil || string(saved) != download {
		t.Errorf("the ladder saved is not the one downloaded (%v)", err)
	}
}

func TestSaveStaysInside(t *testing.T) {
	out, elsewhere := t.TempDir(), t.TempDir()
	server := newServer(t, Config{Out: out})
	id := playNow(t, openTab(t, server.URL, "a"), "a", handshake)
	if err := os.Symlink(elsewhere, filepath.Join(out, "handshake-"+id)); err != nil {
		t.Skip(err)
	}
	resp, text := do(t, "POST", server.URL+"/api/runs/"+id+"/save", "{}", nil)
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d, want %d: %s", resp.StatusCode, http.StatusInternalServerError, text)
	}
	if strings.Contains(text, elsewhere) {
		t.Errorf("the answer names %s: %s", elsewhere, text)
	}
	if files, err := os.ReadDir(elsewhere); err != nil || len(files) > 0 {
		t.Errorf("%d files outside of the folder (%v)", len(files), err)
	}
}

// Two recipes at once are each told to the tab that asked.
func TestTwoTabs(t *testing.T) {
	server := newServer(t, Config{})
	a, b := openTab(t, server.URL, "a"), openTab(t, server.URL, "b")
	one := playNow(t, a, "a", handshake)
	two := playNow(t, b, "b", strings.Replace(handshake, `"seed":1`, `"seed":2`, 1))
	if one == two {
		t.Errorf("seeds 1 and 2 give the same run %s", one)
	}
}
