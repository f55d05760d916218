package tcp

import (
	"time"

	"github.com/trivet-net/trivet/seqnum"
)

// MTUProbing says when a connection looks for the path MTU by itself, with
// segments of other sizes (RFC 4821), as Linux's tcp_mtu_probing does.
type MTUProbing uint8

const (
	// MTUProbingBlackHole looks for it once full segments get no answer: a
	// router may drop them without a word. It is the default.
	MTUProbingBlackHole MTUProbing = iota
	// MTUProbingAlways begins each connection with small segments.
	MTUProbingAlways
	// MTUProbingOff never does.
	MTUProbingOff
)

const (
	// baseMSS is the segment size to begin with, options included (RFC 4821,
	// Section 7.2; tcp_base_mss).
	baseMSS = 1024
	// blackHoleTimeouts is how many time-outs in a row say that full segments
	// do not get through (RFC 9293's R1; tcp_retries1).
	blackHoleTimeouts = 3
	// probeStop is the range, in bytes, that is not worth another probe
	// (tcp_probe_threshold).
	probeStop = 8
	// probeAgain is after how long a larger size is tried again (RFC 4821,
	// Section 7.3; RFC 8201, Section 5.3).
	probeAgain = 10 * time.Minute
	// probeWindow is the least congestion window, in segments, with which a probe
	// is sent: its loss must be seen by what follows it.
	probeWindow = 11
)

// mtuSearch is the search for the path MTU, in bytes. Packets of low get
// through, as far as is known, those over high do not; path.MTU is low.
type mtuSearch struct {
	low, high int
	size      int          // of the probe under way, 0 for none
	start     seqnum.Value // of the probe
	end       seqnum.Value
	again     Time // when to begin anew
}

// done reports whether the search has come to its end.
func (m *mtuSearch) done() bool { return m.high-m.low < probeStop }

// headers is what a packet has besides the MSS.
func (c *Conn) headers() int { return -segmentRoom(c.id.LocalAddr.Is4(), 0) }

// largestMTU is the packet that the link and the peer would take.
func (c *Conn) largestMTU() int { return min(c.rcv.advMSS, int(c.snd.peerMSS)) + c.headers() }

// searchMTU begins a search above low.
func (c *Conn) searchMTU(now Time, low, high int) {
	c.mtu = &mtuSearch{low: low, high: high, again: now.Add(probeAgain)}
	c.setPathMTU(low)
}

// setPathMTU changes the size of segments to what the path carries.
func (c *Conn) setPathMTU(mtu int) {
	c.path.MTU = mtu
	c.setMSS()
	c.cc.resize(c.snd.mss)
}

// suspectBlackHole makes segments smaller after every third time-out in a row,
// and keep doing so: RFC 4821, Section 7.7. Where they are small already, the
// silence means something else.
func (c *Conn) suspectBlackHole(now Time) {
	if c.cfg.MTUProbing == MTUProbingOff || c.count.retransmits%blackHoleTimeouts != 0 || c.snd.wnd == 0 {
		return
	}
	low, high := baseMSS+c.headers(), min(c.path.MTU, c.largestMTU())
	if c.mtu != nil && high <= low {
		low = max(high/2, minSndMSS+c.headers())
	}
	if low >= high {
		return
	}
	c.rule(now, RuleBlackHole)
	c.searchMTU(now, low, high)
}

// sendMTUProbe sends a segment of the size that halves the range, of new data.
// It reports whether anything else may be sent now: when the congestion window
// has no room for the probe, all waits for it, or it would never have.
func (c *Conn) sendMTUProbe(now Time, out *Batch) (goOn bool) {
	n := c.mtuProbeSize(now)
	if n == 0 {
		return true
	}
	if c.congestionRoom() < n || c.paced(now, n) < n {
		c.usage.limited = true
		return c.inFlight() == 0
	}
	c.rule(now, RuleMTUProbe)
	m := c.mtu
	m.size, m.start = m.low+n-c.snd.mss, c.snd.nxt
	m.end = c.snd.nxt.Add(seqnum.Size(n))
	c.sendNewSegment(now, out, n, false)
	return true
}

// mtuProbeSize returns the payload of the probe to be sent, 0 for none. RFC
// 4821, Section 7.3: when there is no loss to repair, and enough to send that a
// loss of the probe is noticed.
func (c *Conn) mtuProbeSize(now Time) int {
	m := c.mtu
	if m.size != 0 || !c.rcv.sack || c.loss.phase != lossOpen || (c.sent != nil && c.sent.sacked+c.sent.lost > 0) {
		return 0
	}
	if m.again.Due(now) {
		m.high, m.again = max(m.low, c.largestMTU()), now.Add(probeAgain)
	}
	if m.done() || c.cc.window() < probeWindow*c.snd.mss {
		return 0
	}
	n := c.snd.mss + (m.high-m.low+1)/2
	room := min(c.windowEdge().Diff(c.snd.nxt), c.sndbuf.record(c.snd.nxt, c.unsent()))
	if room < n+(dupThresh+1)*c.snd.mss {
		return 0
	}
	return n
}

// probing reports whether the next segment, from seq on, is a probe: it goes
// whole.
func (c *Conn) probing(seq seqnum.Value) bool {
	return c.mtu != nil && c.mtu.size != 0 && seq == c.mtu.start
}

// mtuProbeAcked takes an ACK: a probe that arrived is the new size (RFC 4821,
// Section 7.6.1).
func (c *Conn) mtuProbeAcked(now Time) {
	m := c.mtu
	if m == nil || m.size == 0 || c.snd.una.Less(m.end) {
		return
	}
	c.rule(now, RuleMTUProbeAcked)
	m.low, m.size = m.size, 0
	c.setPathMTU(m.low)
}

// mtuProbeLost reports whether r, which is thought lost, was a probe. RFC 4821,
// Section 7.6.2: that says something about its size and nothing about congestion.
func (c *Conn) mtuProbeLost(now Time, r *sentRecord) bool {
	m := c.mtu
	if m == nil || m.size == 0 || r.start != m.start {
		return false
	}
	c.rule(now, RuleMTUProbeLost)
	m.high, m.size = m.size-1, 0
	return true
}
