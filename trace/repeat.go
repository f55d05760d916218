package trace

import (
	"cmp"
	"slices"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// repeat explains a retransmission and what led to it.
func (x *explainer) repeat(seg *segment) string {
	old, what := seg.repeats, ""
	switch seg.reason() {
	case tcp.RuleRetransmitTimeout:
		what = x.lang.say(msgRepeatTimeout, old.packet.Number, short(seg.send.time.Sub(old.send.time)))
	case tcp.RuleFastRetransmit:
		what = x.lang.say(msgRepeatFast, old.packet.Number)
	case tcp.RuleLost:
		what = x.lang.say(msgRepeatLate, old.packet.Number)
	case tcp.RuleTailProbe:
		what = x.lang.say(msgRepeatProbe, old.packet.Number, short(seg.send.time.Sub(old.send.time)))
	case tcp.RuleSynReceivedSynAgain:
		what = x.lang.say(msgRepeatAsked, old.packet.Number)
	default:
		m := msgRepeat
		if seg.repairing {
			m = msgRepeatTurn
		}
		what = x.lang.say(m, old.packet.Number)
	}
	if !x.blind && x.had(old, seg) {
		m := msgRepeatNeedless
		if x.captured {
			m = msgRepeatAcked
		}
		what += x.lang.say(m, old.packet.Number)
	}
	return what
}

// arrivedBefore reports whether the segment had reached the other end, whole,
// before t.
func (seg *segment) arrivedBefore(t tcp.Time) bool {
	return seg.arrive != nil && !seg.packet.Corrupted && seg.arrive.time < t
}

// had reports whether a segment had reached the other end when another was
// sent that repeats it. Of a capture an acknowledgement is the only proof.
func (c *conversation) had(old, again *segment) bool {
	if c.captured {
		return c.answer(old, again.send.time) != answerNone
	}
	return old.arrivedBefore(again.send.time)
}

// answer is what became of the acknowledgement of a segment.
type answer uint8

const (
	answerNone   answer = iota // none was sent
	answerLost                 // every one was lost
	answerLate                 // it was on its way
	answerUnused               // it had arrived
)

// answer tells what had become, at a moment, of the acknowledgements of a
// segment that arrived.
func (c *conversation) answer(of *segment, now tcp.Time) answer {
	found := answerNone
	first, _ := slices.BinarySearchFunc(c.segments, of.send.time, func(seg *segment, t tcp.Time) int {
		return cmp.Compare(seg.send.time, t)
	})
	for _, seg := range c.segments[first:] {
		if seg.send.time >= now {
			break
		}
		if seg.from == of.from || !seg.acknowledges(of) {
			continue
		}
		switch {
		case seg.arrivedBefore(now):
			found = max(found, answerUnused)
		case seg.packet.Fate.Lost() || seg.packet.Corrupted:
			found = max(found, answerLost)
		default:
			found = max(found, answerLate)
		}
	}
	return found
}

// acknowledges reports whether a segment says that all of another has arrived.
func (seg *segment) acknowledges(of *segment) bool {
	s := &seg.tcp
	if seg.peer != of.own || s.Flags&(wire.ACK|wire.RST) != wire.ACK {
		return false
	}
	if of.tcp.End().LessEq(s.Ack) {
		return true
	}
	for _, b := range s.Options.SACK[:s.Options.NumSACK] {
		if b.Left.LessEq(of.tcp.Seq) && of.tcp.End().LessEq(b.Right) {
			return true
		}
	}
	return false
}

// reason is the rule that led to a retransmission, NoRule when unknown.
func (seg *segment) reason() tcp.Rule {
	for _, r := range []tcp.Rule{tcp.RuleRetransmitTimeout, tcp.RuleSynAckRetransmit} {
		if seg.send.caused(r) {
			return tcp.RuleRetransmitTimeout
		}
	}
	if seg.send.caused(tcp.RuleReorderTimeout) {
		return tcp.RuleLost
	}
	for _, r := range []tcp.Rule{tcp.RuleFastRetransmit, tcp.RulePartialAck} {
		if seg.send.caused(r) {
			return tcp.RuleFastRetransmit
		}
	}
	for _, r := range []tcp.Rule{tcp.RuleLost, tcp.RuleTailProbe, tcp.RuleSynReceivedSynAgain} {
		if seg.send.caused(r) {
			return r
		}
	}
	return tcp.NoRule
}
