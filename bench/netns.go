package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

// isolated starts a process in a network namespace of its own, which goes when
// the process does.
func isolated() *syscall.SysProcAttr {
	a := diesWithParent()
	a.Cloneflags = syscall.CLONE_NEWNET
	return a
}

// diesWithParent ends a process when the thread that started it ends.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// ipConfigure gives a device an address, unless it has one, and brings it up.
func ipConfigure(device, prefix string) error {
	if prefix != "" {
		if err := ip("addr", "add", prefix, "dev", device); err != nil {
			return err
		}
	}
	return ip("link", "set", device, "up")
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}
