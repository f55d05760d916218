package lab

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/trivet-net/trivet/trace"
)

var update = flag.Bool("update", false, "write the golden ladders anew")

// Each scenario looks as it did, in both languages.
func TestGolden(t *testing.T) {
	for _, s := range Scenarios() {
		run, err := Play(Recipe{Scenario: s.Name, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for lang, suffix := range map[trace.Lang]string{trace.English: "en", trace.Chinese: "zh"} {
			t.Run(s.Name+"/"+suffix, func(t *testing.T) {
				var b bytes.Buffer
				if err := run.WriteText(&b, trace.Style{}, lang); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join("testdata", s.Name+"."+suffix+".txt")
				if *update {
					if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(b.Bytes(), want) {
					t.Errorf("the ladder differs from %s (write it anew with -update):\n%.4000s", path, &b)
				}
			})
		}
	}
}

// The same recipe gives the same files, byte for byte, and the recipe that is
// saved with them gives them again.
func TestSameFiles(t *testing.T) {
	for _, s := range Scenarios() {
		r := Recipe{Scenario: s.Name, Seed: 7, Params: map[string]string{"rtt": "30ms"}, Do: []string{"at #3 delay 5ms"}}
		first := filesOf(t, r)
		for _, f := range first {
			if f.Name == "run.json" {
				saved, err := ParseRecipe(f.Data)
				if err != nil {
					t.Fatal(err)
				}
				r = saved
			}
		}
		for i, f := range filesOf(t, r) {
			if f.Name != first[i].Name || !bytes.Equal(f.Data, first[i].Data) {
				t.Errorf("%s: %s differs when the recipe is played again", s.Name, f.Name)
			}
			if len(f.Data) == 0 {
				t.Errorf("%s: %s is empty", s.Name, f.Name)
			}
		}
	}
}

func filesOf(t testing.TB, r Recipe) []File {
	t.Helper()
	run, err := Play(r)
	if err != nil {
		t.Fatal(err)
	}
	files, err := run.Files(trace.Style{}, trace.English, trace.Chinese)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
