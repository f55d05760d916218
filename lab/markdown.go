package lab

import (
	"fmt"
	"io"
	"strings"

	"github.com/trivet-net/trivet/trace"
)

// CommandLine is how the recipe is played in a terminal.
func (r Recipe) CommandLine() string {
	words := []string{"trivet lab run " + r.Scenario, fmt.Sprintf("--seed %d", r.Seed)}
	s, err := Find(r.Scenario)
	if err != nil {
		return strings.Join(words, " ")
	}
	for _, p := range s.Params {
		v, given := r.Params[p.Name]
		switch {
		case !given:
		case p.Common():
			words = append(words, "--"+p.Name+" "+v)
		default:
			words = append(words, "--set "+p.Name+"="+v)
		}
	}
	for _, d := range r.Do {
		words = append(words, "--do '"+d+"'")
	}
	return strings.Join(words, " ")
}

// Common reports whether every scenario has the parameter, so that it has a flag
// of its own.
func (p *Param) Common() bool {
	for i := range commonParams {
		if commonParams[i].Name == p.Name {
			return true
		}
	}
	return false
}

// WriteMermaid writes the connections that the scenario is about as a Mermaid
// sequence diagram.
func (r *Run) WriteMermaid(w io.Writer, lang trace.Lang) error {
	m := r.Model(Window{})
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	for _, h := range m.Hosts {
		fmt.Fprintf(&b, "    participant %s\n", h.Name)
	}
	shown := map[int]bool{}
	for i := range m.Connections {
		shown[i] = m.Connections[i].Shown
	}
	for i := range m.Events {
		e := &m.Events[i]
		if e.Connection >= 0 && !shown[e.Connection] {
			continue
		}
		m.mermaid(&b, e, lang)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaid writes one event.
func (m *Model) mermaid(b *strings.Builder, e *EventModel, lang trace.Lang) {
	switch e.Kind {
	case "note":
		fmt.Fprintf(b, "    Note over %s,%s: %s\n", m.Hosts[0].Name, m.Hosts[1].Name, mermaidText(e.Text.In(lang)))
	case "send":
		s := &m.Segments[*e.Segment]
		if s.Header == nil {
			return
		}
		arrow := "->>"
		if s.Lost {
			arrow = "-x"
		}
		fmt.Fprintf(b, "    %s%s%s: #%d %s\n", s.From, arrow, s.To, s.Number, mermaidText(s.Words))
	case "state":
		fmt.Fprintf(b, "    Note over %s: %s\n", e.Host, e.To)
	}
}

// mermaidText keeps a text from being taken for something else.
func mermaidText(text string) string {
	return strings.NewReplacer(";", "#59;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(text)
}

// WriteMarkdown writes the run as a page: what it shows and why, how to play it
// again, the diagram, the ladder, and what was expected.
func (r *Run) WriteMarkdown(w io.Writer, style trace.Style) error {
	var b strings.Builder
	s, lang := r.Scenario, style.Lang
	fmt.Fprintf(&b, "# %s\n\n%s (%s)\n\n    %s\n\n```mermaid\n", s.Title.In(lang), s.Why.In(lang), s.Cite, r.Recipe.CommandLine())
	if err := r.WriteMermaid(&b, lang); err != nil {
		return err
	}
	b.WriteString("```\n\n```text\n")
	if err := r.WriteLadder(&b, style); err != nil {
		return err
	}
	b.WriteString("```\n\n")
	for _, c := range r.Checks {
		mark := "x"
		if !c.OK {
			mark = " "
		}
		fmt.Fprintf(&b, "- [%s] %s\n", mark, c.Text.In(lang))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
