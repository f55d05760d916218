package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Stats are counts since the engine's birth.
type Stats struct {
	TCP                            tcp.Counters
	PacketsIn, PacketsOut          uint64
	Drops                          [wire.NumDrops]uint64
	ListenOverflows                uint64 // accept queue full
	ListenDrops                    uint64 // SYNs dropped for any reason
	CookiesSent                    uint64
	CookiesAccepted                uint64 // ACKs that made a connection
	CookiesRefused                 uint64 // ACKs that were of no cookie, or of one too old
	TimeWaitOverflows              uint64 // records removed early
	OrphanOverflows                uint64 // orphans reset because there were too many
	ResetsSuppressed               uint64 // over ResetRate
	ICMPIn, ICMPOut                uint64
	ICMPSuppressed                 uint64 // over ICMPRate
	NoRoute                        uint64 // packets not sent: no way to their destination
	ReplyOverflows                 uint64 // packets not sent: too many wait for Output
	UDP                            UDPStats
	Fragments                      FragmentStats
	Conns, HalfOpen, TimeWaits     int // now
	Listeners, Orphans, AcceptWait int // now
}

// Stats returns the counts.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.TCP = *e.tcp.Counters
	s.UDP.Sockets = e.udp.size
	s.Fragments = e.fragments.stats
	s.Fragments.Waiting = len(e.fragments.byKey)
	s.TimeWaits = e.timeWaits.size
	s.HalfOpen = e.halfOpen
	s.Conns = e.table.size - e.halfOpen
	s.Listeners = e.listeners.size
	for l := e.listeners.first; l != nil; l = l.after {
		s.AcceptWait += l.backlog.waiting()
	}
	return s
}

// Add adds the counts of another shard.
func (s *UDPStats) Add(t *UDPStats) {
	s.In += t.In
	s.Out += t.Out
	s.NoPort += t.NoPort
	s.QueueFull += t.QueueFull
	s.Fragmented += t.Fragmented
	s.Sockets += t.Sockets
}

// Add adds the counts of another shard.
func (s *FragmentStats) Add(t *FragmentStats) {
	s.In += t.In
	s.Whole += t.Whole
	s.TimedOut += t.TimedOut
	s.Overlaps += t.Overlaps
	s.Evicted += t.Evicted
	s.Waiting += t.Waiting
}
