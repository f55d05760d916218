package lab

import (
	"reflect"
	"testing"
)

// The outline counts events, states, steps and segments as the model does.
func TestOutline(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			run, err := Play(Recipe{Scenario: s.Name, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			m, o := run.Model(Window{}), run.Outline()
			n := len(m.Events)
			if len(o.Since) != n || len(o.Kind) != n || len(o.Host) != n || len(o.Connection) != n || len(o.Packet) != n {
				t.Fatalf("the columns have %d, %d, %d, %d and %d rows, want %d",
					len(o.Since), len(o.Kind), len(o.Host), len(o.Connection), len(o.Packet), n)
			}
			var now int64
			states := 0
			crashed := func() bool { // changes that have no event of their own
				at := o.States[states].Event
				return m.Events[at].Call == "reboot" && o.States[states].To == "CLOSED"
			}
			for i, e := range m.Events {
				now += o.Since[i]
				if now != e.Time || o.Connection[i] != e.Connection {
					t.Errorf("event %d is at %d of connection %d, want %d and %d", i, now, o.Connection[i], e.Time, e.Connection)
				}
				for states < len(o.States) && o.States[states].Event == i && crashed() {
					states++
				}
				if e.Kind == "state" {
					if st := o.States[states]; st.Event != i || st.From != e.From || st.To != e.To || o.Kind[i] != 'X' {
						t.Errorf("change of state %d is %+v, want event %d from %s to %s", states, st, i, e.From, e.To)
					}
					states++
				} else if o.Kind[i] != e.Kind[0] {
					t.Errorf("event %d is %c, want %s", i, o.Kind[i], e.Kind)
				}
				if e.Segment != nil {
					if got := m.Segments[*e.Segment].Number; o.Packet[i] != got && o.Packet[i] != -got {
						t.Errorf("event %d is of packet %d, want %d", i, o.Packet[i], got)
					}
				}
			}
			if states != len(o.States) || len(o.Steps) != len(m.Steps) {
				t.Errorf("%d changes of state and %d steps, want %d and %d", len(o.States), len(o.Steps), states, len(m.Steps))
			}
			if got := len(o.Segments.Packet); got != len(m.Segments) {
				t.Errorf("%d segments, want %d", got, len(m.Segments))
			}
			for i, s := range m.Segments {
				if s.Kind == "" || s.Words == "" || s.Text.EN == "" || s.Text.ZH == "" {
					t.Errorf("segment %d says %q, %q and %v of itself, want all of it", s.Number, s.Kind, s.Words, s.Text)
				}
				if s.Kind != o.Segments.Kind[i] || s.Len != o.Segments.Len[i] || s.Connection != o.Segments.Connection[i] {
					t.Errorf("segment %d is a %s of %d bytes, want %s of %d", s.Number, o.Segments.Kind[i], o.Segments.Len[i], s.Kind, s.Len)
				}
			}
			for i, e := range m.Events {
				if e.Kind == "drop" && (e.Text.EN == "" || e.Text.ZH == "") {
					t.Errorf("event %d, a drop, does not say why", i)
				}
			}
		})
	}
}

// A part of a run has the events that the whole has there.
func TestOutlineOfPart(t *testing.T) {
	run, err := Play(Recipe{Scenario: "fast-retransmit", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	whole, part, o := run.Model(Window{}), run.Model(Window{First: 20, Count: 10}), run.Outline()
	for i := range part.Events {
		if got, want := part.Events[i].Text, whole.Events[20+i].Text; got != want {
			t.Errorf("event %d of the part says %v, want %v", i, got, want)
		}
	}
	alone := run.Part(Window{First: 20, Count: 10})
	if !reflect.DeepEqual(alone.Events, part.Events) || !reflect.DeepEqual(alone.Segments, part.Segments) ||
		!reflect.DeepEqual(alone.Snapshots, part.Snapshots) || alone.Window != part.Window {
		t.Errorf("Part(20, 10) differs from that part of Model: %+v, want %+v", alone.Window, part.Window)
	}
	if o.Steps[0].Event != whole.Steps[0].Event {
		t.Errorf("the first step is event %d, want %d", o.Steps[0].Event, whole.Steps[0].Event)
	}
}

func BenchmarkOutline(b *testing.B) {
	run, err := Play(Recipe{Scenario: "slow-start-and-congestion-avoidance", Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		run.Outline()
	}
}

// A host that crashes is in CLOSED from that moment on, though no connection of
// its tells so; what it was in before is what changes.
func TestOutlineOfCrash(t *testing.T) {
	run, err := Play(Recipe{Scenario: "close-four-way", Seed: 1, Do: []string{"at server ESTABLISHED crash server"}})
	if err != nil {
		t.Fatal(err)
	}
	o, m := run.Outline(), run.Model(Window{})
	var last StateModel
	for _, s := range o.States {
		if m.Hosts[s.Host].Name == "server" && s.Connection == 0 {
			last = s
		}
	}
	if last.From != "ESTABLISHED" || last.To != "CLOSED" || m.Events[last.Event].Call != "reboot" {
		t.Errorf("the server's last change is %+v, at a %s, want from ESTABLISHED to CLOSED when it crashes", last, m.Events[last.Event].Kind)
	}
	if got := m.Connections[0].Final[1]; got != "CLOSED" {
		t.Errorf("the server is in %s at last, want CLOSED", got)
	}
}
