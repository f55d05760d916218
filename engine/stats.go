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
	TimeWaitOverflows              uint64 // records removed early
	OrphanOverflows                uint64 // orphans reset because there were too many
	ResetsSuppressed               uint64 // over ResetRate
	ICMPIn, ICMPOut                uint64
	ICMPSuppressed                 uint64 // over ICMPRate
	NoRoute                        uint64 // packets not sent: no way to their destination
	ReplyOverflows                 uint64 // packets not sent: too many wait for Output
	Conns, HalfOpen, TimeWaits     int    // now
	Listeners, Orphans, AcceptWait int    // now
}

// Stats returns the counts.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.TCP = *e.tcp.Counters
	s.TimeWaits = e.timeWaits.size
	s.HalfOpen = e.halfOpen
	s.Conns = e.table.size - e.halfOpen
	s.Listeners = len(e.listeners.list)
	for _, l := range e.listeners.list {
		s.AcceptWait += l.backlog.waiting()
	}
	return s
}
