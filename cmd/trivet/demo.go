package main

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/pcapng"
)

// demoFlags are the flags of trivet demo as they are written.
type demoFlags struct {
	rtt, msl  time.Duration
	loss      float64
	seed      uint64
	seq, lang string
	pcap      string
	web       bool
}

func newDemoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole TCP conversation between two simulated hosts",
		Long: `Demo joins two Trivet hosts by a simulated link, lets one fetch a page from the
other over HTTP/1.1, and prints every segment between them as a ladder: time
runs down, the client is on the left, the server on the right. On each side
stand the time when a segment left or arrived and the state of that end after
it, so that you can follow both through the three-way handshake, the data, the
four-way close, and the 2MSL of TIME-WAIT. Time is virtual: the minute that
TIME-WAIT takes costs nothing.

Segments are written as packetdrill writes them:

  P. 1:62(61) ack 1 win 32768 <TS val 20 ecr 0>

are the flags (S SYN, F FIN, R RST, P PSH, . ACK), the sequence numbers from 1
up to 62, which is 61 bytes, the next byte expected from the other side, the
window, and the options. Numbers are relative to the first of each side; see
--seq. The #n before it counts the packets, and the findings at the end speak
of them by that number.

All chance comes from --seed: the same flags print the same bytes. Give the link
some --loss, and see segments lost, sent again, and the page arrive all the same.`,
		Example: `  # The conversation without trouble
  trivet demo

  # One packet in five is lost; another seed, another story
  trivet demo --loss 0.2 --seed 7

  # Explanations in Chinese, both kinds of sequence numbers
  trivet demo --lang zh --seq both

  # A conversation as a page, to go through step by step
  trivet demo --web --loss 0.2

  # The same packets in Wireshark
  trivet demo --loss 0.2 --seed 7 --pcap demo.pcapng && wireshark demo.pcapng`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.web {
				return f.run(cmd.OutOrStdout())
			}
			page, err := f.page()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return page.serve(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.add(cmd)
	return cmd
}

// add declares the flags.
func (f *demoFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.DurationVar(&f.rtt, "rtt", 20*time.Millisecond, "round-trip time of the link")
	flags.Float64Var(&f.loss, "loss", 0, "probability that a packet is lost, 0 to 1")
	flags.Uint64Var(&f.seed, "seed", 1, "where all chance comes from")
	flags.DurationVar(&f.msl, "msl", 30*time.Second, "maximum segment lifetime, 500ms to 2m; TIME-WAIT takes twice that")
	flags.StringVar(&f.seq, "seq", "rel", "sequence numbers: rel (from 0), abs (as on the wire) or both")
	flags.StringVar(&f.pcap, "pcap", "", "write the packets to this file as pcapng")
	flags.StringVar(&f.lang, "lang", "en", "language of the explanations: en or zh")
	flags.BoolVar(&f.web, "web", false, "serve the lab as a page (see trivet lab serve), beginning with such a conversation")
}

// page is the lab's page, which begins with a conversation like that of the
// demo: opened, used and closed.
func (f *demoFlags) page() (*pageFlags, error) {
	r := lab.Recipe{Scenario: "close-four-way", Seed: f.seed, Params: map[string]string{
		"rtt": f.rtt.String(), "loss": strconv.FormatFloat(f.loss, 'f', -1, 64), "msl": f.msl.String(),
	}}
	if err := r.Check(); err != nil {
		return nil, &usageError{err}
	}
	link := url.Values{"scenario": {r.Scenario}, "seed": {strconv.FormatUint(f.seed, 10)}}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		link.Add("set", name+"="+r.Params[name])
	}
	return &pageFlags{listen: pageListen, link: link.Encode()}, nil
}

// maxRTT is the longest --rtt; it leaves every time-out room to fire.
const maxRTT = time.Hour

func (f *demoFlags) run(out io.Writer) error {
	seq, err := trace.ParseSeq(f.seq)
	if err != nil {
		return usagef("--seq: %w", err)
	}
	lang, err := trace.ParseLang(f.lang)
	if err != nil {
		return usagef("--lang: %w", err)
	}
	switch {
	case !(f.loss >= 0 && f.loss <= 1):
		return usagef("--loss: a probability is 0 to 1, not %v", f.loss)
	case f.rtt <= 0 || f.rtt > maxRTT:
		return usagef("--rtt: must be more than 0 and at most %v, not %v", maxRTT, f.rtt)
	case f.msl < minMSL || f.msl > maxMSL:
		return usagef("--msl: must be %v to %v, not %v", minMSL, maxMSL, f.msl)
	}

	// The file is opened first: a mistake in its name should not wait.
	var file *os.File
	if f.pcap != "" {
		if file, err = os.Create(f.pcap); err != nil {
			return fmt.Errorf("cannot write the capture: %w", err)
		}
	}
	d := demo{rtt: f.rtt, loss: f.loss, seed: f.seed, msl: f.msl}
	d.converse()
	if file != nil {
		err := pcapng.Write(file, &d.log, lang)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("cannot write the capture: %w", err)
		}
	}
	return d.print(out, trace.Style{Seq: seq, Lang: lang, Left: "client"})
}

// demoText is what demo prints around the ladder, in each language.
var demoText = map[trace.Lang]struct{ title, fetched, failed string }{
	trace.English: {
		"An HTTP/1.1 GET between two Trivet hosts over a simulated link: RTT %v, loss %.4g %%, seed %d, MSL %v.",
		"The client has the page: %s, %d bytes.",
		"The client did not get the page: %v.",
	},
	trace.Chinese: {
		"两台 Trivet 主机经模拟链路完成一次 HTTP/1.1 GET：RTT %v，丢包率 %.4g %%，种子 %d，MSL %v。",
		"客户端收到了网页：%s，%d 字节。",
		"客户端没有收到网页：%v。",
	},
}

// print writes the conversation.
func (d *demo) print(out io.Writer, style trace.Style) error {
	text := demoText[style.Lang]
	if _, err := fmt.Fprintf(out, text.title+"\n\n", d.rtt, d.loss*100, d.seed, d.msl); err != nil {
		return err
	}
	if _, err := trace.NewLadder(&d.log, style).WriteTo(out); err != nil {
		return err
	}
	var err error
	if d.err != nil {
		_, err = fmt.Fprintf(out, "\n"+text.failed+"\n", d.err)
	} else {
		_, err = fmt.Fprintf(out, "\n"+text.fetched+"\n", d.status, d.body)
	}
	return err
}
