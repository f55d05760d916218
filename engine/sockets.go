package engine

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// SocketInfo is one line of a socket table, as ss prints it.
type SocketInfo struct {
	State        tcp.State
	Tuple        wire.FourTuple // a listener's remote side is zero
	RecvQ, SendQ int            // bytes; of a listener: waiting, and backlog
	Timer        tcp.Timer      // the next timer
	Expires      tcp.Time       // 0: none
	Orphan       bool           // no user owns it
	Since        tcp.Time       // when it entered the state; 0: unknown
}

// Sockets calls f for every listener, half-open connection, connection and
// TIME-WAIT record, in an order that does not depend on chance.
func (e *Engine) Sockets(now tcp.Time, f func(*SocketInfo)) {
	for l := e.listeners.first; l != nil; l = l.after {
		f(l.info())
	}
	var nodes []*node
	e.table.all(func(n *node) { nodes = append(nodes, n) })
	slices.SortFunc(nodes, func(a, b *node) int { return compareTuples(a.tuple(), b.tuple()) })
	for _, n := range nodes {
		if n.half != nil {
			f(&SocketInfo{
				State: tcp.StateSynReceived, Tuple: n.half.tuple,
				Timer: tcp.TimerRetransmit, Expires: n.at, Orphan: true, Since: n.half.sentAt,
			})
			continue
		}
		f(n.conn.info(now))
	}
	for i := e.timeWaits.first; i != 0; i = e.timeWaits.at(i).next {
		r := e.timeWaits.at(i)
		f(&SocketInfo{
			State: tcp.StateTimeWait, Tuple: r.tuple,
			Timer: tcp.TimerTimeWait, Expires: r.expires, Orphan: true, Since: r.expires.Add(-e.cfg.TimeWait),
		})
	}
}

func compareTuples(a, b *wire.FourTuple) int {
	return cmp.Or(
		bytes.Compare(a.LocalAddr[:], b.LocalAddr[:]), cmp.Compare(a.LocalPort, b.LocalPort),
		bytes.Compare(a.RemoteAddr[:], b.RemoteAddr[:]), cmp.Compare(a.RemotePort, b.RemotePort),
	)
}

func (l *Listener) info() *SocketInfo {
	i := &SocketInfo{
		State: tcp.StateListen,
		RecvQ: l.backlog.waiting(), SendQ: min(l.backlog.limit, l.engine.cfg.MaxBacklog),
	}
	i.Tuple.LocalPort = l.addr.Port()
	if ip := l.addr.Addr(); ip.IsValid() {
		i.Tuple.LocalAddr = wire.AddrFrom(ip)
	}
	return i
}

func (c *Conn) info(now tcp.Time) *SocketInfo {
	t := c.tcp.Info(now)
	i := &SocketInfo{
		State: t.State, Tuple: *c.tcp.ID(),
		RecvQ: t.Unread, SendQ: t.Unacked + t.NotSent, Orphan: c.orphan,
	}
	i.Timer, i.Expires = c.tcp.ShownTimer()
	if t.InState > 0 {
		i.Since = now.Add(-t.InState)
	}
	return i
}

// InfoOf is Conn.Info of the connection with the 4-tuple; it reports false
// when there is none. Half-open connections and TIME-WAIT records have no Info.
func (e *Engine) InfoOf(now tcp.Time, t wire.FourTuple) (tcp.Info, bool) {
	n := e.table.lookup(uint32(e.keys.table.hash(&t)), &t)
	if n == nil || n.conn == nil {
		return tcp.Info{}, false
	}
	return n.conn.Info(now), true
}

// StateOf returns the state of the connection with the 4-tuple, LISTEN when
// there is none but a listener would take it, else CLOSED.
func (e *Engine) StateOf(t wire.FourTuple) tcp.State {
	hash := uint32(e.keys.table.hash(&t))
	if n := e.table.lookup(hash, &t); n != nil {
		if n.half != nil {
			return tcp.StateSynReceived
		}
		return n.conn.tcp.State()
	}
	if e.timeWaits.lookup(hash, &t) != 0 {
		return tcp.StateTimeWait
	}
	if e.listeners.lookup(&t, &e.keys.spread) != nil {
		return tcp.StateListen
	}
	return tcp.StateClosed
}
