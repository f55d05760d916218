package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Engine is one shard of a host.
type Engine struct {
	cfg  Config
	tcp  *tcp.Config
	keys keys

	network   network
	table     table // connections and half-open connections
	listeners listeners
	timeWaits timeWaits
	udp       udpTable
	groups    groups
	fragments reassemblies
	paths     pathMTUs // that TCP has learnt
	fastOpens fastOpens
	fastKeys  fastOpenKeys
	cookies   [2]cookieKeys
	timers    timers
	ports     portSlots
	resets    limiter
	errors    limiter // ICMP

	halfOpen int // in the table
	dirty    dirtyList
	replies  replies
	wakes    []wake

	datagrams     sendQueue
	datagramPaths pathMTUs
	fragmentIDs   [fragmentSlots]uint32
	strays        wire.Batch // put together here, for other shards

	stats Stats // but for what Stats computes

	// Room to work in: what a packet holds, and what a connection sends.
	ip    wire.IP
	seg   wire.Segment
	icmp  wire.ICMP
	reply wire.Segment

	datagram wire.UDP
	whole    wire.Packet // before it is cut
	segs     tcp.Batch
}

// New returns an engine without interfaces.
func New(cfg Config) *Engine {
	cfg = cfg.withDefaults()
	e := &Engine{cfg: cfg, tcp: tcp.NewConfig(cfg.TCP), keys: newKeys(&cfg.Secret)}
	if e.sharesCookies() {
		// What a cookie's timestamp began, any of them goes on with.
		e.keys.timestamp = deriveKey(&cfg.CookieSecret, "timestamp offset")
	}
	e.resets, e.errors = newLimiter(cfg.ResetRate), newLimiter(cfg.ICMPRate)
	return e
}

// SetConfig changes what the host goes by: the connections and the handshakes
// that begin from now on have it, those there are keep theirs, as if they had
// been made by another host. It leaves what Secret, CookieSecret, CookieEpoch,
// Shard, Shards, ResetRate and ICMPRate were at birth, and goes on counting
// where it was.
func (e *Engine) SetConfig(cfg Config) {
	cfg = cfg.withDefaults()
	was := &e.cfg
	cfg.Secret, cfg.CookieSecret, cfg.CookieEpoch = was.Secret, was.CookieSecret, was.CookieEpoch
	cfg.Shard, cfg.Shards, cfg.ResetRate, cfg.ICMPRate = was.Shard, was.Shards, was.ResetRate, was.ICMPRate
	cfg.TCP.Counters = e.tcp.Counters
	e.cfg, e.tcp = cfg, tcp.NewConfig(cfg.TCP)
}

// ForgetPaths forgets what was learnt of the ways to other hosts: their MTUs and,
// for Fast Open, cookies, segment sizes and failures. That is right when the host
// has moved to another network.
func (e *Engine) ForgetPaths() {
	clear(e.paths)
	clear(e.datagramPaths)
	clear(e.fastOpens)
}

// Advance fires what is due. An early call is harmless.
func (e *Engine) Advance(now tcp.Time) {
	for n := e.timers.pop(now); n != nil; n = e.timers.pop(now) {
		if n.half != nil {
			e.halfOpenTimeout(now, n.half)
			continue
		}
		n.conn.tcp.Advance(now)
		e.settle(now, n.conn)
		if n.timer != 0 && n.at <= now {
			// Never the same moment again: time must pass.
			e.timers.remove(n)
			e.timers.schedule(n, now+1)
		}
	}
	e.expireTimeWaits(now)
	e.expireFragments(now)
	e.advanceGroups(now)
}

// NextTimeout returns when Advance is to be called, 0 for never.
func (e *Engine) NextTimeout() tcp.Time {
	next := tcp.Earliest(e.timers.first(), e.timeWaits.nextExpiry())
	return tcp.Earliest(next, tcp.Earliest(e.fragments.nextExpiry(), e.groups.next))
}

// settle does what follows from a connection's change: it goes to the list of
// those that have something to send, its timer is set, who waits for it is
// woken, and it leaves the table when it is over.
func (e *Engine) settle(now tcp.Time, c *Conn) {
	if c.tcp.HasOutput() {
		e.dirty.push(c)
	}
	if c.early != nil && (c.tcp.SynAcked() || c.tcp.State() == tcp.StateClosed) {
		e.handshakeOver(now, c)
	}
	if c.tcp.FastOpenOver() {
		e.dialled(now, c)
	}
	if c.attached {
		switch c.tcp.State() {
		case tcp.StateClosed:
			e.detach(c)
		case tcp.StateTimeWait:
			e.detach(c)
			e.addTimeWait(now, c)
		default:
			e.timers.schedule(&c.node, c.tcp.NextTimeout())
		}
	}
	if c.awaited != 0 && !c.waking && c.tcp.ReadyFor(c.awaited) != 0 {
		c.waking = true
		e.wakes = append(e.wakes, wake{conn: c})
	}
}

// attach puts a connection into the table.
func (e *Engine) attach(c *Conn, hash uint32) {
	c.engine, c.attached = e, true
	c.node.hash, c.node.conn = hash, c
	e.table.insert(&c.node)
}

// detach takes a connection that is over out of the table. Its user may still
// read what arrived before.
func (e *Engine) detach(c *Conn) {
	c.attached = false
	e.table.remove(&c.node)
	e.timers.remove(&c.node)
	if c.orphan {
		c.orphan = false
		e.stats.Orphans--
	}
}

// wake is something whose awaited readiness has come.
type wake struct {
	conn     *Conn
	listener *Listener
	udp      *UDPSocket
}

// Waker is told that something a user waits for has come. Wake is called from
// Engine.Wake and must not call the engine.
type Waker interface{ Wake(tcp.Ready) }

// Wake calls the wakers whose awaited readiness has come since the last call.
func (e *Engine) Wake() {
	for i := range e.wakes {
		if c := e.wakes[i].conn; c != nil {
			c.waking = false
			if r := c.tcp.ReadyFor(c.awaited); r != 0 && c.Waker != nil {
				c.awaited &^= r
				c.Waker.Wake(r)
			}
			continue
		}
		if s := e.wakes[i].udp; s != nil {
			s.woken()
			continue
		}
		l := e.wakes[i].listener
		l.waking = false
		if l.awaited && l.first != nil && l.waker != nil {
			l.awaited = false
			l.waker.Wake(tcp.Readable)
		}
	}
	clear(e.wakes)
	e.wakes = e.wakes[:0]
}
