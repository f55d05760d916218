package netsim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
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
	hooks sync.Mutex // held while a hook runs; nothing is locked under it

	mu    sync.Mutex // guards what follows; taken before wires
	hosts []*host

	wires   sync.Mutex // guards what follows, and the inboxes of all ends
	fabric  *sim.Fabric
	timer   *time.Timer // calls run; nil until first needed
	timerAt tcp.Time    // when it fires; 0: it does not
	stopped bool
}

// host is a name with the stack that bears it now.
type host struct {
	name         string
	addr4, addr6 netip.Addr
	boots        int
	stack        *trivet.Stack // guarded by Network.mu

	endpoint *sim.Endpoint // this and what follows are guarded by Network.wires
	ends     []*end        // of the present stack, by port
}

// New returns a network without hosts.
func New(cfg Config) *Network {
	n := &Network{cfg: cfg, start: time.Now()}
	var onPacket func(tcp.Time, *trace.Packet)
	if cfg.OnPacket != nil {
		onPacket = n.tell
	}
	n.fabric = sim.NewFabric(cfg.Seed, n.now, onPacket)
	return n
}

// now is the time since New; it is never 0, which means "no time".
func (n *Network) now() tcp.Time { return tcp.Time(time.Since(n.start)) + 1 }

// Host returns the host with the name; the first call makes it. It has an
// IPv4 and an IPv6 address of its own, and all hosts know each other's names:
// client.Dial("tcp", "server:80").
func (n *Network) Host(name string) *trivet.Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.named(name); h != nil {
		return h.stack
	}
	i := len(n.hosts) + 1
	h := &host{
		name:  name,
		addr4: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
		addr6: netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}),
	}
	n.boot(h)
	n.wires.Lock()
	h.endpoint = n.fabric.AddEndpoint(name, []netip.Addr{h.addr4, h.addr6}, h.deliver, func(sim.Attachment) {})
	n.wires.Unlock()
	n.hosts = append(n.hosts, h)
	return h.stack
}

// named returns the host with the name, or nil. n.mu is held.
func (n *Network) named(name string) *host {
	for _, h := range n.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// of returns the host whose stack is s. n.mu is held.
func (n *Network) of(s *trivet.Stack) *host {
	for _, h := range n.hosts {
		if h.stack == s {
			return h
		}
	}
	panic("netsim: the stack is not, or no longer, a host of this network")
}

// boot gives the host a fresh stack. n.mu is held.
func (n *Network) boot(h *host) {
	h.boots++
	cfg := n.cfg.Host
	cfg.Name, cfg.Shards, cfg.Resolve = h.name, 1, n.resolve
	cfg.Secret = n.fabric.Secret(fmt.Sprintf("host %q %d", h.name, h.boots))
	if n.cfg.OnEvent != nil {
		cfg.TCP.Trace = n.traceHook(h.name, cfg.TCP.Trace)
	}
	s, err := trivet.New(cfg)
	if err != nil {
		panic(err) // Config.Host cannot be
	}
	h.stack = s
}

// traceHook returns a hook that tells OnEvent, in the network's time, of what
// a stack that is made now tells in its own.
func (n *Network) traceHook(name string, also func(*tcp.Event)) func(*tcp.Event) {
	born := tcp.Time(time.Since(n.start))
	return func(e *tcp.Event) {
		if also != nil {
			also(e)
		}
		moved := *e
		moved.Time += born
		n.hooks.Lock()
		defer n.hooks.Unlock()
		n.cfg.OnEvent(name, &moved)
	}
}

// tell shows a packet to the hook.
func (n *Network) tell(now tcp.Time, p *trace.Packet) {
	n.hooks.Lock()
	defer n.hooks.Unlock()
	n.cfg.OnPacket(now, p)
}

// resolve looks up the name of a host.
func (n *Network) resolve(_ context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.named(name); h != nil {
		return []netip.Addr{h.addr4, h.addr6}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// Addr returns the IPv4 address of the host; a stack that is not a host of
// this network panics.
func (n *Network) Addr(s *trivet.Stack) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of(s).addr4
}

// Addr6 returns the IPv6 address of the host.
func (n *Network) Addr6(s *trivet.Stack) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of(s).addr6
}

// Reboot is a crash: every connection and listener of the host is gone,
// without a word to its peers, and the stack that is returned takes its place,
// with the same name, addresses and links. The old stack is closed.
func (n *Network) Reboot(s *trivet.Stack) *trivet.Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.of(s)
	n.wires.Lock()
	ends := h.ends
	h.ends = nil
	for _, e := range ends {
		e.cut()
	}
	n.wires.Unlock()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.stack.Close(gone) // its connections are reset, which nobody hears
	n.boot(h)
	for i := range ends {
		n.attach(h, i)
	}
	return h.stack
}

// closeTime is how long Close lets connections end in good order.
const closeTime = 5 * time.Second

// Close closes every host, which ends its connections in good order as long
// as the links let it, up to 5 s, and then the links. No goroutine of the
// network is left when it returns.
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
