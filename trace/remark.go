package trace

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Remark is what can be said about one TCP segment on the link, for renderings
// that show packets one by one.
type Remark struct {
	Packet *Packet
	// Connection is the index of its connection.
	Connection int
	// Segment is the segment without its payload.
	Segment *wire.Segment
	// Seq and Ack count from the first of each side.
	Seq, Ack uint32
	// Window is the window in bytes, scaled.
	Window int
	// SACK are the blocks that the receiver reports, relative as Ack is.
	SACK [][2]uint32
	// Words is the segment in packetdrill's grammar, with relative numbers.
	Words string
	// Kind says what it is for: syn, syn-ack, handshake, data, fin, reset, ack,
	// ack-again, duplicate-ack, dsack, window, keep-alive or window-probe.
	Kind string
	// Sender is the state of the sending end after it sent, Receiver that of
	// the other end after the segment arrived; Arrived is false when it did not.
	Sender, Receiver tcp.State
	Arrived          bool
	// Repeats is the number of the packet that this one sends again, else 0,
	// and Needless says that that one had arrived.
	Repeats  int
	Needless bool
	// Text explains the segment and its fate.
	Text string
}

var kindNames = [...]string{
	kindAck: "ack", kindAckAgain: "ack-again", kindDuplicate: "duplicate-ack", kindDSACK: "dsack",
	kindWindow: "window", kindHandshake: "handshake", kindSyn: "syn", kindSynAck: "syn-ack", kindData: "data",
	kindFin: "fin", kindReset: "reset", kindKeepAlive: "keep-alive", kindWindowProbe: "window-probe",
}

// Remarks returns a remark for each TCP segment, by packet number.
func (a *Analysis) Remarks(lang Lang) map[int]Remark {
	remarks := make(map[int]Remark, len(a.index))
	for i, talk := range a.talks {
		x := explainer{conversation: talk, lang: lang}
		shifts := talk.shifts()
		for _, seg := range talk.segments {
			r := Remark{
				Packet: seg.packet, Connection: i, Segment: &seg.tcp, Kind: kindNames[seg.kind],
				Seq: uint32(seg.tcp.Seq - seg.own.seq), Sender: seg.send.state, Text: x.send(seg),
				Words: joinWords(numbering{*seg.own, *seg.peer}.words(&seg.tcp)),
			}
			if seg.tcp.Flags.Has(wire.ACK) {
				r.Ack = uint32(seg.tcp.Ack - seg.peer.seq)
			}
			r.Window = int(seg.tcp.Window)
			if !seg.tcp.Flags.Has(wire.SYN) {
				r.Window <<= shifts[seg.from]
			}
			for _, b := range seg.tcp.Options.SACK[:seg.tcp.Options.NumSACK] {
				r.SACK = append(r.SACK, [2]uint32{uint32(b.Left - seg.peer.seq), uint32(b.Right - seg.peer.seq)})
			}
			if seg.arrive != nil {
				r.Arrived, r.Receiver = true, seg.arrive.state
				r.Text = x.join([]string{r.Text, x.arrive(seg.arrive)})
			}
			if seg.repeats != nil {
				r.Repeats, r.Needless = seg.repeats.packet.Number, talk.had(seg.repeats, seg)
			}
			remarks[seg.packet.Number] = r
		}
	}
	return remarks
}
