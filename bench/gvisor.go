package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// gvisorNet is two gVisor stacks on a link in memory.
type gvisorNet struct {
	client, server *stack.Stack
}

// newGvisor joins two stacks. Ways: "" hands packets over to a goroutine for
// each direction; "inline" delivers them in the sender's; "sgso+gro" is "" with
// gVisor's own segmentation on one side and coalescing on the other.
func newGvisor(k linkKind, way string) (*gvisorNet, error) {
	a, b := &gvisorMemory{}, &gvisorMemory{}
	a.peer, b.peer = b, a
	for _, m := range []*gvisorMemory{a, b} {
		m.mtu = 1500
		switch {
		case k == super:
			m.mtu = 65535
			m.gso = stack.HostGSOSupported
			m.caps = stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
		case way == "sgso+gro":
			m.gso = stack.GVisorGSOSupported
			m.merge = true
			// GRO checks the checksums and does not mend those of what it merged.
			m.caps = stack.CapabilityRXChecksumOffload
		}
		m.start(way == "inline")
	}
	client, err := gvisorHost(a, clientIP+"/24")
	if err != nil {
		return nil, err
	}
	server, err := gvisorHost(b, serverIP+"/24")
	return &gvisorNet{client: client, server: server}, err
}

// gvisorHost returns a stack that is set up as tailscale does it.
func gvisorHost(l stack.LinkEndpoint, prefix string) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack, recovery, reno := tcpip.TCPSACKEnabled(true), tcpip.TCPRecovery(0), tcpip.CongestionControlOption("reno")
	receive := tcpip.TCPReceiveBufferSizeRangeOption{
		Min: tcp.MinBufferSize, Default: tcp.DefaultReceiveBufferSize, Max: 8 << 20,
	}
	send := tcpip.TCPSendBufferSizeRangeOption{
		Min: tcp.MinBufferSize, Default: tcp.DefaultSendBufferSize, Max: 6 << 20,
	}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &recovery, &reno, &receive, &send} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return nil, fmt.Errorf("gvisor: set %T: %v", o, err)
		}
	}
	return s, addNIC(s, 1, l, prefix)
}

// addNIC attaches a stack to a link.
func addNIC(s *stack.Stack, id tcpip.NICID, l stack.LinkEndpoint, prefix string) error {
	if err := s.CreateNIC(id, l); err != nil {
		return fmt.Errorf("gvisor: create NIC: %v", err)
	}
	p := netip.MustParsePrefix(prefix)
	a := tcpip.ProtocolAddress{
		Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFrom4(p.Addr().As4()), PrefixLen: p.Bits(),
		},
	}
	if err := s.AddProtocolAddress(id, a, stack.AddressProperties{}); err != nil {
		return fmt.Errorf("gvisor: add %s: %v", prefix, err)
	}
	s.AddRoute(tcpip.Route{Destination: a.AddressWithPrefix.Subnet(), NIC: id})
	return nil
}

func address(ip string, port int) tcpip.FullAddress {
	a := tcpip.FullAddress{Port: uint16(port)}
	if ip != "" {
		a.Addr = tcpip.AddrFrom4(netip.MustParseAddr(ip).As4())
	}
	return a
}

func (n *gvisorNet) Dial(ctx context.Context, port int) (net.Conn, error) {
	return gonet.DialContextTCP(ctx, n.client, address(serverIP, port), ipv4.ProtocolNumber)
}

func (n *gvisorNet) Listen(port, backlog int) (net.Listener, error) {
	return gvisorListen(n.server, port, backlog)
}

// gvisorListen is gonet.ListenTCP with a backlog of one's own.
func gvisorListen(s *stack.Stack, port, backlog int) (net.Listener, error) {
	if backlog == 0 {
		return gonet.ListenTCP(s, address("", port), ipv4.ProtocolNumber)
	}
	var wq waiter.Queue
	ep, err := s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err == nil {
		err = ep.Bind(address("", port))
	}
	if err == nil {
		err = ep.Listen(backlog)
	}
	if err != nil {
		return nil, errors.New(err.String())
	}
	return gonet.NewTCPListener(s, &wq, ep), nil
}

// Flood implements flooder.
func (n *gvisorNet) Flood(count int, next func() []byte) error {
	m := &gvisorMemory{gvisorLink: gvisorLink{mtu: 1500}}
	if err := addNIC(n.server, 2, m, floodIP+"/8"); err != nil {
		return err
	}
	for range count {
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(next())})
		m.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
		p.DecRef()
	}
	if err := n.server.RemoveNIC(2); err != nil {
		return errors.New(err.String())
	}
	return nil
}
