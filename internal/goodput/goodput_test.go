package main

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// whole lets TestGolden run every seed, as -write does.
var whole = flag.Bool("whole", false, "run every path with all its seeds")

const (
	// tolerance is by how much a median may differ from the golden one.
	tolerance = 0.03
	// floor is what a single seed, whose luck is its own, must reach of it.
	floor = 0.7
)

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	g := golden{}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// With -whole, the goodput of every path is what it was when docs/goodput.md was
// written, within 3 %. Whoever changes it on purpose writes the page anew (go run
// ./internal/goodput -write). Without, one seed of each path must reach most of
// it.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	if len(g) != len(paths) {
		t.Errorf("golden.json has %d paths, want %d", len(g), len(paths))
	}
	for i := range paths {
		p := &paths[i]
		t.Run(p.id(), func(t *testing.T) {
			seeds, want := 1, g[p.id()]
			if *whole {
				seeds = p.seeds
			} else if p.wide || (testing.Short() && !p.quick) {
				t.Skip("with -whole only")
			}
			r, err := measure(p, seeds)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) != len(r.flows) {
				t.Fatalf("golden.json has %d flows, want %d", len(want), len(r.flows))
			}
			for f := range r.flows {
				got := r.flows[f].goodput
				if *whole && math.Abs(got-want[f]) > tolerance*want[f] {
					t.Errorf("%s: goodput %.4f, want %.4f within 3 %%", p.flows[f], got, want[f])
				}
				if got < floor*want[f] {
					t.Errorf("%s: goodput %.4f, want 70 %% of %.4f", p.flows[f], got, want[f])
				}
			}
		})
	}
}

// The page tells the numbers that the test compares with.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/goodput.md")
	if err != nil {
		t.Fatal(err)
	}
	page, g := string(text), readGolden(t)
	for i := range paths {
		p := &paths[i]
		for f, cc := range p.flows {
			line := "| " + p.name + " | " + cc + " | " + percent(g[p.id()][f]) + " |"
			if !strings.Contains(page, line) {
				t.Errorf("docs/goodput.md has no line %q", line)
			}
		}
	}
	if !strings.Contains(page, notesMark) {
		t.Error("docs/goodput.md has no notes")
	}
}

// The same seed gives the same result, to the bit; another one, another.
func TestSeeds(t *testing.T) {
	p := path{name: "short", rate: 10 * mbit, rtt: 20 * time.Millisecond, queue: 1, loss: 0.02, flows: []string{"cubic"}, time: time.Second}
	result := func(seed uint64) result {
		r, err := run(&p, seed)
		if err != nil {
			t.Fatal(err)
		}
		return r[0]
	}
	a, b, c := result(1), result(1), result(2)
	if a.goodput != b.goodput || a.stall != b.stall || a.info.SegsOut != b.info.SegsOut {
		t.Errorf("the same seed gives %+v and %+v", a, b)
	}
	if a.goodput == c.goodput && a.stall == c.stall {
		t.Error("another seed gives the same")
	}
}

// A segment that is lost at the beginning is repaired, and the loss is seen.
func TestExchanges(t *testing.T) {
	x, err := measureExchanges()
	if err != nil {
		t.Fatal(err)
	}
	if x.first[0] < 2*exchangeRTT || x.first[0] > 2*exchangeRTT+time.Millisecond {
		t.Errorf("first byte without loss after %v, want two round trips", x.first[0])
	}
	for i, d := range x.first {
		if d < x.first[0]-time.Millisecond || d > 4*time.Second {
			t.Errorf("first byte after %v with the loss of %s, %v without", d, handshakeLosses[i].name, x.first[0])
		}
	}
	for i, d := range x.tails {
		if d < 2*exchangeRTT || d > time.Second {
			t.Errorf("the answer of %d segments took %v without its last", i+1, d)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, tt := range []struct {
		list []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := middle(tt.list); got != tt.want {
			t.Errorf("middle(%v) = %v, want %v", tt.list, got, tt.want)
		}
	}
}

func TestJain(t *testing.T) {
	for _, tt := range []struct {
		a, b, want float64
	}{{1, 1, 1}, {1, 0, 0.5}, {3, 1, 0.8}, {0, 0, 0}} {
		if got := jain([]result{{goodput: tt.a}, {goodput: tt.b}}); got != tt.want {
			t.Errorf("jain(%v, %v) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// A goal that is missed is marked; one that is reached is not.
func TestMissed(t *testing.T) {
	p := path{name: "x", flows: []string{"a", "b"}, goodput: 0.5, retrans: 0.01, stall: time.Second, jain: 0.9, share: 0.4}
	good := row{path: &p, jain: 0.95, spurious: make([]uint64, 2), flows: []result{{goodput: 0.5}, {goodput: 0.6}}}
	bad := row{path: &p, jain: 0.8, spurious: make([]uint64, 2), flows: []result{
		{goodput: 0.9, retrans: 0.1, stall: time.Minute},
		{goodput: 0.1},
	}}
	for _, tt := range []struct {
		r    row
		want int
	}{{good, 0}, {bad, 4}} { // goodput, sent again, stall, share
		var b strings.Builder
		tt.r.write(&b)
		tt.r.writeFairness(&b)
		if got := strings.Count(b.String(), "**missed**"); got != tt.want {
			t.Errorf("%d goals marked, want %d:\n%s", got, tt.want, &b)
		}
	}
}

func TestRoundTime(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0s", 1234567 * time.Microsecond: "1.23s", 40299 * time.Microsecond: "40.3ms", 103456: "103µs", 999: "999ns",
	} {
		if got := roundTime(in); got != want {
			t.Errorf("roundTime(%v) = %v, want %v", in, got, want)
		}
	}
}
