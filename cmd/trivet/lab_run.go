package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

// runFlags are the flags of trivet lab run as they are written.
type runFlags struct {
	all, asJSON, step, why bool
	seed                   uint64
	common                 map[string]*string // parameters with a flag of their own
	set, do                []string
	recipe                 string
	format, out            string
	lang, charset          string
	seq, eyes              string
	changed                func(string) bool
}

// errExpectations is what a run ends with whose expectations did not hold.
var errExpectations = errors.New("not all expectations held")

func newLabRunCommand() *cobra.Command {
	f := runFlags{common: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Play a scenario and show it",
		Long: `Run plays a scenario and shows it as a ladder, as JSON, qlog, a Mermaid diagram,
a drawing or a page of Markdown. The exit status is 0 when the scenario's
expectations held, 1 when not, 2 when the command line makes no sense.

A run depends on its recipe alone: scenario, seed, parameters (trivet lab show
NAME lists them) and interventions. An intervention is --do 'at MOMENT ACTION':

  MOMENT  #5, the fifth packet when it is sent; 1.5s after the beginning;
          client FIN-WAIT-1, a state or a rule that a host reaches
  ACTION  drop, delay 300ms, duplicate, reorder, corrupt (of a packet);
          inject rst|syn|ack [from client|server]; unplug; plug;
          crash, close or stop-reading [client|server]`,
		Example: `  trivet lab run handshake
  trivet lab run handshake --do 'at #2 drop' --why
  trivet lab run syn-flood --set queue=64 --lang both
  trivet lab run zero-window --out saved && wireshark saved/wire.pcapng
  trivet lab run --recipe saved/run.json
  trivet lab run --all`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			return f.run(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.all, "all", false, "play every scenario, and say of each whether its expectations held")
	flags.BoolVar(&f.asJSON, "json", false, "say as a JSON object which expectations held; with --all one per line")
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
	flags.StringVar(&f.recipe, "recipe", "", "play the recipe in this `file`, a run.json of --out")
	flags.StringVar(&f.format, "format", "ladder", "ladder, json, qlog, mermaid, svg or md")
	flags.StringVar(&f.out, "out", "", "save captures, qlog, ladder, drawing and recipe in this `folder`")
	flags.StringVar(&f.lang, "lang", "en", "language: en, zh or both")
	flags.StringVar(&f.charset, "charset", "ascii", "characters of the ladder: ascii or unicode")
	flags.StringVar(&f.seq, "seq", "rel", "sequence numbers: rel, abs or both")
	flags.StringVar(&f.eyes, "eyes", "wire", "whose view: client, server, or wire for everything")
	flags.BoolVar(&f.why, "why", false, "name the rules that fired and where they are written")
	flags.BoolVar(&f.step, "step", false, "wait for Enter before each caption")
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
		if _, twice := r.Params[k]; twice {
			return r, usagef("--set: %s is set twice", k)
		}
		r.Params[k] = v
	}
	if err := r.Check(); err != nil {
		return r, &usageError{err}
	}
	return r, nil
}

// read is the recipe in a file.
func (f *runFlags) read() (lab.Recipe, error) {
	text, err := os.ReadFile(f.recipe)
	if err != nil {
		return lab.Recipe{}, err
	}
	r, err := lab.ParseRecipe(text)
	if err != nil {
		return r, usagef("--recipe: %w", err)
	}
	return r, nil
}

// parseCharset reads --charset, and reports whether it is unicode.
func parseCharset(s string) (unicode bool, err error) {
	switch s {
	case "ascii":
		return false, nil
	case "unicode":
		return true, nil
	}
	return false, usagef("--charset: ascii or unicode, not %q", s)
}

// style is how the flags want ladders to be drawn.
func (f *runFlags) style() (trace.Style, error) {
	style := trace.Style{Rules: f.why}
	var err error
	if style.Seq, err = trace.ParseSeq(f.seq); err != nil {
		return style, usagef("--seq: %w", err)
	}
	if style.Unicode, err = parseCharset(f.charset); err != nil {
		return style, err
	}
	switch f.eyes {
	case "wire":
	case "client", "server":
		style.Eyes = f.eyes
	default:
		return style, usagef("--eyes: client, server or wire, not %q", f.eyes)
	}
	return style, nil
}

func (f *runFlags) run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	languages, err := langs(f.lang)
	if err != nil {
		return err
	}
	style, err := f.style()
	if err != nil {
		return err
	}
	style.Lang = languages[0]
	recipe, err := f.chosen(args)
	if err != nil || f.all {
		if err == nil {
			err = f.runAll(ctx, out, languages)
		}
		return err
	}
	if !f.knownFormat() {
		return usagef("--format: ladder, json, qlog, mermaid, svg or md, not %q", f.format)
	}
	run, err := lab.Play(recipe)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := save(run, f.out, style, languages); err != nil {
			return err
		}
	}
	if f.asJSON {
		err = f.report(out, run, languages)
	} else {
		err = f.show(run, style, languages, in, out, errs)
	}
	if err != nil {
		return err
	}
	for _, do := range run.Idle() {
		fmt.Fprintf(errs, "trivet: --do '%s' did nothing: its moment never came, or there was nothing to do it to\n", do)
	}
	if !run.Passed() {
		return errExpectations
	}
	return nil
}

// chosen is the recipe that arguments and flags choose; none with --all.
func (f *runFlags) chosen(args []string) (lab.Recipe, error) {
	if f.all && len(args) > 0 {
		return lab.Recipe{}, usagef("--all goes without the name of a scenario")
	}
	if f.asJSON && f.changed("format") {
		return lab.Recipe{}, usagef("--json tells the expectations alone: not with --format (--format json is the whole run)")
	}
	if f.step && (f.asJSON || f.format != "ladder") {
		return lab.Recipe{}, usagef("--step goes through a ladder: not with --json or another --format")
	}
	switch {
	case f.all:
		return lab.Recipe{}, f.without("--all", "recipe", "out", "format", "step", "why", "charset", "seq", "eyes")
	case f.recipe != "" && len(args) == 0:
		if err := f.without("--recipe", "seed", "rtt", "loss", "rate", "msl", "cc", "set", "do"); err != nil {
			return lab.Recipe{}, err
		}
		return f.read()
	case f.recipe != "" || len(args) != 1:
		return lab.Recipe{}, usagef("want the name of a scenario, --recipe or --all")
	}
	return f.order(args[0])
}

// without is an error if one of the flags is given that mean nothing beside
// another.
func (f *runFlags) without(beside string, flags ...string) error {
	for _, name := range flags {
		if f.changed(name) {
			return usagef("%s goes without --%s", beside, name)
		}
	}
	return nil
}

func (f *runFlags) knownFormat() bool {
	switch f.format {
	case "ladder", "json", "qlog", "mermaid", "svg", "md":
		return true
	}
	return false
}

// show writes the run in the format that was asked for.
func (f *runFlags) show(run *lab.Run, style trace.Style, languages []trace.Lang, in io.Reader, out, errs io.Writer) error {
	switch f.format {
	case "json":
		return printJSON(out, run.Model(lab.Window{}))
	case "qlog":
		return run.Model(lab.Window{}).WriteQlog(out)
	case "mermaid":
		return run.WriteMermaid(out, style.Lang)
	case "svg":
		return run.WriteSVG(out, style.Lang)
	case "md":
		return run.WriteMarkdown(out, style)
	}
	var text bytes.Buffer
	if err := run.WriteText(&text, style, languages...); err != nil {
		return err
	}
	if f.step {
		return stepThrough(text.String(), in, out, errs)
	}
	_, err := out.Write(text.Bytes())
	return err
}

// stepThrough writes a ladder up to each caption, and waits for a line of input
// before it goes on. At the end of the input it stops waiting.
func stepThrough(text string, in io.Reader, out, errs io.Writer) error {
	lines := bufio.NewScanner(in)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  > ") {
			if isTerminal(in) {
				io.WriteString(errs, "[Enter]") // the terminal adds the end of the line
			}
			lines.Scan()
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return lines.Err()
}

// save writes the files of a run into a folder.
func save(run *lab.Run, folder string, style trace.Style, languages []trace.Lang) error {
	files, err := run.Files(style, languages...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(folder, file.Name), file.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what --all says of a scenario in JSON.
type outcome struct {
	Name   string      `json:"name"`
	Passed bool        `json:"passed"`
	Checks []lab.Check `json:"checks"`
}

// runAll plays every scenario.
func (f *runFlags) runAll(ctx context.Context, out io.Writer, languages []trace.Lang) error {
	failed := 0
	for _, s := range lab.Scenarios() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		recipe, err := f.order(s.Name)
		if err != nil {
			return err
		}
		run, err := lab.Play(recipe)
		if err != nil {
			return err
		}
		if !run.Passed() {
			failed++
		}
		if err := f.report(out, run, languages); err != nil {
			return err
		}
	}
	if f.asJSON {
		if failed > 0 {
			return errExpectations
		}
		return nil
	}
	all := len(lab.Scenarios())
	if _, err := fmt.Fprintf(out, "%d of %d scenarios passed.\n", all-failed, all); err != nil {
		return err
	}
	if failed > 0 {
		return errExpectations
	}
	return nil
}

// report says of a run whether its expectations held.
func (f *runFlags) report(out io.Writer, run *lab.Run, languages []trace.Lang) error {
	if f.asJSON {
		return printJSON(out, outcome{run.Scenario.Name, run.Passed(), run.Checks})
	}
	word := "pass"
	if !run.Passed() {
		word = "FAIL"
	}
	_, err := fmt.Fprintf(out, "%s  %-34s %d expectations\n", word, run.Scenario.Name, len(run.Checks))
	for _, c := range run.Checks {
		if !c.OK && err == nil {
			_, err = fmt.Fprintf(out, "      %s: %s\n", inAll(c.Text, languages), c.Got)
		}
	}
	return err
}
