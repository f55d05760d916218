package trace

import "github.com/trivet-net/trivet/tcp"

// Fate is what became of a packet on a link.
type Fate uint8

// The fates. Only FateInFlight can still change.
const (
	// FateInFlight: sent, and neither arrived nor lost yet.
	FateInFlight Fate = iota
	// FateDelivered: arrived.
	FateDelivered
	// FateLoss: lost by the link's loss probability.
	FateLoss
	// FateQueue: there was no room in the link's queue.
	FateQueue
	// FateUnplugged: the link was unplugged.
	FateUnplugged
	// FateFilter: dropped on purpose, by an intervention.
	FateFilter
	// FateSize: larger than the link carries.
	FateSize
	// FateAQM: the queue's management dropped it, though there was room.
	FateAQM
	// FateNoRoute: a router on the way knew no way onwards.
	FateNoRoute
	numFates
)

var fateNames = [numFates]string{
	"in flight", "delivered", "random loss", "queue full", "unplugged", "dropped on purpose", "too large",
	"dropped by the queue", "no route",
}

// String returns the fate in words, "queue full".
func (f Fate) String() string {
	if f < numFates {
		return fateNames[f]
	}
	return "unknown"
}

// Lost reports whether the packet will never arrive.
func (f Fate) Lost() bool { return f > FateDelivered && f < numFates }

// Packet is one packet on a link.
type Packet struct {
	// Number counts the packets of a run in the order of sending, from 1.
	Number int
	// Copy is 0, and 1 for the duplicate that a link made of packet Number.
	Copy int
	// From and To are the names of the hosts at the ends of the link.
	From, To string
	// Sent is when the packet was given to the link, End when it arrived or
	// was lost: 0 while it is in flight.
	Sent, End tcp.Time
	Fate      Fate
	// Corrupted says that the link changed bytes, Delayed that it held the
	// packet back so that others overtake it, Marked that its queue set ECN's
	// "congestion experienced" (RFC 3168).
	Corrupted, Delayed, Marked bool
	// Foreign says that it was put on the link in From's name: From's stack did
	// not send it.
	Foreign bool
	// Arrived is, in a Log, what arrived where that is not what was sent.
	Arrived []byte
	// Data is the packet from its IP header on: as it is on the link when the
	// Packet is shown to a hook, as it was sent in a Log.
	Data []byte
}
