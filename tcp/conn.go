package tcp

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// Conn is one TCP connection: the transmission control block of RFC 9293,
// Section 3.3.1, and the procedures on it. It is not safe for concurrent use,
// and never waits, sends or looks at a clock. The zero Conn is made a
// connection by Dial or Accept.
type Conn struct {
	cfg   *Config
	id    wire.FourTuple
	held  int32 // what Counters.Memory counts of the buffers
	path  Path
	opt   *Options // shared: replaced, never written to
	state State

	early   bool // SYN-RECEIVED by Fast Open: data flows already
	synData bool // the text of the SYN was taken
	passive bool // SYN-RECEIVED came from a passive OPEN (MUST-11)
	orphan  bool // the user called Close: nobody will read or write again
	readEnd bool // the user called CloseRead or Close
	finWant bool // the user closed the write side: FIN follows the queued data
	finRcvd bool // the peer's FIN was reached: RCV.NXT is behind it

	wants wants

	iss, irs seqnum.Value
	snd      sendVars
	rcv      recvVars
	ts       timestamps
	ecn      ecn
	rtt      estimator
	cc       congestion
	cubic    cubic // the memory of cc, when that is CUBIC or, within it, NewReno
	memory   memory

	*transient // resting, while nothing is under way

	sndbuf sendBuffer
	rcvbuf recvBuffer
	rcvmem *recvMemory // nil but with Config.SegmentMemory
	fast   *fastOpen   // nil but while opening by Fast Open
	mtu    *mtuSearch  // nil while the path MTU is not in doubt
	ooo    *reassembly // nil until a segment comes out of order

	keepAlive Time // when its timer fires
	count     counts

	err     errno // pending: told to the user once
	softErr errno // last ICMP error that did not end the connection
}

// sendVars are the send sequence variables. Sent and unacknowledged is
// [una, nxt); the peer lets us send up to una+wnd.
//
//	     1         2          3          4
//	----------|----------|----------|----------
//	        una        nxt       una+wnd
type sendVars struct {
	una, nxt seqnum.Value
	wnd      seqnum.Size  // SND.WND, scaled
	wl1, wl2 seqnum.Value // SEG.SEQ and SEG.ACK of the last window update
	maxWnd   seqnum.Size  // MAX.SND.WND (RFC 5961, Section 5.2)
	small    seqnum.Value // end of the last segment under MSS sent (Minshall)
	push     seqnum.Value // end of what the user wrote without More
	mss      int          // Eff.snd.MSS: payload per segment, options deducted
	peerMSS  uint16       // the peer's MSS option, or the default
	shift    uint8        // Snd.Wind.Shift
	more     bool         // the user will write more: hold back the end
	synAcked bool         // our SYN was acknowledged
	finSent  bool         // FIN was sent at least once: it is nxt-1
}

// recvVars are the receive sequence variables. The peer may send [nxt, adv).
type recvVars struct {
	nxt     seqnum.Value
	adv     seqnum.Value // right edge announced; never moves left
	lastAck seqnum.Value // Last.ACK.sent
	fin     seqnum.Value // sequence number of the peer's FIN, when finSeen
	up      seqnum.Value // RCV.UP
	told    seqnum.Value // right edge in the last segment, when shrunk
	space   int32        // bytes that the receive buffer may hold
	tuned   uint32       // bytes the user had read by tunedAt, modulo 2^32
	tunedAt Time
	mss     uint16 // the largest payload seen, for "two full segments"
	advMSS  uint16 // our MSS option
	shift   uint8  // Rcv.Wind.Shift
	finSeen bool   // a FIN arrived, perhaps after a gap
	quick   uint8  // segments still to be acknowledged at once
	shrunk  bool   // for want of memory we announce less than adv: told
	sack    bool   // SACK is permitted
	scaled  bool   // window scaling is in force
	given   bool   // the user has the connection: dialled, or accepted
}

// timestamps are the variables of RFC 7323, Sections 3 and 5.
type timestamps struct {
	on       bool
	offset   uint32 // of our clock
	recent   uint32 // TS.Recent
	recentAt Time   // when TS.Recent was taken
}

// wants are facts that must reach the peer, or things to be sent, which Output
// turns into segments.
type wants struct {
	syn       bool // SYN or SYN,ACK
	ack       bool // an ACK now
	challenge bool // a challenge ACK
	reset     bool // RST
	probe     bool // zero-window or keep-alive probe
	tailProbe bool // tail loss probe
	override  bool // send what fits, however little (silly window override)
	dupAcks   uint8
	refuse    bool // RST with sequence number refuseSeq
	refuseSeq seqnum.Value
}

func (w *wants) any() bool { return *w != wants{} }

// counts are the totals that Info tells.
type counts struct {
	bytesSent, bytesAcked, bytesReceived      uint64
	lastSent, lastRecv, lastDataRecv, lastAck Time
	pathLimited                               time.Duration // outstanding or waiting, and neither of the limits in rare
	stateAt                                   Time          // when the state was entered
	segsOut, segsIn, dataSegsOut, dataSegsIn  uint32        // modulo 2^32 as in Linux's tcp_info
	retransmits                               int32         // time-outs in a row
	probes                                    int32         // unanswered probes
	rare                                      *rareCounts
}

// rareCounts are of what a connection over a good path never meets.
type rareCounts struct {
	bytesRetrans  uint64
	lastChallenge Time // when the last challenge ACK was sent
	// For how long the peer's window, and the send buffer, held data back.
	receiverLimited, bufferLimited time.Duration
	// Segments and events, modulo 2^32.
	retrans, outOfOrder, dupAcksIn, lost, spurious uint32
	dsacks, undos, reorderings                     uint32
	reordering                                     uint16 // the most, in segments
}

// rarely returns the rare counts to be written to.
func (k *counts) rarely() *rareCounts {
	if k.rare == nil {
		k.rare = new(rareCounts)
	}
	return k.rare
}

// rareSoFar returns the rare counts to be read.
func (k *counts) rareSoFar() rareCounts {
	if k.rare == nil {
		return rareCounts{}
	}
	return *k.rare
}

// Path is what a connection must know of the way to its peer.
type Path struct {
	// MTU is the size of the largest IP packet, in bytes.
	MTU int
	// MaxSuper bounds the payload of a super-segment, in bytes; 0 means that
	// none are to be formed.
	MaxSuper int
}

// Batch is a reusable list of segments that Output fills.
type Batch struct {
	Segments []wire.Segment
}

// Next adds an empty segment and returns it. The pointer is good until the
// next call of Next.
func (b *Batch) Next() *wire.Segment {
	if n := len(b.Segments); n < cap(b.Segments) {
		b.Segments = b.Segments[:n+1]
		b.Segments[n].Reset()
		return &b.Segments[n]
	}
	b.Segments = append(b.Segments, wire.Segment{})
	return &b.Segments[len(b.Segments)-1]
}

// Reset empties the batch.
func (b *Batch) Reset() { b.Segments = b.Segments[:0] }

// State returns the state.
func (c *Conn) State() State { return c.state }

// Tuple returns the 4-tuple.
func (c *Conn) Tuple() wire.FourTuple { return c.id }

// ID is Tuple without a copy. It is not to be written to.
func (c *Conn) ID() *wire.FourTuple { return &c.id }

// Given tells that the user has the connection from now on. Dial implies it.
func (c *Conn) Given() { c.rcv.given = true }

// Orphan reports whether the user gave the connection up with Close or Abort.
func (c *Conn) Orphan() bool { return c.orphan }

// dead reports whether the connection is over for the user.
func (c *Conn) dead() bool { return c.state == StateClosed || c.state == StateTimeWait }

// errno is a syscall.Errno in a quarter of the size of an error; 0: none.
type errno uint32

// error returns it as an error, nil for none.
func (e errno) error() error {
	if e == 0 {
		return nil
	}
	return syscall.Errno(e)
}

// die ends the connection with an error for the user, 0 for none.
func (c *Conn) die(now Time, err syscall.Errno, rule Rule) {
	if c.err == 0 {
		c.err = errno(err)
	}
	c.setState(now, StateClosed, rule)
	c.stop()
}

// stop forgets what a connection that is over does not need: everything but
// what the user may still read.
func (c *Conn) stop() {
	c.timers, c.keepAlive = [numTimers]Time{}, 0
	reset := c.wants.reset
	c.wants = wants{reset: reset}
	c.rtoAt = 0
	c.dropSent()
	if c.ooo != nil {
		c.ooo.clear()
	}
	if c.orphan {
		c.rcvbuf.clear()
	}
	c.account()
}

// Release gives every buffer back. The connection must be over.
func (c *Conn) Release() {
	c.wake()
	c.dropSent()
	c.rcvbuf.clear()
	if c.ooo != nil {
		c.ooo.clear()
	}
	c.account()
	c.rest(0)
}

// dropSent gives up what is queued to be sent, and what is known of what was.
func (c *Conn) dropSent() {
	c.sndbuf.clear()
	c.sent = nil
}

// call tells the trace of a user's call.
func (c *Conn) call(now Time, name string, n int, err error) {
	if c.cfg.Trace != nil {
		c.cfg.Trace(&Event{Time: now, Kind: EventCall, Tuple: c.id, Call: name, N: n, Err: err})
	}
}
