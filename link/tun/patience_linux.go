package tun

// patience decides whether to look again before sleeping. Where a small packet
// answers a small packet, the next one is soon there, and to sleep and be woken,
// on a virtual machine above all, takes longer than to wait for it. It grows with
// success only: where packets are rare, or come in bulk, the reader sleeps at once. A
// stream has a small packet here and there, so one alone does not count.
type patience struct {
	row     int // Reads on end that brought one small packet
	left    int // looks before the reader sleeps
	skip    int // sleeps until it is tried again
	penalty int // the next skip
}

const (
	minRow     = 4
	maxLooks   = 100 // some 30 microseconds
	maxPenalty = 255
	smallBatch = 512 // bytes
)

// begin is told of what the last Read brought, before the next.
func (p *patience) begin(packets, bytes int) {
	switch {
	case packets != 1 || bytes > smallBatch:
		p.row, p.left = 0, 0
	case p.row < minRow:
		p.row++
		p.left = 0
	case p.skip > 0:
		p.skip--
		p.left = 0
	default:
		p.left = maxLooks
	}
}

// more reports whether to look once more.
func (p *patience) more() bool {
	if p.left == 0 {
		return false
	}
	if p.left--; p.left == 0 {
		p.penalty = min(2*p.penalty+1, maxPenalty)
		p.skip = p.penalty
	}
	return true
}

// came is told that there was something.
func (p *patience) came() {
	if p.left > 0 {
		p.penalty = 0
	}
}
