package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

func newLabCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Play the scenarios of the TCP textbooks on the real stack",
		Long: `Lab plays scenarios - the handshake, a lost SYN, a simultaneous close, a SYN
flood - on the real stack in virtual time and shows each as a ladder, with the
state of both ends and the reason for every segment. Each scenario asserts what
must come out, so it is a test as well.`,
		Example: `  # What there is
  trivet lab list

  # The three-way handshake; then in Chinese, with the rules that fired
  trivet lab run handshake
  trivet lab run handshake --lang zh --why

  # The same, but its second segment is lost
  trivet lab run handshake --do 'at #2 drop'

  # Every scenario, as a test
  trivet lab run --all`,
	}
	cmd.AddCommand(newLabListCommand(), newLabShowCommand(), newLabRunCommand())
	return cmd
}

// listed is a scenario as the listings in JSON have it.
type listed struct {
	Name   string      `json:"name"`
	Title  lab.Text    `json:"title"`
	Why    lab.Text    `json:"why"`
	Cite   string      `json:"cite"`
	Params []lab.Param `json:"params"`
}

func list(s *lab.Scenario) listed { return listed{s.Name, s.Title, s.Why, s.Cite, s.Params} }

// langs are the languages that --lang names.
func langs(word string) ([]trace.Lang, error) {
	if word == "both" {
		return []trace.Lang{trace.English, trace.Chinese}, nil
	}
	l, err := trace.ParseLang(word)
	if err != nil {
		return nil, usagef("--lang: languages are en, zh and both, not %q", word)
	}
	return []trace.Lang{l}, nil
}

func newLabListCommand() *cobra.Command {
	var asJSON bool
	var lang string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			languages, err := langs(lang)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				for _, s := range lab.Scenarios() {
					if err := printJSON(out, list(s)); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			for _, s := range lab.Scenarios() {
				fmt.Fprintf(w, "%s\t%s\n", s.Name, inAll(s.Title, languages))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object per line")
	cmd.Flags().StringVar(&lang, "lang", "en", "language: en, zh or both")
	return cmd
}

// inAll is the text in the languages, one after the other.
func inAll(t lab.Text, languages []trace.Lang) string {
	var texts []string
	for _, l := range languages {
		texts = append(texts, t.In(l))
	}
	return strings.Join(texts, " / ")
}

// printJSON writes a value on a line of its own.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newLabShowCommand() *cobra.Command {
	var asJSON bool
	var lang string
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Say what a scenario shows, why, and what can be set",
		Args:              oneArg("the name of a scenario"),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			languages, err := langs(lang)
			if err != nil {
				return err
			}
			s, err := lab.Find(args[0])
			if err != nil {
				return &usageError{err}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list(s))
			}
			return showScenario(cmd.OutOrStdout(), s, languages)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as a JSON object")
	cmd.Flags().StringVar(&lang, "lang", "en", "language: en, zh or both")
	return cmd
}

func showScenario(out io.Writer, s *lab.Scenario, languages []trace.Lang) error {
	fmt.Fprintf(out, "%s\n", s.Name)
	for _, l := range languages {
		fmt.Fprintf(out, "\n%s\n%s\n", s.Title.In(l), s.Why.In(l))
	}
	fmt.Fprintf(out, "(%s)\n\n", s.Cite)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range s.Params {
		fmt.Fprintf(w, "  %s=%s\t%s\n", p.Name, p.Default, inAll(p.Text, languages))
	}
	return w.Flush()
}

// completeScenarios completes the name of a scenario in a shell.
func completeScenarios(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range lab.Scenarios() {
		names = append(names, s.Name+"\t"+s.Title.EN)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// runFlags are the flags of trivet lab run as they are written.
type runFlags struct {
	all     bool
	seed    uint64
	common  map[string]*string // parameters with a flag of their own
	set     []string
	do      []string
	lang    string
	seq     string
	format  string
	changed func(string) bool
}

var errExpectations = errors.New("not all expectations held")

func newLabRunCommand() *cobra.Command {
	f := runFlags{common: map[string]*string{}}
	cmd := &cobra.Command{
		Use:               "run NAME",
		Short:             "Play a scenario and show it",
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			return f.run(args, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.all, "all", false, "play every scenario, and say of each whether its expectations held")
	flags.Uint64Var(&f.seed, "seed", 1, "where all chance comes from")
	for _, p := range []struct{ name, usage string }{
		{"rtt", "round-trip `time` of the link"},
		{"loss", "`probability` that a packet is lost, 0.05 or 5%"},
		{"rate", "`bits` per second of the link, such as 10M; 0: no limit"},
		{"msl", "maximum segment lifetime; TIME-WAIT takes twice that `time`"},
		{"cc", "congestion control `algorithm`: cubic, reno or bbr"},
	} {
		f.common[p.name] = flags.String(p.name, "", p.usage)
	}
	flags.StringArrayVar(&f.set, "set", nil, "set a parameter of the scenario: `key=value` (may be repeated)")
	flags.StringArrayVar(&f.do, "do", nil, "intervene: `'at #5 drop'` (may be repeated)")
	flags.StringVar(&f.format, "format", "ladder", "ladder or json")
	flags.StringVar(&f.lang, "lang", "en", "language: en, zh or both")
	flags.StringVar(&f.seq, "seq", "rel", "sequence numbers: rel, abs or both")
	return cmd
}

// order is the recipe that the flags describe.
func (f *runFlags) order(name string) (lab.Recipe, error) {
	r := lab.Recipe{Scenario: name, Seed: f.seed, Params: map[string]string{}, Do: f.do}
	for name, v := range f.common {
		if f.changed(name) {
			r.Params[name] = *v
		}
	}
	for _, kv := range f.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return r, usagef("--set: want key=value, not %q", kv)
		}
		r.Params[k] = v
	}
	if err := r.Check(); err != nil {
		return r, &usageError{err}
	}
	return r, nil
}

func (f *runFlags) run(args []string, out io.Writer) error {
	languages, err := langs(f.lang)
	if err != nil {
		return err
	}
	seq, err := trace.ParseSeq(f.seq)
	if err != nil {
		return usagef("--seq: %w", err)
	}
	if f.all {
		return f.runAll(out)
	}
	if len(args) != 1 {
		return usagef("want the name of a scenario, or --all")
	}
	recipe, err := f.order(args[0])
	if err != nil {
		return err
	}
	run, err := lab.Play(recipe)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return printJSON(out, run.Model(lab.Window{}))
	}
	for _, l := range languages {
		fmt.Fprintf(out, "%s\n\n", run.Scenario.Title.In(l))
		if err := run.WriteLadder(out, trace.Style{Lang: l, Seq: seq}); err != nil {
			return err
		}
		printChecks(out, run, l)
	}
	if !run.Passed() {
		return errExpectations
	}
	return nil
}

func printChecks(out io.Writer, run *lab.Run, l trace.Lang) {
	fmt.Fprintln(out)
	for _, c := range run.Checks {
		mark, got := "ok  ", ""
		if !c.OK {
			mark, got = "FAIL", "  ("+c.Got+")"
		}
		fmt.Fprintf(out, "  %s %s%s\n", mark, c.Text.In(l), got)
	}
}

func (f *runFlags) runAll(out io.Writer) error {
	failed := 0
	for _, s := range lab.Scenarios() {
		recipe, err := f.order(s.Name)
		if err != nil {
			return err
		}
		run, err := lab.Play(recipe)
		if err != nil {
			return err
		}
		word := "pass"
		if !run.Passed() {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(out, "%s %s %s\n", word, s.Name, strconv.Itoa(len(run.Checks)))
	}
	if failed > 0 {
		return errExpectations
	}
	return nil
}
