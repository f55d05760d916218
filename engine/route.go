package engine

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Interface is one attachment of the host to a link.
type Interface struct {
	// Index goes into the packets' Link field.
	Index int
	// MTU is in bytes, 88 to 65535; 1280 and more with IPv6.
	MTU int
	// Prefixes are the host's addresses, each with the network that is
	// reachable through this interface.
	Prefixes []netip.Prefix
	// MaxSuper bounds the payload of a super-segment, in bytes; 0 means that
	// each packet must fit the MTU. Links without offload may have it too:
	// see wire.Cut.
	MaxSuper int
	// Loopback marks the interface to which packets for one of the host's own
	// addresses go. All addresses of its IPv4 networks are the host's own.
	Loopback bool
}

// MinMTU is the least MTU of an interface, in bytes: room for the smallest
// segment that a peer can ask for with the largest headers.
const MinMTU = 88

// The other bounds of an interface's MTU, in bytes: IPv6's least MTU (RFC 8200,
// Section 5), and the longest IPv4 packet.
const (
	minMTU6 = 1280
	maxMTU  = 65535
)

// route is a way to the addresses of a prefix.
type route struct {
	prefix netip.Prefix
	to     *Interface
}

// network is the host's place in the networks: interfaces, addresses, routes.
type network struct {
	interfaces []*Interface
	loopback   *Interface
	routes     []route // longest prefix first, then in order of addition
	own        []wire.Addr
	broadcast  []wire.Addr // directed broadcast addresses
	generation uint32      // counts the changes
}

// AddInterface attaches the host to a link. An address may be on several
// interfaces. Errors: EEXIST when the index is taken, EINVAL when the MTU is
// out of range or a prefix is not one of a unicast address.
func (e *Engine) AddInterface(i Interface) error {
	n := &e.network
	if n.byIndex(i.Index) != nil {
		return syscall.EEXIST
	}
	if i.MTU < MinMTU || i.MTU > maxMTU {
		return syscall.EINVAL
	}
	i.Prefixes = slices.Clone(i.Prefixes)
	for j, p := range i.Prefixes {
		a := p.Addr().WithZone("")
		if !p.IsValid() || a.Is4In6() || !unicast(a) || (a.Is6() && i.MTU < minMTU6) {
			return syscall.EINVAL
		}
		i.Prefixes[j] = netip.PrefixFrom(a, p.Bits())
	}
	n.interfaces = append(n.interfaces, &i)
	for _, p := range i.Prefixes {
		n.addRoute(route{p.Masked(), &i})
	}
	n.changed()
	return nil
}

// unicast reports whether the address may be that of one host.
func unicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// RemoveInterface detaches the host; its addresses are gone, and connections
// from them find no route until they come back.
func (e *Engine) RemoveInterface(index int) {
	n := &e.network
	n.routes = slices.DeleteFunc(n.routes, func(r route) bool { return r.to.Index == index })
	n.interfaces = slices.DeleteFunc(n.interfaces, func(i *Interface) bool { return i.Index == index })
	n.changed()
	e.groups.forgetInterface(index)
}

// AddRoute sends packets for prefix out by the interface. Errors: ENODEV when
// there is no such interface, EINVAL for an invalid prefix.
func (e *Engine) AddRoute(prefix netip.Prefix, index int) error {
	i := e.network.byIndex(index)
	switch {
	case !prefix.IsValid() || prefix.Addr().Is4In6():
		return syscall.EINVAL
	case i == nil:
		return syscall.ENODEV
	}
	e.network.addRoute(route{prefix.Masked(), i})
	e.network.changed()
	return nil
}

func (n *network) byIndex(index int) *Interface {
	for _, i := range n.interfaces {
		if i.Index == index {
			return i
		}
	}
	return nil
}

func (n *network) addRoute(r route) {
	at := len(n.routes)
	for at > 0 && n.routes[at-1].prefix.Bits() < r.prefix.Bits() {
		at--
	}
	n.routes = slices.Insert(n.routes, at, r)
}

// changed computes what follows from the interfaces.
func (n *network) changed() {
	n.generation++
	n.own, n.broadcast, n.loopback = nil, nil, nil
	for _, i := range n.interfaces {
		if i.Loopback {
			n.loopback = i
		}
		for _, p := range i.Prefixes {
			n.own = append(n.own, wire.AddrFrom(p.Addr()))
			if p.Addr().Is4() && p.Bits() < 31 {
				n.broadcast = append(n.broadcast, broadcastOf(p))
			}
		}
	}
}

// broadcastOf returns the last address of an IPv4 network.
func broadcastOf(p netip.Prefix) wire.Addr {
	a := wire.AddrFrom(p.Masked().Addr())
	for bit := p.Bits(); bit < 32; bit++ {
		a[12+bit/8] |= 0x80 >> (bit % 8)
	}
	return a
}

// isOwn reports whether a is one of the host's addresses.
func (n *network) isOwn(a *wire.Addr) bool {
	for i := range n.own {
		if n.own[i] == *a {
			return true
		}
	}
	return isLoopback4(a) && n.loopback != nil && n.loopback.contains(a.Netip())
}

func (i *Interface) contains(a netip.Addr) bool {
	return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isBroadcast reports whether a is the broadcast address of one of the host's
// IPv4 networks.
func (n *network) isBroadcast(a *wire.Addr) bool {
	return slices.Contains(n.broadcast, *a)
}

// isToMany reports whether a is a group, or a broadcast address here.
func (n *network) isToMany(a *wire.Addr) bool {
	return a.IsToMany() || n.isBroadcast(a)
}

// owner returns the interface that has the host's address a; nil for none.
func (n *network) owner(a *wire.Addr) *Interface {
	ip := a.Netip()
	for _, i := range n.interfaces {
		if slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr() == ip }) {
			return i
		}
	}
	return nil
}

// find returns the interface by which packets for a leave; nil when there is
// none. The host's own addresses are reached through the loopback interface, and
// loopback addresses by no other way, whatever the routes say (RFC 1122, Section
// 3.2.1.3; RFC 4291, Section 2.5.3).
func (n *network) find(a *wire.Addr) *Interface {
	if n.isOwn(a) || isLoopback(a) {
		return n.loopback
	}
	ip := a.Netip()
	for i := range n.routes {
		if r := &n.routes[i]; r.prefix.Contains(ip) {
			return r.to
		}
	}
	return nil
}

// source returns the address to use for packets to remote through i: the
// host's own if remote is that, else the one whose network has remote in it,
// else one of the same scope; the invalid address when there is none.
func (n *network) source(i *Interface, remote netip.Addr) netip.Addr {
	r := wire.AddrFrom(remote)
	if i.Loopback && n.isOwn(&r) && !isLoopback4(&r) {
		return remote
	}
	var best netip.Addr
	rank := -1
	for _, p := range i.Prefixes {
		a := p.Addr()
		if a.Is4() != remote.Is4() {
			continue
		}
		v := 0
		switch {
		case p.Contains(remote):
			v = 2 + p.Bits()
		case a.IsLinkLocalUnicast() == remote.IsLinkLocalUnicast():
			v = 1
		}
		if v > rank {
			best, rank = a, v
		}
	}
	return best
}

func (i *Interface) path() tcp.Path { return tcp.Path{MTU: i.MTU, MaxSuper: i.MaxSuper} }
