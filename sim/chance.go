package sim

import "math/rand/v2"

// dice are the random numbers of one packet. Every packet draws them all,
// whatever the settings, so that changing one setting, or dropping a packet on
// purpose, leaves the luck of all other packets as it was.
type dice struct {
	loss, duplicate, reorder, corrupt, jitter float64
	where                                     uint64 // the byte that is changed
	hold                                      float64
	turn, burst                               float64 // of the Gilbert-Elliott process
}

// chance draws dice.
type chance struct {
	first, second *rand.Rand
	bad           bool // the state of the Gilbert-Elliott process
}

func newChance(seed1, seed2 uint64) chance {
	return chance{
		first:  rand.New(rand.NewPCG(seed1, seed2)),
		second: rand.New(rand.NewPCG(seed2, ^seed1)),
	}
}

func (c *chance) roll() dice {
	r, s := c.first, c.second
	return dice{
		loss: r.Float64(), duplicate: r.Float64(), reorder: r.Float64(), corrupt: r.Float64(),
		jitter: r.Float64(), where: r.Uint64(),
		hold: s.Float64(), turn: s.Float64(), burst: s.Float64(),
	}
}

// burstLoses moves the Gilbert-Elliott process on by a packet and reports
// whether it loses the packet.
func (c *chance) burstLoses(g *GilbertElliott, luck *dice) bool {
	if c.bad {
		c.bad = luck.turn >= g.ToGood
	} else {
		c.bad = luck.turn < g.ToBad
	}
	if c.bad {
		return luck.burst < g.LossBad
	}
	return luck.burst < g.LossGood
}
