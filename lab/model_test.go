package lab

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// modelOf plays a scenario with its defaults.
func modelOf(t testing.TB, name string, w Window) *Model {
	t.Helper()
	run, err := Play(Recipe{Scenario: name, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return run.Model(w)
}

// All that the model names by index is there, in order of time, and told in
// both languages.
func TestModel(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			m := modelOf(t, s.Name, Window{})
			var last int64
			for i, e := range m.Events {
				if e.Time < last {
					t.Errorf("event %d is at %d, before %d", i, e.Time, last)
				}
				last = e.Time
				if (e.Text.EN == "") != (e.Text.ZH == "") {
					t.Errorf("event %d says %+v", i, e.Text)
				}
				if e.Segment != nil && *e.Segment >= len(m.Segments) {
					t.Errorf("event %d names segment %d of %d", i, *e.Segment, len(m.Segments))
				}
				if e.Before >= len(m.Snapshots) || e.After >= len(m.Snapshots) || e.After >= 0 && e.Before > e.After {
					t.Errorf("event %d is between snapshots %d and %d of %d", i, e.Before, e.After, len(m.Snapshots))
				}
				if e.Kind == "state" && e.After >= 0 && e.Host != "" && m.Snapshots[e.After].Host != e.Host {
					t.Errorf("event %d of %s has a snapshot of %s", i, e.Host, m.Snapshots[e.After].Host)
				}
			}
			for i, p := range m.Snapshots {
				if p.Previous >= i || p.Previous < 0 && p.Set["state"] == nil {
					t.Errorf("snapshot %d builds on %d and has %v", i, p.Previous, p.Set)
				}
			}
			for i, st := range m.Steps {
				if m.Events[st.Event].Kind != "note" || m.Events[st.Event].Text != st.Text {
					t.Errorf("step %d is event %+v", i, m.Events[st.Event])
				}
			}
			if len(m.Hosts) < 2 || len(m.Fields) == 0 || len(m.Findings) == 0 || len(m.Sockets) == 0 || !m.Passed {
				t.Errorf("the model lacks something: %d hosts, %d fields, %d findings, %d socket tables, passed %v",
					len(m.Hosts), len(m.Fields), len(m.Findings), len(m.Sockets), m.Passed)
			}
		})
	}
}

// The snapshots around an event differ where the event made a difference.
func TestSnapshots(t *testing.T) {
	m := modelOf(t, "handshake", Window{})
	state := func(i int) any { // of a snapshot
		for ; i >= 0; i = m.Snapshots[i].Previous {
			if s, ok := m.Snapshots[i].Set["state"]; ok {
				return s
			}
		}
		return nil
	}
	found := 0
	for _, e := range m.Events {
		if e.Kind == "state" && e.To == "ESTABLISHED" {
			found++
			if state(e.After) != "ESTABLISHED" || state(e.Before) != e.From {
				t.Errorf("%s goes from %s to %s, the snapshots say %v and %v", e.Host, e.From, e.To, state(e.Before), state(e.After))
			}
		}
	}
	if found != 2 {
		t.Errorf("%d ends became ESTABLISHED, want 2", found)
	}
}

// Windows together have what the whole has.
func TestWindows(t *testing.T) {
	whole := modelOf(t, "lost-syn-ack", Window{})
	events := 0
	for first := 0; first < len(whole.Events); first += 7 {
		part := modelOf(t, "lost-syn-ack", Window{First: first, Count: 7})
		if part.Window.TotalEvents != len(whole.Events) || part.Window.FirstEvent != first {
			t.Errorf("window %d says %+v", first, part.Window)
		}
		for i, e := range part.Events {
			if w := whole.Events[first+i]; e.Time != w.Time || e.Kind != w.Kind || e.Text != w.Text {
				t.Errorf("event %d of window %d is %+v, want %+v", i, first, e, w)
			}
		}
		events += len(part.Events)
	}
	if events != len(whole.Events) {
		t.Errorf("the windows have %d events, want %d", events, len(whole.Events))
	}
}

// The same recipe gives the same bytes.
func TestSameBytes(t *testing.T) {
	for _, s := range Scenarios() {
		var texts [2][]byte
		for i := range texts {
			text, err := json.Marshal(modelOf(t, s.Name, Window{}))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = text
		}
		if !bytes.Equal(texts[0], texts[1]) {
			t.Errorf("two runs of %s differ", s.Name)
		}
	}
}

// What the page shows of a listener, and of calls that did nothing.
func TestModelOfListenersAndCalls(t *testing.T) {
	run, err := Play(Recipe{Scenario: "syn-flood", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	m := run.Model(Window{})
	for _, c := range m.Connections {
		if c.Shown && (c.Initial[1] != "LISTEN" || c.Final[1] != "LISTEN") {
			t.Errorf("the server goes from %s to %s, want LISTEN", c.Initial[1], c.Final[1])
		}
	}
	if m.Sockets[0].Host != "server" || m.Sockets[0].Event > 1 || len(m.Sockets[0].Rows) != 1 {
		t.Errorf("the first table is %+v, want the server's listener after its call", m.Sockets[0])
	}
	for _, name := range []string{"nagle-and-delayed-ack", "half-open-recovery"} {
		run, err := Play(Recipe{Scenario: name, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range run.Model(Window{}).Events {
			if strings.Contains(e.Error, "temporarily unavailable") {
				t.Errorf("%s: %+v is told", name, e)
			}
		}
	}
}

// Expectations hold at the bounds of a scenario's own parameters where they
// should, and speak of hosts that crashed as they are.
func TestExpectationsAtBounds(t *testing.T) {
	for _, tt := range []struct {
		recipe Recipe
		passed bool
	}{
		{Recipe{Scenario: "syn-flood-cookies", Params: map[string]string{"clients": "50"}}, true},
		{Recipe{Scenario: "time-wait-port-exhaustion", Params: map[string]string{"ports": "1000"}}, true},
		{Recipe{Scenario: "lost-last-ack", Params: map[string]string{"rtt": "1us"}}, true},
		{Recipe{Scenario: "handshake", Do: []string{"at client ESTABLISHED crash client"}}, false},
	} {
		tt.recipe.Seed = 1
		run, err := Play(tt.recipe)
		if err != nil {
			t.Fatal(err)
		}
		if run.Passed() != tt.passed {
			t.Errorf("%+v: passed is %v: %+v", tt.recipe, run.Passed(), run.Checks)
		}
	}
}

// However long a run is, the last tables have what is there at its end; and a
// connection that is gone is CLOSED, though somebody listens at its port.
func TestModelAtTheEnd(t *testing.T) {
	run, err := Play(Recipe{Scenario: "slow-start-and-congestion-avoidance", Seed: 1, Params: map[string]string{"size": "20M"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(run.details.tables) < maxTables {
		t.Fatalf("%d tables: the run is too short", len(run.details.tables))
	}
	for name, want := range map[string]int{"client": 0, "server": 1} { // the listener
		if rows := run.details.last[name].rows; len(rows) != want {
			t.Errorf("%s has %d sockets at the end, want %d: %+v", name, len(rows), want, rows)
		}
	}
	m := modelOf(t, "rst-in-window-and-out", Window{})
	last := ""
	for i := range m.Snapshots {
		if s := &m.Snapshots[i]; s.Host == "server" && s.Set["state"] != nil {
			last = s.Set["state"].(string)
		}
	}
	if last != "CLOSED" {
		t.Errorf("the server's end is in %s after the RST, want CLOSED", last)
	}
}
