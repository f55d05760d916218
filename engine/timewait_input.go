package engine

import (
	"math"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputTimeWait is RFC 9293, Section 3.10.7.4, for TIME-WAIT, with RFC 5961,
// RFC 6191 and RFC 1337. The segment is in e.seg.
func (e *Engine) inputTimeWait(now tcp.Time, i index) {
	r, f := e.timeWaits.at(i), e.seg.Flags
	t := &r.tuple
	e.received(now, t)
	switch {
	case f.Has(wire.RST):
		e.resetTimeWait(now, i)
	case f.Has(wire.SYN):
		e.synTimeWait(now, i)
	case r.hasTS && e.seg.Options.HasTS && int32(e.seg.Options.TSVal-r.tsRecent) < 0:
		e.rule(now, t, tcp.RulePAWS)
		e.answerTimeWait(now, r)
	case !inWindow(&e.seg, r.rcvNxt, seqnum.Size(r.rcvWnd)):
		e.outsideTimeWait(now, i)
	case !f.Has(wire.ACK):
		e.rule(now, t, tcp.RuleNoAck)
	case r.sndNxt.Less(e.seg.Ack):
		e.rule(now, t, tcp.RuleAckUnsent)
		e.answerTimeWait(now, r)
	case e.seg.Ack.Add(math.MaxUint16).Less(r.sndNxt):
		// MAX.SND.WND is forgotten: that of a peer without scaling stands for it.
		e.rule(now, t, tcp.RuleChallengeAckOld)
		e.answerTimeWait(now, r)
	default:
		e.insideTimeWait(now, i)
	}
}

// resetTimeWait handles RST. RFC 9293 lets an exact one end TIME-WAIT; RFC
// 1337, Section 4, shows what harm that does: by default it is ignored (DIS-1).
func (e *Engine) resetTimeWait(now tcp.Time, i index) {
	r := e.timeWaits.at(i)
	switch {
	case !inWindow(&e.seg, r.rcvNxt, seqnum.Size(r.rcvWnd)):
		e.rule(now, &r.tuple, tcp.RuleResetOutside)
	case e.seg.Seq != r.rcvNxt:
		e.rule(now, &r.tuple, tcp.RuleChallengeReset)
		e.answerTimeWait(now, r)
	case e.cfg.TimeWaitReset:
		e.endTimeWait(now, i, tcp.RuleTimeWaitReset)
	default:
		e.rule(now, &r.tuple, tcp.RuleTimeWaitReset)
	}
}

// synTimeWait handles SYN: RFC 6191, Section 2: a new incarnation is let in when
// it cannot be taken for the old one; else an ACK tells a peer that half
// remembers where we are (DIS-2). RFC 9293, MAY-2: the new ISS is above the old
// SND.NXT.
func (e *Engine) synTimeWait(now tcp.Time, i index) {
	r := e.timeWaits.at(i)
	t := r.tuple
	if e.seg.Flags&(wire.SYN|wire.ACK|wire.FIN) == wire.SYN && e.newIncarnation(r) {
		if l := e.listeners.lookup(&t, &e.keys.spread); l != nil {
			if e.admit(now, l, &t) {
				hash, iss := r.hash, e.issAfter(now, &t, r.sndNxt)
				e.endTimeWait(now, i, tcp.RuleTimeWaitReuse)
				e.addHalfOpen(now, l, &t, hash, iss)
			}
			return
		}
	}
	e.rule(now, &t, tcp.RuleTimeWaitSyn)
	e.answerTimeWait(now, r)
}

// newIncarnation is the test of RFC 6191, Section 2: the timestamp grew, or,
// where it cannot tell, the sequence number is beyond what the old incarnation
// used.
func (e *Engine) newIncarnation(r *timeWait) bool {
	beyond := r.rcvNxt.LessEq(e.seg.Seq)
	switch o := &e.seg.Options; {
	case r.hasTS && o.HasTS:
		newer := int32(o.TSVal - r.tsRecent)
		return newer > 0 || (newer == 0 && beyond)
	case o.HasTS:
		return true
	default:
		return beyond
	}
}

// outsideTimeWait handles a segment outside the window: usually the FIN again,
// because our ACK of it was lost. That is acknowledged each time, and 2 MSL
// begins anew (RFC 9293, Section 3.10.7.4).
func (e *Engine) outsideTimeWait(now tcp.Time, i index) {
	r := e.timeWaits.at(i)
	switch {
	case e.seg.Flags.Has(wire.FIN) && e.seg.End() == r.rcvNxt:
		e.noteTimeWait(r)
		e.rule(now, &r.tuple, tcp.RuleTimeWaitFin)
		e.timeWaits.restart(i, now.Add(e.cfg.TimeWait))
		e.ackTimeWait(now, r)
	case e.seg.PayloadLen > 0:
		// Data is no ACK: answering it cannot make a loop.
		e.rule(now, &r.tuple, tcp.RuleTimeWaitAck)
		e.ackTimeWait(now, r)
	default:
		e.rule(now, &r.tuple, tcp.RuleTimeWaitAck)
		e.answerTimeWait(now, r)
	}
}

// insideTimeWait handles a segment at or after RCV.NXT, where nothing can be
// that the peer has not ended: text and FIN are acknowledged and dropped, a
// bare ACK needs no answer.
func (e *Engine) insideTimeWait(now tcp.Time, i index) {
	r := e.timeWaits.at(i)
	if e.seg.Seq == r.rcvNxt {
		e.noteTimeWait(r)
	}
	switch {
	case e.seg.Flags.Has(wire.FIN) && e.seg.Seq == r.rcvNxt:
		e.rule(now, &r.tuple, tcp.RuleTimeWaitFin)
		e.timeWaits.restart(i, now.Add(e.cfg.TimeWait))
		e.ackTimeWait(now, r)
	case e.seg.Len() > 0:
		e.rule(now, &r.tuple, tcp.RuleDataAfterFin)
		e.ackTimeWait(now, r)
	case e.seg.Seq != r.rcvNxt:
		e.rule(now, &r.tuple, tcp.RuleTimeWaitAck)
		e.answerTimeWait(now, r)
	default:
		e.rule(now, &r.tuple, tcp.RuleTimeWait)
	}
}

// noteTimeWait keeps TS.Recent, which the next ACK echoes (RFC 7323, Section
// 4.3).
func (e *Engine) noteTimeWait(r *timeWait) {
	if o := &e.seg.Options; r.hasTS && o.HasTS && int32(o.TSVal-r.tsRecent) > 0 {
		r.tsRecent = o.TSVal
	}
}

// answerTimeWait sends an ACK, now and then (RFC 5961, Section 7).
func (e *Engine) answerTimeWait(now tcp.Time, r *timeWait) {
	if e.mayAnswer(now, &r.answered) {
		e.ackTimeWait(now, r)
	}
}

// ackTimeWait sends <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
func (e *Engine) ackTimeWait(now tcp.Time, r *timeWait) {
	seg := &e.reply
	seg.Reset()
	seg.Seq, seg.Ack, seg.Flags, seg.Window = r.sndNxt, r.rcvNxt, wire.ACK, r.rcvWnd
	seg.TOS, seg.TTL = r.tos, r.ttl
	if r.hasTS {
		seg.Options.HasTS = true
		seg.Options.TSVal, seg.Options.TSEcr = tcp.TSVal(now, e.tsOffset(&r.tuple)), r.tsRecent
	}
	e.send(now, &r.tuple, seg)
}
