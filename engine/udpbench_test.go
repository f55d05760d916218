package engine

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/trivet-net/trivet/wire"
)

// udpEcho returns a connected socket of one host, a socket of another, and a
// function that takes a datagram from the first to the second and back.
func udpEcho(tb testing.TB, n int) (round func()) {
	a, b := newHost(tb, Config{}, addrA), newHost(tb, Config{}, addrB)
	server := b.listenUDP("0.0.0.0:7", UDPOptions{})
	client, err := a.e.DialUDP(a.now, netip.AddrPort{}, at("10.0.0.2:7"), UDPOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	data, buf := make([]byte, n), make([]byte, n)
	var out wire.Batch
	carry := func(from, to *host) {
		from.e.Output(from.now, &out)
		for i := range out.Packets {
			out.Packets[i].Checksum = wire.ChecksumValid
			to.e.Input(to.now, &out.Packets[i])
		}
		out.Release()
	}
	return func() {
		if err := client.Send(a.now, data, netip.AddrPort{}); err != nil {
			tb.Fatal(err)
		}
		carry(a, b)
		k, d, err := server.Receive(buf)
		if err == nil {
			err = server.Send(b.now, buf[:k], d.From)
		}
		if err != nil {
			tb.Fatal(err)
		}
		carry(b, a)
		if k, _, err := client.Receive(buf); err != nil || k != n {
			tb.Fatalf("Receive = %d, %v, want %d", k, err, n)
		}
	}
}

func BenchmarkUDP(b *testing.B) {
	for _, n := range []int{64, 1400} {
		b.Run(fmt.Sprintf("size=%d", n), func(b *testing.B) {
			round := udpEcho(b, n)
			b.ReportAllocs()
			b.SetBytes(int64(2 * n))
			for b.Loop() {
				round()
			}
		})
	}
}
