package doctest

import (
	"slices"
	"strings"
	"testing"
)

// What is checked can be found wrong: each text below has one mistake, and
// the finding names it.
func TestBadRows(t *testing.T) {
	files := map[string]bool{"tcp/ack.go": true}
	tests := map[string]bool{"tcp/TestAckRange": true}
	good := "| MUST-1 | a window | built | tcp/ack.go | tcp/TestAckRange |"
	cases := []struct{ name, text, want string }{
		{"good", good, ""},
		{"header", "| id | requirement | status | file | test |\n|---|---|---|---|---|\n" + good, ""},
		{"prose", "MUST-1 is a window", ""},
		{"later, without a test", "| MAY-1..3 | much | later: when there is time | | |", ""},
		{"no file of that name", "| MUST-1 | a window | built | tcp/window.go | tcp/TestAckRange |", "1: [MUST-1]: no file tcp/window.go"},
		{"one file of two", "| MUST-1 | a window | built | tcp/ack.go, tcp/x.go | tcp/TestAckRange |", "1: [MUST-1]: no file tcp/x.go"},
		{"no test of that name", "| MUST-1 | a window | built | tcp/ack.go | tcp/TestNothing |", "1: [MUST-1]: no test tcp/TestNothing"},
		{"test of another package", "| MUST-1 | a window | built | tcp/ack.go | sim/TestAckRange |", "1: [MUST-1]: no test sim/TestAckRange"},
		{"built without a test", "| MUST-1 | a window | built | tcp/ack.go | |", "1: [MUST-1]: built needs a file and a test"},
		{"built without a file", "| MUST-1 | a window | built | | tcp/TestAckRange |", "1: [MUST-1]: built needs a file and a test"},
		{"another status", "| MUST-1 | a window | done | tcp/ack.go | tcp/TestAckRange |", `1: [MUST-1]: status "done" is none of built, partly, departs, later`},
		{"no status", "| MUST-1 | a window | | tcp/ack.go | tcp/TestAckRange |", `1: [MUST-1]: status "" is none of built, partly, departs, later`},
		{"departs without a reason", "| MUST-1 | a window | departs | tcp/ack.go | |", "1: [MUST-1]: departs what?"},
		{"partly without the rest", "| MUST-1 | a window | partly: | tcp/ack.go | |", "1: [MUST-1]: partly what?"},
		{"twice", good + "\n" + good, "2: MUST-1 is at line 1 already"},
		{"twice by a range", good + "\n| MUST-1..3 | windows | later: soon | | |", "2: MUST-1 is at line 1 already"},
		{"no id", "| must 1 | a window | built | tcp/ack.go | tcp/TestAckRange |", `1: "must 1" is no id`},
		{"backward range", "| MUST-3..1 | a window | later: soon | | |", `1: "MUST-3..1" is no range`},
		{"no requirement", "| MUST-1 | | built | tcp/ack.go | tcp/TestAckRange |", "1: no requirement"},
		{"a column too few", "| MUST-1 | a window | built | tcp/ack.go |", "1: 4 columns, want 5"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			rows, findings := parseRows(tt.text)
			findings = append(findings, checkRows(rows, files, tests)...)
			wantFinding(t, findings, tt.want)
		})
	}
}

// wantFinding asserts that there is exactly that finding, or none for "".
func wantFinding(t *testing.T, findings []string, want string) {
	t.Helper()
	if want == "" {
		if len(findings) > 0 {
			t.Errorf("found %q, want nothing", findings)
		}
		return
	}
	if len(findings) != 1 || findings[0] != want {
		t.Errorf("found %q, want %q", findings, want)
	}
}

func TestExpand(t *testing.T) {
	for entry, want := range map[string]string{
		"MUST-1":      "MUST-1",
		"MAY-9..11":   "MAY-9 MAY-10 MAY-11",
		"D-08..10":    "D-08 D-09 D-10",
		"FSM-TW-RST=": "FSM-TW-RST=",
		"FSM-TW":      "FSM-TW",
		"R5961-1..2":  "R5961-1 R5961-2",
		"SOCK":        "",
		"MUST-1..":    "",
		"FSM-A..3":    "",
	} {
		got, err := expand(entry)
		if s := strings.Join(got, " "); s != want || (err != nil) != (want == "") {
			t.Errorf("expand(%q) = %q, %v, want %q", entry, s, err, want)
		}
	}
}

// A number that is left out is found, inside a group and at its end.
func TestBadNumbers(t *testing.T) {
	var all []row
	for group, last := range lastOf {
		for n := 1; n <= last; n++ {
			all = append(all, row{ids: []string{group + number(n, 1)}})
		}
	}
	wantFinding(t, checkNumbers(all), "")
	without := func(ids ...string) []row {
		return slices.DeleteFunc(slices.Clone(all), func(r row) bool { return slices.Contains(ids, r.ids[0]) })
	}
	wantFinding(t, checkNumbers(without("MUST-7")), " MUST-7 is missing")
	wantFinding(t, checkNumbers(without("SOCK-112")), " SOCK-112 is missing")
	wantFinding(t, checkNumbers(without("REC-1")), " no line of the group REC-")
	wantFinding(t, checkNumbers(append(all, row{ids: []string{"R1-2"}})), " R1-1 is missing")
}

func TestBadCitations(t *testing.T) {
	known := map[string]bool{"SC-7": true, "R5961-3": true, "D-08": true}
	for text, want := range map[string]string{
		"// SC-7, R5961-3 (D-08): so":     "",
		"// AES-128, UTF-8 and SHA-256":   "",
		"// one\n// SC-8: two":            "x_test.go:2: SC-8 is not in docs/rfc.md",
		"// D-8 has another name":         "x_test.go:1: D-8 is not in docs/rfc.md",
		"// it was R596-3 or R59613-3: ?": "",
		"// R5961-33":                     "x_test.go:1: R5961-33 is not in docs/rfc.md",
	} {
		wantFinding(t, checkCited("x_test.go", text, known), want)
	}
}

func TestBadLinks(t *testing.T) {
	tree := map[string]bool{"README.md": true, "docs/rfc.md": true, "docs/adr/0001-a.md": true}
	cases := []struct{ name, document, text, want string }{
		{"file", "README.md", "see [the list](docs/rfc.md)", ""},
		{"place in a file", "README.md", "[x](docs/rfc.md#sc) and [y](#use)", ""},
		{"folder", "README.md", "[why](docs/adr) or [why](docs/adr/)", ""},
		{"upwards", "docs/adr/0001-a.md", "[home](../../README.md)", ""},
		{"elsewhere", "README.md", "[Go](https://go.dev/dl/) and [us](mailto:a@b)", ""},
		{"in code", "README.md", "    a[0](b)\n```go\nf[T](x)\n```", ""},
		{"no file", "README.md", "[x](docs/none.md)", "README.md: link to docs/none.md, which does not exist"},
		{"from another folder", "docs/rfc.md", "[x](docs/rfc.md)", "docs/rfc.md: link to docs/rfc.md, which does not exist"},
		{"picture", "README.md", `![x](demo.png "demo")`, "README.md: link to demo.png, which does not exist"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			wantFinding(t, checkLinks(tt.document, tt.text, tree), tt.want)
		})
	}
}

func TestBadReadmes(t *testing.T) {
	const en = "Try it:\n\n    go test ./...\n    go run . # now\n\n```go\nf() // see\n```\n\n```text\nok\n```\n"
	cases := []struct{ name, zh, want string }{
		{"same", en, ""},
		{"other prose, comments and output", "试试\n\n    go test ./...\n    go run . # 现在\n\n```go\nf() // 看\n```\n\n```text\n好\n```\n", ""},
		{"one is missing", "    go test ./...\n```go\nf()\n```\n", "only README.md shows: go run ."},
		{"one is more", en + "    go vet\n", "only README.zh-CN.md shows: go vet"},
		{"order", "    go run .\n    go test ./...\n```go\nf()\n```\n", "the READMEs show their commands in different order"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			wantFinding(t, checkReadmes(en, tt.zh), tt.want)
		})
	}
	wantFinding(t, checkReadmes("nothing", "nothing"), "README.md shows no commands")
}

func TestBadDecisions(t *testing.T) {
	cases := []struct {
		name  string
		texts map[string]string
		want  string
	}{
		{"good", map[string]string{"0001-a-b.md": "# 1. A", "0002-c.md": "# 2. C"}, ""},
		{"name", map[string]string{"1-a.md": "# 1. A"}, "1-a.md is no NNNN-title.md"},
		{"headline", map[string]string{"0001-a.md": "# 2. A"}, `0001-a.md does not begin with "# 1. "`},
		{"twice", map[string]string{"0001-a.md": "# 1. A", "0001-b.md": "# 1. B"}, "0001-a.md and 0001-b.md have one number"},
		{"gap", map[string]string{"0001-a.md": "# 1. A", "0003-b.md": "# 3. B"}, "number 2 is missing"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			wantFinding(t, checkDecisions(tt.texts), tt.want)
		})
	}
}
