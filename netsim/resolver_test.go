package netsim_test

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
)

// nameServer answers every question for an IPv4 address with 10.0.0.2, and those
// for other things with nothing.
func nameServer(c net.PacketConn) {
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		end := 12 // of the question: labels, then a type and a class
		for b[end] != 0 {
			end += 1 + int(b[end])
		}
		end += 5
		answer := append([]byte{}, b[:min(n, end)]...)
		binary.BigEndian.PutUint16(answer[2:], 0x8180)
		clear(answer[6:12])
		if binary.BigEndian.Uint16(answer[end-4:]) == 1 {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 2)
		}
		_, _ = c.WriteTo(answer, from)
	}
}

// A net.Resolver asks name servers over the network, and services have names, in
// one bubble after the other: what package net makes at its first look-up must not
// belong to a bubble, or the program dies in the next one.
func TestNamesInTwoBubbles(t *testing.T) {
	for range 2 {
		inWorld(t, netsim.Config{Seed: 21}, func(t *testing.T, w *world) {
			names, err := w.server.ListenPacket("udp", ":domain")
			if err != nil {
				t.Fatal(err)
			}
			go nameServer(names) // ends with the host
			w.listen(t, ":http")
			resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return w.client.DialContext(ctx, network, "server:domain")
			}}
			d := trivet.Dialer{Stack: w.client, Resolver: resolver, Timeout: 10 * time.Second}
			c, err := d.Dial("tcp", "www.example.com.:http")
			if err != nil {
				t.Fatal(err)
			}
			if got := c.RemoteAddr().String(); got != "10.0.0.2:80" {
				t.Errorf("connected to %s, want 10.0.0.2:80", got)
			}
			_ = c.Close()
		}, netsim.Delay(time.Millisecond))
	}
}
