package sim

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Pipe is one direction of a link: packets go in with Send and come out, late,
// changed, twice or never, with Receive. It has no clock: the caller's loop
// asks NextTimeout when to call Receive. It is not safe for concurrent use.
//
//	Send -> [ queue | | | ] -> sender at Rate -> on the way for Delay -> Receive
type Pipe struct {
	settings  Settings
	random    *rand.Rand
	unplugged bool

	waiting      []waiting // packets whose sending has not begun, oldest first
	waitingBytes int
	free         tcp.Time // when the sender has sent all it has
	lastArrival  tcp.Time // of the packets that were not held back

	flight  flight
	entered uint64 // orders packets that arrive at the same moment
	stats   Stats
}

// Stats count the packets of one direction.
type Stats struct {
	Sent, Delivered             uint64
	Lost, QueueFull, Unplugged  uint64
	Filtered, TooLarge          uint64
	Duplicated, Reordered, Torn uint64 // Torn: corrupted
}

// Arrival is a packet on its way, and then at its end.
type Arrival struct {
	Sent, At           tcp.Time
	Number             int // as given to Send
	Copy               int // 1 for the duplicate
	Corrupted, Delayed bool
	// Data is the packet. The reference to its block belongs to whoever
	// receives the Arrival.
	Data block.Chunk

	entered uint64
}

// Verdict is what an intervention decides about one packet, on top of what
// the link does. The zero value lets it pass.
type Verdict struct {
	Drop      bool
	Duplicate bool
	Corrupt   bool
	Delay     time.Duration // held back that long; later packets overtake it
}

type waiting struct {
	start tcp.Time
	size  int
}

// NewPipe returns a direction whose dice are seeded by the pair of numbers.
func NewPipe(s Settings, seed1, seed2 uint64) *Pipe {
	return &Pipe{settings: s, random: rand.New(rand.NewPCG(seed1, seed2))}
}

// Settings returns the settings in force.
func (p *Pipe) Settings() Settings { return p.settings }

// Set changes the settings for the packets sent from now on.
func (p *Pipe) Set(s Settings) { p.settings = s }

// Stats returns the counts.
func (p *Pipe) Stats() Stats { return p.stats }

// InFlight returns the number of packets on their way.
func (p *Pipe) InFlight() int { return len(p.flight) }

// dice are the random numbers of one packet. Every packet draws them all,
// whatever the settings, so that changing one setting, or dropping a packet on
// purpose, leaves the luck of all other packets as it was.
type dice struct {
	loss, duplicate, reorder, corrupt, jitter float64
	where                                     uint64
}

func (p *Pipe) roll() dice {
	r := p.random
	return dice{r.Float64(), r.Float64(), r.Float64(), r.Float64(), r.Float64(), r.Uint64()}
}

// Send gives a packet to the link, which copies it. Number comes back with
// the Arrival. The fate is FateInFlight, or why the packet is lost.
func (p *Pipe) Send(now tcp.Time, number int, data []byte, v Verdict) trace.Fate {
	p.stats.Sent++
	luck, s := p.roll(), &p.settings
	if fate := p.refuse(now, len(data), v.Drop); fate != trace.FateInFlight {
		return fate
	}
	start := max(now, p.free)
	if start > now {
		p.waiting = append(p.waiting, waiting{start, len(data)})
		p.waitingBytes += len(data)
	}
	p.free = start.Add(s.sendTime(len(data)))
	if luck.loss < s.Loss { // it took its time on the sender and is lost after that
		p.stats.Lost++
		return trace.FateLoss
	}

	a := Arrival{Sent: now, Number: number, Data: copyOf(data)}
	a.At = p.free.Add(s.Delay + time.Duration(luck.jitter*float64(s.Jitter)))
	a.At = max(a.At, p.lastArrival)
	if hold := v.Delay; hold > 0 || luck.reorder < s.Reorder {
		if hold == 0 {
			hold = s.holdBack()
		}
		p.stats.Reordered++
		a.At, a.Delayed = a.At.Add(hold), true
	} else {
		p.lastArrival = a.At
	}
	again := v.Duplicate || luck.duplicate < s.Duplicate
	duplicate := a
	if again {
		duplicate.Data, duplicate.Copy = copyOf(data), 1
	}
	if (v.Corrupt || luck.corrupt < s.Corrupt) && len(data) > 0 {
		p.stats.Torn++
		a.Corrupted = true
		n := uint64(len(data))
		a.Data.Data[luck.where%n] ^= byte(1 + luck.where/n%255)
	}
	p.push(a)
	if again {
		p.stats.Duplicated++
		p.push(duplicate)
	}
	return trace.FateInFlight
}

// refuse says why a packet does not even get as far as the sender.
func (p *Pipe) refuse(now tcp.Time, size int, drop bool) trace.Fate {
	s := &p.settings
	for len(p.waiting) > 0 && p.waiting[0].start <= now {
		p.waitingBytes -= p.waiting[0].size
		p.waiting = p.waiting[1:]
	}
	busy := p.free > now
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
	case busy && s.QueuePackets > 0 && len(p.waiting) >= s.QueuePackets,
		busy && s.QueueBytes > 0 && p.waitingBytes+size > s.QueueBytes:
		p.stats.QueueFull++
		return trace.FateQueue
	}
	return trace.FateInFlight
}

// NextTimeout returns when the next packet arrives, 0 when none is on its way.
func (p *Pipe) NextTimeout() tcp.Time {
	if len(p.flight) == 0 {
		return 0
	}
	return p.flight[0].At
}

// Receive takes the next packet that has arrived at now.
func (p *Pipe) Receive(now tcp.Time) (Arrival, bool) {
	if len(p.flight) == 0 || p.flight[0].At > now {
		return Arrival{}, false
	}
	p.stats.Delivered++
	return heap.Pop(&p.flight).(Arrival), true
}

// Unplug cuts the cable: packets sent from now on are lost, and so are those
// on their way, which it returns in the order in which they would have
// arrived, with their blocks.
func (p *Pipe) Unplug() []Arrival {
	p.unplugged = true
	lost := make([]Arrival, 0, len(p.flight))
	for len(p.flight) > 0 {
		lost = append(lost, heap.Pop(&p.flight).(Arrival))
	}
	p.stats.Unplugged += uint64(len(lost))
	p.waiting, p.waitingBytes, p.free, p.lastArrival = nil, 0, 0, 0
	return lost
}

// Plug mends the cable.
func (p *Pipe) Plug() { p.unplugged = false }

// Unplugged reports whether the cable is cut.
func (p *Pipe) Unplugged() bool { return p.unplugged }

func (p *Pipe) push(a Arrival) {
	p.entered++
	a.entered = p.entered
	heap.Push(&p.flight, a)
}

func copyOf(data []byte) block.Chunk {
	b := block.Get(len(data))
	return block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), data)]}
}

// flight is a heap of the packets on their way, first to arrive first; of
// those that arrive at the same moment, first sent first.
type flight []Arrival

func (f flight) Len() int { return len(f) }

func (f flight) Less(i, j int) bool {
	if f[i].At != f[j].At {
		return f[i].At < f[j].At
	}
	return f[i].entered < f[j].entered
}

func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

func (f *flight) Push(x any) { *f = append(*f, x.(Arrival)) }

func (f *flight) Pop() any {
	old := *f
	last := old[len(old)-1]
	old[len(old)-1] = Arrival{}
	*f = old[:len(old)-1]
	return last
}
