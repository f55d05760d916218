// Package seqnum does arithmetic on TCP sequence numbers: 32-bit values that
// wrap around, so that "less" means "earlier by less than half of the space"
// (RFC 9293, Section 3.4).
//
// Values must never be compared with the operators <, <=, >, >=; the methods
// here are the only comparison that stays right across the wrap. Equality with
// == is fine. All functions are pure and safe for concurrent use.
package seqnum
