package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	captures "github.com/trivet-net/trivet/trace/capture"
)

// readFlags are the flags of trivet read.
type readFlags struct {
	list, asJSON       bool
	follow             int
	lang, seq, charset string
	changed            func(string) bool
}

func newReadCommand() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "read FILE",
		Short: "Draw the connections of a packet capture as ladders",
		Long: `Read draws the connections of a capture made elsewhere, pcapng or pcap, as the
lab draws its own: with the states of both ends, inferred from what passed by,
with retransmissions, resets and closed windows by name, and with half-open
connections and SYN floods pointed out.

UDP datagrams are drawn as well, and ICMP messages where they arrive.

A capture with one connection is drawn, one with several is listed; --follow N
draws the N-th of the list. FILE - is the standard input. What cannot be read of
a damaged or foreign file is told, the rest is shown.`,
		Example: `  tcpdump -w web.pcap -c 100 port 80
  trivet read web.pcap
  trivet read web.pcap --follow 2 --lang zh`,
		Args: oneArg("a capture file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			style, err := f.style()
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = watched(file, cmd.ErrOrStderr())
			}
			return f.run(in, cmd.OutOrStdout(), style)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.list, "list", false, "list the connections, one per line")
	flags.BoolVar(&f.asJSON, "json", false, "list the connections, one JSON object per line")
	flags.IntVar(&f.follow, "follow", 0, "draw connection `N` of the list")
	flags.StringVar(&f.lang, "lang", "en", "language: en or zh")
	flags.StringVar(&f.seq, "seq", "rel", "sequence numbers: rel, abs or both")
	flags.StringVar(&f.charset, "charset", "ascii", "characters of the ladder: ascii or unicode")
	return cmd
}

// longFile is from how many bytes on reading a file takes long enough to tell
// how far it is.
const longFile = 8 << 20

// watched is the file, with a bar of progress on stderr if it is long and stderr
// a terminal.
func watched(file *os.File, stderr io.Writer) io.Reader {
	info, err := file.Stat()
	if err != nil || info.Size() < longFile {
		return file
	}
	bar := newBar(info.Size(), stderr)
	if bar == nil {
		return file
	}
	return io.TeeReader(file, bar)
}

func (f *readFlags) run(in io.Reader, out io.Writer, style trace.Style) error {
	c, err := captures.Read(in)
	if err != nil {
		return err
	}
	a := trace.Analyse(&c.Log)
	connections, flows := a.Connections(), a.Flows()
	all := len(connections) + len(flows)
	if f.follow > all {
		return usagef("--follow %d: the list has %d", f.follow, all)
	}
	b := bufio.NewWriter(out)
	switch {
	case f.asJSON:
		err = listJSON(b, connections, flows)
	case f.follow > 0 || all == 1 && !f.list:
		err = draw(b, a, max(f.follow-1, 0), style)
	case all == 0:
		_, err = a.Ladder(style).WriteTo(b) // which says so
	default:
		listConnections(b, connections, flows, style.Lang)
	}
	if err == nil && !f.asJSON {
		f.remark(b, c, a, style.Lang)
	}
	return errors.Join(err, b.Flush())
}

// draw draws what the list has at an index: a connection, or, after all of these,
// a flow of datagrams.
func draw(w io.Writer, a *trace.Analysis, index int, style trace.Style) error {
	if n := len(a.Connections()); index >= n {
		return a.WriteFlow(w, index-n, style)
	}
	style.Connection = index
	_, err := a.Ladder(style).WriteTo(w)
	return err
}

func (f *readFlags) style() (trace.Style, error) {
	var style trace.Style
	var err error
	if style.Lang, err = trace.ParseLang(f.lang); err != nil {
		return style, usagef("--lang: %w", err)
	}
	if style.Seq, err = trace.ParseSeq(f.seq); err != nil {
		return style, usagef("--seq: %w", err)
	}
	if style.Unicode, err = parseCharset(f.charset); err != nil {
		return style, err
	}
	if f.changed("follow") && f.follow < 1 {
		return style, usagef("--follow: connections count from 1")
	}
	if f.follow > 0 && (f.list || f.asJSON) {
		return style, usagef("--follow goes with neither --list nor --json")
	}
	return style, nil
}

// remark writes what deserves a look, and what could not be read.
func (f *readFlags) remark(b io.Writer, c *captures.Capture, a *trace.Analysis, lang trace.Lang) {
	if f.follow == 0 {
		for _, p := range captures.Patterns(a) {
			fmt.Fprintf(b, "  * %s%s\n", p.In(lang), which(a, p.Connections, lang))
		}
	}
	for _, note := range c.Notes(lang) {
		fmt.Fprintf(b, "  ! %s\n", note)
	}
}

// which names connections as the list counts them, if they are few and there are
// others.
func which(a *trace.Analysis, list []int, lang trace.Lang) string {
	const most = 8
	if len(list) > most || len(a.Connections()) == 1 {
		return ""
	}
	var names []string
	for _, i := range list {
		names = append(names, fmt.Sprint(i+1))
	}
	if lang == trace.Chinese {
		return "（表中第 " + strings.Join(names, "、") + " 项）"
	}
	return " (see " + strings.Join(names, ", ") + ")"
}

// first is when the first connection or flow began.
func first(list []trace.Connection, flows []trace.Flow) tcp.Time {
	var t tcp.Time
	if len(list) > 0 {
		t = list[0].Begin
	}
	if len(flows) > 0 {
		t = tcp.Earliest(t, flows[0].Begin)
	}
	return t
}

// listConnections writes a line for each connection, and for each flow of
// datagrams.
func listConnections(b io.Writer, list []trace.Connection, flows []trace.Flow, lang trace.Lang) {
	t := newTable(b)
	head := table.Row{"#", "begin", "from", "to", "states", "segments", "bytes", "again", "RST"}
	if lang == trace.Chinese {
		head = table.Row{"#", "开始", "发起方", "对方", "状态", "报文段", "字节", "重传", "RST"}
	}
	t.AppendHeader(head)
	start := first(list, flows)
	for i := range list {
		c := &list[i]
		begin := c.Begin.Sub(start)
		t.AppendRow(table.Row{
			i + 1, fmt.Sprintf("%.4f", begin.Seconds()), c.Addrs[0], c.Addrs[1],
			fmt.Sprintf("%v / %v", c.States[0], c.States[1]), c.Segments,
			fmt.Sprintf("%d / %d", c.Bytes[0], c.Bytes[1]), c.Repeats, c.Resets,
		})
	}
	for i := range flows {
		f := &flows[i]
		t.AppendRow(table.Row{
			len(list) + i + 1, fmt.Sprintf("%.4f", f.Begin.Sub(start).Seconds()), f.Addrs[0], f.Addrs[1], "UDP",
			f.Datagrams[0] + f.Datagrams[1], fmt.Sprintf("%d / %d", f.Bytes[0], f.Bytes[1]), "", "",
		})
	}
	t.Render()
}

// newTable is a table without lines, as other tools of the trade print them.
func newTable(out io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// listedConnection is a connection as the list in JSON has it.
type listedConnection struct {
	Name     string    `json:"name"`
	Number   int       `json:"number"`
	Protocol string    `json:"protocol"`
	Begin    float64   `json:"begin"` // seconds after the first packet
	States   [2]string `json:"states"`
	Segments int       `json:"segments"`
	Bytes    [2]int    `json:"bytes"`
	Repeats  int       `json:"retransmissions"`
	Resets   int       `json:"resets"`
}

// listedFlow is a flow of datagrams there.
type listedFlow struct {
	Name      string  `json:"name"`
	Number    int     `json:"number"`
	Protocol  string  `json:"protocol"`
	Begin     float64 `json:"begin"`
	Datagrams [2]int  `json:"datagrams"`
	Bytes     [2]int  `json:"bytes"`
	Errors    int     `json:"icmp_errors"`
}

func listJSON(b io.Writer, list []trace.Connection, flows []trace.Flow) error {
	var errs []error
	start := first(list, flows)
	for i := range list {
		c := &list[i]
		errs = append(errs, printJSON(b, listedConnection{
			Name: c.Addrs[0].String() + " > " + c.Addrs[1].String(), Number: i + 1,
			Protocol: "tcp", Begin: c.Begin.Sub(start).Seconds(),
			States: [2]string{c.States[0].String(), c.States[1].String()}, Segments: c.Segments,
			Bytes: c.Bytes, Repeats: c.Repeats, Resets: c.Resets,
		}))
	}
	for i := range flows {
		f := &flows[i]
		errs = append(errs, printJSON(b, listedFlow{
			Name: f.Addrs[0].String() + " > " + f.Addrs[1].String(), Number: len(list) + i + 1, Protocol: "udp",
			Begin: f.Begin.Sub(start).Seconds(), Datagrams: f.Datagrams, Bytes: f.Bytes, Errors: f.Errors,
		}))
	}
	return errors.Join(errs...)
}
