package lab

import (
	"io"
	"slices"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
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

	order    *order
	hosts    []HostModel // those that are shown
	shows    []wire.FourTuple
	listing  bool // the socket tables at the end belong to the story
	details  details
	analysis *trace.Analysis // nil until asked for
	remarks  map[trace.Lang]map[int]trace.Remark
}

// Play plays a recipe. The error is that of Recipe.Check.
func Play(r Recipe) (*Run, error) {
	o, err := r.prepare()
	if err != nil {
		return nil, err
	}
	return o.play(r).run(r), nil
}

// play plays the scenario of the order to its end.
func (o *order) play(r Recipe) *stage {
	s := newStage(o, r.Seed)
	s.scenario.play(s)
	return s
}

// run is what remains of a stage. The hosts and their programs do not: they
// hold all that was ever sent.
func (s *stage) run(r Recipe) *Run {
	run := &Run{
		Recipe: r, Scenario: s.scenario, Checks: s.checks, Log: &trace.Log{Entries: s.log.Entries},
		Begin: s.begin, End: s.net.Now(), order: s.order, shows: s.shows, listing: s.listing, details: s.details,
	}
	for _, h := range s.net.Hosts() {
		if !s.hidden[h.Name()] {
			run.hosts = append(run.hosts, HostModel{h.Name(), h.Addr().String()})
		}
	}
	return run
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

// Idle are the interventions of the recipe whose moment never came, or that
// found nothing to do it to.
func (r *Run) Idle() []string {
	var list []string
	for k := range r.order.do {
		if !r.order.do[k].done {
			list = append(list, r.Recipe.Do[k])
		}
	}
	return list
}

// Analysis is the log looked through. It must be used by one goroutine at a
// time.
func (r *Run) Analysis() *trace.Analysis {
	if r.analysis == nil {
		r.analysis = trace.Analyse(r.Log)
	}
	return r.analysis
}

// remarksIn are the remarks about every segment, by packet number.
func (r *Run) remarksIn(l trace.Lang) map[int]trace.Remark {
	if r.remarks == nil {
		r.remarks = map[trace.Lang]map[int]trace.Remark{}
	}
	if r.remarks[l] == nil {
		r.remarks[l] = r.Analysis().Remarks(l)
	}
	return r.remarks[l]
}

// shown are the connections that the scenario is about, in the order in which
// they are drawn.
func (r *Run) shown() []int {
	var list []int
	for _, t := range r.shows {
		if i := r.Analysis().ConnectionOf(t); i >= 0 && !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		list = append(list, 0)
	}
	return list
}

// WriteLadder writes the ladder of each connection that the scenario is about,
// and of each flow of datagrams.
func (r *Run) WriteLadder(w io.Writer, style trace.Style) error {
	if style.Left == "" {
		style.Left = "client"
	}
	for n, i := range r.shown() {
		if n > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		style.Connection = i
		if _, err := r.Analysis().Ladder(style).WriteTo(w); err != nil {
			return err
		}
	}
	for i := range r.Analysis().Flows() {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := r.Analysis().WriteFlow(w, i, style); err != nil {
			return err
		}
	}
	return nil
}
