package tcp

import (
	"github.com/trivet-net/trivet/internal/pool"
	"github.com/trivet-net/trivet/seqnum"
)

// transient is what a connection needs only while something is under way: it
// has it from when something is to be sent, or received text to be acknowledged,
// until all is acknowledged and no timer runs but that of keep-alive. Most
// connections of a host with many are at rest; and those that are not, share
// what is in the cache already.
//
// Every procedure on a Conn that may write to the transient begins with wake and
// ends with rest.
type transient struct {
	timers  [numTimers]Time // but that of keep-alive
	rtoAt   Time            // when the retransmission time-out is due, whichever timer runs; 0: never
	sent    *scoreboard     // nil while nothing is outstanding
	loss    recovery
	rack    rack
	rate    rate
	refused bool // the link refused what was sent: no more for now
	pace    pacer
	chrono  chrono
	usage   usage

	board scoreboard // that of sent, with its memory
	next  *transient // in Config.spare
}

// memory is what a connection at rest keeps of its transient.
type memory struct {
	rack rackMemory
	rate rateMemory
}

// resting is what all connections at rest have. It is never written to.
var resting transient

var transients pool.Of[transient]

// maxSpare bounds those that a Config keeps for its connections; the rest is in
// the pool, which all goroutines share.
const maxSpare = 64

// wake gives c a transient, if it has none.
func (c *Conn) wake() {
	if c.transient != &resting {
		return
	}
	c.transient = c.cfg.newTransient()
	una := c.snd.una
	c.rack = rack{rackMemory: c.memory.rack, fack: una, end: una}
	c.rate.rateMemory = c.memory.rate
	c.loss.recover, c.usage.end = una.Add(^seqnum.Size(0)), una
}

// rest gives it back, when nothing is under way.
func (c *Conn) rest(now Time) {
	if c.transient == &resting || !c.still(now) {
		return
	}
	c.sndbuf.clear()
	if c.rcvbuf.size == 0 {
		c.rcvbuf.clear()
	}
	t := c.transient
	c.memory = memory{rack: t.rack.rackMemory, rate: t.rate.rateMemory}
	c.transient = &resting
	c.cfg.freeTransient(t)
}

// still reports whether nothing is under way, and nothing will need what is known
// of what was.
func (c *Conn) still(now Time) bool {
	l := &c.loss
	switch {
	case c.sent != nil, c.sndbuf.size > 0, c.rtoAt != 0, c.wants.any(), c.timers != [numTimers]Time{}:
		return false
	case c.dead():
		return true
	}
	return c.snd.una == c.snd.nxt && c.chrono.now == limitIdle && c.pace.next <= now &&
		l.phase == lossOpen && !l.force && l.dupAcks == 0 && l.inflate == 0 && !l.prr.on && !l.undo.on &&
		!l.tlp.active && !l.tlp.stale && l.recover.Less(c.snd.una)
}

func (c *Config) newTransient() *transient {
	t := c.spare
	if t == nil {
		return transients.Get()
	}
	c.spare, t.next = t.next, nil
	c.numSpare--
	return t
}

func (c *Config) freeTransient(t *transient) {
	t.board.empty()
	*t = transient{board: t.board}
	if c.numSpare == maxSpare {
		transients.Put(t)
		return
	}
	t.next, c.spare = c.spare, t
	c.numSpare++
}

// newScoreboard returns the connection's scoreboard, empty.
func (c *Conn) newScoreboard() *scoreboard {
	c.board.empty()
	return &c.board
}
