package pcapng

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Write writes the packets of the log to w, each when it was sent, with comments
// in the language. The same log gives the same bytes: virtual time counts from
// the Unix epoch.
func Write(w io.Writer, log *trace.Log, lang trace.Lang) error {
	return WriteAll(w, log, trace.Analyse(log), lang)
}

// WriteAll is Write of a log that was looked through, with comments in several
// languages.
func WriteAll(w io.Writer, log *trace.Log, a *trace.Analysis, langs ...trace.Lang) error {
	var frames []frame
	for _, p := range log.Packets() {
		frames = append(frames, frame{packet: p, device: p.From, at: p.Sent, data: p.Data})
	}
	return write(w, a, frames, langs)
}

// WriteHost writes what a capture on one host would have: what it sends, when
// it does, and what reaches it, as and when it does.
func WriteHost(w io.Writer, log *trace.Log, a *trace.Analysis, host string, langs ...trace.Lang) error {
	var frames []frame
	for i := range log.Entries {
		e := &log.Entries[i]
		switch p := e.Packet; {
		case e.Kind == trace.EntrySent && p.From == host && !p.Foreign:
			frames = append(frames, frame{packet: p, device: host, at: p.Sent, data: p.Data})
		case e.Kind == trace.EntryDelivered && p.To == host:
			f := frame{packet: p, device: host, at: e.Time, data: p.Data, inbound: true}
			if p.Arrived != nil {
				f.data = p.Arrived
			}
			frames = append(frames, f)
		}
	}
	return write(w, a, frames, langs)
}

// frame is a packet in a capture.
type frame struct {
	packet  *trace.Packet
	device  string // the interface
	at      tcp.Time
	data    []byte
	inbound bool
}

func write(w io.Writer, a *trace.Analysis, frames []frame, langs []trace.Lang) error {
	buffered := bufio.NewWriter(w)
	e := &encoder{w: buffered}
	e.section("trivet")
	index := map[string]int{}
	for i, name := range devices(frames) {
		index[name] = i
		e.device(name, "simulated host "+name)
	}
	var remarks []map[int]trace.Remark
	for _, lang := range langs {
		remarks = append(remarks, a.Remarks(lang))
	}
	for _, f := range frames {
		e.packet(index[f.device], f.at, f.data, f.inbound, comments(f.packet, remarks))
	}
	if e.err != nil {
		return e.err
	}
	return buffered.Flush()
}

// devices returns the interfaces in the order in which they are used first,
// "none" when there is none.
func devices(frames []frame) []string {
	var names []string
	seen := map[string]bool{}
	for _, f := range frames {
		if !seen[f.device] {
			seen[f.device] = true
			names = append(names, f.device)
		}
	}
	if len(names) == 0 {
		names = append(names, "none")
	}
	return names
}

// comments says what became of a packet, the states of both ends, what it is
// for in each language, and at last the same for machines: "trivet" and a JSON
// object.
func comments(p *trace.Packet, remarks []map[int]trace.Remark) []string {
	first := fmt.Sprintf("#%d %s > %s: %v", p.Number, p.From, p.To, p.Fate)
	if p.Fate == trace.FateDelivered {
		first += fmt.Sprintf(" after %v", p.End.Sub(p.Sent))
	}
	if p.Corrupted {
		first += ", damaged on the way"
	}
	if p.Marked {
		first += ", marked CE on the way"
	}
	out := []string{first}
	machine := machineComment{
		Number: p.Number, Copy: p.Copy, From: p.From, To: p.To, Fate: p.Fate.String(), Corrupted: p.Corrupted,
		Marked: p.Marked,
	}
	for i := range remarks {
		r, ok := remarks[i][p.Number]
		if !ok {
			break
		}
		if i == 0 {
			out = append(out, machine.states(p, &r))
		}
		if r.Text != "" {
			out = append(out, r.Text)
		}
	}
	text, err := json.Marshal(machine)
	if err != nil {
		panic("pcapng: " + err.Error()) // strings and numbers: it cannot fail
	}
	return append(out, "trivet "+string(text))
}

// machineComment is the comment of a packet for machines.
type machineComment struct {
	Number    int    `json:"number"`
	Copy      int    `json:"copy,omitempty"`
	From      string `json:"from"`
	To        string `json:"to"`
	Fate      string `json:"fate"`
	Corrupted bool   `json:"corrupted,omitempty"`
	Marked    bool   `json:"marked,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Repeats   int    `json:"repeats,omitempty"`
	Needless  bool   `json:"needless,omitempty"`
	Sender    string `json:"sender,omitempty"`
	Receiver  string `json:"receiver,omitempty"`
}

// states fills in what is known of a segment, and says in what states it left
// the ends.
func (m *machineComment) states(p *trace.Packet, r *trace.Remark) string {
	m.Kind, m.Repeats, m.Needless, m.Sender = r.Kind, r.Repeats, r.Needless, r.Sender.String()
	text := fmt.Sprintf("%s %v", p.From, r.Sender)
	if r.Arrived {
		m.Receiver = r.Receiver.String()
		text += fmt.Sprintf(", %s %v", p.To, r.Receiver)
	}
	return text
}
