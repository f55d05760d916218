package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

func newLabCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Play the scenarios of the TCP textbooks on the real stack",
		Args:  cobra.NoArgs, // else an unknown word shows the help, as if nothing were wrong
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
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
  trivet lab run --all

  # All of it as a page in the browser
  trivet lab serve`,
	}
	cmd.AddCommand(newLabListCommand(), newLabShowCommand(), newLabRunCommand(), newLabServeCommand())
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
			t := newTable(out)
			for _, s := range lab.Scenarios() {
				t.AppendRow(table.Row{s.Name, inAll(s.Title, languages)})
			}
			t.Render()
			return nil
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
	t := newTable(out)
	for _, p := range s.Params {
		t.AppendRow(table.Row{"  " + p.Name + "=" + p.Default, inAll(p.Text, languages)})
	}
	t.Render()
	return nil
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
