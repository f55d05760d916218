package lab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/trace"
)

// ladder is the run's ladder with its captions.
func ladder(t *testing.T, r *Run, l trace.Lang) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteLadder(&b, trace.Style{Lang: l}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each scenario is a test: what it expects must hold, whatever the seed.
func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			for seed := range uint64(3) {
				recipe := Recipe{Scenario: s.Name, Seed: seed}
				order, err := recipe.prepare()
				if err != nil {
					t.Fatal(err)
				}
				stage := order.play(recipe)
				run := stage.run(recipe)
				if len(run.Checks) == 0 {
					t.Error("it expects nothing")
				}
				for _, c := range run.Checks {
					if !c.OK {
						t.Errorf("seed %d: %s: got %s", seed, c.Text.EN, c.Got)
					}
				}
				for _, c := range stage.cues {
					if !c.done {
						t.Errorf("seed %d: the moment %q never came", seed, c.when.text)
					}
				}
				if t.Failed() {
					t.Fatalf("seed %d\n%s", seed, ladder(t, run, trace.English))
				}
			}
		})
	}
}

// Unknown scenarios, parameters and actions are answered with the nearest
// names; what is out of range is refused.
func TestRecipeErrors(t *testing.T) {
	for _, tt := range []struct {
		recipe Recipe
		want   string
	}{
		{Recipe{Scenario: "handshak"}, "did you mean handshake"},
		{Recipe{Scenario: "qqqqqqqqqqqqqqqqqqqqqqqqq"}, `no scenario "qqqqqqqqqqqqqqqqqqqqqqqqq"`},
		{Recipe{Scenario: "lost-syn", Params: map[string]string{"losst": "1"}}, "did you mean loss, lost"},
		{Recipe{Scenario: "lost-syn", Params: map[string]string{"lost": "9"}}, "9 is more than 5"},
		{Recipe{Scenario: "lost-syn", Params: map[string]string{"lost": "-1"}}, "no whole number"},
		{Recipe{Scenario: "handshake", Params: map[string]string{"rtt": "0s"}}, "less than 1us"},
		{Recipe{Scenario: "handshake", Params: map[string]string{"loss": "101%"}}, "no probability"},
		{Recipe{Scenario: "handshake", Params: map[string]string{"loss": "NaN"}}, "no probability"},
		{Recipe{Scenario: "handshake", Params: map[string]string{"rate": "9999999G"}}, "bits per second"},
		{Recipe{Scenario: "handshake", Params: map[string]string{"cc": "vegas"}}, "none of"},
		{Recipe{Scenario: "handshake", Do: []string{"at #5 drap"}}, "did you mean drop"},
		{Recipe{Scenario: "handshake", Do: []string{"at 1s drop"}}, "needs a packet"},
		{Recipe{Scenario: "handshake", Do: []string{"at #0 drop"}}, "no packet"},
		{Recipe{Scenario: "handshake", Do: []string{"drop"}}, "want at MOMENT ACTION"},
		{Recipe{Scenario: "handshake", Do: []string{"at client ESTABLISHD close"}}, "neither a state nor a rule"},
		{Recipe{Scenario: "handshake", Do: []string{"at client none crash"}}, "neither a state nor a rule"},
		{Recipe{Scenario: "handshake", Do: []string{"at client ESTABLISHED"}}, "what is to be done"},
		{Recipe{Scenario: "handshake", Do: []string{"at #1 inject fin"}}, "inject what"},
		{Recipe{Scenario: "handshake", Do: []string{"at #1 drop it"}}, "too much"},
		{Recipe{Scenario: "handshake", Do: []string{"at #1 delay never"}}, "no delay"},
		{Recipe{Scenario: "handshake", Do: make([]string, 1001)}, "1001 interventions"},
	} {
		_, err := Play(tt.recipe)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Play(%.80v) = %v, want an error with %q", fmt.Sprint(tt.recipe), err, tt.want)
		}
	}
}

// A path that drops large packets is no end where the router tells, or the
// sender probes.
func TestBlackHoleIsEscaped(t *testing.T) {
	for _, way := range []string{"icmp", "probing"} {
		run, err := Play(Recipe{Scenario: "path-mtu-black-hole", Params: map[string]string{way: "on"}})
		if err != nil {
			t.Fatal(err)
		}
		if !run.Passed() {
			t.Errorf("with %s:\n%s", way, ladder(t, run, trace.English))
		}
	}
}

// Whatever is done to it, a scenario comes to an end and says what did not hold.
func TestMischief(t *testing.T) {
	mischief := []Recipe{
		{Params: map[string]string{"loss": "1"}},
		{Params: map[string]string{"loss": "30%"}},
		{Params: map[string]string{"rtt": "1us", "rate": "0"}},
		{Params: map[string]string{"rtt": "3s", "rate": "100k"}},
		{Params: map[string]string{"msl": "500ms", "cc": "bbr"}},
		{Do: []string{"at 0s unplug"}},
		{Do: []string{"at #2 drop", "at #3 corrupt", "at #4 duplicate", "at #5 reorder", "at #6 delay 1s"}},
		{Do: []string{"at #3 crash server", "at 1s crash client"}},
		{Do: []string{"at 10ms crash client", "at 2s unplug", "at 3s plug"}},
		{Do: []string{"at #2 inject rst", "at #3 inject syn from server", "at #4 inject ack"}},
		{Do: []string{"at client ESTABLISHED close client", "at server ESTABLISHED stop-reading server"}},
	}
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			for i, r := range mischief {
				r.Scenario, r.Seed = s.Name, uint64(i)
				if s.Name == "window-scaling" && i == 3 {
					continue // half a megabyte at 100 kbit/s takes its time
				}
				run, err := Play(r)
				if err != nil {
					t.Fatal(err)
				}
				if len(run.Checks) == 0 {
					t.Errorf("%v: it expects nothing", r)
				}
				if text := ladder(t, run, trace.Chinese); text == "" {
					t.Errorf("%v: no ladder", r)
				}
				run.Model(Window{})
			}
		})
	}
}
