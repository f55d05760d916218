package wire

import (
	"encoding/binary"

	"github.com/trivet-net/trivet/seqnum"
)

// TCP option kinds and their lengths in bytes (RFC 9293, Section 3.2; RFC 7323;
// RFC 2018; RFC 2385).
const (
	optionEnd           = 0
	optionNop           = 1
	optionMSS           = 2
	optionWScale        = 3
	optionSACKPermitted = 4
	optionSACK          = 5
	optionTS            = 8
	optionMD5           = 19
	optionFastOpen      = 34
	optionExperimental  = 254

	optionMSSLen           = 4
	optionWScaleLen        = 3
	optionSACKPermittedLen = 2
	optionTSLen            = 10
	optionMD5Len           = 18
	sackBlockLen           = 8

	minFastOpenCookie = 4
	fastOpenMagic     = 0xf989 // of the experiment (RFC 7413, Section 8)

	maxOptionsLen = 40
)

// timestampsAlone is how options begin that are nothing but timestamps, the
// way every stack sends them (RFC 7323, Appendix A).
const timestampsAlone = optionNop<<24 | optionNop<<16 | optionTS<<8 | optionTSLen

// parse reads the options in b, at any alignment (RFC 9293, Section 3.1,
// MUST-64). Those that are not understood are passed over by their length
// (MUST-6), and so are known ones of a wrong length. A length that cannot be
// ends the parsing (MUST-7); what came before it counts, as it does in every
// deployed stack. Of an option that occurs twice the last one counts.
func (o *Options) parse(b []byte) {
	if len(b) == 12 && binary.BigEndian.Uint32(b) == timestampsAlone {
		o.setTS(b[4:])
		return
	}
	for len(b) > 0 {
		switch b[0] {
		case optionEnd:
			return
		case optionNop:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		o.set(b[0], b[2:b[1]])
		b = b[b[1]:]
	}
}

// set stores the option of the given kind; data is what follows its length.
func (o *Options) set(kind uint8, data []byte) {
	switch kind {
	case optionMSS:
		if len(data) == optionMSSLen-2 {
			o.MSS = binary.BigEndian.Uint16(data)
		}
	case optionWScale:
		if len(data) == optionWScaleLen-2 {
			o.HasWScale, o.WScale = true, data[0]
		}
	case optionSACKPermitted:
		if len(data) == optionSACKPermittedLen-2 {
			o.SACKPermitted = true
		}
	case optionTS:
		if len(data) == optionTSLen-2 {
			o.setTS(data)
		}
	case optionSACK:
		o.setSACK(data)
	case optionMD5:
		o.HasMD5 = o.HasMD5 || len(data) == optionMD5Len-2
	case optionFastOpen:
		o.setFastOpen(data, false)
	case optionExperimental:
		if len(data) >= 2 && binary.BigEndian.Uint16(data) == fastOpenMagic {
			o.setFastOpen(data[2:], true)
		}
	}
}

// setFastOpen takes a cookie. RFC 7413, Section 4.1.1: its length is even, and 4
// to 16 bytes, or it is none.
func (o *Options) setFastOpen(cookie []byte, experimental bool) {
	n := len(cookie)
	if n > len(o.FastOpen.Cookie) || n%2 != 0 || (n > 0 && n < minFastOpenCookie) {
		return
	}
	o.FastOpen = FastOpen{Present: true, Experimental: experimental, Len: uint8(n)}
	copy(o.FastOpen.Cookie[:], cookie)
}

func (o *Options) setTS(data []byte) {
	o.HasTS = true
	o.TSVal = binary.BigEndian.Uint32(data)
	o.TSEcr = binary.BigEndian.Uint32(data[4:])
}

func (o *Options) setSACK(data []byte) {
	n := len(data) / sackBlockLen
	if len(data)%sackBlockLen != 0 || n > len(o.SACK) {
		return
	}
	o.NumSACK = uint8(n)
	clear(o.SACK[n:])
	for i := range n {
		b := data[i*sackBlockLen:]
		o.SACK[i] = SACKBlock{
			Left:  seqnum.Value(binary.BigEndian.Uint32(b)),
			Right: seqnum.Value(binary.BigEndian.Uint32(b[4:])),
		}
	}
}

// Len returns the length of the options in a header in bytes, padding
// included: a multiple of 4, at most 40.
func (o *Options) Len() int {
	n := o.fixedLen()
	if k := o.sackFit(n); k > 0 {
		n += 4 + k*sackBlockLen
	}
	return n
}

// fixedLen is the length of all options but SACK, each padded to 4 bytes.
func (o *Options) fixedLen() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.HasTS {
		n += 12
	} else if o.SACKPermitted {
		n += 4
	}
	if o.HasWScale {
		n += 4
	}
	return n + o.FastOpen.size()
}

// size is what the option takes of a header. The longest fits with all options of
// a SYN.
func (f *FastOpen) size() int {
	if !f.Present {
		return 0
	}
	return (f.optionLen() + 3) &^ 3
}

// optionLen is the length of the option itself.
func (f *FastOpen) optionLen() int {
	if f.Experimental {
		return 4 + int(f.Len)
	}
	return 2 + int(f.Len)
}

// put writes the option, and the NOPs that fill it up, to b.
func (f *FastOpen) put(b []byte) {
	for i := range b {
		b[i] = optionNop
	}
	b[0], b[1] = optionFastOpen, uint8(f.optionLen())
	if f.Experimental {
		b[0] = optionExperimental
		binary.BigEndian.PutUint16(b[2:], fastOpenMagic)
	}
	copy(b[int(b[1])-int(f.Len):], f.Bytes())
}

// sackFit returns how many SACK blocks fit after n bytes of other options.
func (o *Options) sackFit(n int) int {
	return min(int(o.NumSACK), (maxOptionsLen-4-n)/sackBlockLen)
}

// put writes the options to b, which has room for Len bytes, in Linux's
// layout: every option but MSS preceded by as many NOPs as align it, and SACK-
// permitted in the place of the NOPs of timestamps. SACK blocks that do not
// fit, the last ones, are left out.
func (o *Options) put(b []byte) {
	be := binary.BigEndian
	fit := o.sackFit(o.fixedLen())
	if o.MSS != 0 {
		be.PutUint32(b, optionMSS<<24|optionMSSLen<<16|uint32(o.MSS))
		b = b[4:]
	}
	switch {
	case o.HasTS:
		word := uint32(timestampsAlone)
		if o.SACKPermitted {
			word = optionSACKPermitted<<24 | optionSACKPermittedLen<<16 | optionTS<<8 | optionTSLen
		}
		be.PutUint32(b, word)
		be.PutUint32(b[4:], o.TSVal)
		be.PutUint32(b[8:], o.TSEcr)
		b = b[12:]
	case o.SACKPermitted:
		be.PutUint32(b, optionNop<<24|optionNop<<16|optionSACKPermitted<<8|optionSACKPermittedLen)
		b = b[4:]
	}
	if o.HasWScale {
		be.PutUint32(b, optionNop<<24|optionWScale<<16|optionWScaleLen<<8|uint32(o.WScale))
		b = b[4:]
	}
	if n := o.FastOpen.size(); n > 0 {
		o.FastOpen.put(b[:n])
		b = b[n:]
	}
	if fit > 0 {
		be.PutUint32(b, optionNop<<24|optionNop<<16|optionSACK<<8|uint32(2+fit*sackBlockLen))
		for i, s := range o.SACK[:fit] {
			be.PutUint32(b[4+i*sackBlockLen:], uint32(s.Left))
			be.PutUint32(b[8+i*sackBlockLen:], uint32(s.Right))
		}
	}
}
