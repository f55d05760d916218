package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func sizeWorkloads() []workload {
	return []workload{{
		name:     "size",
		about:    "an echo server: size of the program, and time to build it with an empty build cache",
		variants: []string{"gvisor", "kernel", "trivet"},
		rounds:   1,
		metrics: []metric{
			{name: "binary", unit: "MB", goal: goal{value: 2.9}},
			{name: "build", unit: "s cold build", goal: goal{value: 18}},
			{name: "cpu", unit: "CPU s cold build"},
			{name: "packages", unit: "packages"},
		},
		run: size,
	}}
}

// size builds a program of the folder minimal; the kernel's uses package net.
func size(s settings) (result, error) {
	dir, err := os.MkdirTemp("", "bench-size")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := s.Variant
	if program == "kernel" {
		program = "net"
	}
	source, out := "./minimal/"+program, filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOCACHE="+filepath.Join(dir, "cache"))
	start := time.Now()
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v (run it in the folder bench): %w\n%s", build, err, text)
	}
	p := build.ProcessState
	r := result{"build": time.Since(start).Seconds(), "cpu": (p.UserTime() + p.SystemTime()).Seconds()}
	info, err := os.Stat(out)
	if err != nil {
		return nil, err
	}
	r["binary"] = float64(info.Size()) / 1e6
	list, err := exec.Command("go", "list", "-deps", source).Output()
	r["packages"] = float64(strings.Count(string(list), "\n"))
	return r, err
}
