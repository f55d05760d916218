package netsim

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
)

// host is a name with the stack that bears it now.
type host struct {
	name  string
	addrs []netip.Addr
	cfg   trivet.Config
	boots int
	down  bool
	stack *trivet.Stack // guarded by Network.mu

	endpoint *sim.Endpoint // this and what follows are guarded by Network.wires
	ends     []*end        // of the present stack, by port; none while it is down
}

// HostOption is a property of a host.
type HostOption func(*host)

// Addresses gives a host other addresses than those it would get. The network
// panics when another host has one of them.
func Addresses(addrs ...netip.Addr) HostOption { return func(h *host) { h.addrs = addrs } }

// Configure changes the configuration of one host; Config.Host is that of all.
func Configure(change func(*trivet.Config)) HostOption { return func(h *host) { change(&h.cfg) } }

// Host returns the host with the name; the first call makes it, as the options
// say. Without Addresses it has an IPv4 and an IPv6 address of its own:
// 10.0.0.1 and fd00::1 for the first. All hosts know each other's names:
// client.Dial("tcp", "server:80").
func (n *Network) Host(name string, options ...HostOption) *trivet.Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.named(name); h != nil {
		return h.stack
	}
	i := len(n.hosts) + 1
	h := &host{name: name, cfg: n.cfg.Host, addrs: []netip.Addr{
		netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
		netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}),
	}}
	for _, o := range options {
		o(h)
	}
	n.checkNew(name, h.addrs)
	n.boot(h)
	n.wires.Lock()
	h.endpoint = n.fabric.AddEndpoint(name, h.addrs, h.deliver, func(sim.Attachment) {})
	n.wires.Unlock()
	n.hosts = append(n.hosts, h)
	return h.stack
}

// checkNew panics if the name or an address is taken. n.mu is held.
func (n *Network) checkNew(name string, addrs []netip.Addr) {
	if n.named(name) != nil || n.middle[name] != nil {
		panic(fmt.Sprintf("netsim: there is a %q already", name))
	}
	for _, a := range addrs {
		if !a.IsValid() {
			panic(fmt.Sprintf("netsim: an address of %s is invalid", name))
		}
	}
	for _, h := range n.hosts {
		for _, a := range h.addrs {
			for _, b := range addrs {
				if a == b {
					panic(fmt.Sprintf("netsim: %s and %s would have the same address %v", h.name, name, a))
				}
			}
		}
	}
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
	cfg := h.cfg
	cfg.Name, cfg.Shards, cfg.Resolve = h.name, 1, n.resolve
	cfg.Secret = n.fabric.Secret(fmt.Sprintf("host %q %d", h.name, h.boots))
	cfg.TCP.Trace = n.traceHook(h.name, cfg.TCP.Trace)
	s, err := trivet.New(cfg)
	if err != nil {
		panic(err) // Config.Host cannot be
	}
	h.stack = s
}

// traceHook returns a hook that tells, in the network's time, of what a stack
// that is made now tells in its own.
func (n *Network) traceHook(name string, also func(*tcp.Event)) func(*tcp.Event) {
	born := n.now() - 1
	return func(e *tcp.Event) {
		if also != nil {
			also(e)
		}
		moved := *e
		moved.Time += born
		n.tellEvent(name, &moved)
	}
}

// resolve looks up the name of a host, router or NAT.
func (n *Network) resolve(_ context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.named(name); h != nil {
		return h.addrs, nil
	}
	if m, ok := n.middle[name].(interface{ Addrs() []netip.Addr }); ok {
		return m.Addrs(), nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// Addr returns the IPv4 address of the host, the invalid address if it has
// none; a stack that is not a host of this network panics.
func (n *Network) Addr(s *trivet.Stack) netip.Addr { return n.addr(s, netip.Addr.Is4) }

// Addr6 returns the IPv6 address of the host, the invalid address if it has
// none.
func (n *Network) Addr6(s *trivet.Stack) netip.Addr { return n.addr(s, netip.Addr.Is6) }

func (n *Network) addr(s *trivet.Stack, kind func(netip.Addr) bool) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.of(s).addrs {
		if kind(a) {
			return a
		}
	}
	return netip.Addr{}
}

// Reboot is Crash and Boot at once: every connection and listener of the host
// is gone, without a word to its peers, and the stack that is returned takes
// its place, with the same name, addresses and links.
func (n *Network) Reboot(s *trivet.Stack) *trivet.Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.of(s)
	n.crash(h)
	return n.revive(h)
}

// Crash ends the host without a word to its peers, who are left with half-open
// connections. Its stack is closed: calls on it return net.ErrClosed. Until
// Boot nobody answers at its addresses.
func (n *Network) Crash(s *trivet.Stack) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.crash(n.of(s))
}

// Boot starts a host anew that Crash ended, and returns the stack that takes
// its place, with the same name, addresses and links. A host that is up, or
// not known, panics; one whose stack the test has closed itself comes back with
// Reboot.
func (n *Network) Boot(name string) *trivet.Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.named(name)
	if h == nil || !h.down {
		panic(fmt.Sprintf("netsim: no host %q that is down", name))
	}
	return n.revive(h)
}

// crash ends the host's stack. n.mu is held.
func (n *Network) crash(h *host) {
	if h.down {
		return
	}
	h.down = true
	n.wires.Lock()
	for _, e := range h.ends {
		e.cut()
	}
	h.ends = nil
	n.wires.Unlock()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.stack.Close(gone) // its connections are reset, which nobody hears
}

// revive gives a host that is down a stack with all links. n.mu is held.
func (n *Network) revive(h *host) *trivet.Stack {
	h.down = false
	n.tellEvent(h.name, &tcp.Event{Time: n.now(), Kind: tcp.EventCall, Call: "reboot"})
	n.boot(h)
	n.wires.Lock()
	links := h.endpoint.Links()
	n.wires.Unlock()
	for i := range links {
		n.attach(h, i)
	}
	return h.stack
}
