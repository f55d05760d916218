package netsim

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Link joins two hosts. Its methods are safe for concurrent use.
type Link struct {
	network *Network
	a, b    *host
	ab, ba  *way

	mu  sync.Mutex     // guards cfg
	cfg sim.LinkConfig // as the options left it
}

// Set changes the link for packets sent from now on: the options given replace
// what the link had, the others stay.
func (l *Link) Set(options ...Option) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range options {
		o(&l.cfg)
	}
	l.check()
	l.ab.set(l.cfg.AtoB)
	l.ba.set(l.cfg.BtoA)
}

func (l *Link) check() {
	for _, s := range []sim.Settings{l.cfg.AtoB, l.cfg.BtoA} {
		if err := s.Check(); err != nil {
			panic(err)
		}
	}
}

// Unplug cuts the link: what is on its way and what is sent from now on is
// lost, until Plug. The hosts are not told.
func (l *Link) Unplug() {
	l.ab.unplug()
	l.ba.unplug()
}

// Plug mends the link.
func (l *Link) Plug() {
	l.ab.plug()
	l.ba.plug()
}

// Stats returns the counts of packets from the first host to the second, and
// back.
func (l *Link) Stats() (forward, backward sim.Stats) { return l.ab.stats(), l.ba.stats() }

// attach gives the host's stack its end of the link. The network's lock is
// held, or the link not yet in use.
func (l *Link) attach(h *host) {
	out, in, peer := l.ab, l.ba, l.b
	if h == l.b {
		out, in, peer = l.ba, l.ab, l.a
	}
	out.speak()
	in.forget()
	e := &end{out: out, in: in, mtu: l.cfg.MTU, closed: make(chan struct{})}
	own, others := []netip.Addr{h.addr4}, []netip.Addr{peer.addr4}
	if l.cfg.MTU >= minMTU6 {
		own, others = append(own, h.addr6), append(others, peer.addr6)
	}
	var prefixes []netip.Prefix
	for _, a := range own {
		prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
	err := h.stack.AddLink(e, prefixes...)
	for _, a := range others {
		if err == nil {
			err = h.stack.AddRoute(netip.PrefixFrom(a, a.BitLen()), e)
		}
	}
	if err != nil {
		panic(err) // the stack was closed behind the network's back
	}
}

// silence keeps a host that crashes from being heard.
func (l *Link) silence(h *host) {
	if l.a == h {
		l.ab.mute()
	}
	if l.b == h {
		l.ba.mute()
	}
}

// way is one direction of a link: a pipe, and a timer that moves what arrives
// to where the receiving stack reads it.
type way struct {
	network  *Network
	from, to string

	mu      sync.Mutex // guards what follows
	pipe    *sim.Pipe
	timer   *time.Timer // calls deliver; nil until first needed
	muted   bool        // what is sent is gone, and nobody is told
	stopped bool
	scratch []byte
	inbox   []sim.Arrival // arrived and not read; bounded by what senders have under way
	arrived chan struct{} // holds one token when the inbox may be filled
}

// end is one host's end of a link. It implements link.Link.
type end struct {
	out, in *way
	mtu     int
	once    sync.Once
	closed  chan struct{}
}

// forget drops what waited for the host that was at the end before.
func (w *way) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drain()
}

// speak ends mute.
func (w *way) speak() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted = false
}

// drain gives back what nobody will read. w.mu is held.
func (w *way) drain() {
	for _, a := range w.inbox {
		a.Data.Release()
	}
	w.inbox = nil
}

func (w *way) set(s sim.Settings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipe.Set(s)
}

func (w *way) stats() sim.Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pipe.Stats()
}

func (w *way) plug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipe.Plug()
}

func (w *way) unplug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.network.now()
	for _, a := range w.pipe.Unplug() {
		w.tell(now, &a, trace.FateUnplugged)
		a.Data.Release()
	}
}

func (w *way) mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted = true
}

// stop ends the way for good.
func (w *way) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	for _, a := range w.pipe.Unplug() {
		a.Data.Release()
	}
	w.drain()
}

// send gives packets to the pipe.
func (w *way) send(pkts []wire.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.muted || w.stopped {
		return
	}
	now := w.network.now()
	for i := range pkts {
		w.scratch = pkts[i].AppendTo(w.scratch[:0])
		number := int(w.network.sent.Add(1))
		p := trace.Packet{Number: number, From: w.from, To: w.to, Sent: now, Data: w.scratch}
		w.network.tell(now, &p)
		if fate := w.pipe.Send(now, number, w.scratch, sim.Verdict{}); fate.Lost() {
			p.Fate, p.End = fate, now
			w.network.tell(now, &p)
		}
	}
	w.collect(now)
}

// deliver is called by the timer.
func (w *way) deliver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.collect(w.network.now())
	}
}

// collect moves what has arrived to the inbox and sets the timer for the
// rest. w.mu is held.
func (w *way) collect(now tcp.Time) {
	before := len(w.inbox)
	for a, ok := w.pipe.Receive(now); ok; a, ok = w.pipe.Receive(now) {
		w.tell(now, &a, trace.FateDelivered)
		w.inbox = append(w.inbox, a)
	}
	if len(w.inbox) > before {
		w.signal()
	}
	next := w.pipe.NextTimeout()
	if next == 0 {
		return
	}
	if w.timer == nil {
		// A late call, after stop, finds stopped set.
		w.timer = time.AfterFunc(next.Sub(now), w.deliver)
	} else {
		w.timer.Reset(next.Sub(now))
	}
}

// signal tells the reader that the inbox is filled. w.mu is held.
func (w *way) signal() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// take moves packets from the inbox to pkts. When there are none, it returns a
// channel to wait on.
func (w *way) take(pkts []wire.Packet) (n int, wait <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(len(pkts), len(w.inbox))
	for i := range n {
		pkts[i].SetChunk(w.inbox[i].Data)
	}
	w.inbox = w.inbox[n:]
	if len(w.inbox) > 0 {
		w.signal()
	}
	return n, w.arrived
}

// tell shows what became of a packet to the hook.
func (w *way) tell(now tcp.Time, a *sim.Arrival, fate trace.Fate) {
	w.network.tell(now, &trace.Packet{
		Number: a.Number, Copy: a.Copy, From: w.from, To: w.to,
		Sent: a.Sent, End: now, Fate: fate,
		Corrupted: a.Corrupted, Delayed: a.Delayed, Data: a.Data.Data,
	})
}

// Read implements link.Link.
func (e *end) Read(pkts []wire.Packet) (int, error) {
	for {
		select {
		case <-e.closed:
			return 0, net.ErrClosed
		default:
		}
		n, wait := e.in.take(pkts)
		if n > 0 {
			return n, nil
		}
		select {
		case <-wait:
		case <-e.closed:
		}
	}
}

// Write implements link.Link.
func (e *end) Write(pkts []wire.Packet) (int, error) {
	select {
	case <-e.closed:
		return 0, net.ErrClosed
	default:
	}
	e.out.send(pkts)
	return len(pkts), nil
}

// MTU implements link.Link.
func (e *end) MTU() int { return e.mtu }

// Offloads implements link.Link: none, so that packets are what a capture on a
// wire would show.
func (e *end) Offloads() link.Offloads { return 0 }

// Close implements link.Link.
func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}
