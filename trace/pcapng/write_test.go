package pcapng_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/pcapng"
)

// record runs a transfer between two simulated hosts, over IPv4 or IPv6, on a
// link that loses packets.
func record(t *testing.T, v6 bool) *trace.Log {
	t.Helper()
	var log trace.Log
	n := sim.New(sim.Config{Seed: 3, OnEvent: log.Event, OnPacket: log.Packet})
	client, server := n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
	n.Connect(client, server, sim.Symmetric(sim.Settings{Delay: 10 * time.Millisecond, Loss: 0.1, Corrupt: 0.05}))
	if _, err := server.Listen(80, func(c *sim.Conn) {
		sim.Receive(c, func([]byte) {}, func(error) { c.Close() })
	}); err != nil {
		t.Fatal(err)
	}
	addr := server.Addr()
	if v6 {
		addr = server.Addr6()
	}
	c, err := client.Dial(netip.AddrPortFrom(addr, 80), tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Await(tcp.Connected, func() {
		sim.Send(c, make([]byte, 30_001), func(error) { c.Close() })
	})
	n.RunFor(10 * time.Minute)
	return &log
}

// The file holds every packet once, in the order and at the time of sending,
// with a comment that says what became of it.
func TestWrite(t *testing.T) {
	log := record(t, false)
	var file bytes.Buffer
	if err := pcapng.Write(&file, log, trace.English); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != layers.LinkTypeRaw {
		t.Errorf("link type %v, want raw IP", r.LinkType())
	}
	packets := log.Packets()
	lost := 0
	for i, p := range packets {
		data, info, options, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if !bytes.Equal(data, p.Data) {
			t.Errorf("packet %d differs from what was sent", i)
		}
		if got := tcp.Time(info.Timestamp.UnixNano()); got != p.Sent {
			t.Errorf("packet %d is at %v, want %v", i, got, p.Sent)
		}
		want := fmt.Sprintf("#%d %s > %s: %v", p.Number, p.From, p.To, p.Fate)
		if len(options.Comments) < 2 || !strings.HasPrefix(options.Comments[0], want) {
			t.Errorf("packet %d has comments %q, want %q and more", i, options.Comments, want)
		}
		if p.Fate.Lost() {
			lost++
		}
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last packet: %v, want %v", err, io.EOF)
	}
	if lost == 0 {
		t.Error("no packet was lost, so the test shows nothing about it")
	}
}

// An empty log is a file without packets, not an error.
func TestWriteNothing(t *testing.T) {
	var file bytes.Buffer
	if err := pcapng.Write(&file, new(trace.Log), trace.English); err != nil {
		t.Fatal(err)
	}
	if _, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{}); err != nil {
		t.Errorf("an empty capture cannot be read: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrPermission }

// What cannot be written is an error.
func TestWriteError(t *testing.T) {
	if err := pcapng.Write(failing{}, record(t, false), trace.English); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Write = %v, want %v", err, os.ErrPermission)
	}
}

// tshark reads the file, finds every checksum right, and the retransmissions
// it finds are among those we know of.
func TestTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tshark is not installed")
		}
		t.Skip("tshark is not installed")
	}
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			log := record(t, v6)
			name := filepath.Join(t.TempDir(), "run.pcapng")
			file, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := pcapng.Write(file, log, trace.Chinese); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			out := tshark(t, "-r", name, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
				"-T", "fields", "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "frame.comment")
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if packets := len(log.Packets()); len(lines) != packets {
				t.Errorf("tshark reads %d packets, want %d", len(lines), packets)
			}
			for i, line := range lines {
				f := strings.Split(line, "\t")
				ip, want := f[0], "1" // 1: good
				if v6 {
					want = "" // IPv6 has no header checksum
				}
				if len(f) < 3 || ip != want || f[1] != "1" || !strings.HasPrefix(f[2], "#") {
					t.Errorf("packet %d: checksums and comment %q", i+1, f)
				}
			}
			if out := tshark(t, "-r", name, "-Y", "_ws.malformed || tcp.analysis.ack_lost_segment"); out != "" {
				t.Errorf("tshark complains:\n%s", out)
			}
		})
	}
}

func tshark(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("tshark", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark %v: %v\n%s", args, err, &stderr)
	}
	return stdout.String()
}
