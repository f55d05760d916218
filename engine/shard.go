package engine

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/wire"
)

// shardOf returns the shard of a connection by the hash of its 4-tuple. The
// table uses the low bits of the hash, this the high ones.
func shardOf(hash uint64, shards int) int {
	return int((hash >> 32) * uint64(shards) >> 32)
}

// ShardOf returns the shard, of n, that a packet from the wire belongs to. All
// engines of a host answer alike. Datagrams belong to the shard of their port
// here. Fragments, and packets that belong to no connection or socket, go to
// shard 0. It is safe for concurrent use, as far as the packet is.
func (e *Engine) ShardOf(p *wire.Packet) int {
	if e.cfg.Shards == 1 {
		return 0
	}
	t, proto := endsOf(p)
	switch proto {
	case wire.ProtoUDP:
		return e.ShardOfPort(t.LocalPort)
	case 0:
		return 0
	}
	return shardOf(e.keys.table.hash(&t), e.cfg.Shards)
}

// endsOf returns the 4-tuple of the connection or datagram that a packet belongs
// to, as its receiver sees it, and whether that is of TCP or UDP; 0 if it is of
// neither.
func endsOf(p *wire.Packet) (t wire.FourTuple, proto uint8) {
	var ip wire.IP
	if p.ParseIP(&ip) != wire.DropNone {
		return t, 0
	}
	switch b := p.Contiguous(); ip.Protocol {
	case wire.ProtoTCP, wire.ProtoUDP:
		if len(b) < ip.HeaderLen+4 {
			return t, 0
		}
		b = b[ip.HeaderLen:]
		return wire.FourTuple{
			LocalAddr: ip.Dst, LocalPort: binary.BigEndian.Uint16(b[2:]),
			RemoteAddr: ip.Src, RemotePort: binary.BigEndian.Uint16(b),
		}, ip.Protocol
	case wire.ProtoICMP, wire.ProtoICMPv6:
		// An error belongs to the connection whose segment, or the socket whose
		// datagram, it quotes.
		var m wire.ICMP
		drop := p.ParseICMP(&ip, &m)
		if drop == wire.DropNone && (m.Protocol == wire.ProtoTCP || m.Protocol == wire.ProtoUDP) {
			return m.Tuple, m.Protocol
		}
	}
	return t, 0
}
