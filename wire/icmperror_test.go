package wire

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/trivet-net/trivet/seqnum"
)

// RFC 1191, Section 4, RFC 792, RFC 4443, Sections 3.1 to 3.3: the errors of
// routers come from the router, go to the sender, and quote its packet, as the
// parser reads it.
func TestBuildRouterError(t *testing.T) {
	for _, addrs := range [][3]string{{"10.0.0.1", "10.0.0.2", "10.9.9.9"}, {"fd00::1", "fd00::2", "fd00::9"}} {
		local, remote, router := netip.MustParseAddr(addrs[0]), netip.MustParseAddr(addrs[1]), AddrFrom(netip.MustParseAddr(addrs[2]))
		for _, want := range []ICMP{
			{Kind: ICMPTooBig, MTU: 1280},
			{Kind: ICMPTimeExceeded},
			{Kind: ICMPUnreachable, Code: ICMPNetUnreachable},
		} {
			t.Run(fmt.Sprintf("%s/kind=%d", addrs[0], want.Kind), func(t *testing.T) {
				tuple := Tuple(netip.AddrPortFrom(local, 1000), netip.AddrPortFrom(remote, 80))
				var in, out Packet
				in.BuildTCP(tuple, &Segment{Seq: 77, Flags: ACK, Count: 1}, 0)
				in.FinishChecksum()
				var ip IP
				if d := in.ParseIP(&ip); d != DropNone {
					t.Fatal(d)
				}
				out.BuildRouterError(router, &ip, &in, want.Kind, want.Code, want.MTU)
				var back IP
				var got ICMP
				if d := out.ParseIP(&back); d != DropNone || back.Src != router || back.Dst != AddrFrom(local) {
					t.Fatalf("ParseIP = %v, from %v to %v, want %v to %v", d, back.Src, back.Dst, router, local)
				}
				if d := out.ParseICMP(&back, &got); d != DropNone {
					t.Fatalf("ParseICMP = %v", d)
				}
				if want.Kind == ICMPTooBig && ip.Version == 4 {
					want.Code = icmpCodeFrag
				}
				want.Protocol, want.Tuple, want.TCPSeq = ProtoTCP, tuple, seqnum.Value(77)
				if got != want {
					t.Errorf("ParseICMP gives %+v, want %+v", got, want)
				}
			})
		}
	}
}
