package pcapng

import (
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/trace"
)

// nanoseconds is the resolution of time stamps, as a power of ten.
const nanoseconds = 9

// Write writes the packets of the log to w, with comments in the language.
// The same log gives the same bytes: virtual time counts from the Unix epoch.
func Write(w io.Writer, log *trace.Log, lang trace.Lang) error {
	packets := log.Packets()
	hosts := senders(packets)
	out, err := begin(w, hosts)
	if err != nil {
		return err
	}
	index := map[string]int{}
	for i, h := range hosts {
		index[h] = i
	}
	remarks := log.Remarks(lang)
	for _, p := range packets {
		info := gopacket.CaptureInfo{
			Timestamp:      time.Unix(0, int64(p.Sent)).UTC(),
			CaptureLength:  len(p.Data),
			Length:         len(p.Data),
			InterfaceIndex: index[p.From],
		}
		options := pcapgo.NgPacketOptions{
			Comments: comments(p, remarks),
			Flags:    &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound},
		}
		if err := out.WritePacketWithOptions(info, p.Data, options); err != nil {
			return err
		}
	}
	return out.Flush()
}

// begin writes the section header and an interface for each host.
func begin(w io.Writer, hosts []string) (*pcapgo.NgWriter, error) {
	if len(hosts) == 0 {
		hosts = []string{"none"}
	}
	device := func(name string) pcapgo.NgInterface {
		return pcapgo.NgInterface{
			Name: name, Description: "simulated host " + name,
			LinkType: layers.LinkTypeRaw, TimestampResolution: nanoseconds,
		}
	}
	section := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "trivet"}}
	out, err := pcapgo.NewNgWriterInterface(w, device(hosts[0]), section)
	for _, h := range hosts[1:] {
		if err == nil {
			_, err = out.AddInterface(device(h))
		}
	}
	return out, err
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
