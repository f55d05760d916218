package tcp

import (
	"github.com/trivet-net/trivet/seqnum"
)

// sentRecord is one transmission: [start, end) was sent at sentAt. A
// super-segment is one record; it is cut at the borders of its segments when a
// part of it is acknowledged or goes again.
type sentRecord struct {
	start, end seqnum.Value
	sentAt     Time // of the last copy
	tx         txState
	stamp      uint32 // TSval of the first copy sent again, when recResent is set
	size       uint16 // payload of each segment but the last
	flags      recordFlags
}

// recordFlags say what became of a record. One that is neither SACKed nor lost is in
// flight.
type recordFlags uint8

const (
	recSacked recordFlags = 1 << iota // it arrived, as SACK says
	recLost                           // it is thought lost and waits to go again
	recResent                         // what was sent last is not the first copy
	recPushed                         // it ends with PSH
)

func (r *sentRecord) has(f recordFlags) bool { return r.flags&f != 0 }
func (r *sentRecord) len() int               { return r.end.Diff(r.start) }

// segments is how many segments on the wire the record stands for.
func (r *sentRecord) segments() int { return (r.len() + int(r.size) - 1) / int(r.size) }

// scoreboard is what is outstanding: records in sequence order without gaps
// between them, in a ring, and what is known of each. The ranges say the same of
// what is SACKed as the flags of the records do, so that a block that tells
// nothing new, and a run of SACKed records, cost a binary search.
type scoreboard struct {
	ring []sentRecord // its length is a power of two
	head int
	n    int

	sacked, lost int          // bytes
	sackedSegs   int          // segments
	lostFrom     seqnum.Value // nothing before it is lost
	settled      seqnum.Value // nothing before it is in flight in its first copy
	ranges       []seqRange
	resends      []resend // in the order of time; those before resendHead are gone
	resendHead   int
}

// resend is a copy sent again, for RACK, which goes by time.
type resend struct {
	start, end seqnum.Value
	sentAt     Time
}

// The memory of a scoreboard: at the beginning, and what is kept at most.
const (
	minRecords  = 8
	keepRecords = 4096
)

// empty forgets all, and keeps the memory unless it is much.
func (b *scoreboard) empty() {
	if len(b.ring) > keepRecords {
		*b = scoreboard{}
		return
	}
	b.n, b.sacked, b.lost, b.sackedSegs = 0, 0, 0, 0
	b.ranges, b.resends, b.resendHead = b.ranges[:0], b.resends[:0], 0
}

// at returns record i, counted from the oldest.
func (b *scoreboard) at(i int) *sentRecord { return &b.ring[(b.head+i)&(len(b.ring)-1)] }

// end is the sequence number after the last record.
func (b *scoreboard) end() seqnum.Value { return b.at(b.n - 1).end }

// push adds a record at the end.
func (b *scoreboard) push(r sentRecord) {
	if b.n == len(b.ring) {
		b.grow()
	}
	if b.n == 0 {
		b.lostFrom, b.settled = r.start, r.start
	}
	b.n++
	*b.at(b.n - 1) = r
}

func (b *scoreboard) grow() {
	ring := make([]sentRecord, max(minRecords, 2*len(b.ring)))
	for i := range b.n {
		ring[i] = *b.at(i)
	}
	b.ring, b.head = ring, 0
}

// find returns the index of the first record that ends after seq.
func (b *scoreboard) find(seq seqnum.Value) int {
	if b.n == 0 || seq.Less(b.at(0).end) {
		return 0
	}
	lo, hi := 1, b.n
	for lo < hi {
		mid := (lo + hi) / 2
		if b.at(mid).end.LessEq(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// split cuts record i at seq, which lies inside.
func (b *scoreboard) split(i int, seq seqnum.Value) {
	if b.n == len(b.ring) {
		b.grow()
	}
	// The shorter side makes room.
	if i < b.n/2 {
		b.head = (b.head - 1) & (len(b.ring) - 1)
		b.n++
		for k := 0; k <= i; k++ {
			*b.at(k) = *b.at(k + 1)
		}
	} else {
		b.n++
		for k := b.n - 1; k > i; k-- {
			*b.at(k) = *b.at(k - 1)
		}
	}
	b.at(i).end = seq
	b.at(i).flags &^= recPushed
	b.at(i + 1).start = seq
}

// remove takes the records [i, j) out.
func (b *scoreboard) remove(i, j int) {
	if i < b.n-j {
		for k := i - 1; k >= 0; k-- {
			*b.at(k + j - i) = *b.at(k)
		}
		b.head = (b.head + j - i) & (len(b.ring) - 1)
	} else {
		for k := j; k < b.n; k++ {
			*b.at(k - j + i) = *b.at(k)
		}
	}
	b.n -= j - i
}

// ack takes out what lies before una, and tells d of what had not arrived by
// then.
func (b *scoreboard) ack(una seqnum.Value, d *delivery) {
	if b.n > 0 {
		d.head = *b.at(0)
	}
	for b.n > 0 {
		r := b.at(0)
		if una.LessEq(r.start) {
			break
		}
		if r.has(recSacked) {
			b.sackedSegs -= r.segments()
		}
		if una.Less(r.end) {
			part := *r
			part.end = una
			b.leave(&part, d)
			r.start = una
			if r.has(recSacked) {
				b.sackedSegs += r.segments()
			}
			break
		}
		b.leave(r, d)
		b.head = (b.head + 1) & (len(b.ring) - 1)
		b.n--
	}
	b.lostFrom = seqnum.Max(b.lostFrom, una)
	b.settled = seqnum.Max(b.settled, una)
	b.trimRanges(una)
	for b.resendHead < len(b.resends) && b.resends[b.resendHead].end.LessEq(una) {
		b.resendHead++
	}
}

// leave accounts for a record, or the first part of one, that is acknowledged.
func (b *scoreboard) leave(r *sentRecord, d *delivery) {
	switch {
	case r.has(recSacked):
		b.sacked -= r.len()
		return
	case r.has(recLost):
		b.lost -= r.len()
	}
	d.deliver(r)
}

// lose marks record i as lost.
func (b *scoreboard) lose(i int) {
	r := b.at(i)
	if b.lost == 0 || r.start.Less(b.lostFrom) {
		b.lostFrom = r.start
	}
	r.flags |= recLost
	b.lost += r.len()
}

// loseOlder marks as lost what was sent at limit or before and is not SACKed.
// lose hears of each record before.
func (b *scoreboard) loseOlder(limit Time, lose func(*sentRecord)) {
	for i := range b.n {
		if r := b.at(i); !r.has(recSacked|recLost) && r.sentAt <= limit {
			lose(r)
			b.lose(i)
		}
	}
}

// unlose takes all back that is thought lost: it was a mistake.
func (b *scoreboard) unlose() {
	for i := b.find(b.lostFrom); b.lost > 0; i++ {
		if r := b.at(i); r.has(recLost) {
			r.flags &^= recLost
			b.lost -= r.len()
		}
	}
	b.settled = b.at(0).start
}

// count returns how many segments are lost (recLost), or under way for the second
// time at least (recResent).
func (b *scoreboard) count(what recordFlags) (n int) {
	for i := range b.n {
		if r := b.at(i); r.flags&(recSacked|recLost|what) == what {
			n += r.segments()
		}
	}
	return n
}

// pushedAt reports whether a segment that ended at end was sent with PSH.
func (b *scoreboard) pushedAt(end seqnum.Value) bool {
	r := b.at(b.find(end.Add(^seqnum.Size(0))))
	return r.end == end && r.has(recPushed)
}

// nextLost returns where the first lost bytes begin, and how many follow
// without a gap, up to most or a little more, or until records end in a whole
// segment of mss bytes: as they were sent they go again, in whole segments. n is
// 0 when nothing is lost.
func (b *scoreboard) nextLost(mss, most int) (from seqnum.Value, n int) {
	if b.lost == 0 {
		return 0, 0
	}
	i := b.skipTo(b.find(b.lostFrom))
	b.lostFrom = b.at(i).start
	from = b.lostFrom
	for ; i < b.n && b.at(i).has(recLost) && n < most; i++ {
		n = b.at(i).end.Diff(from)
		if n%mss == 0 && (i+1 == b.n || b.at(i+1).len() > 1) {
			break // a FIN goes along
		}
	}
	return from, n
}

// skipTo returns the first lost record from i on; there is one.
func (b *scoreboard) skipTo(i int) int {
	for !b.at(i).has(recLost) {
		if b.at(i).has(recSacked) {
			i = b.find(b.rangeEnd(b.at(i).start))
		} else {
			i++
		}
	}
	return i
}

// sendAgain makes the lost bytes [r.start, r.end) the one record r.
func (b *scoreboard) sendAgain(r sentRecord) {
	i := b.find(r.start)
	if r.start != b.at(i).start {
		b.split(i, r.start)
		i++
	}
	j := b.find(r.end.Add(^seqnum.Size(0)))
	if r.end != b.at(j).end {
		b.split(j, r.end)
	}
	for k := i; k <= j; k++ {
		old := b.at(k)
		if old.has(recLost) {
			b.lost -= old.len()
		}
		if old.has(recResent) && int32(old.stamp-r.stamp) < 0 {
			r.stamp = old.stamp
		}
	}
	b.remove(i+1, j+1)
	r.flags |= recResent
	*b.at(i) = r
	b.noteResend(resend{start: r.start, end: r.end, sentAt: r.sentAt})
}

// noteResend remembers a copy. Those that are gone make room, so that the memory
// is that of what is outstanding, whether or not RACK ever asks.
func (b *scoreboard) noteResend(e resend) {
	if len(b.resends) == cap(b.resends) && b.resendHead > 0 && b.resendHead >= len(b.resends)/2 {
		n := copy(b.resends, b.resends[b.resendHead:])
		b.resends, b.resendHead = b.resends[:n], 0
	}
	b.resends = append(b.resends, e)
}
