package lab

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/trivet-net/trivet/trace"
)

// The measures of a drawing, in pixels.
const (
	svgLeft, svgRight = 230, 770 // the two time lines
	svgWidth          = 1560
	svgTop            = 60
	svgRow            = 28 // between two moments
	svgNotes          = svgRight + 150
)

// svg draws one connection.
type svg struct {
	*Model
	lang    trace.Lang
	b       strings.Builder
	ends    [2]string // hosts, left and right
	moments []int64
	y       map[int64]int
	height  int
}

// WriteSVG draws the first connection that the scenario is about: time runs
// down, one step for each moment at which something happens, a wait being marked
// by how long it was; sloped arrows, states beside the lines.
func (r *Run) WriteSVG(w io.Writer, lang trace.Lang) error {
	d := &svg{Model: r.Model(Window{}), lang: lang, y: map[int64]int{}}
	at := r.shown()[0]
	if at >= len(d.Connections) {
		_, err := io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`+"\n")
		return err
	}
	d.ends = d.Connections[at].Hosts
	if d.ends[1] == "client" {
		slices.Reverse(d.ends[:])
	}
	d.layOut(at)
	d.head()
	for i := range d.Segments {
		if s := &d.Segments[i]; s.Connection == at {
			d.segment(s)
		}
	}
	for i := range d.Events {
		if e := &d.Events[i]; e.Connection == at {
			d.event(e)
		}
	}
	d.b.WriteString("</svg>\n")
	_, err := io.WriteString(w, d.b.String())
	return err
}

// layOut gives each moment of the connection a place.
func (d *svg) layOut(at int) {
	add := func(t int64) { d.moments = append(d.moments, t) }
	for i := range d.Segments {
		if s := &d.Segments[i]; s.Connection == at {
			add(s.Sent)
			if s.Ended >= 0 {
				add(s.Ended)
			}
		}
	}
	for i := range d.Events {
		if e := &d.Events[i]; e.Connection == at && (e.Kind == "state" || e.Kind == "call") {
			add(e.Time)
		}
	}
	slices.Sort(d.moments)
	d.moments = slices.Compact(d.moments)
	d.height = svgTop
	for i, t := range d.moments {
		if i > 0 && t-d.moments[i-1] > int64(longGap) {
			d.height += svgRow // a break
		}
		d.height += svgRow
		d.y[t] = d.height
	}
	d.height += 2 * svgRow
}

// longGap is a wait, in nanoseconds, that is drawn as a break.
const longGap = 100e6

func (d *svg) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

func (d *svg) text(x, y int, anchor, class, text string) {
	d.line(`<text x="%d" y="%d" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

func (d *svg) head() {
	d.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`,
		svgWidth, d.height, svgWidth, d.height, html.EscapeString(d.Scenario.Title.In(d.lang)))
	d.line(`<style>svg{background:#fff}text{font:12px ui-monospace,monospace;fill:#222;paint-order:stroke;stroke:#fff;stroke-width:3px}.title{font-weight:bold;font-size:15px}` +
		`.state{fill:#0550ae;font-weight:bold}.call{fill:#6639ba}.time{fill:#666}.lost{stroke:#b3261e}` +
		`line{stroke:#222;stroke-width:1.2}.axis{stroke:#999}</style>`)
	d.line(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">` +
		`<path d="M0 0L8 4L0 8z" fill="#222"/></marker></defs>`)
	d.text(svgWidth/2, 22, "middle", "title", d.Scenario.Title.In(d.lang))
	d.text(svgLeft, 46, "middle", "title", d.ends[0])
	d.text(svgRight, 46, "middle", "title", d.ends[1])
	for _, x := range []int{svgLeft, svgRight} {
		d.line(`<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`, x, svgTop, x, d.height-svgRow)
	}
	for i, t := range d.moments {
		if i > 0 && t-d.moments[i-1] > int64(longGap) {
			d.text((svgLeft+svgRight)/2, d.y[t]-svgRow, "middle", "time", fmt.Sprintf("· · · %.3g s · · ·", float64(t-d.moments[i-1])/1e9))
		}
	}
}

func (d *svg) segment(s *SegmentModel) {
	x1, x2 := svgLeft, svgRight
	if s.From != d.ends[0] {
		x1, x2 = x2, x1
	}
	y1 := d.y[s.Sent]
	y2 := y1 + svgRow/2
	if s.Ended >= 0 && !s.Lost {
		y2 = d.y[s.Ended]
	}
	class, marker := "", ` marker-end="url(#a)"`
	if s.Lost {
		x2 = x1 + (x2-x1)*3/5
		class, marker = ` class="lost"`, ""
		d.text(x2, y2+4, "middle", "state", "✗")
	}
	d.line(`<line%s x1="%d" y1="%d" x2="%d" y2="%d"%s/>`, class, x1, y1, x2, y2, marker)
	words := s.Words
	if i := strings.Index(words, " <"); i > 0 {
		words = words[:i]
	}
	d.text((svgLeft+svgRight)/2, (y1+y2)/2-3, "middle", "", fmt.Sprintf("#%d %s", s.Number, words))
	if x1 == svgLeft {
		d.text(svgLeft-150, y1+4, "end", "time", clock(s.Sent))
	}
	d.text(svgNotes, y1+4, "start", "", s.Text.In(d.lang))
}

func (d *svg) event(e *EventModel) {
	x, anchor := svgLeft-8, "end"
	if e.Host != d.ends[0] {
		x, anchor = svgRight+8, "start"
	}
	switch e.Kind {
	case "state":
		d.text(x, d.y[e.Time]+4, anchor, "state", e.To)
	case "call":
		if e.Call != "read" && e.Call != "accept" {
			d.text(x, d.y[e.Time]-8, anchor, "call", e.Call+"()")
		}
	}
}

// clock is a moment in seconds.
func clock(t int64) string { return fmt.Sprintf("%.4f", float64(t)/1e9) }
