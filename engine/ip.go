package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Input processes a packet from a link. The packet is borrowed.
func (e *Engine) Input(now tcp.Time, p *wire.Packet) {
	e.stats.PacketsIn++
	e.ip = wire.IP{}
	drop := p.ParseIP(&e.ip)
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
	case wire.ProtoICMP, wire.ProtoICMPv6:
		e.inputICMP(now, p)
	default:
		e.inputUnknown(now, p)
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
