package lab_test

import (
	"strings"
	"testing"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

// The ladders of tcp-and-udp show the datagrams, too: what was lost, what came
// late, and what a switch passed on to the members of a group.
func TestDatagramLadders(t *testing.T) {
	run, err := lab.Play(lab.Recipe{Scenario: "tcp-and-udp", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	flows := run.Analysis().Flows()
	if len(flows) != 3 {
		t.Fatalf("%d flows, want 3: plain, acknowledged, to a group", len(flows))
	}
	lost := 0
	for _, s := range run.Model(lab.Window{}).Segments {
		if s.Connection < 0 && s.Lost && s.To == "server" && s.Number < 400 {
			lost++
		}
	}
	plain := flows[0]
	if plain.Datagrams != [2]int{100, 0} || plain.Lost[0] == 0 || plain.Late == 0 || plain.Lost[0] > lost {
		t.Errorf("the plain flow is %+v, want 100 datagrams, some of them lost, some late", plain)
	}
	if acked := flows[1]; acked.Datagrams[0] < 100 || acked.Datagrams[1] < 90 {
		t.Errorf("the acknowledged flow is %+v, want answers", acked)
	}
	var b strings.Builder
	if err := run.Analysis().WriteFlow(&b, 0, trace.Style{Left: "client"}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if n := strings.Count(text, "-X "); n != plain.Lost[0] {
		t.Errorf("%d lost datagrams are drawn, want %d\n%s", n, plain.Lost[0], text)
	}
	if n := strings.Count(text, "late: one sent after it"); n != plain.Late {
		t.Errorf("%d late datagrams are drawn, want %d\n%s", n, plain.Late, text)
	}
	b.Reset()
	if err := run.Analysis().WriteFlow(&b, 2, trace.Style{Lang: trace.Chinese, Unicode: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"239.1.2.3:9000", "从 switch 到", "▶", "发送的数据报：4 个"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the ladder of the group lacks %q\n%s", want, &b)
		}
	}
	if err := run.Analysis().WriteFlow(&b, 3, trace.Style{}); err != nil {
		t.Errorf("a flow that there is not: %v", err)
	}
}
