package trivet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// Config is what a Stack is told at birth; New copies it. The zero Config is
// ready for use.
type Config struct {
	// Name is what String returns. Zero: "trivet".
	Name string

	// Shards is how many parts the host's connections are spread over, each
	// with a lock of its own; at most 64. Zero: GOMAXPROCS, but at most 8.
	Shards int

	// Secret seeds initial sequence numbers, port choice and hashes (RFC 9293,
	// Section 3.4.1; RFC 6056). Zero: read from crypto/rand. A fixed secret is
	// for tests only.
	Secret [32]byte

	// Resolve looks up host names for Dial and Listen. Nil: only IP addresses
	// and "localhost" are known.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// LinkDown, if not nil, is called when reading from a link fails for
	// another reason than its Close. The link stays attached, silent, until
	// RemoveLink; Stack.Stats tells, too. LinkDown must not wait for RemoveLink or Close.
	LinkDown func(l link.Link, err error)

	// TCP is shared by all connections: time-outs, retries, options offered,
	// congestion control.
	// TCP.Trace is called with a lock held, from one goroutine per shard at a
	// time; a hook that is not safe for concurrent use needs Shards: 1.
	// TCP.MaxMemory is the whole host's, shared evenly by the shards.
	// TCP.Counters is ignored: see Stack.Stats.
	TCP tcp.Config

	// SendBuffer and RecvBuffer are the buffer sizes, in bytes, of connections
	// whose Dialer or ListenConfig names none. Zero: 1 MiB, which grows with
	// the path up to TCP.MaxSendBuffer and TCP.MaxRecvBuffer.
	SendBuffer, RecvBuffer int

	// TimeWait is how long a connection that closed first stays in TIME-WAIT,
	// 2 MSL; 1 s to 240 s. Zero: 60 s.
	TimeWait time.Duration
	// MaxTimeWait bounds the TIME-WAIT records of the host; the oldest go
	// when there is no room. Zero: 65536.
	MaxTimeWait int
	// TimeWaitReset lets a RST end TIME-WAIT, as RFC 9293 has it and RFC 1337
	// warns of. Off: ignored.
	TimeWaitReset bool

	// MaxBacklog caps a listener's backlog (somaxconn). Zero: 4096.
	MaxBacklog int
	// SynBacklog bounds the half-open connections of one listener, shared
	// evenly by the shards. Zero: 1024.
	SynBacklog int
	// SynCookies says which SYNs are answered with a cookie that remembers for us
	// (RFC 4987, Section 3.6): those that find the SYN queue full
	// (engine.CookiesWhenFull, the default), all, or none.
	SynCookies engine.SynCookies
	// CookieSecret, from a cryptographic source, makes the SYN cookies of several
	// hosts that share an address, so that each takes the ACK of a cookie that another
	// sent; their clocks must agree to half a minute. Keys derived from it change
	// every hour. Zero: a cookie is good for the host that made it.
	CookieSecret [32]byte
	// Flood, if not nil, is told of SYN floods: a second after a listener's SYN queue
	// was found full, and when a minute went by in which it was not. With
	// engine.CookiesAlways there is no queue to be full. Flood is called from a
	// goroutine of its own for each listener, and must not wait for Stack.Close.
	Flood func(Flood)
	// SynAckRetries is how often a SYN,ACK is sent again. Zero: 5.
	SynAckRetries int

	// FastOpenPause is the unit of the time for which a Dialer does not try Fast Open
	// at an address and port where it failed: four of them at first, doubled with each
	// failure up to 256 (RFC 7413, Section 4.1.3.1). Zero: 60 s. Negative: it is
	// always tried.
	FastOpenPause time.Duration

	// FirstPort and LastPort are the ephemeral ports. Zero: 32768 and 60999.
	FirstPort, LastPort uint16

	// ResetRate bounds the RSTs per second sent for segments that belong to no
	// connection, ICMPRate the ICMP messages. Zero: 200 and 1000. Negative: no
	// bound.
	ResetRate, ICMPRate int
}

// The limits and defaults that this package sets itself.
const (
	maxShards         = 64 // a Listener keeps a bit for each
	defaultMaxShards  = 8
	minTimeWait       = time.Second
	maxTimeWait       = 240 * time.Second
	defaultTimeWaits  = 65536
	defaultMaxBacklog = 4096
	defaultSynBacklog = 1024
	defaultFirstPort  = 32768
	defaultLastPort   = 60999
	defaultResetRate  = 200
	defaultICMPRate   = 1000
	defaultMaxMemory  = 1 << 30
)

// ErrConfig is wrapped by what New returns for a Config that cannot be.
var ErrConfig = errors.New("trivet: bad configuration")

// withDefaults checks c and returns it with zeros replaced.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Shards < 0 || c.Shards > maxShards:
		return c, fmt.Errorf("%w: Shards is %d, not 0 to %d", ErrConfig, c.Shards, maxShards)
	case c.TimeWait != 0 && (c.TimeWait < minTimeWait || c.TimeWait > maxTimeWait):
		return c, fmt.Errorf("%w: TimeWait is %v, not %v to %v", ErrConfig, c.TimeWait, minTimeWait, maxTimeWait)
	case c.SynCookies > engine.CookiesNever:
		return c, fmt.Errorf("%w: SynCookies is %d", ErrConfig, c.SynCookies)
	case !tcp.KnownCongestion(c.TCP.Congestion):
		return c, fmt.Errorf("%w: TCP.Congestion is %q, not one of %q", ErrConfig, c.TCP.Congestion, tcp.Congestions())
	}
	if err := c.checkSigns(); err != nil {
		return c, err
	}
	def(&c.FirstPort, defaultFirstPort)
	def(&c.LastPort, defaultLastPort)
	if c.FirstPort > c.LastPort {
		return c, fmt.Errorf("%w: FirstPort %d is over LastPort %d", ErrConfig, c.FirstPort, c.LastPort)
	}
	def(&c.Name, "trivet")
	def(&c.TCP.MaxMemory, defaultMaxMemory)
	def(&c.Shards, min(runtime.GOMAXPROCS(0), defaultMaxShards))
	def(&c.MaxTimeWait, defaultTimeWaits)
	def(&c.MaxBacklog, defaultMaxBacklog)
	def(&c.SynBacklog, defaultSynBacklog)
	def(&c.ResetRate, defaultResetRate)
	def(&c.ICMPRate, defaultICMPRate)
	if c.Secret == [32]byte{} {
		rand.Read(c.Secret[:]) // never fails: it ends the program instead
	}
	return c, nil
}

// checkSigns returns an error that names a field which is negative and must not be.
func (c *Config) checkSigns() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"SendBuffer", c.SendBuffer},
		{"RecvBuffer", c.RecvBuffer},
		{"MaxTimeWait", c.MaxTimeWait},
		{"MaxBacklog", c.MaxBacklog},
		{"SynBacklog", c.SynBacklog},
		{"SynAckRetries", c.SynAckRetries},
		{"TCP.MaxMemory", c.TCP.MaxMemory},
		{"TCP.MaxSendBuffer", c.TCP.MaxSendBuffer},
		{"TCP.MaxRecvBuffer", c.TCP.MaxRecvBuffer},
		{"TCP.InitialRecvBuffer", c.TCP.InitialRecvBuffer},
		{"TCP.SynRetries", c.TCP.SynRetries},
		{"TCP.Retries", c.TCP.Retries},
		{"TCP.OrphanRetries", c.TCP.OrphanRetries},
		{"TCP.InitialWindow", c.TCP.InitialWindow},
		{"TCP.MinSuper", c.TCP.MinSuper},
	} {
		if f.value < 0 {
			return fmt.Errorf("%w: %s is %d, which is negative", ErrConfig, f.name, f.value)
		}
	}
	if c.TCP.MinRTO < 0 || c.TCP.MaxRTO < 0 {
		return fmt.Errorf("%w: TCP.MinRTO is %v and TCP.MaxRTO %v, one of them negative", ErrConfig, c.TCP.MinRTO, c.TCP.MaxRTO)
	}
	return nil
}

// def sets *p to v if it is zero.
func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// share is a shard's part of a limit of the whole host: its fair share, but at
// least one; negative stays "no limit".
func (c *Config) share(limit int) int {
	if limit <= 0 {
		return limit
	}
	return (limit-1)/c.Shards + 1
}

// engine returns the configuration of one shard. start is when its clock begins.
func (c *Config) engine(shard int, start time.Time) engine.Config {
	cfg := engine.Config{
		Secret:        c.Secret,
		TCP:           c.TCP,
		Shard:         shard,
		Shards:        c.Shards,
		TimeWait:      c.TimeWait,
		MaxTimeWait:   c.share(c.MaxTimeWait),
		TimeWaitReset: c.TimeWaitReset,
		SynBacklog:    c.share(c.SynBacklog),
		SynCookies:    c.SynCookies,
		CookieSecret:  c.CookieSecret,
		CookieEpoch:   time.Duration(start.UnixNano()),
		SynAckRetries: c.SynAckRetries,
		MaxBacklog:    c.MaxBacklog,
		FastOpenPause: c.FastOpenPause,
		FirstPort:     c.FirstPort,
		LastPort:      c.LastPort,
		ResetRate:     c.share(c.ResetRate),
		ICMPRate:      c.share(c.ICMPRate),
	}
	cfg.TCP.MaxMemory = c.share(cfg.TCP.MaxMemory)
	cfg.TCP.Counters = nil // the engine makes its own
	return cfg
}

// options returns o with the host's buffer sizes where o names none.
func (c *Config) options(o tcp.Options) tcp.Options {
	if o.SendBuffer == 0 {
		o.SendBuffer = c.SendBuffer
	}
	if o.RecvBuffer == 0 {
		o.RecvBuffer = c.RecvBuffer
	}
	return o
}
