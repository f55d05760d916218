package trace

import (
	"bytes"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// EntryKind says what an Entry tells.
type EntryKind uint8

// The kinds of entries.
const (
	// EntryEvent: something happened inside a host.
	EntryEvent EntryKind = iota + 1
	// EntrySent: a packet was given to a link.
	EntrySent
	// EntryDelivered: a packet, or its duplicate, arrived.
	EntryDelivered
	// EntryLost: a packet was lost; its Fate says why.
	EntryLost
	// EntryNote: whoever made the run says something about this moment.
	EntryNote
)

// Entry is one thing that happened.
type Entry struct {
	Time tcp.Time
	Kind EntryKind
	// Host is where: the sender of a packet sent or lost, the receiver of a
	// packet delivered.
	Host string
	// Event is set for EntryEvent. Its Segment has no Payload, only the length.
	Event tcp.Event
	// Packet is set for the other kinds. All entries of one packet share it,
	// so that it tells the end also where it is sent.
	Packet *Packet
	// Note is set for EntryNote, in each language, and in Event the Tuple of
	// the connection that it is about, if it is about one.
	Note [numLangs]string
}

// Log is the record of a run: what happened, in order. The zero value is
// ready for use. It is not safe for concurrent use.
type Log struct {
	// Entries must not be changed.
	Entries []Entry
	// Captured says that the packets were seen at one place on the way: that
	// they arrived, and when, is a guess.
	Captured bool

	packets map[int]*Packet // by number
}

// Event records an event of a host. It is made for sim.Config.OnEvent, and as
// the body of a tcp.Config.Trace hook.
func (l *Log) Event(host string, e *tcp.Event) {
	entry := Entry{Time: e.Time, Kind: EntryEvent, Host: host, Event: *e}
	if e.Segment != nil {
		entry.Event.Segment = new(wire.Segment)
		*entry.Event.Segment = *e.Segment
		entry.Event.Segment.Payload = nil
	}
	l.Entries = append(l.Entries, entry)
}

// Packet records a packet: once with FateInFlight when it is sent, and again
// when it arrived or was lost. It is made for sim.Config.OnPacket.
func (l *Log) Packet(now tcp.Time, p *Packet) {
	if l.packets == nil {
		l.packets = make(map[int]*Packet)
	}
	known := l.packets[p.Number]
	if known == nil || p.Copy > 0 {
		known = new(Packet)
		*known = *p
		known.Data = bytes.Clone(p.Data)
		if p.Copy == 0 {
			l.packets[p.Number] = known
		}
	} else {
		known.Fate, known.End = p.Fate, p.End
		known.Corrupted, known.Delayed, known.Marked = p.Corrupted, p.Delayed, p.Marked
	}
	if p.Fate == FateDelivered && !bytes.Equal(p.Data, known.Data) {
		known.Arrived = bytes.Clone(p.Data)
	}
	entry := Entry{Time: now, Kind: EntrySent, Host: p.From, Packet: known}
	switch {
	case p.Fate.Lost():
		entry.Kind = EntryLost
	case p.Fate == FateDelivered:
		entry.Kind, entry.Host = EntryDelivered, p.To
	}
	l.Entries = append(l.Entries, entry)
}

// Note records a sentence about the moment, in English and in Chinese. It
// speaks of what comes next. A tuple that is not zero says which connection it
// is about.
func (l *Log) Note(now tcp.Time, about wire.FourTuple, en, zh string) {
	l.Entries = append(l.Entries, Entry{
		Time: now, Kind: EntryNote, Event: tcp.Event{Tuple: about}, Note: [numLangs]string{en, zh},
	})
}

// Packets returns the packets in the order in which they were sent,
// duplicates left out.
func (l *Log) Packets() []*Packet {
	var all []*Packet
	for i := range l.Entries {
		if e := &l.Entries[i]; e.Kind == EntrySent {
			all = append(all, e.Packet)
		}
	}
	return all
}
