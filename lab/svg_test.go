package lab_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

// The drawing is XML, has both time lines of every connection that the scenario
// is about, and no text over another.
func TestSVG(t *testing.T) {
	for _, s := range lab.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			run, err := lab.Play(lab.Recipe{Scenario: s.Name, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := run.WriteSVG(&b, trace.English); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, c := range run.Model(lab.Window{}).Connections {
				if c.Shown {
					want++
				}
			}
			axes := 0
			taken := map[string]bool{}
			for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				e, ok := token.(xml.StartElement)
				if !ok {
					continue
				}
				attr := map[string]string{}
				for _, a := range e.Attr {
					attr[a.Name.Local] = a.Value
				}
				if attr["class"] == "axis" {
					axes++
				}
				if at := attr["x"] + "," + attr["y"]; e.Name.Local == "text" && attr["text-anchor"] != "middle" {
					if taken[at] {
						t.Errorf("two texts at %s", at)
					}
					taken[at] = true
				}
			}
			if axes != 2*want {
				t.Errorf("%d time lines, want two for each of %d connections", axes, want)
			}
		})
	}
}
