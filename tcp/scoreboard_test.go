package tcp

import (
	"fmt"
	"testing"

	"github.com/trivet-net/trivet/seqnum"
)

// check says what is wrong with a scoreboard of [una, nxt).
func (b *scoreboard) check(una, nxt seqnum.Value) error {
	if b.n == 0 {
		return fmt.Errorf("a scoreboard without records is kept")
	}
	var sacked, lost, segs int
	var ranges []seqRange
	at := b.at(0).start
	if at.Less(una) || nxt != b.end() {
		return fmt.Errorf("records of %d:%d, outstanding is %d:%d", at, b.end(), una, nxt)
	}
	for i := range b.n {
		r := b.at(i)
		switch {
		case r.start != at || !r.start.Less(r.end):
			return fmt.Errorf("record %d is %d:%d, the last ended at %d", i, r.start, r.end, at)
		case r.has(recSacked) && r.has(recLost):
			return fmt.Errorf("record %d is SACKed and lost", i)
		case r.has(recLost) && r.end.LessEq(b.lostFrom):
			return fmt.Errorf("record %d is lost, and before %d", i, b.lostFrom)
		case r.flags == 0 && r.end.LessEq(b.settled):
			return fmt.Errorf("record %d is in flight, and before %d", i, b.settled)
		case r.size == 0:
			return fmt.Errorf("record %d has segments of 0 bytes", i)
		}
		at = r.end
		if r.has(recLost) {
			lost += r.len()
		}
		if r.has(recSacked) {
			sacked += r.len()
			segs += r.segments()
			if n := len(ranges); n > 0 && ranges[n-1].end == r.start {
				ranges[n-1].end = r.end
			} else {
				ranges = append(ranges, seqRange{r.start, r.end})
			}
		}
	}
	if sacked != b.sacked || lost != b.lost || segs != b.sackedSegs {
		return fmt.Errorf("sacked %d (%d segments), lost %d; counted %d (%d), %d", sacked, segs, lost, b.sacked, b.sackedSegs, b.lost)
	}
	if fmt.Sprint(ranges) != fmt.Sprint(b.ranges) {
		return fmt.Errorf("ranges %v, records say %v", b.ranges, ranges)
	}
	return nil
}

// naive is a scoreboard with an entry for each byte.
type naive struct {
	una, nxt int
	state    []recordFlags // of bytes una.. on
	size     int
}

// runScoreboard plays a schedule to a scoreboard and to the naive model of it, and
// compares them after each step. What is sent, lost and sent again, SACKed and
// acknowledged comes from the bytes of ops; segments have 100 bytes, so that
// records are whole segments only while nothing else is acknowledged.
func runScoreboard(t *testing.T, ops []byte) {
	t.Helper()
	const base = seqnum.Value(0xffff_ff00)
	at := func(n int) seqnum.Value { return base.Add(seqnum.Size(n)) }
	b := new(scoreboard)
	m := naive{size: 100}
	now := Time(1000)
	next := func() int {
		if len(ops) == 0 {
			return 0
		}
		n := int(ops[0])
		ops = ops[1:]
		return n
	}
	for len(ops) > 0 {
		now++
		d := delivery{now: now, fack: base}
		switch op := next(); op % 5 {
		case 0: // send a record of some segments, the last of which may be short
			n := (next()%8)*m.size + 1 + next()%m.size
			b.push(sentRecord{start: at(m.nxt), end: at(m.nxt + n), sentAt: now, size: uint16(m.size)})
			m.nxt += n
			m.state = append(m.state, make([]recordFlags, n)...)
		case 1: // acknowledge
			n := min(next()*8, len(m.state))
			want := 0
			for _, s := range m.state[:n] {
				if s&recSacked == 0 {
					want++
				}
			}
			m.una, m.state = m.una+n, m.state[n:]
			b.ack(at(m.una), &d)
			if d.bytes != want {
				t.Fatalf("ack(%d) delivered %d bytes, want %d", m.una, d.bytes, want)
			}
		case 2: // SACK
			left := m.una + next()*8
			right := min(left+next()*8, m.nxt)
			if left >= right {
				continue
			}
			b.sack(at(left), at(right), &d)
			got := m.sackWhole(b, at, left, right)
			if d.bytes != got {
				t.Fatalf("sack(%d, %d) delivered %d bytes, want %d", left, right, d.bytes, got)
			}
		case 3: // lose what was sent before
			limit := now - Time(next()%16)
			b.loseOlder(limit, func(r *sentRecord) {
				for i := range m.state[r.start.Diff(at(m.una)):r.end.Diff(at(m.una))] {
					m.state[r.start.Diff(at(m.una))+i] |= recLost
				}
			})
		case 4: // send again
			from, n := b.nextLost(100, 300)
			if n == 0 {
				if b.lost != 0 {
					t.Fatalf("nothing to send again of %d lost bytes", b.lost)
				}
				continue
			}
			n = 1 + next()%n
			first := 0
			for m.state[first]&recLost == 0 {
				first++
			}
			if from != at(m.una+first) {
				t.Fatalf("sends %d again, the first lost byte is %d", from.Diff(base), m.una+first)
			}
			b.sendAgain(sentRecord{start: from, end: from.Add(seqnum.Size(n)), sentAt: now, size: uint16(m.size)})
			for i := range n {
				m.state[first+i] &^= recLost
			}
		}
		m.compare(t, b, at)
		if b.n == 0 {
			b.empty()
		}
	}
}

// sackWhole marks the whole segments of [left, right), as records have them, and
// returns how many bytes are new.
func (m *naive) sackWhole(b *scoreboard, at func(int) seqnum.Value, left, right int) (fresh int) {
	for i := range b.n {
		r := b.at(i)
		if !r.has(recSacked) {
			continue
		}
		from := r.start.Diff(at(m.una))
		for k := from; k < from+r.len(); k++ {
			if m.state[k]&recSacked != 0 {
				continue
			}
			if k+m.una < left || k+m.una >= right {
				return -1 // it marked what no block told
			}
			m.state[k] = recSacked
			fresh++
		}
	}
	return fresh
}

func (m *naive) compare(t *testing.T, b *scoreboard, at func(int) seqnum.Value) {
	t.Helper()
	if b.n == 0 {
		if m.una != m.nxt {
			t.Fatalf("no records of %d bytes", m.nxt-m.una)
		}
		return
	}
	if err := b.check(at(m.una), at(m.nxt)); err != nil {
		t.Fatal(err)
	}
	if b.at(0).start != at(m.una) {
		t.Fatalf("the first record begins at %d, una is %d", b.at(0).start, at(m.una))
	}
	for i := range b.n {
		r := b.at(i)
		for k := r.start.Diff(at(m.una)); k < r.end.Diff(at(m.una)); k++ {
			if got, want := r.flags&(recSacked|recLost), m.state[k]&(recSacked|recLost); got != want {
				t.Fatalf("byte %d is %b, want %b", m.una+k, got, want)
			}
		}
	}
}

// The scoreboard says what a table of all bytes would say.
func FuzzScoreboard(f *testing.F) {
	rng := uint64(1)
	for range 40 {
		ops := make([]byte, 400)
		for i := range ops {
			rng = rng*6364136223846793005 + 1442695040888963407
			ops[i] = byte(rng >> 56)
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 4096 {
			return
		}
		runScoreboard(t, ops)
	})
}

// What is remembered for RACK of copies sent again is bounded by what is
// outstanding, though RACK is never asked, as without SACK, and though at every
// moment something that went again is on its way.
func TestResendsAreBounded(t *testing.T) {
	const mss = 1000
	var b scoreboard
	at := func(n int) seqnum.Value { return seqnum.Value(n * mss) }
	send := func(n int) { b.push(sentRecord{start: at(n), end: at(n + 1), size: mss, sentAt: Time(n + 1)}) }
	for n := range 10 {
		send(n)
	}
	for n := range 10_000 {
		now := Time(n + 100)
		b.lose(0)
		b.sendAgain(sentRecord{start: at(n), end: at(n + 1), size: mss, sentAt: now})
		b.ack(at(n+1), &delivery{now: now})
		send(n + 10)
	}
	if n := cap(b.resends); n > 64 {
		t.Errorf("memory for %d copies, with 10 segments outstanding", n)
	}
}
