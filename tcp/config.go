package tcp

import "time"

// Config is what all connections of one engine share. A Conn keeps the pointer: the
// settings must not change while connections use them. Connections write through it
// what they count and what they keep for one another, so that those of two
// goroutines need two. NewConfig makes one that is ready for use.
type Config struct {
	// MinRTO is what the retransmission time-out is at least above the smoothed
	// round-trip time, for a peer that delays its ACKs, and MaxRTO what it is at
	// most (RFC 6298, Sections 2.3 to 2.5). Zero: 200 ms and 120 s.
	MinRTO, MaxRTO time.Duration

	// SynRetries is how often a SYN is sent again before an active open gives
	// up (tcp_syn_retries). Zero: 6, which with the doubling from 1 s takes
	// 127 s. Negative: never.
	SynRetries int
	// Retries is how often data is sent again before the connection is given
	// up, RFC 9293's R2 (tcp_retries2). Zero: 15. Negative: never.
	Retries int
	// OrphanRetries replaces Retries once no user owns the connection
	// (tcp_orphan_retries). Zero: 8. Negative: never.
	OrphanRetries int

	// DelayedAck is how long an acknowledgement may wait for company, under 500
	// ms (RFC 9293, Section 3.8.6.3). Zero: 40 ms. Negative: every segment is
	// acknowledged at once.
	DelayedAck time.Duration

	// FinWait2 is how long a connection that no user owns stays in FIN-WAIT-2
	// (tcp_fin_timeout). Zero: 60 s. Negative: for ever.
	FinWait2 time.Duration

	// ChallengeAckInterval is the least time between two challenge ACKs, and
	// between two answers to unacceptable segments, of one connection (RFC
	// 5961, Section 7). Zero: 500 ms. Negative: no limit.
	ChallengeAckInterval time.Duration

	// NoTimestamps, NoWindowScale and NoSACK keep an option from being offered
	// or accepted (RFC 7323, RFC 2018).
	NoTimestamps, NoWindowScale, NoSACK bool

	// RequireTimestamps drops segments without the timestamps option once it
	// was negotiated, as RFC 7323, Section 3.2, asks. Off, they are taken and
	// counted, as Linux does.
	RequireTimestamps bool

	// MaxSendBuffer and MaxRecvBuffer are what buffers grow to for which Options
	// name no size (tcp_wmem, tcp_rmem), in bytes, 1 MiB to 1 GiB; a receive buffer
	// may be as small as InitialRecvBuffer. Zero: 16 MiB.
	MaxSendBuffer, MaxRecvBuffer int

	// InitialRecvBuffer is what receive buffers are at first for which Options name
	// no size (the second number of tcp_rmem), in bytes. Zero: 1 MiB.
	InitialRecvBuffer int

	// SegmentMemory, if not nil, returns how many bytes of memory a received segment
	// takes up while it waits: for links whose packets stay in buffers of their own,
	// so that a small segment holds a large buffer. It is given the payload in
	// bytes and how many packets of the wire were merged to it. Receive buffers,
	// RecvBuffer and MaxRecvBuffer then bound that memory instead of the payload, as
	// SO_RCVBUF does on Linux; the window is what of it is likely to be payload, at
	// first a half. A segment that ends beyond the window is then not cut but
	// dropped, or taken whole while nothing waits for the user.
	SegmentMemory func(payload, packets int) int
	// ShrinkWindow lets the right edge of a scaled window move left when segments
	// take up more memory than was thought (tcp_shrink_window). What was offered
	// before is taken all the same while there is a window (RFC 7323, Section 2.4).
	// It concerns SegmentMemory only: a payload never takes up more than the window.
	ShrinkWindow bool

	// DelayFin lets the acknowledgement of a FIN that comes by itself, after text,
	// wait like that of text, so that the FIN of a user who closes in turn goes
	// with it: three segments close the connection. Linux does so.
	DelayFin bool

	// MaxMemory bounds the bytes that the buffers of all connections take up
	// together (tcp_mem). What is left is shared as long as it lasts; each
	// connection may hold 2 KiB in each direction all the same, so that all go
	// on. What waits in the receive buffers of UDP sockets is bounded by as much
	// again. Zero: 1 GiB.
	MaxMemory int

	// PatientProbes lets every tail loss probe wait for two round-trip times, and
	// for a single segment 200 ms more, as RFC 8985, Section 7.2, has it and Linux
	// does. Off, it waits as long as the round-trip times measured say, from 10 ms on,
	// until one probe of the connection turns out to have been needless.
	PatientProbes bool

	// MTUProbing is when to look for the path MTU with segments of other sizes
	// (tcp_mtu_probing). Zero: MTUProbingBlackHole.
	MTUProbing MTUProbing

	// ECN is what to do about explicit congestion notification (tcp_ecn). Zero:
	// ECNPassive.
	ECN ECN

	// InitialWindow is the initial congestion window in segments (RFC 6928).
	// Zero: 10.
	InitialWindow int

	// Congestion is the congestion control of connections whose Options name
	// none (tcp_congestion_control): one of Congestions. Zero, and what is not
	// known: CongestionCubic.
	Congestion string

	// MinSuper is how many segments a super-segment may have on the slowest
	// path (tcp_min_tso_segs); on others it holds what goes out in about a
	// millisecond. Zero: 2.
	MinSuper int

	// Trace, if not nil, is called for every event. It is called in the middle
	// of processing: it must be quick and must not call the stack.
	Trace func(*Event)

	// Counters are counted up by all connections of one engine.
	Counters *Counters

	// The options used last, which connections share, and which of them goes
	// next for others.
	recent     [4]*Options
	nextRecent uint8

	// Transients for connections that have something to do, the one used last
	// first.
	spare    *transient
	numSpare int
}

// maxDelayedAck is the longest delay of an ACK (RFC 9293, Section 3.8.6.3).
const maxDelayedAck = 499 * time.Millisecond

// withDefaults returns the configuration with every zero replaced by the
// default, and counters of its own.
func (c Config) withDefaults() Config {
	def(&c.MinRTO, 200*time.Millisecond)
	def(&c.MaxRTO, 120*time.Second)
	def(&c.DelayedAck, 40*time.Millisecond)
	c.DelayedAck = min(c.DelayedAck, maxDelayedAck)
	def(&c.FinWait2, 60*time.Second)
	def(&c.ChallengeAckInterval, 500*time.Millisecond)
	def(&c.SynRetries, 6)
	def(&c.Retries, 15)
	def(&c.OrphanRetries, 8)
	def(&c.InitialWindow, 10)
	def(&c.MinSuper, 2)
	def(&c.MaxMemory, 1<<30)
	def(&c.MaxSendBuffer, defaultMaxBuffer)
	def(&c.MaxRecvBuffer, defaultMaxBuffer)
	def(&c.InitialRecvBuffer, initialBuffer)
	c.InitialRecvBuffer = min(max(c.InitialRecvBuffer, minRecvBuffer), maxBuffer)
	c.MaxSendBuffer = min(max(c.MaxSendBuffer, initialBuffer), maxBuffer)
	c.MaxRecvBuffer = min(max(c.MaxRecvBuffer, c.InitialRecvBuffer), maxBuffer)
	if c.Congestion == "" || !KnownCongestion(c.Congestion) {
		c.Congestion = CongestionCubic
	}
	if c.Counters == nil {
		c.Counters = new(Counters)
	}
	return c
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// NewConfig returns a copy of c ready for use: zeros are replaced by their
// defaults, and Counters is set.
func NewConfig(c Config) *Config {
	c = c.withDefaults()
	c.spare, c.numSpare = nil, 0
	return &c
}

// share returns o with its defaults, in memory that connections of equal options
// share: most have those of their listener, or of all that are dialled.
func (c *Config) share(o Options) *Options {
	o = o.WithDefaults()
	for _, p := range c.recent {
		if p != nil && *p == o {
			return p
		}
	}
	p := new(Options)
	*p = o
	c.recent[c.nextRecent] = p
	c.nextRecent = (c.nextRecent + 1) % uint8(len(c.recent))
	return p
}

// Options are the socket options of one connection. A listener's are copied to
// the connections it accepts.
type Options struct {
	// SendBuffer and RecvBuffer bound the bytes queued to be sent or
	// acknowledged, and received but not read (SO_SNDBUF, SO_RCVBUF). Zero: 1
	// MiB, which grows with what the path carries and the user reads, up to
	// Config.MaxSendBuffer and MaxRecvBuffer. Values under 4608 and 2304 are
	// raised to that, as Linux does.
	// A write that begins below the bound fills the super-segment in which the
	// bound lies, as Linux fills its last buffer: up to 64 KiB more.
	SendBuffer, RecvBuffer int

	// WindowClamp bounds the window that is offered, in bytes, whatever the
	// receive buffer has room for (TCP_WINDOW_CLAMP). Values under 1152 are
	// raised to that, as Linux does. Zero: RecvBuffer alone decides.
	WindowClamp int

	// NotSentLowat bounds the bytes that are written and not yet sent: with as
	// many Write takes no more, and with half as many the connection is
	// writable again (TCP_NOTSENT_LOWAT). Zero: SendBuffer alone decides.
	NotSentLowat int
	// RecvLowat is how many bytes make the connection readable; at most half
	// of RecvBuffer (SO_RCVLOWAT). Read still returns what there is. Zero: 1.
	RecvLowat int

	// NoDelay turns Nagle's algorithm off (TCP_NODELAY).
	NoDelay bool
	// Cork holds back partial segments for up to 200 ms (TCP_CORK).
	Cork bool

	// KeepAlive turns keep-alive probes on (SO_KEEPALIVE): the first after
	// KeepIdle without a segment from the peer, the next ones KeepInterval
	// apart; KeepCount of them unanswered end the connection with ETIMEDOUT.
	// Zero: 2 h, 75 s, 9 (RFC 9293, Section 3.8.4).
	KeepAlive              bool
	KeepIdle, KeepInterval time.Duration
	KeepCount              int

	// SynRetries replaces Config.SynRetries for an active open and, for a
	// listener, how often a SYN,ACK is sent again (TCP_SYNCNT); at most 127.
	// Zero: the stack's.
	SynRetries int
	// DeferAccept lets a listener give out only connections that sent
	// something: the ACK that completes the handshake is forgotten, until there
	// is text with it, or until the SYN,ACK that is due after this time, as the
	// doubling time-outs round it, was answered too (TCP_DEFER_ACCEPT). An
	// active open delays that ACK, which then goes with the first text. Zero:
	// off.
	DeferAccept time.Duration

	// UserTimeout ends the connection with ETIMEDOUT when data stays
	// unacknowledged, or unsent behind a closed window, for that long
	// (TCP_USER_TIMEOUT). Zero: Config.Retries decides.
	UserTimeout time.Duration

	// FinWait2 is how long the connection stays in FIN-WAIT-2 once no user owns
	// it, at most 120 s (TCP_LINGER2). Zero: Config.FinWait2. Negative: it does
	// not stay, and is reset instead.
	FinWait2 time.Duration

	// MaxSeg lowers the segment size announced and used (TCP_MAXSEG), in
	// bytes, 88 to 32767. Zero: from the MTU.
	MaxSeg int

	// Pacing spreads what is sent over the round trip instead of sending what
	// the window allows at once. A congestion control that needs it, as BBR
	// does, paces anyway.
	Pacing bool
	// MaxPacingRate bounds the rate of sending, in bytes per second
	// (SO_MAX_PACING_RATE), and turns pacing on. Zero: no bound.
	MaxPacingRate int64

	// FastOpen lets an active open use TCP Fast Open (RFC 7413,
	// TCP_FASTOPEN_CONNECT). The first connection to an address asks for a cookie
	// and is opened as usual. The next ones are writable at once; the SYN waits for
	// the first Write and carries what fits of its text, which saves a round trip.
	// When a SYN arrives twice the peer may take that text twice (Section 6): it
	// is for requests that may be repeated. Refusal and time-out are told later, by
	// Read or Write.
	FastOpen bool
	// FastOpenNoCookie lets the text go with the SYN although the peer gave no
	// cookie, and without the option: for peers in a network of one's own that take
	// the text of every SYN (TCP_FASTOPEN_NO_COOKIE).
	FastOpenNoCookie bool

	// Congestion is the congestion control (TCP_CONGESTION): one of Congestions.
	// Zero, and what is not known: Config.Congestion.
	Congestion string

	// TOS is the IPv4 TOS or IPv6 traffic class of sent packets, and TTL their
	// TTL or hop limit (IP_TOS, IP_TTL). The two bits of TOS for ECN are TCP's.
	// TTL zero: 64.
	TOS, TTL uint8
}

// The limits of buffer and segment sizes, in bytes: those that Linux enforces;
// a buffer is at most what a scaled window can express (RFC 7323, Section 2.3).
const (
	minSendBuffer    = 4608
	minRecvBuffer    = 2304
	minWindowClamp   = minRecvBuffer / 2
	maxBuffer        = 1 << 30
	defaultMaxBuffer = 0xffff << 8 // 16 MiB, as far as a shift of 8 reaches
	minMaxSeg        = 88
	maxMaxSeg        = 32767
	maxSynRetries    = 127
	maxFinWait2      = 120 * time.Second // of one connection (tcp(7), TCP_LINGER2)
)

// WithDefaults returns o with zeros, and what makes no sense, replaced by their
// defaults, and sizes brought into range.
func (o Options) WithDefaults() Options {
	if o.SendBuffer != 0 {
		o.SendBuffer = min(max(o.SendBuffer, minSendBuffer), maxBuffer)
	}
	if o.RecvBuffer != 0 {
		o.RecvBuffer = min(max(o.RecvBuffer, minRecvBuffer), maxBuffer)
	}
	if o.WindowClamp != 0 {
		o.WindowClamp = max(o.WindowClamp, minWindowClamp)
	}
	o.NotSentLowat = max(o.NotSentLowat, 0)
	lowat := initialBuffer / 2
	if o.RecvBuffer != 0 {
		lowat = o.RecvBuffer / 2
	}
	o.RecvLowat = min(max(o.RecvLowat, 0), lowat)
	o.SynRetries = min(max(o.SynRetries, 0), maxSynRetries)
	o.DeferAccept = max(o.DeferAccept, 0)
	positive(&o.KeepIdle, 2*time.Hour)
	positive(&o.KeepInterval, 75*time.Second)
	positive(&o.KeepCount, 9)
	o.UserTimeout = max(o.UserTimeout, 0)
	o.MaxPacingRate = max(o.MaxPacingRate, 0)
	o.FinWait2 = min(max(o.FinWait2, -1), maxFinWait2)
	o.TOS &^= ecnMask
	if o.MaxSeg != 0 {
		o.MaxSeg = min(max(o.MaxSeg, minMaxSeg), maxMaxSeg)
	}
	if !KnownCongestion(o.Congestion) {
		o.Congestion = ""
	}
	return o
}

// clamp returns the window that may be offered of one of that size.
func (o *Options) clamp(window int) int {
	if o.WindowClamp > 0 {
		return min(window, o.WindowClamp)
	}
	return window
}

// positive sets what is not above zero to its default.
func positive[T int | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}
