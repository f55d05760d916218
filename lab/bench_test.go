package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/trivet-net/trivet/trace"
)

// benchmarked are a short run, the longest by default, and one of about 100,000
// segments.
var benchmarked = []struct {
	name   string
	recipe Recipe
}{
	{"handshake", Recipe{Scenario: "handshake", Seed: 1}},
	{"tcp-and-udp", Recipe{Scenario: "tcp-and-udp", Seed: 1}},
	{"long", Recipe{Scenario: "slow-start-and-congestion-avoidance", Seed: 1, Params: map[string]string{
		"size": "90M", "rate": "100M", "queue": "100",
	}}},
}

func BenchmarkRun(b *testing.B) {
	for _, bench := range benchmarked {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			segments := 0
			for b.Loop() {
				run, err := Play(bench.recipe)
				if err != nil {
					b.Fatal(err)
				}
				segments = len(run.Log.Packets())
			}
			b.ReportMetric(float64(segments), "segments")
		})
	}
}

func BenchmarkLadder(b *testing.B) {
	forEachRun(b, func(r *Run) error { return r.WriteText(io.Discard, trace.Style{}, trace.English) })
}

func BenchmarkJSON(b *testing.B) {
	forEachRun(b, func(r *Run) error { return json.NewEncoder(io.Discard).Encode(r.Model(Window{})) })
}

// BenchmarkWindow is what a page asks for of a long run.
func BenchmarkWindow(b *testing.B) {
	forEachRun(b, func(r *Run) error { return json.NewEncoder(io.Discard).Encode(r.Model(Window{First: 10, Count: 500})) })
}

func forEachRun(b *testing.B, f func(*Run) error) {
	for _, bench := range benchmarked {
		b.Run(bench.name, func(b *testing.B) {
			run, err := Play(bench.recipe)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := f(run); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkScenarios is how long each takes to play.
func BenchmarkScenarios(b *testing.B) {
	for _, s := range Scenarios() {
		b.Run(fmt.Sprintf("name=%s", s.Name), func(b *testing.B) {
			for b.Loop() {
				if _, err := Play(Recipe{Scenario: s.Name, Seed: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
