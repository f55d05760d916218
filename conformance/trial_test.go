package conformance

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

var (
	hostAddr = netip.MustParseAddr("10.0.0.1")
	peerAddr = netip.MustParseAddr("10.0.0.2")
)

const (
	// peerISN lies before the wrap, which the first text crosses.
	peerISN = seqnum.Value(1<<32 - 15)
	// bufferSize is the host's receive buffer, and so its window: it is filled
	// by three segments, and needs no scaling.
	bufferSize = 4000
	// earlier is how much the peer sent, and the host's user read, before the
	// event: text that can be sent again.
	earlier = 20
	// peerWindow is the largest window that the peer offers, MAX.SND.WND.
	peerWindow = 65535
)

// trial is one run of a cell: an engine, the packets of its peer, and what
// happened since the last mark.
type trial struct {
	testing.TB
	e     *engine.Engine
	now   tcp.Time
	state string          // short name of the state to begin in
	words []string        // of the variant
	asked map[string]bool // words that mattered
	long  bool            // began with a connection: LISTEN afterwards means CLOSED

	listener *engine.Listener
	conn     *engine.Conn
	unread   seqnum.Value // what the user reads next
	pending  bool         // a call waits
	woken    bool         // and was told to look again

	peer   peer
	before peer // as it was at the mark
	child  wire.FourTuple
	in     wire.Segment // the last segment that the host got
	got    bool         // there is one since the mark
	sent   []wire.Segment
	rules  [tcp.NumRules]int
	timers map[tcp.Timer]int
	path   []string // states gone through
	cwnd   int      // as it was at the mark

	result string // what the call returned
	absent bool   // the event was shown not to exist
	after  func() // what is to be looked at afterwards

	out    wire.Batch
	blocks []*block.Block
}

// peer is the other end: the variables of RFC 9293, Section 3.3.1, as one can
// know them who sees the wire.
type peer struct {
	tuple      wire.FourTuple // as the host sees it
	seq        seqnum.Value   // the host's RCV.NXT
	iss        seqnum.Value   // the host's
	una, nxt   seqnum.Value   // the host's SND.UNA and SND.NXT
	edge       seqnum.Value   // the right edge of the host's window
	synSeen    bool           // the host's SYN
	synAckSeen bool
	window     uint16
	timestamps bool
	tsval      uint32 // 0: by the clock
	tsecr      uint32 // TSval of the last segment seen
}

func newTrial(t testing.TB, state string, words []string) *trial {
	x := &trial{TB: t, state: state, words: words, now: tcp.Time(time.Hour), unread: peerISN + 1, timers: make(map[tcp.Timer]int)}
	x.asked = make(map[string]bool)
	cfg := engine.Config{TimeWaitReset: x.has("rfc9293")}
	if x.has("cookie") {
		cfg.SynBacklog = 1
	}
	cfg.TCP.Trace = x.trace
	x.e = engine.New(cfg)
	err := x.e.AddInterface(engine.Interface{MTU: 1500, Prefixes: []netip.Prefix{netip.PrefixFrom(hostAddr, 24)}})
	if err != nil {
		t.Fatal(err)
	}
	x.peer = peer{seq: peerISN, window: peerWindow, timestamps: !x.has("no-ts")}
	// Until the host sends a SYN there are no numbers of its own: any will do.
	x.peer.una, x.peer.nxt = 5000, 5001
	x.setTuple(80, 5000)
	return x
}

func (t *trial) setTuple(hostPort, peerPort uint16) {
	t.peer.tuple = wire.Tuple(netip.AddrPortFrom(hostAddr, hostPort), netip.AddrPortFrom(peerAddr, peerPort))
}

// away turns from the listener's child to the listener: what becomes of it is
// asked for.
func (t *trial) away() {
	t.child = t.peer.tuple
	t.setTuple(80, 5001)
}

// has reports whether the variant is described by the word.
func (t *trial) has(word string) bool {
	t.asked[word] = true
	return slices.Contains(t.words, word)
}

// meaningless returns a word of the variant that nothing asked for and that is
// not the opposite of one.
func (t *trial) meaningless() string {
	for _, word := range t.words {
		if !t.asked[word] && !slices.Contains([]string{"ended", "active", "both", "idle"}, word) {
			return word
		}
	}
	return ""
}

// begins reports whether the trial began in one of the states.
func (t *trial) begins(states ...string) bool { return slices.Contains(states, t.state) }

// trace notes events, and that every transition is one of RFC 9293, Figure 5.
func (t *trial) trace(e *tcp.Event) {
	switch e.Kind {
	case tcp.EventRule:
		t.rules[e.Rule]++
	case tcp.EventTimer:
		t.timers[e.Timer]++
	case tcp.EventState:
		if !tcp.Legal(e.From, e.To) {
			t.Errorf("transition %v to %v", e.From, e.To)
		}
		if len(t.path) == 0 {
			t.path = append(t.path, short(e.From))
		}
		t.path = append(t.path, short(e.To))
	}
}

// mark forgets what happened: what follows is the event.
func (t *trial) mark() {
	t.before, t.sent, t.path = t.peer, nil, nil
	if t.conn != nil {
		t.cwnd = t.conn.Info(t.now).SndCwnd
	}
	t.in, t.got = wire.Segment{}, false
	t.rules = [tcp.NumRules]int{}
	clear(t.timers)
	t.woken = false
	t.pending = t.conn != nil && t.conn.Await(t.waitsFor())
}

// waitsFor is what a pending call of the user's waits for: to be connected, to
// write, or to read.
func (t *trial) waitsFor() tcp.Ready {
	if t.has("writer") {
		return tcp.Writable
	}
	if t.begins("SS", "SR") {
		return tcp.Connected
	}
	return tcp.Readable
}

// Wake implements engine.Waker.
func (t *trial) Wake(tcp.Ready) { t.woken = true }

// options returns the options of the host's connections.
func (t *trial) options() tcp.Options {
	o := tcp.Options{RecvBuffer: bufferSize, NoDelay: true}
	o.KeepAlive = t.has("keep-alive")
	o.KeepIdle, o.KeepInterval, o.KeepCount = time.Hour, time.Minute, 3
	return o
}

// setOptions changes the options of the connection.
func (t *trial) setOptions(change func(*tcp.Options)) {
	o := t.conn.Options()
	change(&o)
	t.conn.SetOptions(t.now, o)
	t.collect()
}

// send lets the host have a segment with the flags at the offset from its
// RCV.NXT, with n bytes of text. What it sends is collected.
func (t *trial) send(flags wire.Flags, offset int, ack seqnum.Value, n int) {
	t.Helper()
	var s wire.Segment
	s.Flags, s.Seq, s.Window = flags, t.peer.seq.Add(seqnum.Size(offset)), t.peer.window
	if flags.Has(wire.ACK) {
		s.Ack = ack
	}
	if flags.Has(wire.URG) {
		s.Urgent = 5
	}
	if n > 0 {
		first := s.Seq
		if flags.Has(wire.SYN) {
			first = first.Add(1)
		}
		s.Append(block.Chunk{Data: text(first, n)})
	}
	if flags.Has(wire.SYN) {
		s.Options.MSS, s.Options.SACKPermitted = 1460, true
	}
	if t.peer.timestamps && !flags.Has(wire.RST) {
		s.Options.HasTS, s.Options.TSVal, s.Options.TSEcr = true, t.tsval(), t.peer.tsecr
	}
	t.input(&s)
}

func (t *trial) tsval() uint32 {
	if t.peer.tsval != 0 {
		return t.peer.tsval
	}
	return uint32(time.Duration(t.now) / time.Millisecond)
}

// window is the host's RCV.WND, where it has one; else a number like it.
func (t *trial) window() int {
	if !t.peer.synAckSeen && !t.peer.synSeen || t.begins("SS") {
		return bufferSize
	}
	return t.peer.edge.Diff(t.peer.seq)
}

// text is what the peer sends: the bytes tell their sequence numbers.
func text(seq seqnum.Value, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		v := uint32(seq) + uint32(i)
		b[i] = byte(v ^ v>>8)
	}
	return b
}

// input puts a segment of the peer's on the wire. A RST must not draw one.
func (t *trial) input(s *wire.Segment) {
	t.Helper()
	t.in, t.got = *s, true
	var p wire.Packet
	p.BuildTCP(t.peer.tuple.Reverse(), s, 0)
	p.FinishChecksum()
	seen := len(t.sent)
	t.packet(p.AppendTo(nil))
	for _, out := range t.sent[seen:] {
		if s.Flags.Has(wire.RST) && out.Flags.Has(wire.RST) {
			t.Errorf("a RST is answered by a RST")
		}
	}
}

// packet gives the engine a packet, as a device would. The block is watched.
func (t *trial) packet(b []byte) {
	t.Helper()
	k := block.Get(len(b))
	k.Ref()
	t.blocks = append(t.blocks, k)
	var p wire.Packet
	p.SetChunk(block.Chunk{Block: k, Data: k.Bytes()[:copy(k.Bytes(), b)]})
	t.e.Input(t.now, &p)
	p.Release()
	t.collect()
}

// collect takes what the engine sends, and learns from it what a peer can.
func (t *trial) collect() {
	t.Helper()
	for more := true; more; {
		more = t.e.Output(t.now, &t.out)
		for i := range t.out.Packets {
			p := &t.out.Packets[i]
			p.FinishChecksum()
			t.learn(t.parse(p.AppendTo(nil)))
		}
		t.out.Release()
	}
}

// parse reads a packet of the host's, which must be one to the peer.
func (t *trial) parse(b []byte) (s wire.Segment) {
	t.Helper()
	var p wire.Packet
	var ip wire.IP
	p.SetBytes(b)
	if d := p.ParseIP(&ip); d != wire.DropNone {
		t.Fatalf("ParseIP of a packet sent: %v", d)
	}
	if d := p.ParseTCP(&ip, &s); d != wire.DropNone {
		t.Fatalf("ParseTCP of a packet sent: %v", d)
	}
	got := wire.FourTuple{LocalAddr: ip.Src, LocalPort: s.SrcPort, RemoteAddr: ip.Dst, RemotePort: s.DstPort}
	if got != t.peer.tuple && got != t.child {
		t.Errorf("segment of %v sent, want %v", got, t.peer.tuple)
	}
	return s
}

func (t *trial) learn(s wire.Segment) {
	t.sent = append(t.sent, s)
	p := &t.peer
	switch {
	case s.Flags.Has(wire.RST):
		return
	case s.Flags.Has(wire.SYN):
		p.iss, p.una, p.nxt, p.synSeen = s.Seq, s.Seq, s.Seq.Add(1), true
		if s.Flags.Has(wire.ACK) {
			p.synAckSeen, p.edge = true, s.Ack.Add(seqnum.Size(s.Window))
		}
	case s.Len() > 0:
		p.nxt = seqnum.Max(p.nxt, s.End())
	}
	if s.Flags.Has(wire.ACK) {
		p.edge = seqnum.Max(p.edge, s.Ack.Add(seqnum.Size(s.Window)))
	}
	if s.Options.HasTS {
		p.tsecr = s.Options.TSVal
	} else if p.timestamps && !s.Flags.Has(wire.SYN) {
		t.Errorf("segment without the timestamps option: %v", s.Flags)
	}
}

// step goes to the next moment at which the engine wants to be called.
func (t *trial) step() bool {
	next := t.e.NextTimeout()
	if next == 0 {
		return false
	}
	t.now = max(t.now, next)
	t.e.Advance(t.now)
	t.collect()
	return true
}

// until lets time pass, and the peer say nothing, until one of the rules
// decides something; the mark is at that moment.
func (t *trial) until(rules ...tcp.Rule) {
	t.Helper()
	for range 1000 {
		t.mark()
		if !t.step() {
			break
		}
		if t.reached(rules) {
			return
		}
	}
	t.Fatalf("in %v: no rule of %v was reached", t.next(), rules)
}

func (t *trial) reached(rules []tcp.Rule) bool {
	return slices.ContainsFunc(rules, func(r tcp.Rule) bool { return t.rules[r] > 0 })
}

// noTimer is for what is not the whole of a timer's work.
const noTimer = tcp.Timer(255)

// never asserts that a timer cannot run in the state: while it lasts, and for
// ten hours at most, the timer does not fire and none of its rules decides
// anything.
func (t *trial) never(timer tcp.Timer, rules ...tcp.Rule) {
	t.Helper()
	t.absent = true
	t.mark()
	end := t.now.Add(10 * time.Hour)
	for range 5000 {
		state := t.next()
		next := t.e.NextTimeout()
		if state != t.state || next == 0 || next > end {
			return
		}
		t.mark()
		t.step()
		if t.reached(rules) || t.timers[timer] > 0 {
			t.Errorf("after %v in %v: %v fired, rules %v", t.now.Sub(end)+10*time.Hour, state, timer, rules)
			return
		}
	}
	t.Errorf("%v goes on and on", t.state)
}

// wait lets time pass.
func (t *trial) wait(d time.Duration) {
	end := t.now.Add(d)
	for next := t.e.NextTimeout(); next.Due(end); next = t.e.NextTimeout() {
		t.step()
	}
	t.now = end
}

// next returns the state, by its short name.
func (t *trial) next() string {
	s := t.e.StateOf(t.peer.tuple)
	if t.long && s == tcp.StateListen {
		s = tcp.StateClosed // the connection is; its port still listens
	}
	if t.conn != nil && s != tcp.StateSynReceived && t.conn.State() != s {
		t.Errorf("State() = %v, but StateOf = %v", t.conn.State(), s)
	}
	return short(s)
}

var shortNames = [...]string{"CL", "LI", "SS", "SR", "ES", "F1", "F2", "CW", "CG", "LA", "TW"}

func short(s tcp.State) string { return shortNames[s] }

// finish gives everything back and asserts that no block is kept.
func (t *trial) finish() {
	t.Helper()
	if t.conn != nil {
		t.conn.Abort(t.now)
	}
	if t.listener != nil {
		t.listener.Close(t.now)
	}
	t.collect()
	for i, k := range t.blocks {
		if k.Shared() {
			t.Errorf("packet %d of %d is still referenced", i+1, len(t.blocks))
		}
		k.Release()
	}
}
