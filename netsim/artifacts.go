package netsim

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/pcapng"
)

// TB is what a Network needs of a *testing.T or *testing.B.
type TB interface {
	Cleanup(func())
	Failed() bool
	ArtifactDir() string
	Logf(format string, args ...any)
}

// recorder remembers the last packets and events, in two logs: when the newer
// one is full, the older one is forgotten.
type recorder struct {
	older, newer trace.Log
	bytes        int // of packets in newer
}

// The bounds of one log: packets take space, events are many.
const (
	maxRecordBytes   = 16 << 20
	maxRecordEntries = 200_000
)

func (r *recorder) packet(now tcp.Time, p *trace.Packet) {
	if p.Fate == trace.FateInFlight {
		r.bytes += len(p.Data)
	}
	r.newer.Packet(now, p)
	r.turn()
}

func (r *recorder) event(host string, e *tcp.Event) {
	r.newer.Event(host, e)
	r.turn()
}

func (r *recorder) turn() {
	if r.bytes > maxRecordBytes || len(r.newer.Entries) > maxRecordEntries {
		r.older, r.newer, r.bytes = r.newer, trace.Log{}, 0
	}
}

// log returns all that is remembered.
func (r *recorder) log() *trace.Log {
	return &trace.Log{Entries: append(r.older.Entries[:len(r.older.Entries):len(r.older.Entries)], r.newer.Entries...)}
}

// save writes the packets and the seed where the test keeps its artifacts, if
// it has failed.
func (n *Network) save() {
	t := n.cfg.TB
	if !t.Failed() {
		return
	}
	dir := t.ArtifactDir()
	n.hooks.Lock()
	log := n.recorder.log()
	n.hooks.Unlock()
	if err := SaveArtifacts(dir, n.cfg.Seed, log); err != nil {
		t.Logf("netsim: seed %d; the packets could not be written: %v", n.cfg.Seed, err)
		return
	}
	t.Logf("netsim: seed %d; packets in %s (kept with go test -artifacts)", n.cfg.Seed, filepath.Join(dir, "wire.pcapng"))
}

// SaveArtifacts writes the packets of the log to wire.pcapng, and the seed to
// seed.txt, in the directory: what a test has to leave behind when it fails.
// Network does it by itself when it knows the test (Config.TB); tests with
// package sim, which has no files, call it with t.ArtifactDir().
func SaveArtifacts(dir string, seed uint64, log *trace.Log) error {
	err := os.WriteFile(filepath.Join(dir, "seed.txt"), fmt.Appendln(nil, seed), 0o644)
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "wire.pcapng"))
	if err != nil {
		return err
	}
	err = pcapng.Write(file, log, trace.English)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
