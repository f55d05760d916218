package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link/tun"
)

// trivetTun is a stack with the zero Config on a TUN device.
type trivetTun struct{ trivetNet }

func newTrivetTun(vnet bool) (*trivetTun, error) {
	d, err := openDevice(vnet)
	if err != nil {
		return nil, err
	}
	s, err := trivetHost(d, serverIP+"/24", 0)
	return &trivetTun{trivetNet{client: s, server: s}}, err
}

func openDevice(vnet bool) (*tun.Device, error) {
	d, err := tun.Open(tun.Config{NoOffload: !vnet})
	if err != nil {
		return nil, err
	}
	return d, d.Configure(netip.MustParsePrefix(clientIP + "/24"))
}

func (h *trivetTun) DialKernel(ctx context.Context, port int) (net.Conn, error) {
	d := trivet.Dialer{Stack: h.client}
	return d.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", clientIP, port))
}
