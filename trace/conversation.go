package trace

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// side is one end of a conversation: 0 is drawn on the left, 1 on the right.
type side int

func (s side) other() side { return 1 - s }

// end is what is known of one host of a conversation.
type end struct {
	host  string
	tuple wire.FourTuple // as this host sees it
	first tcp.State      // before anything happened
	items []*item        // in order
}

// item is something that happens at one end and gets a place in its column.
type item struct {
	kind  itemKind
	time  tcp.Time
	order int // in the log
	side  side
	seg   *segment   // itemSend, itemArrive
	event *tcp.Event // itemCall, and itemTimer where a timer fired
	state tcp.State  // after it
	rules []tcp.Rule
	// edges are the states it went through, each with its reason.
	edges []edge
	// after is the item of the same end that led to it at the same moment.
	after *item
}

type edge struct {
	from, to tcp.State
	rule     tcp.Rule
}

type itemKind uint8

const (
	itemSend itemKind = iota
	itemArrive
	itemCall
	itemTimer
)

func (it *item) has(r tcp.Rule) bool {
	for _, x := range it.rules {
		if x == r {
			return true
		}
	}
	return false
}

// became reports whether the item took its end into the state.
func (it *item) became(s tcp.State) bool {
	for _, e := range it.edges {
		if e.to == s {
			return true
		}
	}
	return false
}

// conversation is one connection between two hosts, taken from a log.
type conversation struct {
	start    tcp.Time // of the log
	captured bool     // as Log.Captured says
	ends     [2]end
	segments []*segment // in order of sending
	notes    []*Entry   // what was said, and by order when
	noted    []int
}

// owns reports whether an event with the tuple belongs to this end: to the
// connection, to the listener it came from, or to the whole host.
func (e *end) owns(t wire.FourTuple) bool {
	if t == e.tuple || t == (wire.FourTuple{}) {
		return true
	}
	return t.RemotePort == 0 && t.LocalPort == e.tuple.LocalPort
}

// callReboot is the call, of no connection, by which a simulation tells that a
// host has lost its memory.
const callReboot = "reboot"

// builder turns the entries of a log into items.
type builder struct {
	*conversation
	order int
}

// packet adds an entry about a packet of the conversation.
func (b *builder) packet(e *Entry, seg *segment) {
	switch e.Kind {
	case EntrySent:
		b.segments = append(b.segments, seg)
		b.place(&item{kind: itemSend, time: e.Time, side: seg.from, seg: seg})
	case EntryDelivered:
		b.place(&item{kind: itemArrive, time: e.Time, side: seg.from.other(), seg: seg})
	}
}

func (b *builder) event(e *Entry) {
	s := side(0)
	for ; s < 2; s++ {
		if b.ends[s].host == e.Host && b.ends[s].owns(e.Event.Tuple) {
			break
		}
	}
	if s == 2 {
		return
	}
	switch e.Event.Kind {
	case tcp.EventCall, tcp.EventTimer:
		kind := itemCall
		if e.Event.Kind == tcp.EventTimer {
			kind = itemTimer
		}
		it := &item{kind: kind, time: e.Time, side: s, event: &e.Event}
		b.place(it)
		switch e.Event.Call {
		case "listen":
			if it.state == tcp.StateClosed {
				it.state = tcp.StateListen
			}
		case callReboot:
			it.state = tcp.StateClosed
		}
	case tcp.EventState:
		if e.Event.From == e.Event.To {
			return // it only tells in what state the end was
		}
		it := b.current(s, e.Time)
		it.state = e.Event.To
		it.edges = append(it.edges, edge{e.Event.From, e.Event.To, e.Event.Rule})
	case tcp.EventRule:
		it := b.current(s, e.Time)
		it.rules = append(it.rules, e.Event.Rule)
	}
}

// place adds an item to the column of its end, in the state the end is in.
func (b *builder) place(it *item) {
	e := &b.ends[it.side]
	it.order = b.order
	it.state = e.first
	if n := len(e.items); n > 0 {
		last := e.items[n-1]
		it.state = last.state
		if last.time == it.time {
			it.after = last
		}
	}
	if it.kind == itemSend {
		it.seg.send = it
	} else if it.kind == itemArrive {
		it.seg.arrive = it
	}
	e.items = append(e.items, it)
}

// current is the item during which something happens at an end: the last one,
// unless that is over.
func (b *builder) current(s side, now tcp.Time) *item {
	e := &b.ends[s]
	if n := len(e.items); n == 0 || e.items[n-1].time != now {
		b.place(&item{kind: itemTimer, time: now, side: s})
	}
	return e.items[len(e.items)-1]
}
