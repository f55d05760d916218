package netsim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
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

// A name has the host's addresses of both families: over a slow path the dial tries
// the second one, too, and what loses leaves no connection behind. Where the first
// SYN is lost it wins.
func TestNameOfBothFamilies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lost  bool
		after time.Duration
		want  func(*world) netip.Addr
	}{
		{"slow", false, 400 * time.Millisecond, func(w *world) netip.Addr { return w.Addr(w.server) }},
		{"lost", true, 700 * time.Millisecond, func(w *world) netip.Addr { return w.Addr6(w.server) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
				w.listen(t, ":80")
				if tt.lost {
					w.Drop(sim.From("client"), sim.Syn, sim.Nth(1))
				}
				start := time.Now()
				c, err := w.client.Dial("tcp", "server:80")
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start).Round(time.Millisecond); got != tt.after {
					t.Errorf("the dial took %v, want %v", got, tt.after)
				}
				if got := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); got != tt.want(w) {
					t.Errorf("connected to %v, want %v", got, tt.want(w))
				}
				time.Sleep(10 * time.Second)
				if n := w.client.Stats().Conns; n != 1 {
					t.Errorf("the client has %d connections, want 1", n)
				}
				if st := w.server.Stats(); st.Conns != 1 || st.HalfOpen != 0 {
					t.Errorf("the server has %d connections and %d half-open ones, want 1 and none", st.Conns, st.HalfOpen)
				}
			}, netsim.Delay(200*time.Millisecond))
		})
	}
}

// A dial by name from a closed host says that it is closed, not that there is no
// such name: by that a program which dials again and again knows when to end.
func TestDialByNameAfterClose(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		w.listen(t, ":80")
		w.Close()
		resolver := &net.Resolver{PreferGo: true, Dial: w.client.DialContext}
		for _, d := range []trivet.Dialer{{Stack: w.client}, {Stack: w.client, Resolver: resolver}} {
			if c, err := d.Dial("tcp", "server:80"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Dial = %v, %v, want %v", c, err, net.ErrClosed)
			}
		}
	})
}
