package lab

import (
	"slices"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// details are what the run records beside its log: the variables of every
// connection whenever it is at rest again, and the socket tables.
type details struct {
	dirty     []ending
	listeners []string // hosts that something happened to of which no connection knows
	snapshots []snapshot
	tables    []table
	last      map[string]*table
	queues    []queueSample
	lastQueue map[string]queueSample // by host
	states    map[ending]tcp.State   // as the last event of each end has it
}

// ending is one end of a connection.
type ending struct {
	host  string
	tuple wire.FourTuple
}

// snapshot is what Info told when the log had so many entries.
type snapshot struct {
	ending
	time    tcp.Time
	entries int
	info    tcp.Info // of a record the state alone
	record  bool     // a half-open connection, TIME-WAIT, or nothing any more
}

// table is a host's socket table from a moment on.
type table struct {
	time    tcp.Time
	host    string
	entries int // of the log
	rows    []engine.SocketInfo
	more    int // sockets that rows leaves out
}

// queueSample is how full a host's queues are from a moment on.
type queueSample struct {
	time                        tcp.Time
	host                        string
	synQueue, accept, timeWaits int
	linkOut                     int // bytes waiting to be sent on the link
}

// The bounds of what is recorded.
const (
	maxTableRows = 24
	maxSnapshots = 50_000
	maxTables    = 5_000
)

// state remembers the state that an end went to.
func (d *details) state(host string, e *tcp.Event) {
	if d.states == nil {
		d.states = map[ending]tcp.State{}
	}
	d.states[ending{host, e.Tuple}] = e.To
}

// note remembers that something happened to a connection.
func (d *details) note(host string, t wire.FourTuple) {
	if t.RemotePort == 0 {
		if !slices.Contains(d.listeners, host) {
			d.listeners = append(d.listeners, host)
		}
		return
	}
	e := ending{host, t}
	if !slices.Contains(d.dirty, e) {
		d.dirty = append(d.dirty, e)
	}
}

// rest records the variables of a host's connections that something happened
// to. Its engine is at rest.
func (s *stage) rest(host string) {
	d := &s.details
	kept := d.dirty[:0]
	i := slices.Index(d.listeners, host)
	changed := i >= 0
	if changed {
		d.listeners = slices.Delete(d.listeners, i, i+1)
	}
	for _, e := range d.dirty {
		if e.host != host {
			kept = append(kept, e)
			continue
		}
		changed = true
		if len(d.snapshots) < maxSnapshots {
			d.snapshots = append(d.snapshots, s.snapshot(e))
		}
	}
	d.dirty = kept
	if changed {
		s.lookAtSockets(host)
	}
}

func (s *stage) restAll() {
	for _, h := range s.net.Hosts() {
		s.rest(h.Name())
	}
}

// snapshot asks the host for a connection. Of a record the state is all there
// is.
func (s *stage) snapshot(e ending) snapshot {
	eng := s.host(e.host).Engine()
	info, ok := eng.InfoOf(s.net.Now(), e.tuple)
	if !ok {
		info.State = eng.StateOf(e.tuple)
		if last, known := s.details.states[e]; known && last == tcp.StateClosed && info.State == tcp.StateListen {
			info.State = last // the listener is there, the connection is gone
		}
	}
	return snapshot{ending: e, time: s.net.Now(), entries: len(s.log.Entries), info: info, record: !ok}
}

// lookAtSockets records the socket table and the queues of a host if they
// changed.
func (s *stage) lookAtSockets(name string) {
	d, h := &s.details, s.host(name)
	stats := h.Engine().Stats()
	q := queueSample{
		time: s.net.Now(), host: name, synQueue: stats.HalfOpen, accept: stats.AcceptWait,
		timeWaits: stats.TimeWaits,
	}
	if ab, ba := s.link.Queued(); h == s.client {
		q.linkOut = ab
	} else if h == s.server {
		q.linkOut = ba
	}
	d.addQueue(q)
	if len(d.tables) >= 2*maxTables {
		return // the queues tell enough
	}
	t := table{time: s.net.Now(), host: name, entries: len(s.log.Entries)}
	h.Engine().Sockets(s.net.Now(), func(i *engine.SocketInfo) {
		if len(t.rows) < maxTableRows {
			t.rows = append(t.rows, *i)
		} else {
			t.more++
		}
	})
	if d.last == nil {
		d.last = map[string]*table{}
	}
	same := func(a, b engine.SocketInfo) bool { return a == b }
	if len(d.tables) >= maxTables { // from now on what comes, goes, and changes its state
		same = func(a, b engine.SocketInfo) bool { return a.Tuple == b.Tuple && a.State == b.State }
	}
	if last := d.last[name]; last != nil && last.more == t.more && slices.EqualFunc(last.rows, t.rows, same) {
		return
	}
	d.tables = append(d.tables, t)
	d.last[name] = &t
}

// addQueue adds a sample unless it says what the last one of the host said.
func (d *details) addQueue(q queueSample) {
	last := d.lastQueue[q.host]
	last.time = q.time
	if last == q {
		return
	}
	if d.lastQueue == nil {
		d.lastQueue = map[string]queueSample{}
	}
	d.queues, d.lastQueue[q.host] = append(d.queues, q), q
}
