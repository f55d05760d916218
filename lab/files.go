package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/pcapng"
)

// File is a file of a saved run.
type File struct {
	Name string
	Data []byte
}

// Files are what "trivet lab run --out" saves: the packets as somebody on the
// wire, the client and the server would capture them, the events as qlog, the
// ladder as text and as a drawing, and the recipe, by which the run is played
// again byte for byte.
func (r *Run) Files(style trace.Style, langs ...trace.Lang) ([]File, error) {
	if len(langs) == 0 {
		langs = []trace.Lang{style.Lang}
	}
	m := r.Model(Window{})
	var files []File
	add := func(name string, write func(io.Writer) error) error {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, File{name, b.Bytes()})
		return nil
	}
	host := func(name string) func(io.Writer) error {
		return func(w io.Writer) error { return pcapng.WriteHost(w, r.Log, r.Analysis(), name, langs...) }
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"wire.pcapng", func(w io.Writer) error { return pcapng.WriteAll(w, r.Log, r.Analysis(), langs...) }},
		{"client.pcapng", host("client")},
		{"server.pcapng", host("server")},
		{"run.sqlog", m.WriteQlog},
		{"ladder.txt", func(w io.Writer) error { return r.WriteText(w, style, langs...) }},
		{"ladder.svg", func(w io.Writer) error { return r.WriteSVG(w, langs[0]) }},
		{"run.json", r.Recipe.write},
	} {
		if err := add(f.name, f.write); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// write writes the recipe as JSON.
func (r Recipe) write(w io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// WriteText writes the run for a terminal, once for each language: its title,
// its ladder, the sockets at the end where they belong to the story, and what
// was expected.
func (r *Run) WriteText(w io.Writer, style trace.Style, langs ...trace.Lang) error {
	var b bytes.Buffer
	for i, l := range langs {
		if i > 0 {
			b.WriteByte('\n')
		}
		style.Lang = l
		fmt.Fprintf(&b, "%s: %s\n\n", r.Scenario.Name, r.Scenario.Title.In(l))
		if err := r.WriteLadder(&b, style); err != nil {
			return err
		}
		if style.Rules {
			fmt.Fprintf(&b, "\n%s (%s)\n", r.Scenario.Why.In(l), r.Scenario.Cite)
		}
		if r.listing {
			r.writeSockets(&b)
		}
		b.WriteByte('\n')
		for _, c := range r.Checks {
			mark, got := "ok  ", ""
			if !c.OK {
				mark, got = "FAIL", "  ("+c.Got+")"
			}
			fmt.Fprintf(&b, "  %s %s%s\n", mark, c.Text.In(l), got)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeSockets writes the last socket table of each host, as ss does.
func (r *Run) writeSockets(w io.Writer) {
	for _, h := range r.hosts {
		t := r.details.last[h.Name]
		if t == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s$ ss -tan\n%-10s %6s %6s %-22s %s\n", h.Name, "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")
		b := modelBuilder{run: r}
		for i := range t.rows {
			s := b.socket(&t.rows[i])
			fmt.Fprintf(w, "%-10s %6d %6d %-22s %s\n", s.State, s.RecvQ, s.SendQ, s.Local, s.Peer)
		}
		if t.more > 0 {
			fmt.Fprintf(w, "... %d more\n", t.more)
		}
	}
}
