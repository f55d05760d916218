package main

import "time"

// settings are what the command line says to every run.
type settings struct {
	Time     time.Duration // of one measurement without a number of operations
	Variant  string
	Executor string // path of this program, for helpers in processes of their own
	LwIP     string // path of lwIP's host
}

// result holds the values of one run by the name of the metric.
type result map[string]float64

// metric is a row of the table.
type metric struct {
	name string // as in result
	unit string
	more bool // more is better
	goal goal
}

// goal is what issue 5 asks of Trivet; zero: nothing.
type goal struct {
	value  float64 // at most this, or at least this if more is better
	factor float64 // or at least this many times better than gVisor's best
}

func (g goal) met(trivet, gvisor float64, more bool) bool {
	if g.value != 0 && (trivet > g.value) != more && trivet != g.value {
		return false
	}
	return g.factor == 0 || improvement(trivet, gvisor, more) >= g.factor
}

// improvement is how many times better Trivet is: without bound if it needs
// nothing.
func improvement(trivet, gvisor float64, more bool) float64 {
	if more {
		return trivet / gvisor
	}
	return gvisor / max(trivet, 0)
}

// workload is one thing to measure.
type workload struct {
	name     string // "rr/pairs=1": the part before the slash is given on the command line
	about    string
	variants []string // in the order they are run and printed
	rounds   int      // at most; 0: as many as asked for
	needRoot bool     // runs in a network namespace of its own
	metrics  []metric
	lwip     lwipTask                       // for the variant lwip
	run      func(settings) (result, error) // for the others
}

// all is every workload, in the order of the table.
func all() []workload {
	var w []workload
	w = append(w, bulkWorkloads()...)
	w = append(w, rrWorkloads()...)
	w = append(w, crrWorkloads()...)
	w = append(w, portsWorkloads()...)
	w = append(w, connsWorkloads()...)
	w = append(w, timewaitWorkloads()...)
	w = append(w, synfloodWorkloads()...)
	w = append(w, tunWorkloads()...)
	w = append(w, pathWorkloads()...)
	w = append(w, lossyWorkloads()...)
	w = append(w, growWorkloads()...)
	w = append(w, soakWorkloads()...)
	return append(w, sizeWorkloads()...)
}
