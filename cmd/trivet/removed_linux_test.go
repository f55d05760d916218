package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
