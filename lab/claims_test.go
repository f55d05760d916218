package lab

import (
	"strings"
	"testing"

	"github.com/trivet-net/trivet/trace"
)

// What a ladder claims beside the segments is true of them.
func TestClaims(t *testing.T) {
	for _, tt := range []struct {
		name     string
		recipe   Recipe
		has, not []string
	}{
		{
			"nobody answered the SYN", Recipe{Scenario: "syn-flood"},
			[]string{"#113 repeats #43, which had arrived, but was not acknowledged."},
			[]string{"its ACK was"},
		},
		{
			"the ACK came and was dropped", Recipe{Scenario: "accept-queue-full"},
			[]string{"#10 repeats #6, which had arrived, and so had its ACK, which was not taken."},
			[]string{"its ACK was"},
		},
		{
			"the last ACK was lost", Recipe{Scenario: "lost-last-ack"},
			[]string{"#8 repeats #6, which had arrived: its ACK was lost."}, nil,
		},
		{
			"the SYN,ACK is late", Recipe{Scenario: "handshake", Do: []string{"at #2 delay 2s"}},
			[]string{"#3 repeats #1, which had arrived: its ACK was late."}, nil,
		},
		{
			"a challenge ACK does not acknowledge the SYN", Recipe{Scenario: "half-open-recovery"},
			[]string{"#9 repeats #6, which had arrived, but was not acknowledged."}, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.recipe.Seed = 1
			run, err := Play(tt.recipe)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(strings.Fields(ladder(t, run, trace.English)), " ")
			for _, want := range tt.has {
				if !strings.Contains(got, want) {
					t.Errorf("it lacks %q", want)
				}
			}
			for _, bad := range tt.not {
				if strings.Contains(got, bad) {
					t.Errorf("it says %q", bad)
				}
			}
			if t.Failed() {
				t.Log(ladder(t, run, trace.English))
			}
		})
	}
}
