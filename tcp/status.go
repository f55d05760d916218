package tcp

import (
	"github.com/trivet-net/trivet/seqnum"
)

// Ready is a set of things that a user can do now, or that have happened.
type Ready uint8

const (
	// Readable: there are Options.RecvLowat bytes to read, or the end or an
	// error to be told.
	Readable Ready = 1 << iota
	// Writable: there is room for a good part of the send buffer and
	// Options.NotSentLowat lets some of it go, or Write has an error to tell.
	Writable
	// Connected: the opening handshake is over, well or badly.
	Connected
	// Drained: everything written, and the FIN if there is one, is
	// acknowledged, or the connection is gone.
	Drained
	// Done: the connection is in CLOSED or TIME-WAIT; it will send no more
	// of its own accord.
	Done
)

// Ready returns what the user can do now.
func (c *Conn) Ready() Ready { return c.ReadyFor(^Ready(0)) }

// ReadyFor returns what the user can do now of what is asked for, and finds out
// about nothing else.
func (c *Conn) ReadyFor(of Ready) Ready {
	var r Ready
	over := c.dead() || c.err != 0
	open := c.open()
	if of&Readable != 0 && (over || (open && (c.enoughToRead() || c.finRcvd || c.readEnd))) {
		r |= Readable
	}
	if of&Writable != 0 && (over || c.finWant || (open && c.enoughRoom()) || c.waitsForText()) {
		r |= Writable
	}
	if over || open || c.waitsForText() {
		r |= Connected
	}
	if c.dead() || (open && c.sndbuf.size == 0 && !(c.finWant && !c.finAcked())) {
		r |= Drained
	}
	if c.dead() {
		r |= Done
	}
	return r & of
}

// Empty reports whether Read would return syscall.EAGAIN on an open connection.
func (c *Conn) Empty() bool { return c.open() && c.rcvbuf.size == 0 && c.ReadyFor(Readable) == 0 }

// enoughToRead reports whether there is what Options.RecvLowat asks for, which
// the window has room for.
func (c *Conn) enoughToRead() bool {
	return c.rcvbuf.size >= max(c.opt.RecvLowat, 1) || (c.rcv.shrunk && c.rcvbuf.size > 0)
}

// wakeRoom is so much room, in bytes, that a writer is always worth waking.
const wakeRoom = 1 << 20

// enoughRoom reports whether a writer is worth waking: the free room is half
// of what is queued, as with Linux, or wakeRoom, lest a third of a large buffer
// stays empty; and what is unsent is under half of Options.NotSentLowat.
func (c *Conn) enoughRoom() bool {
	low := c.opt.NotSentLowat
	return c.sendRoom() >= min((c.sndbuf.size+1)/2, wakeRoom) && (low == 0 || 2*c.unsent() < low)
}

// TakeError returns the pending error and clears it, as SO_ERROR does; nil
// when there is none. A failed Dial leaves its error here.
func (c *Conn) TakeError() error {
	err := c.err.error()
	c.err = 0
	return err
}

// Options returns the socket options in force.
func (c *Conn) Options() Options { return *c.opt }

// SetOptions changes the socket options. A smaller receive buffer closes the
// window as data arrives; its right edge never moves left. A segment size takes
// effect on what is sent from now on. Another congestion control goes on from the
// window of the one before.
func (c *Conn) SetOptions(now Time, o Options) {
	c.wake()
	defer c.rest(now)
	old := c.opt
	c.opt = c.cfg.share(o)
	if c.dead() {
		return
	}
	o = *c.opt
	if o.MaxSeg != old.MaxSeg {
		c.setMSS()
		c.cc.resize(c.snd.mss)
	}
	if o.Congestion != old.Congestion {
		c.changeCongestion()
	}
	if o.NoDelay && !old.NoDelay {
		c.SetNoDelay(true)
	}
	if o.RecvBuffer != old.RecvBuffer {
		c.rcv.space = int32(o.recvBuffer(c.cfg))
		c.windowFreed()
	}
	if !o.KeepAlive {
		c.stopTimer(TimerKeepAlive)
	} else if !old.KeepAlive || o.KeepIdle != old.KeepIdle || o.KeepInterval != old.KeepInterval {
		c.startKeepAlive(now)
	}
	if o.UserTimeout != old.UserTimeout {
		c.stopTimer(TimerUserTimeout)
		if c.outstanding() > 0 || c.unsent() > 0 {
			c.startUserTimeout(now)
		}
	}
}

// SetNoDelay sets Options.NoDelay. Turned on, though it be on already, it sends
// what waits, corked or not (tcp(7), TCP_NODELAY).
func (c *Conn) SetNoDelay(on bool) {
	if c.opt.NoDelay != on {
		o := *c.opt
		o.NoDelay = on
		c.opt = c.cfg.share(o)
	}
	if on && c.unsent() > 0 && !c.dead() {
		c.wants.override = true
	}
}

// Info tells about the connection: RFC 9293, Section 3.10.6, STATUS.
func (c *Conn) Info(now Time) Info {
	c.wake()
	defer c.rest(now)
	rare := c.count.rareSoFar()
	i := Info{
		State: c.state, InState: since(now, c.count.stateAt),
		Timestamps: c.ts.on, SACK: c.rcv.sack, WindowScale: c.rcv.scaled, ECN: c.ecn.on, ECNSeen: c.ecn.seen,
		SynData:   c.synData,
		SndWScale: c.snd.shift, RcvWScale: c.rcv.shift,
		RTO: c.rtt.timeout(c.cfg), RTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, MinRTT: c.rtt.least(),
		ATO:         max(c.cfg.DelayedAck, 0),
		Retransmits: int(c.count.retransmits), Probes: int(c.count.probes), Backoff: int(c.rtt.backoff),
		SndMSS: c.snd.mss, RcvMSS: int(c.rcv.mss), AdvMSS: int(c.rcv.advMSS), PMTU: c.path.MTU,
		Congestion: c.cc.name(), CAState: lossNames[c.loss.phase],
		SndCwnd: c.cwnd(), SndSsthresh: c.cc.threshold(), InFlight: c.inFlight(),
		SndUna: uint32(c.snd.una.Sub(c.iss)), SndNxt: uint32(c.snd.nxt.Sub(c.iss)),
		ISS: uint32(c.iss), IRS: uint32(c.irs),
		SndWnd:  int(c.snd.wnd),
		NotSent: max(0, c.unsent()), SendBuffer: c.sendBufferSize(),
		Unread: c.rcvbuf.size, RecvBuffer: int(c.rcv.space),
		BytesSent: c.count.bytesSent, BytesAcked: c.count.bytesAcked,
		BytesReceived: c.count.bytesReceived, BytesRetrans: rare.bytesRetrans,
		SegsOut: uint64(c.count.segsOut), SegsIn: uint64(c.count.segsIn),
		DataSegsOut: uint64(c.count.dataSegsOut), DataSegsIn: uint64(c.count.dataSegsIn),
		TotalRetrans: uint64(rare.retrans), RcvOutOfOrder: uint64(rare.outOfOrder), DupAcksIn: uint64(rare.dupAcksIn),
		LastDataSent: since(now, c.count.lastSent), LastDataRecv: since(now, c.count.lastDataRecv),
		LastAckRecv: since(now, c.count.lastAck),
		SoftError:   c.softErr.error(),
	}
	i.Unacked = c.sndbuf.size - i.NotSent
	c.recoveryInfo(now, &rare, &i)
	if c.state >= StateSynReceived {
		i.RcvNxt, i.RcvWnd = uint32(c.rcv.nxt.Sub(c.irs)), c.offered()
	}
	if c.ooo != nil {
		i.OutOfOrder = c.ooo.size
	}
	if c.state >= StateSynReceived {
		i.Urgent = max(0, c.rcv.up.Diff(c.readPos()))
	}
	return i
}

// recoveryInfo fills in what concerns loss recovery.
func (c *Conn) recoveryInfo(now Time, rare *rareCounts, i *Info) {
	if b := c.sent; b != nil {
		i.Sacked, i.Retrans = b.sackedSegs, b.count(recResent)
		i.Lost = b.count(recLost)
		if c.loss.phase != lossOpen {
			i.Lost += i.Retrans // they are not, once it was undone, nor is a probe
		}
	}
	if c.reducing() {
		i.CAState = "cwr"
	} else if c.loss.phase == lossOpen && (i.Sacked > 0 || c.loss.dupAcks > 0) {
		i.CAState = "disorder"
	}
	k := &c.chrono
	i.RwndLimited = rare.receiverLimited + k.running(now, limitReceiver)
	i.SndbufLimited = rare.bufferLimited + k.running(now, limitBuffer)
	i.BusyTime = c.count.pathLimited + k.running(now, limitNone) + i.RwndLimited + i.SndbufLimited
	i.LostTotal, i.DSACKDups = uint64(rare.lost), uint64(rare.dsacks)
	i.Spurious, i.Undos = uint64(rare.spurious), uint64(rare.undos)
	i.Reordering = max(int(rare.reordering), dupThresh)
	i.ReordSeen = uint64(rare.reorderings)
	i.DeliveryRate, i.AppLimited = c.rate.perSecond(), c.rate.lastAppLimited
	i.PacingRate, i.Delivered = c.pacingRate(), c.rate.delivered
}

// TimeWait is what is left of a connection in TIME-WAIT: what an engine needs
// to answer segments for it, and to let the next incarnation in.
type TimeWait struct {
	SndNxt, RcvNxt seqnum.Value
	RcvWnd         uint16 // as on the wire
	Timestamps     bool
	TSOffset       uint32
	TSRecent       uint32
	TOS, TTL       uint8
}

// TimeWait returns the record of a connection in TIME-WAIT. The shift rounds
// the window up, as in the last ACK: a FIN that comes again is told the same.
func (c *Conn) TimeWait() TimeWait {
	unit := seqnum.Size(1) << c.rcv.shift
	return TimeWait{
		SndNxt: c.snd.nxt, RcvNxt: c.rcv.nxt,
		RcvWnd:     uint16(min((c.window()+unit-1)>>c.rcv.shift, 0xffff)),
		Timestamps: c.ts.on, TSOffset: c.ts.offset, TSRecent: c.ts.recent,
		TOS: c.opt.TOS, TTL: c.opt.TTL,
	}
}
