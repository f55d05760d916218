package drill

import (
	"strconv"
	"strings"
)

// icmpName is an ICMP type and code as scripts write them.
type icmpName struct{ kind, code string }

// icmpValue is a type and code on the wire.
type icmpValue struct{ kind, code uint8 }

// icmpTypes4 and icmpTypes6 are the names of types (RFC 792, RFC 950, RFC 4443,
// RFC 4861).
var icmpTypes4 = map[string]uint8{
	"echo_reply": 0, "unreachable": 3, "source_quench": 4, "redirect": 5, "echo_request": 8, "time_exceeded": 11,
	"parameter_problem": 12, "timestamp_request": 13, "timestamp_reply": 14, "information_request": 15,
	"information_reply": 16, "address_mask_request": 17, "address_mask_reply": 18,
}

var icmpTypes6 = map[string]uint8{
	"unreachable": 1, "packet_too_big": 2, "time_exceeded": 3, "parameter_problem": 4, "echo_request": 128,
	"echo_reply": 129, "router_advertisement": 134,
}

// icmpCodes4 and icmpCodes6 are the names of codes (RFC 792, RFC 1812, RFC 4443),
// of which some have two.
var icmpCodes4 = map[icmpName]uint8{
	{"unreachable", "net_unreachable"}: 0, {"unreachable", "host_unreachable"}: 1,
	{"unreachable", "protocol_unreachable"}: 2, {"unreachable", "port_unreachable"}: 3,
	{"unreachable", "frag_needed"}: 4, {"unreachable", "source_route_failed"}: 5,
	{"unreachable", "net_unknown"}: 6, {"unreachable", "host_unknown"}: 7,
	{"unreachable", "source_host_isolated"}: 8, {"unreachable", "net_prohibited"}: 9,
	{"unreachable", "host_prohibited"}: 10, {"unreachable", "net_unreachable_for_tos"}: 11,
	{"unreachable", "host_unreachable_for_tos"}: 12, {"unreachable", "packet_filtered"}: 13,
	{"unreachable", "precedence_violation"}: 14, {"unreachable", "precedence_cutoff"}: 15,
	{"time_exceeded", "ttl_exceeded"}: 0, {"time_exceeded", "frag_reassembly_time_exceeded"}: 1,
	{"time_exceeded", "ttl_exceeded_in_transit"}: 0, {"time_exceeded", "frag_reass_exceeded"}: 1,
	{"time_exceeded", "exc_ttl"}: 0, {"time_exceeded", "exc_fragtime"}: 1,
}

var icmpCodes6 = map[icmpName]uint8{
	{"unreachable", "no_route"}: 0, {"unreachable", "admin_prohibited"}: 1,
	{"unreachable", "not_neighbour"}: 2, {"unreachable", "beyond_scope"}: 2,
	{"unreachable", "address_unreachable"}: 3, {"unreachable", "port_unreachable"}: 4,
	{"time_exceeded", "exc_hoplimit"}: 0, {"time_exceeded", "exc_fragtime"}: 1,
	{"time_exceeded", "exceeded_hop_limit"}: 0, {"time_exceeded", "exceeded_frag_time"}: 1,
	{"parameter_problem", "header_field"}: 0, {"parameter_problem", "unknown_next_header"}: 1,
	{"parameter_problem", "unknown_option"}: 2,
}

// icmpTables returns the names of an IP version.
func icmpTables(ip6 bool) (map[string]uint8, map[icmpName]uint8) {
	if ip6 {
		return icmpTypes6, icmpCodes6
	}
	return icmpTypes4, icmpCodes4
}

// icmpLookup returns the type and code on the wire of a message. Both may be
// numbers, as type_3 and code_1; without a code, it is 0.
func icmpLookup(ip6 bool, m *ICMP) (v icmpValue, ok bool) {
	types, codes := icmpTables(ip6)
	if v.kind, ok = types[m.Type]; !ok {
		if v.kind, ok = icmpNumber(m.Type, "type_"); !ok {
			return v, false
		}
	}
	if m.Code == "" {
		return v, true
	}
	if v.code, ok = codes[icmpName{m.Type, m.Code}]; !ok {
		v.code, ok = icmpNumber(m.Code, "code_")
	}
	return v, ok
}

// icmpNumber reads a number behind a prefix.
func icmpNumber(word, prefix string) (uint8, bool) {
	digits, ok := strings.CutPrefix(word, prefix)
	n, err := strconv.ParseUint(digits, 10, 8)
	return uint8(n), ok && err == nil
}

// icmpText returns the name of a type and code on the wire, of several the
// first one.
func icmpText(ip6 bool, v icmpValue) string {
	types, codes := icmpTables(ip6)
	best := ""
	for kind, t := range types {
		if t == v.kind {
			best = kind
		}
	}
	if best == "" {
		return "type_" + strconv.Itoa(int(v.kind)) + " code_" + strconv.Itoa(int(v.code))
	}
	code := ""
	for n, c := range codes {
		if n.kind == best && c == v.code && (code == "" || n.code < code) {
			code = n.code
		}
	}
	if code == "" && v.code != 0 {
		code = "code_" + strconv.Itoa(int(v.code))
	}
	return strings.TrimSpace(best + " " + code)
}
