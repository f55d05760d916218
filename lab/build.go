package lab

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Model returns the run as data, or the part of it that the window asks for.
func (r *Run) Model(w Window) *Model {
	b := r.newBuilder()
	b.model.Format, b.model.Recipe, b.model.Scenario = modelFormat, r.Recipe, r.Scenario.Info()
	b.model.End, b.model.Checks, b.model.Passed, b.model.Fields = r.since(r.End), r.Checks, r.Passed(), fields
	for name, v := range r.order.values {
		b.model.Params[name] = v.text
	}
	b.model.Hosts = r.hosts
	b.connections()
	b.events(w)
	b.sockets()
	b.series()
	b.queues()
	return b.model
}

// Part returns of a model only what Window concerns: Window, Segments, Events,
// Steps and Snapshots. Of a long run that is much less work.
func (r *Run) Part(w Window) *Model {
	b := r.newBuilder()
	b.events(w)
	return b.model
}

func (r *Run) newBuilder() *modelBuilder {
	return &modelBuilder{
		run: r, analysis: r.Analysis(), segments: map[*trace.Packet]int{}, snapshots: map[int]int{},
		latest: map[[2]any]*latest{},
		en:     r.remarksIn(trace.English), zh: r.remarksIn(trace.Chinese),
		model: &Model{Params: map[string]string{}, Segments: []SegmentModel{}, Events: []EventModel{}, Steps: []StepModel{}},
	}
}

// Info is what there is to say about the scenario.
func (s *Scenario) Info() ScenarioInfo {
	return ScenarioInfo{s.Name, s.Title, s.Why, s.Cite, s.Params}
}

// modelBuilder puts a model together.
type modelBuilder struct {
	run       *Run
	analysis  *trace.Analysis
	en, zh    map[int]trace.Remark
	model     *Model
	segments  map[*trace.Packet]int // indices in model.Segments
	snapshots map[int]int           // indices in model.Snapshots by those of the run
	latest    map[[2]any]*latest    // by host and connection
}

func (b *modelBuilder) connections() {
	shown := b.run.shown()
	for i, c := range b.analysis.Connections() {
		m := ConnectionModel{
			Hosts: c.Hosts, Begin: b.run.since(c.Begin), End: b.run.since(c.End),
			Segments: c.Segments, Bytes: c.Bytes, Repeats: c.Repeats, Shown: slices.Contains(shown, i),
		}
		for s := range 2 {
			m.Addrs[s] = c.Addrs[s].String()
			m.Initial[s], m.Final[s] = c.Initial[s].String(), c.States[s].String()
			if c.States[s] == tcp.StateListen {
				m.Initial[s] = m.Final[s] // where a listener changed, the events say from what
			}
		}
		b.model.Connections = append(b.model.Connections, m)
		if !m.Shown {
			continue
		}
		f := FindingModel{Connection: i}
		zh := b.analysis.Findings(i, trace.Chinese)
		for k, en := range b.analysis.Findings(i, trace.English) {
			f.Texts = append(f.Texts, Text{en, zh[k]})
		}
		b.model.Findings = append(b.model.Findings, f)
	}
}

// events adds the events of the window, with the segments and snapshots that
// they name.
func (b *modelBuilder) events(w Window) {
	rests := newRests(b.run.details.snapshots)
	index, segment := 0, 0
	first := true
	for i := range b.run.Log.Entries {
		e := &b.run.Log.Entries[i]
		if !told(e) {
			continue
		}
		if e.Kind == trace.EntrySent {
			segment++
		}
		inside := index >= w.First && (w.Count == 0 || index < w.First+w.Count)
		if inside {
			if first {
				b.model.Window.FirstEvent, b.model.Window.FirstSegment = index, max(segment-1, 0)
				first = false
			}
			b.event(e, rests, i)
		}
		index++
	}
	b.model.Window.TotalEvents, b.model.Window.TotalSegments = index, segment
}

// event adds one event.
func (b *modelBuilder) event(e *trace.Entry, rests *rests, order int) {
	m := EventModel{Time: b.run.since(e.Time), Host: e.Host, Connection: -1, Before: -1, After: -1}
	switch e.Kind {
	case trace.EntryNote:
		m.Kind, m.Text = "note", Text{e.Note[trace.English], e.Note[trace.Chinese]}
		m.Connection = b.analysis.ConnectionOf(e.Event.Tuple)
		b.model.Steps = append(b.model.Steps, StepModel{len(b.model.Events), m.Time, m.Text})
	case trace.EntryEvent:
		b.inside(&m, &e.Event)
	default:
		b.onWire(&m, e)
	}
	if t := b.tuple(e); t.RemotePort != 0 {
		before, after := rests.around(ending{e.Host, t}, order)
		m.Before, m.After = b.snapshot(before), b.snapshot(after)
	}
	b.model.Events = append(b.model.Events, m)
}

// tuple is the connection of an entry as its host sees it.
func (b *modelBuilder) tuple(e *trace.Entry) wire.FourTuple {
	switch e.Kind {
	case trace.EntryNote:
		return wire.FourTuple{}
	case trace.EntryEvent:
		return e.Event.Tuple
	}
	tuple, _, ok := decode(e.Packet.Data)
	switch {
	case !ok:
		return wire.FourTuple{}
	case e.Host != e.Packet.From:
		return tuple.Reverse()
	}
	return tuple
}

// inside describes what happened inside a host.
func (b *modelBuilder) inside(m *EventModel, e *tcp.Event) {
	m.Kind, m.Connection = e.Kind.String(), b.analysis.ConnectionOf(e.Tuple)
	if e.Rule != tcp.NoRule {
		m.Rule, m.Cite = e.Rule.String(), e.Rule.Cite()
		m.Text = Text{trace.RuleText(e.Rule, trace.English), trace.RuleText(e.Rule, trace.Chinese)}
	}
	switch e.Kind {
	case tcp.EventState:
		m.From, m.To = e.From.String(), e.To.String()
	case tcp.EventTimer:
		m.Timer = e.Timer.String()
		m.Text = Text{trace.TimerText(e.Timer, trace.English), trace.TimerText(e.Timer, trace.Chinese)}
	case tcp.EventCall:
		m.Call, m.N = e.Call, e.N
		m.Text = Text{trace.CallText(e, trace.English), trace.CallText(e, trace.Chinese)}
		if e.Err != nil {
			m.Error = e.Err.Error()
		}
	case tcp.EventDrop:
		if e.Rule == tcp.NoRule {
			m.Error, m.Text = e.Drop.String(), dropText(e.Drop)
		}
	}
}

// wireKinds are the kinds of events that happen to packets.
var wireKinds = map[trace.EntryKind]string{
	trace.EntrySent: "send", trace.EntryDelivered: "arrive", trace.EntryLost: "lose",
}

// onWire describes what happened to a packet.
func (b *modelBuilder) onWire(m *EventModel, e *trace.Entry) {
	m.Kind = wireKinds[e.Kind]
	i, known := b.segments[e.Packet]
	if !known {
		i = len(b.model.Segments)
		b.segments[e.Packet] = i
		b.model.Segments = append(b.model.Segments, b.segment(e.Packet))
	}
	s := &b.model.Segments[i]
	m.Segment, m.Connection, m.Text = &i, s.Connection, s.Text
}

// segment describes a packet.
func (b *modelBuilder) segment(p *trace.Packet) SegmentModel {
	m := SegmentModel{
		Number: p.Number, Copy: p.Copy, Connection: -1, From: p.From, To: p.To,
		Sent: b.run.since(p.Sent), Ended: -1, Fate: p.Fate.String(), Lost: p.Fate.Lost(),
		Corrupted: p.Corrupted, Delayed: p.Delayed, Marked: p.Marked, Foreign: p.Foreign, Hex: hex.EncodeToString(p.Data),
	}
	if p.End != 0 {
		m.Ended = b.run.since(p.End)
	}
	r, ok := b.en[p.Number]
	if !ok {
		o := describeOther(p.Data)
		m.Kind, m.Words, m.Text, m.Len = o.kind, o.words, o.text, o.len
		return m
	}
	m.Connection, m.Kind, m.Words = r.Connection, r.Kind, r.Words
	m.Seq, m.Ack, m.Len, m.Window, m.SACK = r.Seq, r.Ack, r.Segment.PayloadLen, r.Window, r.SACK
	m.Repeats, m.Needless = r.Repeats, r.Needless
	m.Sender, m.Text = r.Sender.String(), Text{r.Text, b.zh[p.Number].Text}
	if r.Arrived {
		m.Receiver = r.Receiver.String()
	}
	m.Header = header(r.Segment)
	return m
}

// flagNames are the control bits in the order of the header.
var flagNames = []struct {
	flag wire.Flags
	name string
}{
	{wire.CWR, "CWR"},
	{wire.ECE, "ECE"},
	{wire.URG, "URG"},
	{wire.ACK, "ACK"},
	{wire.PSH, "PSH"},
	{wire.RST, "RST"},
	{wire.SYN, "SYN"},
	{wire.FIN, "FIN"},
}

func header(s *wire.Segment) *HeaderModel {
	h := &HeaderModel{
		SrcPort: s.SrcPort, DstPort: s.DstPort, Seq: uint32(s.Seq), Ack: uint32(s.Ack), Flags: []string{},
		Window: s.Window, Urgent: s.Urgent, MSS: s.Options.MSS, SACKOK: s.Options.SACKPermitted,
		TTL: s.TTL, TOS: s.TOS,
	}
	for _, f := range flagNames {
		if s.Flags.Has(f.flag) {
			h.Flags = append(h.Flags, f.name)
		}
	}
	if o := s.Options; o.HasWScale {
		h.WScale = &o.WScale
	}
	if o := s.Options; o.HasTS {
		h.TSVal, h.TSEcr = &o.TSVal, &o.TSEcr
	}
	return h
}

// snapshot adds a snapshot of the run, as what changed since the one before of
// the same end, and returns its index.
func (b *modelBuilder) snapshot(i int) int {
	if i < 0 {
		return -1
	}
	if at, known := b.snapshots[i]; known {
		return at
	}
	snap := &b.run.details.snapshots[i]
	m := SnapshotModel{
		Time: b.run.since(snap.time), Host: snap.host, Connection: b.analysis.ConnectionOf(snap.tuple),
		Previous: -1, Set: map[string]any{},
	}
	end := [2]any{m.Host, m.Connection}
	known := b.latest[end]
	if known == nil {
		known = &latest{values: map[string]any{}}
		b.latest[end] = known
	} else {
		m.Previous = known.index
	}
	for k, f := range fields {
		if snap.record && k > 0 {
			break // the state, which comes first, is all that is known
		}
		if v := f.of(&snap.info); known.values[f.Name] != v {
			m.Set[f.Name], known.values[f.Name] = v, v
		}
	}
	known.index = len(b.model.Snapshots)
	b.model.Snapshots = append(b.model.Snapshots, m)
	b.snapshots[i] = known.index
	return known.index
}

// latest is the last snapshot of an end in the model, with all its values.
type latest struct {
	index  int
	values map[string]any
}

// rests finds the snapshots around an entry of the log.
type rests struct {
	all  []snapshot
	last map[ending]int // the latest one at or before the entry asked for last
	next map[ending][]int
}

func newRests(all []snapshot) *rests {
	r := &rests{all: all, last: map[ending]int{}, next: map[ending][]int{}}
	for i := range all {
		r.next[all[i].ending] = append(r.next[all[i].ending], i)
	}
	return r
}

// around returns the last snapshot of the end that was taken before the entry
// with the order was made, and the first after it, -1 for none. Orders must not
// fall.
func (r *rests) around(e ending, order int) (before, after int) {
	list := r.next[e]
	for len(list) > 0 && r.all[list[0]].entries <= order {
		r.last[e] = list[0]
		list = list[1:]
	}
	r.next[e] = list
	before, after = -1, -1
	if i, ok := r.last[e]; ok {
		before = i
	}
	if len(list) > 0 {
		after = list[0]
	}
	return before, after
}

// sockets adds the socket tables.
func (b *modelBuilder) sockets() {
	entry, event := 0, 0
	for _, t := range b.run.details.tables {
		for ; entry < t.entries; entry++ {
			if told(&b.run.Log.Entries[entry]) {
				event++
			}
		}
		m := TableModel{Time: b.run.since(t.time), Event: event, Host: t.host, Rows: []SocketModel{}, More: t.more}
		for i := range t.rows {
			m.Rows = append(m.Rows, b.socket(&t.rows[i]))
		}
		b.model.Sockets = append(b.model.Sockets, m)
	}
}

func (b *modelBuilder) socket(i *engine.SocketInfo) SocketModel {
	m := SocketModel{
		State: i.State.SS(), RecvQ: i.RecvQ, SendQ: i.SendQ, Local: i.Tuple.Local().String(),
		Peer: i.Tuple.Remote().String(), Orphan: i.Orphan,
	}
	if i.Expires != 0 {
		m.Timer, m.Expires = i.Timer.String(), b.run.since(i.Expires)
	}
	if i.State == tcp.StateListen {
		m.Local, m.Peer = "*"+strings.TrimPrefix(m.Local, "[::]"), "*:*" // as ss writes both families
	}
	return m
}
