package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// keys are derived from Config.Secret, one for each use, so that what one of
// them lets out tells nothing about another. They never change: a new key
// would break the promise that sequence numbers of one 4-tuple only grow.
type keys struct {
	table     key // the hash table and the choice of the shard
	iss       key
	timestamp key
	port      key // where the search for a port starts
	slot      key // which counter it uses
	spread    key // among listeners that share a port
	fragment  key // where identifications of fragmented datagrams begin
	delay     key // of random times, which reports about groups wait for
}

func newKeys(secret *[32]byte) keys {
	return keys{
		table:     deriveKey(secret, "table"),
		iss:       deriveKey(secret, "initial sequence number"),
		timestamp: deriveKey(secret, "timestamp offset"),
		port:      deriveKey(secret, "port"),
		slot:      deriveKey(secret, "port slot"),
		spread:    deriveKey(secret, "listener"),
		fragment:  deriveKey(secret, "fragment identification"),
		delay:     deriveKey(secret, "delay"),
	}
}

func deriveKey(secret *[32]byte, label string) key {
	sum := sha256.Sum256(append(secret[:], label...))
	return key{binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])}
}

// issTick is how long the clock of initial sequence numbers takes for one step.
const issTick = 4 * time.Microsecond

// iss returns the initial sequence number of a connection that opens now. RFC
// 9293, Section 3.4.1: ISN = M + F(4-tuple, secret), M being a clock of 4
// microseconds, so that a later incarnation of the same connection starts
// higher and an outsider cannot guess.
func (e *Engine) iss(now tcp.Time, t *wire.FourTuple) seqnum.Value {
	return seqnum.Value(uint32(now/tcp.Time(issTick)) + uint32(e.keys.iss.hashStrong(t)))
}

// issAfter returns an initial sequence number that is above the last one of
// the incarnation before, by more than its unscaled window (RFC 6191, Section
// 2; RFC 9293, MAY-2).
func (e *Engine) issAfter(now tcp.Time, t *wire.FourTuple, last seqnum.Value) seqnum.Value {
	return seqnum.Max(e.iss(now, t), last.Add(0xffff+2))
}

// tsOffset returns what is added to the timestamp clock for this 4-tuple, so
// that timestamps tell nothing about the host (RFC 7323, Section 7.1). It is
// the same for every incarnation: timestamps of one 4-tuple only grow. Hosts that
// share cookies count from the same time.
func (e *Engine) tsOffset(t *wire.FourTuple) uint32 {
	return uint32(e.keys.timestamp.hashStrong(t)) + tcp.TSVal(tcp.Time(e.cfg.CookieEpoch), 0)
}
