package main

import (
	"os"
	"testing"
	"time"
)

// lwIP's host does every workload that has a variant of it, and tells every figure
// of its row that does not count what only Go has.
func TestLwIP(t *testing.T) {
	program, err := buildLwIP(t.TempDir())
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	onlyGo := map[string]bool{"allocs": true, "bytes": true, "heapstacks": true}
	for _, w := range all() {
		if w.lwip == (lwipTask{}) {
			continue
		}
		if w.needRoot {
			continue // a process in a namespace of its own, which a test is not
		}
		t.Run(w.name, func(t *testing.T) {
			w.lwip.count = min(w.lwip.count, 100)
			r, err := w.lwip.run(settings{Time: 50 * time.Millisecond, Variant: "lwip", Executor: self, LwIP: program}, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range w.metrics {
				if !onlyGo[m.name] && !(r[m.name] > 0) {
					t.Errorf("%s is %v", m.unit, r[m.name])
				}
			}
		})
	}
}
