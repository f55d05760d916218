package conformance

import (
	"encoding/binary"
	"net/netip"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

func (t *trial) icmpHard() {
	t.outstanding(10)
	code := wire.ICMPPortUnreachable
	if t.has("protocol") {
		code = wire.ICMPProtocolUnreachable
	}
	t.unreachable(code, t.peer.una)
}

func (t *trial) icmpSoft() {
	t.outstanding(10)
	code := wire.ICMPHostUnreachable
	if t.has("net") {
		code = wire.ICMPNetUnreachable
	}
	t.unreachable(code, t.peer.una)
}

func (t *trial) icmpTooBig() {
	t.outstanding(1400)
	t.icmp(3, 4, 1000, t.peer.una)
}

// outstanding has the user send n bytes, where he can.
func (t *trial) outstanding(n int) {
	if t.has("half") {
		t.syn()
	}
	if t.begins("ES", "CW") {
		t.write(n)
	}
	t.mark()
}

func (t *trial) unreachable(code int, seq seqnum.Value) { t.icmp(3, byte(code), 0, seq) }

// icmp lets the host have an ICMP error from a router about a segment of its
// own with the sequence number.
func (t *trial) icmp(typ, code byte, rest uint32, seq seqnum.Value) {
	if t.has("half") {
		defer t.away()
	}
	quote := ipHeader(hostAddr, peerAddr, wire.ProtoTCP, 40)
	quote = binary.BigEndian.AppendUint16(quote, t.peer.tuple.LocalPort)
	quote = binary.BigEndian.AppendUint16(quote, t.peer.tuple.RemotePort)
	quote = binary.BigEndian.AppendUint32(quote, uint32(seq))
	m := binary.BigEndian.AppendUint32([]byte{typ, code, 0, 0}, rest)
	m = append(m, quote...)
	binary.BigEndian.PutUint16(m[2:], checksum(m))
	t.packet(append(ipHeader(netip.MustParseAddr("10.0.0.9"), hostAddr, wire.ProtoICMP, 20+len(m)), m...))
}

func ipHeader(src, dst netip.Addr, protocol byte, size int) []byte {
	b := make([]byte, 20)
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return b
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
