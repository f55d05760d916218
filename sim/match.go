package sim

import (
	"bytes"
	"slices"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Crossing is a packet that is about to cross a link, as matches and
// middleboxes see it. It is good only during their call.
type Crossing struct {
	Now    tcp.Time
	Number int
	// From and To are the names of the nodes at the ends of the link.
	From, To string
	// Data is the packet from its IP header on; it must not be changed.
	Data []byte
	// IP is its header, and Segment its segment if it is one of TCP, else nil.
	// Of a packet that cannot be parsed there is only the data.
	IP      wire.IP
	Segment *wire.Segment
	// Payload is that of the segment.
	Payload []byte
}

// Tuple returns the 4-tuple of the segment, as its sender sees it.
func (c *Crossing) Tuple() wire.FourTuple {
	return wire.FourTuple{
		LocalAddr: c.IP.Src, RemoteAddr: c.IP.Dst,
		LocalPort: c.Segment.SrcPort, RemotePort: c.Segment.DstPort,
	}
}

// sight is room for a Crossing.
type sight struct {
	Crossing
	packet  wire.Packet
	segment wire.Segment
}

// look makes the crossing that of a packet.
func (s *sight) look(now tcp.Time, number int, x *line, data []byte) *Crossing {
	s.Crossing = Crossing{
		Now: now, Number: number, From: x.from.station.name, To: x.to.station.name, Data: data,
	}
	s.packet.SetBytes(data)
	s.packet.Checksum = wire.ChecksumValid
	if s.packet.ParseIP(&s.IP) != wire.DropNone || s.IP.Protocol != wire.ProtoTCP ||
		s.packet.ParseTCP(&s.IP, &s.segment) != wire.DropNone {
		return &s.Crossing
	}
	s.Segment = &s.segment
	s.Payload = data[s.IP.Len-s.segment.PayloadLen : s.IP.Len]
	return &s.Crossing
}

// Match says whether a packet is meant. Where several are given they are asked
// in order until one says no, and all must say yes: so Nth counts only what
// those before it let through.
//
//	n.Drop(sim.From("client"), sim.Data, sim.Nth(3))
type Match func(*Crossing) bool

// From matches packets that are sent by the node with the name.
func From(name string) Match { return func(c *Crossing) bool { return c.From == name } }

// To matches packets on the link to the node with the name.
func To(name string) Match { return func(c *Crossing) bool { return c.To == name } }

// Port matches segments from or to the TCP port.
func Port(port uint16) Match {
	return func(c *Crossing) bool {
		return c.Segment != nil && (c.Segment.SrcPort == port || c.Segment.DstPort == port)
	}
}

// Segment matches every segment of TCP.
func Segment(c *Crossing) bool { return c.Segment != nil }

// Data matches segments with data.
func Data(c *Crossing) bool { return c.Segment != nil && c.Segment.PayloadLen > 0 }

// PureAck matches segments that only acknowledge: no data, SYN, FIN or RST.
func PureAck(c *Crossing) bool {
	return c.Segment != nil && c.Segment.PayloadLen == 0 && c.Segment.Flags&(wire.SYN|wire.FIN|wire.RST|wire.ACK) == wire.ACK
}

// Syn matches SYNs that are not SYN,ACKs.
func Syn(c *Crossing) bool {
	return c.Segment != nil && c.Segment.Flags&(wire.SYN|wire.ACK) == wire.SYN
}

// SynAck matches SYN,ACKs.
func SynAck(c *Crossing) bool { return c.Segment != nil && c.Segment.Flags.Has(wire.SYN|wire.ACK) }

// Fin matches segments with FIN.
func Fin(c *Crossing) bool { return c.Segment != nil && c.Segment.Flags.Has(wire.FIN) }

// Rst matches segments with RST.
func Rst(c *Crossing) bool { return c.Segment != nil && c.Segment.Flags.Has(wire.RST) }

// ICMP matches messages of ICMP and ICMPv6.
func ICMP(c *Crossing) bool {
	return c.IP.Version == 4 && c.IP.Protocol == wire.ProtoICMP || c.IP.Version == 6 && c.IP.Protocol == wire.ProtoICMPv6
}

// Containing matches segments whose data have the text in them.
func Containing(text string) Match {
	return func(c *Crossing) bool { return bytes.Contains(c.Payload, []byte(text)) }
}

// Larger matches IP packets over so many bytes.
func Larger(n int) Match { return func(c *Crossing) bool { return len(c.Data) > n } }

// Not matches what the other does not.
func Not(m Match) Match { return func(c *Crossing) bool { return !m(c) } }

// Any matches what at least one of them does. All of them are asked.
func Any(matches ...Match) Match {
	return func(c *Crossing) bool {
		found := false
		for _, m := range matches {
			found = m(c) || found
		}
		return found
	}
}

// Nth matches the packets with the given numbers, from 1, of those it is asked
// about. Like all that count it is made for one rule.
func Nth(numbers ...int) Match {
	n := 0
	return func(*Crossing) bool {
		n++
		return slices.Contains(numbers, n)
	}
}

// First matches the first n packets it is asked about.
func First(n int) Match {
	return func(*Crossing) bool {
		n--
		return n >= 0
	}
}

// Retransmission matches segments all of whose data, or SYN or FIN, were seen
// before, on any link.
func Retransmission() Match {
	next := map[wire.FourTuple]seqnum.Value{}
	return func(c *Crossing) bool {
		if c.Segment == nil || c.Segment.Len() == 0 {
			return false
		}
		t, end := c.Tuple(), c.Segment.End()
		before, known := next[t]
		if !known || c.Segment.Flags.Has(wire.SYN) && c.Segment.Seq.Add(1) != before || before.Less(end) {
			next[t] = end
			return false
		}
		return true
	}
}
