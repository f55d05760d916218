package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// LinkConfig says how two nodes are joined.
type LinkConfig struct {
	// AtoB and BtoA are the two directions.
	AtoB, BtoA Settings
	// MTU is the largest IP packet that the nodes send, in bytes, 88 to 65535. Zero: 1500.
	// Under 1280 there is no IPv6 over the link (RFC 8200, Section 5).
	MTU int
	// MaxSuper lets the hosts form super-segments of so many bytes of payload,
	// which cross the link as the packets that a device with segmentation
	// offload would cut them into. Zero: none.
	MaxSuper int
}

// Symmetric returns a link with the same settings in both directions.
func Symmetric(s Settings) LinkConfig { return LinkConfig{AtoB: s, BtoA: s} }

const (
	defaultMTU = 1500
	minMTU6    = 1280
	maxMTU     = 65535
)

// Link joins two nodes.
type Link struct {
	fabric *Fabric
	ab, ba *line
}

// line is one direction of a link.
type line struct {
	fabric   *Fabric
	pipe     *Pipe
	from, to *port
	boxes    []Middlebox
}

// Connect joins two nodes by a link, over which hosts reach each other's
// addresses, and everything if the other end is a switch or a router. Settings
// out of range panic, and so does a link from one network to another.
func (f *Fabric) Connect(a, b Node, cfg LinkConfig) *Link {
	checkSettings(cfg.AtoB, cfg.BtoA)
	sa, sb := a.node(), b.node()
	if sa.fabric != f || sb.fabric != f || sa == sb {
		panic(fmt.Sprintf("sim: a link must join two nodes of this network, not %s and %s", sa.name, sb.name))
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	if cfg.MTU < engine.MinMTU || cfg.MTU > maxMTU {
		panic(fmt.Sprintf("sim: the MTU of a link must be %d to %d, not %d", engine.MinMTU, maxMTU, cfg.MTU))
	}
	pa := &port{station: sa, index: len(sa.ports), mtu: cfg.MTU, super: cfg.MaxSuper}
	pb := &port{station: sb, index: len(sb.ports), mtu: cfg.MTU, super: cfg.MaxSuper}
	pa.peer, pb.peer = pb, pa
	l := &Link{fabric: f, ab: f.newLine(pa, pb, cfg.AtoB), ba: f.newLine(pb, pa, cfg.BtoA)}
	pa.out, pb.out = l.ab, l.ba
	sa.ports, sb.ports = append(sa.ports, pa), append(sb.ports, pb)
	f.links = append(f.links, l)
	f.lines = append(f.lines, l.ab, l.ba)
	f.topology++
	for _, p := range []*port{pa, pb} {
		if p.station.attached != nil {
			p.station.attached(p)
		}
	}
	return l
}

func checkSettings(all ...Settings) {
	for _, s := range all {
		if err := s.Check(); err != nil {
			panic(err)
		}
	}
}

// newLine makes a direction whose dice depend on the seed, the two names and
// how many links the two have already, and on nothing else in the network.
func (f *Fabric) newLine(from, to *port, s Settings) *line {
	before := 0
	for _, x := range f.lines {
		if x.from.station == from.station && x.to.station == to.station {
			before++
		}
	}
	seed := f.Secret(fmt.Sprintf("line %q %q %d", from.station.name, to.station.name, before))
	x := &line{fabric: f, from: from, to: to}
	x.pipe = NewPipe(s, binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:16]))
	x.pipe.parcels = &f.parcels
	if f.onPacket != nil {
		x.pipe.dropped = func(a *Arrival, data []byte) {
			f.tell(a.At, x.describe(a, trace.FateAQM, a.At, data))
		}
	}
	return x
}

// Settings returns the settings of both directions.
func (l *Link) Settings() (ab, ba Settings) { return l.ab.pipe.Settings(), l.ba.pipe.Settings() }

// Set changes the settings of both directions. Settings out of range panic.
func (l *Link) Set(ab, ba Settings) {
	checkSettings(ab, ba)
	now := l.fabric.clock()
	l.ab.pipe.Set(now, ab)
	l.ba.pipe.Set(now, ba)
}

// Stats returns the counts of both directions.
func (l *Link) Stats() (ab, ba Stats) { return l.ab.pipe.Stats(), l.ba.pipe.Stats() }

// Queued returns how many bytes waited in both directions when they were last
// used.
func (l *Link) Queued() (ab, ba int) {
	_, ab = l.ab.pipe.Queued()
	_, ba = l.ba.pipe.Queued()
	return ab, ba
}

// Unplug cuts the link: what is on its way and what is sent from now on is
// lost, until Plug.
func (l *Link) Unplug() {
	l.ab.unplug()
	l.ba.unplug()
}

// Plug mends the link.
func (l *Link) Plug() {
	l.ab.pipe.Plug()
	l.ba.pipe.Plug()
}

// UnplugFrom cuts the direction that leads away from the node, as in a
// partition of one way. A node that is not at an end of the link panics.
func (l *Link) UnplugFrom(from Node) { l.direction(from).unplug() }

// PlugFrom mends the direction that leads away from the node.
func (l *Link) PlugFrom(from Node) { l.direction(from).pipe.Plug() }

// Inject sends an IP packet into the link as if the node had sent it, past the
// rules and the middleboxes. A node that is not at an end of the link panics.
func (l *Link) Inject(from Node, packet []byte) {
	x := l.direction(from)
	x.enter(x.number(), x.fabric.clock(), packet, Verdict{})
}

func (l *Link) direction(from Node) *line {
	switch from.node() {
	case l.ab.from.station:
		return l.ab
	case l.ba.from.station:
		return l.ba
	}
	panic("sim: " + from.Name() + " is not at an end of the link")
}

func (x *line) unplug() {
	f := x.fabric
	now := f.clock()
	x.pipe.Unplug(now, func(a *Arrival, data []byte) {
		f.tell(now, x.describe(a, trace.FateUnplugged, now, data))
	})
}

// number gives the next packet its number.
func (x *line) number() int {
	x.fabric.sent++
	return x.fabric.sent
}

// send gives a packet to the line. When nobody looks at it, it goes by
// reference as far as it can.
func (x *line) send(p *wire.Packet) {
	f := x.fabric
	switch {
	case !f.observed():
		now := f.clock()
		c := f.parcels.of(p, f.sent+1, now)
		f.sent += c.count
		x.pipe.send(now, c, Verdict{})
	case p.SegSize == 0:
		f.scratch = completeBytes(f.scratch[:0], p)
		x.look(f.scratch)
	default:
		var cut wire.Batch
		wire.Cut(p, x.from.mtu, &cut)
		for i := range cut.Packets {
			f.scratch = cut.Packets[i].AppendTo(f.scratch[:0])
			x.look(f.scratch)
		}
		cut.Release()
	}
}

// look lets those who look at packets decide about one.
func (x *line) look(data []byte) {
	f := x.fabric
	now, number := f.clock(), x.number()
	var v Verdict
	if f.filter != nil {
		p := x.sending(number, now, data)
		v = f.filter(now, &p)
	}
	if len(f.rules) == 0 && len(x.boxes) == 0 {
		x.enter(number, now, data, v)
		return
	}
	c := f.sight.look(now, number, x, data)
	v, holder := f.judge(c, v)
	if holder == nil {
		x.pass(0, c, v)
		return
	}
	f.tell(now, x.sending(number, now, data))
	holder.keep(x, c)
}

// sending describes a packet that is being sent.
func (x *line) sending(number int, sent tcp.Time, data []byte) trace.Packet {
	return trace.Packet{Number: number, From: x.from.station.name, To: x.to.station.name, Sent: sent, Data: data}
}

// enter tells of a packet and sends it.
func (x *line) enter(number int, now tcp.Time, data []byte, v Verdict) {
	x.fabric.tell(now, x.sending(number, now, data))
	x.proceed(number, now, data, v)
}

// proceed sends a packet of which was told when it was sent.
func (x *line) proceed(number int, sent tcp.Time, data []byte, v Verdict) {
	f := x.fabric
	now := f.clock()
	c := f.parcels.plain(copyOf(data), number, sent)
	if fate := x.pipe.send(now, c, v); fate.Lost() {
		p := x.sending(number, sent, data)
		p.Fate, p.End = fate, now
		f.tell(now, p)
	}
}

// completeBytes appends the bytes of a packet to b, with complete checksums.
func completeBytes(b []byte, p *wire.Packet) []byte {
	b = p.AppendTo(b)
	if p.Checksum != wire.ChecksumUnknown {
		seal(b)
	}
	return b
}

// describe tells of a packet that came out of the pipe.
func (x *line) describe(a *Arrival, fate trace.Fate, end tcp.Time, data []byte) trace.Packet {
	return trace.Packet{
		Number: a.Number, Copy: a.Copy, From: x.from.station.name, To: x.to.station.name,
		Sent: a.Sent, End: end, Fate: fate,
		Corrupted: a.Corrupted, Delayed: a.Delayed, Marked: a.Marked, Data: data,
	}
}
