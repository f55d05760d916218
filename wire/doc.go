// Package wire holds the formats on the wire: IPv4, IPv6, TCP, UDP, ICMP and
// ICMPv6 headers, TCP options, the Internet checksum, and the Packet that
// carries them between a link and the stack.
//
// Parsing never allocates, never panics and trusts no length field: whatever
// is wrong with a packet comes back as a Drop, the reason to count.
//
// A packet from a link goes through ParseIP and then ParseTCP, ParseICMP or
// ParseUDP; a segment to be sent through BuildTCP, and through Cut or
// FinishChecksum if its link does not do that itself. All of them are pure:
// they keep no state, and different packets may be worked on at the same time.
//
// A Packet may be a super-segment: one set of headers before up to 64 KiB of
// payload that stands for several segments of SegSize bytes each, as TSO and
// GRO have them. Cut and Merge convert between the two forms and are the only
// place where that is done.
//
// Known limits: fragments are refused, not put together; source routes, routing
// headers and jumbograms are refused; the IPv6 flow label is sent empty;
// of ICMP there is what TCP needs, and there is no UDP to be sent.
package wire
