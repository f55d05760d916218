package engine

import "syscall"

// errHostIsolated is what "source host isolated" means to a program.
const errHostIsolated = syscall.ENONET
