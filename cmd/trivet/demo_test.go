package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateDemo = flag.Bool("update", false, "write the golden files of trivet demo")

// demoOutput runs trivet demo with the arguments.
func demoOutput(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), append([]string{"demo"}, args...), strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), status
}

// What demo prints is the same on every machine.
func TestDemoGolden(t *testing.T) {
	for _, tt := range []struct {
		file string
		args []string
	}{
		{"demo.en.txt", nil},
		{"demo.zh.txt", []string{"--lang", "zh"}},
		{"demo.loss.txt", []string{"--loss", "0.3", "--seed", "5"}},
		{"demo.both.txt", []string{"--seq", "both", "--msl", "1s", "--rtt", "300ms"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got, stderr, status := demoOutput(t, tt.args...)
			if status != exitOK || stderr != "" {
				t.Errorf("status %d, stderr %q, want success", status, stderr)
			}
			path := filepath.Join("testdata", tt.file)
			if *updateDemo {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the output differs from %s (write it anew with -update):\n%s", path, got)
			}
		})
	}
}

// However short the round trip, moments that differ are printed differently.
func TestDemoShortRTT(t *testing.T) {
	for _, rtt := range []string{"10ns", "1us", "100us"} {
		out, stderr, status := demoOutput(t, "--rtt", rtt)
		if status != exitOK || stderr != "" {
			t.Fatalf("--rtt %s: status %d, stderr %q", rtt, status, stderr)
		}
		for line := range strings.SplitSeq(out, "\n") {
			if !strings.Contains(line, "-- #") || !strings.Contains(line, "> ") {
				continue
			}
			sent := strings.Fields(line)[0]
			if strings.Count(line, sent) > 1 {
				t.Errorf("--rtt %s: a packet arrives when it leaves: %s", rtt, line)
			}
		}
	}
}

// A FIN that comes again starts TIME-WAIT anew, and the findings say so.
func TestDemoTimeWaitAgain(t *testing.T) {
	again := 0
	for seed := 1; seed <= 20; seed++ {
		out, _, _ := demoOutput(t, "--loss", "0.2", "--seed", fmt.Sprint(seed))
		_, text, _ := strings.Cut(out, "was in TIME-WAIT for ")
		plain := strings.HasPrefix(text, "60 s (2MSL).")
		began := strings.Contains(text, " s: 2MSL, which began again with #")
		if plain == began {
			t.Errorf("seed %d: TIME-WAIT: %.60s", seed, text)
		}
		if began {
			again++
		}
	}
	if again == 0 {
		t.Error("no seed repeats the last FIN")
	}
}

// Whatever the loss, the demo ends and says how; with moderate loss the page
// always arrives.
func TestDemoWithLoss(t *testing.T) {
	for _, loss := range []string{"0.05", "0.3", "0.6", "1"} {
		for seed := 1; seed <= 10; seed++ {
			args := []string{"--loss", loss, "--seed", fmt.Sprint(seed)}
			out, stderr, status := demoOutput(t, args...)
			if status != exitOK || stderr != "" {
				t.Errorf("%v: status %d, stderr %q", args, status, stderr)
			}
			got := strings.Contains(out, "The client has the page: HTTP/1.1 200 OK, 4096 bytes.")
			failed := strings.Contains(out, "The client did not get the page: ")
			if got == failed || failed && (loss == "0.05" || loss == "0.3") || got && loss == "1" {
				t.Errorf("%v: page %v, failure %v:\n%s", args, got, failed, out)
			}
		}
	}
}

// Wrong use is one line on stderr and status 2; what fails at run time is
// status 1.
func TestDemoMistakes(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		word   string
	}{
		{[]string{"--loss", "1.5"}, exitUsage, "--loss"},
		{[]string{"--loss", "-0.1"}, exitUsage, "--loss"},
		{[]string{"--loss", "NaN"}, exitUsage, "--loss"},
		{[]string{"--loss", "much"}, exitUsage, "loss"},
		{[]string{"--rtt", "0s"}, exitUsage, "--rtt"},
		{[]string{"--rtt", "-5ms"}, exitUsage, "--rtt"},
		{[]string{"--msl", "0.4s"}, exitUsage, "--msl"},
		{[]string{"--msl", "3m"}, exitUsage, "--msl"},
		{[]string{"--seq", "roman"}, exitUsage, "--seq"},
		{[]string{"--lang", "fr"}, exitUsage, "--lang"},
		{[]string{"extra"}, exitUsage, "extra"},
		{[]string{"--pcap", filepath.Join(t.TempDir(), "no", "such", "dir.pcapng")}, exitFailure, "capture"},
	} {
		out, stderr, status := demoOutput(t, tt.args...)
		if status != tt.status || out != "" || !strings.Contains(stderr, tt.word) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("demo %v: status %d, stdout %q, stderr %q, want status %d and one line about %q",
				tt.args, status, out, stderr, tt.status, tt.word)
		}
	}
}

// The capture holds as many packets as the ladder shows.
func TestDemoPcap(t *testing.T) {
	name := filepath.Join(t.TempDir(), "demo.pcapng")
	plain, _, _ := demoOutput(t)
	out, stderr, status := demoOutput(t, "--pcap", name)
	if status != exitOK || stderr != "" || out != plain {
		t.Errorf("with --pcap: status %d, stderr %q, same output %v", status, stderr, out == plain)
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() < 5000 {
		t.Errorf("the capture: %v, %v, want over 5000 bytes", info, err)
	}
}
