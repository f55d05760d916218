package trace

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// explainer says in words what happens in a row.
type explainer struct {
	*conversation
	lang  Lang
	seq   Seq
	blind bool // to the other end: nothing is known of what gets lost
}

// row explains one row.
func (x *explainer) row(r *row) string {
	if r.items == [2]*item{} {
		return x.lang.say(msgStart)
	}
	var parts []string
	for _, it := range r.items {
		switch {
		case it == nil:
		case x.blind && it.kind == itemArrive:
			parts = append(parts, x.told(it.seg))
		case x.blind && it.kind == itemSend:
			parts = append(parts, x.told(it.seg))
		case it.kind == itemSend:
			parts = append(parts, x.send(it.seg))
		}
	}
	for _, it := range r.items {
		if it == nil {
			continue
		}
		switch it.kind {
		case itemArrive:
			parts = append(parts, x.arrive(it))
		case itemCall:
			parts = append(parts, x.call(it))
		case itemTimer:
			parts = append(parts, x.timer(it))
		}
	}
	if text := x.join(parts); text != "" {
		return text
	}
	// The end of an arrow that began in an earlier row.
	for s, it := range r.items {
		if it != nil && it.kind == itemArrive && r.items[1-s] == nil {
			return x.lang.say(msgArrives, it.seg.packet.Number)
		}
	}
	return ""
}

// join puts the parts that say something in a row.
func (x *explainer) join(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString([numLangs]string{"; ", "；"}[x.lang])
		}
		b.WriteString(p)
	}
	return b.String()
}

// send explains a segment when it is sent, and its loss.
func (x *explainer) send(seg *segment) string {
	what := x.purpose(seg)
	if seg.repeats != nil && seg.kind != kindWindowProbe {
		what = x.repeat(seg)
	}
	var lost string
	if seg.packet.Fate.Lost() {
		lost = x.lang.say(lossMessages[seg.packet.Fate])
	}
	return x.join([]string{lost, x.origin(seg), what})
}

// told explains a segment to somebody who does not know what became of others.
func (x *explainer) told(seg *segment) string {
	if seg.repeats != nil && seg.kind != kindWindowProbe {
		return x.repeat(seg)
	}
	return x.purpose(seg)
}

// origin says so of a segment that was put on the link in a host's name.
func (x *explainer) origin(seg *segment) string {
	if !seg.packet.Foreign {
		return ""
	}
	return x.lang.say(msgForeign, seg.packet.From)
}

// purpose explains what a segment is for.
func (x *explainer) purpose(seg *segment) string {
	say, s := x.lang.say, &seg.tcp
	ack := x.number(seg)
	switch seg.kind {
	case kindSyn:
		if seg.send.state == tcp.StateSynSent && x.crossed(seg) {
			return say(msgSynCrossing)
		}
		return say(msgSyn)
	case kindSynAck:
		return say(msgSynAck)
	case kindHandshake:
		return say(msgHandshake)
	case kindData:
		return x.data(seg)
	case kindFin:
		if s.PayloadLen > 0 {
			return say(msgFinData, s.PayloadLen)
		}
		return say(msgFin)
	case kindReset:
		return x.reset(seg)
	case kindKeepAlive:
		return say(msgKeepAlive)
	case kindWindowProbe:
		return say(msgWindowProbe)
	case kindDuplicate:
		return say(msgDuplicate, ack)
	case kindDSACK:
		return say(msgDSACK)
	case kindWindow:
		if s.Window > 0 {
			return say(msgWindowOpen)
		}
	case kindAckAgain:
		return x.again(seg, ack)
	}
	switch {
	case seg.acksFin:
		return say(msgAckFin)
	case s.Window == 0:
		return say(msgWindowZero, ack)
	case seg.send.caused(tcp.RuleDelayedAck):
		return say(msgAckDelayed, ack)
	}
	return say(msgAck, ack)
}

// reset explains a RST by what it answers.
func (x *explainer) reset(seg *segment) string {
	if seg.send.caused(tcp.RuleClosedReset) {
		if at := seg.send.after; at != nil && at.seg != nil && at.seg.kind == kindSyn {
			return x.lang.say(msgResetRefuse)
		}
		return x.lang.say(msgResetUnknown)
	}
	for _, m := range []struct {
		rule tcp.Rule
		msg  message
	}{
		{tcp.RuleListenAck, msgResetUnknown},
		{tcp.RuleCookieRefused, msgResetUnknown},
		{tcp.RuleSynSentBadAck, msgResetUnsent},
		{tcp.RuleHandshakeBadAck, msgResetUnsent},
	} {
		if seg.send.caused(m.rule) {
			return x.lang.say(m.msg)
		}
	}
	switch at := seg.arrive; {
	case at == nil || x.blind:
	case len(at.edges) > 0 && at.edges[0].from == tcp.StateSynSent:
		return x.lang.say(msgResetRefuse)
	case len(at.edges) == 0 && len(at.rules) > 0:
		return x.lang.say(msgResetVain)
	}
	return x.lang.say(msgReset)
}

// again explains an ACK that says nothing new.
func (x *explainer) again(seg *segment, ack uint32) string {
	for _, r := range []tcp.Rule{tcp.RuleChallengeReset, tcp.RuleChallengeSyn, tcp.RuleChallengeAckOld} {
		if seg.send.caused(r) {
			return x.lang.say(msgChallenge)
		}
	}
	switch {
	case seg.send.caused(tcp.RuleTimeWaitFin):
		return x.lang.say(msgTimeWaitAgain)
	case seg.tcp.Window == 0:
		return x.lang.say(msgWindowStillZero)
	case seg.send.caused(tcp.RuleKeepAliveProbeReceived):
		return x.lang.say(msgStillHere)
	}
	return x.lang.say(msgAckAgain, ack)
}

// number is the acknowledgement number as the ladder prints it.
func (x *explainer) number(seg *segment) uint32 {
	if x.seq == SeqAbsolute {
		return uint32(seg.tcp.Ack)
	}
	return uint32(seg.tcp.Ack - seg.peer.seq)
}

// data explains a segment with data. The first one of a side is quoted up to
// the end of its first line, if that is text.
func (x *explainer) data(seg *segment) string {
	size := x.lang.say(msgData, seg.tcp.PayloadLen)
	if seg.tcp.Seq != seg.own.seq.Add(1) {
		return size
	}
	line, _, _ := strings.Cut(string(seg.text), "\r\n")
	const most = 60
	if line == "" || len(line) > most || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return size
	}
	return x.join([]string{x.lang.say(msgFirstData, line), size})
}

// crossed reports whether the other end's SYN is on its way at the same time.
func (x *explainer) crossed(syn *segment) bool {
	for _, other := range x.segments {
		if other.from != syn.from && other.kind == kindSyn && other.send.time <= syn.send.time &&
			other.packet.Number < syn.packet.Number &&
			(other.arrive == nil || other.arrive.time > syn.send.time) {
			return true
		}
	}
	return false
}

// arrive explains what an arrival does at its end, where that is not plain
// from the segment itself.
func (x *explainer) arrive(it *item) string {
	say, p := x.lang.say, it.seg.packet
	var parts []string
	if p.Copy > 0 {
		parts = append(parts, say(msgLinkDuplicate, p.Number))
	}
	if p.Corrupted {
		return x.join(append(parts, say(msgCorrupted)))
	}
	for _, m := range []struct {
		rule tcp.Rule
		msg  message
	}{
		{tcp.RuleOutOfOrder, msgOutOfOrder},
		{tcp.RuleGapFilled, msgGapFilled},
		{tcp.RuleDuplicateData, msgHadAlready},
	} {
		if it.has(m.rule) {
			parts = append(parts, say(m.msg))
		}
	}
	for _, r := range surprises {
		if it.has(r) {
			parts = append(parts, RuleText(r, x.lang))
		}
	}
	if it.has(tcp.RuleUnacceptable) {
		if it.seg.repeats != nil || p.Copy > 0 {
			parts = append(parts, say(msgHadAlready))
		} else {
			parts = append(parts, say(msgTooFar))
		}
	}
	for i, e := range it.edges {
		if e.to == tcp.StateFinWait2 && i+1 < len(it.edges) {
			continue // the FIN that it would wait for came along
		}
		parts = append(parts, x.edge(it, e))
	}
	return x.join(parts)
}

// surprises are the rules to tell of when they decide about an arrival: what
// comes of it cannot be seen in the segments.
var surprises = []tcp.Rule{
	tcp.RuleSynQueueFull, tcp.RuleBacklogFull, tcp.RuleCookieSent, tcp.RuleCookieAccepted, tcp.RuleCookieRefused,
	tcp.RuleResetOutside, tcp.RuleChallengeReset, tcp.RuleSynSentResetIgnored, tcp.RulePAWS, tcp.RuleTimeWaitReset,
}

// edge explains the transitions that an arrival makes. Those that the segment
// explains by itself are left out.
func (x *explainer) edge(it *item, e edge) string {
	switch e.to {
	case tcp.StateFinWait2:
		return x.lang.say(msgFinWait2, x.ends[it.side].host, x.ends[it.side.other()].host)
	case tcp.StateCloseWait:
		return x.lang.say(msgCloseWait, x.ends[it.side].host)
	case tcp.StateClosing:
		return x.lang.say(msgClosing)
	case tcp.StateTimeWait:
		return x.lang.say(msgTimeWait, x.ends[it.side].host)
	case tcp.StateClosed:
		switch {
		case e.rule == tcp.RuleTimeWaitReuse:
			return RuleText(e.rule, x.lang)
		case e.rule == tcp.RuleSynSentReset || e.from == tcp.StateSynSent && it.seg.tcp.Flags.Has(wire.RST):
			return x.lang.say(msgRefused)
		case it.seg.tcp.Flags.Has(wire.RST):
			return x.lang.say(msgAborted)
		}
		return x.lang.say(msgClosed)
	}
	return ""
}

// call explains a call of the program.
func (x *explainer) call(it *item) string {
	say, e := x.lang.say, it.event
	if e.Err != nil && !errors.Is(e.Err, io.EOF) && e.N == 0 {
		return say(msgCallFailed, e.Err)
	}
	switch e.Call {
	case "listen":
		return say(msgCallListen)
	case "connect":
		return say(msgCallConnect)
	case "accept":
		return say(msgCallAccept)
	case "write":
		return say(msgCallWrite, e.N)
	case "read":
		return say(msgCallEOF)
	case "close":
		return say(msgCallClose)
	case "close-write":
		return say(msgCallCloseWrite)
	case "close-read":
		return say(msgCallCloseRead)
	case "abort":
		return say(msgCallAbort)
	case callReboot:
		return say(msgReboot)
	}
	return ""
}

// timer explains a timer that ends something.
func (x *explainer) timer(it *item) string {
	for _, e := range it.edges {
		switch e.rule {
		case tcp.RuleTimeWaitExpired:
			return x.lang.say(msgTimerTimeWait)
		case tcp.RuleFinWait2Timeout:
			return x.lang.say(msgTimerFinWait2)
		case tcp.RuleUserTimeout:
			return x.lang.say(msgTimerUserTimeout)
		case tcp.RuleRetriesExhausted, tcp.RuleSynAckExhausted:
			return x.lang.say(msgTimerGivesUp)
		case tcp.RuleKeepAliveDead:
			return x.lang.say(msgTimerKeepAlive)
		}
	}
	if it.event != nil {
		return x.lang.say(msgTimerOther)
	}
	for _, e := range it.edges {
		return RuleText(e.rule, x.lang)
	}
	if r := it.icmp(); r != tcp.NoRule {
		return RuleText(r, x.lang)
	}
	return ""
}

// callText is a call as it is drawn on its side: "write(87)".
func callText(e *tcp.Event) string {
	switch {
	case e.Call == "write":
		return fmt.Sprintf("write(%d)", e.N)
	case e.Call == "read" && (e.Err == nil || errors.Is(e.Err, io.EOF)):
		return "read() = EOF"
	}
	return e.Call + "()"
}

// timerText is a timer as it is drawn on its side: "(user-timeout timer)".
func timerText(it *item) string {
	for _, e := range it.edges {
		if e.rule == tcp.RuleTimeWaitExpired {
			return "(2MSL timer)"
		}
	}
	switch {
	case it.event != nil:
		return "(" + it.event.Timer.String() + " timer)"
	case it.icmp() != tcp.NoRule:
		return "(ICMP)"
	}
	return "(timer)"
}

// short prints a duration with three significant digits, "200 ms".
func short(d time.Duration) string {
	value, unit := d.Seconds(), "s"
	switch { // what would be rounded to 1000 is 1 of the next
	case d < 999500*time.Nanosecond:
		value, unit = value*1e6, "us"
	case d < 999500*time.Microsecond:
		value, unit = value*1e3, "ms"
	}
	places := 2
	switch {
	case value >= 100:
		places = 0
	case value >= 10:
		places = 1
	}
	text := strconv.FormatFloat(value, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + unit
}
