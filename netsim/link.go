package netsim

import (
	"github.com/trivet-net/trivet/sim"
)

// Link joins two nodes. Its methods are safe for concurrent use.
type Link struct {
	network *Network
	link    *sim.Link      // this and cfg are guarded by Network.wires
	cfg     sim.LinkConfig // as the options left it
}

// Link joins two nodes. Hosts reach each other's addresses over it, and
// everything if the other end is a switch, router or NAT. Options out of range
// panic.
func (n *Network) Link(a, b Node, options ...Option) *Link {
	var cfg sim.LinkConfig
	for _, o := range options {
		o(&cfg)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &Link{network: n, cfg: cfg}
	na, ha := n.nodeOf(a)
	nb, hb := n.nodeOf(b)
	l.locked(func() { l.link = n.fabric.Connect(na, nb, cfg) })
	for _, h := range []*host{ha, hb} {
		if h != nil && !h.down {
			n.attach(h, len(h.ends))
		}
	}
	return l
}

// locked calls f with the wires held.
func (l *Link) locked(f func()) { l.network.locked(f) }

// read calls f, which moves no packet, with the wires held.
func (n *Network) read(f func()) {
	n.wires.Lock()
	defer n.wires.Unlock()
	f()
}

// locked calls f with the wires held, and then lets packets move.
func (n *Network) locked(f func()) {
	n.wires.Lock()
	defer n.wires.Unlock()
	f()
	n.settle()
}

// Set changes the link: the options given replace what the link had, the
// others stay. What waits to be sent meets the new settings, what is on its way
// keeps its time.
func (l *Link) Set(options ...Option) {
	l.locked(func() {
		cfg := l.cfg
		for _, o := range options {
			o(&cfg)
		}
		l.link.Set(cfg.AtoB, cfg.BtoA)
		l.cfg = cfg
	})
}

// Unplug cuts the link: what is on its way and what is sent from now on is
// lost, until Plug. The hosts are not told.
func (l *Link) Unplug() { l.locked(l.link.Unplug) }

// Plug mends the link.
func (l *Link) Plug() { l.locked(l.link.Plug) }

// UnplugFrom cuts the direction that leads away from the node, which still
// hears and is not heard: a partition of one way.
func (l *Link) UnplugFrom(from Node) {
	node := l.network.resolveNode(from)
	l.locked(func() { l.link.UnplugFrom(node) })
}

// PlugFrom mends the direction that leads away from the node.
func (l *Link) PlugFrom(from Node) {
	node := l.network.resolveNode(from)
	l.locked(func() { l.link.PlugFrom(node) })
}

func (n *Network) resolveNode(x Node) sim.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	node, _ := n.nodeOf(x)
	return node
}

// Insert puts a middlebox on the link, behind those that are there: one of
// package sim's, as sim.StripOptions, or one's own, which must not call the
// network.
func (l *Link) Insert(m sim.Middlebox) { l.locked(func() { l.link.Insert(m) }) }

// Inject sends an IP packet into the link as if the node had sent it; see
// sim.SegmentPacket.
func (l *Link) Inject(from Node, packet []byte) {
	node := l.network.resolveNode(from)
	l.locked(func() { l.link.Inject(node, packet) })
}

// Stats returns the counts of packets from the first node to the second, and
// back.
func (l *Link) Stats() (forward, backward sim.Stats) {
	l.network.read(func() { forward, backward = l.link.Stats() })
	return forward, backward
}
