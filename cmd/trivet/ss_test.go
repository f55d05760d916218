package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// A host answers ss on its unix socket, which is its owner's alone and is gone
// when the host ends.
func TestSS(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	a, b := link.Pair(1500, link.PairOptions{})
	var stacks []*trivet.Stack
	for i, l := range []link.Link{a, b} {
		s, err := trivet.New(trivet.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(t.Context()) }) // at once: the context is over by then
		if err := s.AddLink(l, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)); err != nil {
			t.Fatal(err)
		}
		stacks = append(stacks, s)
	}
	l, err := stacks[0].Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := stacks[1].Dial("tcp", "10.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()

	udp, err := stacks[0].ListenPacket("udp", "10.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()

	path := controlPath("test0")
	table := func() socketTable { return tableOf(stacks[0], "test0") }
	c, err := openControl(path, table)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v, want it to be its owner's alone", info.Mode(), err)
	}
	if _, err := openControl(path, table); err == nil {
		t.Error("a second host took the socket of the first")
	}
	for _, tt := range []struct {
		args, want, not string
	}{
		{"-tan", "LISTEN", "[::]"},
		{"-tan", "*:*", ""},
		{"-tn", "ESTAB", "LISTEN"},
		{"-tl", "LISTEN", "ESTAB"},
		{"-ti", "cubic wscale:", ""},
		{"-s", "estab 1, closed 0", ""},
		{"state established sport = :80", "10.0.0.1:80", ""},
		{"state established sport = :81", "State", "10.0.0.1:80"},
		{"state listening", "LISTEN", "ESTAB"},
		{"dport = :80", "State", "ESTAB"},
		{"--json", `{"name":"10.0.0.1:80 > 10.0.0.2:`, "LISTEN"},
		{"-tan", "LISTEN", "udp"},
		{"-uan", "UNCONN", "LISTEN"},
		{"-an", "udp   UNCONN     0      0             10.0.0.1:53         0.0.0.0:*", ""},
		{"-n", "tcp   ESTAB", "UNCONN"},
		{"-an state unconnected", "10.0.0.1:53", "ESTAB"},
		{"-a dst 10.0.0.0/24 or sport = :53", "UNCONN", "LISTEN"},
		{"-s", "UDP        1          1          0\nTCP        2          1          1", ""},
		{"-s", "ICMP messages: 0 in, 0 out", ""},
		{"-s --json", `{"name":"TCP","total":2,"ipv4":1,"ipv6":1,"states":{"ESTAB":1,"LISTEN":1}}`, ""},
		{"-s --json", `{"name":"UDP","total":1,"ipv4":1,"ipv6":0,"states":{`, ""},
	} {
		status, out, errs := command(t.Context(), "", append([]string{"ss"}, strings.Fields(tt.args)...)...)
		if status != exitOK || errs != "" || !strings.Contains(out, tt.want) || tt.not != "" && strings.Contains(out, tt.not) {
			t.Errorf("ss %s: status %d, %q, %q, want %q and not %q", tt.args, status, out, errs, tt.want, tt.not)
		}
	}
	c.close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
	if status, _, errs := command(t.Context(), "", "ss"); status != exitFailure || !strings.Contains(errs, "no trivet serve is running") {
		t.Errorf("ss without a host: status %d, %q", status, errs)
	}
	if err := os.WriteFile(filepath.Join(controlDir(), "trivet-x.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := command(t.Context(), "", "ss"); status != exitFailure {
		t.Errorf("ss with a file that is no socket: status %d", status)
	}
}

// A flood of half-open connections and a leak of CLOSE-WAIT are pointed out, with
// how long they have lasted.
func TestWarnings(t *testing.T) {
	var table socketTable
	for range manyHalfOpen {
		table.Sockets = append(table.Sockets, socketRow{State: "SYN-RECV", Age: int64(7 * time.Second)})
	}
	table.Sockets = append(table.Sockets, socketRow{State: "CLOSE-WAIT", Age: int64(time.Hour)}, socketRow{State: "CLOSE-WAIT", Age: 1})
	list := warnings(&table)
	if len(list) != 2 || !strings.Contains(list[0], "SYN-RECV: 20 sockets, for up to 7s") ||
		!strings.Contains(list[1], "CLOSE-WAIT for more than 1m0s: 1, for up to 1h0m0s") {
		t.Errorf("warnings: %q", list)
	}
	if list := warnings(&socketTable{Sockets: table.Sockets[:manyHalfOpen-1]}); len(list) != 0 {
		t.Errorf("warnings for few: %q", list)
	}
}

// Timers are written as ss writes them.
func TestTimerTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		171 * time.Second: "2min51sec", 59 * time.Second: "59sec", 4030 * time.Millisecond: "4.030ms",
		200 * time.Millisecond: "200ms", -time.Second: "0ms", 2 * time.Minute: "2min", 2 * time.Hour: "120min",
	} {
		if got := timerTime(d); got != want {
			t.Errorf("timerTime(%v) = %q, want %q", d, got, want)
		}
	}
}

// Every state, and every word that -i prints, can be explained in both languages.
func TestExplain(t *testing.T) {
	var words []string
	for s := tcp.StateListen; s <= tcp.StateTimeWait; s++ {
		words = append(words, strings.ToLower(s.SS()))
	}
	info := tcp.Info{
		Timestamps: true, SACK: true, ECN: true, ECNSeen: true, WindowScale: true, Congestion: "cubic", RTT: 1e6, ATO: 1, Backoff: 1,
		SndMSS: 1, SndCwnd: 1, SndSsthresh: 2, BytesSent: 1, BytesRetrans: 1, BytesAcked: 1, BytesReceived: 1, SegsOut: 1,
		SegsIn: 1, DataSegsOut: 1, DataSegsIn: 1, LastDataSent: 1e9, LastDataRecv: 1e9, LastAckRecv: 1e9, DeliveryRate: 1,
		Delivered: 1, AppLimited: true, InFlight: 1, TotalRetrans: 1, RcvWnd: 1, NotSent: 1, MinRTT: 1,
	}
	for w := range strings.FieldsSeq(infoWords(&info)) {
		name, _, _ := strings.Cut(w, ":")
		if !strings.HasSuffix(name, "bps") {
			words = append(words, name)
		}
	}
	for _, name := range ssOtherNames {
		words = append(words, name)
	}
	words = append(words, "reno", "bbr", "netid", "recv-q", "send-q", "local", "peer", "process")
	for _, w := range words {
		text, ok := ssFields[w]
		if !ok || text.EN == "" || text.ZH == "" {
			t.Errorf("%s has no explanation in both languages", w)
		}
	}
}

// Wrong use of lab, read and ss: one line, and the nearest names.
func TestWrongUseOfTheLab(t *testing.T) {
	for args, want := range map[string]string{
		"lab run handshak":                            "did you mean handshake",
		"lab show nothing-like-it":                    "trivet lab list",
		"lab run handshake --set bytes=1":             "there are rtt, loss, rate, msl, cc",
		"lab run handshake --set rt=1ms":              "did you mean rtt",
		"lab run handshake --set rtt":                 "want key=value",
		"lab run handshake --lang fr":                 "--lang",
		"lab run handshake --charset ebcdic":          "--charset",
		"lab run handshake --eyes mine":               "--eyes",
		"lab run handshake --seq roman":               "--seq",
		"lab run handshake --format pdf":              "--format",
		"lab run":                                     "want the name of a scenario",
		"lab run handshake --all":                     "--all goes without the name",
		"lab run --all --out x":                       "--all goes without --out",
		"lab run --all --format json":                 "--all goes without --format",
		"lab run --all --step":                        "--all goes without --step",
		"lab run --all --why":                         "--all goes without --why",
		"lab run --recipe x --rtt 3s":                 "--recipe goes without --rtt",
		"lab run --recipe x --seed 1":                 "--recipe goes without --seed",
		"lab run handshake --json --format md":        "--json tells the expectations alone",
		"lab run handshake --step --json":             "--step goes through a ladder",
		"lab run handshake --step --format md":        "--step goes through a ladder",
		"lab run handshake --rtt 1s --set rtt=2s":     "rtt is set twice",
		"lab run handshake --set loss=0 --set loss=1": "loss is set twice",
		"lab handshake":                               "unknown command",
		"lab run handshake --do now":                  "want at MOMENT ACTION",
		"lab list --lang fr":                          "--lang",
		"read":                                        "want a capture file",
		"read x --follow -1":                          "count from 1",
		"read x --follow 0":                           "count from 1",
		"read x --list --follow 1":                    "--follow goes with neither",
		"ss nonsense":                                 "did you mean state, exclude, sport, dport, src or dst",
		"ss sport = :80 and state estab":              "state comes before the expression",
		"ss state establised":                         "did you mean estab",
		"ss sport = :65536":                           "is no port",
		"ss state":                                    "needs a value",
		"ss --explain nonsense":                       "no field",
		"lab run --recipe " + os.DevNull:              "not a recipe",
	} {
		status, out, errs := command(t.Context(), "", strings.Fields(args)...)
		if status != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
			t.Errorf("trivet %s: status %d, %q, %q, want status 2 and one line with %q", args, status, out, errs, want)
		}
	}
}

// A run that is saved plays again from its recipe, and its capture is read back;
// expectations that do not hold are status 1.
func TestLabRun(t *testing.T) {
	dir := t.TempDir()
	status, first, errs := command(t.Context(), "", "lab", "run", "close-four-way", "--seed", "5", "--out", dir)
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %q", status, errs)
	}
	status, again, _ := command(t.Context(), "", "lab", "run", "--recipe", filepath.Join(dir, "run.json"))
	if status != exitOK || again != first {
		t.Errorf("the recipe: status %d, the same %v", status, again == first)
	}
	status, out, _ := command(t.Context(), "", "read", filepath.Join(dir, "wire.pcapng"))
	if status != exitOK || !strings.Contains(out, "TIME-WAIT") {
		t.Errorf("read: status %d\n%s", status, out)
	}
	status, _, errs = command(t.Context(), "", "lab", "run", "close-four-way", "--do", "at 0s unplug")
	if status != exitFailure || !strings.Contains(errs, "expectations") {
		t.Errorf("an unplugged cable: status %d, %q, want %d", status, errs, exitFailure)
	}
	status, out, _ = command(t.Context(), "", "lab", "run", "--all", "--json")
	if status != exitOK || strings.Count(out, "\n") < 42 || !strings.HasPrefix(out, `{"name":"handshake","passed":true`) {
		t.Errorf("--all: status %d, %.200q", status, out)
	}
	status, out, errs = command(t.Context(), "", "lab", "run", "half-close", "--json", "--do", "at #999 drop", "--do", "at 9h plug", "--do", "at #5 duplicate")
	if status != exitOK || !strings.HasPrefix(out, `{"name":"half-close","passed":true`) || strings.Count(errs, "never came") != 2 || strings.Contains(errs, "duplicate") {
		t.Errorf("moments that never come: status %d, %.80q, %q", status, out, errs)
	}
	if status, out, _ := command(t.Context(), "", "lab"); status != exitOK || !strings.Contains(out, "Examples:") {
		t.Errorf("lab: status %d, no help: %.100q", status, out)
	}
	status, _, errs = command(t.Context(), "", "lab", "run", "handshake", "--do", "at client FIN-WAIT-9 crash")
	if status != exitUsage || !strings.Contains(errs, "did you mean FIN-WAIT-1, FIN-WAIT-2") {
		t.Errorf("a state that there is not: status %d, %q", status, errs)
	}
	status, _, errs = command(t.Context(), "", "lab", "run", "handshake", "--do", "at #3 crash router")
	if status != exitUsage || !strings.Contains(errs, `"router" is none of client, server`) {
		t.Errorf("a host that there is not: status %d, %q", status, errs)
	}
	for _, format := range []string{"json", "qlog", "mermaid", "svg", "md"} {
		if status, out, _ := command(t.Context(), "", "lab", "run", "handshake", "--format", format); status != exitOK || len(out) < 200 {
			t.Errorf("--format %s: status %d, %.100q", format, status, out)
		}
	}
	if status, out, _ := command(t.Context(), "\n\n", "lab", "run", "handshake", "--step"); status != exitOK || !strings.Contains(out, "  > ") {
		t.Errorf("--step: status %d, %.100q", status, out)
	}
}

// There is a manual page for every command, and a completion for the shells.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	if status, out, errs := command(t.Context(), "", "man", dir); status != exitOK || out != "" || errs != "" {
		t.Fatalf("man: status %d, %q, %q", status, out, errs)
	}
	for _, page := range []string{"trivet.1", "trivet-serve.1", "trivet-lab-run.1", "trivet-read.1", "trivet-ss.1"} {
		if text, err := os.ReadFile(filepath.Join(dir, page)); err != nil || !strings.Contains(string(text), ".SH SYNOPSIS") {
			t.Errorf("%s: %v, %.40q", page, err, text)
		}
	}
	if status, out, _ := command(t.Context(), "", "completion", "bash"); status != exitOK || !strings.Contains(out, "__start_trivet") {
		t.Errorf("completion: status %d, %.60q", status, out)
	}
	if status, out, _ := command(t.Context(), "", "__complete", "lab", "run", "syn-f"); status != exitOK || !strings.Contains(out, "syn-flood-cookies") {
		t.Errorf("completion of scenarios: status %d, %q", status, out)
	}
}

// A host that was killed leaves its socket behind, which is not taken for another
// host that runs.
func TestAbandonedSocket(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: controlPath("gone"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := askControl(""); err == nil || !strings.Contains(err.Error(), "no trivet serve is running") {
		t.Errorf("askControl with a dead host alone: %v", err)
	}
	c, err := openControl(controlPath("here"), func() socketTable {
		return socketTable{Format: socketsFormat, Device: "here"}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if got, err := askControl(""); err != nil || got.Device != "here" {
		t.Errorf("askControl = %+v, %v, want the table of the host that runs", got, err)
	}
}
