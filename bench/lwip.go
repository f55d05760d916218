package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// lwipSource is a host with lwIP, which does a workload itself: lwIP's end in Go
// would be measured with what it costs to call C.
//
//go:embed lwip/host.c
var lwipSource []byte

// buildLwIP compiles lwIP's host into a folder.
func buildLwIP(folder string) (program string, err error) {
	source := filepath.Join(folder, "host.c")
	if err := os.WriteFile(source, lwipSource, 0o644); err != nil {
		return "", err
	}
	program = filepath.Join(folder, "lwip")
	build := exec.Command("gcc", "-O2", "-o", program, source, "-I/usr/include/lwip", "-llwip", "-lpthread")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("lwIP's host needs gcc and Debian's package liblwip-dev: %w\n%s", err, text)
	}
	return program, nil
}

// lwipTask is what lwIP's host is asked to do for a workload.
type lwipTask struct {
	name   string
	count  int    // of connections, at once where they come and go
	closes string // who does so first
}

// run does it with both ends in the host, or on a TUN device against the kernel.
func (l lwipTask) run(s settings, onTun bool) (result, error) {
	closes := l.closes
	if closes == "" {
		closes = "server"
	}
	cmd := exec.Command(s.LwIP, l.name, strconv.Itoa(l.count), closes, strconv.FormatInt(s.Time.Milliseconds(), 10))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = diesWithParent()
	if onTun {
		device, err := openRawDevice(false)
		if err != nil {
			return nil, err
		}
		defer device.Close()
		if err := startKernelSide(s); err != nil {
			return nil, err
		}
		cmd.ExtraFiles = []*os.File{device}
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("lwIP's host: %w", err)
	}
	var r result
	return r, json.Unmarshal(out, &r)
}
