package tcp

import (
	"github.com/trivet-net/trivet/wire"
)

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	// EventReceive: a segment arrived, before it is processed.
	EventReceive EventKind = iota + 1
	// EventSend: a segment was formed for sending.
	EventSend
	// EventState: the connection went From one state To another.
	EventState
	// EventRule: an input or timer rule decided something.
	EventRule
	// EventTimer: the timer named by Timer fired.
	EventTimer
	// EventCall: the user called what Call names; N bytes were moved, and Err
	// is what the call returned.
	EventCall
	// EventDrop: a segment was dropped, as Rule says, or a packet, as Drop says.
	EventDrop
)

var eventNames = [...]string{
	EventReceive: "receive", EventSend: "send", EventState: "state", EventRule: "rule",
	EventTimer: "timer", EventCall: "call", EventDrop: "drop",
}

// String returns the name of the kind, as traces print it.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is one thing that happened at one end. It, and what it points to, is
// good only during the call of the hook; the hook must not call the stack.
type Event struct {
	Time  Time
	Kind  EventKind
	Tuple wire.FourTuple

	Segment *wire.Segment // EventReceive, EventSend, EventDrop (may be nil)
	From    State         // EventState
	To      State         // EventState
	Rule    Rule          // EventState, EventRule, EventDrop of a segment
	Drop    wire.Drop     // EventDrop of a packet that no connection saw
	Timer   Timer         // EventTimer
	Call    string        // EventCall
	N       int           // EventCall
	Err     error         // EventCall
}

// Timer names one of the timers of a connection.
type Timer uint8

// The timers. At most one of Retransmit, Persist, Reorder and Probe runs at a
// time (RFC 8985, Section 8).
const (
	TimerRetransmit Timer = iota
	TimerPersist
	TimerDelayedAck
	TimerKeepAlive
	TimerFinWait2
	TimerUserTimeout
	TimerReorder  // RACK's, RFC 8985, Section 6.2
	TimerPacing   // releases what goes out at a rate
	TimerProbe    // of the tail loss probe, RFC 8985, Section 7
	TimerTimeWait // of a TIME-WAIT record, kept by the engine
	numTimers     = int(TimerTimeWait)
)

var timerNames = [...]string{
	"retransmit", "persist", "delayed-ack", "keep-alive", "fin-wait-2", "user-timeout",
	"reorder", "pacing", "tail-probe", "time-wait",
}

// String returns the name of the timer, "retransmit".
func (t Timer) String() string {
	if int(t) < len(timerNames) {
		return timerNames[t]
	}
	return "unknown"
}
