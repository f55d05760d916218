// Package pcapng writes what package trace recorded as a pcapng capture, which
// Wireshark, tshark and tcpdump read.
//
// Every host has an interface of its own in the file: a packet appears when it
// is sent, on the sender's, and when it arrives, on the receiver's, as two
// machines that capture would have it; Options.At chooses one of the two. The
// comments of a packet hold its number in the run, what became of it, and the
// state of the connection at that host after it.
package pcapng
