// Package wire holds the formats on the wire: IPv4, IPv6, TCP, UDP, ICMP and
// ICMPv6 headers, TCP options, the Internet checksum, and the Packet that
// carries them between a link and the stack.
//
// Parsing never allocates, never panics and trusts no length field: whatever
// is wrong with a packet comes back as a Drop, the reason to count.
//
// A Packet may be a super-segment: one set of headers before up to 64 KiB of
// payload that stands for several segments of SegSize bytes each, as TSO and
// GRO have them. Cut and Merge convert between the two forms and are the only
// place where that is done.
package wire
