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
			"nobody answered the SYN",
			Recipe{Scenario: "syn-flood"},
			[]string{"#113 repeats #43, which had arrived, but was not acknowledged."},
			[]string{"its ACK was"},
		},
		{
			"the ACK came and was dropped",
			Recipe{Scenario: "accept-queue-full"},
			[]string{"#10 repeats #6, which had arrived, and so had its ACK, which was not taken."},
			[]string{"its ACK was"},
		},
		{
			"the last ACK was lost",
			Recipe{Scenario: "lost-last-ack"},
			[]string{"#8 repeats #6, which had arrived: its ACK was lost."},
			nil,
		},
		{
			"the SYN,ACK is late",
			Recipe{Scenario: "handshake", Do: []string{"at #2 delay 2s"}},
			[]string{"#3 repeats #1, which had arrived: its ACK was late."},
			nil,
		},
		{
			"a challenge ACK does not acknowledge the SYN",
			Recipe{Scenario: "half-open-recovery"},
			[]string{"#9 repeats #6, which had arrived, but was not acknowledged."},
			nil,
		},
		{
			"a RST that is not exact breaks nothing off",
			Recipe{Scenario: "rst-in-window-and-out"},
			[]string{
				"A RST from client that changed nothing: #4 #5.", "#7 from client broke the connection off.",
				"RST: is meant to break the connection off; a RST in the window but not exact may be forged",
			},
			nil,
		},
		{
			"a RST that was lost",
			Recipe{Scenario: "user-timeout"},
			[]string{"A RST from client that was lost, so that server does not know: #11.", "client gave up after 10.1 s: no answer."},
			[]string{"changed nothing"},
		},
		{
			"the client rejects an acknowledgement of what it never sent",
			Recipe{Scenario: "old-duplicate-syn"},
			[]string{"RST: never sent what is acknowledged here", "confirms: the connection is open"},
			[]string{"ACK: has all before 1"},
		},
		{
			"the second connection of a pair of ports is opened as the first",
			Recipe{Scenario: "time-wait-reuse"},
			nil,
			[]string{"ACK: has all before 1"},
		},
		{
			"an ACK to a listener",
			Recipe{Scenario: "close-four-way", Do: []string{"at 10ms inject rst"}},
			[]string{"RST: knows of no such connection", "confirms: the connection is open"},
			nil,
		},
		{
			"nothing overtook it",
			Recipe{Scenario: "handshake", Do: []string{"at #2 delay 300ms"}},
			[]string{"Held back on the way from server: #2."},
			[]string{"overtook"},
		},
		{
			"a closed window",
			Recipe{Scenario: "zero-window"},
			[]string{"The window of server was closed for 2.77 s, from #9 to #16."},
			[]string{"keep-alive"},
		},
		{
			"no answer to keep-alive probes",
			Recipe{Scenario: "keepalive-unplugged"},
			[]string{"gives up: no probe was answered", "server gave up after 7875 s: no answer."},
			[]string{"sent again too often"},
		},
		{
			"an attempt to connect ends with the ICMP message",
			Recipe{Scenario: "unreachable"},
			[]string{"but an attempt to connect ends with it"},
			nil,
		},
		{
			"who waits for 2MSL",
			Recipe{Scenario: "close-four-way"},
			[]string{"client waits 2MSL, in case its last ACK gets lost", "client now waits for the FIN of server", "server may still send"},
			nil,
		},
		{
			"a forged SYN moves no numbers",
			Recipe{Scenario: "close-four-way", Do: []string{"at 15ms inject syn from server"}},
			[]string{"#2 S. 0:0(0) ack 1", "#3 S 1:1(0)", "#8 F. 1:1(0) ack 2", "not sent by server now", "Not sent by server now, but in its name: #3."},
			[]string{"4294967295", "#3 again"},
		},
		{
			"nor does one on an open connection",
			Recipe{Scenario: "half-close", Do: []string{"at 25ms inject syn"}},
			[]string{"FP. 1:20(19) ack 1", "S 1:1(0)"},
			nil,
		},
		{
			"a forged ACK is no window update",
			Recipe{Scenario: "close-four-way", Do: []string{"at 25ms inject ack"}},
			nil,
			[]string{"window update"},
		},
		{
			"a listener answers a forged SYN after the connection is gone",
			Recipe{Scenario: "tail-loss-probe", Do: []string{"at 100ms inject syn", "at #5 inject rst from server"}},
			[]string{"#2 S. 0:0(0) ack 1 ", "#3 . 1:1(0) ack 1 ", "#17 S. 0:0(0) ack 7242"},
			[]string{"42949"},
		},
		{
			"a SYN that is refused, and another one",
			Recipe{Scenario: "time-wait-reuse", Seed: 27, Do: []string{"at 5ms crash server"}},
			[]string{"#1 S 0:0(0)"},
			[]string{"42947"},
		},
		{
			"a SYN that is answered anew after a RST",
			Recipe{Scenario: "two-way-handshake", Seed: 97, Do: []string{"at 300ms inject rst"}},
			[]string{"#8 S. 0:0(0) ack 1 "},
			[]string{"42947"},
		},
		{
			"the number of each SYN,ACK counts from itself",
			Recipe{Scenario: "old-duplicate-syn"},
			[]string{"#3 S. 0:0(0)", "#6 S. 0:0(0) ack 1 "},
			[]string{"42947"},
		},
		{
			"many repetitions are told together",
			Recipe{Scenario: "slow-start-and-congestion-avoidance"},
			[]string{"32 segments were sent again, for what was sent after them had arrived: #201", "#150 #154 and 18 more.", "#237 repeats #130: found lost before, it had its turn."},
			[]string{"#201 repeats"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.recipe.Seed = max(tt.recipe.Seed, 1)
			run, err := Play(tt.recipe)
			if err != nil {
				t.Fatal(err)
			}
			text := ladder(t, run, trace.English)
			got := text
			for line := range strings.Lines(text) {
				if len(line) > 90 { // the column that says what happens
					got += " " + strings.TrimSpace(line[90:])
				}
			}
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
				t.Log(text)
			}
		})
	}
}

// A host sees nothing of what somebody else sends in its name.
func TestForeignUnseen(t *testing.T) {
	run, err := Play(Recipe{Scenario: "rst-in-window-and-out", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for eyes, want := range map[string]bool{"client": false, "server": true, "": true} {
		var b strings.Builder
		if err := run.WriteLadder(&b, trace.Style{Eyes: eyes}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "#7 R "); got != want {
			t.Errorf("eyes %q: the forged RST is there: %v, want %v\n%s", eyes, got, want, &b)
		}
	}
}

// An intervention that finds nothing to do it to is told of.
func TestIdleInterventions(t *testing.T) {
	for do, idle := range map[string]bool{
		"at 25ms close server": true, "at 40ms close server": false, "at 0ms inject rst from server": true,
		"at #3 inject rst from server": false, "at #99 drop": true,
	} {
		run, err := Play(Recipe{Scenario: "close-four-way", Seed: 1, Do: []string{do}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(run.Idle()) == 1; got != idle {
			t.Errorf("%s is idle: %v, want %v", do, got, idle)
		}
	}
}
