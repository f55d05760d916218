package trace

import "github.com/trivet-net/trivet/wire"

// decode reads a packet as a TCP segment, as its sender sees it; nil when it
// is none. Checksums are not looked at: a log has what was sent.
func decode(p *Packet) *segment {
	seg := &segment{packet: p}
	var ok bool
	if seg.tuple, ok = wire.DecodeTCP(p.Data, &seg.tcp); !ok {
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
	return seg
}
