package engine

import (
	"slices"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

const (
	// reassemblyTime is how long the fragments of a datagram wait for the
	// others: RFC 1122, Section 3.3.2 (60 to 120 s); RFC 8200, Section 4.5 (60 s).
	reassemblyTime = 60 * time.Second
	// maxReassembly bounds the memory of fragments that wait, in bytes, and
	// maxReassemblies the datagrams that they are of: the oldest go when there is
	// no room. RFC 8900, Section 3.7: attackers send fragments without end.
	maxReassembly   = 4 << 20
	maxReassemblies = 1024
	// maxFragments bounds the fragments of one datagram, so that tiny ones do not
	// make the search for their place long.
	maxFragments = 128
)

// FragmentStats are counts of datagrams in fragments.
type FragmentStats struct {
	In       uint64 // fragments received
	Whole    uint64 // datagrams put together
	TimedOut uint64 // datagrams of which some fragment never came
	Overlaps uint64 // datagrams dropped because fragments overlap, or contradict each other
	Evicted  uint64 // datagrams dropped because there was no room
	Waiting  int    // datagrams now
}

// fragmentKey says which datagram a fragment is of (RFC 791, Section 2.3; RFC
// 8200, Section 4.5: the protocol is not part of it in IPv6, and zero here).
type fragmentKey struct {
	src, dst wire.Addr
	id       uint32
	protocol uint8
}

// reassembly is a datagram of which fragments have come.
type reassembly struct {
	key     fragmentKey
	expires tcp.Time

	next, prev *reassembly // in the order in which they expire

	link     int
	parts    []part // by offset, without overlap
	first    wire.Fragment
	hasFirst bool
	ce       bool
	length   int // bytes of data of the whole; 0: not known
	got      int // bytes of data that are there
	bytes    int // of memory
	dead     bool
}

// part is one fragment: the whole packet, of which the data begin at header.
type part struct {
	offset, header int
	packet         block.Chunk
}

func (p *part) data() []byte { return p.packet.Data[p.header:] }
func (p *part) end() int     { return p.offset + len(p.data()) }

// reassemblies are all datagrams that wait for fragments, in the order in which
// they expire.
type reassemblies struct {
	byKey       map[fragmentKey]*reassembly
	first, last *reassembly
	bytes       int
	stats       FragmentStats
}

func (r *reassemblies) nextExpiry() tcp.Time {
	if r.first == nil {
		return 0
	}
	return r.first.expires
}

// inputFragment takes a fragment of a datagram for this host; with the last one
// that was missing, the datagram goes on as if it had come whole.
func (e *Engine) inputFragment(now tcp.Time, p *wire.Packet) {
	var f wire.Fragment
	d := p.ParseFragment(&f)
	e.ip.Src, e.ip.Dst = f.Src, f.Dst
	if d == wire.DropNone && !e.network.isOwn(&f.Dst) && !e.network.isToMany(&f.Dst) {
		d = wire.DropNotLocal
	}
	if d != wire.DropNone {
		e.drop(now, d)
		if f.Version == 6 && f.WrongAt > 0 && e.network.check(&e.ip, p.Link) == wire.DropNone {
			e.sendProblem(now, p, wire.HostErrorFragment)
		}
		return
	}
	r := &e.fragments
	r.stats.In++
	k := fragmentKey{src: f.Src, dst: f.Dst, id: f.ID}
	if f.Version == 4 {
		k.protocol = f.Protocol
	}
	a := r.byKey[k]
	if a == nil {
		a = r.add(k, now.Add(reassemblyTime))
	}
	if a.dead || !r.insert(a, &f, p) {
		e.drop(now, wire.DropFragment)
		return
	}
	if a.length > 0 && a.got == a.length {
		e.inputWhole(now, a)
		return
	}
	for r.bytes > maxReassembly || len(r.byKey) > maxReassemblies {
		r.stats.Evicted++
		r.remove(r.first)
	}
}

// add begins a datagram.
func (r *reassemblies) add(k fragmentKey, expires tcp.Time) *reassembly {
	if r.byKey == nil {
		r.byKey = make(map[fragmentKey]*reassembly)
	}
	a := &reassembly{key: k, expires: expires, prev: r.last}
	if r.last == nil {
		r.first = a
	} else {
		r.last.next = a
	}
	r.last, r.byKey[k] = a, a
	return a
}

// insert puts a fragment into its place. It reports false when the fragment
// cannot be used: it is there already, or it contradicts another one. RFC 5722,
// Section 3, and RFC 8200, Section 4.5: with overlapping fragments, but for exact
// copies, the whole datagram is given up silently, those to come included.
func (r *reassemblies) insert(a *reassembly, f *wire.Fragment, p *wire.Packet) bool {
	end := f.Offset + f.DataLen
	at, _ := slices.BinarySearchFunc(a.parts, f.Offset, func(q part, offset int) int { return q.offset - offset })
	if at < len(a.parts) && a.parts[at].offset == f.Offset && len(a.parts[at].data()) == f.DataLen {
		return false // a copy
	}
	overlap := at > 0 && a.parts[at-1].end() > f.Offset || at < len(a.parts) && a.parts[at].offset < end
	beyond := a.length > 0 && (end > a.length || !f.More && end != a.length)
	short := !f.More && len(a.parts) > 0 && a.parts[len(a.parts)-1].end() > end
	if overlap || beyond || short || len(a.parts) >= maxFragments {
		r.stats.Overlaps++
		r.kill(a)
		return false
	}
	if !f.More {
		a.length = end
	}
	if f.Offset == 0 {
		a.first, a.hasFirst, a.link = *f, true, p.Link
	}
	b := block.Get(p.Len())
	packet := block.Chunk{Block: b, Data: p.AppendTo(b.Bytes()[:0])}
	a.parts = slices.Insert(a.parts, at, part{f.Offset, f.HeaderLen, packet})
	a.got += f.DataLen
	a.ce = a.ce || f.CE
	a.bytes += b.Cap()
	r.bytes += b.Cap()
	return true
}

// kill gives up a datagram; what still comes of it is dropped, until it expires.
func (r *reassemblies) kill(a *reassembly) {
	for _, p := range a.parts {
		p.packet.Release()
	}
	r.bytes -= a.bytes
	a.parts, a.bytes, a.dead = nil, 0, true
}

// remove forgets a datagram.
func (r *reassemblies) remove(a *reassembly) {
	r.kill(a)
	delete(r.byKey, a.key)
	if a.prev == nil {
		r.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		r.last = a.prev
	} else {
		a.next.prev = a.prev
	}
}

// inputWhole puts the parts together and takes them as a packet, or leaves that
// to the shard that the packet belongs to.
func (e *Engine) inputWhole(now tcp.Time, a *reassembly) {
	r := &e.fragments
	first := a.parts[0].packet.Data[:a.first.HeaderLen]
	header := a.first.WholeHeader(first, a.length, a.ce)
	if header == nil {
		r.kill(a)
		e.drop(now, wire.DropFragment)
		return
	}
	b := block.Get(len(header) + a.length)
	data := append(b.Bytes()[:0], header...)
	for i := range a.parts {
		data = append(data, a.parts[i].data()...)
	}
	whole := e.strays.Next()
	whole.SetChunk(block.Chunk{Block: b, Data: data})
	whole.Link = a.link
	r.remove(a)
	r.stats.Whole++

	var ip wire.IP
	nested := whole.ParseIP(&ip) == wire.DropFragment // nobody needs fragments of fragments
	if nested {
		e.drop(now, wire.DropFragment)
	} else if e.cfg.Shards == 1 {
		e.inputPacket(now, whole)
	}
	if nested || e.cfg.Shards == 1 {
		whole.Release()
		e.strays.Packets = e.strays.Packets[:e.strays.Len()-1]
	}
}

// Strays moves the packets to out that were put together from fragments, which
// come to shard 0, and may belong to any. With one shard there are none.
func (e *Engine) Strays(out *wire.Batch) {
	for i := range e.strays.Packets {
		to, from := out.Next(), &e.strays.Packets[i]
		*to, *from = *from, *to
	}
	e.strays.Reset()
}

// expireFragments gives up datagrams whose time is over. RFC 1122, Section 3.3.2,
// and RFC 8200, Section 4.5: the sender is told if the first fragment is there,
// and it was sent to us alone.
func (e *Engine) expireFragments(now tcp.Time) {
	r := &e.fragments
	for r.first != nil && r.first.expires.Due(now) {
		a := r.first
		if !a.dead {
			r.stats.TimedOut++
			if a.hasFirst {
				e.sendReassemblyTimeout(now, a)
			}
		}
		r.remove(a)
	}
}

func (e *Engine) sendReassemblyTimeout(now tcp.Time, a *reassembly) {
	f := &a.first
	e.ip = wire.IP{Src: f.Src, Dst: f.Dst, Version: f.Version, HeaderLen: f.HeaderLen, Len: f.HeaderLen + f.DataLen}
	if !e.network.isOwn(&f.Dst) || !isUnicast(&f.Src) {
		return
	}
	if reply := e.nextICMP(now); reply != nil {
		var quoted wire.Packet
		quoted.SetBytes(a.parts[0].packet.Data)
		reply.BuildHostError(&e.ip, &quoted, wire.HostErrorReassembly)
	}
}
