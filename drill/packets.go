package drill

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// firstRemotePort is the remote side's first ephemeral port.
const firstRemotePort = 40000

// stripe is the byte of a stream at an offset: what scripts leave open is
// filled with it, so that misplaced data is noticed.
func stripe(off uint32) byte { return byte(off) ^ byte(off>>8)*31 }

func stripes(off uint32, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = stripe(off + uint32(i))
	}
	return b
}

// connection returns the flow that a packet of the script is of. A packet in
// that belongs to none begins one.
func (r *runner) connection(p *Packet) (*flow, error) {
	src, dst := p.SrcPort, p.DstPort
	if p.Out {
		src, dst = dst, src // now: remote, local
	}
	if src == 0 && dst == 0 && r.flow != nil {
		return r.flow, nil
	}
	if p.Out && src == 0 && dst == 0 {
		return nil, failf("no connection to expect a packet of")
	}
	if src == 0 {
		src = r.port
		r.port++
	}
	if dst == 0 {
		dst = r.set.bindPort
		if r.last != nil && r.last.bound.Port() != 0 {
			dst = r.last.bound.Port()
		}
	}
	local, remote := r.set.local.Addr(), r.set.remote.Addr()
	if p.Src.IsValid() && !p.Out {
		remote, local = p.Src, p.Dst
	} else if p.Src.IsValid() {
		local, remote = p.Src, p.Dst
	}
	t := wire.Tuple(netip.AddrPortFrom(local, dst), netip.AddrPortFrom(remote, src))
	f := r.flowOf(t)
	if f == nil {
		f = newFlow(t)
		f.passive = true
		r.flows = append(r.flows, f)
	}
	r.flow = f
	return f, nil
}

var ecnBits = [...]uint8{ECNECT1: 1, ECNECT0: 2, ECNCE: 3, ECNECT01: 0}

// inject sends a packet of the script to the host.
func (r *runner) inject(p *Packet) error {
	if err := r.start(); err != nil {
		return err
	}
	b, err := r.bytes(p)
	if err != nil {
		return err
	}
	r.record(b)
	var w wire.Packet
	w.SetBytes(b)
	w.Link = 1
	if p.TCP != nil && r.set.mss > 0 && p.TCP.Len > r.set.mss {
		w.SegSize = r.set.mss
	}
	r.engine.Input(r.now, &w)
	return r.pump()
}

// bytes makes a packet of the script one of the wire.
func (r *runner) bytes(p *Packet) ([]byte, error) {
	switch {
	case p.UDP != nil:
		return r.udpBytes(p), nil
	case p.ICMP != nil && p.ICMP.Quotes && p.ICMP.Proto == wire.ProtoUDP:
		return r.udpErrorBytes(p)
	case p.ICMP != nil && r.flow == nil:
		return nil, failf("no connection that an ICMP message could be about")
	}
	f, err := r.connection(p)
	if err != nil {
		return nil, err
	}
	h := header{
		src: f.tuple.RemoteAddr.Netip(), dst: f.tuple.LocalAddr.Netip(), proto: wire.ProtoTCP,
		tos: p.IP.TOS | ecnBits[p.IP.ECN], ttl: p.IP.TTL, flow: p.IP.FlowLabel,
	}
	if p.Src.IsValid() {
		h.src, h.dst = p.Src, p.Dst
	}
	if p.ICMP != nil {
		return r.icmpBytes(&h, f, p.ICMP)
	}
	return r.tcpBytes(&h, f, p), nil
}

// record keeps an injected packet for the conversation.
func (r *runner) record(b []byte) {
	s, err := decode(r.now, b)
	if err != nil {
		return // wrong on purpose, as the script has it
	}
	s.in = true
	s.consumed = true
	if s.tcp != nil {
		s.flow = r.flowOf(s.tuple())
	}
	r.sent = append(r.sent, s)
}

// tcpBytes makes a segment of the script one of the wire.
func (r *runner) tcpBytes(h *header, f *flow, p *Packet) []byte {
	t := p.TCP
	syn := t.Flags&uint16(wire.SYN) != 0
	if syn {
		f.sawSYN(t.Seq, t.Flags&uint16(wire.ACK) != 0)
	}
	w := tcpHeader{
		srcPort: f.tuple.RemotePort, dstPort: f.tuple.LocalPort,
		seq: f.remote(t.Seq, t.SeqRaw, syn), flags: t.Flags, window: t.Window, urgent: t.Urgent,
		options: f.inOptions(t),
	}
	if t.HasACE {
		w.flags |= uint16(t.ACE) << 6
	}
	if t.Flags&uint16(wire.ACK) != 0 {
		w.ack = f.local(t.Ack, t.AckRaw)
	}
	off := w.seq - f.remoteISN - 1
	if syn {
		off++
	}
	if t.Len > 0 {
		f.arrivals = append(f.arrivals, arrival{off, off + uint32(t.Len), r.now})
	}
	return h.appendTCP(&w, stripes(off, t.Len))
}

// icmpBytes makes an ICMP message of the script one of the wire. It quotes a
// packet that the host sent.
func (r *runner) icmpBytes(h *header, f *flow, m *ICMP) ([]byte, error) {
	if m.Quotes && m.Proto != wire.ProtoTCP {
		return nil, &unsupported{fmt.Sprintf("ICMP about protocol %d", m.Proto)}
	}
	quote := header{src: h.dst, dst: h.src, proto: wire.ProtoTCP, ttl: 64}
	data := quote.appendTCP(&tcpHeader{
		srcPort: f.tuple.LocalPort, dstPort: f.tuple.RemotePort, seq: f.local(m.Seq, false),
		flags: uint16(wire.ACK), window: 65535,
	}, make([]byte, m.Len))
	if m.Seq == 0 && m.Len == 0 && f.haveLocal {
		// About the SYN.
		binary.BigEndian.PutUint32(data[len(data)-16:], f.localISN)
	}
	return h.icmpMessage(m, data)
}

// icmpMessage makes an ICMP message with what it quotes.
func (h *header) icmpMessage(m *ICMP, quote []byte) ([]byte, error) {
	ip6 := h.src.Is6()
	v, ok := icmpLookup(ip6, m)
	if !ok {
		return nil, &unsupported{"icmp " + m.Type + " " + m.Code}
	}
	body := uint32(m.ID) << 16
	if m.HasMTU {
		body = uint32(m.MTU)
	}
	h.proto = wire.ProtoICMP
	room := 548 // RFC 1812, Section 4.3.2.3
	if ip6 {
		h.proto = wire.ProtoICMPv6
		room = 1232
	}
	return h.appendICMP(v, body, quote[:min(len(quote), room)]), nil
}

// next returns the index of the first packet, from the one at index from on,
// that is of the flow (of ICMP if f is nil) and that no line answered for yet;
// it waits for one until hi. -1: none came.
func (r *runner) next(f *flow, from int, hi tcp.Time) (int, error) {
	find := func() bool {
		for ; from < len(r.sent); from++ {
			if s := r.sent[from]; !s.consumed && (s.tcp == nil) == (f == nil) && s.udp == nil && s.flow == f {
				return true
			}
		}
		return false
	}
	found, err := r.until(hi, find)
	if !found {
		return -1, err
	}
	return from, nil
}

// lookAhead is how long after its time a missing packet is waited for, to say
// in a failure when it did come.
const lookAhead = tcp.Time(3600e9)

// expect compares a packet of the script with what the host sends from lo to
// hi.
func (r *runner) expect(p *Packet, lo, hi tcp.Time, slack time.Duration) error {
	if err := r.start(); err != nil {
		return err
	}
	if p.UDP != nil {
		return r.expectUDP(p, lo, hi, slack)
	}
	if p.ICMP != nil {
		return r.expectICMP(p, lo, hi, slack)
	}
	f, err := r.connection(p)
	if err != nil {
		return err
	}
	var skipped *mismatch
	for {
		err := r.expectTCP(f, p, lo, hi, slack)
		e, ok := err.(*mismatch)
		switch {
		case err != nil && skipped != nil && (!ok || e.late):
			return &skipped.failure // nothing came in time that was meant instead
		case !ok:
			return err
		case !r.script.opt.SkipExtraAcks || !e.packet.pureAck() || e.late:
			return &e.failure
		}
		e.packet.consumed = true
		if skipped == nil && p.TCP.Len == 0 {
			skipped = e
		}
	}
}

// mismatch is a failure over a packet that came.
type mismatch struct {
	failure
	packet *sentPacket
	late   bool // only its time is wrong: it came after it
}

// pureAck reports whether a segment is nothing but an ACK.
func (s *sentPacket) pureAck() bool {
	return s.tcp != nil && s.tcp.flags&^uint16(wire.PSH) == uint16(wire.ACK) && len(s.payload) == 0
}

// waitEnd is how long to wait for a packet that should come by hi.
func (r *runner) waitEnd(hi tcp.Time) tcp.Time {
	if hi == forever {
		return forever
	}
	return max(hi, r.now) + lookAhead
}

func (r *runner) expectICMP(p *Packet, lo, hi tcp.Time, slack time.Duration) error {
	want, ok := icmpLookup(r.set.ip6, p.ICMP)
	if !ok {
		return &unsupported{"icmp " + p.ICMP.Type + " " + p.ICMP.Code}
	}
	i, err := r.next(nil, 0, r.waitEnd(hi))
	if err != nil {
		return err
	}
	if i < 0 {
		return failf("nothing was sent")
	}
	s := r.sent[i]
	s.consumed = true
	if err := r.checkTime(s, lo, hi, slack); err != nil {
		return err
	}
	if s.icmp != want {
		return &failure{reason: "another ICMP message was sent", got: "> icmp " + icmpText(r.set.ip6, s.icmp)}
	}
	return nil
}

// checkTime compares when a packet came.
func (r *runner) checkTime(s *sentPacket, lo, hi tcp.Time, slack time.Duration) error {
	if hi == forever || (s.at >= lo.Add(-slack) && s.at <= hi.Add(slack)) {
		return nil
	}
	want := stampText(lo)
	if hi != lo {
		want += "~" + stampText(hi)
	}
	return &mismatch{packet: s, late: s.at > hi, failure: failure{
		reason: fmt.Sprintf("sent at %s, expected at %s", stampText(s.at), want),
		got:    stampText(s.at) + " " + s.text(),
	}}
}

// stampText returns a time as scripts write it.
func stampText(t tcp.Time) string { return fmt.Sprintf("%.6f", t.Sub(scriptStart).Seconds()) }

// text returns a packet as a script writes it.
func (s *sentPacket) text() string {
	dir := "> "
	if s.in {
		dir = "< "
	}
	if s.udp != nil {
		return dir + fmt.Sprintf("udp %d > %d (%d)", s.udp.srcPort, s.udp.dstPort, len(s.payload))
	}
	if s.tcp == nil {
		return dir + "icmp " + icmpText(s.ip.Version == 6, s.icmp)
	}
	f := s.flow
	if f == nil {
		f = newFlow(s.tuple())
		dir += fmt.Sprintf("%d > %d ", s.tcp.srcPort, s.tcp.dstPort)
	}
	return dir + f.segmentText(s)
}

// conversation lists all packets.
func (r *runner) conversation() []string {
	var lines []string
	for _, s := range r.sent {
		lines = append(lines, stampText(s.at)+" "+s.text())
	}
	return lines
}
