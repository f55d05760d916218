package sim

import (
	"bytes"
	"slices"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// Rule does something to the packets that its matches pick, as they are about
// to cross a link, and counts them. Rules are asked in the order in which they
// were made; each sees every packet, and what they do adds up.
type Rule struct {
	fabric  *Fabric
	matches []Match
	verdict Verdict
	hold    bool
	count   int
	held    []heldPacket
}

// heldPacket is one that a rule keeps from its link.
type heldPacket struct {
	line   *line
	number int
	sent   tcp.Time
	data   []byte
}

func (f *Fabric) rule(v Verdict, hold bool, matches []Match) *Rule {
	for _, m := range matches {
		if m == nil {
			panic("sim: a nil match")
		}
	}
	r := &Rule{fabric: f, matches: slices.Clone(matches), verdict: v, hold: hold}
	f.rules = append(f.rules, r)
	return r
}

// Count counts the packets that match: all if there is no match.
func (f *Fabric) Count(matches ...Match) *Rule { return f.rule(Verdict{}, false, matches) }

// Drop loses the packets that match.
func (f *Fabric) Drop(matches ...Match) *Rule { return f.rule(Verdict{Drop: true}, false, matches) }

// Duplicate has the packets that match delivered twice.
func (f *Fabric) Duplicate(matches ...Match) *Rule {
	return f.rule(Verdict{Duplicate: true}, false, matches)
}

// Corrupt changes a byte in each of the packets that match.
func (f *Fabric) Corrupt(matches ...Match) *Rule {
	return f.rule(Verdict{Corrupt: true}, false, matches)
}

// Delay holds the packets that match back for d; later ones overtake them.
func (f *Fabric) Delay(d time.Duration, matches ...Match) *Rule {
	return f.rule(Verdict{Delay: d}, false, matches)
}

// Hold keeps the packets that match until Release.
func (f *Fabric) Hold(matches ...Match) *Rule { return f.rule(Verdict{}, true, matches) }

// Count returns how many packets have matched.
func (r *Rule) Count() int { return r.count }

// Held returns how many packets are held.
func (r *Rule) Held() int { return len(r.held) }

// Release sends what is held, in the order in which it came and past the link's
// middleboxes. What matches from now on is held again, until Stop.
func (r *Rule) Release() {
	held := r.held
	r.held = nil
	for _, h := range held {
		h.line.proceed(h.number, h.sent, h.data, Verdict{})
	}
}

// Stop ends the rule: packets pass it again. What is held stays so until
// Release.
func (r *Rule) Stop() {
	r.fabric.rules = slices.DeleteFunc(r.fabric.rules, func(x *Rule) bool { return x == r })
}

// matchesAll reports whether all matches say yes.
func (r *Rule) matchesAll(c *Crossing) bool {
	for _, m := range r.matches {
		if !m(c) {
			return false
		}
	}
	return true
}

// judge asks all rules, and returns what they decide and the one that holds
// the packet, if any.
func (f *Fabric) judge(c *Crossing, v Verdict) (Verdict, *Rule) {
	var holder *Rule
	for _, r := range f.rules {
		if !r.matchesAll(c) {
			continue
		}
		r.count++
		v.Drop = v.Drop || r.verdict.Drop
		v.Duplicate = v.Duplicate || r.verdict.Duplicate
		v.Corrupt = v.Corrupt || r.verdict.Corrupt
		v.Delay += r.verdict.Delay
		if r.hold && holder == nil {
			holder = r
		}
	}
	if v.Drop {
		holder = nil
	}
	return v, holder
}

// keep holds a packet.
func (r *Rule) keep(x *line, c *Crossing) {
	r.held = append(r.held, heldPacket{line: x, number: c.Number, sent: c.Now, data: bytes.Clone(c.Data)})
}
