package trace

import "github.com/trivet-net/trivet/tcp"

// Remark is what can be said about one TCP segment on the link, for renderings
// that show packets one by one.
type Remark struct {
	Packet *Packet
	// Sender is the state of the sending end after it sent, Receiver that of
	// the other end after the segment arrived; Arrived is false when it did not.
	Sender, Receiver tcp.State
	Arrived          bool
	// Repeats is the number of the packet that this one sends again, else 0.
	Repeats int
	// Text explains the segment and its fate.
	Text string
}

// Remarks returns a remark for each TCP segment of the log, by packet number.
func (l *Log) Remarks(lang Lang) map[int]Remark {
	remarks := map[int]Remark{}
	for i := 0; ; i++ {
		talk := converse(l, &Style{Connection: i})
		if talk == nil {
			return remarks
		}
		x := explainer{talk, lang, SeqRelative}
		for _, seg := range talk.segments {
			r := Remark{Packet: seg.packet, Sender: seg.send.state, Text: x.send(seg)}
			if seg.arrive != nil {
				r.Arrived, r.Receiver = true, seg.arrive.state
				r.Text = x.join([]string{r.Text, x.arrive(seg.arrive)})
			}
			if seg.repeats != nil {
				r.Repeats = seg.repeats.packet.Number
			}
			remarks[seg.packet.Number] = r
		}
	}
}
