package trivet_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.10.5: ABORT in SYN-RECEIVED sends a RST. The client whose ACK
// is on its way when the host closes would wait for an answer for ever.
func TestStackCloseResetsHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.Pair(1500, link.PairOptions{})
		s := newHost(t, trivet.Config{}, a, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")})
		if _, err := s.Listen("tcp", ":80"); err != nil {
			t.Fatal(err)
		}
		flood(t, b, 1, 80, wire.SYN)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		var got []wire.Segment
		pkts := make([]wire.Packet, 8)
		n, err := b.Read(pkts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range pkts[:n] {
			var ip wire.IP
			var seg wire.Segment
			if d := pkts[i].ParseIP(&ip); d != wire.DropNone {
				t.Fatal(d)
			}
			if d := pkts[i].ParseTCP(&ip, &seg); d != wire.DropNone {
				t.Fatal(d)
			}
			got = append(got, seg)
		}
		if n != 2 || got[0].Flags != wire.SYN|wire.ACK || got[1].Flags != wire.RST || got[1].Seq != got[0].End() {
			t.Errorf("sent %+v, want a SYN,ACK and a RST after it", got)
		}
	})
}
