package trace

import (
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the ladder differs from %s (write it anew with -update):\n%s", path, got)
	}
}

var (
	clientAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	serverAddr = netip.MustParseAddrPort("10.0.0.2:80")
)

const (
	clientISN, serverISN = 4_000_000_000, 1_000_000_000
	clientTS, serverTS   = 3_000_000_000, 500_000_000
)

// script writes a log by hand, as two hosts and a link would.
type script struct {
	log  Log
	sent int
}

// at is a moment in milliseconds after the start of the run.
func at(ms float64) tcp.Time { return tcp.Time(time.Second) + tcp.Time(ms*1e6) }

func tupleOf(host string) wire.FourTuple {
	if host == "client" {
		return wire.Tuple(clientAddr, serverAddr)
	}
	return wire.Tuple(serverAddr, clientAddr)
}

func (s *script) event(ms float64, host string, e tcp.Event) {
	e.Time = at(ms)
	if e.Tuple == (wire.FourTuple{}) {
		e.Tuple = tupleOf(host)
	}
	s.log.Event(host, &e)
}

func (s *script) call(ms float64, host, name string, n int, err error) {
	s.event(ms, host, tcp.Event{Kind: tcp.EventCall, Call: name, N: n, Err: err})
}

func (s *script) timer(ms float64, host string, timer tcp.Timer) {
	s.event(ms, host, tcp.Event{Kind: tcp.EventTimer, Timer: timer})
}

func (s *script) rule(ms float64, host string, r tcp.Rule) {
	s.event(ms, host, tcp.Event{Kind: tcp.EventRule, Rule: r})
}

func (s *script) state(ms float64, host string, from, to tcp.State, r tcp.Rule) {
	s.rule(ms, host, r)
	s.event(ms, host, tcp.Event{Kind: tcp.EventState, From: from, To: to, Rule: r})
}

// sketch is a segment with relative numbers.
type sketch struct {
	flags    wire.Flags
	seq, ack uint32
	win      uint16
	text     string
	syn      bool // with the options of a SYN
	ts, ecr  uint32
	sack     []uint32
}

// packet builds the packet as it is on the wire.
func (k *sketch) packet(host string) []byte {
	isn, peer, ts, ecr := uint32(clientISN), uint32(serverISN), uint32(clientTS), uint32(serverTS)
	if host == "server" {
		isn, peer, ts, ecr = peer, isn, ecr, ts
	}
	s := wire.Segment{Seq: seqnum.Value(isn + k.seq), Flags: k.flags, Window: k.win, Count: 1}
	o := &s.Options
	o.HasTS, o.TSVal = true, ts+k.ts
	if k.flags.Has(wire.ACK) {
		s.Ack, o.TSEcr = seqnum.Value(peer+k.ack), ecr+k.ecr
	}
	if k.syn {
		o.MSS, o.SACKPermitted, o.HasWScale, o.WScale = 1460, true, true, 7
	}
	for i := 0; i+1 < len(k.sack); i += 2 {
		o.SACK[o.NumSACK] = wire.SACKBlock{Left: seqnum.Value(peer + k.sack[i]), Right: seqnum.Value(peer + k.sack[i+1])}
		o.NumSACK++
	}
	s.Append(block.Chunk{Data: []byte(k.text)})
	var p wire.Packet
	p.BuildTCP(tupleOf(host), &s, 0)
	p.FinishChecksum()
	return p.AppendTo(nil)
}

// send puts a segment on the link and returns it, to arrive or be lost.
func (s *script) send(ms float64, host string, k sketch) *Packet {
	s.sent++
	p := &Packet{Number: s.sent, From: host, To: "server", Sent: at(ms), Data: k.packet(host)}
	if host == "server" {
		p.To = "client"
	}
	s.log.Packet(p.Sent, p)
	return p
}

func (s *script) arrive(ms float64, p *Packet) {
	p.Fate, p.End = FateDelivered, at(ms)
	s.log.Packet(p.End, p)
}

func (s *script) lose(p *Packet, f Fate) {
	p.Fate, p.End = f, p.Sent
	s.log.Packet(p.End, p)
}

// open is a three-way handshake with a round-trip time of 20 ms.
func (s *script) open() {
	listening := wire.FourTuple{LocalPort: serverAddr.Port()}
	s.event(0, "server", tcp.Event{Kind: tcp.EventCall, Call: "listen", Tuple: listening})
	s.call(0, "client", "connect", 0, nil)
	s.state(0, "client", tcp.StateClosed, tcp.StateSynSent, tcp.RuleActiveOpen)
	syn := s.send(0, "client", sketch{flags: wire.SYN, win: 65535, syn: true})
	s.arrive(10, syn)
	s.state(10, "server", tcp.StateListen, tcp.StateSynReceived, tcp.RuleListenSyn)
	synack := s.send(10, "server", sketch{flags: wire.SYN | wire.ACK, ack: 1, win: 65535, syn: true, ecr: 0})
	s.arrive(20, synack)
	s.state(20, "client", tcp.StateSynSent, tcp.StateEstablished, tcp.RuleSynSentSynAck)
	ack := s.send(20, "client", sketch{flags: wire.ACK, seq: 1, ack: 1, win: 512, ts: 20, ecr: 0})
	s.arrive(30, ack)
	s.state(30, "server", tcp.StateSynReceived, tcp.StateEstablished, tcp.RuleHandshakeAck)
}

// lossyExchange is a request, a response of three segments of which the first
// is lost, its retransmission, and a four-way close.
func lossyExchange() *Log {
	var s script
	s.open()
	s.call(20, "client", "write", 18, nil)
	get := s.send(20.1, "client", sketch{flags: wire.PSH | wire.ACK, seq: 1, ack: 1, win: 512, text: "GET / HTTP/1.1\r\n\r\n", ts: 20, ecr: 0})
	s.arrive(30.1, get)
	s.call(30.1, "server", "read", 18, nil)
	s.call(30.1, "server", "write", 3000, nil)
	var sent []*Packet
	for i := range 3 {
		text := strings.Repeat("x", 1000)
		if i == 0 {
			text = "HTTP/1.1 200 OK\r\n" + text[17:]
		}
		k := sketch{flags: wire.ACK, seq: 1 + 1000*uint32(i), ack: 19, win: 512, text: text, ts: 30, ecr: 20}
		sent = append(sent, s.send(30.1+0.1*float64(i), "server", k))
	}
	s.lose(sent[0], FateLoss)
	s.arrive(40.2, sent[1])
	s.rule(40.2, "client", tcp.RuleOutOfOrder)
	dup := s.send(40.2, "client", sketch{flags: wire.ACK, seq: 19, ack: 1, win: 512, ts: 40, ecr: 30, sack: []uint32{1001, 2001}})
	s.arrive(40.3, sent[2])
	s.rule(40.3, "client", tcp.RuleOutOfOrder)
	dup2 := s.send(40.3, "client", sketch{flags: wire.ACK, seq: 19, ack: 1, win: 512, ts: 40, ecr: 30, sack: []uint32{1001, 3001}})
	s.arrive(50.2, dup)
	s.arrive(50.3, dup2)
	s.timer(230.1, "server", tcp.TimerRetransmit)
	s.rule(230.1, "server", tcp.RuleRetransmitTimeout)
	again := s.send(230.1, "server", sketch{flags: wire.ACK, seq: 1, ack: 19, win: 512, text: strings.Repeat("x", 1000), ts: 230, ecr: 40})
	s.arrive(240.1, again)
	s.rule(240.1, "client", tcp.RuleGapFilled)
	ack := s.send(240.1, "client", sketch{flags: wire.ACK, seq: 19, ack: 3001, win: 512, ts: 240, ecr: 230})
	s.arrive(250.1, ack)

	s.call(240.2, "client", "close", 0, nil)
	s.state(240.2, "client", tcp.StateEstablished, tcp.StateFinWait1, tcp.RuleClose)
	fin := s.send(240.2, "client", sketch{flags: wire.FIN | wire.ACK, seq: 19, ack: 3001, win: 512, ts: 240, ecr: 230})
	s.arrive(250.2, fin)
	s.state(250.2, "server", tcp.StateEstablished, tcp.StateCloseWait, tcp.RuleFin)
	ackfin := s.send(250.2, "server", sketch{flags: wire.ACK, seq: 3001, ack: 20, win: 512, ts: 250, ecr: 240})
	s.call(250.2, "server", "read", 0, io.EOF)
	s.arrive(260.2, ackfin)
	s.state(260.2, "client", tcp.StateFinWait1, tcp.StateFinWait2, tcp.RuleFinAcked)
	s.call(280, "server", "close", 0, nil)
	s.state(280, "server", tcp.StateCloseWait, tcp.StateLastAck, tcp.RuleClose)
	fin2 := s.send(280, "server", sketch{flags: wire.FIN | wire.ACK, seq: 3001, ack: 20, win: 512, ts: 280, ecr: 240})
	s.arrive(290, fin2)
	s.state(290, "client", tcp.StateFinWait2, tcp.StateTimeWait, tcp.RuleFin)
	last := s.send(290, "client", sketch{flags: wire.ACK, seq: 20, ack: 3002, win: 512, ts: 290, ecr: 280})
	s.arrive(300, last)
	s.state(300, "server", tcp.StateLastAck, tcp.StateClosed, tcp.RuleFinAcked)
	s.timer(60290, "client", tcp.TimerTimeWait)
	s.state(60290, "client", tcp.StateTimeWait, tcp.StateClosed, tcp.RuleTimeWaitExpired)
	return &s.log
}

func TestLadderGolden(t *testing.T) {
	for _, tt := range []struct {
		name  string
		style Style
	}{
		{"lossy.en.txt", Style{}},
		{"lossy.zh.txt", Style{Lang: Chinese}},
		{"lossy.abs.txt", Style{Seq: SeqAbsolute}},
		{"lossy.both.txt", Style{Seq: SeqBoth}},
		{"lossy.right.txt", Style{Left: "server"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			n, err := NewLadder(lossyExchange(), tt.style).WriteTo(&b)
			if err != nil || n != int64(b.Len()) {
				t.Errorf("WriteTo = %d, %v, want %d, nil", n, err, b.Len())
			}
			golden(t, tt.name, b.String())
		})
	}
}
