package drill

// icmpName is an ICMP type and code as scripts write them.
type icmpName struct{ kind, code string }

// icmpValue is a type and code on the wire.
type icmpValue struct{ kind, code uint8 }

// icmp4 and icmp6 are the names of messages (RFC 792, RFC 1812, RFC 4443).
var icmp4 = map[icmpName]icmpValue{
	{"echo_reply", ""}: {0, 0}, {"echo_request", ""}: {8, 0}, {"source_quench", ""}: {4, 0},
	{"unreachable", "net_unreachable"}: {3, 0}, {"unreachable", "host_unreachable"}: {3, 1},
	{"unreachable", "protocol_unreachable"}: {3, 2}, {"unreachable", "port_unreachable"}: {3, 3},
	{"unreachable", "frag_needed"}: {3, 4}, {"unreachable", "source_route_failed"}: {3, 5},
	{"unreachable", "net_unknown"}: {3, 6}, {"unreachable", "host_unknown"}: {3, 7},
	{"unreachable", "source_host_isolated"}: {3, 8}, {"unreachable", "net_prohibited"}: {3, 9},
	{"unreachable", "host_prohibited"}: {3, 10}, {"unreachable", "net_unreachable_for_tos"}: {3, 11},
	{"unreachable", "host_unreachable_for_tos"}: {3, 12}, {"unreachable", "packet_filtered"}: {3, 13},
	{"unreachable", "precedence_violation"}: {3, 14}, {"unreachable", "precedence_cutoff"}: {3, 15},
	{"time_exceeded", "ttl_exceeded"}: {11, 0}, {"time_exceeded", "frag_reassembly_time_exceeded"}: {11, 1},
	{"time_exceeded", "exc_ttl"}: {11, 0}, {"time_exceeded", "exc_fragtime"}: {11, 1},
	{"parameter_problem", ""}: {12, 0}, {"redirect", ""}: {5, 0},
}

var icmp6 = map[icmpName]icmpValue{
	{"echo_request", ""}: {128, 0}, {"echo_reply", ""}: {129, 0},
	{"unreachable", "no_route"}: {1, 0}, {"unreachable", "admin_prohibited"}: {1, 1},
	{"unreachable", "not_neighbour"}: {1, 2}, {"unreachable", "beyond_scope"}: {1, 2},
	{"unreachable", "address_unreachable"}: {1, 3}, {"unreachable", "port_unreachable"}: {1, 4},
	{"packet_too_big", ""}: {2, 0}, {"time_exceeded", "exc_hoplimit"}: {3, 0}, {"time_exceeded", "exc_fragtime"}: {3, 1},
	{"parameter_problem", ""}: {4, 0},
}

// icmpLookup returns the type and code on the wire of a message.
func icmpLookup(ip6 bool, m *ICMP) (icmpValue, bool) {
	names := icmp4
	if ip6 {
		names = icmp6
	}
	v, ok := names[icmpName{m.Type, m.Code}]
	return v, ok
}

// icmpText returns the name of a type and code on the wire.
func icmpText(ip6 bool, v icmpValue) string {
	names := icmp4
	if ip6 {
		names = icmp6
	}
	best := ""
	for n, w := range names {
		text := n.kind
		if n.code != "" {
			text += " " + n.code
		}
		if w == v && (best == "" || text < best) {
			best = text
		}
	}
	return best
}
