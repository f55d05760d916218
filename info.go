package trivet

import (
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// Info tells about the connection: what Linux's TCP_INFO tells, and the
// variables of RFC 9293, Section 3.3.1. It works after Close too.
func (c *Conn) Info() tcp.Info {
	now := c.shard.lock()
	defer c.shard.mu.Unlock()
	return c.e.Info(now)
}

// Connections returns the host's socket table: listeners, half-open
// connections, connections, and TIME-WAIT records. Times in it are on the
// clock of Now.
func (s *Stack) Connections() []engine.SocketInfo {
	var table []engine.SocketInfo
	s.eachSocket(func(_ *engine.Engine, _ tcp.Time, info *engine.SocketInfo) { table = append(table, *info) })
	return table
}

// eachSocket calls f for each line of the socket table with the engine that has it,
// whose shard is locked.
func (s *Stack) eachSocket(f func(e *engine.Engine, now tcp.Time, info *engine.SocketInfo)) {
	for i, sh := range s.shards {
		now := sh.lock()
		sh.engine.Sockets(now, func(info *engine.SocketInfo) {
			if i > 0 && info.State == tcp.StateListen {
				return // its other parts are the same listener
			}
			f(sh.engine, now, info)
		})
		sh.mu.Unlock()
	}
}

// Socket is a line of the socket table with what Info tells. Info is the zero
// value, but for its State, where there is no connection: for listeners,
// half-open connections and TIME-WAIT records.
type Socket struct {
	engine.SocketInfo
	Info tcp.Info
}

// Sockets is Connections with the Info of each connection.
func (s *Stack) Sockets() []Socket {
	var table []Socket
	s.eachSocket(func(e *engine.Engine, now tcp.Time, info *engine.SocketInfo) {
		row := Socket{SocketInfo: *info, Info: tcp.Info{State: info.State}}
		if t, ok := e.InfoOf(now, info.Tuple); ok {
			row.Info = t
		}
		table = append(table, row)
	})
	return table
}

// Stats are counts since New, and what there is now, of the whole host.
type Stats struct {
	engine.Stats
	Links []LinkStats
}

// LinkStats count the packets of one link. A super-segment counts once where
// the link takes or gives it whole.
type LinkStats struct {
	Link                 link.Link
	RxPackets, TxPackets uint64
	TxDropped            uint64 // not taken by the link
	Down                 error  // with which Read ended; nil while it goes on
}

// Stats returns the counts.
func (s *Stack) Stats() Stats {
	var sum Stats
	for i, sh := range s.shards {
		sh.mu.Lock()
		st := sh.engine.Stats()
		sh.mu.Unlock()
		if i > 0 {
			st.Listeners, st.AcceptWait = 0, 0 // shared by all shards
		}
		sum.add(&st)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.links {
		if a != nil {
			sum.Links = append(sum.Links, a.stats())
		}
	}
	return sum
}

func (a *attachment) stats() LinkStats {
	st := LinkStats{
		Link: a.link, RxPackets: a.rxPackets.Load(),
		TxPackets: a.txPackets.Load(), TxDropped: a.txDropped.Load(),
	}
	if err := a.down.Load(); err != nil {
		st.Down = *err
	}
	return st
}

func (s *Stats) add(t *engine.Stats) {
	s.TCP.Add(&t.TCP)
	s.PacketsIn += t.PacketsIn
	s.PacketsOut += t.PacketsOut
	for i, n := range t.Drops {
		s.Drops[i] += n
	}
	s.ListenOverflows += t.ListenOverflows
	s.ListenDrops += t.ListenDrops
	s.CookiesSent += t.CookiesSent
	s.CookiesAccepted += t.CookiesAccepted
	s.CookiesRefused += t.CookiesRefused
	s.TimeWaitOverflows += t.TimeWaitOverflows
	s.OrphanOverflows += t.OrphanOverflows
	s.ResetsSuppressed += t.ResetsSuppressed
	s.ICMPIn += t.ICMPIn
	s.ICMPOut += t.ICMPOut
	s.ICMPSuppressed += t.ICMPSuppressed
	s.NoRoute += t.NoRoute
	s.ReplyOverflows += t.ReplyOverflows
	s.UDP.Add(&t.UDP)
	s.Fragments.Add(&t.Fragments)
	s.Conns += t.Conns
	s.HalfOpen += t.HalfOpen
	s.TimeWaits += t.TimeWaits
	s.Listeners += t.Listeners
	s.Orphans += t.Orphans
	s.AcceptWait += t.AcceptWait
}
