package tcp

import (
	"math"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// Open is what an opening connection is told.
type Open struct {
	Tuple    wire.FourTuple
	ISS      seqnum.Value
	TSOffset uint32 // added to the clock in TSval (RFC 7323, Section 7.1)
	Path     Path
	Options  Options

	// KnownMTU is a lower MTU that the path is known to have, in bytes, and
	// KnownUntil when a larger one is to be tried; 0: none. It does not change what
	// we announce to receive.
	KnownMTU   int
	KnownUntil Time

	// FastOpen is the option that an active open puts into its SYN: with a cookie
	// of the peer's, the SYN waits for the first Write and carries its text;
	// without, it asks for one (RFC 7413). PeerMSS is the peer's MSS option of the
	// connection before, which bounds that text; 0: not known.
	// SynText lets the SYN carry text without a cookie.
	FastOpen wire.FastOpen
	PeerMSS  uint16
	SynText  bool
}

// Handshake is what a listener remembers of a half-open connection and hands
// to Accept when the third segment arrives.
type Handshake struct {
	Open
	IRS         seqnum.Value
	Peer        wire.Options // of the SYN
	Window      uint16       // of the SYN
	RcvWScale   uint8        // shift announced in the SYN,ACK
	RcvWindow   uint16       // window announced in the SYN,ACK
	ECN         bool         // agreed by the SYN and the SYN,ACK
	SentAt      Time         // of the first SYN,ACK; 0 when unknown (a cookie)
	Retransmits int          // of the SYN,ACK
}

const (
	// quickAcks is how many segments are acknowledged at once when a
	// connection is new: the peer is in slow start and needs the ACKs.
	quickAcks = 16
	// minSndMSS is the least segment size a peer can talk us into, options
	// included (tcp_min_snd_mss, CVE-2019-11479).
	minSndMSS = 48
	// maxShift is the largest window shift (RFC 7323, Section 2.3).
	maxShift = 14
	// timestampsSize is what the option takes of each segment.
	timestampsSize = 12
)

// Dial makes c an active open: SYN-SENT, with a SYN to be sent.
func (c *Conn) Dial(now Time, cfg *Config, o *Open) {
	c.begin(cfg, o)
	c.rcv.given = true
	c.snd.una, c.snd.nxt = o.ISS, o.ISS
	c.snd.small = o.ISS
	c.beginFastOpen(o)
	c.cfg.Counters.ActiveOpens++
	c.call(now, "connect", 0, nil)
	c.setState(now, StateSynSent, RuleActiveOpen)
	if c.wants.syn = !c.waitsForText(); c.wants.syn {
		c.startUserTimeout(now)
	}
}

// Accept makes c a passive open in SYN-RECEIVED whose SYN,ACK was sent by the
// listener. The segment that completes the handshake goes to Input next.
func (c *Conn) Accept(now Time, cfg *Config, h *Handshake) {
	c.begin(cfg, &h.Open)
	c.openPassively(now)
	c.snd.una, c.snd.nxt = h.ISS, h.ISS.Add(1)
	c.snd.small = h.ISS
	c.learnPeer(now, h.IRS, &h.Peer)
	if c.rcv.scaled {
		c.rcv.shift = h.RcvWScale
	}
	c.ecn.on, c.ecn.end = h.ECN, h.ISS
	c.rcv.adv = c.rcv.nxt.Add(seqnum.Size(h.RcvWindow))
	c.snd.wnd = seqnum.Size(h.Window)
	c.snd.maxWnd = c.snd.wnd
	c.snd.wl1, c.snd.wl2 = h.IRS, h.ISS
	c.rcv.lastAck = c.rcv.nxt
	c.count.retransmits = int32(h.Retransmits)
	if h.SentAt != 0 && h.Retransmits == 0 {
		c.rtt.start(h.SentAt, c.snd.nxt)
	}
	// Should the next segment not complete the handshake after all, the
	// SYN,ACK goes out again.
	c.rtt.backoff = uint8(h.Retransmits)
	c.startRetransmit(now)
}

// begin sets what does not depend on who opens.
func (c *Conn) begin(cfg *Config, o *Open) {
	*c = Conn{cfg: cfg, id: o.Tuple, path: o.Path, opt: cfg.share(o.Options), transient: &resting}
	c.wake()
	c.rcv.space = int32(c.opt.recvBuffer(cfg))
	c.iss = o.ISS
	c.ts.offset = o.TSOffset
	c.rtt.rto, c.rtt.next = initialRTO, o.ISS
	c.rcv.quick = quickAcks
	if !cfg.NoWindowScale {
		// Every SYN of the connection offers the same, whatever becomes of the
		// options: the peer may get to see only one.
		c.rcv.shift = cfg.windowShift(c.opt)
	}
	c.rcv.advMSS = announcedMSS(c.opt, c.id.LocalAddr.Is4(), c.path.MTU)
	c.beginMemory()
	if o.KnownMTU > 0 && o.KnownMTU < c.path.MTU {
		c.path.MTU = o.KnownMTU
		c.mtu = &mtuSearch{low: o.KnownMTU, high: o.KnownMTU, again: o.KnownUntil}
	}
	c.snd.peerMSS = uint16(defaultMSS(c.id.LocalAddr.Is4()))
	c.loss.recover, c.usage.end = o.ISS, o.ISS
	c.rack.fack, c.rack.end = o.ISS, o.ISS
	c.setMSS()
	c.startCongestion(cfg.InitialWindow)
}

// learnPeer takes what the peer's SYN says. RFC 7323, Sections 1.3 and 2.2,
// RFC 2018, Section 2: an option is in force when both SYNs carry it.
func (c *Conn) learnPeer(now Time, irs seqnum.Value, o *wire.Options) {
	c.irs = irs
	c.rcv.nxt = irs.Add(1)
	c.rcv.up = c.rcv.nxt
	c.snd.peerMSS = o.MSS
	if o.MSS == 0 {
		c.snd.peerMSS = uint16(defaultMSS(c.id.LocalAddr.Is4()))
	}
	if c.fast != nil {
		c.fast.answer = o.FastOpen
	}
	c.ts.on = o.HasTS && !c.cfg.NoTimestamps
	if c.ts.on {
		c.ts.recent, c.ts.recentAt = o.TSVal, now
	}
	c.rcv.sack = o.SACKPermitted && !c.cfg.NoSACK
	c.rcv.scaled = o.HasWScale && !c.cfg.NoWindowScale
	if c.rcv.scaled {
		// RFC 7323, Section 2.3: a shift over 14 counts as 14.
		c.snd.shift = min(o.WScale, maxShift)
	} else {
		c.rcv.shift = 0
	}
	c.setMSS()
	c.rcv.mss = uint16(min(c.snd.mss, defaultMSS(c.id.LocalAddr.Is4()))) // a guess, until there is text
	c.startCongestion(c.cfg.InitialWindow)
}

// setMSS computes Eff.snd.MSS. RFC 9293, Section 3.7.1: the smaller of what
// the peer takes and what the path carries, less the options of each segment.
func (c *Conn) setMSS() {
	mss := min(int(c.snd.peerMSS), segmentRoom(c.id.LocalAddr.Is4(), c.path.MTU))
	if c.opt.MaxSeg != 0 {
		mss = min(mss, c.opt.MaxSeg)
	}
	mss = max(mss, minSndMSS)
	if c.ts.on {
		mss -= timestampsSize
	}
	c.snd.mss = mss
}

// segmentRoom is the largest TCP payload of a packet without options.
func segmentRoom(is4 bool, mtu int) int {
	if is4 {
		return mtu - 40
	}
	return mtu - 60
}

// defaultMSS is what a peer takes that sent no MSS option (RFC 9293, Section
// 3.7.1).
func defaultMSS(is4 bool) int {
	if is4 {
		return 536
	}
	return 1220
}

// announcedMSS is the value of our MSS option: what we can receive, whatever
// the path carries (RFC 9293, Section 3.7.1; RFC 6691).
func announcedMSS(o *Options, is4 bool, mtu int) uint16 {
	mss := min(segmentRoom(is4, mtu), math.MaxUint16)
	if o.MaxSeg != 0 {
		mss = min(mss, o.MaxSeg)
	}
	return uint16(mss)
}

// shiftFor is the window shift that lets a window express the buffer size.
func shiftFor(buffer int) uint8 {
	var shift uint8
	for shift < maxShift && buffer>>shift > math.MaxUint16 {
		shift++
	}
	return shift
}

// windowShift is the shift to be offered.
func (c *Config) windowShift(o *Options) uint8 {
	if c.SegmentMemory != nil && o.RecvBuffer != 0 {
		return shiftFor(c.firstWindow(o, 1))
	}
	return shiftFor(o.maxRecvBuffer(c))
}

// SynAckOptions returns the options of the SYN,ACK for h, the receive window
// shift and the window to announce, which the caller keeps in h.RcvWScale and
// h.RcvWindow. RFC 7323, Section 2.2: a SYN,ACK has only what the SYN had.
func SynAckOptions(now Time, cfg *Config, h *Handshake) (o wire.Options, shift uint8, window uint16) {
	opt := h.Open.Options.WithDefaults()
	o.MSS = announcedMSS(&opt, h.Tuple.LocalAddr.Is4(), h.Path.MTU)
	if h.Peer.HasTS && !cfg.NoTimestamps {
		o.HasTS, o.TSVal, o.TSEcr = true, TSVal(now, h.TSOffset), h.Peer.TSVal
	}
	o.SACKPermitted = h.Peer.SACKPermitted && !cfg.NoSACK
	if h.Peer.HasWScale && !cfg.NoWindowScale {
		shift = cfg.windowShift(&opt)
		o.HasWScale, o.WScale = true, shift
	}
	return o, shift, synWindow(cfg, &opt, int(o.MSS))
}

// synWindow is the window of a SYN, which is never scaled (RFC 7323, Section 2.2).
func synWindow(cfg *Config, o *Options, mss int) uint16 {
	return uint16(min(cfg.firstWindow(o, mss), math.MaxUint16))
}

// synWindow is what each SYN of the connection offers.
func (c *Conn) synWindow() uint16 { return synWindow(c.cfg, c.opt, int(c.rcv.advMSS)) }

// synOptions returns the options of our SYN or, in SYN-RECEIVED, SYN,ACK.
func (c *Conn) synOptions(now Time) wire.Options {
	o := wire.Options{MSS: c.rcv.advMSS}
	answer := c.state != StateSynSent
	if !c.cfg.NoTimestamps && (!answer || c.ts.on) {
		o.HasTS, o.TSVal = true, TSVal(now, c.ts.offset)
		if answer {
			o.TSEcr = c.ts.recent
		}
	}
	o.SACKPermitted = !c.cfg.NoSACK && (!answer || c.rcv.sack)
	if !c.cfg.NoWindowScale && (!answer || c.rcv.scaled) {
		o.HasWScale, o.WScale = true, c.rcv.shift
	}
	return o
}

// synUnacked reports whether our SYN waits for its ACK: in SYN-SENT and
// SYN-RECEIVED, and in FIN-WAIT-1 when the user closed before.
func (c *Conn) synUnacked() bool { return !c.snd.synAcked }

// established completes the handshake: our SYN is acknowledged.
func (c *Conn) established(now Time, seg *wire.Segment, rule Rule) {
	c.snd.una, c.snd.synAcked = c.iss.Add(1), true
	c.takeHandshakeRTT(now, seg)
	c.synTextAcked(now, seg)
	if c.count.retransmits > 0 {
		// RFC 6928, Section 2: a lost SYN or SYN,ACK means an initial window
		// of one segment.
		c.startCongestion(1)
	}
	if low := c.baseMTU(); c.cfg.MTUProbing == MTUProbingAlways && low < c.path.MTU {
		c.searchMTU(now, low, min(c.path.MTU, c.largestMTU()))
	}
	c.count.retransmits = 0
	// Linux counts the time without data from here, too.
	c.count.lastRecv, c.count.lastDataRecv = now, now
	c.restartTimers(now)
	if c.state.Synchronized() {
		c.rule(now, rule) // in FIN-WAIT-1 already
		return
	}
	c.setState(now, StateEstablished, rule)
	c.startKeepAlive(now)
	if c.finWant {
		c.setState(now, StateFinWait1, RuleClose) // closed in SYN-SENT
	}
}

// lostSynRTO is the time-out for data after a SYN timed out (RFC 6298, Section
// 5.7).
const lostSynRTO = 3 * time.Second

// takeHandshakeRTT takes the first round-trip sample. RFC 6298, Section 5.7:
// if a SYN was sent twice, no sample can be trusted, and the time-out begins
// with 3 s; the timestamps option tells more. But what delayed the handshake, an
// ARP or a busy listener, is not what delays data.
func (c *Conn) takeHandshakeRTT(now Time, seg *wire.Segment) {
	if c.rtt.acked(now, c.iss.Add(1), c.cfg) {
		return
	}
	c.rtt.backoff = 0
	if rtt, ok := c.echoed(now, seg); ok {
		c.rtt.sample(now, rtt, c.cfg)
		if c.count.retransmits > 0 {
			c.rtt.distrust(lostSynRTO)
		}
	} else if c.count.retransmits > 0 {
		c.rtt.rto = lostSynRTO
	}
}
