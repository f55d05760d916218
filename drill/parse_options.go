package drill

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
)

// The kinds of the TCP options that scripts name.
const (
	optionEOL       = 0
	optionNOP       = 1
	optionMSS       = 2
	optionWScale    = 3
	optionSACKOK    = 4
	optionSACK      = 5
	optionTimestamp = 8
	optionMD5       = 19
	optionFastOpen  = 34
	optionAccECN0   = 172
	optionAccECN1   = 174
	optionExp       = 254
)

// tcpOptions reads "<option,option>" or "<...>".
func (p *parser) tcpOptions(t *TCP, out bool) {
	p.expect("<")
	if p.tok.kind == tokenEllipsis {
		if !out {
			p.failAt(p.tok.Pos, "expected TCP options: <...> is for packets out")
			return
		}
		t.AnyOptions = true
		p.advance()
		p.expect(">")
		return
	}
	size := 0
	for p.err == nil {
		at := p.tok.Pos
		o := p.tcpOption()
		t.Options = append(t.Options, o)
		t.signed = t.signed || o.signed
		if size += len(o.Bytes); size > 40 {
			p.failAt(at, "expected at most 40 bytes of TCP options")
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(">")
}

func (p *parser) tcpOption() TCPOption {
	switch {
	case p.acceptWord("nop"):
		return TCPOption{Kind: optionNOP, Bytes: []byte{optionNOP}}
	case p.acceptWord("eol"):
		return TCPOption{Kind: optionEOL, Bytes: []byte{optionEOL}}
	case p.acceptWord("mss"):
		n := p.integer("a segment size", math.MaxUint16)
		return option(optionMSS, binary.BigEndian.AppendUint16(nil, uint16(n)))
	case p.acceptWord("wscale"):
		return option(optionWScale, []byte{byte(p.integer("a window shift", math.MaxUint8))})
	case p.acceptWord("sackOK"):
		return option(optionSACKOK, nil)
	case p.acceptWord("sack"):
		return p.sackOption()
	case p.acceptWord("TS"):
		return p.timestampOption()
	case p.acceptWord("md5"):
		if p.acceptWord("valid") || p.acceptWord("invalid") {
			return TCPOption{Kind: optionMD5, Bytes: make([]byte, 18), signed: true}
		}
		return option(optionMD5, p.hexBytes("an MD5 digest, valid or invalid"))
	case p.acceptWord("FO"):
		return option(optionFastOpen, p.hexBytes(""))
	case p.acceptWord("FOEXP"):
		return option(optionExp, append([]byte{0xf9, 0x89}, p.hexBytes("")...))
	case p.acceptWord("ECN"):
		return p.accECNOption()
	case p.isWord("gen"), p.isWord("exp"), p.isWord("EXP"):
		return p.genericOption()
	}
	p.fail("a TCP option: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, ECN or gen-N")
	return TCPOption{}
}

// option returns the option of a kind with data.
func option(kind uint8, data []byte) TCPOption {
	return TCPOption{Kind: kind, Bytes: append([]byte{kind, uint8(2 + len(data))}, data...)}
}

func (p *parser) sackOption() TCPOption {
	var data []byte
	for p.err == nil && len(data) < 40 {
		data = binary.BigEndian.AppendUint32(data, uint32(p.integer("the left edge of a SACK block", math.MaxUint32)))
		p.expect(":")
		data = binary.BigEndian.AppendUint32(data, uint32(p.integer("the right edge of a SACK block", math.MaxUint32)))
		if p.tok.kind != tokenInt {
			break
		}
	}
	return option(optionSACK, data)
}

func (p *parser) timestampOption() TCPOption {
	var val, ecr uint32
	anyVal := false
	if !p.acceptWord("val") {
		p.fail("val")
	}
	if p.tok.kind == tokenEllipsis {
		anyVal = true
		p.advance()
	} else {
		val = uint32(p.integer("a timestamp", math.MaxUint32))
	}
	if !p.acceptWord("ecr") {
		p.fail("ecr")
	}
	ecr = uint32(p.integer("a timestamp echo", math.MaxUint32))
	data := binary.BigEndian.AppendUint32(nil, val)
	o := option(optionTimestamp, binary.BigEndian.AppendUint32(data, ecr))
	o.ValAny = anyVal
	o.EcrRaw = p.accept("!")
	return o
}

// hexBytes reads bytes written in hexadecimal. If what is empty they may be
// missing.
func (p *parser) hexBytes(what string) []byte {
	if p.tok.kind != tokenWord && p.tok.kind != tokenInt {
		if what != "" {
			p.fail(what + " in hexadecimal")
		}
		return nil
	}
	b, err := hex.DecodeString(p.tok.text)
	if err != nil || len(b) > 38 {
		p.fail("at most 38 bytes in hexadecimal, two digits each")
		return nil
	}
	p.advance()
	return b
}

// accECNOption reads the counters of RFC 9768, Section 3.2.3, in the order in
// which they are written.
func (p *parser) accECNOption() TCPOption {
	kind := uint8(optionAccECN0)
	if p.isWord("e1b") {
		kind = optionAccECN1
	}
	var data []byte
	for p.isWord("e0b") || p.isWord("e1b") || p.isWord("ceb") {
		p.advance()
		n := p.integer("an AccECN counter", 1<<24-1)
		data = append(data, byte(n>>16), byte(n>>8), byte(n))
	}
	if len(data) == 0 {
		p.fail("e0b, e1b or ceb")
	}
	return option(kind, data)
}

// genericOption reads "gen-KIND data" or "exp-EXID data" of the BSD fork, and
// its "EXP-FO cookie".
func (p *parser) genericOption() TCPOption {
	generic := p.isWord("gen")
	p.advance()
	if !generic && p.accept("-") {
		if p.acceptWord("FO") {
			return option(optionExp, append([]byte{0xf9, 0x89}, p.hexBytes("")...))
		}
	}
	text := strings.TrimPrefix(p.tok.raw, "-")
	if p.tok.kind != tokenInt && p.tok.kind != tokenWord {
		p.fail("'-' and a number")
		return TCPOption{}
	}
	if generic {
		kind := uint8(max(0, -p.tok.num))
		if p.tok.kind != tokenInt || p.tok.num > 0 || p.tok.num < -math.MaxUint8 {
			p.fail("an option kind from 0 to 255")
		}
		p.advance()
		return option(kind, p.hexBytes(""))
	}
	if len(text)%2 == 1 {
		text = "0" + text
	}
	exid, err := hex.DecodeString(text)
	if err != nil || len(exid) > 4 {
		p.fail("an experiment identifier in hexadecimal")
		return TCPOption{}
	}
	p.advance()
	return option(optionExp, append(exid, p.hexBytes("")...))
}
