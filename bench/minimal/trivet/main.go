// Command trivet is the smallest echo server with Trivet.
package main

import (
	"io"
	"log"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
)

func main() {
	s, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	near, _ := link.Pair(1500, link.PairOptions{})
	if err := s.AddLink(near, netip.MustParsePrefix("10.1.0.2/24")); err != nil {
		log.Fatal(err)
	}
	l, err := s.Listen("tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}
