package lab

import (
	"runtime"
	"testing"
)

// allocated is how many bytes of the heap are in use.
func allocated() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Whoever keeps runs bounds them by their size: it must be near to what they
// really take, and what the hosts sent to each other must be gone.
func TestSize(t *testing.T) {
	for _, recipe := range []Recipe{
		{Scenario: "slow-start-and-congestion-avoidance", Seed: 1, Params: map[string]string{"size": "10M", "rate": "100M"}},
		{Scenario: "syn-flood", Seed: 1},
		{Scenario: "tcp-and-udp", Seed: 1},
	} {
		t.Run(recipe.Scenario, func(t *testing.T) {
			before := allocated()
			run, err := Play(recipe)
			if err != nil {
				t.Fatal(err)
			}
			run.Model(Window{Count: 1})
			run.Outline()
			got, want := run.Size(), allocated()-before
			t.Logf("Size() = %d, %d bytes are in use", got, want)
			if got < want*7/10 || got > want*3/2 {
				t.Errorf("Size() = %d, want about %d", got, want)
			}
			runtime.KeepAlive(run)
		})
	}
}
