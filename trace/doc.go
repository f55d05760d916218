// Package trace turns what happened between two hosts into something to read.
//
// A Log collects one stream: the events of each host (tcp.Event, from the
// Trace hook of its configuration) and what became of every packet on the
// link between them; package trace/capture makes one of a capture made elsewhere.
// Analyse looks through it: its Connections and Flows, a Remark about each segment,
// Findings about the whole. Ladder draws a connection as text, package trace/pcapng
// writes all of it as a capture for Wireshark.
//
//	var log trace.Log
//	... run two hosts with log.Event and log.Packet as hooks ...
//	trace.NewLadder(&log, trace.Style{}).WriteTo(os.Stdout)
//
// Nothing here keeps time or draws random numbers: the same stream gives the
// same text.
package trace
