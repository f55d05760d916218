package lab

import (
	"io"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Run is a recipe that was played.
type Run struct {
	Recipe   Recipe
	Scenario *Scenario
	Checks   []Check
	// Log is what happened. It must not be changed.
	Log *trace.Log
	// Begin and End are the first and the last moment.
	Begin, End tcp.Time

	stage *stage
}

// Play plays a recipe. The error is that of Recipe.Check.
func Play(r Recipe) (*Run, error) {
	o, err := r.prepare()
	if err != nil {
		return nil, err
	}
	s := newStage(o, r.Seed)
	s.scenario.play(s)
	return &Run{
		Recipe: r, Scenario: o.scenario, Checks: s.checks, Log: &s.log,
		Begin: s.begin, End: s.net.Now(), stage: s,
	}, nil
}

// Passed reports whether everything that the scenario expects held.
func (r *Run) Passed() bool {
	for i := range r.Checks {
		if !r.Checks[i].OK {
			return false
		}
	}
	return true
}

// WriteLadder writes the ladder of each connection that the scenario is about.
func (r *Run) WriteLadder(w io.Writer, style trace.Style) error {
	if style.Left == "" {
		style.Left = "client"
	}
	_, err := trace.NewLadder(r.Log, style).WriteTo(w)
	return err
}
