package main

import (
	"strings"
	"testing"
)

func TestPrintTable(t *testing.T) {
	r := row{
		workload: workload{name: "w", metrics: []metric{
			{name: "rate", unit: "1/s", more: true, goal: goal{factor: 4}},
			{name: "cpu", unit: "us", goal: goal{value: 5}},
			{name: "allocs", unit: "allocs"},
		}},
		variants: []string{"gvisor", "gvisor/inline", "lwip", "kernel", "trivet"},
		values:   map[string]map[string][]float64{},
		failures: map[string]int{"trivet: it fell over": 2},
	}
	r.add("gvisor", result{"rate": 10, "cpu": 20, "allocs": 14})
	r.add("gvisor/inline", result{"rate": 20, "cpu": 30, "allocs": 14})
	r.add("lwip", result{"rate": 5, "cpu": 70})
	r.add("kernel", result{"rate": 30})
	r.add("trivet", result{"rate": 60, "cpu": 4, "allocs": 0})
	var b strings.Builder
	printTable(&b, []row{r})
	for _, want := range []string{
		"| w | 1/s | 20.0 inline | 5.00 | 30.0 | 60.0 | 3.00x | >= 4.00x: missed at 60.0, 3.00x |",
		"|  | us | 20.0 | 70.0 | - | 4.00 | 5.00x | <= 5.00: met |",
		"|  | allocs | 14.0 | - | - | 0 | > 10000x |  |",
		"Goals missed: 2\n- w failed 2 times: trivet: it fell over\n- w, 1/s:",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("printTable lacks %q:\n%s", want, &b)
		}
	}
}

func TestGoalMet(t *testing.T) {
	tests := []struct {
		goal           goal
		trivet, gvisor float64
		more, want     bool
	}{
		{goal{}, 1, 0, false, true},
		{goal{value: 5}, 5, 0, false, true},
		{goal{value: 5}, 5.1, 0, false, false},
		{goal{value: 5}, 5, 0, true, true},
		{goal{value: 5}, 4.9, 0, true, false},
		{goal{factor: 4}, 40, 10, true, true},
		{goal{factor: 4}, 39, 10, true, false},
		{goal{factor: 4}, 2, 8, false, true},
		{goal{factor: 4}, 0, 8, false, true},
	}
	for _, tt := range tests {
		if got := tt.goal.met(tt.trivet, tt.gvisor, tt.more); got != tt.want {
			t.Errorf("%+v.met(%v, %v, more %v) = %v, want %v", tt.goal, tt.trivet, tt.gvisor, tt.more, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, name := range []string{"all", "bulk", "bulk/streams=1", "tun", "size"} {
		if list, err := choose([]string{name}); err != nil || len(list) == 0 {
			t.Errorf("choose(%s) = %d workloads, %v", name, len(list), err)
		}
	}
	for _, wanted := range [][]string{nil, {"bul"}, {"rr", "nothing"}} {
		if _, err := choose(wanted); err == nil {
			t.Errorf("choose(%q): no error", wanted)
		}
	}
}
