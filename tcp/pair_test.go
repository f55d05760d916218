package tcp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// network says what the path between the two connections of a pair does.
type network struct {
	delay            time.Duration
	jitter           time.Duration // up to that much more: segments overtake
	loss, duplicates float64
	cut              bool // super-segments arrive as their segments
}

// pair is two connections joined by a small event loop. A seed decides
// everything that is left to chance.
type pair struct {
	t        testing.TB
	now      Time
	rng      *rand.Rand
	net      network
	ends     [2]*end
	inFlight []flying // in order of arrival
	manual   bool     // segments wait in held until the test delivers them
	held     [2][]*wire.Segment
	refuses  int  // of so many batches the link takes only a part of one; 0: of none
	forged   bool // a segment that neither end sent was delivered
	batch    Batch
	blocks   blockCheck
	log      []string
}

// flying is a segment on its way.
type flying struct {
	at  Time
	to  int
	seg *wire.Segment
}

// end is one connection with its user, who writes one known stream and reads
// another.
type end struct {
	c       Conn
	cfg     *Config
	open    Open
	half    Handshake // of an end that listens
	started bool      // Dial or Accept was called

	toSend, sent, got int
	chunk             int           // bytes per Write and Read
	slow              time.Duration // between two reads; 0: reads at once
	nextRead          Time
	closed, eof       bool
	pace              bool  // one Write per step
	keepOpen          bool  // never closes by itself
	err               error // the first error that was not EAGAIN or EOF
	edge              seqnum.Value
	buffer            int // the largest receive buffer there was
}

// stream is what an end of the pair sends: each position is known.
func stream(who, at, n int) []byte {
	p := pattern(at, n)
	for i := range p {
		p[i] ^= byte(who*0x5a) + byte((at+i)>>9)
	}
	return p
}

// newPair returns two ends, of which the first dials and the second listens.
func newPair(t testing.TB, seed uint64, net network) *pair {
	p := &pair{t: t, now: Time(time.Second), rng: rand.New(rand.NewPCG(seed, 1)), net: net}
	tuple := testTuple
	for i := range p.ends {
		e := &end{cfg: NewConfig(Config{}), chunk: 3000}
		e.cfg.Trace = p.tracer(i)
		e.open = Open{
			Tuple: tuple, ISS: testISS - seqnum.Value(i*500), TSOffset: 0xffff_ff00,
			Path: Path{MTU: 1500},
		}
		p.ends[i] = e
		tuple.LocalAddr, tuple.RemoteAddr = tuple.RemoteAddr, tuple.LocalAddr
		tuple.LocalPort, tuple.RemotePort = tuple.RemotePort, tuple.LocalPort
	}
	return p
}

// dial opens the end actively.
func (p *pair) dial(e *end) {
	e.c.Dial(p.now, e.cfg, &e.open)
	e.started = true
}

// tracer keeps what happened last, for the message of a failure.
func (p *pair) tracer(i int) func(*Event) {
	return func(e *Event) {
		var what any
		switch e.Kind {
		case EventRule:
			what = e.Rule
		case EventState:
			what = fmt.Sprintf("%v > %v", e.From, e.To)
		case EventTimer:
			what = e.Timer
		case EventCall:
			what = fmt.Sprintf("%s %d %v", e.Call, e.N, e.Err)
		case EventSend, EventReceive:
			s := e.Segment
			what = fmt.Sprintf("%s %d+%d ack %d win %d", letters(s.Flags), s.Seq, s.PayloadLen, s.Ack, s.Window)
		}
		if len(p.log) >= 400 {
			p.log = append(p.log[:0], p.log[200:]...)
		}
		p.log = append(p.log, fmt.Sprintf("%v end %d %v %v", time.Duration(p.now), i, e.Kind, what))
	}
}

func (p *pair) fatalf(format string, args ...any) {
	p.t.Helper()
	for _, s := range p.log[max(0, len(p.log)-80):] {
		p.t.Log(s)
	}
	for i, e := range p.ends {
		p.t.Logf("end %d: %v, sent %d of %d, got %d, closed %v, eof %v, err %v, timers %v", i, e.c.State(),
			e.sent, e.toSend, e.got, e.closed, e.eof, e.err, e.c.timers)
	}
	p.t.Fatalf("at %v: "+format, append([]any{time.Duration(p.now)}, args...)...)
}

// deliver hands a segment to an end: to its connection, to its listener, or,
// when there is neither, to what answers for closed ports.
func (p *pair) deliver(to int, seg *wire.Segment) {
	e := p.ends[to]
	switch {
	case e.started && e.c.State() != StateClosed:
		e.c.Input(p.now, seg)
	case !e.started && p.acceptFast(e, seg):
	case !e.started && p.listen(to, seg):
		e.c.Input(p.now, seg)
	case e.started || seg.Flags.Has(wire.ACK):
		var r wire.Segment
		if ResetFor(seg, &r) {
			p.transmit(to, &r)
		}
	}
	p.check(e)
}

// acceptFast is what a listener does that takes part in Fast Open, with a SYN that has
// a cookie.
func (p *pair) acceptFast(e *end, seg *wire.Segment) bool {
	h := &e.half
	if seg.Flags&(wire.SYN|wire.ACK|wire.RST|wire.FIN) != wire.SYN || seg.Options.FastOpen.Len == 0 || h.SentAt != 0 {
		return false
	}
	h.Open, h.IRS, h.Peer, h.Window = e.open, seg.Seq, seg.Options, seg.Window
	e.c.AcceptFast(p.now, e.cfg, h, seg, wire.FastOpen{})
	e.started = true
	return true
}

// listen is what a listener does: it keeps a Handshake, answers each SYN, and
// calls Accept for the segment after that, which it reports.
func (p *pair) listen(i int, seg *wire.Segment) bool {
	e, h := p.ends[i], &p.ends[i].half
	switch {
	case seg.Flags&(wire.SYN|wire.ACK|wire.RST) == wire.SYN:
		if h.SentAt != 0 {
			h.Retransmits++
		} else {
			h.SentAt = p.now
		}
		h.Open, h.IRS, h.Peer, h.Window = e.open, seg.Seq, seg.Options, seg.Window
		a := wire.Segment{Seq: h.ISS, Ack: h.IRS.Add(1), Flags: wire.SYN | wire.ACK, Count: 1}
		a.Options, h.RcvWScale, h.RcvWindow = SynAckOptions(p.now, e.cfg, h)
		a.Window = h.RcvWindow
		p.transmit(i, &a)
	case seg.Flags.Has(wire.ACK) && seg.Ack == h.ISS.Add(1) && h.SentAt != 0:
		e.c.Accept(p.now, e.cfg, h)
		e.started = true
		return true
	}
	return false
}

// transmit puts a segment on the wire: whole, or as its segments.
func (p *pair) transmit(from int, seg *wire.Segment) {
	for at := 0; ; {
		piece := clonePiece(seg, &at, p.net.cut, &p.blocks)
		if p.manual {
			p.held[1-from] = append(p.held[1-from], piece)
			if at >= seg.PayloadLen {
				return
			}
			continue
		}
		copies := 1
		if p.rng.Float64() < p.net.duplicates {
			copies = 2
		}
		for range copies {
			if p.rng.Float64() >= p.net.loss {
				d := p.net.delay
				if p.net.jitter > 0 {
					d += time.Duration(p.rng.Int64N(int64(p.net.jitter)))
				}
				p.enqueue(flying{p.now.Add(d), 1 - from, piece})
			}
		}
		if at >= seg.PayloadLen {
			return
		}
	}
}

func (p *pair) enqueue(f flying) {
	i := len(p.inFlight)
	for i > 0 && p.inFlight[i-1].at > f.at {
		i--
	}
	p.inFlight = append(p.inFlight, flying{})
	copy(p.inFlight[i+1:], p.inFlight[i:])
	p.inFlight[i] = f
}

// clonePiece returns a copy of the part of seg that begins at byte at, in a
// block of its own, and moves at behind it.
func clonePiece(seg *wire.Segment, at *int, cut bool, blocks *blockCheck) *wire.Segment {
	n := seg.PayloadLen - *at
	if cut && seg.SegSize > 0 {
		n = min(n, seg.SegSize)
	}
	c := *seg
	c.Payload, c.PayloadLen = nil, 0
	c.Seq = seg.Seq.Add(seqnum.Size(*at))
	if n < seg.PayloadLen {
		c.SegSize, c.Count = 0, 1
	}
	if *at+n < seg.PayloadLen {
		c.Flags &^= wire.PSH | wire.FIN
	}
	if n > 0 {
		b := block.Get(n)
		blocks.note(b)
		skip, m := *at, 0
		for _, d := range seg.Payload {
			m += copy(b.Bytes()[m:n], d.Data[min(skip, len(d.Data)):])
			skip = max(0, skip-len(d.Data))
		}
		k := n / 3 // two chunks, of which the first may be empty
		c.Append(block.Chunk{Block: b, Data: b.Bytes()[:k:k]})
		c.Append(block.Chunk{Block: b, Data: b.Bytes()[k:n:n]})
		b.Release() // the check has a reference, for as long as the test runs
	}
	*at += n
	return &c
}

// blockCheck holds a reference to every block it was shown. At the end it must
// be the only one.
type blockCheck struct{ seen map[*block.Block]bool }

func (k *blockCheck) note(b *block.Block) {
	if b == nil || k.seen[b] {
		return
	}
	if k.seen == nil {
		k.seen = make(map[*block.Block]bool)
	}
	k.seen[b] = true
	b.Ref()
}

// noteConn looks for blocks in the buffers of c.
func (k *blockCheck) noteConn(c *Conn) {
	k.noteQueue(&c.sndbuf.chunkQueue)
	k.noteQueue(&c.rcvbuf.chunkQueue)
	if c.ooo != nil {
		for i := range c.ooo.ranges {
			k.noteQueue(&c.ooo.ranges[i].data.chunkQueue)
		}
	}
}

func (k *blockCheck) noteQueue(q *chunkQueue) {
	if q.empty() {
		return
	}
	for _, c := range q.chunks[q.head:] {
		k.note(c.Block)
	}
}

// leaked returns how many blocks somebody else has a reference to.
func (k *blockCheck) leaked() int {
	n := 0
	for b := range k.seen {
		if b.Shared() {
			n++
		}
	}
	return n
}

// check asserts what must hold of a connection at any time.
func (p *pair) check(e *end) {
	c := &e.c
	if !e.started {
		return
	}
	p.blocks.noteConn(c)
	if err := invariants(c); err != nil {
		p.fatalf("end %v: %v", c.id.LocalPort, err)
	}
	e.buffer = max(e.buffer, int(c.rcv.space))
	if c.rcvmem != nil {
		// A segment over the buffer in each of the two queues.
		if n := c.memoryHeld(); n > e.buffer+2*blocks(0xffff, 0xffff/minSndMSS) {
			p.fatalf("%d bytes of memory in a receive buffer of %d", n, e.buffer)
		}
	} else if n := c.rcvbuf.size; n > e.buffer+e.buffer/8+(1+e.buffer/int(c.rcv.advMSS))<<c.rcv.shift {
		p.fatalf("%d bytes in a receive buffer of %d", n, e.buffer)
	}
	if c.state.Synchronized() && c.rcv.adv.Less(e.edge) && e.edge != 0 {
		p.fatalf("right edge moved left from %d to %d", e.edge, c.rcv.adv)
	}
	if c.state.Synchronized() {
		e.edge = c.rcv.adv
	}
}

// invariants says what is wrong with a connection, whatever happened to it.
func invariants(c *Conn) error {
	switch {
	case c.snd.nxt.Less(c.snd.una):
		return fmt.Errorf("SND.UNA %d > SND.NXT %d", c.snd.una, c.snd.nxt)
	case c.state > StateSynSent && c.rcv.adv.Less(c.rcv.nxt):
		return fmt.Errorf("RCV.NXT %d is beyond the window's edge %d", c.rcv.nxt, c.rcv.adv)
	case c.dead() && c.NextTimeout() != 0:
		return fmt.Errorf("timers %v are armed in %v", c.timers, c.state)
	case lossTimers(c) > 1:
		return fmt.Errorf("timers %v: more than one for what is outstanding", c.timers)
	case c.inFlight() < 0:
		return fmt.Errorf("%d bytes in flight, %d outstanding", c.inFlight(), c.outstanding())
	case c.sndbuf.size < 0 || c.rcvbuf.size < 0:
		return fmt.Errorf("buffer sizes %d, %d", c.sndbuf.size, c.rcvbuf.size)
	}
	if c.sent != nil {
		return c.sent.check(c.snd.una, c.snd.nxt)
	}
	return nil
}

// lossTimers counts the timers of RFC 8985, Section 8, that run.
func lossTimers(c *Conn) (n int) {
	for _, t := range []Timer{TimerRetransmit, TimerPersist, TimerReorder, TimerProbe} {
		if c.timerRunning(t) {
			n++
		}
	}
	return n
}

// checkQuiet asserts what must hold once Output had its chance: something will
// happen if anything is owed to the peer or by it.
func (p *pair) checkQuiet(e *end) {
	c := &e.c
	if !e.started || c.dead() {
		return
	}
	waits := (c.state == StateSynSent && !c.waitsForText()) || c.state == StateSynReceived ||
		c.outstanding() > 0 || c.unsent() > 0 || c.finPending()
	if waits && lossTimers(c) == 0 && !c.timerRunning(TimerPacing) {
		p.fatalf("end %v: %v, %d outstanding, %d unsent and no timer: a deadlock", c.id.LocalPort,
			c.state, c.outstanding(), c.unsent())
	}
	if c.timerRunning(TimerPersist) && c.unsent() == 0 && !c.finPending() && c.lostBytes() == 0 {
		p.fatalf("end %v: the persist timer runs for nothing", c.id.LocalPort)
	}
	if c.wants.any() {
		p.fatalf("end %v: wants %+v left after Output", c.id.LocalPort, c.wants)
	}
}

// output lets an end send.
func (p *pair) output(i int) {
	e := p.ends[i]
	if !e.started {
		return
	}
	p.batch.Reset()
	if e.c.HasOutput() { // as an engine asks
		e.c.Output(p.now, &p.batch)
	}
	p.check(e)
	p.checkQuiet(e)
	if len(p.batch.Segments) > 2000 {
		p.fatalf("%d segments at once", len(p.batch.Segments))
	}
	if p.refuses > 0 && len(p.batch.Segments) > 0 && p.rng.IntN(p.refuses) == 0 {
		p.refuse(i)
		return
	}
	for k := range p.batch.Segments {
		p.transmit(i, &p.batch.Segments[k])
	}
}

// refuse has the link of the host take only the first of what is in the batch.
func (p *pair) refuse(i int) {
	var pieces []*wire.Segment
	for k := range p.batch.Segments {
		for at := 0; ; {
			s := &p.batch.Segments[k]
			pieces = append(pieces, clonePiece(s, &at, true, &p.blocks))
			if at >= s.PayloadLen {
				break
			}
		}
	}
	took := p.rng.IntN(len(pieces))
	for _, s := range pieces[:took] {
		p.transmit(i, s)
	}
	for _, s := range slices.Backward(pieces[took:]) {
		if s.Len() > 0 && !s.Flags.Has(wire.SYN) {
			p.ends[i].c.Refused(p.now, s.Seq, s.End())
		}
	}
	p.check(p.ends[i])
}

// use does what the user of an end does: read and write what goes.
func (p *pair) use(i int) {
	e := p.ends[i]
	if !e.started {
		return
	}
	if e.slow == 0 || p.now >= e.nextRead {
		e.nextRead = p.now.Add(e.slow)
		p.read(i, e.chunk)
	}
	for e.sent < e.toSend {
		m, err := e.c.Write(p.now, stream(i, e.sent, min(e.chunk, e.toSend-e.sent)))
		e.sent += m
		if e.note(err) || e.pace {
			break
		}
	}
	if e.sent == e.toSend && !e.closed && !e.keepOpen && e.c.State() != StateSynSent {
		e.closed = true
		e.note(e.c.CloseWrite(p.now))
	}
	p.check(e)
}

// read reads until there is no more, or once when the user is slow.
func (p *pair) read(i, n int) {
	e := p.ends[i]
	buf := make([]byte, n)
	for {
		m, err := e.c.Read(p.now, buf)
		if want := stream(1-i, e.got, m); !p.forged && !bytes.Equal(buf[:m], want) {
			p.fatalf("end %d: bytes %d+%d differ from what was sent", i, e.got, m)
		}
		e.got += m
		e.eof = e.eof || err == io.EOF
		if e.note(err) || m == 0 || e.slow > 0 {
			return
		}
	}
}

// note keeps the first error worth it and reports whether to stop trying.
func (e *end) note(err error) bool {
	if err != nil && err != syscall.EAGAIN && err != io.EOF && e.err == nil {
		e.err = err
	}
	return err != nil
}

// step goes on to the next thing that happens; false when nothing will.
func (p *pair) step() bool {
	for i := range p.ends {
		p.use(i)
		p.output(i)
	}
	var next Time
	for _, e := range p.ends {
		if !e.started {
			continue
		}
		next = Earliest(next, e.c.NextTimeout())
		if e.slow > 0 && (e.c.rcvbuf.size > 0 || (e.c.finRcvd && !e.eof)) {
			next = Earliest(next, e.nextRead)
		}
	}
	if len(p.inFlight) > 0 {
		next = Earliest(next, p.inFlight[0].at)
	}
	if next == 0 {
		return false
	}
	p.now = max(p.now, next)
	for len(p.inFlight) > 0 && p.inFlight[0].at <= p.now {
		f := p.inFlight[0]
		p.inFlight = p.inFlight[1:]
		p.deliver(f.to, f.seg)
	}
	for _, e := range p.ends {
		if e.started {
			e.c.Advance(p.now)
		}
	}
	return true
}

// run goes on until nothing more happens.
func (p *pair) run() {
	p.t.Helper()
	for steps := 0; p.step(); steps++ {
		if steps > 2_000_000 {
			p.fatalf("no end after %d steps", steps)
		}
	}
}

// wantComplete asserts that both streams arrived whole, both ends are closed,
// and no block is left behind.
func (p *pair) wantComplete() {
	p.t.Helper()
	for i, e := range p.ends {
		switch {
		case e.err != nil:
			p.fatalf("end %d: %v", i, e.err)
		case e.got != p.ends[1-i].toSend:
			p.fatalf("end %d got %d bytes of %d", i, e.got, p.ends[1-i].toSend)
		case !e.eof:
			p.fatalf("end %d had no EOF", i)
		case !e.c.dead():
			p.fatalf("end %d is in %v", i, e.c.State())
		}
	}
	p.wantNoLeak()
}

// wantNoLeak asserts that once the connections are given up nobody holds a
// block any more.
func (p *pair) wantNoLeak() {
	p.t.Helper()
	for _, e := range p.ends {
		if e.started {
			e.c.Release()
		}
	}
	if n := p.blocks.leaked(); n > 0 {
		p.fatalf("%d of %d blocks leaked", n, len(p.blocks.seen))
	}
}

// RFC 9293, Section 2.1: a reliable, in-order byte stream in both directions,
// whatever the network does, whatever the sizes are.
func TestTransfer(t *testing.T) {
	cases := []struct {
		name  string
		seeds int
		net   network
		bytes [2]int
		mod   func(p *pair)
	}{
		{name: "plain", seeds: 5, bytes: [2]int{200_000, 100_000}},
		{name: "super-segments", seeds: 5, bytes: [2]int{500_000, 300_000}, mod: super(0xfc00)},
		{name: "super-segments cut", seeds: 5, net: network{cut: true}, bytes: [2]int{500_000, 0}, mod: super(0xfc00)},
		{name: "super-segments, loss", seeds: 30, net: network{loss: 0.05, cut: true}, bytes: [2]int{300_000, 100_000}, mod: super(0xfc00)},
		{name: "loss 1 %", seeds: 40, net: network{loss: 0.01}, bytes: [2]int{100_000, 100_000}},
		{name: "loss 30 %", seeds: 100, net: network{loss: 0.3}, bytes: [2]int{20_000, 20_000}},
		{name: "reordering", seeds: 40, net: network{jitter: 20 * time.Millisecond}, bytes: [2]int{100_000, 50_000}},
		{name: "duplicates", seeds: 40, net: network{duplicates: 0.3}, bytes: [2]int{100_000, 50_000}},
		{
			name: "everything", seeds: 100, bytes: [2]int{30_000, 20_000},
			net: network{loss: 0.1, duplicates: 0.1, jitter: 30 * time.Millisecond},
		},
		{name: "tiny buffers", seeds: 20, net: network{loss: 0.05}, bytes: [2]int{30_000, 30_000}, mod: func(p *pair) {
			for _, e := range p.ends {
				e.open.Options.SendBuffer, e.open.Options.RecvBuffer = 1, 1
			}
		}},
		{name: "slow readers", seeds: 20, net: network{loss: 0.02}, bytes: [2]int{20_000, 20_000}, mod: func(p *pair) {
			for _, e := range p.ends {
				e.open.Options.RecvBuffer, e.slow, e.chunk = 3000, 50*time.Millisecond, 700
			}
		}},
		{name: "very slow reader", seeds: 10, net: network{loss: 0.2}, bytes: [2]int{10_000, 100}, mod: func(p *pair) {
			p.ends[1].open.Options.RecvBuffer, p.ends[1].slow, p.ends[1].chunk = 2304, 9*time.Second, 500
		}},
		{name: "smallest segments", seeds: 20, net: network{loss: 0.05}, bytes: [2]int{10_000, 5_000}, mod: mtu(88, 68)},
		{name: "MTU 128 against 65535", seeds: 20, net: network{loss: 0.02}, bytes: [2]int{20_000, 20_000}, mod: mtu(128, 65535)},
		{name: "one direction", seeds: 20, net: network{loss: 0.1}, bytes: [2]int{0, 50_000}},
		{name: "nothing at all", seeds: 100, net: network{loss: 0.2, jitter: 20 * time.Millisecond}},
		{name: "no options", seeds: 30, net: network{loss: 0.05}, bytes: [2]int{50_000, 50_000}, mod: noOptions(0, 1)},
		{name: "no options at one end", seeds: 30, net: network{loss: 0.05}, bytes: [2]int{50_000, 50_000}, mod: noOptions(1)},
		{name: "a link that is full at times", seeds: 30, bytes: [2]int{300_000, 100_000}, mod: full(0xfc00)},
		{name: "full, loss", seeds: 60, net: network{loss: 0.1, jitter: 20 * time.Millisecond}, bytes: [2]int{30_000, 20_000}, mod: full(0)},
		{name: "full, no options", seeds: 30, net: network{loss: 0.05}, bytes: [2]int{50_000, 50_000}, mod: func(p *pair) {
			full(0)(p)
			noOptions(0, 1)(p)
		}},
		{name: "cork", seeds: 10, net: network{loss: 0.05}, bytes: [2]int{20_000, 20_000}, mod: func(p *pair) {
			p.ends[0].open.Options.Cork = true
		}},
	}
	for _, size := range []int{2304, 20_000, 300_000} {
		for _, shrinks := range []bool{false, true} {
			cases = append(cases, struct {
				name  string
				seeds int
				net   network
				bytes [2]int
				mod   func(p *pair)
			}{
				name: fmt.Sprintf("counted memory %d, shrinks %v", size, shrinks), seeds: 10, bytes: [2]int{60_000, 30_000},
				net: network{loss: 0.05, jitter: 15 * time.Millisecond}, mod: countedMemory(size, shrinks),
			})
		}
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range tt.seeds {
				tt.net.delay = 10 * time.Millisecond
				p := newPair(t, uint64(seed), tt.net)
				if tt.mod != nil {
					tt.mod(p)
				}
				// Enough attempts that only a broken connection gives up.
				for i, e := range p.ends {
					e.toSend = tt.bytes[i]
					e.cfg.Retries, e.cfg.SynRetries = 100, 100
				}
				p.dial(p.ends[0])
				p.run()
				p.wantComplete()
			}
		})
	}
}

// countedMemory makes receive buffers bound memory, of which small writes without
// Nagle's algorithm take up much.
func countedMemory(size int, shrinks bool) func(*pair) {
	return func(p *pair) {
		for i, e := range p.ends {
			e.cfg.SegmentMemory, e.cfg.ShrinkWindow = blocks, shrinks
			e.open.Options.RecvBuffer = size
			e.open.Options.NoDelay, e.chunk, e.pace = true, 300+1700*i, true
		}
		p.ends[0].slow = 20 * time.Millisecond
	}
}

func super(n int) func(*pair) {
	return func(p *pair) {
		for _, e := range p.ends {
			e.open.Path.MaxSuper, e.chunk = n, 100_000
		}
	}
}

// full has the link refuse a part of every fifth batch or so.
func full(n int) func(*pair) {
	return func(p *pair) {
		super(n)(p)
		p.refuses = 5
	}
}

func mtu(a, b int) func(*pair) {
	return func(p *pair) { p.ends[0].open.Path.MTU, p.ends[1].open.Path.MTU = a, b }
}

func noOptions(ends ...int) func(*pair) {
	return func(p *pair) {
		for _, i := range ends {
			e := p.ends[i]
			e.cfg.NoSACK, e.cfg.NoTimestamps, e.cfg.NoWindowScale = true, true, true
		}
	}
}

// RFC 9293, Section 3.5 (SC-2, SC-3): both ends open at once; it is one
// connection, whatever is lost.
func TestTransferAfterSimultaneousOpen(t *testing.T) {
	for seed := range 200 {
		p := newPair(t, uint64(seed), network{delay: 10 * time.Millisecond, loss: 0.2, jitter: 5 * time.Millisecond})
		for i, e := range p.ends {
			// Some close as soon as they can, in SYN-RECEIVED.
			e.toSend = (seed >> i & 1) * 5000
			e.cfg.Retries, e.cfg.SynRetries = 100, 100
			p.dial(e)
		}
		p.run()
		p.wantComplete()
	}
}

// The same calls at the same times give the same segments: a simulation can be
// run again, event by event.
func TestSameSeedSameEvents(t *testing.T) {
	run := func() []string {
		p := newPair(t, 99, network{delay: 10 * time.Millisecond, loss: 0.1, jitter: 20 * time.Millisecond})
		p.ends[0].toSend, p.ends[1].toSend = 30_000, 20_000
		p.dial(p.ends[0])
		p.run()
		p.wantComplete()
		return p.log
	}
	first, second := run(), run()
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("the first time %q, the second %q", first[i], second[i])
		}
	}
}
