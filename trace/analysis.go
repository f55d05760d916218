package trace

import (
	"net/netip"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Analysis is a log that was looked through once: its connections, and what
// every segment is for. The log must not change while it is in use.
type Analysis struct {
	log   *Log
	talks []*conversation
	found map[wire.FourTuple]int // indices of talks, by the tuple of either end
	index map[*Packet]*segment
	flows []*flow
}

// Connection is one connection of a log. End 0 is the one that sent the first
// packet.
type Connection struct {
	Hosts    [2]string
	Addrs    [2]netip.AddrPort
	Segments int
	// Begin and End are when the first packet was sent and the last thing
	// happened.
	Begin, End tcp.Time
	// Bytes is the payload that each end sent, what it sent again counted once.
	Bytes [2]int
	// Initial and States are the first and the last states of the ends.
	Initial, States [2]tcp.State
	// Repeats and Resets count segments.
	Repeats, Resets int
}

// Analyse looks through a log.
func Analyse(log *Log) *Analysis {
	a := &Analysis{log: log, index: map[*Packet]*segment{}}
	a.findConnections()
	a.findFlows()
	if len(a.talks) == 0 {
		return a
	}
	builders := make([]builder, len(a.talks))
	for i, c := range a.talks {
		builders[i].conversation = c
	}
	members := a.members()
	for order := range log.Entries {
		e := &log.Entries[order]
		switch e.Kind {
		case EntryEvent:
			for _, i := range members.of(e.Host, e.Event.Tuple, a.found) {
				builders[i].order = order
				builders[i].event(e)
			}
		case EntryNote:
			for i := range builders {
				builders[i].note(e, order)
			}
		default:
			if seg := a.segment(e.Packet); seg != nil {
				i := a.found[seg.tuple]
				if seg.tuple == a.talks[i].ends[1].tuple {
					seg.from = 1
				}
				builders[i].order = order
				builders[i].packet(e, seg)
			}
		}
	}
	for _, c := range a.talks {
		c.analyse()
	}
	return a
}

// segment returns the packet as a segment, nil when it is none.
func (a *Analysis) segment(p *Packet) *segment {
	seg, known := a.index[p]
	if !known {
		seg = decode(p)
		a.index[p] = seg
	}
	return seg
}

// findConnections makes a conversation for each pair of 4-tuples, in the order
// of their first packets.
func (a *Analysis) findConnections() {
	a.found = map[wire.FourTuple]int{}
	for i := range a.log.Entries {
		e := &a.log.Entries[i]
		if e.Kind != EntrySent {
			continue
		}
		seg := a.segment(e.Packet)
		if seg == nil {
			continue
		}
		if _, known := a.found[seg.tuple]; known {
			continue
		}
		reverse := seg.tuple.Reverse()
		a.found[seg.tuple], a.found[reverse] = len(a.talks), len(a.talks)
		c := &conversation{start: a.log.Entries[0].Time, captured: a.log.Captured}
		c.ends[0].host, c.ends[0].tuple = e.Packet.From, seg.tuple
		c.ends[1].host, c.ends[1].tuple = e.Packet.To, reverse
		a.talks = append(a.talks, c)
	}
	a.findFirstStates()
}

// findFirstStates finds the state that the first transition of each end left:
// LISTEN for a listener, unless the log shows how it began to listen, and CLOSED
// for a client.
func (a *Analysis) findFirstStates() {
	members := a.members()
	done := map[*end]bool{}
	for i := range a.log.Entries {
		x := &a.log.Entries[i]
		if x.Kind != EntryEvent || x.Event.Kind != tcp.EventState && x.Event.Call != "listen" {
			continue
		}
		for _, k := range members.of(x.Host, x.Event.Tuple, a.found) {
			for s := range a.talks[k].ends {
				e := &a.talks[k].ends[s]
				if done[e] || e.host != x.Host || !e.owns(x.Event.Tuple) {
					continue
				}
				done[e] = true
				if x.Event.Kind == tcp.EventState {
					e.first = x.Event.From
				}
			}
		}
	}
}

// membership knows which conversations a host and its ports take part in, for
// the events that belong to no connection.
type membership struct {
	byHost map[string][]int
	byPort map[hostPort][]int
}

type hostPort struct {
	host string
	port uint16
}

func (a *Analysis) members() *membership {
	m := &membership{map[string][]int{}, map[hostPort][]int{}}
	for i, c := range a.talks {
		for s := range c.ends {
			e := &c.ends[s]
			if s == 1 && e.host == c.ends[0].host {
				continue // it talks to itself
			}
			m.byHost[e.host] = append(m.byHost[e.host], i)
			at := hostPort{e.host, e.tuple.LocalPort}
			m.byPort[at] = append(m.byPort[at], i)
		}
	}
	return m
}

// of returns the conversations that an event of a host is about.
func (m *membership) of(host string, t wire.FourTuple, found map[wire.FourTuple]int) []int {
	switch {
	case t == wire.FourTuple{}:
		return m.byHost[host]
	case t.RemotePort == 0:
		return m.byPort[hostPort{host, t.LocalPort}]
	}
	if i, ok := found[t]; ok {
		return []int{i}
	}
	return nil
}

// note adds a note that is about this conversation, or about all.
func (b *builder) note(e *Entry, order int) {
	if t := e.Event.Tuple; t == (wire.FourTuple{}) || t == b.ends[0].tuple || t == b.ends[1].tuple {
		b.notes, b.noted = append(b.notes, e), append(b.noted, order)
	}
}

// face turns the conversation so that the host is on the left, if it is there
// at all.
func (c *conversation) face(left string) {
	if left == "" || left != c.ends[1].host || left == c.ends[0].host {
		return
	}
	c.ends[0], c.ends[1] = c.ends[1], c.ends[0]
	for s := range c.ends {
		for _, it := range c.ends[s].items {
			it.side = side(s)
		}
	}
	for _, seg := range c.segments {
		seg.from = seg.from.other()
	}
}

// ConnectionOf returns the index of the connection that the tuple, as either
// end sees it, belongs to; -1 when there is none.
func (a *Analysis) ConnectionOf(t wire.FourTuple) int {
	if i, ok := a.found[t]; ok {
		return i
	}
	return -1
}

// Connections returns the connections in the order of their first packets, in
// which Style.Connection counts them.
func (a *Analysis) Connections() []Connection {
	list := make([]Connection, len(a.talks))
	for i, c := range a.talks {
		list[i] = c.describe()
	}
	return list
}

func (c *conversation) describe() Connection {
	d := Connection{Segments: len(c.segments), Bytes: c.totals()}
	for s := range c.ends {
		e := &c.ends[s]
		d.Hosts[s], d.Addrs[s], d.States[s], d.Initial[s] = e.host, e.tuple.Local(), e.first, e.first
		for _, it := range e.items {
			d.States[s] = it.state
			d.End = max(d.End, it.time)
		}
	}
	for i, seg := range c.segments {
		if i == 0 {
			d.Begin = seg.packet.Sent
		}
		if seg.repeats != nil && seg.kind != kindWindowProbe {
			d.Repeats++
		}
		if seg.kind == kindReset {
			d.Resets++
		}
	}
	return d
}
