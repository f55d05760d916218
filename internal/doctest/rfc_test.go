package doctest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the way from this package to the module's root.
var root = filepath.Join("..", "..")

// Every line of docs/rfc.md names files and tests that exist, is there once,
// and claims nothing without a test.
func TestRFC(t *testing.T) {
	text := readFile(t, "docs/rfc.md")
	rows, findings := parseRows(text)
	findings = append(findings, checkRows(rows, files(t), testFunctions(t))...)
	findings = append(findings, checkNumbers(rows)...)
	for _, f := range findings {
		t.Error("docs/rfc.md:" + f)
	}
	if len(rows) < 300 {
		t.Errorf("docs/rfc.md has %d lines of requirements: that is not all of it", len(rows))
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// row is one line of docs/rfc.md: a requirement, or several of one kind.
type row struct {
	line         int
	ids          []string
	status, more string // the status word, and what comes after its colon
	files, tests []string
}

// columns are those of each table.
var columns = []string{"id", "requirement", "status", "file", "test"}

// parseRows reads the tables of docs/rfc.md.
func parseRows(text string) (rows []row, findings []string) {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for k := range cells {
			cells[k] = strings.TrimSpace(cells[k])
		}
		if slices.Equal(cells, columns) || strings.Trim(line, "|- ") == "" {
			continue
		}
		if len(cells) != len(columns) {
			findings = append(findings, fmt.Sprintf("%d: %d columns, want %d", i+1, len(cells), len(columns)))
			continue
		}
		r := row{line: i + 1, files: list(cells[3]), tests: list(cells[4])}
		r.status, r.more, _ = strings.Cut(cells[2], ":")
		r.more = strings.TrimSpace(r.more)
		for _, id := range list(cells[0]) {
			ids, err := expand(id)
			if err != nil {
				findings = append(findings, fmt.Sprintf("%d: %v", i+1, err))
			}
			r.ids = append(r.ids, ids...)
		}
		if cells[1] == "" {
			findings = append(findings, fmt.Sprintf("%d: no requirement", i+1))
		}
		rows = append(rows, r)
	}
	return rows, findings
}

// list splits a cell at its commas.
func list(cell string) (all []string) {
	for s := range strings.SplitSeq(cell, ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// idPattern is what an id looks like: MUST-7, FSM-TW-RST=, R9438-1..11.
var idPattern = regexp.MustCompile(`^([A-Z][A-Za-z0-9]*(?:-[A-Z0-9]+[=~]?)*-)([A-Za-z0-9]+[=~]?)(?:\.\.(\d+))?$`)

// expand returns the ids that an entry stands for: "MAY-10..12" is three.
func expand(entry string) ([]string, error) {
	m := idPattern.FindStringSubmatch(entry)
	if m == nil {
		return nil, fmt.Errorf("%q is no id", entry)
	}
	if m[3] == "" {
		return []string{entry}, nil
	}
	from, err := strconv.Atoi(m[2])
	to, _ := strconv.Atoi(m[3])
	if err != nil || from >= to || to > 999 {
		return nil, fmt.Errorf("%q is no range", entry)
	}
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, m[1]+number(n, len(m[2])))
	}
	return all, nil
}

// number writes n with at least the given number of digits.
func number(n, digits int) string { return fmt.Sprintf("%0*d", digits, n) }

// checkRows looks at each row by itself, and for ids that occur twice. files
// are those of the tree, tests its test functions, by folder and name.
func checkRows(rows []row, files, tests map[string]bool) (findings []string) {
	seen := map[string]int{}
	for _, r := range rows {
		report := func(format string, args ...any) {
			findings = append(findings, fmt.Sprintf("%d: ", r.line)+fmt.Sprintf(format, args...))
		}
		for _, id := range r.ids {
			if first := seen[id]; first != 0 {
				report("%s is at line %d already", id, first)
			}
			seen[id] = r.line
		}
		switch r.status {
		case "built":
			if len(r.files) == 0 || len(r.tests) == 0 {
				report("%v: built needs a file and a test", r.ids)
			}
		case "partly", "departs", "later":
			if r.more == "" {
				report("%v: %s what?", r.ids, r.status)
			}
		default:
			report("%v: status %q is none of built, partly, departs, later", r.ids, r.status)
		}
		for _, f := range r.files {
			if !files[f] {
				report("%v: no file %s", r.ids, f)
			}
		}
		for _, name := range r.tests {
			if !tests[name] {
				report("%v: no test %s", r.ids, name)
			}
		}
	}
	return findings
}

// lastOf is the last number of each group that has to be whole: those of RFC
// 9293, Appendix B, and our own.
var lastOf = map[string]int{
	"MUST-": 69, "SHLD-": 31, "REC-": 1, "MAY-": 18, "R9293-": 23,
	"SC-": 30, "SOCK-": 112, "DIS-": 17,
}

// checkNumbers finds numbers that were left out: every group of ids counts
// from 1 without a gap, as far as lastOf says.
func checkNumbers(rows []row) (findings []string) {
	have := map[string]map[int]bool{}
	for _, r := range rows {
		for _, id := range r.ids {
			m := idPattern.FindStringSubmatch(id)
			if n, err := strconv.Atoi(m[2]); err == nil {
				if have[m[1]] == nil {
					have[m[1]] = map[int]bool{}
				}
				have[m[1]][n] = true
			}
		}
	}
	for group := range lastOf {
		if have[group] == nil {
			findings = append(findings, " no line of the group "+group)
		}
	}
	for group, numbers := range have {
		last := lastOf[group]
		for n := range numbers {
			last = max(last, n)
		}
		for n := 1; n <= last; n++ {
			if !numbers[n] {
				findings = append(findings, fmt.Sprintf(" %s%d is missing", group, n))
			}
		}
	}
	slices.Sort(findings)
	return findings
}

// named finds the ids of docs/rfc.md in other texts.
var named = regexp.MustCompile(`\b(?:MUST|SHLD|MAY|REC|SC|SOCK|DIS|D|DACK|ZWP|NAG|PACE|BBR|R1122K|R[0-9]{4})-[0-9]+\b`)

// An id that code, a test or a script cites is one of docs/rfc.md, so that a
// reader can look it up.
func TestCitedIDs(t *testing.T) {
	rows, _ := parseRows(readFile(t, "docs/rfc.md"))
	known := map[string]bool{}
	for _, r := range rows {
		for _, id := range r.ids {
			known[id] = true
		}
	}
	for name := range files(t) {
		ext := path.Ext(name)
		if (ext != ".go" && ext != ".pkt") || path.Dir(name) == "internal/doctest" {
			continue
		}
		for _, finding := range checkCited(name, readFile(t, name), known) {
			t.Error(finding)
		}
	}
}

// checkCited returns the ids in a text that are not known.
func checkCited(name, text string, known map[string]bool) (findings []string) {
	for i, line := range strings.Split(text, "\n") {
		for _, id := range named.FindAllString(line, -1) {
			if !known[id] {
				findings = append(findings, fmt.Sprintf("%s:%d: %s is not in docs/rfc.md", name, i+1, id))
			}
		}
	}
	return findings
}

// files returns the files of the tree by their path from its root.
func files(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".git"), d.IsDir() && d.Name() == "node_modules":
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, p)
		if !d.IsDir() {
			found[filepath.ToSlash(rel)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)

// testFunctions returns the test functions of the tree as docs/rfc.md writes
// them, tcp/TestAckRange; the root package goes by its name, trivet.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for name := range files(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		folder := path.Dir(name)
		if folder == "." {
			folder = "trivet"
		}
		for _, m := range testFunction.FindAllStringSubmatch(readFile(t, name), -1) {
			found[folder+"/"+m[1]] = true
		}
	}
	return found
}
