package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Findings are those of the ladder of a connection.
func (a *Analysis) Findings(connection int, lang Lang) []string {
	if connection < 0 || connection >= len(a.talks) {
		return nil
	}
	return find(a.talks[connection], lang, SeqRelative)
}

// Findings are what a look at the whole conversation shows: how long the
// handshake took, what was lost and what was sent again for it, by number, and
// how it ended; one sentence each.
func (l *Ladder) Findings() []string {
	if l.talk == nil {
		return nil
	}
	return find(l.talk, l.style.Lang, l.style.Seq)
}

func find(talk *conversation, lang Lang, seq Seq) []string {
	f := finder{explainer: explainer{conversation: talk, lang: lang, seq: seq}}
	f.handshake()
	f.totals()
	f.losses()
	f.repeats()
	f.undone()
	f.windows()
	f.missing()
	f.ending()
	return f.found
}

type finder struct {
	explainer
	found []string
}

func (f *finder) add(m message, args ...any) { f.found = append(f.found, f.lang.say(m, args...)) }

// handshake finds the time from the first SYN to the moment when its sender
// was in ESTABLISHED.
func (f *finder) handshake() {
	for s := range f.ends {
		var syn tcp.Time
		for _, it := range f.ends[s].items {
			if it.kind == itemSend && it.seg.kind == kindSyn && syn == 0 {
				syn = it.time
			}
			if syn != 0 && it.became(tcp.StateEstablished) {
				f.add(msgFindHandshake, short(it.time.Sub(syn)))
				return
			}
		}
	}
}

// totals tells how many bytes each end sent.
func (f *finder) totals() {
	bytes := f.conversation.totals()
	m := msgFindBytes
	if f.captured {
		m = msgFindCaptured
	}
	f.add(m, f.ends[0].host, bytes[0], f.ends[1].host, bytes[1])
}

// totals counts the bytes of each direction, those sent again once.
func (c *conversation) totals() [2]int {
	var bytes [2]int
	var end [2]seqnum.Value
	var base [2]*isn // of the incarnation that end belongs to
	for _, seg := range c.segments {
		if seg.tcp.PayloadLen == 0 {
			continue
		}
		s := seg.from
		first, last := seg.tcp.Seq, seg.tcp.Seq.Add(seqnum.Size(seg.tcp.PayloadLen))
		if base[s] == seg.own && first.Less(end[s]) {
			first = seqnum.Min(end[s], last)
		}
		bytes[s] += last.Diff(first)
		if base[s] != seg.own || end[s].Less(last) {
			base[s], end[s] = seg.own, last
		}
	}
	return bytes
}

// losses lists what the link did to packets, by sender and cause.
func (f *finder) losses() {
	for _, e := range f.ends {
		for fate := FateLoss; fate < numFates; fate++ {
			list := f.numbers(func(p *Packet) bool { return p.From == e.host && p.Fate == fate })
			if list != "" {
				f.add(msgFindLost, e.host, f.lang.fateText(fate), list)
			}
		}
		for _, x := range []struct {
			msg message
			is  func(*Packet) bool
		}{
			{msgFindForeign, func(p *Packet) bool { return p.Foreign }},
			{msgFindCorrupted, func(p *Packet) bool { return p.Corrupted }},
			{msgFindDuplicated, func(p *Packet) bool { return p.Copy > 0 }},
			{msgFindReordered, func(p *Packet) bool { return p.Delayed && !p.Corrupted && f.overtaken(p) }},
			{msgFindDelayed, func(p *Packet) bool { return p.Delayed && !p.Corrupted && !f.overtaken(p) }},
		} {
			if list := f.numbers(func(p *Packet) bool { return p.From == e.host && x.is(p) }); list != "" {
				f.add(x.msg, e.host, list)
			}
		}
	}
}

// overtaken reports whether a packet that was sent later arrived first.
func (f *finder) overtaken(p *Packet) bool {
	for _, seg := range f.segments {
		x := seg.packet
		if x.From == p.From && x.Number > p.Number && x.Fate == FateDelivered && (p.End == 0 || x.End < p.End) {
			return true
		}
	}
	return false
}

// windows tells how long each end had no room.
func (f *finder) windows() {
	var closed [2]*segment
	for _, seg := range f.segments {
		was := &closed[seg.from]
		switch {
		case seg.tcp.Flags&(wire.SYN|wire.RST|wire.ACK) != wire.ACK:
		case seg.tcp.Window == 0 && *was == nil:
			*was = seg
		case seg.tcp.Window > 0 && *was != nil:
			took := seg.send.time.Sub((*was).send.time)
			f.add(msgFindClosed, f.ends[seg.from].host, short(took), (*was).packet.Number, seg.packet.Number)
			*was = nil
		}
	}
	for s, seg := range closed {
		if seg != nil {
			f.add(msgFindStayedClosed, f.ends[s].host, seg.packet.Number)
		}
	}
}

// missing tells how many bytes of each end a capture lacks that the other end
// acknowledged.
func (f *finder) missing() {
	if !f.captured {
		return
	}
	// One look at each: a capture may have as many connections as segments.
	tallies := map[*isn]*tally{}
	of := func(base *isn) *tally {
		t := tallies[base]
		if t == nil {
			t = &tally{acked: 1}
			tallies[base] = t
		}
		return t
	}
	for _, seg := range f.segments {
		s := &seg.tcp
		if s.Flags.Has(wire.RST) {
			continue
		}
		if s.Len() > 0 {
			t := of(seg.own)
			t.side, t.seen = seg.from, append(t.seen, [2]int{s.Seq.Diff(seg.own.seq), s.End().Diff(seg.own.seq)})
		}
		if s.Flags.Has(wire.ACK) {
			t := of(seg.peer)
			t.side, t.acked = seg.from.other(), max(t.acked, s.Ack.Diff(seg.peer.seq))
		}
	}
	var lacking [2]int
	for _, t := range tallies {
		lacking[t.side] += t.lacking()
	}
	for s, n := range lacking {
		if n > 0 {
			f.add(msgFindMissing, n, f.ends[s].host, f.ends[1-s].host)
		}
	}
}

// tally is what was seen of one end of a connection, counted from its initial
// sequence number, and how far it was acknowledged.
type tally struct {
	side  side
	seen  [][2]int
	acked int
}

// lacking counts the bytes that were acknowledged, but not seen.
func (t *tally) lacking() int {
	slices.SortFunc(t.seen, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	lacking, next := 0, 1
	for _, x := range t.seen {
		lacking += max(min(x[0], t.acked)-next, 0)
		next = max(next, x[1])
	}
	return lacking + max(t.acked-next, 0)
}

// numbers lists the packets of the conversation, duplicates included, for
// which is holds: "#3 #5".
func (f *finder) numbers(is func(*Packet) bool) string {
	var list []string
	note := func(p *Packet) {
		if is(p) {
			list = append(list, fmt.Sprintf("#%d", p.Number))
		}
	}
	for _, seg := range f.segments {
		note(seg.packet)
	}
	for s := range f.ends {
		for _, it := range f.ends[s].items {
			if it.kind == itemArrive && it.seg.packet.Copy > 0 {
				note(it.seg.packet)
			}
		}
	}
	return f.few(list)
}

// repetition is a segment that was sent again, and why: one of msgFindRepeat...
// and msgFindNeedless...
type repetition struct {
	why        message
	number, of int
	waited     string
}

// manyRepeats is how many repetitions with one reason get a sentence each.
const manyRepeats = 10

// repeats lists what was sent again, and why.
func (f *finder) repeats() {
	quiet := true
	var list []repetition
	counts := map[message]int{}
	for _, seg := range f.segments {
		quiet = quiet && seg.packet.Fate <= FateDelivered
		old := seg.repeats
		if old == nil || seg.kind == kindWindowProbe {
			continue
		}
		quiet = false
		why, waited := f.why(old, seg)
		list = append(list, repetition{why, seg.packet.Number, old.packet.Number, waited})
		counts[why]++
	}
	for _, r := range list {
		switch n := counts[r.why]; {
		case n > manyRepeats:
			f.together(r.why, list)
			counts[r.why] = 0
		case n > 0 && r.waited != "":
			f.add(r.why, r.number, r.of, r.waited)
		case n > 0:
			f.add(r.why, r.number, r.of)
		}
	}
	switch {
	case quiet && f.captured:
		f.add(msgNothingAgain)
	case quiet:
		f.add(msgNothingLost)
	}
}

// why tells why a segment was sent again, and for how long its sender had waited
// where that is the reason.
func (f *finder) why(old, seg *segment) (message, string) {
	waited := short(seg.send.time.Sub(old.send.time))
	if f.had(old, seg) {
		if f.captured {
			return msgFindNeedlessAcked, ""
		}
		return [...]message{
			answerNone: msgFindNeedlessSilent, answerLost: msgFindNeedlessLost,
			answerLate: msgFindNeedlessLate, answerUnused: msgFindNeedlessUnused,
		}[f.answer(old, seg.send.time)], ""
	}
	switch seg.reason() {
	case tcp.RuleRetransmitTimeout:
		return msgFindRepeatTimeout, waited
	case tcp.RuleFastRetransmit:
		return msgFindRepeatFast, ""
	case tcp.RuleLost:
		return msgFindRepeatLate, ""
	case tcp.RuleTailProbe:
		return msgFindRepeatProbe, waited
	case tcp.RuleSynReceivedSynAgain:
		return msgFindRepeatAsked, ""
	}
	if seg.repairing {
		return msgFindRepeatTurn, ""
	}
	return msgFindRepeat, ""
}

// manyMessages say together what the others say of one repetition each.
var manyMessages = map[message]message{
	msgFindRepeatTimeout: msgFindManyTimeout, msgFindRepeatFast: msgFindManyFast, msgFindRepeatLate: msgFindManyLate,
	msgFindRepeatProbe: msgFindManyProbe, msgFindRepeatTurn: msgFindManyTurn, msgFindNeedlessSilent: msgFindManySilent, msgFindNeedlessLost: msgFindManyAckLost,
	msgFindNeedlessLate: msgFindManyAckLate, msgFindNeedlessUnused: msgFindManyUnused, msgFindNeedlessAcked: msgFindManyAcked,
}

// together adds one sentence about all repetitions with a reason.
func (f *finder) together(why message, all []repetition) {
	var list []string
	for _, r := range all {
		if r.why == why {
			list = append(list, fmt.Sprintf("#%d", r.number))
		}
	}
	m := manyMessages[why]
	if m == msgNone {
		m = msgFindMany
	}
	f.add(m, len(list), f.few(list))
}

// few joins the first of a list, and says how many there are beside.
func (f *finder) few(list []string) string {
	const most = 24
	if len(list) <= most+1 {
		return strings.Join(list, " ")
	}
	return strings.Join(list[:most], " ") + f.lang.say(msgFindMore, len(list)-most)
}

// undone lists the recoveries that turned out to be needless.
func (f *finder) undone() {
	for s := range f.ends {
		for _, it := range f.ends[s].items {
			if it.has(tcp.RuleUndoRecovery) || it.has(tcp.RuleUndoTimeout) {
				f.add(msgFindUndone, f.ends[s].host, short(it.time.Sub(f.start)))
			}
		}
	}
}

// givingUp are the rules by which a host ends a connection for want of an
// answer.
var givingUp = []tcp.Rule{
	tcp.RuleRetriesExhausted, tcp.RuleSynAckExhausted, tcp.RuleUserTimeout, tcp.RuleKeepAliveDead,
}

// vain reports whether a segment changed nothing where it arrived, if it did.
func (seg *segment) vain() bool { return seg.arrive == nil || len(seg.arrive.edges) == 0 }

// resets lists the RSTs of one end for which is holds.
func (f *finder) resets(from side, is func(*segment) bool) string {
	var list []string
	for _, seg := range f.segments {
		if seg.kind == kindReset && seg.from == from && is(seg) {
			list = append(list, fmt.Sprintf("#%d", seg.packet.Number))
		}
	}
	return f.few(list)
}

// ending tells how the connection ended at each end.
func (f *finder) ending() {
	var last [2]tcp.State
	for s := range f.ends {
		e := &f.ends[s]
		last[s] = e.first
		var waiting tcp.Time
		var again []string // the FINs that started TIME-WAIT anew
		for _, it := range e.items {
			last[s] = it.state
			if it.seg != nil && slices.Contains(it.rules, tcp.RuleTimeWaitFin) {
				again = append(again, fmt.Sprintf("#%d", it.seg.packet.Number))
			}
			for _, edge := range it.edges {
				switch {
				case edge.to == tcp.StateTimeWait:
					waiting = it.time
				case edge.rule == tcp.RuleTimeWaitExpired && again != nil:
					f.add(msgFindTimeWaitAgain, e.host, short(it.time.Sub(waiting)), strings.Join(again, ", "))
				case edge.rule == tcp.RuleTimeWaitExpired:
					f.add(msgFindTimeWait, e.host, short(it.time.Sub(waiting)))
				case slices.Contains(givingUp, edge.rule):
					f.add(msgFindGaveUp, e.host, short(it.time.Sub(f.start)))
				}
			}
		}
	}
	for s := range f.ends {
		host, peer := f.ends[s].host, f.ends[1-s].host
		if list := f.resets(side(s), func(seg *segment) bool { return seg.packet.Fate.Lost() }); list != "" {
			f.add(msgFindResetLost, host, peer, list)
		}
		if list := f.resets(side(s), func(seg *segment) bool { return !seg.packet.Fate.Lost() && seg.vain() }); list != "" {
			f.add(msgFindResetIdle, host, list)
		}
	}
	for _, seg := range f.segments {
		if seg.kind != kindReset || seg.vain() {
			continue
		}
		switch {
		case seg.arrive.edges[0].from == tcp.StateSynSent:
			f.add(msgFindRefused, seg.packet.Number, seg.packet.From)
		default:
			f.add(msgFindReset, seg.packet.Number, seg.packet.From)
		}
	}
	f.add(msgFindOpen, f.ends[0].host, last[0], f.ends[1].host, last[1])
}
