package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/tcp"
)

// pair is a connection between the kernel and Trivet.
type pair struct {
	t      testing.TB
	ns     *netns.NS
	h      *host
	active bool // Trivet opened it
	kernel *net.TCPConn
	trivet *trivet.Conn
}

// connect opens a connection, by the kernel or by Trivet.
func connect(t testing.TB, ns *netns.NS, h *host, s setting, active bool) *pair {
	t.Helper()
	p := &pair{t: t, ns: ns, h: h, active: active}
	if active {
		l, err := net.Listen("tcp", net.JoinHostPort(s.kernel(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := h.stack.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		k, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p.kernel, p.trivet = k.(*net.TCPConn), c.(*trivet.Conn)
	} else {
		l, err := h.stack.Listen("tcp", net.JoinHostPort(s.trivet(), "5000"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		k, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p.kernel, p.trivet = k.(*net.TCPConn), c.(*trivet.Conn)
	}
	t.Cleanup(func() {
		p.kernel.Close()
		p.trivet.Close()
	})
	return p
}

// states returns the connection's state in ss of the kernel and in Trivet's
// table, in the words of ss; "-" when it is not there.
func (p *pair) states() (kernel, stack string) {
	p.t.Helper()
	kernel, stack = "-", "-"
	local, remote := endpoint(p.kernel.LocalAddr()), endpoint(p.kernel.RemoteAddr())
	for line := range strings.Lines(p.ns.Run("ss", "-tanH")) {
		f := strings.Fields(line)
		if len(f) >= 5 && parseEndpoint(f[3]) == local && parseEndpoint(f[4]) == remote {
			kernel = f[0]
		}
	}
	for _, info := range p.h.stack.Connections() {
		if info.Tuple.Local() == remote && info.Tuple.Remote() == local {
			stack = info.State.SS()
		}
	}
	return kernel, stack
}

// endpoint returns a's address and port.
func endpoint(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// parseEndpoint reads an endpoint as ss prints it; others come out as zero.
func parseEndpoint(s string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// want waits until the two tables show the states.
func (p *pair) want(kernel, stack string) {
	p.t.Helper()
	var k, s string
	for range 500 { // ss takes some milliseconds
		if k, s = p.states(); k == kernel && s == stack {
			return
		}
		runtime.Gosched()
	}
	p.t.Fatalf("states are %s at the kernel and %s at Trivet, want %s and %s", k, s, kernel, stack)
}

// eof checks that the end of the peer's data arrives at r.
func (p *pair) eof(r io.Reader) {
	p.t.Helper()
	if b, err := io.ReadAll(r); len(b) != 0 || err != nil {
		p.t.Fatalf("Read = %q, %v, want the end", b, err)
	}
}

// carry checks that a message gets from one end to the other.
func (p *pair) carry(from io.Writer, to io.Reader) {
	p.t.Helper()
	if _, err := io.WriteString(from, "message"); err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, 7)
	if _, err := io.ReadFull(to, b); err != nil || string(b) != "message" {
		p.t.Fatalf("Read = %q, %v, want the message", b, err)
	}
}

// inEachWay runs the test with the connection opened by the kernel and by
// Trivet, in each setting.
func inEachWay(t *testing.T, f func(*pair)) {
	inEach(t, func(t *testing.T, s setting) {
		ns, h := newHost(t, s)
		for _, active := range []bool{false, true} {
			f(connect(t, ns, h, s, active))
		}
	})
}

// RFC 9293, Section 3.6, Case 2: the kernel closes its half first; Trivet may
// go on sending, and TIME-WAIT is the kernel's.
func TestKernelClosesFirst(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.want("ESTAB", "ESTAB")
		p.carry(p.kernel, p.trivet)
		p.kernel.CloseWrite()
		p.eof(p.trivet)
		p.want("FIN-WAIT-2", "CLOSE-WAIT")
		p.carry(p.trivet, p.kernel)
		p.trivet.Close()
		p.eof(p.kernel)
		p.want("TIME-WAIT", "-")
	})
}

// RFC 9293, Section 3.6, Case 1: Trivet closes its half first; the kernel may
// go on sending, and TIME-WAIT is Trivet's.
func TestTrivetClosesFirst(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.carry(p.trivet, p.kernel)
		p.trivet.CloseWrite()
		p.eof(p.kernel)
		p.want("CLOSE-WAIT", "FIN-WAIT-2")
		p.carry(p.kernel, p.trivet)
		p.kernel.Close()
		p.eof(p.trivet)
		p.want("-", "TIME-WAIT")
	})
}

// RFC 9293, Section 3.10.4 and 3.10.7.4: a reset ends the connection at once
// at both ends, and the user is told.
func TestKernelResets(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.carry(p.kernel, p.trivet)
		p.kernel.SetLinger(0)
		p.kernel.Close()
		if _, err := p.trivet.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			p.t.Errorf("Read after a reset: %v, want ECONNRESET", err)
		}
		p.want("-", "-")
	})
}

func TestTrivetResets(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.carry(p.trivet, p.kernel)
		p.trivet.SetLinger(0)
		p.trivet.Close()
		if _, err := p.kernel.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			p.t.Errorf("Read after a reset: %v, want ECONNRESET", err)
		}
		p.want("-", "-")
	})
}

// RFC 9293, Section 3.6.1 (and RFC 1122, Section 4.2.2.13): closing with data
// unread tells the peer, by a reset, that the data is lost.
func TestCloseWithUnreadData(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.carry(p.kernel, p.trivet)
		io.WriteString(p.kernel, "never read")
		for p.trivet.Info().Unread == 0 {
			runtime.Gosched()
		}
		p.trivet.Close()
		if _, err := p.kernel.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			p.t.Errorf("Read: %v, want ECONNRESET", err)
		}
		p.want("-", "-")
	})
}

// RFC 9293, Section 3.10.7.1: a SYN to a closed port is answered by a reset.
func TestRefused(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		_, h := newHost(t, s)
		if _, err := net.Dial("tcp", net.JoinHostPort(s.trivet(), "5001")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("kernel's dial to a closed port: %v, want ECONNREFUSED", err)
		}
		if _, err := h.stack.Dial("tcp", net.JoinHostPort(s.kernel(), "5001")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Trivet's dial to a closed port: %v, want ECONNREFUSED", err)
		}
	})
}

// What the two ends tell about one connection must fit together.
func TestInfoAgrees(t *testing.T) {
	inEachWay(t, func(p *pair) {
		const n = 1 << 20
		done := make(chan error)
		go func() { // ends with the transfer
			_, err := io.CopyN(p.trivet, streamOf(n), n)
			done <- err
		}()
		if _, err := io.CopyN(io.Discard, p.kernel, n); err != nil {
			p.t.Fatal(err)
		}
		if err := <-done; err != nil {
			p.t.Fatal(err)
		}
		p.carry(p.kernel, p.trivet)

		var out string
		for range 500 { // Trivet's last ACK may be delayed; ss takes some milliseconds
			out = p.ns.Run("ss", "-tinH", "sport", "=", ":"+strconv.Itoa(p.kernel.LocalAddr().(*net.TCPAddr).Port))
			if !strings.Contains(out, "unacked:") {
				break
			}
		}
		info := p.trivet.Info()
		field := func(name string) int {
			m := regexp.MustCompile(`\b` + name + `:(\d+)`).FindStringSubmatch(out)
			if m == nil {
				p.t.Errorf("ss does not show %s:\n%s", name, out)
				return -1
			}
			v, _ := strconv.Atoi(m[1])
			return v
		}
		if !p.active {
			info.BytesReceived++ // the kernel counts the SYN of an active open
		}
		for _, tt := range []struct {
			name        string
			kernel, own int
		}{
			{"bytes_received", field("bytes_received"), int(info.BytesAcked)},
			{"bytes_acked", field("bytes_acked"), int(info.BytesReceived)},
			{"rcvmss", field("rcvmss"), info.SndMSS},
			{"pmtu", field("pmtu"), info.PMTU},
		} {
			if tt.kernel != tt.own {
				p.t.Errorf("%s is %d at the kernel, Trivet says %d\n%s\n%+v", tt.name, tt.kernel, tt.own, out, info)
			}
		}
		// ss shows its own send shift, which Trivet announced, first.
		if want := fmt.Sprintf("wscale:%d,%d", info.RcvWScale, info.SndWScale); !strings.Contains(out, want) {
			p.t.Errorf("ss does not show %s:\n%s", want, out)
		}
	})
}

// The ends of trivet nc half-close one after the other.
func TestNC(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		netns.New(t)
		l, err := net.Listen("tcp", net.JoinHostPort("::", "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		served := make(chan string, 1)
		go func() { // ends when the client has closed its half
			c, err := l.Accept()
			if err != nil {
				served <- err.Error()
				return
			}
			b, err := io.ReadAll(c)
			served <- fmt.Sprintf("%s %v", b, err)
			io.WriteString(c, "answer after the end")
			c.Close()
		}()
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		status, stdout, stderr := command(t.Context(), "question", append([]string{"nc", s.kernel(), port}, s.hostArgs()...)...)
		if status != exitOK || stdout != "answer after the end" || stderr != "" {
			t.Errorf("trivet nc: status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		if got := <-served; got != "question <nil>" {
			t.Errorf("the server received %q", got)
		}
	})
}

// Failures at run time: one line that says what failed, status 1, and no
// device left.
func TestRunTimeFailures(t *testing.T) {
	ns := netns.New(t)
	args := setting{}.hostArgs()
	url := kernelWeb(t, ns, setting{}, 10)
	missing := filepath.Join(t.TempDir(), "no", "such", "file")
	for _, tt := range []struct{ args, want string }{
		{"get http://10.1.0.1:8001/", "connection refused"},
		{"get " + strings.TrimSuffix(url, "/big") + "/none", "404"},
		{"get " + url + " -o " + missing, "no such file or directory"},
		{"get http://192.0.2.1/", "network is unreachable"},
		{"nc 10.1.0.1 8001", "connection refused"},
	} {
		status, stdout, stderr := command(t.Context(), "", append(strings.Fields(tt.args), args...)...)
		if status != exitFailure || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("trivet %s: status %d, stdout %q, stderr %q, want one line with %q", tt.args, status, stdout, stderr, tt.want)
		}
		if _, err := net.InterfaceByName("trivet0"); err == nil {
			t.Errorf("trivet %s leaves the device behind", tt.args)
		}
	}
}

// The process itself: it serves, and SIGTERM closes the connections in order,
// removes the device and ends with status 0.
func TestServeAndTerminate(t *testing.T) {
	ns := netns.New(t)
	cmd := exec.Command(os.Args[0], append([]string{"serve"}, setting{}.hostArgs()...)...)
	cmd.Env = append(os.Environ(), "TRIVET_TEST_MAIN=1")
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	waitFor(t, stdout, "Ctrl-C ends it.\n")

	if b, err := curl(t, "http://10.1.0.2/").Output(); err != nil || !strings.Contains(string(b), "Hello from Trivet") {
		t.Errorf("curl: %q, %v", b, err)
	}
	if b, err := curl(t, "http://[fd00:1::2]/stats").Output(); err != nil || !strings.Contains(string(b), "ESTABLISHED") {
		t.Errorf("curl: %q, %v", b, err)
	}
	c, err := net.Dial("tcp", "10.1.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "hello")
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
		t.Errorf("echo of hello = %q, %v", line, err)
	}

	cmd.Process.Signal(syscall.SIGTERM)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read after SIGTERM: %v, want EOF: the connection closed in order", err)
	}
	c.Close()
	if b, err := io.ReadAll(stdout); err != nil || !strings.Contains(string(b), "Closing") {
		t.Errorf("serve says %q at the end, %v", b, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve ends with %v, want status 0", err)
	}
	if out := ns.Run("ip", "link"); strings.Contains(out, "trivet0") {
		t.Errorf("the device is left:\n%s", out)
	}
}

// A second signal ends the program at once, even where SIGINT was ignored when
// it began, as it is for what a script starts in the background.
func TestSecondSignal(t *testing.T) {
	for _, tt := range []struct {
		first, second os.Signal
		status        int
	}{
		{os.Interrupt, os.Interrupt, 130},
		{syscall.SIGTERM, os.Interrupt, 130},
		{os.Interrupt, syscall.SIGTERM, 143},
	} {
		t.Run(fmt.Sprintf("%v, %v", tt.first, tt.second), func(t *testing.T) {
			netns.New(t)
			args := append([]string{"-c", `trap "" INT; exec "$0" "$@"`, os.Args[0], "serve", "--drain", "1h"}, setting{}.hostArgs()...)
			cmd := exec.Command("/bin/sh", args...)
			cmd.Env = append(os.Environ(), "TRIVET_TEST_MAIN=1")
			cmd.Stderr = t.Output()
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			waitFor(t, stdout, "Ctrl-C ends it.\n")
			c, err := net.Dial("tcp", "10.1.0.2:9") // it would be waited for
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			cmd.Process.Signal(tt.first)
			waitFor(t, stdout, "Closing")
			cmd.Process.Signal(tt.second)
			if cmd.Wait(); cmd.ProcessState.ExitCode() != tt.status {
				t.Errorf("serve ends with %v, want status %d", cmd.ProcessState, tt.status)
			}
		})
	}
}

// A peer that never closes is reset when the drain time is over.
func TestServeDrain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int)
	ns := netns.New(t)
	go ns.Do(func() { // ends when ctx does
		args := append([]string{"serve", "--drain", "200ms"}, setting{}.hostArgs()...)
		status := run(ctx, args, strings.NewReader(""), w, t.Output())
		w.Close()
		done <- status
	})
	waitFor(t, r, "Ctrl-C ends it.\n")
	go io.Copy(io.Discard, r) // ends with the command
	c, err := net.Dial("tcp", "10.1.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hello")
	// Until it is echoed it may be unread, and then the end is a reset.
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read at the end: %v, want EOF", err)
	}
	if status := <-done; status != exitOK {
		t.Errorf("serve ends with status %d, want 0", status)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
		t.Errorf("Read after the drain time: %v", err)
	}
	if _, err := c.Write([]byte("more")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after the drain time: %v, want a reset connection", err)
	}
}

// The table has the listeners too.
func TestListenersInTable(t *testing.T) {
	_, h := newServer(t, setting{})
	ports := map[uint16]bool{}
	for _, info := range h.stack.Connections() {
		if info.State == tcp.StateListen {
			ports[info.Tuple.LocalPort] = true
		}
	}
	for _, port := range []uint16{7, 9, 13, 19, 80} {
		if !ports[port] {
			t.Errorf("no listener on port %d in the table", port)
		}
	}
}
