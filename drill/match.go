package drill

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// expectTCP takes the segments that answer a line of the script and compares
// them. Segments in a row are taken as one, up to the length that the line
// has.
func (r *runner) expectTCP(f *flow, p *Packet, lo, hi tcp.Time, slack time.Duration) error {
	i, err := r.next(f, f.answered, r.waitEnd(hi))
	if err != nil {
		return err
	}
	if i < 0 {
		return failf("nothing was sent")
	}
	s := r.sent[i]
	f.learn(s)
	end := r.now
	if hi != forever {
		end = hi.Add(slack)
	}
	whole, parts, err := r.gather(f, i, p.TCP.Len, end)
	if err != nil {
		return err
	}
	if err := r.checkTime(s, lo, hi, slack); err != nil {
		return err
	}
	if diff := r.compare(f, p, whole); len(diff) > 0 {
		return &mismatch{packet: s, failure: failure{
			reason: "the segment differs in " + strings.Join(diff, ", "),
			got:    stampText(s.at) + " " + whole.text(),
		}}
	}
	for _, q := range parts {
		q.consumed = true
	}
	f.answered = i + 1
	f.noteStamp(p.TCP, whole.tcp)
	r.now = max(r.now, s.at)
	return nil
}

// gather puts the segment at index i and those that continue it together, up to
// n bytes of text, and returns the whole and its parts. It waits for them until
// end.
func (r *runner) gather(f *flow, i, n int, end tcp.Time) (*sentPacket, []*sentPacket, error) {
	s := r.sent[i]
	parts := []*sentPacket{s}
	if r.set.strictSegments || len(s.payload) == 0 || len(s.payload) >= n || s.has(wire.SYN|wire.RST|wire.FIN) {
		return s, parts, nil
	}
	whole, header := *s, *s.tcp
	whole.tcp = &header
	whole.payload = append([]byte(nil), s.payload...)
	for len(whole.payload) < n && !whole.has(wire.FIN) {
		var err error
		if i, err = r.next(f, i+1, max(r.now, end)); i < 0 {
			return &whole, parts, err
		}
		q := r.sent[i]
		if q.tcp.seq != header.seq+uint32(len(whole.payload)) || len(q.payload) == 0 || q.tcp.ack != header.ack ||
			q.has(wire.SYN|wire.RST) {
			break
		}
		header.flags = header.flags&^uint16(wire.PSH|wire.FIN) | q.tcp.flags
		header.window, header.options = q.tcp.window, q.tcp.options
		whole.payload = append(whole.payload, q.payload...)
		parts = append(parts, q)
	}
	return &whole, parts, nil
}

// has reports whether any of the control bits is set.
func (s *sentPacket) has(f wire.Flags) bool { return s.tcp.flags&uint16(f) != 0 }

// noteStamp pairs the TSval of the script with that on the wire.
func (f *flow) noteStamp(t *TCP, w *tcpHeader) {
	script, ok := timestampOf(t.Options)
	live, also := timestampOf(rawOptions(w.options))
	if ok && also {
		f.stamp(script, live)
	}
}

func timestampOf(list []TCPOption) (uint32, bool) {
	for _, o := range list {
		if o.Kind == optionTimestamp && len(o.Bytes) == 10 {
			return binary.BigEndian.Uint32(o.Bytes[2:]), true
		}
	}
	return 0, false
}

// compare lists what differs between a line of the script and a segment.
func (r *runner) compare(f *flow, p *Packet, s *sentPacket) []string {
	var diff []string
	differ := func(name string, want, got any) {
		diff = append(diff, fmt.Sprintf("%s (expected %v, got %v)", name, want, got))
	}
	t := p.TCP
	mask := uint16(0x1ff)
	if r.script.opt.LenientPSH {
		mask &^= uint16(wire.PSH)
	}
	want := t.Flags
	if t.HasACE {
		want |= uint16(t.ACE) << 6
	}
	if (s.tcp.flags^want)&mask != 0 {
		differ("flags", flagText(want), flagText(s.tcp.flags))
	}
	if len(s.payload) != t.Len {
		differ("length", t.Len, len(s.payload))
	}
	syn := s.tcp.flags&uint16(wire.SYN) != 0
	seq, ack := s.tcp.seq, s.tcp.ack
	if !t.SeqRaw && !syn {
		seq -= f.localISN
	}
	if syn && !t.SeqRaw {
		// The script chooses its initial number; the same SYN has the same.
		seq = seq - f.localISN + t.Seq
	}
	if !t.AckRaw && !syn && s.tcp.flags&uint16(wire.ACK) != 0 {
		ack -= f.remoteISN
	}
	if seq != t.Seq && !t.SeqAny {
		differ("seq", t.Seq, seq)
	}
	if ack != t.Ack && (t.HasAck || s.tcp.flags&uint16(wire.ACK) != 0) {
		differ("ack", t.Ack, ack)
	}
	if t.HasWindow && s.tcp.window != t.Window && !r.windowLags(f, t.Window, s) {
		differ("win", t.Window, s.tcp.window)
	}
	if s.tcp.urgent != t.Urgent {
		differ("urg", t.Urgent, s.tcp.urgent)
	}
	if !t.AnyOptions {
		diff = append(diff, r.compareOptions(f, t, s)...)
	}
	diff = append(diff, r.compareIP(f, &p.IP, s)...)
	if len(diff) == 0 && !f.comparePayload(s) {
		diff = append(diff, "payload")
	}
	return diff
}

// windowLags reports whether a window is smaller than the script has it by less
// than a segment, and that is forgiven.
func (r *runner) windowLags(f *flow, want uint16, s *sentPacket) bool {
	if !r.script.opt.LenientWindow || s.has(wire.SYN|wire.RST) || s.tcp.window > want {
		return false
	}
	lag := int(want - s.tcp.window)
	if f.conn != nil {
		lag <<= f.conn.Info(r.now).RcvWScale
	}
	return lag < r.set.largestSegment()
}

// comparePayload reports whether a segment carries what the user wrote.
func (f *flow) comparePayload(s *sentPacket) bool {
	if len(s.payload) == 0 {
		return true
	}
	at := s.tcp.seq - f.localISN - 1
	if s.has(wire.SYN) {
		at++ // before the text
	}
	if int64(at)+int64(len(s.payload)) > int64(len(f.written)) {
		return false
	}
	return bytes.Equal(s.payload, f.written[at:int(at)+len(s.payload)])
}

// compareOptions lists the options that differ, in order.
func (r *runner) compareOptions(f *flow, t *TCP, s *sentPacket) []string {
	got := f.relativeSACK(rawOptions(s.tcp.options))
	want := t.Options
	if r.script.opt.LenientOptions {
		got, want = inOrderOfKind(got), inOrderOfKind(want)
	}
	var diff []string
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			if got[i].Kind != optionEOL {
				diff = append(diff, "an option too many: "+got[i].text())
			}
		case i >= len(got):
			if want[i].Kind != optionEOL {
				diff = append(diff, "an option too few: "+want[i].text())
			}
		case want[i].Kind == optionTimestamp && got[i].Kind == optionTimestamp && len(got[i].Bytes) == 10:
			if d := r.compareStamp(f, want[i], got[i]); d != "" {
				diff = append(diff, d)
			}
		case !bytes.Equal(want[i].Bytes, got[i].Bytes):
			diff = append(diff, fmt.Sprintf("option %d (expected %s, got %s)", i+1, want[i].text(), got[i].text()))
		}
	}
	return diff
}

// inOrderOfKind returns options sorted, without padding.
func inOrderOfKind(list []TCPOption) []TCPOption {
	list = slices.DeleteFunc(slices.Clone(list), func(o TCPOption) bool { return o.Kind <= optionNOP })
	slices.SortStableFunc(list, func(a, b TCPOption) int { return cmp.Compare(a.Kind, b.Kind) })
	return list
}

// relativeSACK returns options with SACK blocks as the script counts them.
func (f *flow) relativeSACK(list []TCPOption) []TCPOption {
	be := binary.BigEndian
	for i, o := range list {
		if o.Kind != optionSACK {
			continue
		}
		raw := append([]byte(nil), o.Bytes...)
		for j := 2; j+4 <= len(raw); j += 4 {
			be.PutUint32(raw[j:], be.Uint32(raw[j:])-f.remoteISN)
		}
		list[i].Bytes = raw
	}
	return list
}

// compareStamp compares a timestamps option: the echo, and the value if the
// script says how long a tick of its clock is.
func (r *runner) compareStamp(f *flow, want, got TCPOption) string {
	be := binary.BigEndian
	wantVal, wantEcr := be.Uint32(want.Bytes[2:]), be.Uint32(want.Bytes[6:])
	val, ecr := be.Uint32(got.Bytes[2:]), be.Uint32(got.Bytes[6:])
	if ecr != wantEcr {
		return fmt.Sprintf("TS ecr (expected %d, got %d)", wantEcr, ecr)
	}
	if r.set.tick == 0 || want.ValAny || !f.haveStamp {
		return ""
	}
	relative := val - f.wireStamp + f.scriptStamp
	off := time.Duration(int32(relative-wantVal)) * r.set.tick
	if off.Abs() > max(r.set.tolerance, 0) {
		return fmt.Sprintf("TS val (expected %d, got %d)", wantVal, relative)
	}
	return ""
}

// compareIP lists what differs in the IP header, of what the script says.
func (r *runner) compareIP(f *flow, want *IPInfo, s *sentPacket) []string {
	var diff []string
	differ := func(name string, want, got any) {
		diff = append(diff, fmt.Sprintf("%s (expected %v, got %v)", name, want, got))
	}
	ecn := s.ip.TOS & 3
	switch want.ECN {
	case ECNAny:
	case ECNECT01:
		if ecn != 1 && ecn != 2 {
			differ("ECN", "ect0 or ect1", ecn)
		}
	default:
		if ecn != ecnBits[want.ECN] {
			differ("ECN", ecnBits[want.ECN], ecn)
		}
	}
	if want.HasTOS && s.ip.TOS != want.TOS {
		differ("TOS", want.TOS, s.ip.TOS)
	}
	if want.HasDSCP && s.ip.TOS&^3 != want.TOS {
		differ("DSCP", want.TOS>>2, s.ip.TOS>>2)
	}
	if want.TTL != 0 && s.ip.TTL != want.TTL {
		differ("TTL", want.TTL, s.ip.TTL)
	}
	if want.HasFlowLabel {
		if d := f.compareLabel(want.FlowLabel, s.label); d != "" {
			diff = append(diff, d)
		}
	}
	return diff
}

// compareLabel compares flow labels: the script's stand for those on the wire;
// equal ones must be equal there, others other.
func (f *flow) compareLabel(want, got uint32) string {
	switch {
	case got == 0:
		return "flow label (there is none)"
	case f.scriptLabel == 0:
	case want == f.scriptLabel && got != f.label:
		return "flow label (it changed)"
	case want != f.scriptLabel && got == f.label:
		return "flow label (it did not change)"
	}
	f.scriptLabel, f.label = want, got
	return ""
}
