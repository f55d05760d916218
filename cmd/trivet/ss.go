package main

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/tcp"
)

// ssFlags are the flags of trivet ss.
type ssFlags struct {
	tcp, info, numeric, options, all, listening, summary, asJSON bool
	explain, control, lang                                       string
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

Without -a it leaves out listeners, half-open connections and TIME-WAIT, as ss
does. A filter names states and ports:

  trivet ss state established
  trivet ss state close-wait sport = :80
  trivet ss dport = :443

--explain FIELD says what a column, a state or a value of -i means.`,
		Example: `  trivet ss -tan
  trivet ss -tino state established
  trivet ss -s
  trivet ss --explain cwnd`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.tcp, "tcp", "t", false, "TCP sockets (there are no others to list)")
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
	if len(filter.states) == 0 {
		filter.states = f.states()
	}
	t, err := askControl(f.control)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	switch {
	case f.summary:
		summarize(&b, t)
	case f.asJSON:
		for i := range t.Sockets {
			if s := &t.Sockets[i]; filter.takes(s) {
				if err := printJSON(&b, named{s.Local + " > " + s.Peer, s}); err != nil {
					return err
				}
			}
		}
	default:
		f.print(&b, t, filter)
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

// states are those that the flags ask for.
func (f *ssFlags) states() []string {
	switch {
	case f.listening:
		return []string{"LISTEN"}
	case f.all:
		return statesOf["all"]
	}
	return slices.DeleteFunc(slices.Clone(statesOf["connected"]), func(s string) bool {
		return s == "TIME-WAIT" || s == "SYN-RECV"
	})
}

// statesOf are ss's words for states, as its filters have them.
var statesOf = func() map[string][]string {
	m := map[string][]string{}
	for s := tcp.StateListen; s <= tcp.StateTimeWait; s++ {
		word := s.SS()
		m[strings.ToLower(word)] = []string{word}
		m["all"] = append(m["all"], word)
		if s != tcp.StateListen {
			m["connected"] = append(m["connected"], word)
			if s != tcp.StateSynSent {
				m["synchronized"] = append(m["synchronized"], word)
			}
			if s == tcp.StateSynReceived || s == tcp.StateTimeWait {
				m["bucket"] = append(m["bucket"], word)
			} else {
				m["big"] = append(m["big"], word)
			}
		}
	}
	m["established"], m["listening"] = m["estab"], m["listen"]
	m["syn-received"] = m["syn-recv"]
	return m
}()

// ssFilter chooses sockets.
type ssFilter struct {
	states       []string
	sport, dport uint16 // 0: any
}

// parseFilter reads "state close-wait sport = :80".
func parseFilter(args []string) (ssFilter, error) {
	var f ssFilter
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "and" || word == "&&" || word == "(" || word == ")" {
			continue
		}
		if len(args) > 0 && (args[0] == "=" || args[0] == "==" || args[0] == "eq") {
			args = args[1:]
		}
		if word != "state" && word != "sport" && word != "dport" {
			return f, usagef("no filter %q; did you mean state, sport or dport?", word)
		}
		if len(args) == 0 {
			return f, usagef("%s needs a value", word)
		}
		v := args[0]
		args = args[1:]
		if word == "state" {
			states, ok := statesOf[strings.ToLower(v)]
			if !ok {
				return f, usagef("no state %q%s", v, nearest(v, statesOf))
			}
			f.states = append(f.states, states...)
			continue
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(v, ":"), 10, 16)
		if err != nil || n == 0 {
			return f, usagef("%s: %q is no port such as :80", word, v)
		}
		if word == "sport" {
			f.sport = uint16(n)
		} else {
			f.dport = uint16(n)
		}
	}
	return f, nil
}

func (f *ssFilter) takes(s *socketRow) bool {
	return slices.Contains(f.states, s.State) && portIs(s.Local, f.sport) && portIs(s.Peer, f.dport)
}

func portIs(addr string, port uint16) bool {
	if port == 0 {
		return true
	}
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Port() == port
}

// print writes the table as ss does.
func (f *ssFlags) print(b *bytes.Buffer, t *socketTable, filter ssFilter) {
	widths := [2]int{len("Local Address:Port"), len("Peer Address:Port")}
	var rows []*socketRow
	for i := range t.Sockets {
		if s := &t.Sockets[i]; filter.takes(s) {
			rows = append(rows, s)
			widths[0], widths[1] = max(widths[0], len(s.Local)), max(widths[1], len(s.Peer))
		}
	}
	line := func(state, recv, send, local, peer, rest string) {
		text := fmt.Sprintf("%-10s %-6s %-6s %*s %*s %s", state, recv, send, widths[0], local, widths[1], peer, rest)
		fmt.Fprintln(b, strings.TrimRight(text, " "))
	}
	line("State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Process")
	for _, s := range rows {
		timer := ""
		if f.options {
			timer = timerWord(s)
		}
		line(s.State, fmt.Sprint(s.RecvQ), fmt.Sprint(s.SendQ), s.Local, s.Peer, timer)
		if f.info && s.Info != nil {
			fmt.Fprintf(b, "\t %s\n", infoWords(s.Info))
		}
	}
}

// summarize writes counts, as ss -s does.
func summarize(b *bytes.Buffer, t *socketTable) {
	count := map[string]int{}
	for i := range t.Sockets {
		count[t.Sockets[i].State]++
	}
	fmt.Fprintf(b, "Total: %d\nTCP:   %d (estab %d, closed %d, orphaned %d, timewait %d)\n\n", len(t.Sockets), len(t.Sockets),
		count["ESTAB"], count["TIME-WAIT"], t.Orphans, count["TIME-WAIT"])
	for s := tcp.StateListen; s <= tcp.StateTimeWait; s++ {
		if n := count[s.SS()]; n > 0 {
			fmt.Fprintf(b, "%-10s %d\n", s.SS(), n)
		}
	}
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
		list = append(list, fmt.Sprintf("%d sockets are in SYN-RECV, for up to %v: a SYN flood, or clients that do not hear the answers", halfOpen, longest))
	}
	if leaked > 0 {
		list = append(list, fmt.Sprintf("%d sockets are in CLOSE-WAIT for more than %v, up to %v: the peer has closed, and the program does not", leaked, oldCloseWait, oldest))
	}
	return list
}
