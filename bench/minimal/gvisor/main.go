// Command gvisor is the smallest echo server with gVisor's netstack.
package main

import (
	"io"
	"log"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

func main() {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	if err := s.CreateNIC(1, channel.New(256, 1500, "")); err != nil {
		log.Fatal(err)
	}
	a := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{10, 1, 0, 2}), PrefixLen: 24}
	p := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: a}
	if err := s.AddProtocolAddress(1, p, stack.AddressProperties{}); err != nil {
		log.Fatal(err)
	}
	s.AddRoute(tcpip.Route{Destination: a.Subnet(), NIC: 1})
	l, err := gonet.ListenTCP(s, tcpip.FullAddress{Port: 7}, ipv4.ProtocolNumber)
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
