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
// engines of a host answer alike. Packets that belong to no connection go to
// shard 0. It is safe for concurrent use, as far as the packet is.
func (e *Engine) ShardOf(p *wire.Packet) int {
	if e.cfg.Shards == 1 {
		return 0
	}
	t, ok := connectionOf(p)
	if !ok {
		return 0
	}
	return shardOf(e.keys.table.hash(&t), e.cfg.Shards)
}

// connectionOf returns the 4-tuple of the connection that a packet belongs to,
// as its receiver sees it.
func connectionOf(p *wire.Packet) (t wire.FourTuple, ok bool) {
	var ip wire.IP
	if p.ParseIP(&ip) != wire.DropNone {
		return t, false
	}
	switch b := p.Contiguous(); ip.Protocol {
	case wire.ProtoTCP:
		if len(b) < ip.HeaderLen+4 {
			return t, false
		}
		b = b[ip.HeaderLen:]
		return wire.FourTuple{
			LocalAddr: ip.Dst, LocalPort: binary.BigEndian.Uint16(b[2:]),
			RemoteAddr: ip.Src, RemotePort: binary.BigEndian.Uint16(b),
		}, true
	case wire.ProtoICMP, wire.ProtoICMPv6:
		// An error belongs to the connection whose segment it quotes.
		var m wire.ICMP
		drop := p.ParseICMP(&ip, &m)
		return m.Tuple, drop == wire.DropNone && m.Protocol == wire.ProtoTCP
	}
	return t, false
}
