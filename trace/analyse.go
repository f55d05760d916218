package trace

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// segmentKind is what a segment is for.
type segmentKind uint8

const (
	kindAck       segmentKind = iota // acknowledges something new
	kindAckAgain                     // says what was said before
	kindDuplicate                    // asks for what is missing
	kindDSACK                        // tells what came twice
	kindWindow                       // tells a new window
	kindHandshake                    // the third segment of the handshake
	kindSyn
	kindSynAck
	kindData
	kindFin
	kindReset
	kindKeepAlive
	kindWindowProbe
)

// direction is what was sent one way so far.
type direction struct {
	sent   []*segment
	begun  bool
	maxEnd seqnum.Value // after the last byte sent
	hasAck bool
	ack    seqnum.Value // the last acknowledgement number sent
	scaled bool         // the window is scaled, that is, not a SYN's
	window uint16
	hasFin bool
	finEnd seqnum.Value // after the FIN
}

// analyse finds out what each segment is for, which ones repeat others, and
// where relative numbers start. It looks at the segments in the order of
// sending, as an observer who sees both ends at once.
func (c *conversation) analyse() {
	c.findISNs()
	c.findRepairs()
	var dirs [2]direction
	for _, seg := range c.segments {
		d, peer := &dirs[seg.from], &dirs[seg.from.other()]
		if seg.packet.Foreign {
			seg.kind = seg.classify(new(direction)) // the host's own segments do not follow from it
			continue
		}
		seg.repeats = d.overlap(seg)
		if seg.repeats != nil {
			seg.repeats.repeated = true
		}
		seg.kind = seg.classify(d)
		seg.acksFin = seg.tcp.Flags.Has(wire.ACK) && peer.hasFin && seg.tcp.Ack == peer.finEnd
		d.record(seg)
	}
}

// findRepairs finds what was sent while losses known from before were repaired.
func (c *conversation) findRepairs() {
	for s := range c.ends {
		repairing := false
		for _, it := range c.ends[s].items {
			for _, r := range it.rules {
				switch r {
				case tcp.RuleLost, tcp.RuleReorderTimeout, tcp.RuleFastRetransmit, tcp.RuleRetransmitTimeout:
					repairing = true
				case tcp.RuleRecovered, tcp.RuleUndoRecovery, tcp.RuleUndoTimeout:
					repairing = false
				}
			}
			if it.kind == itemSend {
				it.seg.repairing = repairing
			}
		}
	}
}

// findISNs takes the initial sequence number of each direction from its SYN,
// or else from the first segment that tells it. A SYN with another number after
// the first begins a new incarnation, with numbers of its own; the
// other end keeps the old ones until it sends a SYN too. A SYN,ACK that answers
// another SYN than the one before, or comes after a RST, has a number of its own as well. Numbers of
// foreign segments count where nothing else is known.
func (c *conversation) findISNs() {
	first := new([2]isn)
	own := [2]*isn{&first[0], &first[1]}
	peer := [2]*isn{&first[1], &first[0]} // as each end believes it
	var open [2]bool
	var next [2]*[2]isn           // the incarnation that the end has to join
	var answered [2]*wire.Segment // the last SYN,ACK
	var broken [2]bool            // a RST followed it
	for _, seg := range c.segments {
		s, from, to := &seg.tcp, seg.from, seg.from.other()
		if s.Flags.Has(wire.RST) {
			broken = [2]bool{true, true}
		}
		switch {
		case seg.packet.Foreign && own[from].known:
			seg.own, seg.peer = own[from], peer[from]
			continue
		case s.Flags.Has(wire.SYN) && next[from] != nil:
			own[from], peer[from] = &next[from][from], &next[from][to]
			next[from] = nil
		case s.Flags.Has(wire.SYN|wire.ACK) && answered[from] != nil &&
			answered[from].Seq != s.Seq && (answered[from].Ack != s.Ack || broken[from]):
			own[from], open[from] = new(isn), false
			if s.Ack == own[to].seq.Add(1) {
				peer[to] = own[from] // it answers this end, not a foreign segment
			}
		case s.Flags&(wire.SYN|wire.ACK) == wire.SYN && own[from].known && s.Seq != own[from].seq:
			next[to] = new([2]isn)
			own[from], peer[from] = &next[to][from], &next[to][to]
			open = [2]bool{}
		}
		seg.own, seg.peer = own[from], peer[from]
		if s.Flags.Has(wire.SYN | wire.ACK) {
			answered[from], broken[from] = s, false
		}
		if s.Flags&(wire.RST|wire.ACK) == wire.RST {
			seg.own = peer[to] // it takes its number from what it answers
		}
		seg.learn()
		if s.Flags&(wire.SYN|wire.RST) == 0 {
			open[from] = true
		}
	}
}

// learn takes from a segment what it tells of the initial numbers.
func (seg *segment) learn() {
	s, own, peer := &seg.tcp, seg.own, seg.peer
	if s.Flags.Has(wire.SYN) {
		own.known, own.seq = true, s.Seq
	}
	if !own.known && !s.Flags.Has(wire.RST) {
		own.known, own.seq = true, s.Seq-1
	}
	if !peer.known && s.Flags.Has(wire.ACK) {
		peer.known, peer.seq = true, s.Ack-1
	}
	if !own.knownTS && s.Options.HasTS {
		own.knownTS, own.ts = true, s.Options.TSVal
	}
}

// overlap returns the last segment that sent the same sequence number before.
// The SYN,ACK of a simultaneous open repeats the SYN, but is news.
func (d *direction) overlap(seg *segment) *segment {
	s := &seg.tcp
	if s.Len() == 0 || s.Flags.Has(wire.RST) || !d.begun || !s.Seq.Less(d.maxEnd) {
		return nil
	}
	for i := len(d.sent) - 1; i >= 0; i-- {
		old := &d.sent[i].tcp
		if !s.Seq.In(old.Seq, old.Len()) || d.sent[i].send.time == seg.send.time {
			continue // another one, or not the one that a timer waited for
		}
		if s.Flags.Has(wire.SYN|wire.ACK) && !old.Flags.Has(wire.ACK) {
			return nil
		}
		return d.sent[i]
	}
	return nil
}

func (seg *segment) classify(d *direction) segmentKind {
	s := &seg.tcp
	switch {
	case s.Flags.Has(wire.RST):
		return kindReset
	case s.Flags.Has(wire.SYN | wire.ACK):
		return kindSynAck
	case s.Flags.Has(wire.SYN):
		return kindSyn
	case s.Flags.Has(wire.FIN):
		return kindFin
	case seg.send.caused(tcp.RuleKeepAliveProbe):
		return kindKeepAlive
	case seg.send.caused(tcp.RuleZeroWindowProbe):
		return kindWindowProbe
	case s.PayloadLen > 0:
		return kindData
	}
	return seg.classifyAck(d)
}

// classifyAck tells apart the segments that only acknowledge.
func (seg *segment) classifyAck(d *direction) segmentKind {
	s := &seg.tcp
	switch {
	case seg.opensConnection(d):
		return kindHandshake
	case !d.hasAck || d.ack.Less(s.Ack):
		return kindAck
	case s.Options.NumSACK > 0 && s.Options.SACK[0].Right.LessEq(s.Ack):
		return kindDSACK
	case s.Options.NumSACK > 0 || seg.send.caused(tcp.RuleOutOfOrder):
		return kindDuplicate
	case d.scaled && s.Window != d.window:
		return kindWindow
	}
	return kindAckAgain
}

// opensConnection reports whether the segment is the first since the SYN that
// began the connection, and acknowledges the peer's.
func (seg *segment) opensConnection(d *direction) bool {
	if seg.tcp.Seq != seg.own.seq.Add(1) || seg.tcp.Ack != seg.peer.seq.Add(1) {
		return false
	}
	for i := len(d.sent) - 1; i >= 0; i-- {
		if old := d.sent[i]; !old.tcp.Flags.Has(wire.RST) {
			return old.tcp.Flags&(wire.SYN|wire.ACK) == wire.SYN
		}
	}
	return false
}

func (d *direction) record(seg *segment) {
	s := &seg.tcp
	d.sent = append(d.sent, seg)
	if s.Flags.Has(wire.RST) {
		return
	}
	if !d.begun || d.maxEnd.Less(s.End()) {
		d.begun, d.maxEnd = true, s.End()
	}
	if s.Flags.Has(wire.ACK) {
		d.hasAck, d.ack = true, s.Ack
	}
	d.scaled, d.window = !s.Flags.Has(wire.SYN), s.Window
	if s.Flags.Has(wire.FIN) {
		d.hasFin, d.finEnd = true, s.End()
	}
}

// caused reports whether the rule decided something at the same end at the
// same moment, before the item.
func (it *item) caused(r tcp.Rule) bool {
	for x := it.after; x != nil; x = x.after {
		if x.has(r) {
			return true
		}
	}
	return false
}
