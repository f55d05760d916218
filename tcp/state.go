package tcp

import "strconv"

// State is one of the eleven states of RFC 9293, Section 3.3.2. A Conn is never
// in LISTEN: listeners live in package engine, which uses the same names.
type State uint8

// The states, in the order of the RFC.
const (
	StateClosed State = iota
	StateListen
	StateSynSent
	StateSynReceived
	StateEstablished
	StateFinWait1
	StateFinWait2
	StateCloseWait
	StateClosing
	StateLastAck
	StateTimeWait
	numStates
)

var stateNames = [numStates]string{
	"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// String returns the name as RFC 9293 writes it, "SYN-RECEIVED".
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// ssNames are the words of iproute2's ss.
var ssNames = [numStates]string{
	"UNCONN", "LISTEN", "SYN-SENT", "SYN-RECV", "ESTAB", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// SS returns the name as the ss command prints it, "SYN-RECV".
func (s State) SS() string {
	if s < numStates {
		return ssNames[s]
	}
	return s.String()
}

// Synchronized reports whether both ends know each other's sequence number:
// ESTABLISHED and every state after it.
func (s State) Synchronized() bool { return s >= StateEstablished && s < numStates }

// edges are the legal transitions: those of RFC 9293, Figure 5, and those of
// its Section 3.10 that the figure leaves out (aborts, time-outs, and a FIN
// that comes with the ACK of our own).
var edges = [numStates]uint16{
	StateClosed:      set(StateSynSent, StateListen),
	StateListen:      set(StateSynReceived, StateSynSent, StateClosed),
	StateSynSent:     set(StateSynReceived, StateEstablished, StateClosed),
	StateSynReceived: set(StateEstablished, StateFinWait1, StateCloseWait, StateClosed, StateListen),
	StateEstablished: set(StateFinWait1, StateCloseWait, StateClosed),
	StateFinWait1:    set(StateFinWait2, StateClosing, StateTimeWait, StateClosed),
	StateFinWait2:    set(StateTimeWait, StateClosed),
	StateCloseWait:   set(StateLastAck, StateClosed),
	StateClosing:     set(StateTimeWait, StateClosed),
	StateLastAck:     set(StateClosed),
	StateTimeWait:    set(StateClosed, StateSynReceived),
}

func set(states ...State) uint16 {
	var m uint16
	for _, s := range states {
		m |= 1 << s
	}
	return m
}

// Legal reports whether a connection may go from one state to the other.
func Legal(from, to State) bool {
	return from < numStates && to < numStates && edges[from]&(1<<to) != 0
}

// setState goes to another state and tells the trace. Leaving the table of legal
// edges is a broken invariant. Only openPassively writes c.state besides.
func (c *Conn) setState(now Time, to State, rule Rule) {
	from := c.state
	if !Legal(from, to) {
		panic("tcp: illegal transition " + from.String() + " to " + to.String())
	}
	c.state, c.count.stateAt = to, now
	c.rule(now, rule)
	if c.cfg.Trace != nil {
		c.cfg.Trace(&Event{Time: now, Kind: EventState, Tuple: c.id, From: from, To: to, Rule: rule})
	}
}

// openPassively begins in SYN-RECEIVED, of which the listener told the trace when
// the SYN came.
func (c *Conn) openPassively(now Time) {
	c.passive = true
	c.state, c.count.stateAt = StateSynReceived, now
	c.cfg.Counters.PassiveOpens++
}
