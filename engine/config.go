package engine

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// Config is what an engine is told at birth; it is copied.
type Config struct {
	// Secret seeds the keys of the initial sequence numbers, timestamp
	// offsets, port choice, tables and cookies. It must come from a
	// cryptographic source and differ between hosts; in a simulation it comes
	// from the seed.
	Secret [32]byte

	// TCP is shared by all connections. Its Trace hook receives the engine's
	// events too.
	TCP tcp.Config

	// Shard and Shards say which part of the host this engine is: connections
	// whose 4-tuple hashes to Shard of Shards. Zero Shards: 1.
	Shard, Shards int

	// TimeWait is how long a closed connection stays in TIME-WAIT, 2 MSL; 1 s
	// to 240 s. Zero: 60 s.
	TimeWait time.Duration
	// MaxTimeWait bounds the TIME-WAIT records, of which there may be one at least;
	// the oldest goes when there is no room. Zero: 65536.
	MaxTimeWait int
	// TimeWaitReset lets a RST end TIME-WAIT, as RFC 9293 has it and RFC 1337
	// warns of. Off: ignored.
	TimeWaitReset bool

	// SynBacklog bounds the half-open connections of one listener. Zero: 1024.
	SynBacklog int
	// SynCookies says which SYNs are answered with cookies. Zero:
	// CookiesWhenFull.
	SynCookies SynCookies
	// CookieSecret, and CookieEpoch, the time of some clock at which now is 0, are
	// shared by hosts behind one address, of which any may get the ACK of another's
	// cookie. Zero: Secret, and no such host.
	CookieSecret [32]byte
	CookieEpoch  time.Duration
	// SynAckRetries is how often a SYN,ACK is sent again. Zero: 5.
	SynAckRetries int
	// MaxBacklog caps a listener's backlog (somaxconn). Zero: 4096.
	MaxBacklog int

	// FastOpenPause is the unit of the time for which a client does not try Fast Open
	// at an address and port where it failed: four of them at first, doubled with each
	// failure up to 256 (RFC 7413, Section 4.1.3.1). Zero: 60 s. Negative: it is
	// always tried.
	FastOpenPause time.Duration

	// FirstPort and LastPort are the ephemeral ports. Zero: 32768, 60999.
	FirstPort, LastPort uint16

	// ResetRate bounds the RSTs per second sent for segments without a
	// connection, ICMPRate the ICMP messages. Zero: 200 and 1000.
	// Negative: no bound.
	ResetRate, ICMPRate int
}

// The bounds that no option changes.
const (
	// maxHalfOpen bounds the half-open connections of all listeners together.
	maxHalfOpen = 65536
	// maxOrphans bounds the connections that no user owns; one more is reset
	// (tcp_max_orphans).
	maxOrphans = 16384
	// maxReplies bounds the packets that wait for Output and belong to no
	// connection: RST, SYN,ACK, ACKs of TIME-WAIT, ICMP.
	maxReplies = 1024
	// batchPackets is after how many packets Output asks to be called again.
	batchPackets = 256
	// answerInterval is the least time between two answers to segments that a
	// half-open connection or TIME-WAIT record does not accept (RFC 5961,
	// Section 7), as for connections.
	answerInterval = 500 * time.Millisecond
)

func (c Config) withDefaults() Config {
	def(&c.Shards, 1)
	def(&c.TimeWait, 60*time.Second)
	c.TimeWait = min(max(c.TimeWait, time.Second), 240*time.Second)
	def(&c.MaxTimeWait, 65536)
	c.MaxTimeWait = max(c.MaxTimeWait, 1) // that of the connection that just ended
	def(&c.SynBacklog, 1024)
	def(&c.SynAckRetries, 5)
	def(&c.MaxBacklog, 4096)
	def(&c.FastOpenPause, 60*time.Second)
	def(&c.FirstPort, 32768)
	def(&c.LastPort, 60999)
	c.LastPort = max(c.LastPort, c.FirstPort)
	def(&c.ResetRate, 200)
	def(&c.ICMPRate, 1000)
	return c
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
