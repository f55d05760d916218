package trace

import (
	"errors"
	"slices"
	"sort"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
)

// row is one step of a ladder. A segment whose way crosses no other's has its
// sending and its arrival in one row; else it takes two.
type row struct {
	items  [2]*item     // of the left and of the right end; one may be nil
	states [2]tcp.State // after the row
}

// rows puts the items of both ends in one order, in which the times of each
// end never go back. As many segments as possible stay in one row: they are
// the longest set of arrows that do not cross.
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
	return rows
}

// earlier orders items of different ends, as the log has them.
func earlier(x, y *item) bool { return x.order < y.order }

// anchors returns the pairs of indices, into the items of the left and of the
// right end, of the segments that are drawn in one row: the longest sequence
// of sendings and arrivals that rises on both sides.
func anchors(items [2][]*item) [][2]int {
	place := map[*item]int{}
	for i, it := range items[1] {
		place[it] = i
	}
	var pairs [][2]int // rising in the left index
	for i, it := range items[0] {
		if it.seg == nil || it.seg.arrive == nil {
			continue
		}
		far := it.seg.arrive
		if it.kind == itemArrive {
			far = it.seg.send
		}
		if j, ok := place[far]; ok {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	// Patience sorting: tails[k] is the pair with the smallest right index
	// that ends a rising sequence of k+1 pairs.
	var tails []int
	before := make([]int, len(pairs))
	for i, p := range pairs {
		k := sort.Search(len(tails), func(k int) bool { return pairs[tails[k]][1] >= p[1] })
		before[i] = -1
		if k > 0 {
			before[i] = tails[k-1]
		}
		if k == len(tails) {
			tails = append(tails, i)
		} else {
			tails[k] = i
		}
	}
	var chosen [][2]int
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			chosen = append(chosen, pairs[i])
		}
	}
	slices.Reverse(chosen)
	return chosen
}

// visible leaves out what would only make the ladder longer: reads that
// succeed or would wait, writes that would wait, and timers whose only effect
// is the segment that follows.
func visible(all []*item) []*item {
	var shown []*item
	for i, it := range all {
		var next *item
		if i+1 < len(all) {
			next = all[i+1]
		}
		if it.visible(next) {
			shown = append(shown, it)
		}
	}
	return shown
}

func (it *item) visible(next *item) bool {
	switch {
	case it.kind == itemSend || it.kind == itemArrive || len(it.edges) > 0:
		return true
	case it.kind == itemTimer:
		return false
	}
	e := &it.event
	switch e.Call {
	case "read":
		return e.N == 0 && !errors.Is(e.Err, syscall.EAGAIN)
	case "write":
		return e.N > 0
	}
	return true
}
