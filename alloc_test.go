//go:build !race

package trivet_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
)

// The race detector makes sync.Pool forget at random, so these tests are not
// for it.

// A round trip allocates nothing.
func TestRoundTripAllocs(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, s := connect(t, client, server)
	go io.Copy(onlyWriter{s}, onlyReader{s})
	buf := make([]byte, 1)
	allocs := testing.AllocsPerRun(2000, func() {
		c.Write(buf)
		io.ReadFull(c, buf)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a round trip, want none", allocs)
	}
}

// Setting deadlines, as net/http does for every request, allocates nothing
// after the first time.
func TestDeadlineAllocs(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, _ := connect(t, client, server)
	allocs := testing.AllocsPerRun(1000, func() {
		c.SetDeadline(time.Now().Add(time.Hour))
		c.SetReadDeadline(time.Time{})
	})
	if allocs != 0 {
		t.Errorf("%v allocations for setting deadlines, want none", allocs)
	}
}

// A Dialer is not moved to the heap for the sake of dials that need it there: a dial
// to an address in figures, with both ends of the connection and their closing,
// takes as many allocations as it took before there was a second family to try.
func TestDialAllocs(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	allocs := testing.AllocsPerRun(500, func() {
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		s.Close()
	})
	if allocs > 6 {
		t.Errorf("%v allocations for a connection, want at most 6", allocs)
	}
}

// Writing and reading datagrams of a connected socket allocates nothing.
func TestUDPConnAllocs(t *testing.T) {
	round, done := udpRound(t, 1000)
	defer done()
	if got := testing.AllocsPerRun(1000, round); got != 0 {
		t.Errorf("%v allocations for a datagram there and back, want 0", got)
	}
}

// A datagram whose sender is not kept costs an allocation, that of its IP.
func TestReadFromUDPAllocs(t *testing.T) {
	s := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, s)
	c, err := s.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to := c.LocalAddr().(*net.UDPAddr).AddrPort()
	buf := make([]byte, 8)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := c.WriteToUDPAddrPort(buf, to); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadFromUDP(buf); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations for a datagram with its sender, want 1", allocs)
	}
}
