// Package wire holds the formats on the wire: IPv4 and IPv6 with fragments, TCP
// with options, UDP, ICMP and ICMPv6, IGMP and MLD, the Internet checksum, and
// the Packet that carries them between a link and the stack.
//
// Parsing never allocates, never panics and trusts no length field: whatever
// is wrong with a packet comes back as a Drop, the reason to count.
//
// A packet from a link goes through ParseIP and then ParseTCP, ParseICMP,
// ParseUDP, ParseMembership or, as a fragment, ParseFragment; a segment to be
// sent through BuildTCP, a datagram through BuildUDP and CutFragments, and both
// through Cut or FinishChecksum if their link does not do that itself. All of them are pure:
// they keep no state, and different packets may be worked on at the same time.
//
// A Packet may be a super-segment: one set of headers before up to 64 KiB of
// payload that stands for several segments of SegSize bytes each, as TSO and
// GRO have them. Cut and Merge convert between the two forms and are the only
// place where that is done.
//
// Known limits: source routes, routing headers and jumbograms are refused; the
// IPv6 flow label is sent empty; of ICMP there is what TCP and UDP need; reports
// about multicast groups are for all sources or none.
package wire
