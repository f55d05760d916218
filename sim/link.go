package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// LinkConfig says how two hosts are joined.
type LinkConfig struct {
	// AtoB and BtoA are the two directions.
	AtoB, BtoA Settings
	// MTU is the largest IP packet that the hosts send, in bytes. Zero: 1500.
	// Under 1280 there is no IPv6 over the link (RFC 8200, Section 5).
	MTU int
	// MaxSuper lets the hosts form super-segments of so many bytes of payload,
	// which are cut as a device with segmentation offload would. Zero: none.
	MaxSuper int
}

// Symmetric returns a link with the same settings in both directions.
func Symmetric(s Settings) LinkConfig { return LinkConfig{AtoB: s, BtoA: s} }

const (
	defaultMTU = 1500
	minMTU6    = 1280
)

// Link joins two hosts.
type Link struct {
	network *Network
	a, b    *Host
	ab, ba  *line
}

// line is one direction of a link with its two hosts.
type line struct {
	pipe     *Pipe
	from, to *Host
	index    int // of to's interface
}

// Connect joins two hosts by a link, over which each reaches the other's
// addresses. Settings out of range panic.
func (n *Network) Connect(a, b *Host, cfg LinkConfig) *Link {
	for _, s := range []Settings{cfg.AtoB, cfg.BtoA} {
		if err := s.Check(); err != nil {
			panic(err)
		}
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	l := &Link{network: n, a: a, b: b}
	l.ab, l.ba = n.newLine(a, b, cfg.AtoB), n.newLine(b, a, cfg.BtoA)
	a.attach(l.ab, b, cfg)
	b.attach(l.ba, a, cfg)
	l.ab.index, l.ba.index = len(b.ports)-1, len(a.ports)-1
	n.links = append(n.links, l)
	n.lines = append(n.lines, l.ab, l.ba)
	return l
}

// newLine makes a direction whose dice depend on the seed, the two names and
// how many links the two have already, and on nothing else in the network.
func (n *Network) newLine(from, to *Host, s Settings) *line {
	before := 0
	for _, l := range n.lines {
		if l.from == from && l.to == to {
			before++
		}
	}
	seed := n.secret(fmt.Sprintf("line %q %q %d", from.name, to.name, before))
	pipe := NewPipe(s, binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:16]))
	return &line{pipe: pipe, from: from, to: to}
}

// Settings returns the settings of both directions.
func (l *Link) Settings() (ab, ba Settings) { return l.ab.pipe.Settings(), l.ba.pipe.Settings() }

// Set changes the settings of both directions for packets sent from now on.
// Settings out of range panic.
func (l *Link) Set(ab, ba Settings) {
	for _, s := range []Settings{ab, ba} {
		if err := s.Check(); err != nil {
			panic(err)
		}
	}
	l.ab.pipe.Set(ab)
	l.ba.pipe.Set(ba)
}

// Stats returns the counts of both directions.
func (l *Link) Stats() (ab, ba Stats) { return l.ab.pipe.Stats(), l.ba.pipe.Stats() }

// Unplug cuts the link: what is on its way and what is sent from now on is
// lost, until Plug.
func (l *Link) Unplug() {
	for _, x := range []*line{l.ab, l.ba} {
		for _, a := range x.pipe.Unplug() {
			l.network.tell(x.describe(&a, trace.FateUnplugged, l.network.now))
			a.Data.Release()
		}
	}
}

// Plug mends the link.
func (l *Link) Plug() {
	l.ab.pipe.Plug()
	l.ba.pipe.Plug()
}

// send gives a packet to the line, numbers it and tells of it.
func (x *line) send(data []byte) {
	n := x.from.network
	n.sent++
	p := trace.Packet{Number: n.sent, From: x.from.name, To: x.to.name, Sent: n.now, Data: data}
	var v Verdict
	if n.filter != nil {
		shown := p
		v = n.filter(n.now, &shown)
	}
	n.tell(p)
	if fate := x.pipe.Send(n.now, n.sent, data, v); fate.Lost() {
		p.Fate, p.End = fate, n.now
		n.tell(p)
	}
}

// describe tells of a packet that the pipe gave back.
func (x *line) describe(a *Arrival, fate trace.Fate, now tcp.Time) trace.Packet {
	return trace.Packet{
		Number: a.Number, Copy: a.Copy, From: x.from.name, To: x.to.name,
		Sent: a.Sent, End: now, Fate: fate,
		Corrupted: a.Corrupted, Delayed: a.Delayed, Data: a.Data.Data,
	}
}

// attach gives the host an interface at the line.
func (h *Host) attach(out *line, peer *Host, cfg LinkConfig) {
	h.ports = append(h.ports, port{out: out, mtu: cfg.MTU, maxSuper: cfg.MaxSuper, peer: peer})
	h.addInterface(len(h.ports) - 1)
}

// addInterface tells the engine of a port. The addresses are the host's own
// alone; a route leads to the peer's.
func (h *Host) addInterface(i int) {
	p := &h.ports[i]
	own, others := []netip.Addr{h.addr4}, []netip.Addr{p.peer.addr4}
	if p.mtu >= minMTU6 {
		own, others = append(own, h.addr6), append(others, p.peer.addr6)
	}
	config := engine.Interface{Index: i, MTU: p.mtu, MaxSuper: p.maxSuper}
	for _, a := range own {
		config.Prefixes = append(config.Prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
	err := h.engine.AddInterface(config)
	for _, a := range others {
		if err == nil {
			err = h.engine.AddRoute(netip.PrefixFrom(a, a.BitLen()), i)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("sim: interface %d of %s: %v", i, h.name, err))
	}
}
