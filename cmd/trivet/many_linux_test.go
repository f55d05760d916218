package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/netns"
)

var interopConns = flag.Int("interop.conns", 10_000, "connections in a row between Trivet and the kernel")

// atOnce is how many connections are open at the same time.
const atOnce = 2000

// dialer opens connections to one server.
type dialer func() (net.Conn, error)

// served starts an echo server at one end and returns the other end's way to
// it.
func served(t testing.TB, h *host, s setting, active bool) dialer {
	t.Helper()
	listen, dial := h.stack.Listen, net.Dial
	address := net.JoinHostPort(s.trivet(), "5007")
	if active {
		listen, dial = net.Listen, h.stack.Dial
		address = net.JoinHostPort(s.kernel(), "5007")
	}
	l, err := listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { service{handle: echo}.serve(l) })
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	return func() (net.Conn, error) { return dial("tcp", address) }
}

// use sends a byte both ways.
func use(c net.Conn) error {
	b := []byte{'x'}
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

func eachOpener(t *testing.T, f func(t *testing.T, dial dialer)) {
	for _, active := range []bool{false, true} {
		for _, noOffload := range []bool{false, true} {
			t.Run(fmt.Sprintf("Trivet opens=%v,plain=%v", active, noOffload), func(t *testing.T) {
				before := runtime.NumGoroutine()
				t.Cleanup(func() { noGoroutinesLeft(t, before) }) // runs last
				s := setting{noOffload: noOffload}
				_, h := newHost(t, s)
				f(t, served(t, h, s, active))
			})
		}
	}
}

// noGoroutinesLeft waits for goroutines that have done their work to end.
func noGoroutinesLeft(t testing.TB, before int) {
	for start := time.Now(); time.Since(start) < 10*time.Second; runtime.Gosched() {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	b := make([]byte, 1<<20)
	t.Errorf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
}

// Opened, used and closed in a row: nothing runs out and nothing is left.
func TestManyInARow(t *testing.T) {
	eachOpener(t, func(t *testing.T, dial dialer) {
		n := *interopConns
		if testing.Short() {
			n /= 10
		}
		for i := range n {
			c, err := dial()
			if err == nil {
				err = use(c)
				c.Close()
			}
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	eachOpener(t, func(t *testing.T, dial dialer) {
		conns := make([]net.Conn, atOnce)
		for i := range conns {
			c, err := dial()
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			defer c.Close()
			conns[i] = c
		}
		for i, c := range conns {
			if err := use(c); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
	})
}

// Without offload, what leaves Trivet and what the kernel sends it is on the
// wire as the RFCs have it: tshark finds no wrong checksum and no malformed
// packet.
func TestCapture(t *testing.T) {
	const n = 1 << 20
	for _, v6 := range []bool{false, true} {
		s := setting{v6: v6, noOffload: true}
		t.Run(s.String(), func(t *testing.T) {
			ns, _ := newServer(t, s)
			file := filepath.Join(t.TempDir(), "capture.pcapng")
			stop := capture(t, file)
			download(t, s, n)()
			upload(t, s, n)()
			stop()
			read := func(filter string) string {
				return ns.Run("tshark", "-n", "-r", file,
					"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
					"-o", "udp.check_checksum:TRUE", "-Y", filter)
			}
			// Where the sum is 0 Linux writes its other form, 0xFFFF, which receivers
			// take and tshark does not like: one packet of 65,536.
			kernels := "(tcp.checksum == 0xffff && ip.src == " + s.kernel() + ")"
			if v6 {
				kernels = "(tcp.checksum == 0xffff && ipv6.src == " + s.kernel() + ")"
			}
			bad := read("(tcp.checksum.status == Bad && !" + kernels + ") || ip.checksum.status == Bad || " +
				"icmp.checksum.status == Bad || icmpv6.checksum.status == Bad || _ws.malformed")
			if bad != "" {
				t.Errorf("tshark finds bad packets:\n%.2000s", bad)
			}
			if good := read("tcp.checksum.status == Good"); strings.Count(good, "\n") < n/1500 {
				t.Errorf("tshark finds %d good packets, want %d or more", strings.Count(good, "\n"), n/1500)
			}
		})
	}
}

// capture starts tshark on the device and returns a function that stops it.
func capture(t *testing.T, file string) (stop func()) {
	t.Helper()
	cmd := exec.Command(netns.Tool(t, "tshark"), "-n", "-q", "-i", "trivet0", "-w", file)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	waitFor(t, stderr, "Capture started")
	return func() {
		cmd.Process.Signal(os.Interrupt)
		io.Copy(io.Discard, stderr)
		if err := cmd.Wait(); err != nil {
			t.Errorf("tshark: %v", err)
		}
	}
}
