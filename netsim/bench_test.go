package netsim_test

import (
	"io"
	"testing"

	"github.com/trivet-net/trivet/netsim"
)

// BenchmarkLink is bulk data between two stacks over a link without delay, in
// real time: how many packets the network moves in a second.
func BenchmarkLink(b *testing.B) {
	n := netsim.New(netsim.Config{})
	defer n.Close()
	client, server := n.Host("client"), n.Host("server")
	cable := n.Link(client, server)
	l, err := server.Listen("tcp", ":80")
	if err != nil {
		b.Fatal(err)
	}
	go func() { // ends with the connection
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}()
	c, err := client.Dial("tcp", "server:80")
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	forward, backward := cable.Stats()
	b.ReportMetric(float64(forward.Delivered+backward.Delivered)/b.Elapsed().Seconds(), "packets/s")
	_ = c.Close()
}
