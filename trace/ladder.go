package trace

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trivet-net/trivet/tcp"
)

// Ladder is a conversation drawn as text: time runs down, the left end on the
// left, the right end on the right, an arrow for each segment between them,
// and beside it what happens.
//
//	  time client        segments                         server         time  what happens
//	0.0000 SYN-SENT     -- #1 S 0:0(0) win 65535 ------> SYN-RECEIVED 0.0100  asks to connect
//	0.0200 ESTABLISHED  <- #2 S. 0:0(0) ack 1 ---------- SYN-RECEIVED 0.0100  agrees
//
// On each side stand the time when the segment left or reached that end, and
// the state it was in after that. A segment whose way crosses another's takes
// two rows, one where it is sent and one where it arrives.
type Ladder struct {
	style Style
	talk  *conversation // nil when there is none
	rows  []row
}

// NewLadder draws a connection of the log. The log must not change while the
// ladder is in use.
func NewLadder(log *Log, style Style) *Ladder { return Analyse(log).Ladder(style) }

// Ladder draws a connection. It is good until the next ladder with another
// host on the left is asked for.
func (a *Analysis) Ladder(style Style) *Ladder {
	if style.Width == 0 {
		style.Width = defaultWidth
	}
	style.Width = max(style.Width, minWidth)
	l := &Ladder{style: style}
	if i := style.Connection; i >= 0 && i < len(a.talks) {
		l.talk = a.talks[i]
		l.talk.face(style.Left)
		l.rows = l.talk.rows()
		if s, ok := l.eyes(); ok {
			l.rows = seenFrom(s, l.rows)
		}
	}
	return l
}

// eyes returns the side whose view alone is drawn, if it is one of the two.
func (l *Ladder) eyes() (side, bool) {
	for s := range l.talk.ends {
		if l.style.Eyes != "" && l.talk.ends[s].host == l.style.Eyes {
			return side(s), true
		}
	}
	return 0, false
}

// seenFrom leaves out what the end on one side cannot know.
func seenFrom(s side, rows []row) []row {
	var seen []row
	var notes []*Entry
	for i, r := range rows {
		notes = append(notes, r.notes...)
		r.items[s.other()] = nil
		if it := r.items[s]; it != nil && it.kind == itemSend && it.seg.packet.Foreign {
			r.items[s] = nil
		}
		if r.items[s] == nil && i > 0 {
			continue
		}
		r.notes, notes = notes, nil
		seen = append(seen, r)
	}
	return seen
}

// WriteTo writes the ladder and its findings.
func (l *Ladder) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	out := bufio.NewWriter(count)
	if l.talk == nil {
		fmt.Fprintln(out, l.style.Lang.say(msgNoConnection))
	} else {
		d := newDrawing(l)
		d.head()
		d.flush(out)
		for i := range l.rows {
			d.row(&l.rows[i])
			d.flush(out)
		}
		l.writeEnd(out)
	}
	err := out.Flush()
	return count.n, err
}

// flush writes the lines that are drawn. Errors come from out at its end.
func (d *drawing) flush(out *bufio.Writer) {
	for _, line := range d.lines {
		out.WriteString(line)
		out.WriteByte('\n')
	}
	d.lines = d.lines[:0]
}

func (l *Ladder) writeEnd(w io.Writer) {
	say := l.style.Lang.say
	fmt.Fprintf(w, "\n%s\n", say(msgLegend))
	if l.style.Seq != SeqAbsolute {
		fmt.Fprintln(w, say(msgLegendRelative))
	}
	if shifts := l.talk.shifts(); shifts != [2]int{} {
		fmt.Fprintln(w, say(msgLegendScale, l.talk.ends[0].host, 1<<shifts[0], l.talk.ends[1].host, 1<<shifts[1]))
	}
	if _, blind := l.eyes(); blind {
		return // they tell what neither end knows
	}
	fmt.Fprintf(w, "\n%s\n", say(msgFindings))
	for _, f := range l.Findings() {
		for i, line := range wrap(f, l.style.Width-4) {
			fmt.Fprintf(w, "  %s %s\n", [...]string{"-", " "}[min(i, 1)], line)
		}
	}
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// The columns of a ladder, in characters. The arrows take what is left.
const (
	stateWidth = 12 // SYN-RECEIVED
	noteWidth  = 30
	gap        = 2 // before the notes
	longWait   = 100 * time.Millisecond
)

// drawing lays out one ladder.
type drawing struct {
	*Ladder
	explain    explainer
	timePlaces int // after the point
	timeWidth  int
	arrowWidth int
	lines      []string
	last       tcp.Time // the latest moment drawn
}

func newDrawing(l *Ladder) *drawing {
	d := &drawing{Ladder: l, last: l.talk.start}
	_, blind := l.eyes()
	d.explain = explainer{l.talk, l.style.Lang, l.style.Seq, blind}
	end := l.talk.start
	for _, r := range l.rows {
		for _, it := range r.items {
			if it != nil {
				end = max(end, it.time)
			}
		}
	}
	d.timePlaces = l.talk.places()
	// The longer the conversation, the fewer places.
	for limit := 100.0; end.Sub(l.talk.start).Seconds() >= limit && d.timePlaces > 1; limit *= 10 {
		d.timePlaces--
	}
	d.timeWidth = max(len(d.clock(end)), len("time"))
	d.arrowWidth = l.style.Width - noteWidth - gap - 2*(d.timeWidth+stateWidth+2)
	return d
}

// places returns how many decimal places of a second show the time that the
// fastest packet took: 4, and more when it took less than 100 us.
func (t *conversation) places() int {
	const most = 9
	places := 4
	unit := 100 * time.Microsecond
	for _, seg := range t.segments {
		if seg.arrive == nil {
			continue
		}
		took := seg.arrive.time.Sub(seg.send.time)
		for took > 0 && took < unit && places < most {
			places++
			unit /= 10
		}
	}
	return places
}

// clock prints a moment in seconds since the start of the log.
func (d *drawing) clock(t tcp.Time) string {
	return fmt.Sprintf("%.*f", d.timePlaces, t.Sub(d.talk.start).Seconds())
}

func (d *drawing) head() {
	say := d.style.Lang.say
	left, right := &d.talk.ends[0], &d.talk.ends[1]
	d.line("time", left.host, "", right.host, "time", say(msgWhat))
	d.line("s", left.tuple.Local().String(), "", right.tuple.Local().String(), "", "")
	d.lines = append(d.lines, d.glyphs(strings.Repeat("-", d.style.Width)))
}

// line adds a line with all columns. A name too long for the left state column
// runs on over the arrows, one for the right state column over the time, or, if
// that is there and no arrow, begins before it.
func (d *drawing) line(t0, left, arrow, right, t1, note string) {
	middle := fmt.Sprintf("%-*s %-*s", stateWidth, left, d.arrowWidth, arrow)
	if len(left) > stateWidth {
		middle = fmt.Sprintf("%-*s", stateWidth+1+d.arrowWidth, left)
	}
	s := fmt.Sprintf("%*s %s %-*s %*s", d.timeWidth, t0, middle, stateWidth, right, d.timeWidth, t1)
	before := strings.TrimRight(middle, " ")
	switch start := len(middle) + stateWidth - len(right); {
	case len(right) <= stateWidth:
	case t1 != "" && start > len(before):
		s = fmt.Sprintf("%*s %s %s %*s", d.timeWidth, t0, middle[:start], right, d.timeWidth, t1)
	default:
		s = fmt.Sprintf("%*s %s %s", d.timeWidth, t0, middle, right)
	}
	if note != "" {
		s += strings.Repeat(" ", max(gap, d.style.Width-noteWidth-utf8.RuneCountInString(s))) + note
	}
	d.lines = append(d.lines, strings.TrimRight(s, " "))
}

// row draws one row, after a break if nothing happened for long.
func (d *drawing) row(r *row) {
	first, last := r.span()
	d.notes(r)
	d.reach(first)
	d.last = max(d.last, last)
	if last == 0 && r != &d.rows[0] {
		return // nothing but notes
	}

	var times, states [2]string
	eyes, blind := d.eyes()
	for s, it := range r.items {
		if states[s] = r.states[s].String(); blind && side(s) != eyes {
			states[s] = "?"
		}
		if it != nil {
			times[s] = d.clock(it.time)
		}
	}
	arrows := d.arrows(r)
	notes := wrap(d.explain.row(r), noteWidth)
	if d.style.Rules {
		for _, rule := range r.rules() {
			notes = append(notes, wrap("["+rule.String()+", "+rule.Cite()+"]", noteWidth)...)
		}
	}
	for i := range max(len(arrows), len(notes)) {
		var arrow, note string
		if i < len(arrows) {
			arrow = arrows[i]
		}
		if i < len(notes) {
			note = notes[i]
		}
		if i == 0 {
			d.line(times[0], states[0], arrow, states[1], times[1], note)
		} else {
			d.line("", "", arrow, "", "", note)
		}
	}
}

// reach draws a break if nothing happened for long before a moment.
func (d *drawing) reach(t tcp.Time) {
	if wait := t.Sub(d.last); wait > longWait {
		d.pause(wait)
	}
}

// notes writes what was said before a row.
func (d *drawing) notes(r *row) {
	for _, n := range r.notes {
		d.reach(n.Time)
		d.last = max(d.last, n.Time)
		for i, line := range wrap(n.Note[d.style.Lang], d.style.Width-4) {
			d.lines = append(d.lines, [...]string{"  > ", "    "}[min(i, 1)]+line)
		}
	}
}

// span returns the first and the last moment of a row.
func (r *row) span() (first, last tcp.Time) {
	for _, it := range r.items {
		if it != nil {
			first = tcp.Earliest(first, it.time)
			last = max(last, it.time)
		}
	}
	return first, last
}

// pause draws a line for a long wait.
func (d *drawing) pause(wait time.Duration) {
	text := d.explain.lang.say(msgLater, short(wait))
	from := d.timeWidth + stateWidth + 2 + max(0, d.arrowWidth-columns(text))/2
	d.lines = append(d.lines, strings.Repeat(" ", from)+text)
}

// shifts are the window scales that the two ends announced, zero unless both
// did, for only then they hold.
func (c *conversation) shifts() [2]int {
	var shifts [2]int
	var has [2]bool
	for _, seg := range c.segments {
		if seg.kind != kindSyn && seg.kind != kindSynAck {
			continue
		}
		has[seg.from] = seg.tcp.Options.HasWScale
		shifts[seg.from] = min(int(seg.tcp.Options.WScale), 14)
	}
	if !has[0] || !has[1] {
		return [2]int{}
	}
	return shifts
}
