package engine

import (
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
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
	// MaxTimeWait bounds the TIME-WAIT records; the oldest goes when there is
	// no room. Zero: 65536.
	MaxTimeWait int
	// TimeWaitReset lets a RST end TIME-WAIT, as RFC 9293 has it and RFC 1337
	// warns of. Off: ignored.
	TimeWaitReset bool

	// SynBacklog bounds the half-open connections of one listener. Zero: 1024.
	SynBacklog int
	// SynAckRetries is how often a SYN,ACK is sent again. Zero: 5.
	SynAckRetries int
	// MaxBacklog caps a listener's backlog (somaxconn). Zero: 4096.
	MaxBacklog int

	// FirstPort and LastPort are the ephemeral ports. Zero: 32768, 60999.
	FirstPort, LastPort uint16

	// ResetRate bounds the RSTs per second sent for segments without a
	// connection, ICMPRate the ICMP messages. Zero: 200 and 1000.
	// Negative: no bound.
	ResetRate, ICMPRate int
}

// Interface is one attachment of the host to a link.
type Interface struct {
	// Index goes into the packets' Link field.
	Index int
	// MTU is in bytes.
	MTU int
	// Prefixes are the host's addresses, each with the network that is
	// reachable through this interface.
	Prefixes []netip.Prefix
	// MaxSuper bounds the payload of a super-segment, in bytes; 0 means that
	// each packet must fit the MTU. Links without offload may have it too:
	// see wire.Cut.
	MaxSuper int
	// Loopback marks the interface to which packets for one of the host's own
	// addresses go.
	Loopback bool
}

// Waker is told that something a user waits for has come. Wake is called from
// Engine.Wake and must not call the engine.
type Waker interface{ Wake(tcp.Ready) }

// Engine is one shard of a host.
type Engine struct{}

// New returns an engine without interfaces.
func New(cfg Config) *Engine { panic("unwritten") }

// AddInterface attaches the host to a link.
func (e *Engine) AddInterface(i Interface) error { panic("unwritten") }

// RemoveInterface detaches the host; its addresses are gone, and connections
// from them find no route until they come back.
func (e *Engine) RemoveInterface(index int) { panic("unwritten") }

// AddRoute sends packets for prefix out by the interface.
func (e *Engine) AddRoute(prefix netip.Prefix, index int) error { panic("unwritten") }

// ShardOf returns the shard, of n, that a packet from the wire belongs to. All
// engines of a host answer alike. Packets that belong to no connection go to
// shard 0.
func (e *Engine) ShardOf(p *wire.Packet) int { panic("unwritten") }

// Input processes a packet from a link. The packet is borrowed.
func (e *Engine) Input(now tcp.Time, p *wire.Packet) { panic("unwritten") }

// Output appends packets to be sent, each with a reference of its own to its
// payload, and reports whether there are more. Super-segments and partial
// checksums are as wire.Packet describes; wire.Cut and Packet.FinishChecksum
// make them plain.
func (e *Engine) Output(now tcp.Time, out *wire.Batch) (more bool) { panic("unwritten") }

// Advance fires what is due. An early call is harmless.
func (e *Engine) Advance(now tcp.Time) { panic("unwritten") }

// NextTimeout returns when Advance is to be called, 0 for never.
func (e *Engine) NextTimeout() tcp.Time { panic("unwritten") }

// Wake calls the wakers whose awaited readiness has come since the last call.
func (e *Engine) Wake() { panic("unwritten") }

// Dial opens a connection. A zero local address or port is chosen; errors are
// syscall.Errno: EADDRNOTAVAIL (no port, address not ours, or tuple in use),
// ENETUNREACH (no route, broadcast, multicast), EINVAL.
func (e *Engine) Dial(now tcp.Time, local, remote netip.AddrPort, opt tcp.Options) (*Conn, error) {
	panic("unwritten")
}

// Backlog counts the connections of a listener that wait to be accepted. The
// parts of one listener in several shards share one.
type Backlog struct{}

// NewBacklog returns a backlog that lets n+1 connections wait, as Linux counts.
func NewBacklog(n int) *Backlog { panic("unwritten") }

// Listen starts to listen. An unspecified address listens on all addresses of
// its family; the invalid address on all of both. Port 0 is chosen. Errors:
// EADDRINUSE, EADDRNOTAVAIL.
func (e *Engine) Listen(now tcp.Time, addr netip.AddrPort, opt ListenOptions) (*Listener, error) {
	panic("unwritten")
}

// ListenOptions are the options of a listener.
type ListenOptions struct {
	// Backlog is shared by the parts of one listener in several shards. Nil:
	// one of Config.MaxBacklog.
	Backlog *Backlog
	// Options go to the accepted connections.
	Options tcp.Options
	// ReusePort lets several listeners share an address and port; SYNs are
	// spread over them by hash (SO_REUSEPORT).
	ReusePort bool
	// Waker is told when Accept has a connection (tcp.Readable).
	Waker Waker
}

// Listener is a listening socket, or the part of one in this shard.
type Listener struct{}

// Addr returns the address listened on.
func (l *Listener) Addr() netip.AddrPort { panic("unwritten") }

// Accept returns the next established connection, nil when there is none.
func (l *Listener) Accept() *Conn { panic("unwritten") }

// Await asks for a wake once Accept has a connection; it reports false, and
// does nothing, when Accept has one already.
func (l *Listener) Await() bool { panic("unwritten") }

// Close stops listening: connections not yet accepted are reset, half-open
// ones forgotten.
func (l *Listener) Close(now tcp.Time) { panic("unwritten") }

// Conn is a connection of the engine's table.
type Conn struct {
	// Waker is told what Await asked for.
	Waker Waker
}

// Await asks for one wake once any of r holds; it reports false, and does
// nothing, when one holds already.
func (c *Conn) Await(r tcp.Ready) bool { panic("unwritten") }

// The socket calls are those of tcp.Conn, which says what they mean; what they
// leave to be sent comes out of the engine's next Output.

func (c *Conn) Read(now tcp.Time, p []byte) (int, error)  { panic("unwritten") }
func (c *Conn) Write(now tcp.Time, p []byte) (int, error) { panic("unwritten") }
func (c *Conn) CloseRead(now tcp.Time) error              { panic("unwritten") }
func (c *Conn) CloseWrite(now tcp.Time) error             { panic("unwritten") }
func (c *Conn) Close(now tcp.Time)                        { panic("unwritten") }
func (c *Conn) Abort(now tcp.Time)                        { panic("unwritten") }
func (c *Conn) Ready() tcp.Ready                          { panic("unwritten") }
func (c *Conn) State() tcp.State                          { panic("unwritten") }
func (c *Conn) Tuple() wire.FourTuple                     { panic("unwritten") }
func (c *Conn) TakeError() error                          { panic("unwritten") }
func (c *Conn) SetOptions(now tcp.Time, o tcp.Options)    { panic("unwritten") }
func (c *Conn) Options() tcp.Options                      { panic("unwritten") }
func (c *Conn) Info(now tcp.Time) tcp.Info                { panic("unwritten") }

// SocketInfo is one line of a socket table, as ss prints it.
type SocketInfo struct {
	State        tcp.State
	Tuple        wire.FourTuple // a listener's remote side is zero
	RecvQ, SendQ int            // bytes; of a listener: waiting, and backlog
	Timer        tcp.Timer      // the next timer
	Expires      tcp.Time       // 0: none
	Orphan       bool           // no user owns it
}

// Sockets calls f for every listener, half-open connection, connection and
// TIME-WAIT record, in an order that does not depend on chance.
func (e *Engine) Sockets(now tcp.Time, f func(*SocketInfo)) { panic("unwritten") }

// StateOf returns the state of the connection with the 4-tuple, LISTEN when
// there is none but a listener would take it, else CLOSED.
func (e *Engine) StateOf(t wire.FourTuple) tcp.State { panic("unwritten") }

// Stats are counts since the engine's birth.
type Stats struct {
	TCP                            tcp.Counters
	PacketsIn, PacketsOut          uint64
	Drops                          [wire.NumDrops]uint64
	ListenOverflows                uint64 // accept queue full
	ListenDrops                    uint64 // SYNs dropped for any reason
	TimeWaitOverflows              uint64 // records removed early
	ResetsSuppressed               uint64 // over ResetRate
	ICMPIn, ICMPOut                uint64
	ICMPSuppressed                 uint64 // over ICMPRate
	Conns, HalfOpen, TimeWaits     int    // now
	Listeners, Orphans, AcceptWait int    // now
}

// Stats returns the counts.
func (e *Engine) Stats() Stats { panic("unwritten") }
