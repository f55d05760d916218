package pcapng

import (
	"bufio"
	"fmt"
	"io"

	"github.com/trivet-net/trivet/trace"
)

// Write writes the packets of the log to w, with comments in the language.
// The same log gives the same bytes: virtual time counts from the Unix epoch.
func Write(w io.Writer, log *trace.Log, lang trace.Lang) error {
	packets := log.Packets()
	hosts := senders(packets)
	if len(hosts) == 0 {
		hosts = []string{"none"}
	}
	buffered := bufio.NewWriter(w)
	e := &encoder{w: buffered}
	e.section("trivet")
	index := map[string]int{}
	for i, h := range hosts {
		index[h] = i
		e.device(h, "simulated host "+h)
	}
	remarks := log.Remarks(lang)
	for _, p := range packets {
		e.packet(index[p.From], p.Sent, p.Data, comments(p, remarks))
	}
	if e.err != nil {
		return e.err
	}
	return buffered.Flush()
}

// senders returns the hosts that sent something, in the order in which they
// began.
func senders(packets []*trace.Packet) []string {
	var hosts []string
	seen := map[string]bool{}
	for _, p := range packets {
		if !seen[p.From] {
			seen[p.From] = true
			hosts = append(hosts, p.From)
		}
	}
	return hosts
}

// comments says what became of a packet, the states of both ends, and what it
// is for.
func comments(p *trace.Packet, remarks map[int]trace.Remark) []string {
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
	r, ok := remarks[p.Number]
	if !ok {
		return out
	}
	states := fmt.Sprintf("%s %v", p.From, r.Sender)
	if r.Arrived {
		states += fmt.Sprintf(", %s %v", p.To, r.Receiver)
	}
	out = append(out, states)
	if r.Text != "" {
		out = append(out, r.Text)
	}
	return out
}
