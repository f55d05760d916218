package netsim

import (
	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/sim"
)

// Link joins two hosts. Its methods are safe for concurrent use.
type Link struct {
	network *Network
	link    *sim.Link      // this and cfg are guarded by Network.wires
	cfg     sim.LinkConfig // as the options left it
}

// Link joins two hosts, which reach each other's addresses over it. Options
// out of range panic.
func (n *Network) Link(a, b *trivet.Stack, options ...Option) *Link {
	var cfg sim.LinkConfig
	for _, o := range options {
		o(&cfg)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &Link{network: n, cfg: cfg}
	ha, hb := n.of(a), n.of(b)
	n.wires.Lock()
	func() {
		defer n.wires.Unlock()
		l.link = n.fabric.Connect(ha.endpoint, hb.endpoint, cfg)
	}()
	n.attach(ha, len(ha.ends))
	n.attach(hb, len(hb.ends))
	return l
}

// Set changes the link: the options given replace what the link had, the
// others stay. What waits to be sent meets the new settings, what is on its way
// keeps its time.
func (l *Link) Set(options ...Option) {
	l.do(func() {
		for _, o := range options {
			o(&l.cfg)
		}
		l.link.Set(l.cfg.AtoB, l.cfg.BtoA)
	})
}

// do calls f with the wires held.
func (l *Link) do(f func()) {
	l.network.wires.Lock()
	defer l.network.wires.Unlock()
	f()
	l.network.settle()
}

// Unplug cuts the link: what is on its way and what is sent from now on is
// lost, until Plug. The hosts are not told.
func (l *Link) Unplug() { l.do(l.link.Unplug) }

// Plug mends the link.
func (l *Link) Plug() { l.do(l.link.Plug) }

// Stats returns the counts of packets from the first host to the second, and
// back.
func (l *Link) Stats() (forward, backward sim.Stats) {
	l.do(func() { forward, backward = l.link.Stats() })
	return forward, backward
}
