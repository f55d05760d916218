package netsim

import (
	"context"
	"sync"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Config says how a network is made; the zero value is ready for use.
type Config struct {
	// Seed is where the luck of the links and the secrets of the hosts come
	// from.
	Seed uint64

	// Host is the configuration of every host; its Name, Shards, Secret and
	// Resolve are set here. A TCP.Trace hook is called besides OnEvent.
	Host trivet.Config

	// TB, if not nil, is the test that the network is for, a *testing.T or
	// *testing.B: when it ends the network is closed, and if it has failed by
	// then, the packets of the last while are written to wire.pcapng and the
	// seed to seed.txt, in TB.ArtifactDir (see go test -artifacts).
	TB TB

	// OnEvent and OnPacket are told of what happens inside hosts and on links,
	// at times that count from New; trace.Log has methods made for them. They
	// are called one at a time, with locks held: they must be quick and must
	// not call the network or a stack.
	OnEvent  func(host string, e *tcp.Event)
	OnPacket func(now tcp.Time, p *trace.Packet)
}

// Network is a set of hosts and links. Its methods are safe for concurrent
// use.
type Network struct {
	cfg   Config
	start time.Time

	hooks    sync.Mutex // held while a hook runs; nothing is locked under it
	recorder *recorder  // guarded by hooks; nil without a TB

	waiting waiting

	mu     sync.Mutex // guards what follows; taken before wires
	hosts  []*host
	middle map[string]sim.Node // switches, routers and NATs

	wires   sync.Mutex // guards what follows, the inboxes of all ends, and all of sim
	fabric  *sim.Fabric
	timer   *time.Timer // calls run; nil until first needed
	timerAt tcp.Time    // when it fires; 0: it does not
	stopped bool
}

// New returns a network without hosts.
func New(cfg Config) *Network {
	n := &Network{cfg: cfg, start: time.Now(), middle: map[string]sim.Node{}}
	if cfg.TB != nil {
		n.recorder = new(recorder)
		cfg.TB.Cleanup(func() {
			n.Close()
			n.save()
		})
	}
	var onPacket func(tcp.Time, *trace.Packet)
	if cfg.OnPacket != nil || n.recorder != nil {
		onPacket = n.tellPacket
	}
	n.fabric = sim.NewFabric(cfg.Seed, n.now, onPacket)
	return n
}

// now is the time since New; it is never 0, which means "no time".
func (n *Network) now() tcp.Time { return tcp.Time(time.Since(n.start)) + 1 }

// tellPacket shows a packet to the hooks.
func (n *Network) tellPacket(now tcp.Time, p *trace.Packet) {
	n.hooks.Lock()
	defer n.hooks.Unlock()
	if n.recorder != nil {
		n.recorder.packet(now, p)
	}
	if n.cfg.OnPacket != nil {
		n.cfg.OnPacket(now, p)
	}
}

// tellEvent shows an event to the hooks.
func (n *Network) tellEvent(host string, e *tcp.Event) {
	if e.Kind == tcp.EventState {
		n.waiting.notify()
	}
	if n.recorder == nil && n.cfg.OnEvent == nil {
		return
	}
	n.hooks.Lock()
	defer n.hooks.Unlock()
	if n.recorder != nil {
		n.recorder.event(host, e)
	}
	if n.cfg.OnEvent != nil {
		n.cfg.OnEvent(host, e)
	}
}

// closeTime is how long Close lets connections end in good order.
const closeTime = 5 * time.Second

// Close closes every host, which ends its connections in good order as long
// as the links let it, up to 5 s, and then the links. No goroutine of the
// network is left when it returns. A second Close does nothing.
func (n *Network) Close() {
	n.mu.Lock()
	hosts := n.hosts
	n.hosts = nil
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var closing sync.WaitGroup
	for _, h := range hosts {
		closing.Go(func() { _ = h.stack.Close(ctx) }) // connections left over are reset
	}
	closing.Wait()
	n.wires.Lock()
	defer n.wires.Unlock()
	n.stopped = true
	if n.timer != nil {
		n.timer.Stop()
	}
	for _, l := range n.fabric.Links() {
		l.Unplug() // gives back what was on its way
	}
	for _, h := range hosts {
		for _, e := range h.ends {
			e.cut()
		}
	}
}
