package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the process had used up at a moment.
type usage struct {
	at     time.Time
	cpu    time.Duration // user and system
	allocs uint64
	bytes  uint64
}

func now() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		panic(err) // cannot fail with these arguments
	}
	return usage{
		at:     time.Now(),
		cpu:    time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		allocs: m.Mallocs,
		bytes:  m.TotalAlloc,
	}
}

// since returns what was used up from the moment of u.
func (u usage) since() spent {
	n := now()
	return spent{
		wall:   n.at.Sub(u.at).Seconds(),
		cpu:    (n.cpu - u.cpu).Seconds(),
		allocs: float64(n.allocs - u.allocs),
		bytes:  float64(n.bytes - u.bytes),
	}
}

// spent is seconds, numbers and bytes.
type spent struct{ wall, cpu, allocs, bytes float64 }

// perOp returns the metrics of so many operations.
func (s spent) perOp(ops int) result {
	n := float64(ops)
	return result{
		"rate":   n / s.wall,
		"cpu":    s.cpu / n * 1e6,
		"allocs": s.allocs / n,
		"bytes":  s.bytes / n,
	}
}

// perByte returns the metrics of so many bytes moved.
func (s spent) perByte(bytes uint64) result {
	n := float64(bytes)
	return result{
		"rate":   n * 8 / s.wall / 1e9,
		"cpu":    s.cpu / n * 1e9,
		"allocs": s.allocs / n * 1e6,
	}
}

// footprint is the memory in use, in bytes.
type footprint struct{ heap, stacks, rss float64 }

// memory collects garbage and returns what is left.
func memory() footprint {
	for range 3 { // pools are emptied over two cycles
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{heap: float64(m.HeapAlloc), stacks: float64(m.StackInuse), rss: resident()}
}

// resident returns the resident memory of the process, 0 if it is not known.
func resident() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(f[1])
	return float64(pages * os.Getpagesize())
}

// each returns the growth from f to g for each of n things.
func (f footprint) each(g footprint, n int) result {
	k := float64(n)
	return result{
		"heap":       (g.heap - f.heap) / k,
		"heapstacks": (g.heap + g.stacks - f.heap - f.stacks) / k,
		"rss":        (g.rss - f.rss) / k,
	}
}
