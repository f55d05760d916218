package netsim_test

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
)

// Hosts of the network have UDP sockets, as every Stack: they are reached by name,
// through a NAT, and in groups across a switch.
func TestUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 1, TB: t})
		laptop, phone, server := n.Host("laptop"), n.Host("phone"), n.Host("server")
		home, lan := n.NAT("home", sim.NATConfig{}), n.Switch("lan")
		n.Link(home, server, netsim.Delay(5*time.Millisecond))
		n.Link(lan, home)
		n.Link(laptop, lan)
		n.Link(phone, lan)

		echo, err := server.ListenPacket("udp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends when the network closes the host
			b := make([]byte, 1<<16)
			for {
				k, from, err := echo.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = echo.WriteTo(fmt.Appendf(nil, "%d bytes from %v", k, from.(*net.UDPAddr).IP), from)
			}
		}()
		c, err := laptop.Dial("udp4", "server:7")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		for _, size := range []int{5, 1400} {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			k, err := c.Read(buf)
			if want := fmt.Sprintf("%d bytes from 10.255.0.1", size); err != nil || string(buf[:k]) != want {
				t.Errorf("answered %q, %v; want %q", buf[:k], err, want)
			}
		}

		group := &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 5000}
		member, err := phone.ListenMulticastUDP("udp4", nil, group)
		if err != nil {
			t.Fatal(err)
		}
		speaker, err := laptop.ListenPacket("udp4", ":0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := speaker.WriteTo([]byte("all of you"), group); err != nil {
			t.Fatal(err)
		}
		_ = member.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := member.Read(buf); err != nil || string(buf[:k]) != "all of you" {
			t.Errorf("the group's member read %q, %v", buf[:k], err)
		}
	})
}
