package netns

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// NS is a network namespace. It goes away with the test: nothing names it, and
// its last holders are the test's threads, files and child processes.
type NS struct {
	tb   testing.TB
	file *os.File
}

// New moves the calling test into a new network namespace with the loopback
// interface up. From then on the test's goroutine is bound to one thread; what
// it starts with os/exec and the sockets it opens itself are in the namespace,
// while other goroutines are not: see Do.
//
// Where a namespace or a TUN device cannot be had the test is skipped, or
// fails if the environment has CI=true, so that no check is lost unseen.
func New(tb testing.TB) *NS {
	tb.Helper()
	n := Create(tb)
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	if err := n.enter(); err != nil {
		tb.Fatal(err)
	}
	return n
}

// Create is New for a namespace that the calling test does not move into.
func Create(tb testing.TB) *NS {
	tb.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		Unavailable(tb, "no TUN devices here: %v", err)
	}
	n := &NS{tb: tb}
	var err error
	inThread(func() {
		if err = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET)); err == nil {
			n.file, err = os.Open("/proc/thread-self/ns/net")
		}
	})
	if err != nil {
		Unavailable(tb, "a network namespace needs root: %v", err)
	}
	tb.Cleanup(func() { n.file.Close() })
	n.Do(func() {
		cmd := exec.Command(Tool(tb, "ip"), "link", "set", "lo", "up")
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Errorf("%v: %v\n%s", cmd, err, out)
		}
	})
	return n
}

// inThread calls f on a thread of its own, which ends with it.
func inThread(f func()) {
	done := make(chan struct{})
	go func() { // ends when f returns
		runtime.LockOSThread()
		defer close(done)
		f()
	}()
	<-done
}

// enter moves the calling thread into the namespace.
func (n *NS) enter() error {
	return os.NewSyscallError("setns", unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET))
}

// Do calls f in the namespace, on a thread of its own, and waits for it. It is
// for the test's other goroutines. f must not call FailNow.
func (n *NS) Do(f func()) {
	inThread(func() {
		if err := n.enter(); err != nil {
			n.tb.Error(err)
			return
		}
		f()
	})
}

// Run runs a command of the system in the namespace and returns what it
// prints. The test fails if the command does.
func (n *NS) Run(name string, args ...string) string {
	n.tb.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(Tool(n.tb, name), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		n.tb.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// Tool returns the path of a program that a test needs; without it the test is
// skipped as New says.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Unavailable(tb, "%v", err)
	}
	return path
}

// Unavailable skips the test, or fails it if the environment has CI=true.
func Unavailable(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}
