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

// PathMTUAge is how long a path MTU is believed to be the largest (RFC 1191, Section
// 6.3; RFC 8201, Section 5.3; RFC 4821, Section 7.3).
const PathMTUAge = 10 * time.Minute

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
	// probeWindow is the least congestion window, in segments, with which a probe
	// is sent: its loss must be seen by what follows it.
	probeWindow = 11
)

// mtuSearch is the search for the path MTU, in bytes. Packets of low get
// through, as far as is known, those over high do not; path.MTU is low.
type mtuSearch struct {
	low, high int
	size      int          // of the probe under way, 0 for none
	lost      bool         // it is thought lost
	start     seqnum.Value // of the probe
	end       seqnum.Value
	again     Time // when to begin anew
}

// step is by how much the next probe is larger, 0 for none: half of the range, but
// the last step up to the largest packet there is, which was not tried yet, whole.
func (m *mtuSearch) step(largest int) int {
	rest := m.high - m.low
	switch half := (rest + 1) / 2; {
	case m.high == largest && rest-half < probeStop:
		return rest
	case rest < probeStop:
		return 0
	default:
		return half
	}
}

// headers is what a packet has besides the MSS.
func (c *Conn) headers() int { return -segmentRoom(c.id.LocalAddr.Is4(), 0) }

// largestMTU is the packet that the link and the peer would take.
func (c *Conn) largestMTU() int { return int(min(c.rcv.advMSS, c.snd.peerMSS)) + c.headers() }

// searchMTU begins a search above low.
func (c *Conn) searchMTU(now Time, low, high int) {
	c.mtu = &mtuSearch{low: low, high: high, again: now.Add(PathMTUAge)}
	c.setPathMTU(low)
}

// setPathMTU changes the size of segments to what the path carries.
func (c *Conn) setPathMTU(mtu int) {
	c.path.MTU = mtu
	c.setMSS()
	c.cc.resize(c.snd.mss)
}

// baseMTU is the packet to begin with: of baseMSS, but over IPv6 what every link
// carries (RFC 8200, Section 5).
func (c *Conn) baseMTU() int {
	if c.id.LocalAddr.Is4() {
		return baseMSS + c.headers()
	}
	return minMTU6
}

// payloadOf is the text of a packet of that size.
func (c *Conn) payloadOf(size int) int {
	n := size - c.headers()
	if c.ts.on {
		n -= timestampsSize
	}
	return n
}

// suspectBlackHole makes segments smaller after every third time-out in a row,
// and keep doing so: RFC 4821, Section 7.7. Where they are small already, the
// silence means something else. What became of a probe it does not tell (Section
// 7.6.3), nor that larger segments will not get through later: after an outage, to
// which it looks the same, the search goes on up to where it went before.
func (c *Conn) suspectBlackHole(now Time) {
	if c.mtu != nil {
		c.mtu.size = 0
	}
	if c.cfg.MTUProbing == MTUProbingOff || c.count.retransmits%blackHoleTimeouts != 0 || c.snd.wnd == 0 || c.sent == nil {
		return
	}
	low, high := c.baseMTU(), min(c.path.MTU, c.largestMTU())
	if c.mtu != nil && high <= low && c.id.LocalAddr.Is4() {
		low = max(high/2, minSndMSS+c.headers())
	}
	if low >= high || min(c.sent.at(0).len(), c.snd.mss) <= c.payloadOf(low) {
		return
	}
	if c.mtu != nil {
		high = max(high, c.mtu.high)
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
	m := c.mtu
	if c.congestionRoom() < n || c.paced(now, n) < n {
		c.usage.limited = true
		return c.inFlight() == 0
	}
	c.rule(now, RuleMTUProbe)
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
	if m.size != 0 || c.sacking() || c.loss.phase != lossOpen || (c.sent != nil && c.sent.sacked+c.sent.lost > 0) {
		return 0
	}
	largest := max(m.low, c.largestMTU())
	if m.again.Due(now) {
		m.high, m.again = largest, now.Add(PathMTUAge)
		if c.cfg.MTUProbing == MTUProbingOff {
			m.low = largest // at once, as ICMP will tell
			c.setPathMTU(largest)
		}
	}
	step := m.step(largest)
	if step == 0 || c.cc.window() < probeWindow*c.snd.mss {
		return 0
	}
	n := c.snd.mss + step
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
func (c *Conn) mtuProbeLost(r *sentRecord) bool {
	m := c.mtu
	if m == nil || m.size == 0 || r.start != m.start {
		return false
	}
	m.lost = true
	return true
}

// judgeMTUProbe draws the conclusion when the probe is lost: packets of its size
// do not get through. When others were lost with it, that may be congestion, and
// its size is in doubt as before (RFC 4821, Section 7.6.2).
func (c *Conn) judgeMTUProbe(now Time, congested bool) {
	m := c.mtu
	if m == nil || !m.lost {
		return
	}
	if !congested {
		c.rule(now, RuleMTUProbeLost)
		m.high = m.size - 1
		c.loss.force = true
	}
	m.size, m.lost = 0, false
}

// mtuProbeMissing reports whether it is the probe that duplicate ACKs without SACK
// ask for. It goes again then.
func (c *Conn) mtuProbeMissing(now Time) bool {
	m := c.mtu
	if m == nil || m.size == 0 || m.start != c.snd.una {
		return false
	}
	m.lost = true
	c.judgeMTUProbe(now, false)
	c.loss.recover = c.snd.una // no more of these duplicates count
	c.rtt.cancel()
	c.sent.lose(0)
	return true
}

// mtuProbeTooBig takes an ICMP message about the probe, which tells how much gets
// through; it reports whether it is one.
func (c *Conn) mtuProbeTooBig(now Time, seq seqnum.Value, mtu int) bool {
	m := c.mtu
	if m == nil || m.size <= mtu || mtu < m.low || seq != m.start || c.sent == nil {
		return false
	}
	c.rule(now, RuleMTUProbeLost)
	m.high, m.size = mtu, 0
	if i := c.sent.find(m.start); !c.sent.at(i).has(recSacked | recLost) {
		c.sent.lose(i)
		c.rtt.cancel()
		c.loss.force = true
	}
	return true
}
