package engine

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// timeWait is what is left of a connection in TIME-WAIT. It has no pointers,
// so that the garbage collector never looks at a million of them.
type timeWait struct {
	expires  tcp.Time
	answered tcp.Time // the last answer that answerInterval limits
	tuple    wire.FourTuple
	hash     uint32
	chain    index // next in the hash chain, or in the list of free records
	prev     index // in the order of expiry
	next     index
	sndNxt   seqnum.Value
	rcvNxt   seqnum.Value
	tsRecent uint32
	rcvWnd   uint16 // as on the wire
	tos, ttl uint8
	hasTS    bool
}

// index names a record, from 1; 0 is none.
type index uint32

// timeWaits is the table of all records. They live in slabs and never move;
// all stay for the same time, so that the order of entry is that of expiry.
type timeWaits struct {
	slabs   [][]timeWait
	used    index   // records handed out at least once
	free    index   // the first of those given back
	buckets []index // a power of two
	size    int
	first   index // the next one to expire
	last    index
}

const (
	slabBits = 8
	slabSize = 1 << slabBits
)

func (t *timeWaits) at(i index) *timeWait {
	return &t.slabs[(i-1)>>slabBits][(i-1)&(slabSize-1)]
}

// lookup returns the record with the tuple, 0 if there is none.
func (t *timeWaits) lookup(hash uint32, tuple *wire.FourTuple) index {
	if t.size == 0 {
		return 0
	}
	for i := *t.bucket(hash); i != 0; {
		r := t.at(i)
		if r.hash == hash && r.tuple == *tuple {
			return i
		}
		i = r.chain
	}
	return 0
}

func (t *timeWaits) bucket(hash uint32) *index {
	return &t.buckets[hash&uint32(len(t.buckets)-1)]
}

// add returns a new record with the tuple, which is not in the table.
func (t *timeWaits) add(hash uint32, tuple *wire.FourTuple, expires tcp.Time) *timeWait {
	if t.size >= len(t.buckets) {
		t.grow()
	}
	i := t.free
	if i != 0 {
		t.free = t.at(i).chain
	} else {
		if int(t.used) == len(t.slabs)*slabSize {
			t.slabs = append(t.slabs, make([]timeWait, slabSize))
		}
		t.used++
		i = t.used
	}
	r, b := t.at(i), t.bucket(hash)
	*r = timeWait{tuple: *tuple, hash: hash, chain: *b}
	*b = i
	t.size++
	t.enqueue(i, expires)
	return r
}

func (t *timeWaits) grow() {
	t.buckets = make([]index, max(minBuckets, 2*len(t.buckets)))
	for i := t.first; i != 0; i = t.at(i).next {
		r := t.at(i)
		b := t.bucket(r.hash)
		r.chain, *b = *b, i
	}
}

// remove gives a record back.
func (t *timeWaits) remove(i index) {
	r := t.at(i)
	p := t.bucket(r.hash)
	for *p != i {
		p = &t.at(*p).chain
	}
	*p = r.chain
	t.dequeue(i)
	r.chain, t.free = t.free, i
	t.size--
}

// restart lets a record expire later than all others.
func (t *timeWaits) restart(i index, expires tcp.Time) {
	t.dequeue(i)
	t.enqueue(i, expires)
}

func (t *timeWaits) enqueue(i index, expires tcp.Time) {
	r := t.at(i)
	r.expires, r.prev, r.next = expires, t.last, 0
	if t.last == 0 {
		t.first = i
	} else {
		t.at(t.last).next = i
	}
	t.last = i
}

func (t *timeWaits) dequeue(i index) {
	r := t.at(i)
	if r.prev == 0 {
		t.first = r.next
	} else {
		t.at(r.prev).next = r.next
	}
	if r.next == 0 {
		t.last = r.prev
	} else {
		t.at(r.next).prev = r.prev
	}
}

// nextExpiry returns when the first record expires, 0 for never.
func (t *timeWaits) nextExpiry() tcp.Time {
	if t.first == 0 {
		return 0
	}
	return t.at(t.first).expires
}

// addTimeWait makes the record of a connection that reached TIME-WAIT.
func (e *Engine) addTimeWait(now tcp.Time, c *Conn) {
	w := &e.timeWaits
	if w.size >= e.cfg.MaxTimeWait {
		e.stats.TimeWaitOverflows++
		e.endTimeWait(now, w.first, tcp.RuleTimeWaitExpired)
	}
	from := c.tcp.TimeWait()
	r := w.add(c.node.hash, c.tcp.ID(), now.Add(e.cfg.TimeWait))
	r.sndNxt, r.rcvNxt, r.rcvWnd = from.SndNxt, from.RcvNxt, from.RcvWnd
	r.hasTS, r.tsRecent = from.Timestamps, from.TSRecent
	r.tos, r.ttl = from.TOS, from.TTL
}

// endTimeWait deletes a record.
func (e *Engine) endTimeWait(now tcp.Time, i index, rule tcp.Rule) {
	t := e.timeWaits.at(i).tuple
	e.timeWaits.remove(i)
	e.rule(now, &t, rule)
	e.edge(now, &t, tcp.StateTimeWait, tcp.StateClosed, rule)
}

// expireTimeWaits deletes the records that are 2 MSL old.
func (e *Engine) expireTimeWaits(now tcp.Time) {
	for e.timeWaits.nextExpiry().Due(now) {
		if e.tcp.Trace != nil {
			t := e.timeWaits.at(e.timeWaits.first).tuple
			e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventTimer, Tuple: t, Timer: tcp.TimerTimeWait})
		}
		e.endTimeWait(now, e.timeWaits.first, tcp.RuleTimeWaitExpired)
	}
}

// EndTimeWait forgets all TIME-WAIT records, as a host that goes away does.
func (e *Engine) EndTimeWait(now tcp.Time) {
	for e.timeWaits.first != 0 {
		e.endTimeWait(now, e.timeWaits.first, tcp.RuleTimeWaitExpired)
	}
}

// recordOf returns the record of a connection that is in TIME-WAIT, 0 when it
// is gone: the tuple may have a new incarnation's by now.
func (e *Engine) recordOf(c *Conn) index {
	i := e.timeWaits.lookup(c.node.hash, c.tcp.ID())
	if i != 0 && e.timeWaits.at(i).sndNxt != c.tcp.TimeWait().SndNxt {
		return 0
	}
	return i
}

func (e *Engine) hasTimeWait(c *Conn) bool { return e.recordOf(c) != 0 }

// forgetTimeWait deletes the record of a connection that its user aborts,
// which tells the trace itself.
func (e *Engine) forgetTimeWait(c *Conn) {
	if i := e.recordOf(c); i != 0 {
		e.timeWaits.remove(i)
	}
}

// How old a record must be before our side opens the connection anew, so that
// the timestamps of the new one are larger (RFC 6191, Section 2): a second for
// a tuple that the user names, as Linux's tcp_tw_reuse_delay has it; for a port
// of our own choice ten ticks of the timestamp clock, or a client that closes
// first would run out of ports at 28,232 connections a second (ADR 7).
const (
	reuseDelay       = time.Second
	reuseDelayChosen = 10 * time.Millisecond
)

// reusable reports whether our side may open the connection of a record anew.
func (e *Engine) reusable(now tcp.Time, i index, delay time.Duration) bool {
	r := e.timeWaits.at(i)
	entered := r.expires.Add(-e.cfg.TimeWait)
	return r.hasTS && !e.tcp.NoTimestamps && now.Sub(entered) >= delay
}
