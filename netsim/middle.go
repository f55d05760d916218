package netsim

import (
	"fmt"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/wire"
)

// Node is what links join: a host's *trivet.Stack, or a Switch, Router or NAT
// of the same network.
type Node interface{ String() string }

// nodeOf returns what the node is to the fabric, and its host if it is one.
// n.mu is held.
func (n *Network) nodeOf(x Node) (sim.Node, *host) {
	switch x := x.(type) {
	case *trivet.Stack:
		h := n.of(x)
		return h.endpoint, h
	case *Switch:
		return x.node, nil
	case *Router:
		return x.node, nil
	case *NAT:
		return x.node, nil
	}
	panic(fmt.Sprintf("netsim: a %T is no node of a network", x))
}

// middle adds what make makes, under a name that is free.
func middle[T sim.Node](n *Network, name string, make func() T) T {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.checkNew(name, nil)
	var x T
	n.read(func() { x = make() })
	n.middle[name] = x
	return x
}

// Switch joins any number of links and passes packets on, unchanged, to where
// their destination is.
type Switch struct{ node *sim.Switch }

// Switch adds a switch.
func (n *Network) Switch(name string) *Switch {
	return &Switch{middle(n, name, func() *sim.Switch { return n.fabric.AddSwitch(name) })}
}

// String returns the switch's name.
func (s *Switch) String() string { return s.node.Name() }

// Router joins networks: see sim.Router. Hosts send everything to it that is
// not for a direct neighbour.
type Router struct {
	network *Network
	node    *sim.Router
}

// Router adds a router, which answers by ICMP what cannot be.
func (n *Network) Router(name string) *Router { return n.router(name, sim.RouterConfig{}) }

// SilentRouter adds a router that never says why it loses packets: before a
// link with a smaller MTU it makes a path-MTU black hole.
func (n *Network) SilentRouter(name string) *Router {
	return n.router(name, sim.RouterConfig{Silent: true})
}

func (n *Network) router(name string, cfg sim.RouterConfig) *Router {
	return &Router{n, middle(n, name, func() *sim.Router { return n.fabric.AddRouter(name, cfg) })}
}

// String returns the router's name.
func (r *Router) String() string { return r.node.Name() }

// Stats returns the counts of the router's packets.
func (r *Router) Stats() (s sim.RouterStats) {
	r.network.read(func() { s = r.node.Stats() })
	return s
}

// NAT hides the hosts inside behind its own address: see sim.NAT. The first
// link joined to it leads outside.
type NAT struct {
	network *Network
	node    *sim.NAT
}

// NAT adds a NAT.
func (n *Network) NAT(name string, cfg sim.NATConfig) *NAT {
	return &NAT{n, middle(n, name, func() *sim.NAT { return n.fabric.AddNAT(name, cfg) })}
}

// String returns the NAT's name, by which hosts find its address.
func (x *NAT) String() string { return x.node.Name() }

// Forward leads TCP connections from outside to a port of the NAT to a port of
// a host inside.
func (x *NAT) Forward(port uint16, to *trivet.Stack, toPort uint16) {
	x.network.mu.Lock()
	defer x.network.mu.Unlock()
	h := x.network.of(to)
	x.network.read(func() {
		for _, a := range h.addrs {
			x.node.Forward(wire.ProtoTCP, port, netip.AddrPortFrom(a, toPort))
		}
	})
}

// Forget drops all mappings, as a NAT that was switched off and on.
func (x *NAT) Forget() { x.network.read(x.node.Forget) }

// Mappings returns how many flows the NAT knows.
func (x *NAT) Mappings() (flows int) {
	x.network.read(func() { flows = x.node.Mappings() })
	return flows
}
