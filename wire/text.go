package wire

import (
	"encoding/hex"
	"strconv"
)

// flagLetters are packetdrill's, ACK at the end.
var flagLetters = [...]struct {
	flag   Flags
	letter byte
}{
	{SYN, 'S'}, {FIN, 'F'}, {RST, 'R'}, {PSH, 'P'}, {ECE, 'E'}, {CWR, 'W'}, {URG, 'U'}, {AE, 'A'}, {ACK, '.'},
}

// String returns the flags in packetdrill's letters: "S.", "P.", "SEW".
func (f Flags) String() string {
	var b [len(flagLetters)]byte
	return string(f.append(b[:0]))
}

func (f Flags) append(b []byte) []byte {
	for _, l := range flagLetters {
		if f&l.flag != 0 {
			b = append(b, l.letter)
		}
	}
	return b
}

// String returns the block as packetdrill writes it, "left:right".
func (s SACKBlock) String() string { return string(s.append(nil)) }

func (s SACKBlock) append(b []byte) []byte {
	b = appendUint(b, uint32(s.Left))
	b = append(b, ':')
	return appendUint(b, uint32(s.Right))
}

// String returns the options in packetdrill's grammar and in the order and
// with the padding that BuildTCP sends them: "mss 1460,sackOK,TS val 1 ecr
// 0,nop,wscale 7".
func (o Options) String() string { return string(o.append(nil)) }

// String returns the option in packetdrill's grammar: "FO 0123456789abcdef".
func (f FastOpen) String() string {
	name := "FO"
	if f.Experimental {
		name = "FOEXP"
	}
	if f.Len == 0 {
		return name
	}
	return name + " " + hex.EncodeToString(f.Bytes())
}

func (o *Options) append(b []byte) []byte {
	sep := ""
	item := func(s string) {
		b = append(append(b, sep...), s...)
		sep = ","
	}
	if o.MSS != 0 {
		item("mss ")
		b = appendUint(b, uint32(o.MSS))
	}
	switch {
	case o.SACKPermitted && o.HasTS:
		item("sackOK")
	case o.SACKPermitted:
		item("nop,nop,sackOK")
	case o.HasTS:
		item("nop,nop")
	}
	if o.HasTS {
		item("TS val ")
		b = append(appendUint(b, o.TSVal), " ecr "...)
		b = appendUint(b, o.TSEcr)
	}
	if o.HasWScale {
		item("nop,wscale ")
		b = appendUint(b, uint32(o.WScale))
	}
	if o.FastOpen.Present {
		item(o.FastOpen.String())
		for n := o.FastOpen.size() - o.FastOpen.optionLen(); n > 0; n-- {
			item("nop")
		}
	}
	if o.NumSACK > 0 {
		item("nop,nop,sack")
		for _, s := range o.SACK[:o.NumSACK] {
			b = s.append(append(b, ' '))
		}
	}
	return b
}

// String returns the segment in packetdrill's grammar: "P. 1:101(100) ack 1
// win 502 <nop,nop,TS val 1 ecr 2>". The number after the colon is that after
// the payload; SYN and FIN do not count.
func (s *Segment) String() string {
	b := make([]byte, 0, 96)
	b = append(s.Flags.append(b), ' ')
	b = append(appendUint(b, uint32(s.Seq)), ':')
	b = append(appendUint(b, uint32(s.Seq)+uint32(s.PayloadLen)), '(')
	b = append(appendUint(b, uint32(s.PayloadLen)), ')')
	if s.Flags.Has(ACK) {
		b = appendUint(append(b, " ack "...), uint32(s.Ack))
	}
	b = appendUint(append(b, " win "...), uint32(s.Window))
	if s.Flags.Has(URG) {
		b = appendUint(append(b, " urg "...), uint32(s.Urgent))
	}
	if s.Options != (Options{}) {
		b = append(b, " <"...)
		b = append(s.Options.append(b), '>')
	}
	return string(b)
}

func appendUint(b []byte, n uint32) []byte { return strconv.AppendUint(b, uint64(n), 10) }
