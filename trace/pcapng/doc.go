// Package pcapng writes what package trace recorded as a pcapng capture, which
// Wireshark, tshark and tcpdump read.
//
// Every packet is in the file once, at the moment when it was sent, also when
// it was lost on the way. Each host is an interface of the file, named after
// it, and a packet belongs to the one that sent it. The comments of a packet
// say its number in the run, the states of both ends, and what it is for.
// Packets are whole, from the IP header on (LINKTYPE_RAW), and have the
// checksums they had on the link.
package pcapng
