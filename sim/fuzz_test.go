package sim

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/wire"
)

// FuzzForgedPackets injects what nobody sent into a network with everything in
// it that looks into packets. Nothing may panic, whatever comes.
func FuzzForgedPackets(f *testing.F) {
	client, server := netip.MustParseAddrPort("10.0.0.1:5000"), netip.MustParseAddrPort("10.0.0.2:80")
	syn := SegmentPacket(client, server, &wire.Segment{Flags: wire.SYN, Options: wire.Options{MSS: 1460, HasTS: true}})
	f.Add(uint8(0), syn)
	f.Add(uint8(1), SegmentPacket(server, client, &wire.Segment{Flags: wire.ACK}))
	six := netip.MustParseAddrPort("[fd00::1]:5000")
	f.Add(uint8(2), SegmentPacket(six, netip.MustParseAddrPort("[fd00::2]:80"), &wire.Segment{Flags: wire.SYN}))
	var in, out wire.Packet
	var ip wire.IP
	in.SetBytes(syn)
	in.ParseIP(&ip)
	out.BuildRouterError(wire.AddrFrom(server.Addr()), &ip, &in, wire.ICMPTooBig, 0, 600)
	f.Add(uint8(3), out.AppendTo(nil))
	f.Fuzz(func(t *testing.T, where uint8, packet []byte) {
		n := New(Config{Seed: 1})
		c, s := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
		nat, router, sw := n.AddNAT("nat", NATConfig{Reset: true}), n.AddRouter("router", RouterConfig{}), n.AddSwitch("switch")
		nat.Forward(wire.ProtoTCP, webPort, netip.AddrPortFrom(c.Addr(), webPort))
		n.Connect(nat, router, fast)
		narrow := fast
		narrow.MTU = 600
		n.Connect(router, s, narrow)
		n.Connect(nat, sw, fast)
		n.Connect(sw, c, fast)
		for _, l := range n.Links() {
			l.Insert(StripOptions(2, 3, 4, 8))
			l.Insert(ClampMSS(500))
			l.Insert(BleachECN)
			l.Insert(Firewall(time.Minute, true))
			l.Insert(ResetOn(Data))
		}
		n.Count(Retransmission(), Containing("x"), Larger(3))
		x := n.lines[int(where)%len(n.lines)]
		x.look(packet)
		x.enter(x.number(), n.Now(), packet, Verdict{Corrupt: where >= 128})
		n.RunFor(time.Second)
	})
}

// FuzzSchedule lets a byte string decide what two hosts and the programs on
// them do: when they connect, write, read, close, abort, crash, and when the
// link is cut. What TestChaos demands holds for every schedule.
func FuzzSchedule(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 20, 100, 400} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint64())
		}
		f.Add(uint64(n), b)
	}
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) {
		const most = 600 // bytes, so that a run takes milliseconds
		left := b[:min(len(b), most)]
		c := newChaos(t, seed, func(n int) int {
			if len(left) == 0 {
				return 0
			}
			x := left[0]
			left = left[1:]
			return int(x) * n / 256
		})
		for len(left) > 0 {
			c.step()
			c.RunFor(time.Duration(c.choose(250)) * time.Millisecond)
		}
		c.finish()
	})
}
