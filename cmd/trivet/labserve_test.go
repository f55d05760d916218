package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// serving runs a command that serves the page and returns the link that it
// prints, and a channel that gets its exit status and what it said on stderr.
func serving(t *testing.T, ctx context.Context, args ...string) (string, <-chan string) {
	t.Helper()
	r, w := io.Pipe()
	ended := make(chan string, 1)
	go func() { // ends with the command
		var stderr strings.Builder
		status := run(ctx, args, strings.NewReader(""), w, &stderr)
		w.Close()
		ended <- string(rune('0'+status)) + stderr.String()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if link := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); link != "" {
			go io.Copy(io.Discard, r) // ends with the command
			return link, ended
		}
	}
	t.Fatalf("trivet %s prints no link: %s", strings.Join(args, " "), <-ended)
	return "", nil
}

// The page is served on this machine, and Ctrl-C ends it cleanly, also while a
// tab has its feed open.
func TestLabServe(t *testing.T) {
	link, ended := serving(t, t.Context(), "lab", "serve", "--listen", "127.0.0.1:0")
	if strings.Contains(link, "token") {
		t.Errorf("the link on this machine is %s, want none with a token", link)
	}
	resp, err := http.Get(link + "api/feed?tab=a")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %sapi/feed: %v, %v", link, resp, err)
	}
	defer resp.Body.Close()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got != "0" {
		t.Errorf("after Ctrl-C it ends with status and message %q, want 0", got)
	}
}

func TestLabServePortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	status, stdout, stderr := command(t.Context(), "", "lab", "serve", "--listen", l.Addr().String())
	if status != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "is in use") {
		t.Errorf("status %d, stdout %q, stderr %q, want %d and one line that says in use", status, stdout, stderr, exitFailure)
	}
}

// Where others can reach it, the page needs a token, which the link has.
func TestLabServeElsewhere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	link, ended := serving(t, ctx, "lab", "serve", "--listen", "0.0.0.0:0")
	_, rest, _ := strings.Cut(link, "?token=")
	if len(rest) < 20 {
		t.Errorf("the link is %s, want one with a token", link)
	}
	_, port, _ := strings.Cut(link, "0.0.0.0:")
	if port == "" {
		_, port, _ = strings.Cut(link, "[::]:")
	}
	port, _, _ = strings.Cut(port, "/")
	resp, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: status %d, want %d", resp.StatusCode, http.StatusUnauthorized)
	}
	cancel()
	if got := <-ended; got != "0" {
		t.Errorf("it ends with status and message %q, want 0", got)
	}
}

func TestLabServeUsage(t *testing.T) {
	for _, args := range []string{"lab serve --listen 8417", "lab serve handshake", "demo --web --loss 2", "demo --web --rtt 1h"} {
		status, _, stderr := command(t.Context(), "", strings.Fields(args)...)
		if status != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("trivet %s: status %d, stderr %q, want %d and one line", args, status, stderr, exitUsage)
		}
	}
}

// The demo's page begins with the demo's conversation.
func TestDemoLink(t *testing.T) {
	f := demoFlags{rtt: 40e6, loss: 0.1, msl: 30e9, seed: 7}
	page, err := f.page()
	if want := "scenario=close-four-way&seed=7&set=loss%3D0.1&set=msl%3D30s&set=rtt%3D40ms"; err != nil || page.link != want {
		t.Errorf("the link ends in %q (%v), want %q", page.link, err, want)
	}
}
