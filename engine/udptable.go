package engine

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/trivet-net/trivet/wire"
)

// udpTable finds UDP sockets by their local port, in the order in which they
// were opened.
//
// A UDP socket that is not connected receives from anybody, so the hash of the
// 4-tuple, which says in which shard a TCP connection lives, would send its
// datagrams to all shards. Instead the local port alone names the shard: a
// socket is in one shard, with one lock and one queue; sockets that share a port
// meet there; so do ICMP errors, which quote it. Clients, with a port each, are
// spread over the shards; a server with one port has the throughput of one
// shard.
type udpTable struct {
	ports  map[uint16][]*UDPSocket
	size   int
	queued int    // bytes of memory in the queues of all
	next   uint32 // where the search for a port goes on
}

// ShardOfPort returns the shard that the UDP sockets of a local port live in.
func (e *Engine) ShardOfPort(port uint16) int {
	if e.cfg.Shards == 1 {
		return 0
	}
	var b [2]byte
	binary.LittleEndian.PutUint16(b[:], port)
	return shardOf(siphash(&e.keys.table, 1, 3, b[:]), e.cfg.Shards)
}

// bindUDP gives a socket its port, 0 being chosen, and puts it into the table.
func (e *Engine) bindUDP(s *UDPSocket, port uint16) error {
	if port == 0 {
		if port = e.udpPort(s); port == 0 {
			return syscall.EADDRINUSE
		}
	} else if e.ShardOfPort(port) != e.cfg.Shard {
		return syscall.EADDRNOTAVAIL
	}
	s.tuple.LocalPort = port
	for _, other := range e.udp.ports[port] {
		if s.conflicts(other) {
			return syscall.EADDRINUSE
		}
	}
	if e.udp.ports == nil {
		e.udp.ports = make(map[uint16][]*UDPSocket)
	}
	e.udp.ports[port] = append(e.udp.ports[port], s)
	e.udp.size++
	return nil
}

// udpPort chooses an ephemeral port of this shard that no UDP socket has, or else one
// that those of other addresses have; 0 when there is none. As for TCP (RFC 6056, Section 3.3.4) the search begins at a
// secret place, which depends on the destination if there is one, and goes on
// with steps that an outsider cannot tell: who would forge an answer, say of a
// name server, has to guess the port (RFC 5452, Section 9.2).
func (e *Engine) udpPort(s *UDPSocket) uint16 {
	n := uint32(e.cfg.LastPort) - uint32(e.cfg.FirstPort) + 1
	start := e.keys.port.hashWith(&s.tuple, e.udp.next)
	for _, beside := range []bool{false, true} {
		for i := range n {
			port := e.cfg.FirstPort + uint16((uint32(start)+i)%n)
			others := e.udp.ports[port]
			if (others == nil || beside && !slices.ContainsFunc(others, s.overlaps)) && e.ShardOfPort(port) == e.cfg.Shard {
				e.udp.next++
				return port
			}
		}
	}
	return 0
}

// conflicts reports whether two sockets with one port cannot be there together:
// their addresses overlap, and one of them does not want to share.
func (s *UDPSocket) conflicts(o *UDPSocket) bool {
	if s.opt.ReuseAddr && o.opt.ReuseAddr || s.opt.ReusePort && o.opt.ReusePort {
		return false
	}
	return s.overlaps(o)
}

// overlaps reports whether some address is that of both sockets.
func (s *UDPSocket) overlaps(o *UDPSocket) bool {
	families := s.v4 && o.v4 || s.v6 && o.v6
	return families && (!s.bound || !o.bound || s.tuple.LocalAddr == o.tuple.LocalAddr)
}

func (t *udpTable) remove(s *UDPSocket) {
	port := s.tuple.LocalPort
	i := slices.Index(t.ports[port], s)
	t.size--
	if t.ports[port] = slices.Delete(t.ports[port], i, i+1); len(t.ports[port]) == 0 {
		delete(t.ports, port)
	}
}

// score says how well a socket fits a datagram to t, seen from here; 0: not at
// all. A connected socket comes before one that is bound to an address, that
// before one without; and for IPv4 one of IPv4 alone before one of both families.
// For IPv6 these are alike, as on Linux.
func (s *UDPSocket) score(t *wire.FourTuple) int {
	switch {
	case !s.takes(&t.LocalAddr), s.bound && s.tuple.LocalAddr != t.LocalAddr:
		return 0
	case s.peer && (s.tuple.RemotePort != t.RemotePort || s.tuple.RemoteAddr != t.RemoteAddr):
		return 0
	case s.peer:
		return 4
	case s.bound:
		return 3
	case !s.v6:
		return 2
	}
	return 1
}

// lookup returns the socket for a datagram to one host, nil if there is none. Of
// sockets that fit alike it is the newest, or, when they share their port, the
// one that the hash says.
func (t *udpTable) lookup(tuple *wire.FourTuple, spread *key) *UDPSocket {
	sockets := t.ports[tuple.LocalPort]
	var best *UDPSocket
	score, sharing := 0, 0
	for _, s := range sockets {
		switch v := s.score(tuple); {
		case v == 0 || v < score:
		case v > score || !s.opt.ReusePort || !best.opt.ReusePort:
			best, score, sharing = s, v, 1
		default:
			sharing++
		}
	}
	if sharing <= 1 {
		return best
	}
	n := int(uint32(spread.hash(tuple)) % uint32(sharing))
	for _, s := range sockets {
		if s.opt.ReusePort && s.score(tuple) == score {
			if n == 0 {
				return s
			}
			n--
		}
	}
	return best
}
