package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHouse holds the tree to the rules.
func TestHouse(t *testing.T) {
	files := tree(t, filepath.Join("..", ".."))
	if len(files) < 50 {
		t.Fatalf("found %d Go files: this is not the tree", len(files))
	}
	for _, finding := range check(rules, files) {
		t.Error(finding)
	}
}

// tree reads the Go files of the module at root, test files left out.
func tree(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != root && leaveOut(p, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		files = append(files, file{name: filepath.ToSlash(rel), src: src})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leaveOut reports whether a folder is no part of the module: hidden, test
// data, installed by a package manager, or a module of its own.
func leaveOut(p, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(p, "go.mod"))
	return err == nil
}

// The rules that sources below are held to.
var exampleRules = map[string]rule{
	"seqnum":       {kind: pure},
	"tcp":          {kind: pure, imports: []string{"seqnum"}},
	"trace":        {kind: seeded, imports: []string{"tcp"}},
	".":            {kind: library, imports: []string{"tcp"}},
	"trace/pcapng": {kind: open},
}

// exampleDocs are the packages of exampleRules with nothing in them.
const exampleDocs = `
-- doc.go --
// Package trivet is one.
package trivet
-- seqnum/doc.go --
// Package seqnum is one.
package seqnum
-- tcp/doc.go --
// Package tcp is one.
package tcp
-- trace/doc.go --
// Package trace is one.
package trace
-- trace/pcapng/doc.go --
// Package pcapng is one.
package pcapng
`

// TestCheck feeds the check with sources that break one rule each.
func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		files string
		want  string // the one finding; "" for none
	}{
		{name: "nothing wrong", files: ""},
		{
			name:  "import of a lower storey",
			files: "-- tcp/a.go --\npackage tcp\nimport \"github.com/trivet-net/trivet/seqnum\"\nvar _ seqnum.Value\n",
		},
		{
			name:  "import of a higher storey",
			files: "-- tcp/a.go --\npackage tcp\nimport \"github.com/trivet-net/trivet/trace\"\n",
			want:  "tcp/a.go:2: import of github.com/trivet-net/trivet/trace: against the order of the house",
		},
		{
			name:  "import of the root",
			files: "-- seqnum/a.go --\npackage seqnum\nimport \"github.com/trivet-net/trivet\"\n",
			want:  "seqnum/a.go:2: import of github.com/trivet-net/trivet: against the order of the house",
		},
		{
			name:  "another operating system",
			files: "-- seqnum/a_windows.go --\n//go:build windows\n\npackage seqnum\nimport \"net\"\n",
			want:  "seqnum/a_windows.go:4: import of net: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{name: "net/netip", files: "-- tcp/a.go --\npackage tcp\nimport \"net/netip\"\n"},
		{
			name:  "net/http",
			files: "-- tcp/a.go --\npackage tcp\nimport \"net/http\"\n",
			want:  "tcp/a.go:2: import of net/http: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{
			name:  "lock",
			files: "-- tcp/a.go --\npackage tcp\nimport \"sync\"\nvar mu sync.Mutex\n",
			want:  "tcp/a.go:2: import of sync: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{
			name:  "log",
			files: "-- trace/a.go --\npackage trace\nimport \"log/slog\"\n",
			want:  "trace/a.go:2: import of log/slog: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{
			name:  "random numbers in a pure package",
			files: "-- tcp/a.go --\npackage tcp\nimport \"math/rand/v2\"\n",
			want:  "tcp/a.go:2: import of math/rand/v2: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{
			name:  "random numbers from a seed",
			files: "-- trace/a.go --\npackage trace\nimport \"math/rand/v2\"\nvar r = rand.New(rand.NewPCG(1, 2))\n",
		},
		{
			name:  "random numbers without a seed",
			files: "-- trace/a.go --\npackage trace\nimport \"math/rand/v2\"\nvar n = rand.IntN(6)\n",
			want:  "trace/a.go:3: use of math/rand/v2.IntN",
		},
		{
			name:  "random numbers of the first version",
			files: "-- trace/a.go --\npackage trace\nimport \"math/rand\"\n",
			want:  "trace/a.go:2: import of math/rand: brings a clock, goroutines, locks, randomness or the world outside",
		},
		{
			name:  "clock",
			files: "-- tcp/a.go --\npackage tcp\nimport \"time\"\nvar d time.Duration\nvar now = time.Now\n",
			want:  "tcp/a.go:4: use of time.Now",
		},
		{
			name:  "clock by another name",
			files: "-- trace/a.go --\npackage trace\nimport clock \"time\"\nvar c = clock.After(1)\n",
			want:  "trace/a.go:3: use of time.After",
		},
		{
			name:  "clock without a name",
			files: "-- tcp/a.go --\npackage tcp\nimport . \"time\"\nvar c = Now()\n",
			want:  "tcp/a.go:2: import of time without a name",
		},
		{
			name:  "error numbers",
			files: "-- tcp/a.go --\npackage tcp\nimport \"syscall\"\nvar err syscall.Errno = syscall.ECONNRESET\n",
		},
		{
			name:  "system call",
			files: "-- tcp/a.go --\npackage tcp\nimport \"syscall\"\nvar f = syscall.Getpid\n",
			want:  "tcp/a.go:3: use of syscall.Getpid",
		},
		{
			name:  "goroutine",
			files: "-- tcp/a.go --\npackage tcp\nfunc f() {\n\tgo f()\n}\n",
			want:  "tcp/a.go:3: goroutine",
		},
		{
			name:  "channel",
			files: "-- tcp/a.go --\npackage tcp\nvar c chan int\n",
			want:  "tcp/a.go:2: channel",
		},
		{
			name:  "send",
			files: "-- tcp/a.go --\npackage tcp\nfunc f() {\n\tc <- 1\n}\n",
			want:  "tcp/a.go:3: channel send",
		},
		{
			name:  "receive",
			files: "-- tcp/a.go --\npackage tcp\nfunc f() {\n\t<-c\n}\n",
			want:  "tcp/a.go:3: channel receive",
		},
		{
			name:  "select",
			files: "-- tcp/a.go --\npackage tcp\nfunc f() {\n\tselect {}\n}\n",
			want:  "tcp/a.go:3: select",
		},
		{
			name: "all of it in a library package",
			files: "-- a.go --\npackage trivet\nimport (\n\"sync\"\n\"time\"\n\"golang.org/x/sys/unix\"\n)\n" +
				"var mu sync.Mutex\nvar now = time.Now()\nfunc f() { go f() }\n",
		},
		{
			name:  "third party in a library package",
			files: "-- a.go --\npackage trivet\nimport \"github.com/spf13/cobra\"\n",
			want:  "a.go:2: import of github.com/spf13/cobra: not of the standard library",
		},
		{
			name:  "x/sys in a pure package",
			files: "-- tcp/a.go --\npackage tcp\nimport \"golang.org/x/sys/unix\"\n",
			want:  "tcp/a.go:2: import of golang.org/x/sys/unix: not of the standard library",
		},
		{
			name:  "x/net in a library package",
			files: "-- a.go --\npackage trivet\nimport \"golang.org/x/net/http2\"\n",
			want:  "a.go:2: import of golang.org/x/net/http2: not of the standard library",
		},
		{
			name:  "cgo",
			files: "-- a.go --\npackage trivet\nimport \"C\"\n",
			want:  "a.go:2: import of C: cgo",
		},
		{
			name:  "third party in an open package",
			files: "-- trace/pcapng/a.go --\npackage pcapng\nimport \"github.com/gopacket/gopacket/pcapgo\"\n",
		},
		{
			name:  "no row",
			files: "-- util/doc.go --\n// Package util is one.\npackage util\n",
			want:  "util: package has no row in the table of rules",
		},
		{
			name:  "syntax error",
			files: "-- tcp/a.go --\nopackage tcp\n",
			want:  "tcp/a.go:1:1: expected 'package', found opackage",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantFindings(t, check(exampleRules, split(exampleDocs+test.files)), test.want)
		})
	}
}

// TestCheckDoc feeds the check with packages without a proper doc.go.
func TestCheckDoc(t *testing.T) {
	const finding = "tcp: no doc.go with the package comment"
	tests := []struct {
		name  string
		rules map[string]rule
		files string
		want  string
	}{
		{name: "none", files: "-- tcp/a.go --\n// Package tcp is one.\npackage tcp\n", want: finding},
		{name: "no comment", files: "-- tcp/doc.go --\npackage tcp\n", want: finding},
		{name: "another comment", files: "-- tcp/doc.go --\n// It is one.\npackage tcp\n", want: finding},
		{name: "command", files: "-- tcp/doc.go --\n// Command tcp is one.\npackage main\n"},
		{name: "command as a package", files: "-- tcp/doc.go --\n// Package main is one.\npackage main\n", want: finding},
		{name: "row without a package", files: "", want: "tcp: row in the table of rules, but no package"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := map[string]rule{"tcp": {kind: pure}}
			wantFindings(t, check(rules, split(test.files)), test.want)
		})
	}
}

func wantFindings(t *testing.T, got []string, want string) {
	t.Helper()
	if want == "" && len(got) == 0 {
		return
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("check found %q, want %q", got, want)
	}
}

// split returns the files in a text, each after a line "-- path --".
func split(text string) []file {
	var files []file
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
			files = append(files, file{name: strings.TrimSuffix(name, " --")})
			continue
		}
		if len(files) > 0 {
			f := &files[len(files)-1]
			f.src = append(f.src, line...)
		}
	}
	return files
}
