package engine

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Refusal names a segment of a connection that a link of this host did not take.
type Refusal struct {
	tuple      wire.FourTuple
	start, end seqnum.Value
}

// RefusalOf returns what p is a part of, if it is a segment of TCP that takes up
// sequence numbers: for others there is nobody to tell. p is as it was given to
// the link, in the packets that the link takes.
func RefusalOf(p *wire.Packet) (Refusal, bool) {
	var ip wire.IP
	var seg wire.Segment
	if p.Checksum == wire.ChecksumUnknown {
		p.Checksum = wire.ChecksumValid // it is our own
	}
	if p.ParseIP(&ip) != wire.DropNone || ip.Protocol != wire.ProtoTCP ||
		p.ParseTCP(&ip, &seg) != wire.DropNone || seg.Len() == 0 || seg.Flags.Has(wire.SYN) {
		return Refusal{}, false
	}
	return Refusal{
		tuple: wire.FourTuple{
			LocalAddr: ip.Src, LocalPort: seg.SrcPort, RemoteAddr: ip.Dst, RemotePort: seg.DstPort,
		},
		start: seg.Seq, end: seg.End(),
	}, true
}

// Refused tells the connections what the link did not take of the last Output, in
// the order in which it was given.
func (e *Engine) Refused(now tcp.Time, refusals []Refusal) {
	for i := len(refusals) - 1; i >= 0; i-- {
		r := &refusals[i]
		n := e.table.lookup(uint32(e.keys.table.hash(&r.tuple)), &r.tuple)
		if n == nil || n.conn == nil {
			continue
		}
		n.conn.tcp.Refused(now, r.start, r.end)
		e.settle(now, n.conn)
	}
}
