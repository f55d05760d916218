package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Fabric is a network without its hosts: links, and the switches, routers and
// middleboxes between them. It has no clock of its own: its owner calls Deliver
// when NextTimeout says. Network joins engines by one, package netsim whole
// stacks. It is not safe for concurrent use.
type Fabric struct {
	seed     uint64
	clock    func() tcp.Time
	onPacket func(now tcp.Time, p *trace.Packet)

	links    []*Link
	lines    []*line
	sent     int // packets, for their numbers
	topology int // counts the changes
	parcels  parcels
	in       wire.Packet // being handed over
	merged   wire.Batch  // the same, when it was coalesced
	scratch  []byte

	filter func(now tcp.Time, p *trace.Packet) Verdict
	rules  []*Rule
	boxes  int // middleboxes on all links
	sight  sight

	middles int // routers and NATs
}

// NewFabric returns a network without anything in it. The clock is asked for
// the time, which never is 0 and never goes back. onPacket is as
// Config.OnPacket and may be nil.
func NewFabric(seed uint64, clock func() tcp.Time, onPacket func(tcp.Time, *trace.Packet)) *Fabric {
	return &Fabric{seed: seed, clock: clock, onPacket: onPacket}
}

// Secret derives 32 bytes from the seed and a label.
func (f *Fabric) Secret(label string) [32]byte {
	b := binary.BigEndian.AppendUint64(nil, f.seed)
	return sha256.Sum256(append(b, label...))
}

// Filter sets a function that sees every packet as it is sent and may drop,
// delay, duplicate or corrupt it, on top of what the link does. It must not
// call the network. Nil: none.
func (f *Fabric) Filter(filter func(now tcp.Time, p *trace.Packet) Verdict) { f.filter = filter }

// Links returns the links in the order in which they were made.
func (f *Fabric) Links() []*Link { return f.links }

// NextTimeout returns when the next packet may arrive, 0 for never.
func (f *Fabric) NextTimeout() tcp.Time {
	var next tcp.Time
	for _, x := range f.lines {
		next = tcp.Earliest(next, x.pipe.NextTimeout())
	}
	return next
}

// Deliver hands over the packets that have arrived, link by link.
func (f *Fabric) Deliver() {
	now := f.clock()
	for i := 0; i < len(f.lines); i++ { // a handler may join more
		x := f.lines[i]
		for x.pipe.NextTimeout().Due(now) {
			if x.pipe.settings.Coalesce > 0 {
				f.interrupt(now, x)
				break
			}
			if !f.take(now, x, &f.in) {
				break
			}
			x.to.station.input(now, x.to, &f.in)
			f.in.Release()
		}
	}
}

// take makes p the packet that has arrived next over the line, if there is one.
func (f *Fabric) take(now tcp.Time, x *line, p *wire.Packet) bool {
	a, ok := x.pipe.Receive(now, p)
	if !ok {
		return false
	}
	p.Link = x.to.index
	if f.onPacket != nil {
		f.tell(now, x.describe(&a, trace.FateDelivered, now, p.Contiguous()))
	}
	return true
}

// interrupt hands over all that has arrived, merged as GRO does.
func (f *Fabric) interrupt(now tcp.Time, x *line) {
	for f.take(now, x, f.merged.Next()) {
	}
	pkts := f.merged.Packets[:f.merged.Len()-1]
	n := wire.Merge(pkts)
	for i := range pkts[:n] {
		x.to.station.input(now, x.to, &pkts[i])
	}
	f.merged.Release()
}

// observed reports whether packets have to cross links one by one, since
// somebody looks at them.
func (f *Fabric) observed() bool {
	return f.onPacket != nil || f.filter != nil || len(f.rules) > 0 || f.boxes > 0
}

// tell shows a packet to the hook.
func (f *Fabric) tell(now tcp.Time, p trace.Packet) {
	if f.onPacket != nil {
		shown := p // so that p itself need not be on the heap
		f.onPacket(now, &shown)
	}
}

// station is what all nodes have in common.
type station struct {
	fabric *Fabric
	name   string
	addrs  []netip.Addr
	ports  []*port
	// input handles a packet that came in by a port. Its bytes are borrowed,
	// unless it takes them.
	input func(now tcp.Time, at *port, p *wire.Packet)
	// leads reports whether packets that came in by one port may leave by
	// another. Nil: none do.
	leads func(in, out *port) bool
	// attached is told of a new port. Nil: it does not care.
	attached func(*port)
}

// Node is what links join: a Host, Endpoint, Switch, Router or NAT.
type Node interface {
	// Name returns the node's name.
	Name() string
	node() *station
}

// Name returns the node's name.
func (s *station) Name() string { return s.name }

func (s *station) node() *station { return s }

// port is a node's end of a link.
type port struct {
	station *station
	index   int // in the station's ports
	out     *line
	peer    *port
	mtu     int
	super   int // largest payload of a super-segment
}

func (f *Fabric) add(s *station) {
	s.fabric = f
	f.topology++
}

// Endpoint is a host as a Fabric sees it: addresses, and a function that takes
// what arrives.
type Endpoint struct {
	station
	deliver func(port int, p *wire.Packet)
}

// AddEndpoint adds a host. Deliver is called with every packet that arrives,
// which it borrows, and may call the Fabric. Attached is called when a link is
// joined to the endpoint, with what the host needs to know of it.
func (f *Fabric) AddEndpoint(name string, addrs []netip.Addr, deliver func(port int, p *wire.Packet), attached func(Attachment)) *Endpoint {
	e := &Endpoint{station: station{name: name, addrs: addrs}, deliver: deliver}
	e.input = func(_ tcp.Time, at *port, p *wire.Packet) { e.deliver(at.index, p) }
	e.attached = func(at *port) { attached(at.describe()) }
	f.add(&e.station)
	return e
}

// Attachment is what a host needs to know of a link that it is joined to.
type Attachment struct {
	Index         int
	MTU, MaxSuper int
	// Addrs are the host's own addresses on the link, Routes where it leads:
	// to the peer's addresses, or everywhere if the peer is no host.
	Addrs  []netip.Addr
	Routes []netip.Prefix
}

// Links returns how many links the endpoint is joined to.
func (e *Endpoint) Links() int { return len(e.ports) }

// Attachment returns what there is to know of the i-th link of the endpoint.
func (e *Endpoint) Attachment(i int) Attachment { return e.ports[i].describe() }

func (at *port) describe() Attachment {
	p := Attachment{Index: at.index, MTU: at.mtu, MaxSuper: at.super}
	fits := func(a netip.Addr) bool { return a.Is4() || at.mtu >= minMTU6 }
	for _, a := range at.station.addrs {
		if fits(a) {
			p.Addrs = append(p.Addrs, a)
		}
	}
	peer := at.peer.station
	if peer.leads != nil {
		p.Routes = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
		if at.mtu >= minMTU6 {
			p.Routes = append(p.Routes, netip.PrefixFrom(netip.IPv6Unspecified(), 0))
		}
		return p
	}
	for _, a := range peer.addrs {
		if fits(a) {
			p.Routes = append(p.Routes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return p
}

// Send sends a packet out by the i-th link of the endpoint: one that fits the
// MTU, or a super-segment of TCP that stands for such packets, which crosses
// the link as these. It is borrowed.
func (e *Endpoint) Send(i int, p *wire.Packet) { e.ports[i].out.send(p) }
