package trace

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

func decode(p *Packet) *segment {
	b := p.Data
	if len(b) < 40 || b[0]>>4 != 4 || b[9] != 6 {
		return nil
	}
	var s segment
	s.packet = p
	copy(s.tuple.LocalAddr[:], []byte{10: 0xff, 11: 0xff})
	copy(s.tuple.LocalAddr[12:], b[12:16])
	copy(s.tuple.RemoteAddr[:], []byte{10: 0xff, 11: 0xff})
	copy(s.tuple.RemoteAddr[12:], b[16:20])
	t := b[20:]
	u16, u32 := binary.BigEndian.Uint16, binary.BigEndian.Uint32
	s.tuple.LocalPort, s.tuple.RemotePort = u16(t), u16(t[2:])
	s.tcp = wire.Segment{SrcPort: u16(t), DstPort: u16(t[2:]), Seq: seqnum.Value(u32(t[4:])), Ack: seqnum.Value(u32(t[8:])),
		Flags: wire.Flags(t[13]), Window: u16(t[14:])}
	off := int(t[12]>>4) * 4
	s.text = t[off:]
	s.tcp.PayloadLen = len(s.text)
	o := t[20:off]
	for len(o) > 0 {
		switch o[0] {
		case 0:
			return &s
		case 1:
			o = o[1:]
			continue
		case 2:
			s.tcp.Options.MSS = u16(o[2:])
		case 3:
			s.tcp.Options.HasWScale, s.tcp.Options.WScale = true, o[2]
		case 4:
			s.tcp.Options.SACKPermitted = true
		case 5:
			for i := 2; i < int(o[1]); i += 8 {
				s.tcp.Options.SACK[s.tcp.Options.NumSACK] = wire.SACKBlock{Left: seqnum.Value(u32(o[i:])), Right: seqnum.Value(u32(o[i+4:]))}
				s.tcp.Options.NumSACK++
			}
		case 8:
			s.tcp.Options.HasTS, s.tcp.Options.TSVal, s.tcp.Options.TSEcr = true, u32(o[2:]), u32(o[6:])
		}
		o = o[o[1]:]
	}
	return &s
}
