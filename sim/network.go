package sim

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Config says how a network is made; the zero value is ready for use.
type Config struct {
	// Seed is where all chance comes from: the luck of every link and the
	// secret of every host. Two networks with the same seed that are built and
	// used in the same way do the same.
	Seed uint64
	// Start is the virtual time at the beginning. Zero: 1 s.
	Start tcp.Time

	// OnEvent, if not nil, is told of every event inside a host, by its name.
	// The event is good only during the call, which must not call the network.
	OnEvent func(host string, e *tcp.Event)
	// OnPacket, if not nil, is told of every packet when it is sent
	// (FateInFlight) and again when it arrived or was lost. The packet is good
	// only during the call, which must not call the network.
	OnPacket func(now tcp.Time, p *trace.Packet)
}

// Network is a set of hosts, and the Fabric between them, in virtual time.
type Network struct {
	*Fabric
	cfg   Config
	now   tcp.Time
	hosts []*Host

	calendar calendar
	entered  uint64
	ready    []func() // callbacks to run now
	spare    []func() // room for more of them

	instant tcp.Time // for noticing that time stands still
	steps   int
}

// Errors of RunUntil.
var (
	// ErrLimit: the time given is over.
	ErrLimit = errors.New("sim: time limit reached")
	// ErrIdle: nothing will ever happen again.
	ErrIdle = errors.New("sim: nothing left to happen")
)

// maxSteps is how many steps may happen at one moment. More is a loop: two
// hosts that answer each other for ever over a link without delay, or an
// application that awaits what it does not use.
const maxSteps = 1 << 18

// New returns a network without hosts.
func New(cfg Config) *Network {
	if cfg.Start == 0 {
		cfg.Start = tcp.Time(time.Second)
	}
	n := &Network{cfg: cfg, now: cfg.Start}
	n.Fabric = NewFabric(cfg.Seed, n.Now, cfg.OnPacket)
	return n
}

// Now returns the virtual time.
func (n *Network) Now() tcp.Time { return n.now }

// Hosts returns the hosts in the order in which they were added.
func (n *Network) Hosts() []*Host { return n.hosts }

// Drop returns a filter that drops the packets with the given numbers, which
// count the packets of the run from 1.
func Drop(numbers ...int) func(tcp.Time, *trace.Packet) Verdict {
	set := map[int]bool{}
	for _, i := range numbers {
		set[i] = true
	}
	return func(_ tcp.Time, p *trace.Packet) Verdict { return Verdict{Drop: set[p.Number]} }
}

// AddHost adds a host with a name, an IPv4 and an IPv6 address of its own:
// 10.0.0.1 and fd00::1 for the first. Without a secret in its configuration it
// gets one from the seed. A Trace hook is called after OnEvent.
func (n *Network) AddHost(name string, cfg engine.Config) *Host {
	i := len(n.hosts) + 1
	h := &Host{network: n, cfg: cfg}
	h.addr4 = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	h.addr6 = netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)})
	h.endpoint = n.AddEndpoint(name, []netip.Addr{h.addr4, h.addr6}, h.input, h.addInterface)
	n.hosts = append(n.hosts, h)
	h.boot()
	return h
}

// After calls f, once, when d has passed.
func (n *Network) After(d time.Duration, f func()) {
	n.entered++
	heap.Push(&n.calendar, appointment{at: n.now.Add(max(d, 0)), entered: n.entered, call: f})
}

// NextTimeout returns when the next thing happens, 0 for never.
func (n *Network) NextTimeout() tcp.Time {
	next := n.Fabric.NextTimeout()
	for _, h := range n.hosts {
		next = tcp.Earliest(next, h.engine.NextTimeout())
	}
	if len(n.calendar) > 0 {
		next = tcp.Earliest(next, n.calendar[0].at)
	}
	return next
}

// Step lets the next thing happen, and what follows from it at the same
// moment. It reports false when nothing will ever happen.
func (n *Network) Step() bool {
	n.settle()
	next := n.NextTimeout()
	if next == 0 {
		return false
	}
	n.now = max(n.now, next)
	n.count()
	n.Deliver()
	n.advance()
	for len(n.calendar) > 0 && n.calendar[0].at <= n.now {
		heap.Pop(&n.calendar).(appointment).call()
		n.settle()
	}
	return true
}

// count notices when time stands still.
func (n *Network) count() {
	if n.instant != n.now {
		n.instant, n.steps = n.now, 0
	}
	if n.steps++; n.steps > maxSteps {
		panic(fmt.Sprintf("sim: more than %d steps at %v", maxSteps, time.Duration(n.now)))
	}
}

// advance fires the timers that are due, host by host.
func (n *Network) advance() {
	for _, h := range n.hosts {
		if h.engine.NextTimeout().Due(n.now) {
			h.engine.Advance(n.now)
			h.dirty = true
			n.settle()
		}
	}
}

// settle runs what can happen without time passing: hosts send, and
// applications are called for what they await.
func (n *Network) settle() {
	for again := true; again; {
		again = false
		for _, h := range n.hosts {
			if h.dirty && !h.busy {
				h.dirty, again = false, true
				h.output()
				h.engine.Wake()
			}
		}
		for len(n.ready) > 0 {
			again = true
			calls := n.ready
			n.ready, n.spare = n.spare, nil
			for _, f := range calls {
				n.count()
				f()
			}
			clear(calls)
			n.spare = calls[:0]
		}
	}
}

// RunUntil steps until done reports true. It returns ErrLimit when d of
// virtual time has passed before, ErrIdle when nothing is left to happen.
func (n *Network) RunUntil(done func() bool, d time.Duration) error {
	end := n.now.Add(d)
	for n.settle(); !done(); {
		switch next := n.NextTimeout(); {
		case next == 0:
			return ErrIdle
		case next > end:
			n.now = end
			return ErrLimit
		}
		n.Step()
	}
	return nil
}

// RunFor lets d of virtual time pass.
func (n *Network) RunFor(d time.Duration) {
	end := n.now.Add(d)
	_ = n.RunUntil(func() bool { return false }, d) // it ends by the limit or idle
	n.now = end
}

// appointment is a call at a time.
type appointment struct {
	at      tcp.Time
	entered uint64
	call    func()
}

// calendar is a heap of appointments, in the order of time, then of entry.
type calendar []appointment

func (c calendar) Len() int { return len(c) }

func (c calendar) Less(i, j int) bool {
	if c[i].at != c[j].at {
		return c[i].at < c[j].at
	}
	return c[i].entered < c[j].entered
}

func (c calendar) Swap(i, j int) { c[i], c[j] = c[j], c[i] }

func (c *calendar) Push(x any) { *c = append(*c, x.(appointment)) }

func (c *calendar) Pop() any {
	old := *c
	last := old[len(old)-1]
	old[len(old)-1] = appointment{}
	*c = old[:len(old)-1]
	return last
}
