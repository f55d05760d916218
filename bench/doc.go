// Command bench measures Trivet, gVisor's netstack, lwIP and the kernel's TCP side
// by side: the same workload in each, in turn, each run in a process of its own.
//
//	cd bench && go run . all
//	cd bench && go run . rr crr -n 3
//	cd bench && go run . --help
//
// It is a module of its own, so that gVisor is in no library user's build.
// docs/benchmarks.md has the figures of one run.
package main
