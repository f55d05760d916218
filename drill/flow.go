package drill

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/wire"
)

// flow is a connection of the script. Scripts count sequence numbers from the
// initial ones, which are 0 there, and choose the timestamps that the host
// under test sends; the wire has others. The flow maps between the two.
type flow struct {
	tuple   wire.FourTuple // as the host under test sees it
	conn    *engine.Conn   // nil until connect or accept
	socket  *socket        // of conn
	passive bool

	localISN   uint32 // on the wire
	haveLocal  bool
	remoteISN  uint32
	haveRemote bool
	pending    bool   // the remote side sent a SYN that may begin anew
	pendingISN uint32 // its sequence number

	stamps      map[uint32]uint32 // TSval in the script -> on the wire
	haveStamp   bool
	scriptStamp uint32 // the first pair
	wireStamp   uint32

	label, scriptLabel uint32 // IPv6 flow label

	written  []byte // what the user wrote, from sequence number 1
	arrivals []arrival
	answered int // all its packets with a lower index are consumed
}

func newFlow(t wire.FourTuple) *flow { return &flow{tuple: t, stamps: map[uint32]uint32{}} }

// sawSYN learns the remote side's initial sequence number from a SYN.
func (f *flow) sawSYN(seq uint32, ack bool) {
	switch {
	case !f.haveRemote:
		f.haveRemote, f.remoteISN = true, seq
	case !ack && seq != f.remoteISN:
		f.pending, f.pendingISN = true, seq
	}
}

// learn takes our side's initial sequence number from a SYN that the host sent.
func (f *flow) learn(p *sentPacket) {
	if uint16(wire.SYN)&p.tcp.flags == 0 {
		return
	}
	answers := p.tcp.flags&uint16(wire.ACK) != 0
	if f.haveLocal && f.pending && answers && p.tcp.ack == f.pendingISN+1 {
		f.remoteISN, f.pending, f.haveLocal = f.pendingISN, false, false
	}
	if !f.haveLocal {
		f.haveLocal, f.localISN = true, p.tcp.seq
	}
}

// local maps a sequence number of ours from the script to the wire.
func (f *flow) local(n uint32, raw bool) uint32 {
	if raw {
		return n
	}
	return n + f.localISN
}

// remote does that for one of the remote side; a SYN's is on the wire what it
// is in the script.
func (f *flow) remote(n uint32, raw, syn bool) uint32 {
	if raw || syn {
		return n
	}
	return n + f.remoteISN
}

// inOptions returns the bytes of options of an inbound segment, padded.
func (f *flow) inOptions(t *TCP) []byte {
	var b []byte
	be := binary.BigEndian
	for _, o := range t.Options {
		raw := append([]byte(nil), o.Bytes...)
		switch {
		case o.Kind == optionSACK:
			for i := 2; i+4 <= len(raw); i += 4 {
				be.PutUint32(raw[i:], f.local(be.Uint32(raw[i:]), false))
			}
		case o.Kind == optionTimestamp && t.Flags&uint16(wire.ACK) != 0 && !o.EcrRaw && len(raw) == 10:
			be.PutUint32(raw[6:], f.echo(be.Uint32(raw[6:])))
		}
		b = append(b, raw...)
	}
	for len(b)%4 != 0 {
		b = append(b, optionEOL)
	}
	return b
}

// echo maps an inbound TSecr: to the TSval that answered to it in the script,
// else by the distance to the first one.
func (f *flow) echo(ecr uint32) uint32 {
	if live, ok := f.stamps[ecr]; ok {
		return live
	}
	if f.haveStamp {
		return ecr - f.scriptStamp + f.wireStamp
	}
	return ecr
}

// stamp notes which TSval on the wire answers to one in the script.
func (f *flow) stamp(script, live uint32) {
	if !f.haveStamp {
		f.haveStamp, f.scriptStamp, f.wireStamp = true, script, live
	}
	f.stamps[script] = live
}

// segmentText returns a segment on the wire as a script writes it.
func (f *flow) segmentText(p *sentPacket) string {
	t := p.tcp
	syn, ack := t.flags&uint16(wire.SYN) != 0, t.flags&uint16(wire.ACK) != 0
	seq, ackNo := t.seq, t.ack
	own, peer := f.localISN, f.remoteISN
	if p.in {
		own, peer = peer, own
	}
	if f.haveLocal || p.in {
		seq -= own
	}
	if syn && !p.in {
		seq = 0
	}
	if !syn || p.in {
		ackNo -= peer
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d:%d(%d)", flagText(t.flags), seq, seq+uint32(len(p.payload)), len(p.payload))
	if ack {
		fmt.Fprintf(&b, " ack %d", ackNo)
	}
	fmt.Fprintf(&b, " win %d", t.window)
	if t.urgent != 0 {
		fmt.Fprintf(&b, " urg %d", t.urgent)
	}
	if list := f.relative(rawOptions(t.options), p.in); len(list) > 0 {
		var words []string
		for _, o := range list {
			words = append(words, o.text())
		}
		fmt.Fprintf(&b, " <%s>", strings.Join(words, ","))
	}
	return b.String()
}

// relative returns options with SACK blocks and timestamps as the script
// counts them.
func (f *flow) relative(list []TCPOption, in bool) []TCPOption {
	be := binary.BigEndian
	base := f.remoteISN
	if in {
		base = f.localISN
	}
	for i, o := range list {
		raw := append([]byte(nil), o.Bytes...)
		switch {
		case o.Kind == optionSACK:
			for j := 2; j+4 <= len(raw); j += 4 {
				be.PutUint32(raw[j:], be.Uint32(raw[j:])-base)
			}
		case o.Kind == optionTimestamp && len(raw) == 10 && f.haveStamp:
			at := 2
			if in {
				at = 6
			}
			be.PutUint32(raw[at:], be.Uint32(raw[at:])-f.wireStamp+f.scriptStamp)
		}
		list[i].Bytes = raw
	}
	return list
}
