package trace

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Flow is the UDP datagrams between two endpoints. End 0 sent the first one;
// end 1 may be a group.
type Flow struct {
	Hosts [2]string
	Addrs [2]netip.AddrPort
	// Begin and End are when the first datagram was sent and the last arrived.
	Begin, End tcp.Time
	// Datagrams and Bytes count what each end sent, Lost what of it did not
	// arrive.
	Datagrams, Bytes, Lost [2]int
	// Late counts the datagrams that one sent later overtook, Errors the ICMP
	// messages about the flow.
	Late, Errors int
}

// flow is a Flow with its datagrams.
type flow struct {
	Flow
	datagrams []*datagram // in the order of sending
}

// datagram is a UDP datagram, or an ICMP message about one.
type datagram struct {
	packet  *Packet
	tuple   wire.FourTuple // of the datagram, as its sender sees it
	from    side
	size    int    // bytes of data
	icmp    string // what the ICMP message says, "" for a datagram
	late    bool   // one that was sent later had arrived
	arrived tcp.Time
	copies  []tcp.Time // when duplicates that the link made arrived
}

// decodeDatagram reads a packet as one; nil when it is none.
func decodeDatagram(p *Packet) *datagram {
	var packet wire.Packet
	var ip wire.IP
	packet.SetBytes(p.Data)
	packet.Checksum = wire.ChecksumValid
	if packet.ParseIP(&ip) != wire.DropNone {
		return nil
	}
	m := &datagram{packet: p}
	switch ip.Protocol {
	case wire.ProtoUDP:
		var u wire.UDP
		if packet.ParseUDP(&ip, &u) != wire.DropNone {
			return nil
		}
		m.size = u.PayloadLen
		m.tuple = wire.FourTuple{LocalAddr: ip.Src, RemoteAddr: ip.Dst, LocalPort: u.SrcPort, RemotePort: u.DstPort}
	case wire.ProtoICMP, wire.ProtoICMPv6:
		var i wire.ICMP
		if packet.ParseICMP(&ip, &i) != wire.DropNone || i.Protocol != wire.ProtoUDP {
			return nil
		}
		m.icmp, m.tuple = i.Text(ip.Version), i.Tuple
	default:
		return nil
	}
	return m
}

// findFlows gathers the datagrams of the log into flows, in the order of their
// first datagrams.
func (a *Analysis) findFlows() {
	found := map[wire.FourTuple]*flow{}
	byNumber := map[int]*datagram{}
	for i := range a.log.Entries {
		e := &a.log.Entries[i]
		if e.Packet == nil || a.index[e.Packet] != nil {
			continue // it is no packet, or a TCP segment
		}
		m := byNumber[e.Packet.Number]
		switch {
		case e.Kind == EntryDelivered && m != nil && e.Packet.Copy > 0:
			m.copies = append(m.copies, e.Time)
		case e.Kind == EntryDelivered && m != nil:
			m.arrived = e.Time
		case e.Kind == EntrySent:
			if m = decodeDatagram(e.Packet); m != nil && a.join(found, e.Time, m) {
				byNumber[e.Packet.Number] = m
			}
		}
	}
	for _, f := range a.flows {
		f.count()
	}
}

// join adds a datagram to its flow, which may be new. An ICMP message about a
// datagram that is not in the log has none.
func (a *Analysis) join(found map[wire.FourTuple]*flow, now tcp.Time, m *datagram) bool {
	f := found[m.tuple]
	if f == nil {
		if m.icmp != "" {
			return false
		}
		f = &flow{Flow: Flow{
			Hosts: [2]string{m.packet.From, m.packet.To}, Begin: now,
			Addrs: [2]netip.AddrPort{m.tuple.Local(), m.tuple.Remote()},
		}}
		found[m.tuple], found[m.tuple.Reverse()] = f, f
		a.flows = append(a.flows, f)
	}
	f.datagrams = append(f.datagrams, m)
	return true
}

// count finds out what became of the datagrams.
func (f *flow) count() {
	var latest [2]tcp.Time // arrival of those sent before
	for _, m := range f.datagrams {
		if (m.tuple.Local() != f.Addrs[0]) != (m.icmp != "") {
			m.from = 1 // an ICMP message goes to the sender of what it quotes
		}
		f.End = max(f.End, m.packet.Sent, m.arrived)
		if m.icmp != "" {
			f.Errors++
			continue
		}
		f.Datagrams[m.from]++
		f.Bytes[m.from] += m.size
		if m.packet.Fate.Lost() {
			f.Lost[m.from]++
		}
	}
	for _, m := range slices.Backward(f.datagrams) {
		if m.arrived == 0 || m.icmp != "" {
			continue
		}
		if earliest := latest[m.from]; earliest != 0 && earliest < m.arrived {
			m.late = true
			f.Late++
		}
		latest[m.from] = tcp.Earliest(latest[m.from], m.arrived)
	}
}

// face puts the host on the left, if it is one of the two.
func (f *flow) face(left string) {
	if left == "" || f.Hosts[1] != left || f.Hosts[0] == left {
		return
	}
	slices.Reverse(f.Hosts[:])
	slices.Reverse(f.Addrs[:])
	for _, counts := range []*[2]int{&f.Datagrams, &f.Bytes, &f.Lost} {
		slices.Reverse(counts[:])
	}
	for _, m := range f.datagrams {
		m.from = m.from.other()
	}
}

// Flows returns the UDP flows of the log, in the order of their first datagrams.
func (a *Analysis) Flows() []Flow {
	list := make([]Flow, len(a.flows))
	for i, f := range a.flows {
		list[i] = f.Flow
	}
	return list
}

// flowRow is a line of a drawn flow.
type flowRow struct {
	at    tcp.Time
	times [2]tcp.Time // -1: nothing there
	arrow string
	note  string
}

// WriteFlow draws the i-th flow: time runs down, an arrow for each datagram, the
// times when it left and arrived beside it, and what became of it. It draws
// nothing when there is no such flow.
func (a *Analysis) WriteFlow(w io.Writer, i int, style Style) error {
	if i < 0 || i >= len(a.flows) {
		return nil
	}
	f := a.flows[i]
	f.face(style.Left)
	if style.Width == 0 {
		style.Width = defaultWidth
	}
	d := flowDrawing{flow: f, style: style, start: a.log.Entries[0].Time}
	d.timeWidth = max(len(d.clock(f.End)), len("time"))
	d.arrowWidth = max(style.Width-noteWidth-gap-2*(d.timeWidth+1), 30)
	out := bufio.NewWriter(w)
	d.write(out)
	return out.Flush()
}

// flowDrawing lays out one flow.
type flowDrawing struct {
	*flow
	style                 Style
	start                 tcp.Time
	timeWidth, arrowWidth int
}

func (d *flowDrawing) clock(t tcp.Time) string { return fmt.Sprintf("%.4f", t.Sub(d.start).Seconds()) }

func (d *flowDrawing) write(out *bufio.Writer) {
	say := d.style.Lang.say
	ends := func(left, right string) string {
		return left + strings.Repeat(" ", max(1, d.arrowWidth-utf8.RuneCountInString(left)-utf8.RuneCountInString(right))) + right
	}
	d.line(out, "time", ends(d.Hosts[0], d.Hosts[1]), "time", say(msgWhat))
	d.line(out, "s", ends("UDP "+d.Addrs[0].String(), d.Addrs[1].String()), "", "")
	fmt.Fprintln(out, d.glyphs(strings.Repeat("-", d.style.Width)))
	last := d.Begin
	for _, r := range d.rows() {
		if wait := r.at.Sub(last); wait > longWait {
			d.line(out, "", "    "+say(msgLater, short(wait)), "", "")
		}
		last = max(last, r.at)
		d.row(out, &r)
	}
	fmt.Fprintf(out, "\n%s\n", say(msgFindings))
	for s, host := range d.Hosts {
		switch {
		case d.Lost[s] > 0:
			fmt.Fprintf(out, "  - %s\n", say(msgFindDatagramsLost, host, d.Datagrams[s], d.Bytes[s], d.Lost[s]))
		case d.Datagrams[s] > 0: // a capture does not tell of losses
			fmt.Fprintf(out, "  - %s\n", say(msgFindDatagrams, host, d.Datagrams[s], d.Bytes[s]))
		}
	}
	if d.Late > 0 {
		fmt.Fprintf(out, "  - %s\n", say(msgFindDatagramsLate, d.Late))
	}
	if d.Errors > 0 {
		fmt.Fprintf(out, "  - %s\n", say(msgFindDatagramErrors, d.Errors))
	}
}

// line writes a line with all columns.
func (d *flowDrawing) line(out *bufio.Writer, t0, arrow, t1, note string) {
	pad := strings.Repeat(" ", max(0, d.arrowWidth-columns(arrow)))
	s := fmt.Sprintf("%*s %s%s %*s  %s", d.timeWidth, t0, arrow, pad, d.timeWidth, t1, note)
	fmt.Fprintln(out, strings.TrimRight(s, " "))
}

// row writes a row, whose note may take several lines.
func (d *flowDrawing) row(out *bufio.Writer, r *flowRow) {
	var times [2]string
	for s, t := range r.times {
		if t >= 0 {
			times[s] = d.clock(t)
		}
	}
	notes := wrap(r.note, noteWidth)
	if len(notes) == 0 {
		notes = []string{""}
	}
	d.line(out, times[0], r.arrow, times[1], notes[0])
	for _, note := range notes[1:] {
		d.line(out, "", "", "", note)
	}
}

func (d *flowDrawing) glyphs(line string) string {
	if !d.style.Unicode {
		return line
	}
	return lineGlyphs.Replace(line)
}

// rows are the lines of the flow, by the time at which they begin.
func (d *flowDrawing) rows() []flowRow {
	var rows []flowRow
	for _, m := range d.datagrams {
		row := flowRow{at: m.packet.Sent, times: [2]tcp.Time{-1, -1}, arrow: d.arrow(m), note: d.note(m)}
		row.times[m.from] = m.packet.Sent
		if m.arrived != 0 {
			row.times[m.from.other()] = m.arrived
		}
		rows = append(rows, row)
		for _, t := range m.copies {
			row := flowRow{at: t, times: [2]tcp.Time{-1, -1}, note: d.style.Lang.say(msgLinkDuplicate, m.packet.Number)}
			row.times[m.from.other()] = t
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b flowRow) int { return cmp.Compare(a.at, b.at) })
	return rows
}

// arrow draws a message on its way.
func (d *flowDrawing) arrow(m *datagram) string {
	text := fmt.Sprintf("#%d UDP (%d) ", m.packet.Number, m.size)
	if m.icmp != "" {
		text = fmt.Sprintf("#%d ICMP %s ", m.packet.Number, m.icmp)
	}
	room := max(d.arrowWidth-arrowMargin-len(text), 2)
	switch lost := m.packet.Fate.Lost(); {
	case lost && m.from == 0:
		return d.glyphs("-- ") + text + d.glyphs(strings.Repeat("-", room*2/3)+"X")
	case lost:
		return d.glyphs(" X ") + text + d.glyphs(strings.Repeat("-", room))
	case m.from == 0:
		return d.glyphs("-- ") + text + d.glyphs(strings.Repeat("-", room-1)+">")
	}
	return d.glyphs("<- ") + text + d.glyphs(strings.Repeat("-", room))
}

// note says what became of a message.
func (d *flowDrawing) note(m *datagram) string {
	say := d.style.Lang.say
	switch {
	case m.packet.Fate.Lost():
		return say(lossMessages[m.packet.Fate])
	case m.packet.Corrupted:
		return say(msgCorrupted)
	case m.late:
		return say(msgOvertaken)
	case m.packet.From != d.Hosts[m.from] || m.packet.To != d.Hosts[m.from.other()]:
		return say(msgHop, m.packet.From, m.packet.To) // a switch or a router
	}
	return ""
}
