package sim

import (
	"container/heap"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Pipe is one direction of a link: packets go in with Send and come out, late,
// changed, twice or never, with Receive. It has no clock: the caller's loop
// asks NextTimeout when to call Receive. It is not safe for concurrent use.
//
//	Send -> [ queue | | | ] -> sender at Rate -> on the way for Delay -> Receive
type Pipe struct {
	settings  Settings
	chance    chance
	unplugged bool
	parcels   *parcels

	queue       ring[passage] // packets whose sending has not begun, oldest first
	queueBytes  int
	codel       codel
	free        tcp.Time // when the sender has sent what it has begun
	lastArrival tcp.Time // of the packets that were not held back
	interrupt   tcp.Time // the receiver's next, when it coalesces

	flight  flight
	order   uint64
	dropped func(a *Arrival, data []byte) // told of what CoDel drops; may be nil
	stats   Stats
}

// Stats count the packets of one direction.
type Stats struct {
	Sent, Delivered             uint64
	Lost, QueueFull, Unplugged  uint64
	Filtered, TooLarge          uint64
	Duplicated, Reordered, Torn uint64 // Torn: corrupted
	AQM, Marked                 uint64 // by the queue's management
	BytesDelivered              uint64
}

// Arrival is a packet that comes out of a pipe.
type Arrival struct {
	Sent, At tcp.Time
	Number   int // as given to Send
	Copy     int // 1 for the duplicate
	// Corrupted: a byte was changed. Delayed: others may have overtaken it.
	// Marked: the queue set ECN's "congestion experienced".
	Corrupted, Delayed, Marked bool
}

// Verdict is what an intervention decides about one packet, on top of what
// the link does. The zero value lets it pass.
type Verdict struct {
	Drop      bool
	Duplicate bool
	Corrupt   bool
	Delay     time.Duration // held back that long; later packets overtake it
}

// NewPipe returns a direction whose dice are seeded by the pair of numbers.
func NewPipe(s Settings, seed1, seed2 uint64) *Pipe {
	return &Pipe{settings: s, chance: newChance(seed1, seed2), parcels: new(parcels)}
}

// Settings returns the settings in force.
func (p *Pipe) Settings() Settings { return p.settings }

// Set changes the settings at now.
func (p *Pipe) Set(now tcp.Time, s Settings) {
	p.drain(now)
	p.settings = s
}

// Stats returns the counts.
func (p *Pipe) Stats() Stats { return p.stats }

// InFlight returns the number of packets on their way, those in the queue
// counted.
func (p *Pipe) InFlight() int { return p.queue.count + p.flight.len() }

// Queued returns how many packets, of how many bytes, waited to be sent when
// the pipe was last used.
func (p *Pipe) Queued() (packets, bytes int) { return p.queue.count, p.queueBytes }

// Send gives an IP packet to the link, which copies it. Number comes back with
// the Arrival. The fate is FateInFlight, or why the packet is lost.
func (p *Pipe) Send(now tcp.Time, number int, data []byte, v Verdict) trace.Fate {
	return p.send(now, p.parcels.plain(copyOf(data), number, now), v)
}

// send gives all packets of a parcel to the link, and returns the fate of the
// last one.
func (p *Pipe) send(now tcp.Time, c *parcel, v Verdict) (fate trace.Fate) {
	p.drain(now)
	for i, n := 0, c.count; i < n; i++ {
		fate = p.admit(now, c, i, v)
		if fate.Lost() && fate != trace.FateLoss { // lost on the way comes later
			p.parcels.done(c)
		}
	}
	return fate
}

// admit decides about the i-th packet of a parcel. One that is lost on the way
// still takes its turn in the queue.
func (p *Pipe) admit(now tcp.Time, c *parcel, i int, v Verdict) trace.Fate {
	p.stats.Sent++
	luck, s := p.chance.roll(), &p.settings
	burst := p.chance.burstLoses(&s.Burst, &luck)
	size := c.size(i)
	busy := p.free > now
	if fate := p.refuse(size, busy, v.Drop); fate != trace.FateInFlight {
		return fate
	}
	a := passage{parcel: c, index: i, entered: now, where: luck.where}
	a.doomed = burst || luck.loss < s.Loss
	a.again = v.Duplicate || luck.duplicate < s.Duplicate
	a.torn = (v.Corrupt || luck.corrupt < s.Corrupt) && size > 0
	a.jitter = time.Duration(luck.jitter * float64(s.Jitter))
	if a.hold = v.Delay; a.hold == 0 && luck.reorder < s.Reorder {
		a.hold = s.holdBack(luck.hold)
	}
	if s.MarkBytes > 0 && p.queueBytes > s.MarkBytes {
		p.mark(&a)
	}
	doomed := a.doomed
	if doomed {
		p.stats.Lost++
	}
	if busy || p.queue.count > 0 {
		*p.queue.push() = a
		p.queueBytes += size
	} else {
		if s.CoDel {
			p.codel.drops(now, 0, 0, s) // the queue was empty
		}
		p.transmit(now, &a)
	}
	if doomed {
		return trace.FateLoss
	}
	return trace.FateInFlight
}

// refuse says why a packet does not even get into the queue.
func (p *Pipe) refuse(size int, busy, drop bool) trace.Fate {
	s := &p.settings
	switch {
	case p.unplugged:
		p.stats.Unplugged++
		return trace.FateUnplugged
	case drop:
		p.stats.Filtered++
		return trace.FateFilter
	case s.MaxPacket > 0 && size > s.MaxPacket:
		p.stats.TooLarge++
		return trace.FateSize
	case busy && s.QueuePackets > 0 && p.queue.count >= s.QueuePackets,
		busy && s.QueueBytes > 0 && p.queueBytes+size > s.QueueBytes:
		p.stats.QueueFull++
		return trace.FateQueue
	}
	return trace.FateInFlight
}

// mark sets CE on the packet if it is ECN-capable, and reports whether it is.
func (p *Pipe) mark(a *passage) bool {
	if ecnOf(a.data.Data) == 0 {
		return false
	}
	if !a.marked {
		p.stats.Marked++
	}
	a.marked = true
	return true
}

// drain lets the sender take from the queue what it has until now.
func (p *Pipe) drain(now tcp.Time) {
	for p.queue.count > 0 && p.free <= now {
		a := p.queue.at(0)
		size := a.size(a.index)
		p.queueBytes -= size
		s := &p.settings
		if s.CoDel && p.codel.drops(p.free, p.free.Sub(a.entered), p.queueBytes, s) && !(s.ECN && p.mark(a)) {
			p.aqmDrop(a)
		} else {
			p.transmit(p.free, a)
		}
		p.queue.drop()
	}
}

// aqmDrop loses a packet that was in the queue.
func (p *Pipe) aqmDrop(a *passage) {
	p.stats.AQM++
	if p.dropped != nil && !a.doomed {
		arrival := a.arrival()
		arrival.At = p.free
		data := a.whole(a.index)
		p.dropped(&arrival, data.Data)
		data.Release()
	}
	p.parcels.done(a.parcel)
}

// transmit sends a packet that leaves the queue at start.
func (p *Pipe) transmit(start tcp.Time, a *passage) {
	s := &p.settings
	p.free = start.Add(s.sendTime(a.size(a.index)))
	if a.doomed { // it took its time on the sender and is lost after that
		p.parcels.done(a.parcel)
		return
	}
	a.at = max(p.free.Add(s.Delay+a.jitter), p.lastArrival)
	late := a.hold > 0
	if late {
		p.stats.Reordered++
		a.at = a.at.Add(a.hold)
	} else {
		if s.Coalesce > 0 {
			if a.at > p.interrupt {
				p.interrupt = a.at.Add(s.Coalesce)
			}
			a.at = p.interrupt
		}
		p.lastArrival = a.at
	}
	p.fly(a, late)
	if a.again {
		p.stats.Duplicated++
		a.parcel.refs++
		a.copy, a.torn = 1, false
		p.fly(a, late)
	}
}

func (p *Pipe) fly(a *passage, late bool) {
	p.order++
	a.order = p.order
	if late {
		heap.Push(&p.flight.late, *a)
	} else {
		*p.flight.inOrder.push() = *a
	}
}

// NextTimeout returns when the next packet may arrive, 0 when none is on its
// way.
func (p *Pipe) NextTimeout() tcp.Time {
	var next tcp.Time
	if a := p.flight.first(); a != nil {
		next = a.at
	}
	if p.queue.count == 0 {
		return next
	}
	if p.settings.CoDel {
		return tcp.Earliest(next, p.free) // so that its drops are told in time
	}
	a := p.queue.at(0)
	return tcp.Earliest(next, p.free.Add(p.settings.sendTime(a.size(a.index))+p.settings.Delay))
}

// Receive takes the packet that has arrived next at now and makes pkt that. A
// reference to its bytes passes to pkt.
func (p *Pipe) Receive(now tcp.Time, pkt *wire.Packet) (Arrival, bool) {
	p.drain(now)
	a := p.flight.first()
	if a == nil || a.at > now {
		return Arrival{}, false
	}
	arrival := a.arrival()
	if a.torn {
		pkt.SetChunk(p.tear(a))
	} else {
		p.parcels.moveTo(pkt, a.parcel, a.index, a.marked)
	}
	p.flight.drop()
	p.stats.Delivered++
	p.stats.BytesDelivered += uint64(pkt.Len())
	return arrival, true
}

// tear changes a byte of a packet.
func (p *Pipe) tear(a *passage) block.Chunk {
	p.stats.Torn++
	data := a.whole(a.index)
	if a.marked {
		markCE(data.Data)
	}
	n := uint64(len(data.Data))
	data.Data[a.where%n] ^= byte(1 + a.where/n%255)
	p.parcels.done(a.parcel)
	return data
}

// arrival describes the packet.
func (a *passage) arrival() Arrival {
	return Arrival{
		Sent: a.sent, At: a.at, Number: a.number + a.index, Copy: a.copy,
		Corrupted: a.torn, Delayed: a.hold > 0, Marked: a.marked,
	}
}

// Unplug cuts the cable: packets sent from now on are lost, and so are those
// on their way, of which it tells gone, which may be nil, in the order in which
// they would have arrived. The bytes are borrowed.
func (p *Pipe) Unplug(now tcp.Time, gone func(a *Arrival, data []byte)) {
	p.drain(now)
	p.unplugged = true
	lose := func(a *passage) {
		if a.doomed {
			return
		}
		p.stats.Unplugged++
		if gone != nil {
			arrival := a.arrival()
			data := a.whole(a.index)
			gone(&arrival, data.Data)
			data.Release()
		}
	}
	for a := p.flight.first(); a != nil; a = p.flight.first() {
		lose(a)
		p.parcels.done(a.parcel)
		p.flight.drop()
	}
	for ; p.queue.count > 0; p.queue.drop() {
		a := p.queue.at(0)
		lose(a)
		p.parcels.done(a.parcel)
	}
	p.queueBytes, p.free, p.lastArrival, p.interrupt = 0, 0, 0, 0
	p.codel = codel{}
}

// Plug mends the cable.
func (p *Pipe) Plug() { p.unplugged = false }

// Unplugged reports whether the cable is cut.
func (p *Pipe) Unplugged() bool { return p.unplugged }
