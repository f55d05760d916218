package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const help = `Measure Trivet, gVisor's netstack, lwIP and the kernel's TCP side by side.

Usage: go run . [flags] all | WORKLOAD...

Each run is a process of its own. The variants of a workload take turns
(A B C A B C), so that a change in the machine's load meets them all. A figure
is the median over the rounds, with the least and the greatest. CPU is that of
the process, user and system, both ends together except over a TUN device.
The last columns are how many times better Trivet is than the better of gVisor's
variants, and whether it reaches the project's goal.

Workloads:
%s
Examples:
  go run . all                     everything, in about twenty-five minutes
  go run . rr crr -n 3             two workloads, three rounds
  go run . bulk -t 5s -json        longer runs, the figures as JSON
  go run . bulk/streams=1 -only trivet -profile /tmp/p
                                   one row, one variant, with CPU profiles
  go run . soak -t 10s -strict     the soak in short; its status is the verdict

The TUN workloads need root and the program ip; they run in network namespaces
that are made for them and go with them. Without root they are skipped. lwIP is
compiled in with gcc from Debian's package liblwip-dev; without them it is left out.

Flags:
`

// options are the flags.
type options struct {
	rounds  int
	time    time.Duration
	json    bool
	only    string
	profile string
	strict  bool
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == childArg {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	var o options
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	fs.IntVar(&o.rounds, "n", 5, "`rounds`; slow workloads have fewer")
	fs.DurationVar(&o.time, "t", 1500*time.Millisecond, "`time` of a measurement that has no fixed number of operations")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	fs.StringVar(&o.only, "only", "", "measure only variants whose name starts with `text`")
	fs.StringVar(&o.profile, "profile", "", "write a CPU profile of each last run into this `folder`")
	fs.BoolVar(&o.strict, "strict", false, "exit with status 1 when Trivet misses a goal or fails")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), help, names())
		fs.PrintDefaults()
	}
	var wanted []string
	for len(args) > 0 { // flags may come after the names
		fs.Parse(args) // ends the program after an error
		if args = fs.Args(); len(args) > 0 {
			wanted, args = append(wanted, args[0]), args[1:]
		}
	}
	list, err := choose(wanted)
	if err != nil {
		return err
	}
	if o.rounds < 1 || o.time <= 0 {
		return fmt.Errorf("-n and -t must be positive")
	}
	rows, err := measure(list, o)
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(os.Stdout, rows)
	} else {
		printTable(os.Stdout, rows)
	}
	if missed := goalsMissed(rows); err == nil && o.strict && len(missed) > 0 {
		return fmt.Errorf("goals missed: %d", len(missed))
	}
	return err
}

// names lists the workloads for the help.
func names() string {
	var b strings.Builder
	for _, w := range all() {
		fmt.Fprintf(&b, "  %-28s %s\n", w.name, w.about)
	}
	return b.String()
}

// choose returns the workloads that the arguments name: all, a name, or a name
// up to a slash.
func choose(wanted []string) ([]workload, error) {
	if len(wanted) == 0 {
		return nil, fmt.Errorf("name a workload, or all; see -help")
	}
	var list []workload
	for _, name := range wanted {
		found := false
		for _, w := range all() {
			if name == "all" || w.name == name || strings.HasPrefix(w.name, name+"/") {
				list = append(list, w)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no workload %q; see -help", name)
		}
	}
	return list, nil
}

// progress tells on standard error what goes on.
func progress(format string, args ...any) {
	fmt.Fprintf(io.Writer(os.Stderr), format+"\n", args...)
}
