package main

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/netns"
)

// kernelUDP returns a connected socket of the kernel.
func kernelUDP(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// The kernel's datagrams come back from serve's echo, whole and in fragments
// either way; a port that nobody has is refused (RFC 768; RFC 791, Section 3.2;
// RFC 862; RFC 1122, Section 4.1.3.1).
func TestUDPWithKernel(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		_, h := newServer(t, s)
		c := kernelUDP(t, net.JoinHostPort(s.trivet(), "7"))
		for _, n := range []int{0, 1, 100, 1452, 1472, 1473, 9000, 65507} {
			want := bytes.Repeat([]byte{byte(n), byte(n >> 8)}, n/2+1)[:n]
			if _, err := c.Write(want); err != nil {
				t.Fatalf("Write of %d bytes: %v", n, err)
			}
			got := make([]byte, 1<<16)
			k, err := c.Read(got)
			if err != nil || !bytes.Equal(got[:k], want) {
				t.Errorf("%d bytes came back as %d, %v", n, k, err)
			}
		}
		if st := h.stack.Stats(); st.Fragments.Whole < 3 {
			t.Errorf("%+v, want datagrams in fragments", st.Fragments)
		}
		c = kernelUDP(t, net.JoinHostPort(s.trivet(), "5999"))
		c.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Read from a port that nobody has = %v, want ECONNREFUSED", err)
		}
		ours, err := h.stack.Dial("udp", net.JoinHostPort(s.kernel(), "5999"))
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		ours.SetDeadline(time.Now().Add(20 * time.Second))
		ours.Write([]byte("x"))
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("our Read from a port that nobody has = %v, want ECONNREFUSED", err)
		}
	})
}

// Trivet and the kernel hear each other in a group (RFC 1112).
func TestMulticastWithKernel(t *testing.T) {
	_, h := newServer(t, setting{})
	const group = "239.1.2.3:5353"
	addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group))
	device, err := net.InterfaceByName("trivet0")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := net.ListenMulticastUDP("udp4", device, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours, err := h.stack.ListenMulticastUDP("udp4", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs.SetDeadline(time.Now().Add(20 * time.Second))
	ours.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 100)
	if _, err := ours.WriteTo([]byte("from trivet"), addr); err != nil {
		t.Fatal(err)
	}
	if n, from, err := theirs.ReadFrom(b); err != nil || string(b[:n]) != "from trivet" || from.String() != "10.1.0.2:5353" {
		t.Errorf("the kernel read %q from %v, %v", b[:n], from, err)
	}
	from := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(10, 1, 0, 1)}}
	c, err := from.Dial("udp4", group)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("from the kernel")); err != nil {
		t.Fatal(err)
	}
	if n, _, err := ours.ReadFrom(b); err != nil || string(b[:n]) != "from the kernel" {
		t.Errorf("Trivet read %q, %v", b[:n], err)
	}
}

// Nc --udp sends its input in datagrams and prints what comes back.
func TestNCUDP(t *testing.T) {
	netns.New(t)
	s := setting{}
	l, err := net.ListenPacket("udp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echoUDP(l) // ends with the socket
	port := strconv.Itoa(l.LocalAddr().(*net.UDPAddr).Port)
	status, stdout, stderr := command(t.Context(), "hello", append([]string{"nc", "--udp", s.kernel(), port}, s.hostArgs()...)...)
	if status != exitOK || stdout != "hello" || stderr != "" {
		t.Errorf("trivet nc --udp: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	status, _, stderr = command(t.Context(), "hello", append([]string{"nc", "-u", s.kernel(), "5999"}, s.hostArgs()...)...)
	if status == exitOK || !strings.Contains(stderr, "connection refused") {
		t.Errorf("trivet nc to a port that nobody has: status %d, stderr %q", status, stderr)
	}
}
