//go:build !linux

package engine

import "syscall"

// errHostIsolated is what "source host isolated" means to a program. Only Linux
// has an error of its own for it.
const errHostIsolated = syscall.EHOSTUNREACH
