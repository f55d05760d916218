package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/trivet-net/trivet"
)

// How many SYNs come, after how many that fill the queues, and how many
// connections may wait to be accepted.
const (
	floodSYNs    = 1 << 20
	fillSYNs     = 4096
	floodBacklog = 128
)

func synfloodWorkloads() []workload {
	return []workload{
		{
			name: "synflood", about: "1,048,576 spoofed SYNs as fast as the server takes them, on a link of their own",
			variants: []string{"gvisor", "trivet"}, rounds: 3,
			metrics: []metric{
				{name: "wall", unit: "us per SYN"},
				{name: "cpu", unit: "CPU us per SYN", goal: goal{value: 0.6}},
				{name: "allocs", unit: "allocs per SYN", goal: goal{value: 0.01}},
				{name: "growth", unit: "MB heap growth", goal: goal{value: 1}},
			},
			run: func(s settings) (result, error) { return synflood(s, false) },
		}, {
			name: "synflood/client", about: "the same while a client connects, sends a byte each way and closes, one after the other",
			variants: []string{"gvisor", "trivet"}, rounds: 3,
			metrics: []metric{
				{name: "client", unit: "connections/s", more: true, goal: goal{value: 1000}},
				{name: "kept", unit: "part with window scale and SACK", more: true, goal: goal{value: 0.99}},
				{name: "wall", unit: "us per SYN"},
			},
			run: func(s settings) (result, error) { return synflood(s, true) },
		},
	}
}

func synflood(s settings, withClient bool) (result, error) {
	n, err := open(s.Variant, mtu1500)
	if err != nil {
		return nil, err
	}
	f, ok := n.(flooder)
	if !ok {
		return nil, fmt.Errorf("%s cannot be flooded here", s.Variant)
	}
	l, err := n.Listen(7, floodBacklog)
	if err != nil {
		return nil, err
	}
	accepted := &inspector{Listener: l}
	go answer(accepted, false)
	next := spoofedSYNs()
	if err := f.Flood(fillSYNs, next); err != nil {
		return nil, err
	}
	stop, served := make(chan struct{}), make(chan int, 1)
	if withClient {
		go func() { served <- serveUntil(stop, n) }()
	}
	before, start := memory(), now()
	if err := f.Flood(floodSYNs, next); err != nil {
		return nil, err
	}
	used := start.since()
	r := used.perOp(floodSYNs)
	close(stop)
	if withClient {
		r["client"] = float64(<-served) / used.wall
		if strings.HasPrefix(s.Variant, "trivet") { // the others do not tell
			r["kept"] = float64(accepted.kept.Load()) / float64(max(1, accepted.all.Load()))
		}
	}
	r["wall"] = used.wall / floodSYNs * 1e6
	r["growth"] = (memory().heap - before.heap) / 1e6
	return r, nil
}

// inspector counts accepted connections, and those with all options in force.
type inspector struct {
	net.Listener
	all, kept atomic.Int64
}

func (i *inspector) Accept() (net.Conn, error) {
	c, err := i.Listener.Accept()
	i.all.Add(1)
	if t, ok := c.(*trivet.Conn); ok {
		if info := t.Info(); info.WindowScale && info.SACK {
			i.kept.Add(1)
		}
	}
	return c, err
}

// serveUntil makes connections until stop is closed and returns how many were
// answered until then.
func serveUntil(stop chan struct{}, n network) (served int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { <-stop; cancel() }()
	dial := func(context.Context) (net.Conn, error) { return n.Dial(ctx, 7) }
	buf := make([]byte, 1)
	for ctx.Err() == nil {
		if _, err := (churn{}).once(dial, buf); err == nil && ctx.Err() == nil {
			served++
		}
	}
	return served
}

// The parts of a SYN as Linux sends it: MSS, SACK, timestamps, window scale.
const (
	ipHeader  = 20
	synOption = 20
	synSize   = ipHeader + 20 + synOption
)

// spoofedSYNs returns a function that makes SYNs from ever new addresses and
// ports. The bytes are good for the next 64 calls, so that a batch of them can
// be on its way.
func spoofedSYNs() func() []byte {
	const ring = 64
	p := make([]byte, 0, synSize)
	p = append(p, 0x45, 0, 0, synSize, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0)
	dst := netip.MustParseAddr(floodIP).As4()
	p = append(p, dst[:]...)
	p = append(p, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0)
	p = append(p, 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7)
	ipSum := onesSum(p[:ipHeader])
	tcpSum := onesSum(p[16:]) + 6 + synSize - ipHeader // with the destination and the rest of the pseudo-header

	packets := make([]byte, 0, ring*synSize)
	for range ring {
		packets = append(packets, p...)
	}
	i := uint32(0)
	return func() []byte {
		b := packets[i%ring*synSize:][:synSize]
		// 10.64.0.0/10 is neither the client's network nor the server's address.
		src, port := 0x0a400000|i&0x3fffff, uint16(1024+i%60000)
		i++
		binary.BigEndian.PutUint32(b[12:], src)
		binary.BigEndian.PutUint16(b[ipHeader:], port)
		s := src>>16 + src&0xffff
		binary.BigEndian.PutUint16(b[10:], fold(ipSum+s))
		binary.BigEndian.PutUint16(b[ipHeader+16:], fold(tcpSum+s+uint32(port)))
		return b
	}
}

// onesSum adds the 16-bit words of b.
func onesSum(b []byte) (sum uint32) {
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	return sum
}

// fold returns the checksum (RFC 1071) of a sum.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
