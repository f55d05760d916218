package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets tests run this binary as the command itself, in a process of
// its own.
func TestMain(m *testing.M) {
	if os.Getenv("TRIVET_TEST_MAIN") == "1" {
		main()
	}
	os.Exit(test(m))
}

// test runs the tests with a folder of their own for the sockets of hosts, which
// those of other tests on this machine may have the names of.
func test(m *testing.M) int {
	dir, err := os.MkdirTemp("", "trivet-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("XDG_RUNTIME_DIR", dir)
	return m.Run()
}

// command runs a command line in this process.
func command(ctx context.Context, stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

// Wrong use: one clear line on stderr, nothing on stdout, status 2.
func TestWrongUse(t *testing.T) {
	const good = "--tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24 "
	tests := []struct{ args, want string }{
		{"bogus", "unknown command"},
		{"--bogus", "unknown flag: --bogus"},
		{"serve", "--tun, --addr and --peer are needed"},
		{"serve --tun trivet0 --peer 10.1.0.1/24", "--tun, --addr and --peer are needed"},
		{"serve extra", "extra"},
		{"serve --bogus", "unknown flag: --bogus"},
		{"serve --addr 10.1.0.2", "want an address with its prefix length"},
		{"serve --addr 10.1.0.300/24", "want an address with its prefix length"},
		{"serve --addr 10.1.0.2/33", "want an address with its prefix length"},
		{"serve --addr fe80::1%eth0/64", "want an address with its prefix length"},
		{"serve --addr ::ffff:10.1.0.2/120", "IPv4 address in IPv6 form"},
		{"serve --addr 0.0.0.0/0", "not the address of a host"},
		{"serve --addr ::/0", "not the address of a host"},
		{"serve --addr 224.0.0.1/24", "multicast"},
		{"serve --addr ff02::1/64", "multicast"},
		{"serve --addr 127.0.0.1/8", "loopback"},
		{"serve --addr 240.0.0.1/8", "reserved"},
		{"serve --addr 10.1.0.0/24", "is the network"},
		{"serve --addr 10.1.0.255/24", "broadcast"},
		{"serve --addr 10.1.0.127/25", "broadcast"},
		{"serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.2.0.1/24", "--addr 10.1.0.2/24 has no --peer"},
		{"serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.2/24", "has no --peer"},
		{"serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.130/25", "has no --peer"},
		{"serve --tun trivet0 --addr 10.1.0.2/32 --peer 10.1.0.1/24", "has no --peer"},
		{"serve " + good + "--peer fd00:1::1/64", "--peer fd00:1::1/64 has no --addr"},
		{"serve " + good + "--tun sixteen-bytes-xy", "longer than 15 bytes"},
		{"serve " + good + "--tun a/b", "not a name that an interface can have"},
		{"serve " + good + "--mtu 87", "--mtu 87 is not from 88 to 65535"},
		{"serve " + good + "--mtu 0", "--mtu 0 is not from 88 to 65535"},
		{"serve " + good + "--mtu -1", "--mtu -1 is not from 88 to 65535"},
		{"serve " + good + "--mtu 65536", "--mtu 65536 is not from 88 to 65535"},
		{"serve " + good + "--mtu many", "--mtu"},
		{"serve " + good + "--addr fd00:1::2/64 --peer fd00:1::1/64 --mtu 1279", "too small for IPv6"},
		{"serve " + good + "--msl 100ms", "--msl 100ms is not from"},
		{"serve " + good + "--msl 3m", "--msl 3m0s is not from"},
		{"serve " + good + "--shards -1", "--shards -1 is negative"},
		{"serve " + good + "--shards 1000", "Shards is 1000"},
		{"serve " + good + "--drain -1s", "--drain -1s is negative"},
		{"get " + good, "want a URL"},
		{"get ftp://10.1.0.1/ " + good, "not an http or https URL"},
		{"get 10.1.0.1 " + good, "not an http or https URL"},
		{"get http:///path " + good, "not an http or https URL"},
		{"get http://10.1.0.1/", "--tun, --addr and --peer are needed"},
		{"nc 10.1.0.1 " + good, "want a host and a port"},
		{"nc 10.1.0.1 0 " + good, "not a port number"},
		{"nc 10.1.0.1 65536 " + good, "not a port number"},
		{"nc 10.1.0.1 http " + good, "not a port number"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			status, stdout, stderr := command(t.Context(), "", strings.Fields(tt.args)...)
			if status != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("trivet %s: status %d, stdout %q, stderr %q, want status %d and one line with %q",
					tt.args, status, stdout, stderr, exitUsage, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"", "--help", "help serve", "serve --help", "get --help", "nc --help"} {
		status, stdout, stderr := command(t.Context(), "", strings.Fields(args)...)
		if status != exitOK || stderr != "" || !strings.Contains(stdout, "Examples:") {
			t.Errorf("trivet %s: status %d, stderr %q, stdout without examples:\n%s", args, status, stderr, stdout)
		}
	}
	status, stdout, _ := command(t.Context(), "", "--version")
	if status != exitOK || !strings.HasPrefix(stdout, "trivet ") {
		t.Errorf("trivet --version: status %d, %q", status, stdout)
	}
}

// fullDisk is where nothing can be written.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// What could not be written is an error, however the command prints.
func TestOutputThatFails(t *testing.T) {
	for _, args := range []string{
		"lab list", "lab show handshake", "lab list --json", "lab run handshake", "demo", "ss --explain cwnd",
		"drill ../../testdata/drill/handshake", "drill --json ../../testdata/drill/handshake",
	} {
		var stderr strings.Builder
		if status := run(t.Context(), strings.Fields(args), strings.NewReader(""), fullDisk{}, &stderr); status != exitFailure {
			t.Errorf("%s: status %d on a full disk, want %d", args, status, exitFailure)
		}
		if want := "trivet: no space left on device\n"; stderr.String() != want {
			t.Errorf("%s: stderr is %q, want %q", args, stderr.String(), want)
		}
	}
}
