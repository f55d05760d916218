package trace

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/trivet-net/trivet/wire"
)

// arrowMargin is what stands before the text of an arrow, "-- " or "<- ", and
// the least that stands after it.
const (
	arrowMargin = 3
	arrowTail   = 4
)

// arrows draws the middle of a row: the arrow with the text of the segment,
// cut to fit, or what a program or a timer does at one end.
func (d *drawing) arrows(r *row) []string {
	var it *item
	for _, x := range r.items {
		if x != nil && (it == nil || x.kind == itemSend) {
			it = x
		}
	}
	if it == nil {
		return nil
	}
	switch it.kind {
	case itemCall:
		return []string{d.aside(it.side, callText(it.event))}
	case itemTimer:
		return []string{d.aside(it.side, timerText(it))}
	case itemArrive:
		if _, blind := d.eyes(); !blind {
			return []string{d.arrival(it)}
		}
	}

	words := d.text(it.seg)
	_, blind := d.eyes()
	whole := blind || r.items[0] != nil && r.items[1] != nil
	first, rest := d.arrowWidth-arrowMargin-arrowTail, d.arrowWidth-arrowMargin
	lines := fill(words, first, rest)
	lines[0] = d.shaft(it.seg, lines[0], whole)
	for i := range lines[1:] {
		lines[1+i] = strings.Repeat(" ", arrowMargin) + lines[1+i]
	}
	return lines
}

// aside puts a text beside the end it happens at.
func (d *drawing) aside(s side, text string) string {
	if s == 1 {
		return fmt.Sprintf("%*s", d.arrowWidth, text)
	}
	return text
}

// text is the segment as words, with its number in the run.
func (d *drawing) text(seg *segment) []string {
	relative := numbering{*seg.own, *seg.peer}
	words := []string{fmt.Sprintf("#%d", seg.packet.Number)}
	if d.style.Seq == SeqAbsolute {
		return append(words, numbering{}.words(&seg.tcp)...)
	}
	words = append(words, relative.words(&seg.tcp)...)
	if d.style.Seq == SeqBoth {
		absolute := fmt.Sprintf("[seq %d", uint32(seg.tcp.Seq))
		if seg.tcp.Flags.Has(wire.ACK) {
			absolute += fmt.Sprintf(" ack %d", uint32(seg.tcp.Ack))
		}
		words = append(words, absolute+"]")
	}
	return words
}

// shaft draws the line of an arrow through the first line of its text.
//
//	-- #1 S 0:0(0) win 65535 ----------------->   arrives, nothing crosses it
//	<- #2 S. 0:0(0) ack 1 win 65535 -----------
//	-- #3 . ack 1 win 502 - - - - - - - - - - -   arrives in a later row
//	-- #4 P. 1:88(87) ack 1 win 502 --------X     never arrives
//	 X #5 P. 1:88(87) ack 1 win 502 -----------   nor does this, from the right
func (d *drawing) shaft(seg *segment, text string, whole bool) string {
	room := d.arrowWidth - arrowMargin - utf8.RuneCountInString(text) - 1
	head, tail := "-- ", ""
	rightward := seg.from == 0
	_, blind := d.eyes()
	switch lost := seg.packet.Fate.Lost() && !blind; {
	case lost && rightward:
		tail = strings.Repeat("-", max(2, room*2/3)) + "X"
	case lost:
		head, tail = " X ", strings.Repeat("-", room)
	case !whole && rightward:
		tail = dashed(room)
	case !whole:
		head, tail = " - ", strings.Repeat("- ", max(0, room-2)/2)+strings.Repeat("-", 2+room%2)
	case rightward:
		tail = strings.Repeat("-", room-1) + ">"
	default:
		head, tail = "<- ", strings.Repeat("-", room)
	}
	return d.glyphs(head) + text + " " + d.glyphs(tail)
}

// glyphs draws a piece of a line in the characters that the style asks for.
func (d *drawing) glyphs(line string) string {
	if !d.style.Unicode {
		return line
	}
	return lineGlyphs.Replace(line)
}

var lineGlyphs = strings.NewReplacer("->", "─▶", "<-", "◀─", "-", "─", "X", "✗", ">", "▶")

// arrival draws the end of an arrow that began in an earlier row.
func (d *drawing) arrival(it *item) string {
	text := fmt.Sprintf("#%d", it.seg.packet.Number)
	room := d.arrowWidth - len(text)
	if it.seg.from == 0 {
		line := strings.Repeat(" -", room)
		return d.glyphs(line[len(line)-(room-arrowMargin-2):]) + " " + text + " " + d.glyphs("-->")
	}
	return d.glyphs("<- ") + text + " " + d.glyphs(dashed(room-arrowMargin-1))
}

// dashed returns a broken line of n characters.
func dashed(n int) string {
	if n <= 0 {
		return ""
	}
	return strings.Repeat("- ", (n+1)/2)[:n]
}

// fill packs words into lines, the first of at most first characters, the
// others of at most rest. Options, from "<" on, begin a line of their own when
// not all of them fit.
func fill(words []string, first, rest int) []string {
	lines := []string{words[0]}
	for i, w := range words[1:] {
		last, width := &lines[len(lines)-1], rest
		if len(lines) == 1 {
			width = first
		}
		space := " "
		if strings.HasSuffix(words[i], ",") {
			space = ""
		}
		need := len(w)
		if strings.HasPrefix(w, "<") {
			need = len(joinWords(words[1+i:]))
		}
		if len(*last)+len(space)+need <= width {
			*last += space + w
		} else {
			lines = append(lines, w)
		}
	}
	return lines
}

// wrap cuts a text into lines of at most width columns: between words, and
// anywhere between Chinese characters, but never before a closing mark.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, w := range pieces(text) {
		n := columns(w)
		if used > 0 && used+columns(strings.TrimRight(w, " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		line += w
		used += n
	}
	if line = strings.TrimRight(line, " "); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// pieces cuts a text where a line may break.
func pieces(text string) []string {
	var out []string
	begin := 0
	for i, r := range text {
		next, size := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
		if size == 0 {
			break
		}
		if r == ' ' && !unitFollows(text[i+1:]) || (wide(r) || wide(next)) && !strings.ContainsRune("，。：；？）", next) && !strings.ContainsRune("（", r) && next != ' ' {
			end := i + utf8.RuneLen(r)
			out = append(out, text[begin:end])
			begin = end
		}
	}
	return append(out, text[begin:])
}

// unitFollows reports whether the text begins with a unit of time, which stays
// with its number.
func unitFollows(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	word = strings.TrimRight(word, ".;,)")
	return word == "s" || word == "ms" || word == "us"
}

// columns is how many columns of a terminal the text takes: Chinese
// characters and their punctuation take two.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if wide(r) {
			n++
		}
	}
	return n
}

// wide reports whether a character takes two columns: those of the East Asian
// scripts that the catalogue uses, and full-width forms.
func wide(r rune) bool {
	return r >= 0x2e80 && r <= 0x9fff || r >= 0xff00 && r <= 0xff60
}
