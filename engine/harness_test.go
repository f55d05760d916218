package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// host is one engine and a clock that only the test moves.
type host struct {
	t      testing.TB
	e      *Engine
	now    tcp.Time
	out    wire.Batch
	in     wire.Packet
	events []string // state changes, and rules
}

var (
	addrA  = netip.MustParseAddr("10.0.0.1")
	addrB  = netip.MustParseAddr("10.0.0.2")
	addrA6 = netip.MustParseAddr("fd00::1")
	addrB6 = netip.MustParseAddr("fd00::2")
)

// newHost returns a host with an interface 0 in 10.0.0.0/24 and fd00::/64 and
// the loopback interface 9.
func newHost(t testing.TB, cfg Config, addrs ...netip.Addr) *host {
	h := &host{t: t, now: tcp.Time(time.Hour)}
	trace := cfg.TCP.Trace
	cfg.TCP.Trace = func(e *tcp.Event) {
		switch e.Kind {
		case tcp.EventState:
			h.events = append(h.events, fmt.Sprintf("%v>%v", e.From, e.To))
		case tcp.EventRule:
			h.events = append(h.events, e.Rule.String())
		case tcp.EventDrop:
			h.events = append(h.events, "drop "+e.Drop.String())
		}
		if trace != nil {
			trace(e)
		}
	}
	h.e = New(cfg)
	var prefixes []netip.Prefix
	for _, a := range addrs {
		prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()*3/4))
	}
	h.add(Interface{Index: 0, MTU: 1500, Prefixes: prefixes})
	h.add(Interface{Index: 9, MTU: 65535, Loopback: true, Prefixes: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128"),
	}})
	return h
}

func (h *host) add(i Interface) {
	h.t.Helper()
	if err := h.e.AddInterface(i); err != nil {
		h.t.Fatalf("AddInterface(%v): %v", i, err)
	}
}

// input gives the engine a copy of the packet, as a device would.
func (h *host) input(link int, b []byte) {
	k := block.Get(len(b))
	h.in.SetChunk(block.Chunk{Block: k, Data: k.Bytes()[:copy(k.Bytes(), b)]})
	h.in.Link = link
	h.e.Input(h.now, &h.in)
	h.in.Release()
}

// output returns what the engine sends, as bytes on the wire.
func (h *host) output() (pkts []packet) {
	for more := true; more; {
		more = h.e.Output(h.now, &h.out)
		for i := range h.out.Packets {
			p := &h.out.Packets[i]
			p.FinishChecksum()
			pkts = append(pkts, packet{p.Link, p.AppendTo(nil)})
		}
		h.out.Release()
	}
	return pkts
}

// packet is a packet on the wire.
type packet struct {
	link int
	data []byte
}

// segment is a TCP segment as it was seen on the wire.
type segment struct {
	wire.Segment
	tuple wire.FourTuple // as its sender sees it
	text  string
}

func (s segment) String() string {
	return fmt.Sprintf("%s %d:%d ack %d win %d %q", flagString(s.Flags), s.Seq, s.End(), s.Ack, s.Window, s.text)
}

func flagString(f wire.Flags) string {
	var names []string
	for i, n := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"} {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// parse decodes a TCP packet.
func parse(t testing.TB, b []byte) segment {
	t.Helper()
	var p wire.Packet
	var ip wire.IP
	var s segment
	p.SetBytes(b)
	if d := p.ParseIP(&ip); d != wire.DropNone {
		t.Fatalf("ParseIP of a packet sent: %v", d)
	}
	if d := p.ParseTCP(&ip, &s.Segment); d != wire.DropNone {
		t.Fatalf("ParseTCP of a packet sent: %v", d)
	}
	s.tuple = wire.FourTuple{LocalAddr: ip.Src, LocalPort: s.SrcPort, RemoteAddr: ip.Dst, RemotePort: s.DstPort}
	for _, c := range s.Payload {
		s.text += string(c.Data)
	}
	return s
}

// segments returns the segments that the engine sends.
func (h *host) segments() (list []segment) {
	h.t.Helper()
	for _, p := range h.output() {
		list = append(list, parse(h.t, p.data))
	}
	return list
}

// one returns the only segment that the engine sends.
func (h *host) one() segment {
	h.t.Helper()
	list := h.segments()
	if len(list) != 1 {
		h.t.Fatalf("%d segments sent, want 1: %v", len(list), list)
	}
	return list[0]
}

// none fails when the engine sends something.
func (h *host) none() {
	h.t.Helper()
	if list := h.output(); len(list) > 0 {
		h.t.Fatalf("%d packets sent, want none; the first: %v", len(list), parse(h.t, list[0].data))
	}
}

// wait lets time pass, and fires what is due on the way.
func (h *host) wait(d time.Duration) {
	end := h.now.Add(d)
	for next := h.e.NextTimeout(); next.Due(end); next = h.e.NextTimeout() {
		h.now = max(h.now, next)
		h.e.Advance(h.now)
	}
	h.now = end
	h.e.Advance(h.now)
}

// silence lets time pass while everything that the host sends is lost.
func (h *host) silence(d time.Duration) {
	end := h.now.Add(d)
	for next := h.e.NextTimeout(); next.Due(end); next = h.e.NextTimeout() {
		h.now = max(h.now, next)
		h.e.Advance(h.now)
		h.output()
	}
	h.now = end
}

// clearEvents forgets the events so far.
func (h *host) clearEvents() { h.events = nil }

// wantEvents fails unless the events since the last call are these.
func (h *host) wantEvents(want ...string) {
	h.t.Helper()
	if got := strings.Join(h.events, " "); got != strings.Join(want, " ") {
		h.t.Errorf("events %s\nwant   %s", got, strings.Join(want, " "))
	}
	h.events = nil
}

// peer is the other end of a connection, played by the test.
type peer struct {
	*host
	tuple wire.FourTuple // as the host sees it
	seq   seqnum.Value   // the peer's next sequence number
	ack   seqnum.Value   // what it expects next
	seg   wire.Segment   // template of what it sends: window, options
}

const peerISN = seqnum.Value(1_000_000)

// peer returns a peer at addr that speaks to a port of the host's.
func (h *host) peer(addr netip.Addr, port, hostPort uint16) *peer {
	local := addrA
	if addr.Is6() {
		local = addrA6
	}
	p := &peer{host: h, seq: peerISN}
	p.tuple = wire.Tuple(netip.AddrPortFrom(local, hostPort), netip.AddrPortFrom(addr, port))
	p.seg.Window = 65535
	return p
}

// send sends a segment with the flags at the offset from the peer's next
// sequence number.
func (p *peer) send(flags wire.Flags, offset int, text string) {
	seg := p.seg
	seg.Flags, seg.Seq = flags, p.seq.Add(seqnum.Size(offset))
	if flags.Has(wire.ACK) {
		seg.Ack = p.ack
	}
	if text != "" {
		seg.Payload = nil
		seg.Append(block.Chunk{Data: []byte(text)})
	}
	p.sendSegment(&seg)
}

func (p *peer) sendSegment(seg *wire.Segment) { p.host.input(0, build(p.tuple.Reverse(), seg)) }

// build returns the bytes of a segment on the wire.
func build(t wire.FourTuple, seg *wire.Segment) []byte {
	var pkt wire.Packet
	pkt.BuildTCP(t, seg, 0)
	pkt.FinishChecksum()
	return pkt.AppendTo(nil)
}

// want fails unless the host sends one segment, with these flags, at the
// offsets from what the peer expects and has sent.
func (p *peer) want(flags wire.Flags, seq, ack int) segment {
	p.t.Helper()
	s := p.one()
	if s.tuple != p.tuple {
		p.t.Fatalf("segment of %v sent, want %v", s.tuple, p.tuple)
	}
	wantSeq, wantAck := p.ack.Add(seqnum.Size(seq)), p.seq.Add(seqnum.Size(ack))
	if !flags.Has(wire.ACK) {
		wantAck = 0
	}
	if s.Flags != flags || s.Seq != wantSeq || s.Ack != wantAck {
		p.t.Fatalf("sent %v, want %s %d ack %d", s, flagString(flags), wantSeq, wantAck)
	}
	return s
}

// open lets the peer send SYN and returns the SYN,ACK.
func (p *peer) open() segment {
	p.t.Helper()
	p.send(wire.SYN, 0, "")
	s := p.one()
	if s.Flags != wire.SYN|wire.ACK || s.Ack != p.seq.Add(1) {
		p.t.Fatalf("answer to SYN %d is %v", p.seq, s)
	}
	p.seq, p.ack = p.seq.Add(1), s.Seq.Add(1)
	if s.Options.HasTS {
		p.seg.Options = wire.Options{HasTS: true, TSVal: p.seg.Options.TSVal, TSEcr: s.Options.TSVal}
	}
	return s
}

// listen makes the host listen.
func (h *host) listen(addr string, opt ListenOptions) *Listener {
	h.t.Helper()
	l, err := h.e.Listen(h.now, netip.MustParseAddrPort(addr), opt)
	if err != nil {
		h.t.Fatalf("Listen(%s): %v", addr, err)
	}
	return l
}

// connect makes a connection of the peer's with the host, which listens on l.
func (p *peer) connect(l *Listener) *Conn {
	p.t.Helper()
	p.open()
	p.send(wire.ACK, 0, "")
	c := l.Accept()
	if c == nil {
		p.t.Fatal("Accept() = nil after the handshake")
	}
	return c
}

// timestamps makes the peer use the timestamps option.
func (p *peer) timestamps(tsval uint32) *peer {
	p.seg.Options = wire.Options{HasTS: true, TSVal: tsval}
	return p
}
