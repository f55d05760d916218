package sim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// chaos lets two hosts do everything at random that programs do with
// connections, over a network in which everything happens, and checks that no
// byte that is read is another than the one that was written there, and that
// a stream that ends in good order is whole.
type chaos struct {
	*pair
	choose func(n int) int // a number under n
	ends   []*chaosEnd
	byID   map[string]*chaosEnd
	edges  edges
	taken  int // SYNs whose text the server took: Fast Open

	nat *NAT // before the client, or nil
}

// chaosEnd is one end of a connection.
type chaosEnd struct {
	conn          *Conn
	id            string // of the connection and direction written
	peer          string // of the direction read
	written, read int
	finished      bool // CloseWrite or Close was called: written is final
	sawEOF        bool
	broken        bool // a write was told so, which reads are not told again
	closed        bool
}

// expected is the byte at an offset of a stream.
func expected(id string, offset int) byte {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return byte((h + uint32(offset)*2654435761) >> 13)
}

// newChaos joins two hosts in one of several ways, by links with random
// impairments.
func newChaos(t *testing.T, seed uint64, choose func(int) int) *chaos {
	c := &chaos{choose: choose, byID: map[string]*chaosEnd{}, edges: edges{}}
	c.pair = &pair{t: t, paths: map[string][]tcp.State{}, quiet: !*recordFlag}
	network := Config{Seed: seed, OnEvent: func(host string, e *tcp.Event) {
		if e.Kind == tcp.EventRule && e.Rule == tcp.RuleFastOpenAcked {
			c.taken++
		}
		c.event(host, e)
	}}
	if *recordFlag {
		network.OnPacket = c.packet
	}
	c.Network = New(network)
	t.Cleanup(func() { c.explain(seed) })
	cfg := engine.Config{TimeWait: 5 * time.Second}
	c.client, c.server = c.AddHost("client", cfg), c.AddHost("server", cfg)
	c.join()
	for _, h := range c.Hosts() {
		c.serve(h)
	}
	if c.choose(2) == 0 { // or else super-segments cross the link
		c.Count(func(x *Crossing) bool { c.edges.check(t, x); return false })
	}
	return c
}

// join puts something between the two hosts.
func (c *chaos) join() {
	impaired := LinkConfig{AtoB: c.settings(), BtoA: c.settings()}
	if c.choose(2) == 0 {
		impaired.MaxSuper = 30_000
	}
	clean := Symmetric(Settings{Delay: time.Millisecond})
	switch c.choose(5) {
	case 0: // routers, and a narrow link between them
		left, right := c.AddRouter("left", RouterConfig{}), c.AddRouter("right", RouterConfig{})
		c.Connect(c.client, left, clean)
		impaired.MTU = 1300 + c.choose(200)
		c.link = c.Connect(left, right, impaired)
		c.Connect(right, c.server, clean)
	case 1: // a NAT that forgets
		nat := c.AddNAT("nat", NATConfig{Established: 30 * time.Second, Transitory: 5 * time.Second, Reset: c.choose(2) == 0})
		nat.Forward(wire.ProtoTCP, webPort, netip.AddrPortFrom(c.client.Addr(), webPort))
		c.Connect(nat, c.server, clean)
		c.link = c.Connect(nat, c.client, impaired)
		c.nat = nat
		c.edges = nil // which segments belong together is not known before the NAT
	case 2: // middleboxes
		c.link = c.Connect(c.client, c.server, impaired)
		switch c.choose(4) {
		case 0:
			c.link.Insert(StripOptions(uint8([]int{3, 4, 8, 34}[c.choose(4)])))
			c.edges = nil // what is scaled is not known before the box
		case 1:
			c.link.Insert(ClampMSS(uint16(200 + c.choose(1200))))
		case 2:
			c.link.Insert(Firewall(20*time.Second, c.choose(2) == 0))
		case 3:
			n := 0
			c.link.Insert(ResetOn(Data, func(*Crossing) bool { n++; return n%200 == 0 }))
		}
	default:
		c.link = c.Connect(c.client, c.server, impaired)
	}
}

// settings chooses what a direction of the link does to packets.
func (c *chaos) settings() Settings {
	s := Settings{Delay: time.Duration(c.choose(30)) * time.Millisecond}
	sometimes := func(set func()) {
		if c.choose(3) == 0 {
			set()
		}
	}
	ms := func(n int) time.Duration { return time.Duration(c.choose(n)) * time.Millisecond }
	s.Rate = int64(1+c.choose(40)) * 1e6
	sometimes(func() { s.QueuePackets = 5 + c.choose(100) })
	sometimes(func() { s.QueueBytes = 5_000 + c.choose(100_000) })
	sometimes(func() { s.CoDel, s.ECN = true, c.choose(2) == 0 })
	sometimes(func() { s.MarkBytes = 5_000 })
	sometimes(func() { s.Jitter = ms(5) })
	sometimes(func() { s.Loss = float64(c.choose(60)) / 1000 })
	sometimes(func() { s.Burst = Bursts(float64(c.choose(30))/1000, float64(1+c.choose(10))) })
	sometimes(func() { s.Duplicate = float64(c.choose(50)) / 1000 })
	sometimes(func() { s.Reorder, s.ReorderDelay, s.ReorderJitter = float64(c.choose(100))/1000, ms(20), ms(20) })
	sometimes(func() { s.Corrupt = float64(c.choose(30)) / 1000 })
	sometimes(func() { s.Coalesce = ms(3) })
	return s
}

// edges are the right edges of the windows that senders of segments announced.
type edges map[wire.FourTuple]*edge

type edge struct {
	shift  uint8
	scaled bool // both SYNs had the option
	known  bool
	right  seqnum.Value
	fin    bool // sent, and ends at
	end    seqnum.Value
}

// check watches a segment leave. RFC 9293, Section 3.8.6: the right edge of a
// window must not move left (SHLD-14), as long as there is anything to come.
func (e edges) check(t *testing.T, x *Crossing) {
	if e == nil || x.Segment == nil || x.From != "client" && x.From != "server" || x.Segment.Flags.Has(wire.RST) {
		return
	}
	s, id := x.Segment, x.Tuple()
	if s.Flags.Has(wire.SYN) {
		other := e[id.Reverse()]
		e[id] = &edge{shift: s.Options.WScale, scaled: s.Options.HasWScale}
		if s.Flags.Has(wire.ACK) && other != nil {
			// What the other offered holds only with our answer.
			other.scaled = other.scaled && s.Options.HasWScale
			e[id].scaled = other.scaled
		}
		return
	}
	w := e[id]
	if w == nil || !s.Flags.Has(wire.ACK) {
		return
	}
	if s.Flags.Has(wire.FIN) {
		w.fin, w.end = true, s.End()
	}
	if peer := e[id.Reverse()]; peer != nil && peer.fin && s.Ack == peer.end {
		return
	}
	size := seqnum.Size(s.Window)
	if w.scaled {
		size <<= w.shift
	}
	right := s.Ack.Add(size)
	if w.known && right.Less(w.right) {
		t.Errorf("%v at %v: the window's right edge moved left by %d", id, time.Duration(x.Now), w.right.Sub(right))
	}
	w.known, w.right = true, right
}

func (c *chaos) serve(h *Host) {
	opt := engine.ListenOptions{FastOpen: 50 * c.choose(2), FastOpenAnyone: c.choose(2) == 0}
	if _, err := h.ListenWith(netip.AddrPortFrom(netip.Addr{}, webPort), opt, func(conn *Conn) { c.add(conn) }); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chaos) add(conn *Conn) *chaosEnd {
	t := conn.Tuple()
	e := &chaosEnd{conn: conn}
	e.id = fmt.Sprint(t)
	e.peer = fmt.Sprint(t.Reverse())
	if c.nat != nil {
		// The two ends see different 4-tuples: streams have the names of hosts.
		e.id, e.peer = "client", "server"
		if conn.Host() == c.server {
			e.id, e.peer = e.peer, e.id
		}
	} else {
		c.byID[e.id] = e
	}
	c.ends = append(c.ends, e)
	c.read(e)
	return e
}

func (c *chaos) dial(from, to *Host) {
	addr := to.Addr()
	if c.nat != nil && to == c.client {
		addr = c.nat.Addr()
	}
	conn, err := from.Dial(netip.AddrPortFrom(addr, webPort), tcp.Options{
		RecvBuffer: 5000 + c.choose(100_000), NoDelay: c.choose(2) == 0, FastOpen: c.choose(2) == 0, FastOpenNoCookie: c.choose(2) == 0,
	})
	if err != nil {
		c.t.Errorf("Dial = %v", err)
		return
	}
	e := c.add(conn)
	if c.choose(2) == 0 {
		c.write(e) // so that with Fast Open there is text for the SYN
	}
}

// read takes what there is, now and whenever there is more, but not always
// all of it.
func (c *chaos) read(e *chaosEnd) {
	buf := make([]byte, 1+c.choose(20_000))
	for !e.closed {
		n, err := e.conn.Read(buf)
		for i, b := range buf[:n] {
			if want := expected(e.peer, e.read+i); b != want {
				c.t.Fatalf("%s: byte %d is %#x, want %#x", e.peer, e.read+i, b, want)
			}
		}
		e.read += n
		switch {
		case errors.Is(err, io.EOF):
			e.sawEOF = true
			return
		case errors.Is(err, syscall.EAGAIN):
			e.conn.Await(tcp.Readable, func() {
				pause := time.Duration(c.choose(20)) * time.Millisecond
				c.After(pause, func() { c.read(e) })
			})
			return
		case err != nil:
			return
		}
	}
}

func (c *chaos) write(e *chaosEnd) {
	if e.finished {
		return
	}
	data := make([]byte, 1+c.choose(30_000))
	for i := range data {
		data[i] = expected(e.id, e.written+i)
	}
	n, err := e.conn.Write(data)
	e.written += n
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		e.finished, e.broken = true, true
	}
}

// step does one thing at random.
func (c *chaos) step() {
	hosts := c.Hosts()
	k := c.choose(100)
	if len(c.ends) == 0 || k < 5 {
		i := c.choose(2)
		c.dial(hosts[i], hosts[1-i])
		return
	}
	e := c.ends[c.choose(len(c.ends))]
	switch {
	case k < 70:
		c.write(e)
	case k < 80:
		e.finished = true
		_ = e.conn.CloseWrite() // ENOTCONN when it is too early or too late
	case k < 90:
		e.finished, e.closed = true, true
		e.conn.Close()
	case k < 92:
		e.finished, e.closed = true, true
		e.conn.Abort()
	case k < 94:
		c.link.Unplug()
		c.After(time.Duration(c.choose(20))*time.Second, c.link.Plug)
	case k == 94:
		h := hosts[c.choose(2)]
		h.Reboot()
		c.serve(h)
	case k == 95:
		c.cut()
	case k == 96:
		c.link.Set(c.settings(), c.settings())
	case k == 97:
		held := c.Hold(From(hosts[c.choose(2)].Name()), First(1+c.choose(5)))
		c.After(time.Duration(c.choose(3000))*time.Millisecond, func() { held.Stop(); held.Release() })
	case k < 99:
		e.conn.SetOptions(tcp.Options{KeepAlive: true, KeepIdle: time.Second, KeepInterval: time.Second, KeepCount: 5})
	}
}

// cut cuts one direction of the link for a while.
func (c *chaos) cut() {
	x := c.link.ab
	if c.choose(2) == 0 {
		x = c.link.ba
	}
	x.unplug()
	c.After(time.Duration(c.choose(10))*time.Second, x.pipe.Plug)
}

// finish ends everything and waits until nothing is left.
func (c *chaos) finish() {
	c.link.Plug()
	c.link.Set(Settings{Delay: time.Millisecond}, Settings{Delay: time.Millisecond})
	for _, e := range c.ends {
		e.finished = true
		e.conn.SetOptions(tcp.Options{KeepAlive: true, KeepIdle: time.Minute, KeepInterval: time.Second, KeepCount: 5})
		_ = e.conn.CloseWrite() // ENOTCONN when it is over already
	}
	c.RunFor(10 * time.Minute)
	for _, e := range c.ends {
		e.closed = true
		e.conn.Close()
	}
	c.until("nothing is left", time.Hour, c.over)
	for _, e := range c.ends {
		peer := c.byID[e.peer]
		if peer == nil || !peer.conn.live() || peer.conn.Info().ISS != e.conn.Info().IRS {
			continue // it is gone, or another has its 4-tuple since
		}
		if e.sawEOF && !e.broken && e.read != peer.written {
			c.t.Errorf("%s ended in good order after %d bytes, but %d were written", e.peer, e.read, peer.written)
		}
	}
}

// However programs use connections and whatever the network does: no wrong byte,
// no stream cut short that looks whole, no window that shrinks, no illegal
// edge, no state that stays for ever. With -chaos 10m it goes on with new seeds
// for ten minutes.
func TestChaos(t *testing.T) {
	seeds := 15
	if testing.Short() {
		seeds = 3
	}
	began, ran, taken := time.Now(), 0, 0
	for seed := *seedFlag; seed < *seedFlag+uint64(seeds) || time.Since(began) < *chaosFlag; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newChaos(t, seed, rand.New(rand.NewPCG(seed, 5)).IntN)
			for range 400 {
				c.step()
				c.RunFor(time.Duration(c.choose(200)) * time.Millisecond)
			}
			c.finish()
			ran, taken = ran+1, taken+c.taken
		})
	}
	if taken == 0 && ran >= 15 {
		t.Error("no server took the text of a SYN (Fast Open)")
	}
}
