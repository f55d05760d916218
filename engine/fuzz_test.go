package engine

import (
	"encoding/binary"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// FuzzInput feeds an engine that has a listener, a connection, a half-open
// connection and a TIME-WAIT record with packets: each is two bytes of length,
// one of flags and the packet. Nothing may panic, all that is sent must be well
// formed, and memory bounded.
func FuzzInput(f *testing.F) {
	const valid, repair = 1, 2 // flags: the link vouches for the checksum; fix header and addresses
	record := func(flags byte, b []byte) []byte {
		r := binary.BigEndian.AppendUint16(nil, uint16(len(b)))
		return append(append(r, flags), b...)
	}
	for _, port := range []uint16{5000, 5001, 5002, 5003} {
		tuple := wire.Tuple(netip.AddrPortFrom(addrB, port), netip.AddrPortFrom(addrA, 80))
		for _, flags := range []wire.Flags{wire.SYN, wire.ACK, wire.RST, wire.FIN | wire.ACK} {
			b := build(tuple, &wire.Segment{Seq: peerISN + 1, Flags: flags, Window: 1000})
			f.Add(append(record(0, b), record(valid, b)...))
			f.Add(record(valid|repair, icmpPacket(addrB, addrA, 3, 3, 0, b)))
		}
	}
	f.Add(record(0, icmpPacket(addrB6, addrA6, 128, 0, 0, []byte("ping"))))
	f.Add(record(repair, ipPacket(addrB, addrA, 17, make([]byte, 8))))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := fuzzHost(t)
		for len(data) > 3 {
			n, flags := int(binary.BigEndian.Uint16(data)), data[2]
			data = data[3:]
			n = min(n, len(data))
			b := append([]byte(nil), data[:n]...)
			data = data[n:]
			if flags&repair != 0 {
				repairHeader(b)
			}
			h.in.SetBytes(b)
			if flags&valid != 0 {
				h.in.Checksum = wire.ChecksumValid
			}
			h.e.Input(h.now, &h.in)
			h.checkOutput()
			h.now = h.now.Add(time.Duration(flags>>2) * 100 * time.Millisecond)
			h.e.Advance(h.now)
		}
		h.checkOutput()
		h.e.Sockets(h.now, func(*SocketInfo) {})
	})
}

// fuzzHost returns a host with something of everything.
func fuzzHost(t *testing.T) *host {
	h := newHost(t, Config{SynBacklog: 4, MaxTimeWait: 4}, addrA, addrA6)
	l := h.listen("0.0.0.0:80", ListenOptions{Backlog: NewBacklog(3)})
	h.peer(addrB, 5000, 80).connect(l)
	h.peer(addrB, 5001, 80).open()
	p := h.peer(addrB, 5002, 80)
	p.enterTimeWait(p.connect(l))
	if _, err := h.e.Dial(h.now, netip.AddrPort{}, netip.AddrPortFrom(addrB, 80), tcp.Options{}); err != nil {
		t.Fatal(err)
	}
	return h
}

// repairHeader makes b, if it begins like an IPv4 header, a packet to the host.
func repairHeader(b []byte) {
	if len(b) < 20 || b[0] != 0x45 {
		return
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[6], b[7] = 0, 0
	copy(b[12:], addrB.AsSlice())
	copy(b[16:], addrA.AsSlice())
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20]))
}

// checkOutput fails when a packet sent is malformed or something is beyond its
// bound.
func (h *host) checkOutput() {
	for _, pkt := range h.output() {
		p := packetOf(pkt.data)
		var ip wire.IP
		if d := p.ParseIP(&ip); d != wire.DropNone {
			h.t.Fatalf("ParseIP of a packet sent: %v", d)
		}
		var d wire.Drop
		if ip.Protocol == wire.ProtoTCP {
			d = p.ParseTCP(&ip, new(wire.Segment))
		} else {
			d = p.ParseICMP(&ip, new(wire.ICMP))
			if d == wire.DropICMPHeader {
				d = wire.DropNone // what we quote is as short as what arrived
			}
		}
		if d != wire.DropNone {
			h.t.Fatalf("a packet sent is dropped for %v", d)
		}
	}
	if s := h.e.Stats(); s.HalfOpen > 4 || s.TimeWaits > 4 || s.AcceptWait > 4 || s.Conns > 20 {
		h.t.Fatalf("half-open %d, TIME-WAIT %d, waiting %d, connections %d", s.HalfOpen, s.TimeWaits, s.AcceptWait, s.Conns)
	}
}

// arena is two engines, the packets between them, and a connection of which
// each has an end.
type arena struct {
	t        *testing.T
	host     [2]*host
	listener *Listener
	conn     [2]*Conn
	queue    [2][]*wire.Packet // from the host with the index
	wrote    [2]int
	read     [2]int
	blocks   map[*block.Block]bool // all that were ever in a packet, each with a reference of ours
	buf      [5000]byte
}

// content is the byte that a side writes at a position.
func content(side, at int) byte { return byte(at*7 + at>>8 + side) }

func newArena(t *testing.T, flags byte) *arena {
	a := &arena{t: t, blocks: map[*block.Block]bool{}}
	cfg := Config{TCP: tcp.Config{NoTimestamps: flags&1 != 0, NoSACK: flags&2 != 0, NoWindowScale: flags&4 != 0}}
	p := newPair(t, cfg)
	a.host = [2]*host{p.a, p.b}
	opt := tcp.Options{NoDelay: flags&16 != 0}
	if flags&32 != 0 {
		opt.RecvBuffer, opt.SendBuffer = 1, 1 // the least there is
	}
	for _, h := range a.host {
		if flags&8 != 0 {
			h.e.network.interfaces[0].MaxSuper = 30000
		}
	}
	a.listener = p.b.listen("10.0.0.2:80", ListenOptions{Options: opt})
	c, err := p.a.e.Dial(p.a.now, netip.AddrPort{}, a.listener.Addr(), opt)
	if err != nil {
		t.Fatal(err)
	}
	a.conn[0] = c
	a.settle()
	return a
}

// settle takes what the engines send into the queues.
func (a *arena) settle() {
	for i, h := range a.host {
		for more := true; more; {
			more = h.e.Output(h.now, &h.out)
			for j := range h.out.Packets {
				p := new(wire.Packet)
				h.out.Packets[j].CopyTo(p)
				p.Checksum = wire.ChecksumValid
				for _, c := range p.Payload {
					if !a.blocks[c.Block] {
						a.blocks[c.Block] = true
						c.Block.Ref()
					}
				}
				a.queue[i] = append(a.queue[i], p)
			}
			h.out.Release()
		}
		h.e.Wake()
	}
	if a.conn[1] == nil {
		a.conn[1] = a.listener.Accept()
	}
	for i, c := range a.conn {
		if c == nil {
			continue
		}
		if n := c.Info(a.host[i].now); n.SndUna > n.SndNxt {
			a.t.Fatalf("SND.UNA %d > SND.NXT %d", n.SndUna, n.SndNxt)
		}
	}
}

func (a *arena) deliver(i int) {
	if len(a.queue[i]) == 0 {
		return
	}
	p := a.queue[i][0]
	a.queue[i] = a.queue[i][1:]
	to := a.host[1-i]
	to.e.Input(to.now, p)
	p.Release()
}

func (a *arena) drop(i int) {
	if len(a.queue[i]) > 0 {
		a.queue[i][0].Release()
		a.queue[i] = a.queue[i][1:]
	}
}

func (a *arena) duplicate(i int) {
	if len(a.queue[i]) > 0 && len(a.queue[i]) < 1000 {
		p := new(wire.Packet)
		a.queue[i][0].CopyTo(p)
		a.queue[i] = append(a.queue[i], p)
	}
}

func (a *arena) reorder(i int) {
	if n := len(a.queue[i]); n > 1 {
		q := a.queue[i]
		q[0], q[n-1] = q[n-1], q[0]
	}
}

// tick lets time pass until the next timer, or for d if that is not 0.
func (a *arena) tick(d time.Duration) {
	now := a.host[0].now.Add(d)
	if d == 0 {
		now = max(now, tcp.Earliest(a.host[0].e.NextTimeout(), a.host[1].e.NextTimeout()))
	}
	for _, h := range a.host {
		h.now = now
		h.e.Advance(now)
	}
}

func (a *arena) write(i, n int) {
	for k := range a.buf[:n] {
		a.buf[k] = content(i, a.wrote[i]+k)
	}
	n, _ = a.conn[i].Write(a.host[i].now, a.buf[:n])
	a.wrote[i] += n
}

// readSome checks that what arrives is what the other side wrote, in order.
func (a *arena) readSome(i, n int) error {
	n, err := a.conn[i].Read(a.host[i].now, a.buf[:n])
	for k, b := range a.buf[:n] {
		if want := content(1-i, a.read[i]+k); b != want {
			a.t.Fatalf("side %d: byte %d is %#x, want %#x", i, a.read[i]+k, b, want)
		}
	}
	if a.read[i] += n; a.read[i] > a.wrote[1-i] {
		a.t.Fatalf("side %d read %d bytes of %d written", i, a.read[i], a.wrote[1-i])
	}
	return err
}

// step does one thing; each side has half of the values.
func (a *arena) step(op byte) {
	i := int(op & 1)
	n := int(op >> 5) // 0 to 7
	switch op >> 1 & 15 {
	case 0, 1, 2:
		for range n + 1 {
			a.deliver(i)
		}
		a.settle()
		return
	case 3:
		a.drop(i)
	case 4:
		a.duplicate(i)
	case 5:
		a.reorder(i)
	case 6:
		a.tick(0)
	case 7:
		a.tick(time.Millisecond << (2 * n))
	}
	if a.conn[i] == nil {
		a.settle()
		return
	}
	now := a.host[i].now
	switch op >> 1 & 15 {
	case 8, 9:
		a.write(i, 700*n+1)
	case 10, 11:
		_ = a.readSome(i, 700*n+1)
	case 12:
		_ = a.conn[i].CloseWrite(now)
	case 13:
		_ = a.conn[i].CloseRead(now)
	case 14:
		if n == 7 {
			a.conn[i].Close(now)
		}
	case 15:
		if n == 7 {
			a.conn[i].Abort(now)
		}
	}
	a.settle()
}

// finish lets both sides read to the end and close over a perfect network, and
// checks that nothing is left: no connection, timer or block.
func (a *arena) finish() {
	a.listener.Close(a.host[1].now)
	for range 20000 {
		a.settle()
		for i := range a.queue {
			for len(a.queue[i]) > 0 {
				a.deliver(i)
			}
		}
		for i, c := range a.conn {
			if c == nil {
				continue
			}
			_ = c.CloseWrite(a.host[i].now)
			err := a.readSome(i, len(a.buf))
			if err == io.EOF || (err != nil && err != syscall.EAGAIN) {
				c.Close(a.host[i].now)
			}
		}
		a.settle()
		if len(a.queue[0])+len(a.queue[1]) > 0 {
			continue
		}
		if a.host[0].e.NextTimeout()+a.host[1].e.NextTimeout() == 0 {
			break
		}
		a.tick(0)
	}
	for i, h := range a.host {
		s := h.e.Stats()
		if s.Conns+s.HalfOpen+s.TimeWaits+s.Orphans+s.AcceptWait != 0 || h.e.NextTimeout() != 0 {
			a.t.Errorf("side %d: %d connections, %d half-open, %d TIME-WAIT, %d orphans, %d waiting, timer %v",
				i, s.Conns, s.HalfOpen, s.TimeWaits, s.Orphans, s.AcceptWait, h.e.NextTimeout())
			if a.conn[i] != nil {
				a.t.Errorf("it is in %v: %+v", a.conn[i].State(), a.conn[i].Info(h.now))
			}
		}
		if a.conn[i] != nil {
			a.conn[i].Close(h.now)
		}
	}
	for b := range a.blocks {
		if b.Shared() {
			a.t.Fatal("a block is still referenced when everything is over")
		}
	}
}

// FuzzTwoEngines runs two engines under a schedule: the first byte chooses
// options, each other one a step.
func FuzzTwoEngines(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0x30, 0, 1, 0x54, 0x98 >> 1, 1, 0, 1})
	f.Add([]byte{8, 0, 1, 0, 0xf0, 0xf0, 0xf1, 0xe0, 0xe1, 0xe0, 0xe1, 0xf4, 0xf5, 0xe0, 0xe1, 0x18, 0x19})
	f.Add([]byte{0, 6, 0x0c, 0, 1, 0xf0, 0x06, 0xf0, 0xe0, 0xe1, 0x0c, 0xe0, 0xe1, 0xfc, 0xfd})
	f.Add([]byte{63, 0, 1, 0, 0xf0, 8, 0xf0, 10, 0xe0, 0xe1, 0xae, 0xe0, 0xe1, 0xfe})
	f.Fuzz(func(t *testing.T, schedule []byte) {
		if len(schedule) == 0 || len(schedule) > 2000 {
			return
		}
		a := newArena(t, schedule[0])
		for _, op := range schedule[1:] {
			a.step(op)
		}
		a.finish()
	})
}

// Schedules from a simple generator, so that each run of the tests sees some.
// Most of their steps deliver, so that connections get somewhere.
func TestSchedules(t *testing.T) {
	x := uint32(1)
	random := func() byte {
		x = x*1664525 + 1013904223
		return byte(x >> 24)
	}
	moved, complete := 0, 0
	for range 300 {
		a := newArena(t, random())
		for range 300 {
			op := random()
			if random() < 128 {
				op &= 0xe1 // deliver
			}
			a.step(op)
		}
		a.finish()
		moved += a.read[0] + a.read[1]
		if a.read == [2]int{a.wrote[1], a.wrote[0]} && a.read[0] > 0 {
			complete++
		}
		if t.Failed() {
			return
		}
	}
	if moved < 500_000 || complete < 10 {
		t.Errorf("300 schedules moved %d bytes, %d of them all that was written", moved, complete)
	}
}
