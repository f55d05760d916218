package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
)

// datagrams are the scenarios about UDP.
var datagrams = []*Scenario{{
	Name:  "tcp-and-udp",
	Title: Text{"The same messages over TCP, over UDP, and over UDP with acknowledgements", "同样的消息：经 TCP、经 UDP、经带确认的 UDP"},
	Why: Text{
		"UDP delivers each datagram at once, or late, or never, and keeps it apart from the next; it can speak to many at a time. TCP delivers a stream of bytes, whole and in order, and makes what is behind a loss wait for it. A program that adds numbers, acknowledgements and timers to UDP builds the part of TCP that it needs.",
		"UDP 的数据报各自独立，或立即、或迟到、或永远不到，并且可以同时发给多方。TCP 交付的是完整有序的字节流，丢失之后的数据要等它补上。程序若给 UDP 加上编号、确认和定时器，就是在造自己所需的那部分 TCP。",
	},
	Cite:     "RFC 768; RFC 9293 2.2; RFC 8085",
	defaults: map[string]string{"loss": "5%"},
	own: []Param{
		{
			Name: "messages", Kind: KindNumber, Default: "100", Min: "1", Max: "1000",
			Text: Text{"how many messages are sent", "消息条数"},
		},
		{
			Name: "reorder", Kind: KindProbability, Default: "10%",
			Text: Text{"probability that a packet is overtaken", "报文被后发者赶超的概率"},
		},
	},
	play: playDatagrams,
}}

// Messages are of a fixed size, with their number first, and leave one by one.
const (
	messageSize  = 100
	messageEvery = 5 * time.Millisecond
	echoPort     = 9000
)

// tally is what a receiver of messages notes.
type tally struct {
	stage      *stage
	sent       []tcp.Time
	arrived    int
	seen       []bool
	highest    int
	disordered int
	doubled    int
	latest     time.Duration // the longest time from writing to reading
}

func newTally(s *stage, n int) *tally {
	return &tally{stage: s, sent: make([]tcp.Time, n), seen: make([]bool, n), highest: -1}
}

// send calls f with each message at its time.
func (t *tally) send(f func(i int, message []byte)) {
	for i := range t.sent {
		t.stage.net.After(time.Duration(i)*messageEvery, func() {
			t.sent[i] = t.stage.net.Now()
			f(i, message(i))
		})
	}
}

// message is the i-th message.
func message(i int) []byte {
	m := make([]byte, messageSize)
	binary.BigEndian.PutUint32(m, uint32(i))
	return m
}

// take notes a message that was read.
func (t *tally) take(m []byte) {
	i := int(binary.BigEndian.Uint32(m))
	switch {
	case i >= len(t.seen):
		return
	case t.seen[i]:
		t.doubled++
		return
	}
	t.seen[i] = true
	t.arrived++
	if i < t.highest {
		t.disordered++
	}
	t.highest = max(t.highest, i)
	t.latest = max(t.latest, t.stage.net.Now().Sub(t.sent[i]))
}

// tell says what came of the messages.
func (t *tally) tell(en, zh string) {
	latest := t.latest.Round(100 * time.Microsecond)
	t.stage.say(
		fmt.Sprintf("%s: %d of %d messages arrive, %d of them after a later one, %d twice; the slowest takes %v.",
			en, t.arrived, len(t.seen), t.disordered, t.doubled, latest),
		fmt.Sprintf("%s：%d / %d 条消息送达，其中 %d 条晚于后发的，%d 条收到两次；最慢的用了 %v。",
			zh, t.arrived, len(t.seen), t.disordered, t.doubled, latest))
}

func playDatagrams(s *stage) {
	set := s.settings()
	set.Reorder, set.ReorderDelay = s.values["reorder"].p, 2*messageEvery
	s.link.Set(set, set)
	n := s.number("messages")
	long := time.Duration(n)*messageEvery + s.rtts(10)

	stream := s.overTCP(n, long)
	stream.tell("TCP", "TCP")
	s.expect(stream.arrived == n && stream.disordered == 0 && stream.doubled == 0, stream.arrived,
		"over TCP every message arrives once and in order", "经 TCP，每条消息按序送达一次")

	bare := s.overUDP(n, false, long)
	bare.tell("UDP", "UDP")
	if set.Loss > 0 && n >= 100 {
		s.expect(bare.arrived < n, bare.arrived, "over UDP some messages are lost", "经 UDP，有消息丢失")
	}
	if set.Reorder > 0 && n >= 100 {
		s.expect(bare.disordered > 0, bare.disordered, "over UDP some messages come out of order", "经 UDP，有消息乱序")
	}

	own := s.overUDP(n, true, 2*long+5*time.Second)
	own.tell("UDP with acknowledgements of the program's own", "程序自带确认的 UDP")
	s.expect(own.arrived == n, own.arrived, "with its own acknowledgements every message arrives", "自带确认时，每条消息都送达")

	heard := s.toGroup()
	s.expect(heard == 3, heard, "one datagram to a group reaches all three members", "一个发往组播组的数据报，三个成员都收到")
}

// overTCP sends n messages over one connection.
func (s *stage) overTCP(n int, d time.Duration) *tally {
	t := newTally(s, n)
	var pending []byte
	s.serve(func(p *program) {
		p.onBytes = func(b []byte) {
			pending = append(pending, b...)
			for len(pending) >= messageSize {
				t.take(pending)
				pending = pending[messageSize:]
			}
		}
		p.onEnd = p.close
		p.read()
	})
	c := s.dial(tcp.Options{NoDelay: true})
	s.until(time.Minute, func() bool { return c.state() == tcp.StateEstablished })
	t.send(func(_ int, m []byte) { c.send(m, nil) })
	s.until(d+time.Minute, func() bool { return t.arrived == n })
	c.close()
	s.until(time.Minute, func() bool { return c.state() == tcp.StateTimeWait })
	return t
}

// overUDP sends n messages in datagrams. With acks, the receiver answers each
// with its number, and the sender repeats what is not answered within two round
// trips.
func (s *stage) overUDP(n int, acks bool, d time.Duration) *tally {
	t := newTally(s, n)
	acked := make([]bool, n)
	var in, out *sim.UDPSocket
	at := netip.AddrPortFrom(s.server.Addr(), echoPort)
	in = s.udp(s.server.ListenUDP(at, engine.UDPOptions{}, func(m sim.Message) {
		if m.Err != nil || len(m.Data) != messageSize {
			return
		}
		t.take(m.Data)
		if acks {
			_ = in.Send(m.Data[:4], m.From) // after a crash there is nobody to send
		}
	}))
	out = s.udp(s.client.DialUDP(at, engine.UDPOptions{}, func(m sim.Message) {
		if m.Err == nil && len(m.Data) == 4 {
			acked[binary.BigEndian.Uint32(m.Data)] = true
		}
	}))
	wait := 2*s.duration("rtt") + 2*messageEvery
	var again func(i int, m []byte)
	again = func(i int, m []byte) {
		if acked[i] {
			return
		}
		_ = out.Send(m, netip.AddrPort{}) // as above
		if acks {
			s.net.After(wait, func() { again(i, m) })
		}
	}
	t.send(again)
	s.pass(d)
	in.Close()
	out.Close()
	return t
}

// toGroup sends one datagram to a group with three members behind a switch, and
// returns how many heard it.
func (s *stage) toGroup() int {
	group := netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 1, 2, 3}), echoPort)
	hub := s.net.AddSwitch("switch")
	speaker := s.net.AddHost("speaker", engine.Config{})
	cable := sim.Symmetric(sim.Settings{Delay: time.Millisecond})
	s.net.Connect(speaker, hub, cable)
	heard := 0
	for i := range 3 {
		h := s.net.AddHost(fmt.Sprintf("member%d", i+1), engine.Config{})
		s.net.Connect(h, hub, cable)
		any9000 := netip.AddrPortFrom(netip.IPv4Unspecified(), echoPort)
		member := s.udp(h.ListenUDP(any9000, engine.UDPOptions{}, func(m sim.Message) {
			if m.Err == nil {
				heard++
			}
		}))
		s.try(member.Join(group.Addr()))
	}
	s.pass(time.Second)
	s.say("One datagram to the group 239.1.2.3: the network makes the copies. TCP cannot do that, for a connection has two ends.",
		"向组播组 239.1.2.3 发一个数据报，由网络复制。TCP 做不到，因为一个连接只有两端。")
	from := s.udp(speaker.ListenUDP(netip.AddrPort{}, engine.UDPOptions{}, nil))
	s.try(from.Send(message(0), group))
	s.pass(time.Second)
	return heard
}

// udp is a socket that was opened; that it cannot be is a scenario's mistake.
func (s *stage) udp(u *sim.UDPSocket, err error) *sim.UDPSocket {
	s.try(err)
	return u
}

func (s *stage) try(err error) {
	if err != nil {
		panic("lab: " + s.scenario.Name + ": " + err.Error())
	}
}
