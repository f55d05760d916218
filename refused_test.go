package trivet_test

import (
	"sync/atomic"
	"testing"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// crowded is a link whose queue is full at times: of every seventh batch it takes
// half.
type crowded struct {
	link.Link
	writes atomic.Int64
}

func (c *crowded) Write(pkts []wire.Packet) (int, error) {
	if c.writes.Add(1)%7 != 0 {
		return c.Link.Write(pkts)
	}
	return c.Link.Write(pkts[:len(pkts)/2])
}

// What a link does not take is not lost but not sent: all arrives, and no loss is
// found, whether the stack cuts or the link.
func TestCrowdedLink(t *testing.T) {
	for _, offloads := range []link.Offloads{0, link.TSO | link.RxMerged} {
		a, b := link.Pair(1500, link.PairOptions{Offloads: offloads, QueuePackets: 1 << 20, QueueBytes: 1 << 30})
		client := newHost(t, trivet.Config{}, &crowded{Link: a}, clientPrefixes)
		server := newHost(t, trivet.Config{}, b, serverPrefixes)
		c, s := connect(t, client, server)
		transfer(t, c, s, 4<<20)
		rules := client.Stats().TCP.Rules
		if rules[tcp.RuleRefused] == 0 {
			t.Errorf("offloads %b: the link refused nothing", offloads)
		}
		if n := rules[tcp.RuleFastRetransmit]; n != 0 {
			t.Errorf("offloads %b: %d recoveries, want none", offloads, n)
		}
		closeHost(t, client)
		closeHost(t, server)
	}
}
