package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trivet-net/trivet/trace"
)

// Wireshark opens every capture, finds every checksum good, and marks the same
// segments as sent again.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			run, err := Play(Recipe{Scenario: s.Name, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			files, err := run.Files(trace.Style{})
			if err != nil {
				t.Fatal(err)
			}
			paths := captures(t, files)
			compareMarks(t, run, dissect(t, tshark, paths[0]))
			// Those of the hosts need only be readable.
			if out, err := exec.Command("capinfos", append([]string{"-c", "-M"}, paths[1:]...)...).CombinedOutput(); err != nil {
				t.Errorf("capinfos: %v\n%s", err, out)
			}
		})
	}
}

// captures writes the captures among the files, and returns where.
func captures(t *testing.T, files []File) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, f := range files {
		if filepath.Ext(f.Name) != ".pcapng" {
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// dissection is what tshark says of a frame.
type dissection struct {
	marks   string // its marks of sequence analysis
	comment string
}

// dissect lets tshark read a capture, and checks that it finds nothing wrong.
func dissect(t *testing.T, tshark, path string) []dissection {
	t.Helper()
	cmd := exec.Command(tshark, "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-o", "udp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|", "-e", "ip.checksum.status",
		"-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "_ws.malformed", "-e", "tcp.analysis.flags",
		"-e", "tcp.analysis.retransmission", "-e", "tcp.analysis.fast_retransmission",
		"-e", "tcp.analysis.spurious_retransmission", "-e", "tcp.analysis.out_of_order",
		"-e", "tcp.analysis.keep_alive", "-e", "tcp.analysis.zero_window_probe", "-e", "frame.comment")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v\n%s", filepath.Base(path), err, &errs)
	}
	var frames []dissection
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), "|", 12)
		if len(f) != 12 {
			t.Fatalf("tshark says %q", line)
		}
		for i, what := range []string{"IP", "TCP", "UDP"} {
			for status := range strings.SplitSeq(f[i], ",") {
				if status == "0" && !strings.Contains(f[11], "damaged") {
					t.Errorf("%s: frame %d has a bad %s checksum", filepath.Base(path), len(frames)+1, what)
				}
			}
		}
		if f[3] != "" {
			t.Errorf("%s: frame %d is malformed", filepath.Base(path), len(frames)+1)
		}
		var marks []string
		for i, name := range []string{"retransmission", "fast", "spurious", "out-of-order", "keep-alive", "window-probe"} {
			if f[5+i] != "" {
				marks = append(marks, name)
			}
		}
		frames = append(frames, dissection{strings.Join(marks, " "), f[11]})
	}
	return frames
}

// otherwise are the kinds of segments of which tshark, with reason, thinks
// otherwise: a SYN,ACK that crosses another has the number of the SYN before, and
// the number of the genuine SYN is not that of the old one.
var otherwise = map[[2]string]bool{
	{"simultaneous-open", "syn-ack"}: true,
	{"old-duplicate-syn", "syn"}:     true,
}

// compareMarks compares what tshark takes for sent again with what the run
// knows.
func compareMarks(t *testing.T, run *Run, frames []dissection) {
	t.Helper()
	packets, remarks := run.Log.Packets(), run.Analysis().Remarks(trace.English)
	if len(frames) != len(packets) {
		t.Fatalf("tshark finds %d frames, want %d", len(frames), len(packets))
	}
	for i, p := range packets {
		r, ok := remarks[p.Number]
		if !ok {
			continue
		}
		if otherwise[[2]string{run.Scenario.Name, r.Kind}] {
			continue
		}
		again := r.Repeats != 0 && r.Kind != "window-probe"
		marked := strings.Contains(frames[i].marks, "retransmission") || strings.Contains(frames[i].marks, "fast") ||
			strings.Contains(frames[i].marks, "spurious") ||
			// What is sent again within about a round trip it takes for late.
			again && strings.Contains(frames[i].marks, "out-of-order")
		if again != marked {
			t.Errorf("#%d %s: sent again %v, tshark marks %q", p.Number, r.Words, again, frames[i].marks)
		}
	}
}
