package drill

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// udpPath is between what endpoints the datagrams under test go.
type udpPath struct{ local, remote netip.AddrPort }

// udpHeader is the ports of a datagram that was sent.
type udpHeader struct{ srcPort, dstPort uint16 }

// udpPathOf returns the endpoints of a datagram of the script, with the ports
// that it names.
func (r *runner) udpPathOf(p *Packet) udpPath {
	if !r.udp.local.IsValid() {
		r.udp.local = netip.AddrPortFrom(r.set.local.Addr(), r.set.bindPort)
	}
	if !r.udp.remote.IsValid() {
		r.udp.remote = netip.AddrPortFrom(r.set.remote.Addr(), r.port)
		r.port++
	}
	path := r.udp
	remote, local := p.SrcPort, p.DstPort
	if p.Out {
		remote, local = local, remote
	}
	if remote != 0 {
		path.remote = netip.AddrPortFrom(path.remote.Addr(), remote)
	}
	if local != 0 {
		path.local = netip.AddrPortFrom(path.local.Addr(), local)
	}
	if p.Src.IsValid() {
		from, to := p.Src, p.Dst
		if p.Out {
			from, to = to, from
		}
		path = udpPath{netip.AddrPortFrom(to, path.local.Port()), netip.AddrPortFrom(from, path.remote.Port())}
	}
	return path
}

// appendUDP returns an IP packet with a datagram.
func (h *header) appendUDP(srcPort, dstPort uint16, payload []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint16(nil, srcPort)
	b = be.AppendUint16(b, dstPort)
	b = be.AppendUint16(b, uint16(8+len(payload)))
	b = be.AppendUint16(b, 0)
	b = append(b, payload...)
	sum := ^wire.Checksum(b, h.sumPseudo(len(b)))
	if sum == 0 {
		sum = 0xffff // RFC 768
	}
	be.PutUint16(b[6:], sum)
	return h.appendIP(b)
}

// udpBytes makes a datagram of the script one of the wire.
func (r *runner) udpBytes(p *Packet) []byte {
	path := r.udpPathOf(p)
	h := header{
		src: path.remote.Addr(), dst: path.local.Addr(), proto: wire.ProtoUDP,
		tos: p.IP.TOS | ecnBits[p.IP.ECN], ttl: p.IP.TTL, flow: p.IP.FlowLabel,
	}
	r.udp.remote = path.remote
	return h.appendUDP(path.remote.Port(), path.local.Port(), stripes(0, p.UDP.Len))
}

// udpErrorBytes makes an ICMP message about a datagram of the host's.
func (r *runner) udpErrorBytes(p *Packet) ([]byte, error) {
	path := r.udpPathOf(&Packet{})
	quote := header{src: path.local.Addr(), dst: path.remote.Addr(), proto: wire.ProtoUDP, ttl: 64}
	h := header{src: quote.dst, dst: quote.src}
	return h.icmpMessage(p.ICMP, quote.appendUDP(path.local.Port(), path.remote.Port(), make([]byte, p.ICMP.Len)))
}

// expectUDP compares a datagram of the script with what the host sends next.
func (r *runner) expectUDP(p *Packet, lo, hi tcp.Time, slack time.Duration) error {
	var s *sentPacket
	_, err := r.until(r.waitEnd(hi), func() bool {
		for _, s = range r.sent {
			if !s.consumed && s.udp != nil {
				return true
			}
		}
		s = nil
		return false
	})
	if err != nil {
		return err
	}
	if s == nil {
		return failf("nothing was sent")
	}
	s.consumed = true
	if err := r.checkTime(s, lo, hi, slack); err != nil {
		return err
	}
	path := r.udpPathOf(p)
	diff := r.compareIP(newFlow(wire.FourTuple{}), &p.IP, s)
	for _, d := range []struct {
		name      string
		want, got any
	}{
		{"length", p.UDP.Len, len(s.payload)},
		{"source port", path.local.Port(), s.udp.srcPort},
		{"destination port", path.remote.Port(), s.udp.dstPort},
	} {
		if fmt.Sprint(d.want) != fmt.Sprint(d.got) {
			diff = append(diff, fmt.Sprintf("%s (expected %v, got %v)", d.name, d.want, d.got))
		}
	}
	if len(diff) == 0 && !bytes.Equal(s.payload, stripes(0, len(s.payload))) {
		diff = append(diff, "payload")
	}
	if len(diff) > 0 {
		return &failure{reason: "the datagram differs in " + strings.Join(diff, ", "), got: stampText(s.at) + " " + s.text()}
	}
	return nil
}
