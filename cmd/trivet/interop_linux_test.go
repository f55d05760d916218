package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/link/tun"
)

// The tests of this and the next files have the kernel's TCP as the peer, over
// a TUN device in a network namespace of the test's own.

var interopSize = flag.Int64("interop.size", 20_000_000, "bytes of each transfer between Trivet and the kernel")

// lossySize is for transfers that lose packets, where each time-out costs.
func lossySize() int64 { return *interopSize / 4 }

// setting is one way to run a test.
type setting struct {
	v6        bool
	noOffload bool
}

func (s setting) String() string {
	name := "IPv4"
	if s.v6 {
		name = "IPv6"
	}
	if s.noOffload {
		name += ",plain"
	}
	return name
}

// trivet and kernel are the addresses of the two hosts.
func (s setting) trivet() string { return map[bool]string{false: "10.1.0.2", true: "fd00:1::2"}[s.v6] }

func (s setting) kernel() string { return map[bool]string{false: "10.1.0.1", true: "fd00:1::1"}[s.v6] }

// url is the address of a path on the Trivet host.
func (s setting) url(path string) string {
	return "http://" + strings.TrimSuffix(net.JoinHostPort(s.trivet(), ""), ":") + path
}

var settings = []setting{{false, false}, {false, true}, {true, false}, {true, true}}

// inEach runs the test once in each setting.
func inEach(t *testing.T, f func(t *testing.T, s setting)) {
	for _, s := range settings {
		t.Run(s.String(), func(t *testing.T) { f(t, s) })
	}
}

// hostArgs are the flags that make the Trivet host.
func (s setting) hostArgs() []string {
	args := []string{
		"--tun", "trivet0",
		"--addr", "10.1.0.2/24", "--peer", "10.1.0.1/24",
		"--addr", "fd00:1::2/64", "--peer", "fd00:1::1/64",
	}
	if s.noOffload {
		args = append(args, "--no-offload")
	}
	return args
}

// newHost opens a Trivet host in a namespace of the test's own. It is closed
// with the test, and must close cleanly.
func newHost(t testing.TB, s setting) (*netns.NS, *host) {
	t.Helper()
	ns := netns.New(t)
	flags := s.hostFlags()
	return ns, openHost(t, &flags)
}

// hostFlags are the flags of newHost.
func (s setting) hostFlags() hostFlags {
	return hostFlags{
		tun:   tun.Config{Name: "trivet0", MTU: tun.DefaultMTU, NoOffload: s.noOffload},
		addrs: prefixes{netip.MustParsePrefix("10.1.0.2/24"), netip.MustParsePrefix("fd00:1::2/64")},
		peers: prefixes{netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("fd00:1::1/64")},
		msl:   minMSL,
		drain: 5 * time.Second,
	}
}

// openHost opens the host in the test's namespace.
func openHost(t testing.TB, flags *hostFlags) *host {
	t.Helper()
	h, err := flags.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.close(context.Background())
		for _, info := range h.stack.Connections() {
			t.Errorf("left after Close: %+v", info)
		}
		if _, err := net.InterfaceByName("trivet0"); err == nil {
			t.Error("the device is left after Close")
		}
	})
	return h
}

// newServer is newHost with the services of trivet serve.
func newServer(t testing.TB, s setting) (*netns.NS, *host) {
	t.Helper()
	ns, h := newHost(t, s)
	serveOn(t, h)
	return ns, h
}

// serveOn starts the services on the host.
func serveOn(t testing.TB, h *host) {
	t.Helper()
	web, err := h.startServices(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.shutdown(web) })
}

// digestOf returns the SHA-256 of what r has.
func digestOf(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// curl returns a command that fails on any error, HTTP's too. It ends with the
// test's context.
func curl(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*", "--max-time", "300"}, args...)
	return exec.CommandContext(t.Context(), netns.Tool(t, "curl"), args...)
}

// download starts curl, with more arguments, for n bytes of the stream and returns a function that
// waits for it and checks the digest.
func download(t testing.TB, s setting, n int64, args ...string) (check func()) {
	t.Helper()
	cmd := curl(t, append(args, s.url(fmt.Sprintf("/bytes/%d", n)))...)
	got := sha256.New()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = got, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("curl: %v\n%s", err, &stderr)
			return
		}
		if got, want := hex.EncodeToString(got.Sum(nil)), digestOf(t, streamOf(n)); got != want {
			t.Errorf("curl received SHA-256 %s, want %s", got, want)
		}
	}
}

// upload starts curl, with more arguments, to put n bytes of the stream and returns a function that
// waits for it and checks the server's answer.
func upload(t testing.TB, s setting, n int64, args ...string) (check func()) {
	t.Helper()
	cmd := curl(t, append(args, "--upload-file", "-", "--header", "Expect:", s.url("/sink"))...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streamOf(n), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("curl: %v\n%s%s", err, &stdout, &stderr)
			return
		}
		want := fmt.Sprintf("{\n  \"length\": %d,\n  \"sha256\": \"%s\"\n}\n", n, digestOf(t, streamOf(n)))
		if got := stdout.String(); got != want {
			t.Errorf("/sink answers %s, want %s", got, want)
		}
	}
}

func TestCurl(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		_, h := newServer(t, s)
		download(t, s, *interopSize)()
		upload(t, s, *interopSize)()
		st := h.device.Stats()
		if st.RxInvalid+st.TxInvalid > 0 {
			t.Errorf("packets do not fit their offload headers: %+v", st)
		}
		if super := st.RxSuper > 0 && st.TxSuper > 0; super == s.noOffload {
			t.Errorf("super-segments: %d in, %d out, want some: %v", st.RxSuper, st.TxSuper, !s.noOffload)
		}
	})
}

func TestCurlParallel(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		newServer(t, s)
		var checks []func()
		for range 5 {
			checks = append(checks, download(t, s, *interopSize/5), upload(t, s, *interopSize/5))
		}
		for _, check := range checks {
			check()
		}
	})
}

// lose makes the namespace lose 2 % of the packets in both directions.
func lose(ns *netns.NS) {
	for _, tables := range []string{"iptables", "ip6tables"} {
		for _, rule := range []string{"INPUT -i", "OUTPUT -o"} {
			args := append([]string{"-A"}, strings.Fields(rule)...)
			args = append(args, "trivet0", "-m", "statistic", "--mode", "random", "--probability", "0.02", "-j", "DROP")
			ns.Run(tables, args...)
		}
	}
}

func TestCurlLoss(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns, _ := newServer(t, s)
		lose(ns)
		download(t, s, lossySize())()
		upload(t, s, lossySize())()
	})
}

// kernelWeb starts Python's web server on the kernel's side, with a file of
// n bytes, and returns the file's URL.
func kernelWeb(t testing.TB, ns *netns.NS, s setting, n int64) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "big"), streamOf(n))
	cmd := exec.Command(netns.Tool(t, "python3"), "-u", "-m", "http.server", "--directory", dir, "--bind", "::", "8000")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	waitFor(t, stdout, "Serving HTTP")
	return "http://" + net.JoinHostPort(s.kernel(), "8000") + "/big"
}

// waitFor reads from r until it has said what.
func waitFor(t testing.TB, r io.Reader, what string) {
	t.Helper()
	var got []byte
	b := make([]byte, 1024)
	for !strings.Contains(string(got), what) {
		n, err := r.Read(b)
		got = append(got, b[:n]...)
		if err != nil {
			t.Fatalf("%v after %q, want %q", err, got, what)
		}
	}
}

func TestGet(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns := netns.New(t)
		url := kernelWeb(t, ns, s, *interopSize)
		file := filepath.Join(t.TempDir(), "copy")
		args := append([]string{"get", url, "-o", file, "--sha256"}, s.hostArgs()...)
		status, stdout, stderr := command(t.Context(), "", args...)
		want := digestOf(t, streamOf(*interopSize)) + "  " + file + "\n"
		if status != exitOK || stdout != want || stderr != "" {
			t.Errorf("trivet get: status %d, %q, %q, want %q", status, stdout, stderr, want)
		}
		if got := digestOf(t, openFile(t, file)); !strings.HasPrefix(want, got) {
			t.Errorf("the file's SHA-256 is %s, want %s", got, want)
		}
	})
}

func TestGetLoss(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns := netns.New(t)
		lose(ns)
		url := kernelWeb(t, ns, s, lossySize())
		args := append([]string{"get", url, "--sha256"}, s.hostArgs()...)
		status, stdout, stderr := command(t.Context(), "", args...)
		want := digestOf(t, streamOf(lossySize())) + "  -\n"
		if status != exitOK || stdout != want {
			t.Errorf("trivet get: status %d, %q, %q, want %q", status, stdout, stderr, want)
		}
	})
}

func writeFile(t testing.TB, name string, r io.Reader) {
	t.Helper()
	f, err := os.Create(name)
	if err == nil {
		_, err = io.Copy(f, r)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// openFile opens a file for reading until the test ends.
func openFile(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
