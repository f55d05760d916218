package trace

import "github.com/trivet-net/trivet/wire"

// decode reads a packet as a TCP segment, as its sender sees it; nil when it
// is none. Checksums are not looked at: a log has what was sent.
func decode(p *Packet) *segment {
	var packet wire.Packet
	var ip wire.IP
	packet.SetBytes(p.Data)
	packet.Checksum = wire.ChecksumValid
	if packet.ParseIP(&ip) != wire.DropNone || ip.Protocol != wire.ProtoTCP {
		return nil
	}
	seg := &segment{packet: p}
	if packet.ParseTCP(&ip, &seg.tcp) != wire.DropNone {
		return nil
	}
	if len(seg.tcp.Payload) == 1 {
		seg.text = seg.tcp.Payload[0].Data // which is part of p.Data
	} else {
		for _, c := range seg.tcp.Payload {
			seg.text = append(seg.text, c.Data...)
		}
	}
	seg.tcp.Payload = nil
	seg.tuple = wire.FourTuple{
		LocalAddr: ip.Src, RemoteAddr: ip.Dst,
		LocalPort: seg.tcp.SrcPort, RemotePort: seg.tcp.DstPort,
	}
	return seg
}
