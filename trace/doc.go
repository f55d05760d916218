// Package trace turns what happened between two hosts into something to read.
//
// A Log collects one stream: the events of each host (tcp.Event, from the
// Trace hook of its configuration) and what became of every packet on the
// link between them. Everything else is a rendering of that stream: Ladder
// draws it as text, package trace/pcapng writes it as a capture for Wireshark.
//
//	log := trace.NewLog()
//	... run two hosts with log.Event and log.Packet as hooks ...
//	trace.NewLadder(log, trace.Style{}).WriteTo(os.Stdout)
//
// Nothing here keeps time or draws random numbers: the same stream gives the
// same text.
package trace
