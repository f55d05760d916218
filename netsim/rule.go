package netsim

import (
	"time"

	"github.com/trivet-net/trivet/sim"
)

// Rule does something to the packets that its matches pick, as they are about
// to cross a link, and counts them; see sim.Rule. Its methods are safe for
// concurrent use. Matches are those of package sim, or one's own, which must
// not call the network:
//
//	n.Drop(sim.From("client"), sim.Data, sim.Nth(3))
type Rule struct {
	network *Network
	rule    *sim.Rule // guarded by Network.wires
}

func (n *Network) rule(add func() *sim.Rule) *Rule {
	r := &Rule{network: n}
	n.locked(func() { r.rule = add() })
	return r
}

// Count counts the packets that match: all if there is no match.
func (n *Network) Count(matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Count(matches...) })
}

// Drop loses the packets that match.
func (n *Network) Drop(matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Drop(matches...) })
}

// Duplicate has the packets that match delivered twice.
func (n *Network) Duplicate(matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Duplicate(matches...) })
}

// Corrupt changes a byte in each of the packets that match.
func (n *Network) Corrupt(matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Corrupt(matches...) })
}

// Delay holds the packets that match back for d; later ones overtake them.
func (n *Network) Delay(d time.Duration, matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Delay(d, matches...) })
}

// Hold keeps the packets that match until Release.
func (n *Network) Hold(matches ...sim.Match) *Rule {
	return n.rule(func() *sim.Rule { return n.fabric.Hold(matches...) })
}

// Count returns how many packets have matched.
func (r *Rule) Count() (count int) {
	r.network.read(func() { count = r.rule.Count() })
	return count
}

// Held returns how many packets are held.
func (r *Rule) Held() (held int) {
	r.network.read(func() { held = r.rule.Held() })
	return held
}

// Release sends what is held, in the order in which it came. What matches from
// now on is held again, until Stop.
func (r *Rule) Release() { r.network.locked(r.rule.Release) }

// Stop ends the rule: packets pass it again. What is held stays so until
// Release.
func (r *Rule) Stop() { r.network.locked(r.rule.Stop) }
