package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/lab"
)

// kept are the ids of the runs that are kept, the latest used last.
func (r *runs) kept() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, x := range r.list {
		ids = append(ids, x.id)
	}
	return ids
}

// seeded is the recipe of a handshake with a seed, and its name.
func seeded(t *testing.T, seed int) (string, lab.Recipe) {
	t.Helper()
	recipe := lab.Recipe{Scenario: "handshake", Seed: uint64(seed)}
	id, err := identify(&recipe)
	if err != nil {
		t.Fatal(err)
	}
	return id, recipe
}

// What is kept is bounded by number and by bytes. The run that was used last
// stays, however large it is.
func TestKeptRuns(t *testing.T) {
	_, one := seeded(t, 1)
	played, err := lab.Play(one)
	if err != nil {
		t.Fatal(err)
	}
	size := played.Size()
	tests := []struct {
		name        string
		most, bytes int
		kept        int
	}{
		{"by number", 3, 1000 * size, 3},
		{"by bytes", 100, 2*size + size/2, 2},
		{"too large, but the only one", 100, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := runs{most: tt.most, bytes: tt.bytes}
			var last string
			for seed := range 10 {
				id, recipe := seeded(t, seed)
				if _, err := r.again(id, recipe); err != nil {
					t.Fatal(err)
				}
				last = id
				if n := len(r.kept()); n > tt.kept {
					t.Fatalf("after %d runs %d are kept, want at most %d", seed+1, n, tt.kept)
				}
			}
			if ids := r.kept(); len(ids) != tt.kept || ids[len(ids)-1] != last {
				t.Errorf("kept %v, want %d, the last %s", ids, tt.kept, last)
			}
		})
	}
}

// The recipes are bounded, too: who comes with a run from long ago has to play it.
func TestKeptRecipes(t *testing.T) {
	r := runs{most: 1, bytes: 1}
	for seed := range maxRecipes + 1 {
		id, recipe := seeded(t, seed)
		r.add(&run{id: id}, recipe)
		r.add(&run{id: id}, recipe) // once more makes no difference
	}
	for seed, want := range map[int]bool{0: false, 1: true, maxRecipes: true} {
		id, _ := seeded(t, seed)
		if _, ok := r.recipe(id); ok != want {
			t.Errorf("the recipe of run %d of %d is kept: %v, want %v", seed+1, maxRecipes+1, ok, want)
		}
	}
}

// A run that was dropped is played again when it is asked for, and is the same
// to the last byte.
func TestDroppedRun(t *testing.T) {
	s, server := startServer(t, Config{})
	f := openTab(t, server.URL, "a")
	first := playNow(t, f, "a", handshake)
	_, before := do(t, http.MethodGet, server.URL+"/api/runs/"+first, "", nil)
	for seed := range maxRuns {
		playNow(t, f, "a", strings.Replace(handshake, `"seed":1`, fmt.Sprintf(`"seed":%d`, 2+seed), 1))
	}
	if s.runs.find(first) != nil {
		t.Fatalf("run %s is kept after %d others", first, maxRuns)
	}
	for _, path := range []string{"", "/outline", "/events?first=0&count=1", "/files/wire.pcapng"} {
		if resp, text := do(t, http.MethodGet, server.URL+"/api/runs/"+first+path, "", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%q: status %d, want %d: %s", path, resp.StatusCode, http.StatusOK, text)
		}
	}
	if _, after := do(t, http.MethodGet, server.URL+"/api/runs/"+first, "", nil); after != before {
		t.Error("played again it is another run")
	}
	if n := len(s.runs.kept()); n != maxRuns {
		t.Errorf("%d runs are kept, want %d", n, maxRuns)
	}
}
