package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// Scenario is a story about TCP that the real stack plays.
type Scenario struct {
	// Name is how it is asked for, "lost-last-ack".
	Name string
	// Title says in one line what it shows.
	Title Text
	// Why says why TCP does so, and Cite where that is written.
	Why  Text
	Cite string
	// Params are all its parameters: those that every scenario has, with the
	// defaults of this one, and its own after them.
	Params []Param

	play     func(*stage)
	config   func(s *stage, client, server *engine.Config) // nil: as they are
	defaults map[string]string                             // of the common parameters
	own      []Param
}

// commonParams are the parameters of every scenario.
var commonParams = []Param{
	{
		Name: "rtt", Kind: KindDuration, Default: "20ms", Min: "1us", Max: "10s",
		Text: Text{"round-trip time of the link", "链路的往返时间"},
	},
	{
		Name: "loss", Kind: KindProbability, Default: "0",
		Text: Text{"probability that a packet is lost", "丢包概率"},
	},
	{
		Name: "rate", Kind: KindRate, Default: "100M", Max: "100G",
		Text: Text{"bits per second of the link, 0 for no limit", "链路速率（比特每秒），0 为不限"},
	},
	{
		Name: "msl", Kind: KindDuration, Default: "30s", Min: "500ms", Max: "2m",
		Text: Text{"maximum segment lifetime; TIME-WAIT takes twice that", "报文段最大生存时间，TIME-WAIT 为其两倍"},
	},
	{
		Name: "cc", Kind: KindChoice, Default: tcp.CongestionCubic, Choices: tcp.Congestions(),
		Text: Text{"congestion control", "拥塞控制算法"},
	},
}

// scenarios has every scenario, in the order of the lessons.
var scenarios = complete(slices.Concat(opening, closing, strangers, endings, flow, loss, flood, datagrams))

// complete gives every scenario all its parameters.
func complete(list []*Scenario) []*Scenario {
	for _, s := range list {
		for _, p := range commonParams {
			if d, ok := s.defaults[p.Name]; ok {
				p.Default = d
			}
			s.Params = append(s.Params, p)
		}
		s.Params = append(s.Params, s.own...)
	}
	return list
}

// Scenarios returns all scenarios, in the order of the lessons. They must not
// be changed.
func Scenarios() []*Scenario { return scenarios }

// Find returns the scenario with the name. The error names those nearest to it.
func Find(name string) (*Scenario, error) {
	var names []string
	for _, s := range scenarios {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	hint := didYouMean(name, names)
	if hint == "" {
		hint = "; trivet lab list shows what there is"
	}
	return nil, fmt.Errorf("no scenario %q%s", name, hint)
}

func (s *Scenario) param(name string) (*Param, error) {
	var names []string
	for i := range s.Params {
		if s.Params[i].Name == name {
			return &s.Params[i], nil
		}
		names = append(names, s.Params[i].Name)
	}
	return nil, fmt.Errorf("%s has no parameter %q%s", s.Name, name, didYouMean(name, names))
}

// fewNames is how many names are all listed when none is near.
const fewNames = 12

// didYouMean names those of names that are nearest to name; when none is, all of
// them if they are few.
func didYouMean(name string, names []string) string {
	type near struct {
		name     string
		distance int
	}
	var list []near
	for _, n := range names {
		d := distance(name, n)
		if len(name) > 2 && strings.Contains(n, name) {
			d = 1
		}
		list = append(list, near{n, d})
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var best []string
	for _, n := range list {
		if len(best) < 3 && n.distance <= max(2, len(n.name)/2) {
			best = append(best, n.name)
		}
	}
	if len(best) == 0 {
		if len(names) > fewNames {
			return ""
		}
		return "; there are " + strings.Join(names, ", ")
	}
	return "; did you mean " + strings.Join(best, ", ") + "?"
}

// distance is how many letters must be changed, added or left out to make one
// word of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			change := before
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above+1, row[j]+1)
			before = above
		}
	}
	return row[len(b)]
}
