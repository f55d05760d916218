// Package drill runs packetdrill scripts against one engine in virtual time.
//
// A script says what the network and the user of a host do, and what the host
// must answer: packets in ("<"), packets out (">"), system calls with their
// results, settings in back-ticks, and assertions about the connection in
// %{ }%. Parse reads the language of Google's packetdrill and of its BSD fork;
// Run plays a script on an engine.Engine, whose clock is the script's, so a
// script that spans hours takes microseconds and times are exact.
//
//	script, err := drill.Parse("accept.pkt", text, drill.Options{})
//	result := drill.Run(script)
//	fmt.Println(result.Status, result.Reason)
//
// The host copies what is written with MSG_ZEROCOPY, and the error queue says so
// (SO_EE_CODE_ZEROCOPY_COPIED); timestamps (SO_TIMESTAMPING) are of the script's
// clock.
//
// A setting in the middle of a script counts for the connections that begin after
// it. A script that makes one which Trivet does not have passes if it sees no
// difference, and is unsupported otherwise.
//
// With settings of FreeBSD sockets are as there: a receive buffer is rounded up to
// whole segments, and sendto connects.
//
// UDP sockets have the calls that send and receive datagrams, without the error
// queue and without poll.
//
// Known limits: one connection is under test at a time, as in packetdrill;
// tunnels (GRE, MPLS, PSP) and SCTP are read but make a script unsupported, as
// does every feature that the engine does not have. Unsupported is never
// counted as passed.
package drill
