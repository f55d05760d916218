package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// notesMark is where the part of the page begins that is written by hand.
const notesMark = "\n## Notes\n"

func main() {
	keep := flag.Bool("write", false, "write docs/goodput.md and the golden numbers, instead of printing")
	only := flag.String("only", "", "run the paths whose name and flows contain this, and print")
	flag.Parse()
	if err := goodput(*keep, *only); err != nil {
		fmt.Fprintln(os.Stderr, "goodput:", err)
		os.Exit(1)
	}
}

func goodput(keep bool, only string) error {
	var rows []row
	for i := range paths {
		p := &paths[i]
		if !strings.Contains(p.id(), only) {
			continue
		}
		r, err := measure(p, p.seeds)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	x, err := measureExchanges()
	if err != nil {
		return err
	}
	if !keep || only != "" {
		return write(os.Stdout, rows, &x, "")
	}
	return save(rows, &x)
}

// save writes the page, keeping its notes, and what the test compares with.
func save(rows []row, x *exchanges) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	page := filepath.Join(root, "docs", "goodput.md")
	notes := notesMark
	if old, err := os.ReadFile(page); err == nil {
		if i := bytes.Index(old, []byte(notesMark)); i >= 0 {
			notes = string(old[i:])
		}
	}
	var b bytes.Buffer
	if err := write(&b, rows, x, notes); err != nil {
		return err
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		return err
	}
	text, err := json.MarshalIndent(goldenOf(rows), "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "internal", "goodput", "testdata", "golden.json"), append(text, '\n'), 0o644)
}

// golden is what the test compares with, by the path's id: the median goodput of
// each flow.
type golden map[string][]float64

func goldenOf(rows []row) golden {
	g := golden{}
	for i := range rows {
		id := rows[i].path.id()
		for _, f := range rows[i].flows {
			g[id] = append(g[id], f.goodput)
		}
	}
	return g
}

// id names a path and its flows.
func (p *path) id() string { return p.name + ": " + strings.Join(p.flows, ", ") }

// moduleRoot is the directory of go.mod, above this one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = os.ErrNotExist
	}
	return "", err
}

func workers() int { return runtime.GOMAXPROCS(0) }
