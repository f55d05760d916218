package drill

import (
	"math"
	"net/netip"

	"github.com/trivet-net/trivet/wire"
)

// packet reads a packet, beginning with its direction.
func (p *parser) packet() *Packet {
	k := &Packet{Out: p.isPunct(">")}
	line := p.tok.Line
	p.advance()
	for p.err == nil {
		k.IP = p.ipInfo()
		switch {
		case k.IP.foreign != "":
			k.Unsupported = k.IP.foreign
			p.skipLine(line)
			return k
		case p.isWord("ipv4"), p.isWord("ipv6"):
			p.advance()
			p.addresses(k)
		case p.isWord("gre"), p.isWord("GREv0"), p.isWord("mpls"), p.isWord("encap"), p.isWord("sctp"), p.isWord("udplite"):
			k.Unsupported = p.tok.raw
			p.skipLine(line)
			return k
		default:
			p.transport(k, line)
			return k
		}
	}
	return k
}

// skipLine drops what is left of a packet that cannot be run: all tokens that
// begin on its line, on the lines below inside brackets that it opens, and on
// those that begin with a word, as no event does.
func (p *parser) skipLine(line int) {
	depth := 0
	for p.err == nil && p.tok.kind != tokenEOF && (p.tok.Line == line || depth > 0 || p.tok.kind == tokenWord) {
		line = p.tok.Line
		switch p.tok.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		p.advance()
	}
}

// addresses reads "[info] A > B:" after ipv4 or ipv6.
func (p *parser) addresses(k *Packet) {
	k.IP = p.ipInfo()
	k.Src = p.addr()
	p.expect(">")
	k.Dst = p.addr()
	p.expect(":")
}

func (p *parser) addr() netip.Addr {
	if p.tok.kind != tokenAddr {
		p.fail("an IP address")
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(p.tok.text)
	if err != nil {
		p.fail("an IP address")
	}
	p.advance()
	return a
}

// transport reads a packet from its transport header on.
func (p *parser) transport(k *Packet, line int) {
	switch {
	case p.acceptWord("icmp"):
		k.ICMP = p.icmp()
		if k.ICMP.overUDP {
			k.ICMP, k.Unsupported = nil, "TCP over UDP"
			return
		}
		if k.IP.quoted != nil {
			k.ICMP.Quotes, k.ICMP.Proto, k.ICMP.Seq, k.ICMP.Len = true, wire.ProtoTCP, k.IP.quoted.Seq, k.IP.quoted.Len
		}
	case k.IP.quoted != nil:
		p.fail("icmp after what it quotes")
	case p.acceptWord("udp"):
		p.ports(k)
		k.UDP = &UDP{Len: p.payload()}
	default:
		p.ports(k)
		k.TCP = p.tcp(k.Out)
		if p.isPunct("/") {
			p.encapsulation()
			k.TCP, k.Unsupported = nil, "TCP over UDP"
		} else if k.TCP.signed {
			k.TCP, k.Unsupported = nil, "MD5-signed"
		}
	}
	if !k.Out && k.IP.ECN == ECNECT01 {
		p.failAt(Pos{line, 1}, "expected ect0 or ect1: ect01 is for packets out")
	}
}

// encapsulation reads "/udp(src > dst)", what a segment is carried in.
func (p *parser) encapsulation() {
	p.expect("/")
	if !p.acceptWord("udp") {
		p.fail("udp")
	}
	p.expect("(")
	p.integer("a port", math.MaxUint16)
	p.expect(">")
	p.integer("a port", math.MaxUint16)
	p.expect(")")
}

// ports reads "src > dst" if it is there.
func (p *parser) ports(k *Packet) {
	if p.tok.kind != tokenInt {
		return
	}
	k.SrcPort = uint16(p.integer("a port", math.MaxUint16))
	p.expect(">")
	k.DstPort = uint16(p.integer("a port", math.MaxUint16))
}

// payload reads "(n)".
func (p *parser) payload() int {
	p.expect("(")
	n := p.integer("a payload length", math.MaxUint16)
	p.expect(")")
	return int(n)
}

// ipInfo reads "[...]" or "(...)" with what is said of the IP header.
func (p *parser) ipInfo() IPInfo {
	var i IPInfo
	end := ""
	switch {
	case p.isPunct("["):
		end = "]"
	case p.isPunct("("):
		end = ")"
	default:
		return i
	}
	p.advance()
	for p.err == nil {
		p.ipField(&i)
		if !p.accept(",") {
			break
		}
	}
	p.expect(end)
	return i
}

var ecnWords = map[string]ECN{
	"noecn": ECNNone, "ect0": ECNECT0, "ect1": ECNECT1, "ce": ECNCE, "ect01": ECNECT01,
}

// dscpWords are the names of DSCP values (RFC 2474, RFC 2597, RFC 3246, RFC
// 5865, RFC 8622).
var dscpWords = map[string]uint8{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22,
	"af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38, "ef": 46, "le": 1,
}

// ipField reads one thing said of the IP header.
func (p *parser) ipField(i *IPInfo) {
	word := p.tok.raw
	if e, ok := ecnWords[word]; ok && p.tok.kind == tokenWord {
		i.ECN = e
		p.advance()
		return
	}
	switch {
	case p.acceptWord("ecn"):
		e, ok := ecnWords[p.tok.raw]
		if !ok {
			p.fail("noecn, ect0, ect1, ect01 or ce")
			return
		}
		i.ECN = e
		p.advance()
	case p.acceptWord("tos"), p.acceptWord("class"):
		i.HasTOS = true
		i.TOS = uint8(p.integer("a TOS byte", math.MaxUint8))
	case p.acceptWord("dscp"):
		i.HasDSCP = true
		if d, ok := dscpWords[p.tok.raw]; ok {
			i.TOS = d << 2
			p.advance()
			return
		}
		i.TOS = uint8(p.integer("a DSCP", 63)) << 2
	case p.acceptWord("ttl"), p.acceptWord("hlim"):
		i.TTL = uint8(p.integer("a TTL", math.MaxUint8))
	case p.acceptWord("flowlabel"):
		i.HasFlowLabel = true
		i.FlowLabel = uint32(p.integer("a flow label", 1<<20-1))
	case p.tok.kind == tokenInt:
		// What an ICMP message quotes may come before it.
		i.quoted = &TCP{}
		p.sequence(i.quoted)
	case p.acceptWord("sctp"):
		i.foreign = "sctp"
		p.payload()
	default:
		p.fail("ect0, ect1, ect01, ce, noecn, tos, class, dscp, ttl, hlim or flowlabel")
	}
}

// tcp reads a segment from its flags on.
func (p *parser) tcp(out bool) *TCP {
	t := &TCP{}
	p.flags(t)
	p.sequence(t)
	if p.acceptWord("ack") {
		t.HasAck = true
		t.Ack = uint32(p.integer("an acknowledgement number", math.MaxUint32))
		t.AckRaw = p.accept("!")
	}
	if p.acceptWord("win") {
		t.HasWindow = true
		t.Window = uint16(p.integer("a window", math.MaxUint16))
	}
	if p.acceptWord("urg") {
		t.Urgent = uint16(p.integer("an urgent pointer", math.MaxUint16))
	}
	if p.isPunct("<") {
		p.tcpOptions(t, out)
	}
	return t
}

var flagLetters = map[byte]wire.Flags{
	'F': wire.FIN, 'S': wire.SYN, 'R': wire.RST, 'P': wire.PSH, '.': wire.ACK,
	'U': wire.URG, 'E': wire.ECE, 'W': wire.CWR, 'C': wire.CWR, 'A': wire.AE,
}

// flags reads "SEW", "FP.", ".", "-" for none, or with an AccECN number "P.5".
func (p *parser) flags(t *TCP) {
	at := p.tok.Pos
	if p.accept("-") {
		return
	}
	text := ""
	for p.tok.kind == tokenWord || p.isPunct(".") || p.tok.kind == tokenFloat {
		adjacent := p.tok.Line == at.Line && p.tok.Col == at.Col+len(text)
		if text != "" && !adjacent && !p.isPunct(".") {
			break
		}
		text += p.tok.raw
		p.advance()
	}
	if text == "" {
		p.fail("TCP flags such as S, P. or -")
		return
	}
	for i := range len(text) {
		c := text[i]
		if c >= '0' && c <= '7' && !t.HasACE {
			t.HasACE, t.ACE = true, c-'0'
			continue
		}
		f, ok := flagLetters[c]
		if !ok {
			p.failAt(at, "expected TCP flags out of FSRP.UEWA, found %q", text)
			return
		}
		t.Flags |= uint16(f)
	}
}

// sequence reads "seq:end(len)", "seq:end(len)!" or "...(len)".
func (p *parser) sequence(t *TCP) {
	if p.tok.kind == tokenEllipsis {
		p.advance()
		t.SeqAny = true
		t.Len = p.payload()
		return
	}
	at := p.tok.Pos
	t.Seq = uint32(p.integer("a sequence number", math.MaxUint32))
	p.expect(":")
	end := uint32(p.integer("an end sequence number", math.MaxUint32))
	t.Len = p.payload()
	if p.err == nil && end != t.Seq+uint32(t.Len) {
		p.failAt(at, "expected seq:end(length) to add up, found %d:%d(%d)", t.Seq, end, t.Len)
	}
	t.SeqRaw = p.accept("!")
}

// icmp reads an ICMP message from its type on.
func (p *parser) icmp() *ICMP {
	m := &ICMP{Proto: wire.ProtoTCP}
	if p.tok.kind != tokenWord {
		p.fail("an ICMP type such as unreachable")
		return m
	}
	m.Type = p.tok.text
	line := p.tok.Line
	p.advance()
	if p.tok.kind == tokenWord && p.tok.Line == line && p.tok.raw != "mtu" && p.tok.raw != "id" {
		m.Code = p.tok.text
		p.advance()
	}
	if p.acceptWord("mtu") {
		m.HasMTU = true
		m.MTU = int(p.integer("an MTU", math.MaxUint32))
	}
	if p.acceptWord("id") {
		m.ID = int(p.integer("an echo identifier", math.MaxUint16))
	}
	if p.accept("[") {
		m.Quotes = true
		p.quoted(m)
		if p.isPunct("/") {
			p.encapsulation()
			m.overUDP = true
		}
		p.expect("]")
	}
	return m
}

// quoted reads what an ICMP message quotes.
func (p *parser) quoted(m *ICMP) {
	switch {
	case p.acceptWord("udp"):
		m.Proto = wire.ProtoUDP
		m.Len = p.payload()
	case p.acceptWord("udplite"):
		m.Proto = 136
		p.expect("(")
		m.Len = int(p.integer("a payload length", math.MaxUint16))
		if p.accept(",") {
			p.integer("a checksum coverage", math.MaxUint16)
		}
		p.expect(")")
	case p.acceptWord("raw"):
		m.Proto = 255
		m.Len = p.payload()
	default:
		var t TCP
		p.sequence(&t)
		m.Seq, m.Len = t.Seq, t.Len
	}
}
