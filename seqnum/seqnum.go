package seqnum

// Value is a sequence number: the position of one byte (or of SYN or FIN) in
// a stream, modulo 2^32.
type Value uint32

// Size is a length in sequence space, in bytes; SYN and FIN count as one each.
type Size uint32

// Add returns the value n positions after v.
func (v Value) Add(n Size) Value { return v + Value(n) }

// Less reports whether v comes before w. It is meaningful while the two are
// less than 2^31 apart, which a window of at most 2^30 bytes guarantees
// (RFC 7323, Section 2.3).
func (v Value) Less(w Value) bool { return int32(v-w) < 0 }

// LessEq reports whether v comes before w or is w.
func (v Value) LessEq(w Value) bool { return int32(v-w) <= 0 }

// Sub returns the distance from w forward to v. The caller knows that w is
// not after v; see Diff for a signed distance.
func (v Value) Sub(w Value) Size { return Size(v - w) }

// Diff returns v - w as a signed distance: negative when v comes before w.
func (v Value) Diff(w Value) int { return int(int32(v - w)) }

// In reports whether v lies in [first, first+n).
func (v Value) In(first Value, n Size) bool { return Size(v-first) < n }

// Max returns the later of v and w.
func Max(v, w Value) Value {
	if v.Less(w) {
		return w
	}
	return v
}

// Min returns the earlier of v and w.
func Min(v, w Value) Value {
	if w.Less(v) {
		return w
	}
	return v
}
