package conformance

import (
	"encoding/csv"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// numCells is 11 states times 40 events.
const numCells = 440

// cell is a row of the checklist's table, in words.
type cell struct {
	id, state, event string
	next, sent, sees string
}

func readTable(t testing.TB) []cell {
	t.Helper()
	f, err := os.Open("testdata/fsm.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cells []cell
	for _, r := range rows[1:] {
		id, event := r[0], r[2]
		state, ok := strings.CutSuffix(strings.TrimPrefix(id, "FSM-"), "-"+event)
		if !ok {
			t.Fatalf("%s is not of the event %s", id, event)
		}
		cells = append(cells, cell{id: id, state: state, event: event, next: r[4], sent: r[5], sees: r[6]})
	}
	return cells
}

// TestTable runs every cell of the table in all its variants.
func TestTable(t *testing.T) {
	cells := readTable(t)
	expected := expectations(t)
	run, variants := 0, 0
	for _, c := range cells {
		want, ok := expected[c.id]
		if !ok {
			t.Errorf("%s: nothing is expected", c.id)
			continue
		}
		delete(expected, c.id)
		run++
		variants += len(want)
		t.Run(c.id, func(t *testing.T) {
			for _, o := range want {
				o.run(t, &c)
			}
		})
	}
	for _, id := range slices.Sorted(maps.Keys(expected)) {
		t.Errorf("%s: not in the table", id)
	}
	if len(cells) != numCells || run != numCells {
		t.Errorf("%d cells of %d run, want %d of %d", run, len(cells), numCells, numCells)
	}
	t.Logf("%d of %d cells run, in %d variants", run, len(cells), variants)
}

// run runs one variant of a cell: once for each way to see what the user sees,
// and once with the segment twice when its answer has to be rate-limited.
func (o *outcome) run(t *testing.T, c *cell) {
	t.Helper()
	for l := range looks {
		x := newTrial(t, c.state, o.words)
		x.reach()
		events[c.event](x)
		o.compare(x, c, l)
		if word := x.meaningless(); word != "" {
			t.Errorf("%s: nothing is done about %q", o, word)
		}
		x.finish()
	}
	if o.limited() {
		x := newTrial(t, c.state, o.words)
		x.reach()
		events[c.event](x)
		x.sent = nil
		x.again()
		if len(x.sent) > 0 {
			t.Errorf("%s: %s sent at once when the segment comes again", o, x.segments())
		}
		x.finish()
	}
}

// compare compares what happened with what was expected.
func (o *outcome) compare(x *trial, c *cell, l look) {
	x.Helper()
	next, sent := x.next(), x.segments()
	if next == c.state {
		next = "="
	}
	if x.absent {
		next, sent = "never", "-"
	}
	if next != o.next || sent != o.base() {
		x.Errorf("%s: %s, sent %s; want %s, %s; path %v", o, next, sent, o.next, o.base(), x.path)
	}
	if x.absent {
		return
	}
	o.accept(x)
	for _, f := range o.facts {
		name, want, _ := strings.Cut(f, "=")
		if got := x.fact(name); got != want {
			x.Errorf("%s: %s=%s, want %s", o, name, got, want)
		}
	}
	if x.pending { // since before the event
		x.e.Wake()
		if x.woken != x.ready() {
			x.Errorf("%s: the call that waits is told: %v, want %v", o, x.woken, x.ready())
		}
	}
	switch {
	case l != lookLater:
		o.compareUser(x, c, l)
	case x.after != nil:
		x.after()
	}
}

// accept accepts the connection that the event completed, if it did.
func (o *outcome) accept(x *trial) {
	x.Helper()
	accepted := false
	if x.listener != nil && x.conn == nil {
		x.conn = x.listener.Accept()
		accepted = x.conn != nil
	}
	if want := strings.HasPrefix(o.sees, "accept"); accepted != want && x.result == "" {
		x.Errorf("%s: accepted: %v, want %v", o, accepted, want)
	}
}

// compareUser compares what the call returned, or else what the user sees now.
func (o *outcome) compareUser(x *trial, c *cell, l look) {
	x.Helper()
	if x.result != "" {
		if x.result != o.sees {
			x.Errorf("%s: the call returns %s, want %s", o, x.result, o.sees)
		}
		return
	}
	if x.conn == nil || o.is("orphan") {
		return // no socket to look at
	}
	if got, want := x.see(l), wantSee(l, c.state, short(x.conn.State()), o.sees); got != want {
		x.Errorf("%s: %v: %s, want %s", o, l, got, want)
	}
}

// outcome is what is expected of a cell in one of its variants.
type outcome struct {
	id      string
	words   []string // the variant
	next    string   // "=", a short name, or "never": the event cannot happen
	sent    string   // as trial.segments has it; "CHACK" for a rate-limited ACK
	sees    string   // what the call returns, or what the user sees then
	facts   []string // name=value, see trial.fact
	departs string   // the decision of docs/rfc.md for doing other than the table
}

func (o *outcome) String() string {
	return strings.Join(append([]string{o.id}, o.words...), " ")
}

// limited reports whether the answer is rate-limited.
func (o *outcome) limited() bool { return strings.HasPrefix(o.sent, "CHACK") }

// base is what is sent; that the answer is rate-limited cannot be seen on it.
func (o *outcome) base() string {
	if rest, ok := strings.CutPrefix(o.sent, "CHACK"); ok {
		return "ACK" + rest
	}
	return o.sent
}

// expectations reads the table of what Trivet does.
func expectations(t testing.TB) map[string][]*outcome {
	t.Helper()
	all := make(map[string][]*outcome)
	for n, line := range strings.Split(trivet, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		f := strings.Split(line, "|")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if len(f) < 6 || len(f) > 8 {
			t.Fatalf("line %d: %d columns: %s", n+1, len(f), line)
		}
		f = append(f, "", "")
		for _, event := range strings.Fields(f[0]) {
			for _, state := range strings.Fields(f[1]) {
				for _, variant := range strings.Split(f[2], ";") {
					id := "FSM-" + state + "-" + event
					departs := f[7]
					if departs == "own" {
						departs = id
					}
					all[id] = append(all[id], &outcome{
						id: id, words: strings.Fields(variant), next: f[3], sent: f[4], sees: f[5],
						facts: strings.Fields(f[6]), departs: departs,
					})
				}
			}
		}
	}
	return all
}

// again lets the host have the last segment once more.
func (t *trial) again() {
	s := t.in
	t.input(&s)
}
