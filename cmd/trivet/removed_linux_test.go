package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/internal/netns"
)

// removedMidway runs the command, calls busy, which returns when the command is in
// the middle of something, and removes the device. It returns the status and what
// the command says of it.
func removedMidway(t *testing.T, ns *netns.NS, stdout io.Writer, args []string, busy func()) (status int, stderr string) {
	t.Helper()
	var errs strings.Builder
	done := make(chan int)
	go ns.Do(func() { // ends when the device does
		in, _ := io.Pipe() // an input that does not end
		done <- run(t.Context(), append(args, setting{}.hostArgs()...), in, stdout, &errs)
	})
	busy()
	ns.Run("ip", "link", "del", "trivet0")
	return <-done, errs.String()
}

// wantRemoved checks how a command ends whose device was removed.
func wantRemoved(t *testing.T, status int, stderr string) {
	t.Helper()
	if status != exitFailure || !strings.Contains(stderr, "the device was removed") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("status %d, stderr %q; want 1 and a line that says that the device was removed", status, stderr)
	}
}

// When the device is removed under it, serve ends at once: there is nobody left
// to close connections with, whatever the drain time.
func TestServeDeviceRemoved(t *testing.T) {
	ns := netns.New(t)
	r, w := io.Pipe()
	status, stderr := removedMidway(t, ns, w, []string{"serve", "--drain", "1h"}, func() {
		waitFor(t, r, "Ctrl-C ends it.\n")
		c, err := net.Dial("tcp", "10.1.0.2:9")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		// A request that is not over, of which the answer has begun.
		web, err := net.Dial("tcp", "10.1.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { web.Close() })
		fmt.Fprint(web, "GET /bytes/100000000000 HTTP/1.1\r\nHost: trivet\r\n\r\n")
		waitFor(t, web, "200 OK")
	})
	wantRemoved(t, status, stderr)
}

// So do get and nc, which would wait for the other end for minutes.
func TestGetDeviceRemoved(t *testing.T) {
	ns := netns.New(t)
	busy := make(chan struct{})
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the beginning")
		w.(http.Flusher).Flush()
		close(busy)
		<-r.Context().Done()
	})}
	go web.Serve(l) // ends with Close
	t.Cleanup(func() { web.Close() })
	url := fmt.Sprintf("http://10.1.0.1:%d/", l.Addr().(*net.TCPAddr).Port)
	status, stderr := removedMidway(t, ns, io.Discard, []string{"get", url}, func() { <-busy })
	wantRemoved(t, status, stderr)
}

func TestNCDeviceRemoved(t *testing.T) {
	ns := netns.New(t)
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	status, stderr := removedMidway(t, ns, io.Discard, []string{"nc", "10.1.0.1", port}, func() {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	})
	wantRemoved(t, status, stderr)
}

// Nor does serve end without closing connections because nobody reads its output
// any more, as in "trivet serve ... | head -1".
func TestServeOutputGone(t *testing.T) {
	netns.New(t)
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
	stdout.Close()
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
	cmd.Process.Signal(syscall.SIGTERM)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read after SIGTERM: %v, want EOF: the connection closed in order", err)
	}
	c.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve ends with %v, want status 0", err)
	}
}
