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
	svgTop            = 48
	svgRow            = 28 // between two moments
	svgLine           = 14 // between lines of text at one moment
	svgNotes          = svgRight + 150
)

// svg is a drawing: the connections one under the other.
type svg struct {
	*Model
	lang   trace.Lang
	b      strings.Builder
	height int // of what is drawn so far
}

// panel is the drawing of one connection.
type panel struct {
	*svg
	at      int       // index of the connection
	ends    [2]string // hosts, left and right
	top     int
	moments []int64
	y       map[int64]int
	lines   map[slot]int // of text that are taken
}

// slot is a place for text: the moment, and the column.
type slot struct {
	at     int64
	column int // 0 and 1: beside the ends; 2: notes; 3: the time
}

// WriteSVG draws the connections that the scenario is about, one under the
// other: time runs down, one step for each moment at which something happens, a
// wait being marked by how long it was; sloped arrows, states beside the lines.
func (r *Run) WriteSVG(w io.Writer, lang trace.Lang) error {
	d := &svg{Model: r.Model(Window{}), lang: lang, height: 22}
	for _, at := range r.shown() {
		if at < len(d.Connections) {
			d.connection(at)
		}
	}
	out := &svg{Model: d.Model, lang: lang}
	out.head(d.height + svgRow)
	_, err := io.WriteString(w, out.b.String()+d.b.String()+"</svg>\n")
	return err
}

// connection draws one connection under what is there.
func (d *svg) connection(at int) {
	p := &panel{svg: d, at: at, ends: d.Connections[at].Hosts, top: d.height, y: map[int64]int{}, lines: map[slot]int{}}
	addrs := d.Connections[at].Addrs
	if p.ends[1] == "client" {
		slices.Reverse(p.ends[:])
		slices.Reverse(addrs[:])
	}
	p.layOut()
	p.axes(addrs)
	for i := range d.Segments {
		if s := &d.Segments[i]; s.Connection == at {
			p.segment(s)
		}
	}
	for i := range d.Events {
		if e := &d.Events[i]; e.Connection == at {
			p.event(e)
		}
	}
}

// layOut gives each moment of the connection a place, with room for all that is
// written there.
func (p *panel) layOut() {
	lines := map[slot]int{}
	add := func(t int64, column int) {
		p.moments = append(p.moments, t)
		lines[slot{t, column}]++
	}
	for i := range p.Segments {
		if s := &p.Segments[i]; s.Connection == p.at {
			add(s.Sent, 2)
			if s.Ended >= 0 {
				p.moments = append(p.moments, s.Ended)
			}
		}
	}
	for i := range p.Events {
		if e := &p.Events[i]; e.Connection == p.at && beside(e) != "" {
			add(e.Time, p.column(e))
		}
	}
	slices.Sort(p.moments)
	p.moments = slices.Compact(p.moments)
	p.height = p.top + svgTop
	for i, t := range p.moments {
		if i > 0 && t-p.moments[i-1] > int64(longGap) {
			p.height += svgRow // a break
		}
		p.height += svgRow
		p.y[t] = p.height
		p.height += svgLine * max(0, lines[slot{t, 0}]-1, lines[slot{t, 1}]-1, lines[slot{t, 2}]-1)
	}
	p.height += 2 * svgRow
}

// beside is what is written of an event beside its end, "" for nothing.
func beside(e *EventModel) string {
	switch {
	case e.Kind == "state":
		return e.To
	case e.Kind == "call" && e.Call != "read" && e.Call != "accept":
		return e.Call + "()"
	}
	return ""
}

// column is the side of the end at which an event happened.
func (p *panel) column(e *EventModel) int {
	if e.Host == p.ends[0] {
		return 0
	}
	return 1
}

// nextLine is where the next line of text at a moment goes.
func (p *panel) nextLine(t int64, column int) int {
	at := slot{t, column}
	y := p.y[t] + 4 + svgLine*p.lines[at]
	p.lines[at]++
	return y
}

// longGap is a wait, in nanoseconds, that is drawn as a break.
const longGap = 100e6

func (d *svg) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

func (d *svg) text(x, y int, anchor, class, text string) {
	d.line(`<text x="%d" y="%d" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

// head begins the drawing, now that its height is known.
func (d *svg) head(height int) {
	d.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`,
		svgWidth, height, svgWidth, height, html.EscapeString(d.Scenario.Title.In(d.lang)))
	d.line(`<style>svg{background:#fff}text{font:12px ui-monospace,monospace;fill:#222;paint-order:stroke;stroke:#fff;stroke-width:3px}.title{font-weight:bold;font-size:15px}` +
		`.state{fill:#0550ae;font-weight:bold}.call{fill:#6639ba}.time{fill:#666}.lost{stroke:#b3261e}` +
		`line{stroke:#222;stroke-width:1.2}.axis{stroke:#999}</style>`)
	d.line(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">` +
		`<path d="M0 0L8 4L0 8z" fill="#222"/></marker></defs>`)
	d.text(svgWidth/2, 22, "middle", "title", d.Scenario.Title.In(d.lang))
}

// axes draws the time lines of both ends, with their names and addresses, and
// the breaks.
func (p *panel) axes(addrs [2]string) {
	for i, x := range []int{svgLeft, svgRight} {
		p.text(x, p.top+24, "middle", "title", p.ends[i])
		p.text(x, p.top+42, "middle", "time", addrs[i])
		p.line(`<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`, x, p.top+svgTop, x, p.height-svgRow)
	}
	for i, t := range p.moments {
		if i > 0 && t-p.moments[i-1] > int64(longGap) {
			p.text((svgLeft+svgRight)/2, p.y[t]-svgRow, "middle", "time", fmt.Sprintf("· · · %.3g s · · ·", float64(t-p.moments[i-1])/1e9))
		}
	}
}

func (p *panel) segment(s *SegmentModel) {
	x1, x2 := svgLeft, svgRight
	if s.From != p.ends[0] {
		x1, x2 = x2, x1
	}
	y1 := p.y[s.Sent]
	y2 := y1 + svgRow/2
	if s.Ended >= 0 && !s.Lost {
		y2 = p.y[s.Ended]
	}
	class, marker := "", ` marker-end="url(#a)"`
	if s.Lost {
		x2 = x1 + (x2-x1)*3/5
		class, marker = ` class="lost"`, ""
		p.text(x2, y2+4, "middle", "state", "✗")
	}
	p.line(`<line%s x1="%d" y1="%d" x2="%d" y2="%d"%s/>`, class, x1, y1, x2, y2, marker)
	words := s.Words
	if i := strings.Index(words, " <"); i > 0 {
		words = words[:i]
	}
	p.text((svgLeft+svgRight)/2, (y1+y2)/2-3, "middle", "", fmt.Sprintf("#%d %s", s.Number, words))
	if clockAt := (slot{s.Sent, 3}); x1 == svgLeft && p.lines[clockAt] == 0 {
		p.lines[clockAt]++
		p.text(svgLeft-150, y1+4, "end", "time", clock(s.Sent))
	}
	p.text(svgNotes, p.nextLine(s.Sent, 2), "start", "", s.Text.In(p.lang))
}

func (p *panel) event(e *EventModel) {
	text, class := beside(e), "state"
	if text == "" {
		return
	}
	if e.Kind == "call" {
		class = "call"
	}
	x, anchor, column := svgLeft-8, "end", p.column(e)
	if column == 1 {
		x, anchor = svgRight+8, "start"
	}
	p.text(x, p.nextLine(e.Time, column), anchor, class, text)
}

// clock is a moment in seconds.
func clock(t int64) string { return fmt.Sprintf("%.4f", float64(t)/1e9) }
