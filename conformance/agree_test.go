package conformance

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// calls are the events that are user calls, with a result of their own.
var calls = []string{"OPENA", "OPENP", "SEND", "RECV", "CLOSE", "ABORT", "STATUS"}

// TestExpectationsAgree holds what is expected of Trivet to what the table of the
// checklist says, as far as a program can read that: a cell that does other
// than its row must name the decision that says why.
func TestExpectationsAgree(t *testing.T) {
	cells, expected := readTable(t), expectations(t)
	for _, c := range cells {
		for _, finding := range contradictions(&c, cells, expected[c.id]) {
			t.Errorf("%s: %s", c.id, finding)
		}
	}
}

// contradictions returns where the outcomes are not what the row says.
func contradictions(c *cell, all []cell, outcomes []*outcome) []string {
	var found []string
	row := c.resolve(all)
	c = &row
	excused := slices.ContainsFunc(outcomes, func(o *outcome) bool { return o.departs != "" })
	must, may := statesOf(c)
	for _, s := range must {
		if !excused && !slices.ContainsFunc(outcomes, func(o *outcome) bool {
			return o.next == s || (o.next == "never" && notThere.MatchString(c.sent))
		}) {
			found = append(found, fmt.Sprintf("no variant with next state %s, as in %q", s, c.next))
		}
	}
	for _, opened := range []string{"passive", "active"} {
		if c.state == "SR" && !slices.ContainsFunc(outcomes, func(o *outcome) bool { return o.is(opened) }) {
			found = append(found, "no variant of "+opened+" open")
		}
	}
	for _, name := range errnoName.FindAllString(firstWord(c.sees), -1) {
		if !excused && !slices.Contains(calls, c.event) && !slices.ContainsFunc(outcomes, func(o *outcome) bool { return strings.Contains(o.sees, name) }) {
			found = append(found, fmt.Sprintf("no variant with %s, as in %q", name, c.sees))
		}
	}
	for _, o := range outcomes {
		if o.departs != "" {
			continue
		}
		if why := o.nextContradicts(c, append(must, may...), len(outcomes)); why != "" {
			found = append(found, o.String()+": "+why)
		}
		if why := o.sentContradicts(c); why != "" {
			found = append(found, o.String()+": "+why)
		}
		if why := o.seesContradicts(c); why != "" {
			found = append(found, o.String()+": "+why)
		}
	}
	return found
}

var (
	stateName   = regexp.MustCompile(`\b(?:CL|LI|SS|SR|ES|F1|F2|CW|CG|LA|TW)\b|n/a|child:? deleted|(?:^|[ :;(])=`)
	parentheses = regexp.MustCompile(`\([^)]*\)`)
	through     = regexp.MustCompile(`\b[A-Z][A-Z0-9] then `)
	errnoName   = regexp.MustCompile(`\bE[A-Z]{4,}\b`)
	resetForm   = regexp.MustCompile(`RST\([asn]\)`)
)

// resolve returns the row with what it refers to filled in: "see RST=".
func (c *cell) resolve(all []cell) cell {
	row := *c
	for prefix, event := range map[string]string{"see ": "RST=", "as ": "SYN"} {
		if c.next != prefix+event {
			continue
		}
		i := slices.IndexFunc(all, func(d cell) bool { return d.state == c.state && d.event == event })
		row.next, row.sees = all[i].next, all[i].sees
	}
	return row
}

// statesOf returns the next states that the row names: those that some variant
// must have, and those that one may have.
func statesOf(c *cell) (must, may []string) {
	text := c.next
	if _, own, ok := strings.Cut(text, c.event+": "); ok { // a part for each event
		text, _, _ = strings.Cut(own, ";")
	}
	text = through.ReplaceAllString(text, "") // passed, not reached
	for _, p := range parentheses.FindAllString(text, -1) {
		if strings.Contains(p, "deleted") {
			must = append(must, "LI")
		} else {
			may = append(may, namesIn(p)...)
		}
	}
	must = append(must, namesIn(parentheses.ReplaceAllString(text, ""))...)
	if strings.Contains(text, " if ") && !strings.Contains(text, "else") {
		may = append(may, "=")
	}
	return must, may
}

func namesIn(text string) []string {
	var names []string
	for _, name := range stateName.FindAllString(text, -1) {
		switch {
		case strings.HasSuffix(name, "="):
			name = "="
		case name == "n/a":
			name = "never"
		case strings.HasPrefix(name, "child"):
			name = "LI" // where the child came from
		}
		names = append(names, name)
	}
	return names
}

// firstWord is what the row says first, which is what holds always.
func firstWord(text string) string { return strings.TrimSpace(strings.FieldsFunc(text+" ", isStop)[0]) }

func isStop(r rune) bool { return strings.ContainsRune(" ;,(", r) }

func (o *outcome) is(word string) bool { return slices.Contains(o.words, word) }

func (o *outcome) nextContradicts(c *cell, named []string, variants int) string {
	call := slices.Contains(calls, c.event)
	switch {
	case slices.Contains(named, o.next):
	case o.next == "never" && (notThere.MatchString(c.sent) || variants > 1):
		// The table says so, or other variants show when it does happen.
	case call && errnoName.MatchString(o.sees) && strings.Contains(c.sees, o.sees):
		// A call that fails changes nothing.
	case o.next == "=" && o.is("cookie") && strings.Contains(c.sent, "no state"):
	case o.next == "CL" && o.is("orphan") && strings.Contains(c.sent+c.sees, "orphan"):
	default:
		return fmt.Sprintf("next state %s is not in %q", o.next, c.next)
	}
	return ""
}

var notThere = regexp.MustCompile(`armed|no timers may exist|timer lives in the child|only if SO_KEEPALIVE`)

// sentContradicts compares the segments: nothing where the row wants nothing, no
// RST that it does not name, and the very segment where it names one alone.
func (o *outcome) sentContradicts(c *cell) string {
	if o.next == "never" {
		return ""
	}
	differs := fmt.Sprintf("sent %s is not %q", o.sent, c.sent)
	first := firstWord(c.sent)
	for _, r := range resetForm.FindAllString(o.sent, -1) {
		if !strings.Contains(c.sent, r) && !strings.Contains(c.sent, "ACK rules") {
			return differs
		}
	}
	if choice.MatchString(c.sent) {
		return ""
	}
	if strings.HasPrefix(c.sent, "ACK (rate limited)") {
		first = "CHACK"
	}
	word := strings.FieldsFunc(o.sent, func(r rune) bool { return r == '+' || r == ':' })[0]
	switch first {
	case "-", "nothing":
		if word != "-" {
			return differs
		}
	case "ACK", "CHACK", "RST(a)", "RST(s)", "RST(n)":
		if word != first {
			return differs
		}
	}
	return ""
}

// choice is in rows that leave one, or want different things of variants.
var choice = regexp.MustCompile(`\bor\b|unless|when|\belse\b|delayed|RST\(a\) if`)

// seesContradicts compares errors: none where the user sees nothing, and none
// that the row does not name.
func (o *outcome) seesContradicts(c *cell) string {
	for _, name := range errnoName.FindAllString(o.sees, -1) {
		implied := errnos[name] == 0 || strings.Contains(c.sees, "etc.")
		switch name {
		case "EAGAIN":
			implied = strings.Contains(c.sees, "waits") || strings.Contains(c.sees, "blocks")
		case "ENOTCONN", "EPIPE":
			implied = strings.Contains(c.sees, "does not exist")
		}
		if !implied && !strings.Contains(c.sees, name) {
			return fmt.Sprintf("%s is not in %q", name, c.sees)
		}
	}
	return ""
}

// TestDepartures asserts that docs/rfc.md has the decisions which cells name, and
// that no cell departs there without departing here.
func TestDepartures(t *testing.T) {
	text, err := os.ReadFile("../docs/rfc.md")
	if err != nil {
		t.Fatal(err)
	}
	status := make(map[string]string) // by id
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "|")
		if len(f) < 4 {
			continue
		}
		for _, id := range strings.Split(f[1], ",") {
			status[strings.TrimSpace(id)] = strings.TrimSpace(f[3])
		}
	}
	departs := make(map[string]bool)
	for id, outcomes := range expectations(t) {
		for _, o := range outcomes {
			if o.departs == "" {
				continue
			}
			departs[id] = true
			if s, ok := status[o.departs]; !ok {
				t.Errorf("%s: docs/rfc.md has no %s", o, o.departs)
			} else if o.departs == id && !strings.HasPrefix(s, "departs: ") {
				t.Errorf("%s: docs/rfc.md says %q, want departs", o, s)
			}
		}
	}
	for id, s := range status {
		if strings.Count(id, "-") == 2 && strings.HasPrefix(id, "FSM-") && strings.HasPrefix(s, "departs") && !departs[id] {
			t.Errorf("%s departs in docs/rfc.md, but not in the table", id)
		}
	}
}

// TestContradictions shows that what is wrong is found.
func TestContradictions(t *testing.T) {
	tests := []struct {
		name             string
		next, sent, sees string // the row
		event            string
		o                outcome
		want             string
	}{
		{"as it is", "=", "ACK, drop", "-", "DRIGHT", outcome{next: "=", sent: "ACK", sees: "-"}, ""},
		{"next state", "=", "-", "-", "NOACK", outcome{next: "CL", sent: "-", sees: "-"}, "no variant with next state ="},
		{"another variant", "=; CL if closed", "ACK", "-", "DATA", outcome{next: "=", sent: "ACK", sees: "-"}, "no variant with next state CL"},
		{"optional variant", "= (or SR)", "-", "-", "SYNFIN", outcome{next: "=", sent: "-", sees: "-"}, ""},
		{"not n/a", "n/a", "-", "-", "FINd", outcome{next: "=", sent: "-", sees: "-"}, "no variant with next state never"},
		{"sent for nothing", "=", "- silently dropped", "-", "NOACK", outcome{next: "=", sent: "ACK", sees: "-"}, "sent ACK"},
		{"RST that is not named", "=", "queue", "-", "OOO", outcome{next: "=", sent: "RST(n)", sees: "-"}, "sent RST(n)"},
		{"RST of another form", "=", "RST(s)", "-", "SYN", outcome{next: "=", sent: "RST(a)", sees: "-"}, "sent RST(a)"},
		{"no limit", "=", "CHACK, drop", "-", "ACKx", outcome{next: "=", sent: "ACK", sees: "-"}, "sent ACK"},
		{"an error", "CL", "-", "-", "RST=", outcome{next: "CL", sent: "-", sees: "ECONNRESET"}, "ECONNRESET is not in"},
		{"another error", "CL", "-", "ETIMEDOUT", "R2", outcome{next: "CL", sent: "-", sees: "-"}, "no variant with ETIMEDOUT"},
		{"a reason", "=", "-", "-", "NOACK", outcome{next: "CL", sent: "RST(n)", sees: "-", departs: "DIS-1"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cell{id: "FSM-ES-" + tt.event, state: "ES", event: tt.event, next: tt.next, sent: tt.sent, sees: tt.sees}
			got := strings.Join(contradictions(&c, nil, []*outcome{&tt.o}), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
