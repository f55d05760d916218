package lab

import (
	"encoding/binary"
	"net/netip"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// eavesdropper knows of each direction what somebody on the wire knows: the
// last connection, and the numbers that its next segment would have.
type eavesdropper struct {
	last map[string]*heard // by sending host
}

type heard struct {
	tuple wire.FourTuple
	next  seqnum.Value
	ack   seqnum.Value
}

// hear notes a packet that was sent.
func (x *eavesdropper) hear(p *trace.Packet) {
	tuple, seg, ok := decode(p.Data)
	if !ok || seg.Flags.Has(wire.RST) {
		return
	}
	if x.last == nil {
		x.last = map[string]*heard{}
	}
	h := x.last[p.From]
	if h == nil || h.tuple != tuple || seg.Flags.Has(wire.SYN) {
		h = &heard{tuple: tuple, next: seg.End()}
		x.last[p.From] = h
	}
	if h.next.Less(seg.End()) {
		h.next = seg.End()
	}
	h.ack = seg.Ack
}

// decode reads a packet as a TCP segment, without its payload.
func decode(data []byte) (wire.FourTuple, *wire.Segment, bool) {
	seg := new(wire.Segment)
	tuple, ok := wire.DecodeTCP(data, seg)
	seg.Payload = nil
	return tuple, seg, ok
}

// forge sends a segment that claims to be from a host, with the numbers that
// its next one would have: what an attacker on the path can do. It reports
// whether the host had spoken, for else there is nothing to imitate.
func (s *stage) forge(i *Intervention) bool {
	h := s.ears.last[i.host]
	if h == nil {
		return false
	}
	seg := wire.Segment{Seq: h.next, Ack: h.ack, Window: 65535, Count: 1}
	switch i.forge {
	case "rst":
		seg.Flags = wire.RST
	case "syn":
		seg.Flags, seg.Ack = wire.SYN, 0
	case "ack":
		seg.Flags = wire.ACK
	}
	s.inject(i.host, h.tuple, &seg)
	return true
}

// inject sends a segment into the link as if the host had sent it.
func (s *stage) inject(host string, tuple wire.FourTuple, seg *wire.Segment) {
	s.forging = true
	s.link.Inject(s.host(host), packetOf(tuple, seg))
	s.forging = false
}

// packetOf is a segment as a packet.
func packetOf(tuple wire.FourTuple, seg *wire.Segment) []byte {
	var p wire.Packet
	p.BuildTCP(tuple, seg, 0)
	p.FinishChecksum()
	return p.AppendTo(nil)
}

// middleAddr is the address of a router on the way.
var middleAddr = netip.AddrFrom4([4]byte{10, 255, 0, 1})

// icmp lets a router on the way tell the client by ICMP what became of one of its
// packets (RFC 792). The message takes half the way.
func (s *stage) icmp(router netip.Addr, kind, code byte, mtu uint16, packet []byte) {
	const ip, head = 20, 8
	quote := packet[:min(len(packet), ip+head)]
	b := make([]byte, ip+head+len(quote))
	b[0], b[8], b[9] = 0x45, 64, wire.ProtoICMP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	from, to := router.As4(), s.client.Addr().As4()
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	binary.BigEndian.PutUint16(b[10:], ^wire.Checksum(b[:ip], 0))
	m := b[ip:]
	m[0], m[1] = kind, code
	binary.BigEndian.PutUint16(m[6:], mtu)
	copy(m[head:], quote)
	binary.BigEndian.PutUint16(m[2:], ^wire.Checksum(m, 0))
	s.net.After(0, func() { s.link.Inject(s.server, b) })
}
