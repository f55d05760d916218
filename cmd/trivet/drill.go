package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/trivet-net/trivet/drill"
)

// packetdrillOptions are the options of packetdrill that the command takes and
// that win over those of a script.
var packetdrillOptions = []struct{ name, usage string }{
	{"ip_version", "ipv4 or ipv6"},
	{"local_ip", "address of the host under test"},
	{"remote_ip", "address of the other side"},
	{"mtu", "MTU of the link in bytes"},
	{"mss", "accepted, without effect"},
	{"bind_port", "port of bind(..., ..., ...)"},
	{"connect_port", "port of connect(..., ..., ...)"},
	{"tolerance_usecs", "how far times may be off, in microseconds"},
	{"tolerance_percent", "the same, as a part of the time since the event before"},
	{"tcp_ts_tick_usecs", "compare outbound TSval; a tick of the script's clock in microseconds"},
}

// packetdrillSwitches are those without a value.
var packetdrillSwitches = []struct{ name, usage string }{
	{"strict_segments", "one segment for each line: none are put together"},
	{"send_omit_free", "accepted, without effect"},
}

type drillFlags struct {
	json, trace bool
	filter      string
	define      []string
	options     drill.Options
}

func newDrillCommand() *cobra.Command {
	var f drillFlags
	cmd := &cobra.Command{
		Use:   "drill PATH...",
		Short: "Run packetdrill scripts against the stack, in virtual time",
		Long: `Drill runs packetdrill scripts, files or folders of *.pkt, against the TCP/IP
stack in virtual time: no root, no kernel, no waiting.

The exit status is 0 when all scripts passed, 1 when some failed, and 2 when
some could not be read or need a feature that is not there.`,
		Example: `  trivet drill testdata/drill
  trivet drill --json --filter close/ testdata/drill
  trivet drill --define TFO_COOKIE=3021b9d889017eeb --tolerance_usecs=4000 gtests/net/tcp`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("want a script or a folder of scripts")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each script, then a summary")
	flags.BoolVar(&f.trace, "trace", false, "print the conversation of every script")
	flags.StringVar(&f.filter, "filter", "", "run only scripts whose path matches the regular expression")
	flags.StringArrayVarP(&f.define, "define", "D", nil, "define a name, as NAME=value")
	flags.BoolVar(&f.options.SkipExtraAcks, "skip-extra-acks", false, "forgive pure ACKs that the script does not have")
	flags.BoolVar(&f.options.LenientPSH, "lenient-psh", false, "do not compare the PSH flag")
	flags.BoolVar(&f.options.LenientOptions, "lenient-options", false, "do not compare the order and padding of TCP options")
	flags.BoolVar(&f.options.LenientWindow, "lenient-win", false, "forgive a window that is smaller by less than a segment")
	for _, o := range packetdrillOptions {
		flags.String(o.name, "", o.usage)
	}
	for _, o := range packetdrillSwitches {
		flags.Bool(o.name, false, o.usage)
	}
	return cmd
}

// report is one line of --json.
type report struct {
	Path   string `json:"path"`
	Result string `json:"result"`
	Line   int    `json:"line,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// tally is the last line of --json.
type tally struct {
	Scripts     int `json:"scripts"`
	Pass        int `json:"pass"`
	Fail        int `json:"fail"`
	Unsupported int `json:"unsupported"`
}

// drillError makes the command exit with 1 for failures and with 2 for scripts
// that could not be run.
type drillError struct{ tally }

func (e *drillError) Error() string {
	return fmt.Sprintf("%d of %d scripts did not pass", e.Scripts-e.Pass, e.Scripts)
}

func (e *drillError) exitStatus() int {
	if e.Fail > 0 {
		return exitFailure
	}
	return exitUsage
}

func (f *drillFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.collect(cmd); err != nil {
		return err
	}
	paths, err := findScripts(args, f.filter)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return usagef("no script found")
	}
	var t tally
	out := cmd.OutOrStdout()
	for _, path := range paths {
		r, err := f.runFile(path)
		if err != nil {
			return usagef("%w", err)
		}
		t.Scripts++
		switch r.Status {
		case drill.Pass:
			t.Pass++
		case drill.Fail:
			t.Fail++
		case drill.Unsupported:
			t.Unsupported++
		}
		f.print(out, r)
	}
	if f.json {
		_ = json.NewEncoder(out).Encode(t)
	} else {
		fmt.Fprintf(out, "%d scripts: %d passed, %d failed, %d unsupported\n", t.Scripts, t.Pass, t.Fail, t.Unsupported)
	}
	if t.Pass < t.Scripts {
		return &drillError{t}
	}
	return nil
}

// collect reads the flags that are options of package drill.
func (f *drillFlags) collect(cmd *cobra.Command) error {
	f.options.Define = map[string]string{}
	for _, d := range f.define {
		name, value, ok := strings.Cut(d, "=")
		if !ok || name == "" {
			return usagef("want --define NAME=value, got %q", d)
		}
		f.options.Define[name] = value
	}
	for _, o := range packetdrillOptions {
		if v, _ := cmd.Flags().GetString(o.name); v != "" {
			f.options.Set = append(f.options.Set, drill.Option{Name: o.name, Value: v})
		}
	}
	for _, o := range packetdrillSwitches {
		if on, _ := cmd.Flags().GetBool(o.name); on {
			f.options.Set = append(f.options.Set, drill.Option{Name: o.name})
		}
	}
	return nil
}

// runFile runs one script. A script that is malformed is unsupported; the
// error is that of reading the file.
func (f *drillFlags) runFile(path string) (*drill.Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	script, err := drill.Parse(path, string(text), f.options)
	if err != nil {
		r := &drill.Result{Path: path, Status: drill.Unsupported, Line: 1, Reason: err.Error()}
		if e, ok := err.(*drill.SyntaxError); ok {
			r.Line = e.Line
			r.Reason = fmt.Sprintf("syntax error in column %d: %s", e.Col, e.Message)
		}
		return r, nil
	}
	return drill.Run(script), nil
}

func (f *drillFlags) print(out io.Writer, r *drill.Result) {
	switch {
	case f.json:
		_ = json.NewEncoder(out).Encode(report{r.Path, r.Status.String(), r.Line, r.Reason})
	case f.trace && r.Status == drill.Pass:
		fmt.Fprintf(out, "%v\n  %s\n", r, strings.Join(r.Conversation, "\n  "))
	case r.Status != drill.Pass || f.trace:
		fmt.Fprintln(out, r)
	}
}

// findScripts returns the scripts under the paths, in order: files as they
// are, of folders those named *.pkt.
func findScripts(args []string, filter string) ([]string, error) {
	re, err := regexp.Compile(filter)
	if err != nil {
		return nil, usagef("--filter: %w", err)
	}
	var paths []string
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !d.IsDir() && (path == arg || filepath.Ext(path) == ".pkt") && re.MatchString(path) {
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, usagef("%w", err)
		}
	}
	return paths, nil
}
