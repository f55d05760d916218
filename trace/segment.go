package trace

import (
	"fmt"
	"strings"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// segment is a TCP segment of a conversation, from sending to its end.
type segment struct {
	packet *Packet
	tuple  wire.FourTuple // as the sender sees it
	from   side
	tcp    wire.Segment // Payload is not set
	text   []byte       // the payload

	own, peer *isn // what its sequence and acknowledgement numbers count from

	send, arrive *item // arrive is nil when lost
	kind         segmentKind
	repeats      *segment // what it sends again
	repeated     bool     // sent again later
	repairing    bool     // its sender was repairing losses
	acksFin      bool     // acknowledges the peer's FIN
}

// isn is what relative numbers of one direction count from.
type isn struct {
	known   bool
	seq     seqnum.Value
	knownTS bool
	ts      uint32
}

// flagLetters is the order in which packetdrill writes the control bits.
var flagLetters = [...]struct {
	flag   wire.Flags
	letter byte
}{
	{wire.FIN, 'F'},
	{wire.SYN, 'S'},
	{wire.RST, 'R'},
	{wire.PSH, 'P'},
	{wire.ACK, '.'},
	{wire.URG, 'U'},
	{wire.ECE, 'E'},
	{wire.CWR, 'W'},
	{wire.AE, 'A'},
}

func flagText(f wire.Flags) string {
	var b []byte
	for _, l := range flagLetters {
		if f.Has(l.flag) {
			b = append(b, l.letter)
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}

// numbering prints the numbers of one direction: own counts its sequence
// numbers, peer those it acknowledges. Zero values print what is on the wire.
type numbering struct{ own, peer isn }

// words returns the segment in packetdrill's grammar, cut where a line may
// break. Options that only pad (NOP) are left out.
func (n numbering) words(s *wire.Segment) []string {
	w := []string{flagText(s.Flags), n.sequence(s)}
	if s.Flags.Has(wire.ACK) {
		w = append(w, fmt.Sprintf("ack %d", uint32(s.Ack-n.peer.seq)))
	}
	w = append(w, fmt.Sprintf("win %d", s.Window))
	if s.Flags.Has(wire.URG) {
		w = append(w, fmt.Sprintf("urg %d", s.Urgent))
	}
	return append(w, n.options(s)...)
}

func (n numbering) sequence(s *wire.Segment) string {
	seq := uint32(s.Seq - n.own.seq)
	return fmt.Sprintf("%d:%d(%d)", seq, seq+uint32(s.PayloadLen), s.PayloadLen)
}

// options returns the options, the first with "<" before it and the last with
// ">" after it.
func (n numbering) options(s *wire.Segment) []string {
	o := &s.Options
	var w []string
	if o.MSS != 0 {
		w = append(w, fmt.Sprintf("mss %d", o.MSS))
	}
	if o.SACKPermitted {
		w = append(w, "sackOK")
	}
	if o.HasTS {
		ecr := o.TSEcr
		if s.Flags.Has(wire.ACK) {
			ecr -= n.peer.ts
		}
		w = append(w, fmt.Sprintf("TS val %d ecr %d", o.TSVal-n.own.ts, ecr))
	}
	if o.HasWScale {
		w = append(w, fmt.Sprintf("wscale %d", o.WScale))
	}
	if o.FastOpen.Present {
		w = append(w, o.FastOpen.String())
	}
	if o.NumSACK > 0 {
		blocks := []string{"sack"}
		for _, b := range o.SACK[:o.NumSACK] {
			blocks = append(blocks, fmt.Sprintf("%d:%d", uint32(b.Left-n.peer.seq), uint32(b.Right-n.peer.seq)))
		}
		w = append(w, strings.Join(blocks, " "))
	}
	for i := range w {
		if i == 0 {
			w[i] = "<" + w[i]
		}
		if i == len(w)-1 {
			w[i] += ">"
		} else {
			w[i] += ","
		}
	}
	return w
}

// Text returns the segment as packetdrill writes it, with the numbers on the
// wire: "S. 7000:7000(0) ack 4243 win 65535 <mss 1460,sackOK>".
func Text(s *wire.Segment) string {
	w := numbering{}.words(s)
	return joinWords(w)
}

// joinWords joins words; between options there is a comma already.
func joinWords(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && !strings.HasSuffix(words[i-1], ",") {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}
