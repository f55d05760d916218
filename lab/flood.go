package lab

import (
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// flood are the scenarios about more connections than there is room for.
var flood = []*Scenario{
	{
		Name:  "syn-flood",
		Title: Text{"A SYN flood: the SYN queue is full, and genuine clients are turned away", "SYN 洪泛：半连接队列被占满，正常客户端连不上"},
		Why: Text{
			"A SYN makes the server remember something before it knows whether anybody is there. Forged SYNs from addresses that never answer fill that memory, each for as long as the SYN,ACK is repeated.",
			"收到 SYN，服务器在确认对方存在之前就要记住些什么。伪造的 SYN 来自不会应答的地址，把这些记忆占满，每条一直占到 SYN,ACK 重发次数用尽。",
		},
		Cite: "RFC 4987 2, 3.1",
		own:  floodKnobs,
		config: func(s *stage, _, server *engine.Config) {
			server.SynBacklog, server.SynCookies = s.number("queue"), engine.CookiesNever
		},
		play: func(s *stage) { playFlood(s, false) },
	},
	{
		Name:  "syn-flood-cookies",
		Title: Text{"The same flood with SYN cookies: genuine clients get through", "同样的洪泛，用 SYN cookie：正常客户端照常连接"},
		Why: Text{
			"When the queue is full, what has to be remembered goes into the sequence number of the SYN,ACK. Whoever really is there sends it back with the ACK. The price: a lost SYN,ACK or ACK is not repeated by the server, the segment size is rounded down to one of four, and window scale and SACK survive only inside the time stamp.",
			"队列满时，把要记住的东西编进 SYN,ACK 的序号里，真正存在的对方会用 ACK 把它送回来。代价是：SYN,ACK 或 ACK 丢失时服务器不会重发，报文段大小只能取四档之一，窗口扩大因子和 SACK 只能藏在时间戳里。",
		},
		Cite:   "RFC 4987 3.6",
		own:    floodKnobs,
		config: func(s *stage, _, server *engine.Config) { server.SynBacklog = s.number("queue") },
		play:   func(s *stage) { playFlood(s, true) },
	},
	{
		Name:  "accept-queue-full",
		Title: Text{"The program does not accept: the accept queue is full", "程序不 accept：全连接队列已满"},
		Why: Text{
			"A finished handshake has to wait somewhere until the program calls accept. When the queue is full, the last ACK is dropped: the client believes it is connected, the server does not, and repeats its SYN,ACK until there is room.",
			"握手完成的连接要排队等程序 accept。队列满时最后的 ACK 被丢弃：客户端以为已连接，服务器却不认，并不断重发 SYN,ACK，直到有空位。",
		},
		Cite: "listen(2); RFC 9293 3.10.7.4",
		own: []Param{
			{
				Name: "backlog", Kind: KindNumber, Default: "1", Min: "0", Max: "100",
				Text: Text{"backlog given to listen; one more may wait", "listen 的 backlog，可多等一个"},
			},
			{
				Name: "pause", Kind: KindDuration, Default: "2500ms", Min: "100ms", Max: "10s",
				Text: Text{"how long the program does not call accept", "程序多久不调用 accept"},
			},
		},
		play: playAcceptQueue,
	},
}

// floodKnobs are the parameters of the floods.
var floodKnobs = []Param{
	{
		Name: "syns", Kind: KindNumber, Default: "200", Min: "50", Max: "20000",
		Text: Text{"SYNs that the attacker sends, over four seconds", "攻击者在四秒内发出的 SYN 数"},
	},
	{
		Name: "queue", Kind: KindNumber, Default: "16", Min: "1", Max: "1000",
		Text: Text{"half-open connections that the server remembers", "服务器能记住的半连接数"},
	},
	{
		Name: "clients", Kind: KindNumber, Default: "5", Min: "1", Max: "50",
		Text: Text{"genuine clients that connect meanwhile", "其间正常连接的客户端数"},
	},
}

// floodTime is how long the attacker sends.
const floodTime = 4 * time.Second

func playFlood(s *stage, cookies bool) {
	s.serve(func(p *program) { p.onEnd = p.close; p.read() })
	s.attack(s.number("syns"))
	if cookies {
		s.whenever("server cookie-sent", "The SYN queue is full. From now on the server answers with cookies and remembers nothing.",
			"半连接队列满了。从现在起，服务器用 cookie 作答，什么都不记。")
	} else {
		s.whenever("server syn-queue-full", "The SYN queue is full. From now on every SYN is dropped, whoever sends it.",
			"半连接队列满了。从现在起，不管谁发来的 SYN 都丢弃。")
	}
	s.pass(500 * time.Millisecond)
	n := s.number("clients")
	every := min(100*time.Millisecond, (floodTime-time.Second)/time.Duration(n))
	var clients []*program
	for i := range n {
		s.net.After(time.Duration(i)*every, func() {
			c := s.dial(tcp.Options{})
			clients = append(clients, c)
			s.show(c.conn.Tuple())
		})
		if i == 0 {
			s.settle()
		}
	}
	s.until(floodTime-500*time.Millisecond, func() bool { return false })
	open := 0
	for _, c := range clients {
		if c.state() == tcp.StateEstablished {
			open++
		}
	}
	s.shows = s.shows[:min(len(s.shows), 1)] // one stands for all
	s.listing = true
	if cookies {
		s.expect(open == n, open, "every genuine client is connected while the flood lasts", "洪泛期间，所有正常客户端都已连接")
		s.expectRule("server", tcp.RuleCookieAccepted, n)
		s.expect(s.rules["server"][tcp.RuleCookieSent] > s.number("syns")/2, s.rules["server"][tcp.RuleCookieSent],
			"most forged SYNs got a cookie and nothing else", "大多数伪造的 SYN 只得到一个 cookie")
		return
	}
	s.expect(open == 0, open, "no genuine client is connected while the flood lasts", "洪泛期间，没有一个正常客户端能连上")
	s.expectRule("server", tcp.RuleSynQueueFull, -1)
	s.expect(s.server.Engine().Stats().HalfOpen == s.number("queue"), s.server.Engine().Stats().HalfOpen,
		"the SYN queue is full", "半连接队列是满的")
}

// attack sends forged SYNs from a host next to the server, from addresses where
// nobody is.
func (s *stage) attack(syns int) {
	attacker := s.net.AddHost("attacker", engine.Config{})
	cable := s.net.Connect(attacker, s.server, sim.Symmetric(sim.Settings{Delay: time.Millisecond}))
	nobody := netip.MustParsePrefix("10.9.0.0/16")
	if err := s.server.Engine().AddRoute(nobody, 1); err != nil {
		panic("lab: " + err.Error())
	}
	for i := range syns {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), uint16(1024+i%60000))
		syn := wire.Segment{
			Flags: wire.SYN, Seq: seqnum.Value(i * 7919), Window: 65535, Count: 1,
			Options: wire.Options{MSS: 1460, SACKPermitted: true},
		}
		s.net.After(floodTime*time.Duration(i)/time.Duration(syns), func() {
			cable.Inject(attacker, packetOf(wire.Tuple(from, s.remote()), &syn))
		})
	}
}

func playAcceptQueue(s *stage) {
	backlog := s.number("backlog")
	l, err := s.server.Engine().Listen(s.net.Now(), netip.AddrPortFrom(netip.Addr{}, webPort),
		engine.ListenOptions{Backlog: engine.NewBacklog(backlog)})
	if err != nil {
		panic("lab: " + err.Error())
	}
	s.when("server backlog-full", "The handshake is complete, but there is no room in the accept queue. The ACK is dropped.",
		"握手已完成，但全连接队列没有空位，这个 ACK 被丢弃。")
	var clients []*program
	for range backlog + 2 {
		clients = append(clients, s.dial(tcp.Options{}))
	}
	last := clients[backlog+1]
	s.show(last.conn.Tuple())
	s.pass(s.duration("pause"))
	open := 0
	for _, c := range clients {
		if c.state() == tcp.StateEstablished {
			open++
		}
	}
	s.expect(open == backlog+2, open, "every client believes that it is connected", "每个客户端都以为已经连接")
	waiting := s.server.Engine().Stats().AcceptWait
	s.expect(waiting == backlog+1, waiting, "one more connection waits than the backlog says", "等待的连接比 backlog 多一个")
	half := s.server.Engine().Stats().HalfOpen
	s.expect(half == 1, half, "the last one is still half-open at the server", "最后一个在服务器上仍是半连接")
	s.say("The program calls accept at last. The next SYN,ACK that is repeated brings the last connection in.",
		"程序终于调用 accept。下一次重发的 SYN,ACK 会让最后的连接完成。")
	accepted := 0
	for c := l.Accept(); c != nil; c = l.Accept() {
		accepted++
	}
	s.until(time.Minute, func() bool { return s.server.Engine().Stats().HalfOpen == 0 })
	for c := l.Accept(); c != nil; c = l.Accept() {
		accepted++
	}
	s.expect(accepted == backlog+2, accepted, "in the end all are accepted", "最后全部被接受")
	s.expectRule("server", tcp.RuleBacklogFull, -1)
}
