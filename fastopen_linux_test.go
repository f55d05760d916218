package trivet_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/link/tun"
	"github.com/trivet-net/trivet/tcp"
)

// besideKernel returns a host at 10.1.0.2 and fd00:1::2 whose neighbour, at .1, is the
// kernel in a namespace of its own.
func besideKernel(t *testing.T) *trivet.Stack {
	t.Helper()
	netns.New(t)
	d, err := tun.Open(tun.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Configure(netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("fd00:1::1/64")); err != nil {
		t.Fatal(err)
	}
	s := newHost(t, trivet.Config{}, d, serverPrefixes)
	t.Cleanup(func() { closeHost(t, s) })
	return s
}

// control returns a Control function that sets a TCP option of the kernel's.
func control(option, value int) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		if cerr := c.Control(func(fd uintptr) {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value))
		}); cerr != nil {
			return cerr
		}
		return err
	}
}

// kernelSynData reports whether the text of the SYN was taken (TCPI_OPT_SYN_DATA).
func kernelSynData(t *testing.T, c net.Conn) bool {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	const synData = 32
	return info.Options&synData != 0
}

// RFC 7413 with Linux on either side: the first connection gets a cookie, the next
// ones bring their request with the SYN, more than fits into it, too.
func TestFastOpenWithKernel(t *testing.T) {
	s := besideKernel(t)
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0o644); err != nil {
		netns.Unavailable(t, "the kernel has no Fast Open: %v", err)
	}
	kernelListens := net.ListenConfig{Control: control(unix.TCP_FASTOPEN, 10)}
	kernelDials := net.Dialer{Control: control(unix.TCP_FASTOPEN_CONNECT, 1)}
	listens := trivet.ListenConfig{Stack: s, FastOpen: 10}
	dials := trivet.Dialer{Stack: s, Options: tcp.Options{FastOpen: true}}

	request := bytes.Repeat([]byte("request "), 400)
	ask := func(t *testing.T, c net.Conn) {
		t.Helper()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(request))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != string(request) {
			t.Fatalf("the answer is right: %v, %v", string(got) == string(request), err)
		}
	}
	for _, ip := range []string{"10.1.0.", "fd00:1::"} {
		kernel, ours := net.JoinHostPort(ip+"1", "80"), net.JoinHostPort(ip+"2", "80")
		l, err := kernelListens.Listen(context.Background(), "tcp", kernel)
		if err != nil {
			t.Fatal(err)
		}
		defer echo(l)()
		defer l.Close()
		for i := range 3 {
			c, err := dials.Dial("tcp", kernel)
			if err != nil {
				t.Fatal(err)
			}
			ask(t, c)
			if got := c.(*trivet.Conn).Info().SynData; got != (i > 0) {
				t.Errorf("to the kernel at %s, connection %d: text of the SYN taken: %v", kernel, i+1, got)
			}
			c.Close()
		}

		ln, err := listens.Listen(context.Background(), "tcp", ours)
		if err != nil {
			t.Fatal(err)
		}
		defer echo(ln)()
		defer ln.Close()
		for i := range 3 {
			c, err := kernelDials.Dial("tcp", ours)
			if err != nil {
				t.Fatal(err)
			}
			ask(t, c)
			if got := kernelSynData(t, c); got != (i > 0) {
				t.Errorf("from the kernel to %s, connection %d: text of the SYN taken: %v", ours, i+1, got)
			}
			c.Close()
		}
	}
}
