package capture

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// datagram takes an IP packet into the log, if it is a UDP datagram or an ICMP
// message about one or about a connection that is known.
func (c *Capture) datagram(at tcp.Time, data []byte) bool {
	if data == nil {
		return false
	}
	var packet wire.Packet
	var ip wire.IP
	packet.SetBytes(data)
	packet.Checksum = wire.ChecksumValid
	if packet.ParseIP(&ip) != wire.DropNone {
		return false
	}
	at = c.moment(at)
	var u wire.UDP
	var icmp wire.ICMP
	switch {
	case ip.Protocol == wire.ProtoUDP && packet.ParseUDP(&ip, &u) == wire.DropNone:
		c.Datagrams++
	case packet.ParseICMP(&ip, &icmp) != wire.DropNone:
		return false
	case icmp.Protocol == wire.ProtoTCP && c.observer.told(&c.Log, at, &icmp):
		c.Errors++
		return true
	case icmp.Protocol == wire.ProtoUDP:
		c.Errors++
	default:
		return false
	}
	c.bytes += len(data)
	t := wire.FourTuple{LocalAddr: ip.Src, RemoteAddr: ip.Dst, LocalPort: u.SrcPort, RemotePort: u.DstPort}
	p := trace.Packet{Number: c.Packets, From: hostOf(t), To: hostOf(t.Reverse()), Sent: at, Data: data}
	c.Log.Packet(at, &p)
	p.Fate, p.End = trace.FateDelivered, at
	c.Log.Packet(at, &p)
	return true
}

// isHard reports whether an ICMP message says that it cannot work, not only that
// it does not work now (RFC 1122, Section 4.2.3.9).
func isHard(m *wire.ICMP) bool {
	if m.Kind != wire.ICMPUnreachable {
		return false
	}
	if m.Tuple.LocalAddr.Is4() {
		return m.Code == wire.ICMPPortUnreachable || m.Code == wire.ICMPProtocolUnreachable
	}
	return m.Code == wire.ICMPv6PortUnreachable
}

// told infers what an ICMP message means for the end of a connection that it
// is about, and reports whether there is one.
func (o *observer) told(log *trace.Log, at tcp.Time, m *wire.ICMP) bool {
	e := o.ends[m.Tuple]
	if e == nil {
		return false
	}
	rule := tcp.RuleICMPSoft
	switch {
	case m.Kind == wire.ICMPTooBig:
		rule = tcp.RulePathMTU
	case isHard(m):
		rule = tcp.RuleICMPHard
	}
	e.decide(log, at, rule)
	return true
}
