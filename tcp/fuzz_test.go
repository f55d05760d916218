package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// schedule is a byte string that tells a pair of connections what to do.
type schedule struct {
	data []byte
}

func (s *schedule) next() int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b)
}

// offset returns a distance, near or far, forward or back.
func (s *schedule) offset() seqnum.Size {
	n := int8(s.next())
	if n&1 != 0 {
		return seqnum.Size(n)
	}
	return seqnum.Size(n) << (s.next() % 25)
}

// FuzzConns runs two connections by a schedule: what is delivered, lost,
// repeated and forged, when time passes and what the users do. The invariants
// hold after every step, the bytes that arrive are those that were sent, and
// in the end both connections are gone with all their memory.
func FuzzConns(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x10\x00\x09\xff\x00\x10\x0a\xff\x0b\x1b\x00\x10\x00\x10"))
	f.Add([]byte{0x40, 0, 0x10, 0, 9, 200, 0x19, 90, 0x04, 5, 2, 7, 0x17, 0, 0x10, 12, 0x1c, 7, 7, 7})
	f.Add([]byte{0x80, 0, 0x10, 0, 9, 255, 14, 0x10, 3, 3, 10, 0, 15, 1, 7, 13})
	f.Add([]byte{0x20, 0x10, 0, 0x10, 0, 9, 255, 9, 255, 4, 0x10, 0x10, 8, 10, 255, 12, 0x1c})
	// With Fast Open: text with the SYN, which is repeated, lost, partly acknowledged.
	f.Add([]byte{0x80, 9, 200, 0x10, 0x19, 90, 0, 0, 0x10, 0, 10, 200, 11, 0x10, 0})
	f.Add([]byte{0x80, 9, 20, 6, 0x16, 0x10, 0x19, 255, 7, 9, 255, 7, 0, 0x10, 12, 1, 0x10})
	f.Add([]byte{0xa0, 9, 100, 0, 0x10, 0x19, 50, 0x10, 0, 7, 0, 0x10})
	f.Add([]byte{0x52, 0, 0x10, 0, 9, 255, 9, 255, 9, 255, 3, 0x10, 0x10, 0x10, 0x1a, 9, 0x1c})
	f.Add([]byte{0x54, 0, 0x10, 0, 9, 255, 9, 255, 0x1f, 2, 0x10, 9, 255, 0x10, 0x10, 0x1a, 9, 0x1f, 0x42, 0x0c})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		s := &schedule{data}
		p := newPair(t, 0, network{delay: time.Millisecond, cut: true})
		p.manual = true
		p.configure(s.next())
		for len(s.data) > 0 {
			p.obey(s)
			for i := range p.ends {
				p.output(i)
			}
		}
		p.finish()
	})
}

// configure sets the pair up and begins to open it.
func (p *pair) configure(b int) {
	p.net.cut = b&1 == 0
	for i, e := range p.ends {
		if b&2 != 0 {
			e.open.Options.SendBuffer, e.open.Options.RecvBuffer = 1, 1
		}
		if b&4 != 0 {
			e.open.Path.MaxSuper = 0xf000
		}
		if b&8 != 0 {
			e.cfg.NoTimestamps, e.cfg.NoSACK = true, i == 1
			e.cfg.NoWindowScale = i == 0
		}
		if b&16 != 0 {
			e.open.Path.MTU = 300
			e.open.Options.NoDelay = true
		}
		if b&80 == 80 {
			e.cfg.SegmentMemory = blocks
			e.cfg.ShrinkWindow, e.cfg.DelayFin = i == 0, i == 1
		}
		if b&64 != 0 {
			e.open.Options.KeepAlive = true
			e.open.Options.UserTimeout = 90 * time.Second
		}
	}
	if b&128 != 0 {
		p.ends[0].open.FastOpen, p.ends[0].open.PeerMSS = testCookie, 1400
	}
	if b&5 == 5 {
		p.refuses = 4
	}
	p.dial(p.ends[0])
	if b&32 != 0 {
		p.dial(p.ends[1]) // simultaneous open
	}
	for i := range p.ends {
		p.output(i)
	}
}

// obey carries out one instruction: the low half of a byte says what, the high
// half for which end.
func (p *pair) obey(s *schedule) {
	b := s.next()
	i := b >> 4 & 1
	e, held := p.ends[i], &p.held[i]
	switch op := b & 15; op {
	case 0, 1, 2, 3, 4, 5, 6: // deliver, in order mostly
		if len(*held) == 0 {
			return
		}
		k := 0
		if op >= 4 {
			k = s.next() % len(*held)
		}
		seg := (*held)[k]
		if op != 6 { // 6 leaves a duplicate
			*held = append((*held)[:k], (*held)[k+1:]...)
		}
		if op != 3 && op != 4 { // 3 and 4 lose it
			p.deliver(i, seg)
		}
	case 7:
		p.elapse(time.Hour)
	case 8:
		p.elapse(time.Duration(s.next()) * time.Millisecond)
	default:
		if e.started {
			p.call(e, i, op, s)
		}
	}
}

// elapse moves the clock by d, at most to the next timer.
func (p *pair) elapse(d time.Duration) {
	at := p.now.Add(d)
	for _, e := range p.ends {
		if e.started {
			at = Earliest(at, e.c.NextTimeout())
		}
	}
	p.now = max(p.now, at)
	for _, e := range p.ends {
		if e.started {
			e.c.Advance(p.now)
			p.check(e)
		}
	}
}

// call does what a user or the network's surroundings do to one end.
func (p *pair) call(e *end, i, op int, s *schedule) {
	c := &e.c
	switch op {
	case 9:
		n := s.next() * 50
		m, err := c.Write(p.now, stream(i, e.sent, n))
		e.sent += m
		if e.note(err) && n&1 == 0 {
			c.ExpectText()
		}
	case 10:
		if c.waitsForText() {
			c.SendSyn(p.now, time.Duration(s.next()&1)*5*time.Millisecond)
		}
		p.read(i, 1+s.next()*20)
	case 11:
		e.note(c.CloseWrite(p.now))
	case 12:
		if s.next()&1 == 0 {
			e.note(c.CloseRead(p.now))
		} else {
			c.Close(p.now)
		}
	case 13:
		if s.next()&3 == 0 {
			c.Abort(p.now)
		}
	case 14:
		p.forge(e, s)
	case 15:
		p.disturb(c, s)
	}
	p.check(e)
}

// forge delivers a segment near what the end expects.
func (p *pair) forge(e *end, s *schedule) {
	seg := wire.Segment{Flags: wire.Flags(s.next() & 0x3f), Count: 1}
	seg.Seq = e.c.rcv.nxt.Add(s.offset())
	seg.Ack = e.c.snd.nxt.Add(s.offset())
	seg.Window = uint16(s.next() * s.next())
	if e.c.ts.on {
		seg.Options.HasTS, seg.Options.TSVal = true, e.c.ts.recent
	}
	if n := s.next(); n > 0 {
		seg.Append(chunkOf(make([]byte, n<<(n%7))))
	}
	if k := s.next(); k&1 != 0 {
		seg.Options.NumSACK = 1
		seg.Options.SACK[0] = wire.SACKBlock{Left: e.c.snd.una.Add(seqnum.Size(k)), Right: e.c.snd.nxt}
	}
	p.forged = true
	e.c.Input(p.now, &seg)
}

// disturb changes options and sends ICMP messages.
func (p *pair) disturb(c *Conn, s *schedule) {
	k := s.next()
	o := c.Options()
	switch k & 7 {
	case 0:
		c.ICMPError(p.now, c.snd.una, syscall.EHOSTUNREACH, k&8 != 0)
		return
	case 1:
		c.ICMPTooBig(p.now, c.snd.una, s.next()*8)
		return
	case 2:
		o.RecvBuffer = s.next() * 100
	case 3:
		o.SendBuffer = s.next() * 100
	case 4:
		o.NoDelay, o.Cork = k&8 != 0, k&16 != 0
	case 5:
		o.MaxSeg = s.next() * 8
	case 6:
		o.KeepAlive, o.KeepIdle = k&8 != 0, time.Duration(1+s.next())*time.Second
	case 7:
		o.UserTimeout = time.Duration(s.next()) * time.Second
	}
	c.SetOptions(p.now, o)
}

// finish lets the network work again, makes both users close, and waits for
// the end.
func (p *pair) finish() {
	p.manual, p.held, p.refuses = false, [2][]*wire.Segment{}, 0
	for steps := 0; ; steps++ {
		for i, e := range p.ends {
			e.keepOpen = true
			if e.started && !e.c.Orphan() {
				p.read(i, 1<<20)
				e.c.Close(p.now)
			}
		}
		if !p.step() {
			break
		}
		if steps > 20000 {
			p.fatalf("no end after %d steps", steps)
		}
	}
	for i, e := range p.ends {
		if e.started && !e.c.dead() {
			p.fatalf("end %d is in %v", i, e.c.State())
		}
	}
	p.wantNoLeak()
}
