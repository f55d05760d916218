package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// printTable prints a table in Markdown for each workload.
func printTable(w io.Writer, rows []row) {
	var missed []string
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "\n**%s**: %s\n", r.workload.name, r.workload.about)
		for _, f := range r.failures {
			fmt.Fprintf(w, "\nFailed: %s\n", f)
		}
		if r.skipped != "" {
			fmt.Fprintf(w, "\nSkipped: %s\n", r.skipped)
			continue
		}
		fmt.Fprintf(w, "\n| | %s | Trivet / gVisor | goal |\n|---|%s---|---|\n",
			strings.Join(r.variants, " | "), strings.Repeat("---|", len(r.variants)))
		for _, m := range r.workload.metrics {
			fmt.Fprintf(w, "| %s |", m.unit)
			for _, v := range r.variants {
				fmt.Fprintf(w, " %v |", r.summary(v, m.name))
			}
			verdict, ok := r.verdict(m)
			fmt.Fprintf(w, " %s | %s |\n", r.ratioText(m), verdict)
			if !ok {
				missed = append(missed, r.workload.name+", "+m.unit+": "+verdict)
			}
		}
	}
	fmt.Fprintf(w, "\nGoals missed: %d\n", len(missed))
	for _, m := range missed {
		fmt.Fprintf(w, "- %s\n", m)
	}
}

// ratioText is how many times better Trivet is.
func (r *row) ratioText(m metric) string {
	ratio, _, ok := r.ratio(m)
	if !ok || math.IsNaN(ratio) {
		return ""
	}
	if math.IsInf(ratio, 0) || ratio >= 1e4 {
		return "> 10000x"
	}
	return figure(ratio) + "x"
}

// verdict tells the goal and whether it is met; ok means not missed.
func (r *row) verdict(m metric) (text string, ok bool) {
	t := r.summary("trivet", m.name)
	if m.goal == (goal{}) || t.N == 0 {
		return "", true
	}
	ratio, gvisor, have := r.ratio(m)
	var parts []string
	if m.goal.value != 0 {
		sign := "<="
		if m.more {
			sign = ">="
		}
		parts = append(parts, sign+" "+figure(m.goal.value))
	}
	if m.goal.factor != 0 {
		if !have {
			return "", true
		}
		parts = append(parts, fmt.Sprintf(">= %sx", figure(m.goal.factor)))
	}
	text = strings.Join(parts, " and ")
	if m.goal.met(t.Median, gvisor, m.more) {
		return text + ": met", true
	}
	text += ": missed at " + figure(t.Median)
	if m.goal.factor != 0 {
		text += ", " + figure(ratio) + "x"
	}
	return text, false
}

// printJSON prints an array with an object for each metric of each workload.
func printJSON(w io.Writer, rows []row) error {
	type line struct {
		Workload string             `json:"workload"`
		Metric   string             `json:"metric"`
		Unit     string             `json:"unit"`
		Variants map[string]summary `json:"variants"`
		Ratio    *float64           `json:"trivet_over_gvisor,omitempty"`
		Goal     string             `json:"goal,omitempty"`
	}
	lines := []line{}
	for i := range rows {
		r := &rows[i]
		for _, m := range r.workload.metrics {
			l := line{Workload: r.workload.name, Metric: m.name, Unit: m.unit, Variants: map[string]summary{}}
			for _, v := range r.variants {
				if s := r.summary(v, m.name); s.N > 0 {
					l.Variants[v] = s
				}
			}
			if ratio, _, ok := r.ratio(m); ok && !math.IsInf(ratio, 0) && !math.IsNaN(ratio) {
				l.Ratio = &ratio
			}
			l.Goal, _ = r.verdict(m)
			lines = append(lines, l)
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(lines)
}
