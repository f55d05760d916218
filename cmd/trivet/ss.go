package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/tcp"
)

// ssFlags are the flags of trivet ss.
type ssFlags struct {
	tcp, udp, info, numeric, options, all, listening, summary, asJSON bool
	explain, control, lang                                            string
}

func newSSCommand() *cobra.Command {
	var f ssFlags
	cmd := &cobra.Command{
		Use:   "ss [FILTER]",
		Short: "List the sockets of a running trivet serve",
		Long: `Ss lists the sockets of a trivet serve that runs on this machine, in the words
and the order of iproute2's ss, and warns of what deserves a look: many sockets
in SYN-RECV (a SYN flood?), old ones in CLOSE-WAIT (a program that does not
close).

Without -a it leaves out listeners, half-open connections, TIME-WAIT, and UDP
sockets without a peer, as ss does. A filter chooses states, ports and addresses:

  { state STATE | exclude STATE } [ EXPRESSION ]

  STATE       established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait,
              close-wait, last-ack, closing, listening, unconnected; or all,
              connected, synchronized, bucket, big
  EXPRESSION  sport OP :80, dport OP :443, src OP 10.0.0.0/8, dst OP [fd00::1]:80,
              with and, or, not and parentheses
  OP          = != >= <= > <, or eq ne ge le gt lt, or nothing for =

--explain FIELD says what a column, a state or a value of -i means.`,
		Example: `  trivet ss -tan
  trivet ss -tino state established
  trivet ss -tn state close-wait sport = :80
  trivet ss -an exclude listening '( sport = :80 or dport = :80 ) and not dst 10.0.0.9'
  trivet ss -s
  trivet ss --explain cwnd`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.tcp, "tcp", "t", false, "TCP sockets alone")
	flags.BoolVarP(&f.udp, "udp", "u", false, "UDP sockets alone, or with -t both, as without either")
	flags.BoolVarP(&f.info, "info", "i", false, "what TCP knows of each connection")
	flags.BoolVarP(&f.numeric, "numeric", "n", false, "numbers instead of names (always so)")
	flags.BoolVarP(&f.options, "options", "o", false, "timers")
	flags.BoolVarP(&f.all, "all", "a", false, "every state")
	flags.BoolVarP(&f.listening, "listening", "l", false, "listeners alone")
	flags.BoolVarP(&f.summary, "summary", "s", false, "counts by state")
	flags.BoolVar(&f.asJSON, "json", false, "one JSON object per socket and line")
	flags.StringVar(&f.explain, "explain", "", "say what a `field` means, in English and Chinese")
	flags.StringVar(&f.lang, "lang", "both", "language of --explain: en, zh or both")
	flags.StringVar(&f.control, "control", "", "unix socket of the host (default: that of the only one that runs)")
	return cmd
}

func (f *ssFlags) run(args []string, out, errs io.Writer) error {
	if f.explain != "" {
		return f.teach(out)
	}
	filter, err := parseFilter(args)
	if err != nil {
		return err
	}
	if filter.states == nil {
		filter.states = f.states()
	}
	t, err := askControl(f.control)
	if err != nil {
		return err
	}
	var rows []*socketRow
	for i := range t.Sockets {
		if s := &t.Sockets[i]; f.shows(s.Netid) && filter.takes(s) {
			rows = append(rows, s)
		}
	}
	var b bytes.Buffer
	switch {
	case f.summary && f.asJSON:
		for _, k := range countSockets(t) {
			if err := printJSON(&b, k); err != nil {
				return err
			}
		}
	case f.summary:
		summarize(&b, t)
	case f.asJSON:
		for _, s := range rows {
			if err := printJSON(&b, named{s.Local + " > " + s.Peer, s}); err != nil {
				return err
			}
		}
	default:
		f.print(&b, rows)
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return err
	}
	for _, w := range warnings(t) {
		fmt.Fprintln(errs, "trivet: "+w)
	}
	return nil
}

// named is a socket as --json prints it.
type named struct {
	Name string `json:"name"`
	*socketRow
}

// shows reports whether the flags ask for this kind of socket.
func (f *ssFlags) shows(netid string) bool {
	if f.tcp == f.udp {
		return true
	}
	return f.udp == (netid == netUDP)
}

// states are those that the flags ask for.
func (f *ssFlags) states() []string {
	switch {
	case f.listening:
		return []string{"LISTEN", stateUnconnected}
	case f.all:
		return statesOf["all"]
	}
	return slices.DeleteFunc(slices.Clone(statesOf["connected"]), func(s string) bool {
		return s == "TIME-WAIT" || s == "SYN-RECV"
	})
}

// print writes the table as ss does: with a column for the kind of socket where
// there may be several.
func (f *ssFlags) print(b *bytes.Buffer, rows []*socketRow) {
	widths := [2]int{len("Local Address:Port"), len("Peer Address:Port")}
	for _, s := range rows {
		widths[0], widths[1] = max(widths[0], len(star(s.Local))), max(widths[1], len(star(s.Peer)))
	}
	line := func(netid, state, recv, send, local, peer, rest string) {
		text := fmt.Sprintf("%-10s %-6s %-6s %*s %*s %s", state, recv, send, widths[0], local, widths[1], peer, rest)
		if f.tcp == f.udp {
			text = fmt.Sprintf("%-5s %s", netid, text)
		}
		fmt.Fprintln(b, strings.TrimRight(text, " "))
	}
	line("Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Process")
	for _, s := range rows {
		timer := ""
		if f.options {
			timer = timerWord(s)
		}
		line(s.Netid, s.State, fmt.Sprint(s.RecvQ), fmt.Sprint(s.SendQ), star(s.Local), star(s.Peer), timer)
		switch {
		case f.info && s.Info != nil:
			fmt.Fprintf(b, "\t %s\n", infoWords(s.Info))
		case f.info && s.Drops > 0:
			fmt.Fprintf(b, "\t drops:%d\n", s.Drops)
		}
	}
}

// star writes the address that stands for all of both families as ss does:
// [::]:80 would be IPv6 alone.
func star(addr string) string {
	if port, all := strings.CutPrefix(addr, "[::]:"); all {
		return "*:" + port
	}
	return addr
}

// socketCount counts the sockets of one kind, as --summary --json prints it.
type socketCount struct {
	Name   string         `json:"name"` // TCP or UDP
	Total  int            `json:"total"`
	IPv4   int            `json:"ipv4"`
	IPv6   int            `json:"ipv6"`
	States map[string]int `json:"states"`
}

// countSockets counts TCP's sockets and UDP's.
func countSockets(t *socketTable) [2]socketCount {
	counts := [2]socketCount{{Name: "TCP", States: map[string]int{}}, {Name: "UDP", States: map[string]int{}}}
	for i := range t.Sockets {
		s := &t.Sockets[i]
		of := &counts[1]
		if s.Netid == netTCP {
			of = &counts[0]
		}
		of.Total++
		of.States[s.State]++
		if strings.HasPrefix(s.Local, "[") {
			of.IPv6++
		} else {
			of.IPv4++
		}
	}
	return counts
}

// summarize writes counts, as ss -s does, and those of UDP and ICMP messages.
func summarize(b *bytes.Buffer, t *socketTable) {
	counts := countSockets(t)
	tcps, udps, count := &counts[0], &counts[1], counts[0].States
	fmt.Fprintf(b, "Total: %d\nTCP:   %d (estab %d, closed %d, orphaned %d, timewait %d)\n\n", len(t.Sockets), tcps.Total,
		count["ESTAB"], count["TIME-WAIT"], t.Orphans, count["TIME-WAIT"])
	fmt.Fprintf(b, "%-10s %-10s %-10s %s\n", "Transport", "Total", "IP", "IPv6")
	fmt.Fprintf(b, "%-10s %-10d %-10d %d\n", "UDP", udps.Total, udps.IPv4, udps.IPv6)
	fmt.Fprintf(b, "%-10s %-10d %-10d %d\n\n", "TCP", tcps.Total, tcps.IPv4, tcps.IPv6)
	for s := tcp.StateListen; s <= tcp.StateTimeWait; s++ {
		if n := count[s.SS()]; n > 0 {
			fmt.Fprintf(b, "%-10s %d\n", s.SS(), n)
		}
	}
	fmt.Fprintf(b, "\nUDP datagrams: %d in, %d out, %d to closed ports, %d dropped by full queues\n", t.UDP.In, t.UDP.Out, t.UDP.NoPort, t.UDP.QueueFull)
	fmt.Fprintf(b, "ICMP messages: %d in, %d out\n", t.ICMPIn, t.ICMPOut)
}

// From when on sockets deserve a warning.
const (
	manyHalfOpen = 20
	oldCloseWait = time.Minute
)

// warnings are what deserves a look.
func warnings(t *socketTable) []string {
	var list []string
	halfOpen, leaked := 0, 0
	var longest, oldest time.Duration
	for i := range t.Sockets {
		s := &t.Sockets[i]
		age := time.Duration(s.Age).Round(time.Second)
		switch s.State {
		case "SYN-RECV":
			halfOpen++
			longest = max(longest, age)
		case "CLOSE-WAIT":
			if age >= oldCloseWait {
				leaked++
				oldest = max(oldest, age)
			}
		}
	}
	if halfOpen >= manyHalfOpen {
		list = append(list, fmt.Sprintf("SYN-RECV: %d sockets, for up to %v: a SYN flood, or clients that do not hear the answers", halfOpen, longest))
	}
	if leaked > 0 {
		list = append(list, fmt.Sprintf("CLOSE-WAIT for more than %v: %d, for up to %v: the peer has closed, and the program does not", oldCloseWait, leaked, oldest))
	}
	return list
}
