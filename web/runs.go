package web

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/trivet-net/trivet/lab"
)

// The bounds of what is kept.
const (
	maxRuns    = 4         // runs
	maxBytes   = 256 << 20 // of all runs; the latest is kept however large it is
	maxRecipes = 256       // by which runs that were dropped are played again
	large      = 32 << 20  // bytes of a run that leaves much to be given back
)

// run is a run that was played.
type run struct {
	id   string
	size int // bytes

	mu  sync.Mutex // guards lab.Run, which is for one goroutine at a time
	run *lab.Run
}

// known is a recipe that was played once.
type known struct {
	id     string
	recipe lab.Recipe
}

// runs keeps the runs that were used last, and by their recipes many more.
type runs struct {
	most, bytes int // bounds of what is kept: runs, and their sizes together

	playing sync.WaitGroup
	one     sync.Mutex // held while a recipe is played: one at a time

	mu      sync.Mutex // guards what follows; one may be held
	list    []*run     // the latest used last
	recipes []known    // the latest played last
}

// find returns the run with the id, nil if it is not kept.
func (r *runs) find(id string) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.list, func(x *run) bool { return x.id == id })
	if i < 0 {
		return nil
	}
	found := r.list[i]
	r.list = append(slices.Delete(r.list, i, i+1), found)
	return found
}

// get returns the run with the id. If it was dropped it is played again, unless
// the one who asks goes away before its turn.
func (r *runs) get(ctx context.Context, id string) (*run, error) {
	if x := r.find(id); x != nil {
		return x, nil
	}
	recipe, ok := r.recipe(id)
	if !ok {
		return nil, errRun
	}
	r.one.Lock()
	defer r.one.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r.again(id, recipe)
}

// recipe returns the recipe that gives the run.
func (r *runs) recipe(id string) (lab.Recipe, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.recipes, func(k known) bool { return k.id == id })
	if i < 0 {
		return lab.Recipe{}, false
	}
	return r.recipes[i].recipe, true
}

// again plays a recipe unless its run is kept. The caller holds one.
func (r *runs) again(id string, recipe lab.Recipe) (*run, error) {
	if x := r.find(id); x != nil {
		return x, nil
	}
	// What is too large to be kept beside others makes room first, so that no
	// two of its kind are in memory at once.
	dropped := r.bound(0)
	played, err := lab.Play(recipe)
	if err != nil {
		return nil, err
	}
	x := &run{id: id, size: played.Size(), run: played}
	r.add(x, recipe)
	dropped += r.bound(1)
	if dropped+x.size >= large {
		debug.FreeOSMemory() // else it would be kept for minutes
	}
	return x, nil
}

func (r *runs) add(x *run, recipe lab.Recipe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
	r.recipes = slices.DeleteFunc(r.recipes, func(k known) bool { return k.id == x.id })
	if len(r.recipes) == maxRecipes {
		r.recipes = slices.Delete(r.recipes, 0, 1)
	}
	r.recipes = append(r.recipes, known{x.id, recipe})
}

// bound drops the runs that were not used for longest until what is left keeps
// to the bounds, or is no more than least, and returns how many bytes they took.
func (r *runs) bound(least int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, x := range r.list {
		total += x.size
	}
	dropped := 0
	for len(r.list) > least && (len(r.list) > r.most || total-dropped > r.bytes) {
		dropped += r.list[0].size
		r.list = slices.Delete(r.list, 0, 1)
	}
	return dropped
}
