package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// printTable prints one table in Markdown. Of gVisor's variants it has the one
// that did best in the row; JSON has all.
func printTable(w io.Writer, rows []row) {
	var notes []string
	fmt.Fprint(w, "| workload | | gVisor | lwIP | kernel | Trivet | Trivet / gVisor | goal |\n|---|---|---|---|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		name := r.workload.name
		notes = append(notes, r.failureTexts("")...)
		if r.skipped != "" {
			notes = append(notes, name+" skipped: "+r.skipped)
			continue
		}
		for j, m := range r.workload.metrics {
			cell := name
			if j > 0 {
				cell = ""
			}
			verdict, _ := r.verdict(m)
			fmt.Fprintf(w, "| %s | %s | %s | %v | %v | %v | %s | %s |\n", cell, m.unit,
				r.gvisorText(m), r.summary("lwip", m.name), r.summary("kernel", m.name), r.summary("trivet", m.name), r.ratioText(m), verdict)
		}
	}
	list(w, "Notes", notes)
	list(w, "Goals missed", goalsMissed(rows))
}

// failureTexts tells which runs failed, of variants whose names begin so.
func (r *row) failureTexts(variant string) (texts []string) {
	for f, n := range r.failures {
		if strings.HasPrefix(f, variant) {
			texts = append(texts, fmt.Sprintf("%s failed %d times: %s", r.workload.name, n, f))
		}
	}
	return texts
}

// goalsMissed lists the goals that Trivet missed, and its runs that failed.
func goalsMissed(rows []row) (missed []string) {
	for i := range rows {
		r := &rows[i]
		missed = append(missed, r.failureTexts("trivet")...)
		if r.skipped != "" {
			continue
		}
		for _, m := range r.workload.metrics {
			if verdict, ok := r.verdict(m); !ok {
				missed = append(missed, r.workload.name+", "+m.unit+": "+verdict)
			}
		}
	}
	return missed
}

// list prints a title with a number, and items.
func list(w io.Writer, title string, items []string) {
	fmt.Fprintf(w, "\n%s: %d\n", title, len(items))
	for _, s := range items {
		fmt.Fprintf(w, "- %s\n", s)
	}
}

// gvisorText is the better of gVisor's variants and its name.
func (r *row) gvisorText(m metric) string {
	v, s := r.gvisor(m)
	text := s.String()
	if _, way, ok := strings.Cut(v, "/"); ok {
		text += " " + way
	}
	return text
}

// ratioText is how many times better Trivet is.
func (r *row) ratioText(m metric) string {
	ratio, ok := r.ratio(m)
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
	ratio, have := r.ratio(m)
	_, gvisor := r.gvisor(m)
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
	if m.goal.met(t.Median, gvisor.Median, m.more) {
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
			if ratio, ok := r.ratio(m); ok && !math.IsInf(ratio, 0) && !math.IsNaN(ratio) {
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
