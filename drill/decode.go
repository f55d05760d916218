package drill

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// sentPacket is a packet that the engine sent, or that the script did.
type sentPacket struct {
	at       tcp.Time
	in       bool
	flow     *flow // it belongs to, nil if none
	ip       wire.IP
	label    uint32 // IPv6 flow label
	tcp      *tcpHeader
	udp      *udpHeader
	payload  []byte
	icmp     icmpValue
	consumed bool // a line of the script answered for it
}

// decode reads a packet and checks its form and checksums.
func decode(at tcp.Time, b []byte) (*sentPacket, error) {
	var p wire.Packet
	p.SetBytes(b)
	s := &sentPacket{at: at}
	if d := p.ParseIP(&s.ip); d != wire.DropNone {
		return nil, fmt.Errorf("a malformed packet was sent: %v", d)
	}
	body := b[s.ip.HeaderLen:]
	if s.ip.Version == 6 {
		s.label = binary.BigEndian.Uint32(b) & (1<<20 - 1)
	}
	switch s.ip.Protocol {
	case wire.ProtoICMP, wire.ProtoICMPv6:
		if len(body) < 8 {
			return nil, fmt.Errorf("a malformed ICMP message was sent")
		}
		s.icmp = icmpValue{body[0], body[1]}
		s.payload = body[8:]
	case wire.ProtoTCP:
		var seg wire.Segment
		if d := p.ParseTCP(&s.ip, &seg); d != wire.DropNone {
			return nil, fmt.Errorf("a malformed segment was sent: %v", d)
		}
		off := int(body[12]>>4) * 4
		s.tcp = &tcpHeader{
			srcPort: seg.SrcPort, dstPort: seg.DstPort, seq: uint32(seg.Seq), ack: uint32(seg.Ack),
			flags: uint16(seg.Flags), window: seg.Window, urgent: seg.Urgent, options: body[20:off],
		}
		s.payload = body[off:]
	case wire.ProtoUDP:
		var u wire.UDP
		if d := p.ParseUDP(&s.ip, &u); d != wire.DropNone {
			return nil, fmt.Errorf("a malformed datagram was sent: %v", d)
		}
		s.udp = &udpHeader{u.SrcPort, u.DstPort}
		s.payload = body[8:]
	default:
		return nil, fmt.Errorf("a packet of protocol %d was sent", s.ip.Protocol)
	}
	return s, nil
}

// tuple returns the connection of a segment as the host under test sees it.
func (s *sentPacket) tuple() wire.FourTuple {
	t := wire.FourTuple{
		LocalAddr: s.ip.Src, LocalPort: s.tcp.srcPort, RemoteAddr: s.ip.Dst, RemotePort: s.tcp.dstPort,
	}
	if s.in {
		return t.Reverse()
	}
	return t
}

// rawOptions cuts the options of a header into options; what cannot be cut is
// one option.
func rawOptions(b []byte) []TCPOption {
	var list []TCPOption
	for len(b) > 0 {
		n := 1
		if b[0] > optionNOP {
			n = len(b)
			if len(b) >= 2 && b[1] >= 2 && int(b[1]) <= len(b) {
				n = int(b[1])
			}
		}
		list = append(list, TCPOption{Kind: b[0], Bytes: b[:n:n]})
		b = b[n:]
	}
	return list
}

// text returns an option as a script writes it.
func (o TCPOption) text() string {
	be := binary.BigEndian
	data := o.Bytes[min(2, len(o.Bytes)):]
	switch {
	case o.Kind == optionEOL:
		return "eol"
	case o.Kind == optionNOP:
		return "nop"
	case o.Kind == optionMSS && len(data) == 2:
		return fmt.Sprintf("mss %d", be.Uint16(data))
	case o.Kind == optionWScale && len(data) == 1:
		return fmt.Sprintf("wscale %d", data[0])
	case o.Kind == optionSACKOK:
		return "sackOK"
	case o.Kind == optionTimestamp && len(data) == 8:
		return fmt.Sprintf("TS val %d ecr %d", be.Uint32(data), be.Uint32(data[4:]))
	case o.Kind == optionSACK && len(data)%8 == 0 && len(data) > 0:
		s := "sack"
		for ; len(data) > 0; data = data[8:] {
			s += fmt.Sprintf(" %d:%d", be.Uint32(data), be.Uint32(data[4:]))
		}
		return s
	case o.Kind == optionFastOpen:
		return strings.TrimSpace(fmt.Sprintf("FO %x", data))
	}
	return fmt.Sprintf("gen-%d %x", o.Kind, data)
}

// flagText returns control bits as a script writes them.
func flagText(flags uint16) string {
	b := []byte{}
	for _, c := range []byte("FSRP.UEWA") {
		if flags&uint16(flagLetters[c]) != 0 {
			b = append(b, c)
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}
