package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Input processes a packet from a link. The packet is borrowed.
func (e *Engine) Input(now tcp.Time, p *wire.Packet) {
	e.stats.PacketsIn++
	e.inputPacket(now, p)
}

// inputPacket processes a packet that came from a link or was put together.
func (e *Engine) inputPacket(now tcp.Time, p *wire.Packet) {
	e.ip = wire.IP{}
	drop := p.ParseIP(&e.ip)
	if drop == wire.DropFragment {
		e.inputFragment(now, p)
		return
	}
	if drop == wire.DropOption || (drop == wire.DropSourceRoute && e.ip.Version == 6) {
		e.inputProblem(now, p, drop)
		return
	}
	if drop == wire.DropNone && e.network.isToMany(&e.ip.Dst) {
		e.inputToMany(now, p)
		return
	}
	if drop == wire.DropNone {
		drop = e.network.check(&e.ip, p.Link)
	}
	if drop != wire.DropNone {
		e.drop(now, drop)
		return
	}
	switch e.ip.Protocol {
	case wire.ProtoTCP:
		e.inputTCP(now, p)
	case wire.ProtoUDP:
		e.inputUDP(now, p)
	case wire.ProtoICMP, wire.ProtoICMPv6:
		if p.IsMLD(&e.ip) {
			e.inputMembership(now, p, p.Link)
			return
		}
		e.inputICMP(now, p)
	case wire.ProtoIGMP:
		e.inputMembership(now, p, p.Link)
	default:
		e.inputUnknown(now, p)
	}
}

// inputToMany processes a packet that was sent to a group or a broadcast
// address: a datagram, an echo request, or a message about groups. What the host
// itself has sent so comes back by the loopback interface, and is taken as if it
// had come in by the interface that has its source.
func (e *Engine) inputToMany(now tcp.Time, p *wire.Packet) {
	n, index := &e.network, p.Link
	looped := n.loopback != nil && index == n.loopback.Index
	if i := n.owner(&e.ip.Src); looped && i != nil {
		index = i.Index
	}
	membership := e.ip.Protocol == wire.ProtoIGMP || p.IsMLD(&e.ip)
	drop := n.checkSource(&e.ip, p.Link)
	if membership && !looped && isUnspecified(&e.ip.Src) {
		// RFC 3376, Section 4.2.13, and RFC 3590: who has no address yet says so.
		drop = wire.DropNone
	}
	switch {
	case drop != wire.DropNone:
		e.drop(now, drop)
	case membership:
		e.inputMembership(now, p, index)
	case e.ip.Protocol == wire.ProtoUDP:
		e.inputUDPToMany(now, p, index)
	case e.ip.Protocol == wire.ProtoICMPv6:
		e.inputEchoToMany(now, p, index)
	default:
		e.drop(now, wire.DropNotLocal)
	}
}

// check looks at the addresses of a packet that came in by the interface. RFC
// 9293, Section 3.9.2.3: segments to or from broadcast, multicast and invalid
// addresses are ignored (MUST-57, MUST-63). RFC 1122, Section 3.2.1.3: loopback
// addresses never appear on a link; nor do our own as a source, unless somebody
// forged them.
func (n *network) check(ip *wire.IP, index int) wire.Drop {
	if !n.isOwn(&ip.Dst) {
		return wire.DropNotLocal
	}
	return n.checkSource(ip, index)
}

// checkSource is the part of check that is about the source, and about loopback
// addresses.
func (n *network) checkSource(ip *wire.IP, index int) wire.Drop {
	if !isUnicast(&ip.Src) || n.isBroadcast(&ip.Src) {
		return wire.DropAddress
	}
	if n.loopback != nil && index == n.loopback.Index {
		return wire.DropNone
	}
	if isLoopback(&ip.Src) || isLoopback(&ip.Dst) || n.isOwn(&ip.Src) {
		return wire.DropAddress
	}
	return wire.DropNone
}

// isUnicast reports whether a can be the address of a single host: not one of
// "this network", nor multicast, nor broadcast to all.
func isUnicast(a *wire.Addr) bool {
	if a.Is4() {
		return a[12] != 0 && a[12] != 255 && (a[12] < 224 || a[12] >= 240)
	}
	return a[0] != 0xff && *a != wire.Addr{}
}

// isMulticast reports whether a is the address of a group.
func isMulticast(a *wire.Addr) bool {
	if a.Is4() {
		return a[12] >= 224 && a[12] < 240
	}
	return a[0] == 0xff
}

func isUnspecified(a *wire.Addr) bool {
	return *a == wire.Addr{} || *a == wire.Addr{10: 0xff, 11: 0xff}
}

func isLoopback4(a *wire.Addr) bool { return a[12] == 127 && a.Is4() }

func isLoopback(a *wire.Addr) bool { return isLoopback4(a) || *a == wire.Addr{15: 1} }

// drop counts and traces a packet that no connection sees.
func (e *Engine) drop(now tcp.Time, d wire.Drop) {
	e.stats.Drops[d]++
	if e.tcp.Trace != nil {
		t := wire.FourTuple{LocalAddr: e.ip.Dst, RemoteAddr: e.ip.Src}
		e.tcp.Trace(&tcp.Event{Time: now, Kind: tcp.EventDrop, Tuple: t, Drop: d})
	}
}
