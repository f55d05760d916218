package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Middlebox is something on a link that looks at every packet and may change
// it, lose it, or send others. It is called with each packet that enters the
// link, from either end, after the rules, and says what it does by the methods
// of Passing; if it calls none, the packet goes on as it is.
type Middlebox func(*Passing)

// Passing is a packet in a middlebox.
type Passing struct {
	*Crossing
	dropped bool
	onward  [][]byte
	back    [][]byte
}

// Drop loses the packet.
func (p *Passing) Drop() { p.dropped = true }

// Replace sends another packet on instead.
func (p *Passing) Replace(packet []byte) {
	p.dropped = true
	p.Onward(packet)
}

// Onward sends a packet to where this one was going, after it.
func (p *Passing) Onward(packet []byte) { p.onward = append(p.onward, packet) }

// Back sends a packet to where this one came from.
func (p *Passing) Back(packet []byte) { p.back = append(p.back, packet) }

// Insert puts a middlebox on the link, behind those that are there. It stays.
func (l *Link) Insert(m Middlebox) {
	if m == nil {
		panic("sim: a nil middlebox")
	}
	l.ab.boxes, l.ba.boxes = append(l.ab.boxes, m), append(l.ba.boxes, m)
	l.fabric.boxes++
}

// pass sends a packet through the middleboxes from the i-th on and then into
// the pipe. A packet that a middlebox makes has to pass those behind it.
func (x *line) pass(i int, c *Crossing, v Verdict) {
	if i == len(x.boxes) {
		x.enter(c.Number, c.Now, c.Data, v)
		return
	}
	p := Passing{Crossing: c}
	x.boxes[i](&p)
	f := x.fabric
	reverse := x.to.out
	for _, b := range p.back {
		reverse.enter(reverse.number(), f.clock(), b, Verdict{})
	}
	if !p.dropped {
		x.pass(i+1, c, v)
	}
	for k, b := range p.onward {
		var s sight
		number, verdict := c.Number, v
		if k > 0 || !p.dropped {
			number, verdict = x.number(), Verdict{}
		}
		x.pass(i+1, s.look(c.Now, number, x, b), verdict)
	}
	if p.dropped && len(p.onward) == 0 {
		v.Drop = true
		x.enter(c.Number, c.Now, c.Data, v) // so that it is told of
	}
}

// SegmentPacket returns an IP packet with the segment, whose ports are those of
// the addresses: for Link.Inject and for middleboxes.
func SegmentPacket(from, to netip.AddrPort, s *wire.Segment) []byte {
	var p wire.Packet
	one := *s
	one.Count = 1
	p.BuildTCP(wire.Tuple(from, to), &one, 0)
	p.FinishChecksum()
	return p.AppendTo(nil)
}

// StripOptions takes the TCP options of the given kinds out of all segments, as
// some firewalls do: NOPs stand in their place. 2 is MSS, 3 window scale, 4
// SACK permitted, 5 SACK, 8 timestamps, 34 Fast Open.
func StripOptions(kinds ...uint8) Middlebox {
	return func(p *Passing) {
		if p.Segment == nil {
			return
		}
		packet := slices.Clone(p.Data)
		changed := false
		for options := tcpOptions(packet, p.IP.HeaderLen); len(options) >= 2; {
			n := 1
			if options[0] > 1 {
				n = min(max(int(options[1]), 2), len(options))
				if slices.Contains(kinds, options[0]) {
					changed = true
					for i := range options[:n] {
						options[i] = 1
					}
				}
			} else if options[0] == 0 {
				break
			}
			options = options[n:]
		}
		if changed {
			seal(packet)
			p.Replace(packet)
		}
	}
}

// ClampMSS lowers the MSS option of SYNs to at most the given one, in bytes, as
// routers before a narrow link do.
func ClampMSS(mss uint16) Middlebox {
	return func(p *Passing) {
		if p.Segment == nil || p.Segment.Options.MSS <= mss {
			return
		}
		packet := slices.Clone(p.Data)
		options := tcpOptions(packet, p.IP.HeaderLen)
		for len(options) >= 4 && options[0] != 2 {
			n := 1
			if options[0] > 1 {
				n = max(int(options[1]), 2)
			}
			options = options[min(n, len(options)):]
		}
		if len(options) >= 4 {
			options[2], options[3] = byte(mss>>8), byte(mss)
			seal(packet)
			p.Replace(packet)
		}
	}
}

// tcpOptions returns the options in a packet whose IP header has n bytes.
func tcpOptions(packet []byte, n int) []byte {
	return packet[n+20 : n+int(packet[n+12]>>4)*4]
}

// BleachECN clears the ECN field of all IP headers, as old routers do.
func BleachECN(p *Passing) {
	if ecnOf(p.Data) == 0 {
		return
	}
	packet := slices.Clone(p.Data)
	if packet[0]>>4 == 4 {
		packet[1] &^= ecnMask
		sealIPv4(packet[:ipHeaderLen(packet)])
	} else {
		packet[1] &^= ecnMask << 4
	}
	p.Replace(packet)
}

// ResetOn breaks a connection off when a segment matches, as censors and
// intrusion prevention do: both ends get a RST in the name of the other, and
// the segment is lost.
func ResetOn(matches ...Match) Middlebox {
	r := Rule{matches: matches}
	return func(p *Passing) {
		if p.Segment == nil || p.Segment.Flags.Has(wire.RST) || !r.matchesAll(p.Crossing) {
			return
		}
		t := p.Tuple()
		p.Replace(SegmentPacket(t.Local(), t.Remote(), &wire.Segment{
			Flags: wire.RST | wire.ACK, Seq: p.Segment.Seq, Ack: p.Segment.Ack,
		}))
		p.Back(resetFor(p.Segment, t))
	}
}

// resetFor returns the packet that answers a segment, of the given 4-tuple as
// its sender sees it, with a RST (RFC 9293, Section 3.10.7.1).
func resetFor(s *wire.Segment, t wire.FourTuple) []byte {
	var reply wire.Segment
	tcp.ResetFor(s, &reply)
	return SegmentPacket(t.Remote(), t.Local(), &reply)
}

// Firewall lets only segments of connections pass that it saw open, and forgets
// those that were silent for longer than idle: then it answers with a RST if
// reset is set, else with silence. Other packets pass.
func Firewall(idle time.Duration, reset bool) Middlebox {
	flows := map[wire.FourTuple]*tcp.Time{} // when they were last heard of
	return func(p *Passing) {
		if p.Segment == nil {
			return
		}
		t := p.Tuple()
		last := flows[t]
		if last == nil {
			last = flows[t.Reverse()]
		}
		switch {
		case last != nil && p.Now.Sub(*last) <= idle:
			*last = p.Now
		case p.Segment.Flags&(wire.SYN|wire.ACK) == wire.SYN:
			delete(flows, t.Reverse())
			now := p.Now
			flows[t] = &now
		default:
			p.Drop()
			if reset && !p.Segment.Flags.Has(wire.RST) {
				p.Back(resetFor(p.Segment, t))
			}
		}
	}
}
