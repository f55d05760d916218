package tcp

import (
	"time"

	"github.com/trivet-net/trivet/wire"
)

// TSVal returns the timestamp clock at now: milliseconds, plus the offset of
// the 4-tuple (RFC 7323, Section 5.4).
func TSVal(now Time, offset uint32) uint32 {
	return uint32(time.Duration(now)/time.Millisecond) + offset
}

// tsIdle is how long TS.Recent stays valid without a segment: less than half
// of what the clock of the peer needs to wrap (RFC 7323, Section 5.5).
const tsIdle = 24 * 24 * time.Hour

// fillOptions sets the options of a segment after the handshake: timestamps on
// each (RFC 7323, Section 3.2), SACK blocks while data is missing (RFC 2018,
// Section 4).
func (c *Conn) fillOptions(now Time, o *wire.Options) {
	if c.ts.on {
		o.HasTS, o.TSVal, o.TSEcr = true, TSVal(now, c.ts.offset), c.ts.recent
	}
	if c.sacking() {
		c.ooo.blocks(o, c.sackRoom())
	}
}

// sackRoom is how many SACK blocks fit into the options (RFC 2018, Section 3).
func (c *Conn) sackRoom() int {
	if c.ts.on {
		return 3
	}
	return 4
}

// sacking reports whether the next segment carries SACK blocks.
func (c *Conn) sacking() bool { return c.rcv.sack && c.ooo != nil && c.ooo.pending() }

// dataMSS is the payload of a full segment: Eff.snd.MSS, less the SACK blocks
// that go with it.
func (c *Conn) dataMSS() int {
	if !c.sacking() {
		return c.snd.mss
	}
	blocks := c.ooo.numRecent
	if c.ooo.hasDup {
		blocks++
	}
	return max(c.snd.mss-4-8*min(blocks, c.sackRoom()), 1)
}

// noteTimestamp updates TS.Recent. RFC 7323, Section 4.3: from a segment that
// is not older and begins at or before the last ACK sent, so that the value
// echoed is that of the oldest segment an ACK covers.
func (c *Conn) noteTimestamp(now Time, seg *wire.Segment) {
	if !c.ts.on || !seg.Options.HasTS || !seg.Seq.LessEq(c.rcv.lastAck) {
		return
	}
	if int32(seg.Options.TSVal-c.ts.recent) >= 0 || c.tsStale(now) {
		c.ts.recent, c.ts.recentAt = seg.Options.TSVal, now
	}
}

func (c *Conn) tsStale(now Time) bool { return now.Sub(c.ts.recentAt) > tsIdle }

// echoed returns how long ago we sent the timestamp that seg echoes. One that is
// from the future, or older than any time-out, cannot be ours.
func (c *Conn) echoed(now Time, seg *wire.Segment) (time.Duration, bool) {
	if !c.ts.on || !seg.Options.HasTS || seg.Options.TSEcr == 0 {
		return 0, false
	}
	age := int32(TSVal(now, c.ts.offset) - seg.Options.TSEcr)
	rtt := max(time.Duration(age), 1) * time.Millisecond
	return rtt, age >= 0 && rtt <= c.cfg.MaxRTO
}
