package engine

import (
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// numSlots is how many counters the choice of ports has: two destinations that
// share one share its steps, and nothing else.
const numSlots = 1024

// portSlots are the counters of RFC 6056, Section 3.3.4.
type portSlots struct {
	slots [numSlots]uint32
	next  uint32 // for ports of listeners
}

// choosePort sets t.LocalPort to an ephemeral port and returns the hash of t.
// RFC 6056, Section 3.3.4 (double hash): the search begins at a place that
// depends on a secret and the destination, and moves on with each connection,
// by a step that an outsider cannot tell, so that a port comes back late. A
// port need only be free for this destination. It looks at each port once and
// reports false when none is free.
func (e *Engine) choosePort(now tcp.Time, t *wire.FourTuple) (hash uint32, ok bool) {
	t.LocalPort = 0
	first, n := uint32(e.cfg.FirstPort), uint32(e.cfg.LastPort)-uint32(e.cfg.FirstPort)+1
	slot := &e.ports.slots[e.keys.slot.hash(t)%numSlots]
	start := (uint32(e.keys.port.hashStrong(t)) + *slot) % n
	for i := range n {
		port := uint16(first + (start+i)%n)
		if t.LocalAddr == t.RemoteAddr && port == t.RemotePort {
			continue // it would connect to itself (SOCK-101)
		}
		if e.listeners.byPort[port] != nil {
			continue
		}
		t.LocalPort = port
		h := e.keys.table.hash(t)
		if shardOf(h, e.cfg.Shards) == e.cfg.Shard && e.usable(now, t, uint32(h), reuseDelayChosen) {
			*slot += i + 1 + uint32(h>>32)%8
			return uint32(h), true
		}
	}
	return 0, false
}

// usable reports whether a connection with the tuple can be opened: there is
// none, and none that was in TIME-WAIT for less than delay.
func (e *Engine) usable(now tcp.Time, t *wire.FourTuple, hash uint32, delay time.Duration) bool {
	if e.table.lookup(hash, t) != nil {
		return false
	}
	i := e.timeWaits.lookup(hash, t)
	return i == 0 || e.reusable(now, i, delay)
}

// listenPort chooses an ephemeral port that no listener uses, or else one that those
// of other addresses use; 0 when there is none.
func (e *Engine) listenPort(ip netip.Addr) uint16 {
	n := uint32(e.cfg.LastPort) - uint32(e.cfg.FirstPort) + 1
	t := wire.FourTuple{RemotePort: 1}
	if ip.IsValid() {
		t.LocalAddr = wire.AddrFrom(ip)
	}
	start := (uint32(e.keys.port.hashStrong(&t)) + e.ports.next) % n
	for _, beside := range []bool{false, true} {
		for i := range n {
			port := e.cfg.FirstPort + uint16((start+i)%n)
			if others := e.listeners.byPort[port]; others == nil || beside && !overlapAny(ip, others) {
				e.ports.next += i + 1
				return port
			}
		}
	}
	return 0
}
