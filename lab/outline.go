package lab

import (
	"errors"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// outlineFormat names the form of an Outline in JSON.
const outlineFormat = "trivet-lab-outline/1"

// Outline is the whole of a run in columns: enough to lay out a ladder, to find
// the next loss, and to draw the segments as a graph, however long the run is.
// Model with a Window has the rest, for a part. Both count events alike, from 0.
type Outline struct {
	Format string `json:"format"` // "trivet-lab-outline/1"

	// Of each event: nanoseconds since the event before, the first letter of
	// its kind (send, arrive, lose, rule, timer, call, drop, note; X for state),
	// the index of its host and of its connection, -1 for none, and the packet:
	// its number, the number below zero for the duplicate of one, 0 for none.
	Since      []int64 `json:"since"`
	Kind       string  `json:"kind"`
	Host       []int   `json:"host"`
	Connection []int   `json:"connection"`
	Packet     []int   `json:"packet"`

	States   []StateModel    `json:"states"`
	Steps    []StepModel     `json:"steps"`
	Segments OutlineSegments `json:"segments"`
}

// StateModel is a change of state, by an event of its own or because the host
// crashes; Host is an index.
type StateModel struct {
	Event      int    `json:"event"`
	Host       int    `json:"host"`
	Connection int    `json:"connection"`
	From       string `json:"from"`
	To         string `json:"to"`
}

// OutlineSegments are the packets of a run in columns of equal length, with what
// SegmentModel calls the same. From and To are indices of hosts, -1 for what is
// none, as the switch of a network; Connection is -1 for what is not TCP.
type OutlineSegments struct {
	Packet     []int    `json:"packet"`
	Connection []int    `json:"connection"`
	From       []int    `json:"from"`
	To         []int    `json:"to"`
	Sent       []int64  `json:"sent"`
	Ended      []int64  `json:"ended"`
	Kind       []string `json:"kind"`
	Seq        []uint32 `json:"seq"`
	Len        []int    `json:"len"`
	Ack        []uint32 `json:"ack"`
	Window     []int    `json:"window"`
	Repeats    []int    `json:"repeats"`
	Lost       []int    `json:"lost"` // 1: lost
	// SACK has a row for each block: index of the segment, left, right.
	SACK [][3]uint32 `json:"sack"`
}

// told reports whether a model has the entry as an event: what is sent and
// received inside a host is told by the packet, and a call that would have to
// wait did nothing.
func told(e *trace.Entry) bool {
	switch {
	case e.Kind != trace.EntryEvent:
		return true
	case e.Event.Kind == tcp.EventCall && e.Event.N == 0 && errors.Is(e.Event.Err, syscall.EAGAIN):
		return false
	}
	return e.Event.Kind != tcp.EventSend && e.Event.Kind != tcp.EventReceive
}

// Outline returns the whole of a run in columns.
func (r *Run) Outline() *Outline {
	b := outliner{
		run: r, hosts: map[string]int{}, seen: map[*trace.Packet]bool{}, states: map[[2]int]string{},
		out: &Outline{Format: outlineFormat, States: []StateModel{}, Steps: []StepModel{}},
	}
	b.out.Segments.SACK = [][3]uint32{}
	for _, h := range r.hosts {
		b.hosts[h.Name] = len(b.hosts)
	}
	for i := range r.Log.Entries {
		if e := &r.Log.Entries[i]; told(e) {
			b.event(e)
		}
	}
	b.out.Kind = string(b.kinds)
	return b.out
}

// outliner puts an outline together.
type outliner struct {
	run   *Run
	out   *Outline
	hosts map[string]int
	seen  map[*trace.Packet]bool
	// states are the last ones by host and connection.
	states map[[2]int]string
	kinds  []byte
	last   int64
}

func (b *outliner) host(name string) int {
	if i, ok := b.hosts[name]; ok {
		return i
	}
	return -1
}

func (b *outliner) event(e *trace.Entry) {
	kind, connection, packet := byte('n'), -1, 0
	host := b.host(e.Host)
	now := b.run.since(e.Time)
	switch e.Kind {
	case trace.EntryNote:
		connection = b.run.Analysis().ConnectionOf(e.Event.Tuple)
		b.out.Steps = append(b.out.Steps, StepModel{len(b.kinds), now, Text{e.Note[trace.English], e.Note[trace.Chinese]}})
	case trace.EntryEvent:
		kind = e.Event.Kind.String()[0]
		connection = b.run.Analysis().ConnectionOf(e.Event.Tuple)
		if e.Event.Kind == tcp.EventState {
			kind = 'X' // a send has the letter
			b.state(host, connection, e.Event.From.String(), e.Event.To.String())
		}
		if e.Event.Kind == tcp.EventCall && e.Event.Call == "reboot" {
			b.reboot(host)
		}
	default:
		kind = wireKinds[e.Kind][0]
		packet = packetID(e.Packet)
		connection = b.segment(e.Packet)
	}
	b.kinds = append(b.kinds, kind)
	b.out.Since = append(b.out.Since, now-b.last)
	b.last = now
	b.out.Host = append(b.out.Host, host)
	b.out.Connection = append(b.out.Connection, connection)
	b.out.Packet = append(b.out.Packet, packet)
}

// state adds a change of state, at the event that is being added.
func (b *outliner) state(host, connection int, from, to string) {
	b.out.States = append(b.out.States, StateModel{len(b.kinds), host, connection, from, to})
	b.states[[2]int{host, connection}] = to
}

// reboot adds what no engine tells: a host that crashed knows nothing of its
// connections any more.
func (b *outliner) reboot(host int) {
	closed := tcp.StateClosed.String()
	for connection := range b.run.Analysis().Connections() {
		if from, ok := b.states[[2]int{host, connection}]; ok && from != closed {
			b.state(host, connection, from, closed)
		}
	}
}

// packetID is the number of a packet, below zero for a duplicate.
func packetID(p *trace.Packet) int {
	if p.Copy > 0 {
		return -p.Number
	}
	return p.Number
}

// segment adds a packet unless it is known, and returns its connection.
func (b *outliner) segment(p *trace.Packet) int {
	r, ok := b.run.remarksIn(trace.English)[p.Number]
	if !ok {
		r.Connection = -1
	}
	if b.seen[p] {
		return r.Connection
	}
	b.seen[p] = true
	s, ended, lost := &b.out.Segments, int64(-1), 0
	if p.End != 0 {
		ended = b.run.since(p.End)
	}
	if p.Fate.Lost() {
		lost = 1
	}
	kind, length := r.Kind, 0
	if ok {
		length = r.Segment.PayloadLen
	} else {
		o := describeOther(p.Data)
		kind, length = o.kind, o.len
	}
	for _, block := range r.SACK {
		s.SACK = append(s.SACK, [3]uint32{uint32(len(s.Packet)), block[0], block[1]})
	}
	s.Packet = append(s.Packet, packetID(p))
	s.Connection = append(s.Connection, r.Connection)
	s.From = append(s.From, b.host(p.From))
	s.To = append(s.To, b.host(p.To))
	s.Sent = append(s.Sent, b.run.since(p.Sent))
	s.Ended = append(s.Ended, ended)
	s.Kind = append(s.Kind, kind)
	s.Seq = append(s.Seq, r.Seq)
	s.Len = append(s.Len, length)
	s.Ack = append(s.Ack, r.Ack)
	s.Window = append(s.Window, r.Window)
	s.Repeats = append(s.Repeats, r.Repeats)
	s.Lost = append(s.Lost, lost)
	return r.Connection
}
