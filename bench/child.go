package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"
)

// childArg as the first argument makes the program a part of a run instead of
// the command.
const childArg = "-child"

// runLimit ends a run that hangs, beyond the time it was asked to take.
const runLimit = 5 * time.Minute

// order is what a child is asked to do, as JSON in its second argument.
type order struct {
	Workload string
	Settings settings
	Profile  string // file for a CPU profile
}

// spawn runs a variant of a workload in a process of its own.
func spawn(w workload, o order) (result, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Settings.Executor, childArg, "run", string(text))
	cmd.SysProcAttr = diesWithParent()
	if w.needRoot || strings.HasPrefix(o.Settings.Variant, "kernel") && isRoot() && w.name != "size" {
		cmd.SysProcAttr = isolated() // nobody else's connections in TIME-WAIT
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	limit := time.AfterFunc(runLimit+o.Settings.Time, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	if !limit.Stop() {
		return nil, fmt.Errorf("hung for %v", runLimit+o.Settings.Time)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLines(stderr.String()))
	}
	if stderr.Len() > 0 {
		progress("    %s", lastLines(stderr.String()))
	}
	var r result
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

func isRoot() bool { return os.Geteuid() == 0 }

// lastLines keeps an error short.
func lastLines(s string) string {
	const limit = 2000
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-limit):]
}

// child does what the arguments after childArg say.
func child(args []string) error {
	switch args[0] {
	case "run":
		var o order
		if err := json.Unmarshal([]byte(args[1]), &o); err != nil {
			return err
		}
		r, err := o.run()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	case "serve":
		return kernelServe()
	case "churn":
		return kernelChurn(args[1])
	case "pour":
		return kernelPour(args[1])
	}
	return fmt.Errorf("unknown part %q", args[0])
}

func (o order) run() (result, error) {
	for _, w := range all() {
		if w.name != o.Workload {
			continue
		}
		if isRoot() && (w.needRoot || o.Settings.Variant == "kernel") && w.name != "size" {
			if err := ipConfigure("lo", ""); err != nil {
				return nil, err
			}
		}
		if o.Profile != "" {
			if err := os.MkdirAll(filepath.Dir(o.Profile), 0o755); err != nil {
				return nil, err
			}
			f, err := os.Create(o.Profile)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return nil, err
			}
			defer pprof.StopCPUProfile()
		}
		if o.Settings.Variant == "lwip" {
			return w.lwip.run(o.Settings, w.needRoot)
		}
		return w.run(o.Settings)
	}
	return nil, fmt.Errorf("no workload %q", o.Workload)
}
