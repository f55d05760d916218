package tcp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// The initial sequence numbers of all driver tests lie just before the wrap,
// so that every test crosses it (RFC 9293, Section 3.4).
const (
	testISS = seqnum.Value(0xffff_fff0)
	testIRS = seqnum.Value(0xffff_ff60)
)

var testTuple = wire.FourTuple{
	LocalAddr: wire.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 1}, LocalPort: 1000,
	RemoteAddr: wire.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 2}, RemotePort: 80,
}

// driver drives one Conn as its peer, its user and its clock.
type driver struct {
	t     *testing.T
	now   Time
	cfg   *Config
	open  Open
	c     Conn
	batch Batch
	sent  []string     // what Output made and want has not taken
	last  wire.Segment // the last one, without its payload
	trace []string
}

// newDriver returns a driver with a connection that is not opened yet.
// Timestamps, window scaling and SACK are off unless the test turns them on:
// most rules have nothing to do with them.
func newDriver(t *testing.T, mod ...func(*driver)) *driver {
	d := &driver{t: t, now: Time(time.Second)}
	d.cfg = noteConfig(NewConfig(Config{NoTimestamps: true, NoWindowScale: true, NoSACK: true, Congestion: CongestionReno}))
	d.open = Open{Tuple: testTuple, ISS: testISS, Path: Path{MTU: 1040}, Options: Options{NoDelay: true}}
	for _, m := range mod {
		m(d)
	}
	d.cfg.Trace = func(e *Event) {
		switch e.Kind {
		case EventState:
			d.trace = append(d.trace, fmt.Sprintf("%v>%v", e.From, e.To))
		case EventRule:
			d.trace = append(d.trace, e.Rule.String())
		}
	}
	return d
}

func withOptions(o Options) func(*driver) { return func(d *driver) { d.open.Options = o } }

func withConfig(f func(*Config)) func(*driver) { return func(d *driver) { f(d.cfg) } }

// withAllOptions turns timestamps, window scaling and SACK on.
func withAllOptions(d *driver) {
	d.cfg.NoTimestamps, d.cfg.NoWindowScale, d.cfg.NoSACK = false, false, false
}

// seg is a segment from the peer: sequence numbers relative to its ISN, ACKs
// relative to ours.
type seg struct {
	f        wire.Flags
	seq, ack int
	n        int
	win      int // 0: 65535; negative: 0
	opt      wire.Options
	count    int
	tos      uint8
	text     string // instead of n bytes of the pattern
}

// in delivers a segment and lets the connection answer.
func (d *driver) in(s seg) {
	d.t.Helper()
	d.input(s)
	d.output()
}

// input delivers a segment without letting the connection answer.
func (d *driver) input(s seg) {
	w := wire.Segment{
		SrcPort: 80, DstPort: 1000,
		Seq: testIRS + seqnum.Value(s.seq), Flags: s.f, Window: 65535, Options: s.opt, Count: max(s.count, 1), TOS: s.tos,
	}
	if s.f.Has(wire.ACK) {
		w.Ack = testISS + seqnum.Value(s.ack)
	}
	if s.win != 0 {
		w.Window = uint16(max(s.win, 0))
	}
	text := []byte(s.text)
	if s.n > 0 {
		text = pattern(s.seq, s.n)
	}
	if len(text) > 0 {
		w.Append(block.Chunk{Data: text})
	}
	if s.count > 1 {
		w.SegSize = (len(text) + s.count - 1) / s.count
	}
	d.c.Input(d.now, &w)
}

// pattern returns n bytes of a stream of which each position is known.
func pattern(at, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((at + i) * 7 >> 1)
	}
	return p
}

// output collects what the connection sends.
func (d *driver) output() {
	d.batch.Reset()
	has := d.c.HasOutput()
	d.c.Output(d.now, &d.batch)
	if n := len(d.batch.Segments); n > 0 && !has {
		d.t.Fatalf("HasOutput = false, but Output made %d segments", n)
	}
	for i := range d.batch.Segments {
		d.sent = append(d.sent, d.format(&d.batch.Segments[i]))
		d.last = d.batch.Segments[i]
		d.last.Payload = nil
	}
}

// format renders a segment: relative numbers, packetdrill's letters.
func (d *driver) format(s *wire.Segment) string {
	seq := s.Seq - testISS
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d:%d(%d)", letters(s.Flags), int32(seq), int32(seq)+int32(s.PayloadLen), s.PayloadLen)
	if s.Flags.Has(wire.ACK) {
		fmt.Fprintf(&b, " ack %d", int32(s.Ack-testIRS))
	}
	if !s.Flags.Has(wire.RST) {
		fmt.Fprintf(&b, " win %d", s.Window)
	}
	for _, k := range s.Options.SACK[:s.Options.NumSACK] {
		fmt.Fprintf(&b, " sack %d:%d", int32(k.Left-testIRS), int32(k.Right-testIRS))
	}
	return b.String()
}

func letters(f wire.Flags) string {
	s := ""
	for _, l := range []struct {
		f wire.Flags
		c string
	}{{wire.SYN, "S"}, {wire.FIN, "F"}, {wire.RST, "R"}, {wire.PSH, "P"}, {wire.ECE, "E"}, {wire.CWR, "W"}, {wire.URG, "U"}, {wire.ACK, "."}} {
		if f.Has(l.f) {
			s += l.c
		}
	}
	return s
}

// want asserts that exactly these segments were sent since the last call. A
// pattern may leave out what follows, beginning with " win".
func (d *driver) want(segs ...string) {
	d.t.Helper()
	ok := len(segs) == len(d.sent)
	for i := 0; ok && i < len(segs); i++ {
		ok = d.sent[i] == segs[i] || strings.HasPrefix(d.sent[i], segs[i]+" win")
	}
	if !ok {
		d.t.Fatalf("at %v in %v: sent\n\t%s\nwant\n\t%s\ntrace %v", time.Duration(d.now), d.c.State(),
			strings.Join(d.sent, "\n\t"), strings.Join(segs, "\n\t"), d.trace)
	}
	d.sent = d.sent[:0]
}

func (d *driver) wantState(s State) {
	d.t.Helper()
	if d.c.State() != s {
		d.t.Fatalf("at %v: state %v, want %v; trace %v", time.Duration(d.now), d.c.State(), s, d.trace)
	}
}

// wantRule asserts that a rule decided something since the last call.
func (d *driver) wantRule(r Rule) {
	d.t.Helper()
	for _, s := range d.trace {
		if s == r.String() {
			d.trace = d.trace[:0]
			return
		}
	}
	d.t.Fatalf("rule %v was not reached; trace %v", r, d.trace)
}

// advance moves the clock, firing timers at their times.
func (d *driver) advance(dur time.Duration) {
	end := d.now.Add(dur)
	for {
		next := d.c.NextTimeout()
		if next == 0 || next > end {
			break
		}
		d.now = max(d.now, next)
		d.c.Advance(d.now)
		d.output()
	}
	d.now = end
}

// wantTimeout asserts when the next timer fires, from now.
func (d *driver) wantTimeout(want time.Duration) {
	d.t.Helper()
	if next := d.c.NextTimeout(); next == 0 || next.Sub(d.now) != want {
		d.t.Fatalf("next timeout in %v (set: %v), want %v", next.Sub(d.now), next != 0, want)
	}
}

func (d *driver) write(n int) {
	d.t.Helper()
	if m, err := d.c.Write(d.now, pattern(0, n)); m != n || err != nil {
		d.t.Fatalf("Write(%d bytes) = %v, %v", n, m, err)
	}
	d.output()
}

// read reads up to n bytes and asserts that they are the peer's stream from
// position at on.
func (d *driver) read(at, n int) {
	d.t.Helper()
	p := make([]byte, n)
	m, err := d.c.Read(d.now, p)
	if m != n || err != nil || string(p) != string(pattern(at, n)) {
		d.t.Fatalf("Read(%d bytes) = %v, %v; stream right: %v", n, m, err, string(p[:m]) == string(pattern(at, m)))
	}
	d.output()
}

func (d *driver) wantRead(wantN int, wantErr error) {
	d.t.Helper()
	n, err := d.c.Read(d.now, make([]byte, 10))
	if n != wantN || err != wantErr {
		d.t.Fatalf("Read = %v, %v, want %v, %v", n, err, wantN, wantErr)
	}
}

func (d *driver) wantWrite(wantErr error) {
	d.t.Helper()
	if n, err := d.c.Write(d.now, []byte("x")); n != 0 || err != wantErr {
		d.t.Fatalf("Write = %v, %v, want 0, %v", n, err, wantErr)
	}
}

// setOptions changes the options and lets the connection send.
func (d *driver) setOptions(f func(*Options)) {
	o := d.c.Options()
	f(&o)
	d.c.SetOptions(d.now, o)
	d.output()
}

// stamp is the timestamps option of a segment sent now, when the peer's clock
// stood at 100 as the connection began.
func (d *driver) stamp() wire.Options {
	return wire.Options{HasTS: true, TSVal: TSVal(d.now, 0) - 910, TSEcr: d.last.Options.TSVal}
}

// dial opens actively: the SYN is sent.
func (d *driver) dial() {
	d.t.Helper()
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want("S 0:0(0)")
}

// connect opens actively, MSS 1000, and completes the handshake 10 ms later.
func (d *driver) connect() *driver {
	d.t.Helper()
	return d.connectAfter(10 * time.Millisecond)
}

func (d *driver) connectAfter(rtt time.Duration) *driver {
	d.t.Helper()
	d.dial()
	d.now = d.now.Add(rtt)
	o := wire.Options{MSS: 1000}
	if !d.cfg.NoTimestamps {
		o.HasTS, o.TSVal, o.TSEcr = true, 100, TSVal(d.now, 0)-10
	}
	if !d.cfg.NoWindowScale {
		o.HasWScale, o.WScale = true, 7
	}
	o.SACKPermitted = !d.cfg.NoSACK
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: o})
	d.want(". 1:1(0) ack 1")
	d.wantState(StateEstablished)
	d.trace = d.trace[:0]
	return d
}

// accept opens passively, MSS 1000: a listener sent SYN,ACK 10 ms ago, and the
// ACK that completes the handshake is to come.
func (d *driver) accept(mod ...func(*Handshake)) *driver {
	h := &Handshake{Open: d.open, IRS: testIRS, Peer: wire.Options{MSS: 1000}, Window: 65535}
	_, h.RcvWScale, h.RcvWindow = SynAckOptions(d.now, d.cfg, h)
	h.SentAt = d.now
	for _, m := range mod {
		m(h)
	}
	d.now = d.now.Add(10 * time.Millisecond)
	d.c.Accept(d.now, d.cfg, h)
	return d
}

// noQuickAck uses up the quick ACKs of a new connection.
func (d *driver) noQuickAck() *driver { d.c.rcv.quick = 0; return d }

// ackOf is an empty ACK as want takes it.
func ackOf(seq, ack int) string { return fmt.Sprintf(". %d:%d(0) ack %d", seq, seq, ack) }

// ours is a sequence number of ours, relative to the initial one.
func ours(n int64) seqnum.Value { return testISS + seqnum.Value(n) }

// theirs is a sequence number of the peer's, relative to the initial one.
func theirs(n int) seqnum.Value { return testIRS + seqnum.Value(n) }

// chunkOf is payload in lent memory.
func chunkOf(p []byte) block.Chunk { return block.Chunk{Data: p} }
