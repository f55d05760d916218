package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// row is one workload's figures.
type row struct {
	workload workload
	variants []string
	values   map[string]map[string][]float64 // by variant and metric
	failures map[string]int                  // how often, by variant and error
	skipped  string                          // why, if it was
}

// measure runs the workloads, the variants of each in turn.
func measure(list []workload, o options) ([]row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	lwip, err := os.MkdirTemp("", "bench-lwip")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(lwip)
	base := settings{Time: o.time, Executor: self}
	if wants(list, o, "lwip") {
		if base.LwIP, err = buildLwIP(lwip); err != nil {
			progress("without lwip: %v", err)
		}
	}
	var rows []row
	for i, w := range list {
		r := row{workload: w, values: map[string]map[string][]float64{}, failures: map[string]int{}}
		for _, v := range w.variants {
			if strings.HasPrefix(v, o.only) && (v != "lwip" || base.LwIP != "") {
				r.variants = append(r.variants, v)
			}
		}
		progress("[%d/%d] %s: %s", i+1, len(list), w.name, w.about)
		if w.needRoot && !isRoot() {
			r.skipped = "needs root"
			progress("  skipped: %s", r.skipped)
		} else {
			r.measure(base, o)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// wants reports whether a variant is to be measured in one of the workloads.
func wants(list []workload, o options, variant string) bool {
	return strings.HasPrefix(variant, o.only) &&
		slices.ContainsFunc(list, func(w workload) bool { return slices.Contains(w.variants, variant) })
}

func (r *row) measure(base settings, o options) {
	w := r.workload
	rounds := o.rounds
	if w.rounds > 0 {
		rounds = min(rounds, w.rounds)
	}
	for round := range rounds {
		for _, v := range r.variants {
			ord := order{Workload: w.name, Settings: base}
			ord.Settings.Variant = v
			if o.profile != "" && round == rounds-1 {
				ord.Profile = filepath.Join(o.profile, strings.ReplaceAll(w.name+" "+v, "/", "_")+".pprof")
			}
			res, err := spawn(w, ord)
			if err != nil {
				r.failures[fmt.Sprintf("%s: %v", v, err)]++
				progress("  %d/%d %-16s failed: %v", round+1, rounds, v, err)
				continue
			}
			r.add(v, res)
			progress("  %d/%d %-16s %s", round+1, rounds, v, brief(w, res))
		}
	}
}

func (r *row) add(variant string, res result) {
	if r.values[variant] == nil {
		r.values[variant] = map[string][]float64{}
	}
	for name, v := range res {
		r.values[variant][name] = append(r.values[variant][name], v)
	}
}

// brief is one run on one line.
func brief(w workload, res result) string {
	var parts []string
	for _, m := range w.metrics {
		if v, ok := res[m.name]; ok {
			parts = append(parts, figure(v)+" "+m.unit)
		}
	}
	return strings.Join(parts, ", ")
}

// summary returns the figures of a metric, with N 0 if there are none.
func (r *row) summary(variant, metric string) summary {
	return summarize(r.values[variant][metric])
}

// gvisor returns the variant of gVisor with the best median, and its figures.
func (r *row) gvisor(m metric) (variant string, best summary) {
	for _, v := range r.variants {
		s := r.summary(v, m.name)
		if !strings.HasPrefix(v, "gvisor") || s.N == 0 {
			continue
		}
		if best.N == 0 || s.Median != best.Median && (s.Median > best.Median) == m.more {
			variant, best = v, s
		}
	}
	return variant, best
}

// ratio returns how many times better Trivet is than the better of gVisor's
// variants. It reports false if one is missing.
func (r *row) ratio(m metric) (ratio float64, ok bool) {
	t := r.summary("trivet", m.name)
	_, g := r.gvisor(m)
	if t.N == 0 || g.N == 0 {
		return 0, false
	}
	return improvement(t.Median, g.Median, m.more), true
}
