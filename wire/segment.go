package wire

import (
	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
)

// Flags are the control bits of a TCP header (RFC 9293, Section 3.1; AE as in
// RFC 9768).
type Flags uint16

// The control bits, in the order of the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE
)

// Has reports whether all bits of g are set in f.
func (f Flags) Has(g Flags) bool { return f&g == g }

// SACKBlock is one block of the SACK option: [Left, Right) was received
// (RFC 2018, Section 3).
type SACKBlock struct{ Left, Right seqnum.Value }

// Options are the TCP options that Trivet understands; the others are skipped
// when parsed. The zero value is no option at all.
type Options struct {
	MSS           uint16 // maximum segment size in bytes; 0: not present
	HasWScale     bool
	WScale        uint8 // window scale shift, as received: may be over 14
	SACKPermitted bool
	HasTS         bool
	TSVal, TSEcr  uint32
	NumSACK       uint8
	SACK          [4]SACKBlock // the first NumSACK are set
	HasMD5        bool         // a signature of RFC 2385 was there; none is ever written
	FastOpen      FastOpen
}

// FastOpen is the option of TCP Fast Open (RFC 7413, Section 4.1.1), of which
// only that of a SYN means anything. The zero value is none.
type FastOpen struct {
	Present      bool
	Experimental bool  // in the form from before the RFC: option 254 (RFC 6994)
	Len          uint8 // of the cookie, in bytes: 0, which asks for one, or 4 to 16
	Cookie       [16]byte
}

// Bytes returns the cookie.
func (f *FastOpen) Bytes() []byte { return f.Cookie[:f.Len] }

// Segment is a TCP segment without its IP header: what arrives at a
// connection and what a connection sends. It may stand for several segments on
// the wire (see SegSize).
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         seqnum.Value
	Flags            Flags
	Window           uint16 // as on the wire, not scaled
	Urgent           uint16
	Options          Options

	// Payload is the text, in order. PayloadLen is the sum of its lengths.
	// The bytes are borrowed: see package block.
	Payload    []block.Chunk
	PayloadLen int

	// SegSize is the payload size of each segment on the wire but the last
	// when this is a super-segment, else 0. Count is how many segments on the
	// wire it stands for (1 for a plain one).
	SegSize int
	Count   int

	// TOS is the IPv4 TOS or IPv6 traffic class byte: DSCP and ECN.
	TOS uint8
	// TTL is the IPv4 TTL or IPv6 hop limit; 0 on a segment to be sent means
	// the engine's default.
	TTL uint8

	// Retransmit says that some of a sent segment was sent before. It is not
	// on the wire; traces show it.
	Retransmit bool
}

// Len returns SEG.LEN: the payload length, SYN and FIN counting one each
// (RFC 9293, Section 3.4).
func (s *Segment) Len() seqnum.Size {
	n := seqnum.Size(s.PayloadLen)
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// End returns the sequence number after the segment, SEG.SEQ + SEG.LEN.
func (s *Segment) End() seqnum.Value { return s.Seq.Add(s.Len()) }

// Reset makes s the zero segment, keeping the memory of its Payload slice.
func (s *Segment) Reset() { *s = Segment{Payload: s.Payload[:0]} }

// Append adds a chunk of payload. It takes no reference.
func (s *Segment) Append(c block.Chunk) {
	s.Payload = append(s.Payload, c)
	s.PayloadLen += len(c.Data)
}
