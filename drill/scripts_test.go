package drill

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/tcp"
)

// ownScripts is where this project's scripts are.
const ownScripts = "../testdata/drill"

// load parses all own scripts.
func load(tb testing.TB) []*Script {
	var list []*Script
	err := filepath.WalkDir(ownScripts, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".pkt" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s, err := Parse(path, string(text), Options{})
		if err != nil {
			return err
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// Every own script passes, says in a comment what it is about and from where
// the rule is, and gives the same twice.
func TestScripts(t *testing.T) {
	scripts := load(t)
	if len(scripts) < 150 {
		t.Errorf("%d scripts in %s, want 150 at least", len(scripts), ownScripts)
	}
	for _, s := range scripts {
		name, _ := filepath.Rel(ownScripts, s.Path)
		t.Run(strings.TrimSuffix(name, ".pkt"), func(t *testing.T) {
			r := Run(s)
			if r.Status != Pass {
				t.Errorf("%v", r)
			}
			if !strings.HasPrefix(s.Line(1), "// ") || !strings.HasPrefix(s.Line(2), "//") {
				t.Errorf("%s does not begin with the rule and its source", s.Path)
			}
			if again := Run(s); strings.Join(again.Conversation, "\n") != strings.Join(r.Conversation, "\n") {
				t.Errorf("%s differs when it is run again", s.Path)
			}
		})
	}
}

// Every rule that decides about a segment is reached by some script.
func TestRulesReached(t *testing.T) {
	var total tcp.Counters
	for _, s := range load(t) {
		r := Run(s)
		total.Add(&r.Counters)
	}
	for rule := tcp.NoRule + 1; rule < tcp.NumRules; rule++ {
		if total.Rules[rule] == 0 {
			t.Errorf("no script reaches %v (%s)", rule, rule.Cite())
		}
	}
}

// BenchmarkDrill runs all own scripts over and over, parsing included.
func BenchmarkDrill(b *testing.B) {
	type source struct{ path, text string }
	var sources []source
	for _, s := range load(b) {
		sources = append(sources, source{s.Path, strings.Join(s.lines, "\n")})
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s := sources[n%len(sources)]
		script, err := Parse(s.path, s.text, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if r := Run(script); r.Status != Pass {
			b.Fatal(r)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "scripts/s")
}
