package trace

import (
	"errors"
	"slices"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
)

// row is one step of a ladder. A segment whose way crosses no other's has its
// sending and its arrival in one row; else it takes two.
type row struct {
	items  [2]*item     // of the left and of the right end; one may be nil
	states [2]tcp.State // after the row
	notes  []*Entry     // said before it
}

// rows puts the items of both ends in one order, in which the times of each
// end never go back. As many segments as possible stay in one row: they are
// the heaviest set of arrows that do not cross.
func (c *conversation) rows() []row {
	items := [2][]*item{visible(c.ends[0].items), visible(c.ends[1].items)}
	rows := []row{{}} // the states before anything happens
	next := [2]int{}
	loose := func(until [2]int) { // items before the next anchor, by time
		for next[0] < until[0] || next[1] < until[1] {
			s := 0
			if next[0] == until[0] || next[1] < until[1] && earlier(items[1][next[1]], items[0][next[0]]) {
				s = 1
			}
			r := row{}
			r.items[s] = items[s][next[s]]
			rows = append(rows, r)
			next[s]++
		}
	}
	for _, a := range anchors(items) {
		loose(a)
		rows = append(rows, row{items: [2]*item{items[0][a[0]], items[1][a[1]]}})
		next[0]++
		next[1]++
	}
	loose([2]int{len(items[0]), len(items[1])})

	states := [2]tcp.State{c.ends[0].first, c.ends[1].first}
	for i := range rows {
		for s, it := range rows[i].items {
			if it != nil {
				states[s] = it.state
			}
		}
		rows[i].states = states
	}
	return c.annotate(rows)
}

// annotate puts each note before the first row of which something had not yet
// happened when it was said; those that come after all rows get one of their
// own.
func (c *conversation) annotate(rows []row) []row {
	next := 0
	for i := range rows {
		for next < len(c.notes) && rows[i].order() >= c.noted[next] {
			rows[i].notes = append(rows[i].notes, c.notes[next])
			next++
		}
	}
	if next < len(c.notes) {
		rows = append(rows, row{states: rows[len(rows)-1].states, notes: c.notes[next:]})
	}
	return rows
}

// rules are what decided in a row, each once.
func (r *row) rules() []tcp.Rule {
	var all []tcp.Rule
	for _, it := range r.items {
		if it == nil {
			continue
		}
		for _, x := range it.rules {
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	return all
}

// order is when the last of a row happened; -1 for a row of nothing.
func (r *row) order() int {
	order := -1
	for _, it := range r.items {
		if it != nil {
			order = max(order, it.order)
		}
	}
	return order
}

// earlier orders items of different ends, as the log has them.
func earlier(x, y *item) bool { return x.order < y.order }

// anchors returns the pairs of indices, into the items of the left and of the
// right end, of the segments that are drawn in one row: the heaviest sequence
// of sendings and arrivals that rises on both sides.
func anchors(items [2][]*item) [][2]int {
	place := map[*item]int{}
	for i, it := range items[1] {
		place[it] = i
	}
	// best[k] is the last pair of the heaviest rising sequence whose right
	// indices are among those that k stands for, as a Fenwick tree has them.
	best := make([]*anchor, len(items[1])+1)
	heaviest := func(until int) *anchor {
		var a *anchor
		for k := until; k > 0; k -= k & -k {
			if a.total() < best[k].total() {
				a = best[k]
			}
		}
		return a
	}
	for i, it := range items[0] {
		j, ok := place[it.far()]
		if !ok {
			continue
		}
		a := &anchor{left: i, right: j, before: heaviest(j)}
		a.weight = a.before.total() + it.seg.weight()
		for k := j + 1; k < len(best); k += k & -k {
			if best[k].total() < a.weight {
				best[k] = a
			}
		}
	}
	var chosen [][2]int
	for a := heaviest(len(items[1])); a != nil; a = a.before {
		chosen = append(chosen, [2]int{a.left, a.right})
	}
	slices.Reverse(chosen)
	return chosen
}

// anchor is a pair of indices at the end of a rising sequence.
type anchor struct {
	left, right int
	before      *anchor
	weight      int // of the sequence
}

func (a *anchor) total() int {
	if a == nil {
		return 0
	}
	return a.weight
}

// weight says how much a segment deserves to stay in one row: one that carries
// something more than one that only acknowledges.
func (seg *segment) weight() int {
	if seg.tcp.Len() > 0 {
		return 3
	}
	return 2
}

// far is the item at the other end of an arrow, nil when there is none.
func (it *item) far() *item {
	switch {
	case it.kind == itemSend:
		return it.seg.arrive
	case it.kind == itemArrive && it.seg.packet.Copy == 0:
		return it.seg.send
	}
	return nil
}

// visible leaves out what would only make the ladder longer: reads that
// succeed or would wait, writes that would wait, and timers whose only effect
// is the segment that follows.
func visible(all []*item) []*item {
	var shown []*item
	for _, it := range all {
		if it.visible() {
			shown = append(shown, it)
		}
	}
	return shown
}

// icmp is the rule about an ICMP message that came, which is no segment.
func (it *item) icmp() tcp.Rule {
	for _, r := range it.rules {
		if r == tcp.RuleICMPHard || r == tcp.RuleICMPSoft || r == tcp.RulePathMTU {
			return r
		}
	}
	return tcp.NoRule
}

func (it *item) visible() bool {
	switch {
	case it.kind == itemSend || it.kind == itemArrive || len(it.edges) > 0:
		return true
	case it.kind == itemTimer:
		return it.icmp() != tcp.NoRule
	}
	e := it.event
	switch e.Call {
	case "read":
		return e.N == 0 && !errors.Is(e.Err, syscall.EAGAIN)
	case "write":
		return e.N > 0
	}
	return true
}
