package conformance

import (
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// events are the 40 events of the checklist, Section 2.0.
var events = map[string]func(*trial){
	"OPENA":  (*trial).openActive,
	"OPENP":  (*trial).openPassive,
	"SEND":   (*trial).callSend,
	"RECV":   (*trial).callReceive,
	"CLOSE":  (*trial).callClose,
	"ABORT":  (*trial).callAbort,
	"STATUS": (*trial).callStatus,

	"RST=":   func(t *trial) { t.reset(0) },
	"RST~":   func(t *trial) { t.reset(9) },
	"RSTx":   func(t *trial) { t.reset(t.outside()) },
	"SYN":    (*trial).segSyn,
	"SYNACK": (*trial).segSynAck,
	"SYNFIN": (*trial).segSynFin,

	"ACKn":  (*trial).ackNew,
	"ACKd":  (*trial).ackDuplicate,
	"ACKo":  func(t *trial) { t.send(wire.ACK, 0, t.peer.una.Add(neg(10)), t.some()) },
	"ACKx":  func(t *trial) { t.send(wire.ACK, 0, t.peer.una.Add(neg(peerWindow+1)), t.some()) },
	"ACKf":  (*trial).ackFuture,
	"NOACK": func(t *trial) { t.send(0, 0, 0, 5) },

	"DATA":   func(t *trial) { t.delayed(); t.text(0, 5) },
	"OOO":    func(t *trial) { t.text(10, 5) },
	"DOLD":   func(t *trial) { t.text(-10, 5) },
	"DRIGHT": func(t *trial) { t.text(t.window()+10, 5) },
	"DTRIM":  (*trial).segTrim,
	"DZW":    (*trial).segZeroWindow,
	"FIN":    func(t *trial) { t.finAt(0) },
	"FINg":   (*trial).segFinGap,
	"FINd":   (*trial).segFinAgain,
	"URG":    (*trial).segUrgent,

	"USERTO":  (*trial).timeUser,
	"RTO":     (*trial).timeRetransmit,
	"R2":      (*trial).timeR2,
	"PERSIST": (*trial).timePersist,
	"KEEP":    (*trial).timeKeepAlive,
	"KEEPX":   (*trial).timeKeepAliveSpent,
	"2MSL":    (*trial).timeTimeWait,
	"FW2":     (*trial).timeFinWait2,

	"IHARD": (*trial).icmpHard,
	"ISOFT": (*trial).icmpSoft,
	"IPTB":  (*trial).icmpTooBig,
}

func neg(n int) seqnum.Size { return seqnum.Size(-n) }

// ack is the acknowledgment that goes with segments which are not about it:
// of nothing new, but in SYN-SENT and SYN-RECEIVED of the SYN, and in LISTEN
// of the cookie.
func (t *trial) ack() seqnum.Value {
	switch {
	case t.has("bad-ack"):
		return t.peer.nxt.Add(1)
	case t.has("acks") || t.begins("LI", "SS", "SR"):
		return t.peer.nxt
	}
	return t.peer.una
}

// some is how much text goes with an ACK: none, unless the variant says so.
func (t *trial) some() int {
	if t.has("with-text") {
		return 5
	}
	return 0
}

// outside is an offset outside the window: right of it, or left.
func (t *trial) outside() int {
	if t.has("left") {
		return -10
	}
	return t.window() + 10
}
