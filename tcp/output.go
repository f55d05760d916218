package tcp

import (
	"math"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// HasOutput reports whether Output might have something to send. False
// positives are possible, false negatives are not.
func (c *Conn) HasOutput() bool {
	if c.wants.any() {
		return true
	}
	return c.open() && c.state != StateTimeWait &&
		(c.unsent() > 0 || c.finPending() || c.lostBytes() > 0)
}

// Output appends every segment that may be sent now: it is the one place where
// wants, Nagle's algorithm, the windows and the timers meet. The payload refers
// to the send buffer and is good until the next call of another method.
func (c *Conn) Output(now Time, out *Batch) {
	c.wake()
	c.output(now, out)
	c.rest(now)
}

func (c *Conn) output(now Time, out *Batch) {
	if c.wants.refuse {
		c.sendRefusal(now, out)
	}
	if c.wants.reset {
		c.sendReset(now, out)
		return
	}
	if c.state == StateClosed {
		return
	}
	if c.wants.syn {
		c.sendSyn(now, out)
	}
	if c.wants.dupAcks > 0 || c.wants.probe {
		// They go by themselves: with text they would be no duplicates, and a
		// probe may be answered without its ACK being believed.
		c.sendAcks(now, out)
	}
	if c.open() && c.state != StateTimeWait && !c.refused {
		c.sendTailProbe(now, out)
		c.sendLost(now, out)
		c.sendNew(now, out)
		c.sendProbe(now, out)
		c.watchWindow(now)
		c.noteLimit(now)
	}
	c.sendAcks(now, out)
}

// sendLost sends again what is thought lost, within both windows.
func (c *Conn) sendLost(now Time, out *Batch) {
	l := &c.loss
	for c.lostBytes() > 0 && l.frto != frtoNew {
		from, lost := c.sent.nextLost(c.snd.mss, max(c.path.MaxSuper, c.snd.mss)+1) // and the FIN
		end := from.Add(seqnum.Size(lost))
		text := seqnum.Min(end, c.dataEnd()).Diff(from)
		fin := c.snd.finSent && end == c.snd.nxt
		if record := c.sndbuf.record(from, text); record < text {
			text, fin = record, false
		}
		// What is beyond the peer's window is not sent again (MAY-7); a FIN
		// takes no room.
		n := max(0, min(text, c.windowEdge().Diff(from)))
		room := c.congestionRoom()
		if l.force || c.inFlight() == 0 {
			room = max(room, c.snd.mss)
		}
		if room < min(n, c.dataMSS()) {
			return
		}
		room = min(n, room)
		if l.phase != lossTimedOut && !l.force {
			if room = c.paced(now, room); room < min(n, c.dataMSS()) {
				return
			}
		}
		size := c.segmentSize(room, text)
		if size == 0 && (text > 0 || !fin) {
			return
		}
		c.sendAgain(now, out, from, size, fin && size == text)
		l.force = false
	}
}

// sendAgain sends n bytes from from on again, which are marked as lost.
func (c *Conn) sendAgain(now Time, out *Batch, from seqnum.Value, n int, fin bool) {
	flight := c.inFlight()
	pushed := n > 0 && c.sent.pushedAt(from.Add(seqnum.Size(n)))
	seg := c.segment(now, out, from, n, fin)
	if pushed {
		seg.Flags |= wire.PSH // as it was sent first
	}
	seg.Retransmit = true
	c.rtt.cancel() // Karn: its ACK would be ambiguous
	c.cc.sent(now, n, flight)
	c.notePaced(now, n)
	r := c.record(now, seg, flight)
	r.stamp = TSVal(now, c.ts.offset)
	c.sent.sendAgain(r)
	c.loss.undo.resent(int(seg.Len()), r.stamp)
	c.loss.prr.out += int32(n)
	c.emit(now, seg)
	if c.rcv.sack && from == c.dataStart() && c.rtoAt < now.Add(c.rtt.timeout(c.cfg)) {
		c.startRetransmit(now) // its answer has a time-out to come
	}
}

// record is what the scoreboard keeps of seg, which is sent while flight bytes
// are in flight.
func (c *Conn) record(now Time, seg *wire.Segment, flight int) sentRecord {
	size := seg.SegSize
	if size == 0 {
		size = max(seg.PayloadLen, 1)
	}
	r := sentRecord{
		start: seg.Seq, end: seg.End(), sentAt: now, size: uint16(size),
		tx: c.rate.sent(now, int(seg.Len()), flight),
	}
	if seg.PayloadLen > 0 && c.pushed(seg.End()) {
		r.flags = recPushed
	}
	return r
}

// sendNew sends data that was never sent, and the FIN.
func (c *Conn) sendNew(now Time, out *Batch) {
	c.restartAfterIdle(now)
	for c.unsent() > 0 || c.finPending() {
		if c.mtu != nil && !c.sendMTUProbe(now, out) {
			break
		}
		size, fin := c.nextSize(now)
		if size == 0 && !fin {
			break
		}
		c.sendNewSegment(now, out, size, fin)
	}
	c.wants.override = false
}

// sendNewSegment sends the next n new bytes, and the FIN if fin is set.
func (c *Conn) sendNewSegment(now Time, out *Batch, n int, fin bool) {
	small := n%c.dataMSS() != 0
	flight := c.inFlight()
	seg := c.segment(now, out, c.snd.nxt, n, fin)
	c.ecn.markCapable(seg)
	c.cc.sent(now, n, flight)
	c.notePaced(now, n)
	if c.sent == nil {
		c.sent = c.newScoreboard()
	}
	c.sent.push(c.record(now, seg, flight))
	c.snd.nxt = seg.End()
	c.snd.finSent = c.snd.finSent || fin
	if small {
		c.snd.small = c.snd.nxt
	}
	if c.loss.dupAcks > 0 {
		c.loss.extra += int32(n)
	}
	c.loss.prr.out += int32(n)
	c.usage.sent(c.snd.una, c.snd.nxt, c.outstanding())
	c.rtt.start(now, c.snd.nxt)
	c.emit(now, seg)
	if c.timerRunning(TimerProbe) {
		c.armLossTimer(now) // RFC 8985, Section 7.2: with each new segment
	}
}

// nextSize returns how many new bytes the next segment carries, and whether
// the FIN goes with them; 0 and false when nothing may be sent.
//
// RFC 9293, Section 3.8.6.2.1: a segment is sent when it is full; or when it
// is all there is and Nagle's algorithm lets it go; or when it is a good part
// of the largest window ever seen.
func (c *Conn) nextSize(now Time) (size int, fin bool) {
	total := c.unsent()
	avail := c.sndbuf.record(c.snd.nxt, total)
	usable := c.windowEdge().Diff(c.snd.nxt)
	c.usage.limited = false
	if usable <= 0 {
		return 0, false // the window is used up, or was taken back
	}
	if avail == 0 {
		return 0, c.finPending()
	}
	room := c.congestionRoom()
	if c.inFlight() == 0 {
		room = max(room, c.snd.mss)
	}
	n := min(avail, usable)
	if room < min(n, c.snd.mss) {
		c.usage.limited = true
		return 0, false
	}
	c.usage.limited = room <= n
	if room = c.paced(now, min(n, room)); room == 0 {
		return 0, false
	}
	size = c.segmentSize(room, avail)
	ends := size == avail && avail < total // with a record: nothing can be added
	if tail := size % c.dataMSS(); tail > 0 && !ends && !c.maySendSmall(tail, avail-size+tail) {
		size -= tail
	}
	fin = size > 0 && c.finPending() && size == total && usable > total
	return size, fin
}

// maySendSmall decides about a segment under the full size, with avail bytes
// still to be sent.
func (c *Conn) maySendSmall(size, avail int) bool {
	idle := c.outstanding() == 0
	switch {
	case c.wants.override:
		return true
	case size < avail:
		// The window cuts it short: RFC 9293, Section 3.8.6.2.1, (3).
		return idle && 2*seqnum.Size(size) >= c.snd.maxWnd
	case c.finWant:
		return true
	case c.opt.Cork || c.snd.more:
		return false
	case c.opt.NoDelay || idle:
		return true
	}
	// RFC 9293, Section 3.7.4, in Minshall's variant: hold it only while a
	// small segment is unacknowledged.
	return !c.snd.una.Less(c.snd.small)
}

// segmentSize rounds n down to what one segment carries: whole segments only
// when there is more to come (avail > n), up to the super-segment limit.
func (c *Conn) segmentSize(n, avail int) int {
	mss := c.dataMSS()
	if n <= mss {
		return n
	}
	most := mss
	if super := min(c.path.MaxSuper, c.burst()); super > mss {
		most = super - super%mss
	}
	if n = min(n, most); n < avail {
		n -= n % mss
	}
	return n
}

// burst bounds a super-segment as Linux does: to what goes out in about a
// millisecond, so that a slow path does not get it in one lump, but more
// where round trips are short; and to half of the congestion window, so that two
// are in flight and their ACKs keep the clock.
func (c *Conn) burst() int {
	cwnd := c.cwnd()
	most := max(cwnd/2, c.snd.mss)
	if c.rtt.srtt == 0 {
		return most
	}
	rate := c.pacingRate()
	if rate == 0 {
		// A round-trip time that grows is in SRTT late.
		rate = 2 * int64(cwnd) * int64(time.Second) / int64(max(c.rtt.srtt, c.rack.rtt))
	}
	bytes := rate / 1000
	if unit := c.rtt.least() / (512 * time.Microsecond); unit < 16 {
		bytes += 1 << (16 - unit)
	}
	return min(max(int(min(bytes, 1<<16)), c.cfg.MinSuper*c.snd.mss), most)
}

// restartAfterIdle is RFC 5681, Section 4.1: after a time-out's worth of
// silence the window says nothing about the path any more.
func (c *Conn) restartAfterIdle(now Time) {
	if c.outstanding() == 0 && c.count.lastSent != 0 && c.unsent() > 0 &&
		now.Sub(c.count.lastSent) > c.rtt.timeout(c.cfg) {
		c.rule(now, RuleIdleRestart)
		c.cc.idle(now)
		c.count.lastSent = now
	}
}

// watchWindow arms the persist timer when something waits to be sent that no
// ACK will set free: the window is closed, or too small, or the user corks.
func (c *Conn) watchWindow(now Time) {
	waiting := c.unsent() > 0 || c.finPending() || c.lostBytes() > 0
	if !waiting || c.inFlight() > 0 || c.reneged() || c.synUnacked() || c.timerRunning(TimerPacing) {
		c.stopTimer(TimerPersist)
		if c.rtoAt == 0 && c.outstanding() > 0 {
			c.startRetransmit(now) // nothing went again after a time-out
		}
		return
	}
	c.stopLossTimers()
	switch {
	case c.snd.wnd == 0:
		c.startPersist(now, backedOff(max(c.rtt.rto, c.cfg.MinRTO), c.rtt.backoff, maxPersist))
		c.startUserTimeout(now)
	case c.opt.Cork && c.unsent() < c.dataMSS():
		c.startPersist(now, corkTime)
	default:
		c.startPersist(now, overrideTime)
	}
}

// sendProbe sends a zero-window or keep-alive probe: an empty segment just
// before what the peer expects, which it must answer (RFC 9293, Sections
// 3.8.4 and 3.8.6.1, in the form that Linux uses).
func (c *Conn) sendProbe(now Time, out *Batch) {
	if !c.wants.probe {
		return
	}
	c.wants.probe = false
	seg := c.segment(now, out, c.snd.una.Add(^seqnum.Size(0)), 0, false)
	c.emit(now, seg)
}

// sendAcks sends the ACKs that nothing else carried: duplicate ACKs, one for
// each segment out of order, else a single one.
func (c *Conn) sendAcks(now Time, out *Batch) {
	n := int(c.wants.dupAcks)
	if n == 0 && (c.wants.ack || c.wants.challenge) {
		n = 1
	}
	for range n {
		c.emit(now, c.segment(now, out, c.snd.nxt, 0, false))
	}
}

// segment begins a segment with n bytes of the send buffer from seq on.
func (c *Conn) segment(now Time, out *Batch, seq seqnum.Value, n int, fin bool) *wire.Segment {
	seg := out.Next()
	mss := c.dataMSS()
	seg.Seq, seg.Ack, seg.Flags = seq, c.rcv.nxt, wire.ACK
	seg.Window = c.announce()
	seg.Count = 1
	seg.TOS, seg.TTL = c.opt.TOS, c.opt.TTL
	c.fillOptions(now, &seg.Options)
	if n > 0 {
		c.sndbuf.slice(seg, seq.Diff(c.dataStart()), n)
		if n > mss && !c.probing(seq) {
			seg.SegSize, seg.Count = mss, (n+mss-1)/mss
		}
		if end := seq.Add(seqnum.Size(n)); seg.SegSize > 0 || c.pushed(end) {
			// RFC 9293, Section 3.9.1.2 (MUST-61): the last of what is queued,
			// unless the user said that there is more to come.
			// And, as Linux does, each super-segment, so that a receiver that
			// merges segments delivers it without waiting for the next.
			seg.Flags |= wire.PSH
		}
	}
	if fin {
		seg.Flags |= wire.FIN
	}
	if c.ecn.echo {
		seg.Flags |= wire.ECE
	}
	return seg
}

// pushed reports whether the user wants what was written up to end delivered
// without waiting for more.
func (c *Conn) pushed(end seqnum.Value) bool {
	return (end == c.dataEnd() && end == c.snd.push) || c.sndbuf.endsRecord(end)
}

// emit counts a segment that is formed, clears the wants it fulfils, and runs
// the retransmission timer if it needs an answer (RFC 6298, Section 5.1).
func (c *Conn) emit(now Time, seg *wire.Segment) {
	if seg.Flags.Has(wire.ACK) && !seg.Flags.Has(wire.RST) {
		c.wants.ack, c.wants.challenge, c.wants.dupAcks = false, false, 0
		c.stopTimer(TimerDelayedAck)
		c.rcv.lastAck = c.rcv.nxt
	}
	if seg.Len() > 0 {
		c.count.lastSent = now
		if c.rtoAt == 0 {
			c.stopTimer(TimerPersist)
			c.startRetransmit(now)
		}
		c.startUserTimeout(now)
	}
	c.countSent(seg)
	if c.cfg.Trace != nil {
		c.cfg.Trace(&Event{Time: now, Kind: EventSend, Tuple: c.id, Segment: seg})
	}
}

func (c *Conn) countSent(seg *wire.Segment) {
	n := uint32(seg.Count)
	c.count.segsOut += n
	c.cfg.Counters.SegmentsOut += uint64(n)
	c.cfg.Counters.BytesOut += uint64(seg.PayloadLen)
	if seg.PayloadLen > 0 {
		c.count.dataSegsOut += n
		c.count.bytesSent += uint64(seg.PayloadLen)
	}
	if seg.Retransmit {
		k := c.count.rarely()
		k.retrans += n
		k.bytesRetrans += uint64(seg.PayloadLen)
		c.cfg.Counters.Retransmitted += uint64(n)
	}
}

// sendSyn sends SYN or, in SYN-RECEIVED, SYN,ACK; the first time or again. The
// window is not scaled (RFC 7323, Section 2.2).
func (c *Conn) sendSyn(now Time, out *Batch) {
	c.wants.syn = false
	seg := out.Next()
	seg.Seq, seg.Flags, seg.Window = c.iss, wire.SYN, c.synWindow()
	seg.Count, seg.TOS, seg.TTL = 1, c.opt.TOS, c.opt.TTL
	seg.Options = c.synOptions(now)
	if c.cfg.ECN == ECNOn && c.state == StateSynSent && c.count.retransmits == 0 {
		// RFC 3168, Section 6.1.1.1: one that goes again does not ask, in case
		// that asking is what was not answered.
		seg.Flags |= ecnSetup
	}
	if c.ecn.on {
		seg.Flags |= wire.ECE // SYN,ACK
	}
	if c.state != StateSynSent {
		seg.Flags |= wire.ACK
		seg.Ack = c.rcv.nxt
		seg.Window = uint16(min(c.window(), math.MaxUint16)) // less what came with the SYN
	}
	seg.Retransmit = c.snd.nxt != c.iss
	c.addFastOpen(now, seg)
	if !seg.Retransmit {
		c.snd.nxt = seg.End()
		c.rtt.start(now, c.iss.Add(1))
	}
	c.emit(now, seg)
}

// sendReset sends the RST that ends the connection. It carries an ACK, as
// every deployed stack has it.
func (c *Conn) sendReset(now Time, out *Batch) {
	c.wants = wants{}
	seg := out.Next()
	seg.Seq, seg.Ack, seg.Flags = c.snd.nxt, c.rcv.nxt, wire.RST|wire.ACK
	seg.Window = uint16(min(c.window()>>c.rcv.shift, 0xffff))
	seg.Count, seg.TOS, seg.TTL = 1, c.opt.TOS, c.opt.TTL
	if c.ts.on {
		seg.Options.HasTS = true
		seg.Options.TSVal, seg.Options.TSEcr = TSVal(now, c.ts.offset), c.ts.recent
	}
	c.cfg.Counters.ResetsOut++
	c.emit(now, seg)
}

// sendRefusal sends the RST that answers an unacceptable ACK before the
// connection is synchronized: its sequence number is the ACK's.
func (c *Conn) sendRefusal(now Time, out *Batch) {
	seg := out.Next()
	seg.Seq, seg.Flags, seg.Count = c.wants.refuseSeq, wire.RST, 1
	seg.TOS, seg.TTL = c.opt.TOS, c.opt.TTL
	c.wants.refuse, c.wants.refuseSeq = false, 0
	c.cfg.Counters.ResetsOut++
	c.emit(now, seg)
}
