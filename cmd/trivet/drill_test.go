package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passingScript = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
`
	failingScript = passingScript + "+0 > . 1:1(0) ack 1\n"
)

// scripts writes files and returns their folder.
func scripts(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// drillRun runs the command in a folder of scripts.
func drillRun(t *testing.T, dir string, args ...string) (status int, out, errs string) {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	status = run(context.Background(), append([]string{"drill"}, args...), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// The exit status says the worst that happened: 0 all passed, 1 some failed, 2
// some could not be run.
func TestDrillStatus(t *testing.T) {
	dir := scripts(t, map[string]string{
		"a/good.pkt": passingScript, "a/ignored.txt": "x", "b/bad.pkt": failingScript,
		"c/needs.pkt": "0 socket(..., SOCK_RAW, IPPROTO_UDP) = 3\n", "d/malformed.pkt": "0 > S 0:1(0)\n",
	})
	for _, tt := range []struct {
		args   string
		status int
		out    string
		errs   string
	}{
		{"a", 0, "1 scripts: 1 passed, 0 failed, 0 unsupported\n", ""},
		{"a b", 1, "2 scripts: 1 passed, 1 failed, 0 unsupported\n", "trivet: 1 of 2 scripts did not pass\n"},
		{"a c", 2, "2 scripts: 1 passed, 0 failed, 1 unsupported\n", "trivet: 1 of 2 scripts did not pass\n"},
		{"d", 2, "d/malformed.pkt:1: unsupported: syntax error in column 7: expected seq:end(length) to add up, found 0:1(0)\n", ""},
		{".", 1, "4 scripts: 1 passed, 1 failed, 2 unsupported\n", "trivet: 3 of 4 scripts did not pass\n"},
		{". --filter good", 0, "1 scripts: 1 passed, 0 failed, 0 unsupported\n", ""},
		{"b --trace --skip-extra-acks", 1, "b/bad.pkt:6: fail: sent at 1.000000, expected at 0.000000\n", ""},
		{"a --trace", 0, "a/good.pkt: pass\n  0.000000 < S 0:0(0) win 65535 <mss 1000>\n", ""},
		{"a --ip_version=ipv6 --mtu=1400", 0, "1 passed", ""},
		{"a --ip_version=ipv5", 2, "unsupported: --ip_version=ipv5", ""},
		{"", 2, "", "want a script or a folder of scripts"},
		{"nowhere", 2, "", "nowhere: no such file or directory"},
		{"a --filter [", 2, "", "--filter: error parsing regexp"},
		{"a --filter nothing", 2, "", "no script found"},
		{"a --define x", 2, "", `want --define NAME=value, got "x"`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			status, out, errs := drillRun(t, dir, strings.Fields(tt.args)...)
			if status != tt.status || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
				t.Errorf("trivet drill %s = %d, %q, %q; want %d, %q, %q", tt.args, status, out, errs, tt.status, tt.out, tt.errs)
			}
		})
	}
}

// --json prints one object for each script, and a summary.
func TestDrillJSON(t *testing.T) {
	dir := scripts(t, map[string]string{"bad.pkt": failingScript, "good.pkt": passingScript})
	status, out, _ := drillRun(t, dir, "--json", "bad.pkt", "good.pkt")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 1 || len(lines) != 3 {
		t.Fatalf("trivet drill --json = %d, %q, want 1 and three lines", status, out)
	}
	var reports [2]report
	var sum tally
	for i, to := range []any{&reports[0], &reports[1], &sum} {
		if err := json.Unmarshal([]byte(lines[i]), to); err != nil {
			t.Fatal(err)
		}
	}
	if want := (report{"bad.pkt", "fail", 6, "sent at 1.000000, expected at 0.000000"}); reports[0] != want {
		t.Errorf("first line = %+v, want %+v", reports[0], want)
	}
	if want := (report{"good.pkt", "pass", 0, ""}); reports[1] != want {
		t.Errorf("second line = %+v, want %+v", reports[1], want)
	}
	if want := (tally{Scripts: 2, Pass: 1, Fail: 1}); sum != want {
		t.Errorf("summary = %+v, want %+v", sum, want)
	}
}
