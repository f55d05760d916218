package lab

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// strangers are the scenarios about segments that nobody meant: old ones, wrong
// ones, and those for hosts that have forgotten.
var strangers = []*Scenario{
	{
		Name:  "old-duplicate-syn",
		Title: Text{"An old duplicate SYN: why three segments and not two", "旧的重复 SYN：为什么是三次而不是两次"},
		Why: Text{
			"A SYN that the network kept for long looks like a new one. The server cannot tell; the client can, when it sees which number is acknowledged, and says no with a RST. Without the third segment the server would have opened a connection that nobody wants.",
			"被网络耽搁很久的 SYN 看上去和新的一样。服务器分辨不出；客户端看到被确认的序号就知道不对，用 RST 拒绝。如果没有第三个报文段，服务器就会打开一个没人要的连接。",
		},
		Cite: "RFC 9293 3.5, Figure 8",
		play: playOldDuplicateSyn,
	},
	{
		Name:  "two-way-handshake",
		Title: Text{"What two segments would do: a connection that nobody wants, and a deadlock", "假如只有两次握手：没人要的连接，以及死锁"},
		Why: Text{
			"This server is counterfactual: it takes its own SYN,ACK as heard. An old SYN then opens a connection that nobody wants; and when the SYN,ACK is lost, the server speaks into a connection that the client does not have, and both wait. The third segment prevents both.",
			"这个服务器是反事实的：它把自己的 SYN,ACK 当作对方已收到。于是旧 SYN 会打开没人要的连接；而 SYN,ACK 一旦丢失，服务器就在客户端并不存在的连接上说话，双方互等。第三个报文段防止了这两种情况。",
		},
		Cite: "RFC 9293 3.5",
		own: []Param{{
			Name: "third", Kind: KindSwitch, Default: "off",
			Text: Text{"keep the third segment, as real hosts do", "保留第三个报文段，如同真实主机"},
		}},
		play: playTwoWay,
	},
	{
		Name:  "half-open-recovery",
		Title: Text{"The client crashes and comes back: the half-open connection is found out", "客户端崩溃后重来：半开连接被发现"},
		Why: Text{
			"The server still has the old connection and answers the new SYN with a challenge ACK. The rebooted client, which knows nothing of it, answers that with a RST, exactly at the number the server expects: the server believes it, and the SYN that is sent again opens a new connection.",
			"服务器还留着旧连接，对新的 SYN 回一个挑战 ACK。重启后的客户端对此一无所知，回 RST，序号正是服务器期待的：服务器相信了，随后重发的 SYN 打开新连接。",
		},
		Cite: "RFC 9293 3.5.1; RFC 5961 4.2",
		config: func(_ *stage, client, server *engine.Config) {
			// The rebooted client's time stamps begin anew; where they happen to
			// be older, PAWS would give the same answer for another reason.
			client.TCP.NoTimestamps, server.TCP.NoTimestamps = true, true
		},
		play: playHalfOpenRecovery,
	},
	{
		Name:  "refused",
		Title: Text{"Nobody listens: connection refused", "没有人监听：连接被拒绝"},
		Why: Text{
			"A host that has no such port says so with a RST, so that the caller knows at once and need not wait for a time-out.",
			"没有这个端口的主机用 RST 说明，让对方立刻知道，而不必等到超时。",
		},
		Cite: "RFC 9293 3.10.7.1",
		play: playRefused,
	},
	{
		Name:  "unreachable",
		Title: Text{"A router says that the host cannot be reached", "路由器报告主机不可达"},
		Why: Text{
			"ICMP tells the reason, not TCP. While a connection is opening, the attempt ends with it; once a connection is open, it is only remembered, since routes come back and messages can be forged.",
			"原因由 ICMP 而不是 TCP 告知。正在打开的连接会因此失败；已打开的连接只是记下它，因为路由可能恢复，消息也可能是伪造的。",
		},
		Cite: "RFC 9293 3.9.2.2; RFC 5461 4.1; RFC 5927 4.1",
		play: playUnreachable,
	},
	{
		Name:  "connect-timeout",
		Title: Text{"Nobody answers: the SYN is repeated until the client gives up", "没有回应：SYN 反复重发，直到客户端放弃"},
		Why: Text{
			"Silence may mean anything, so the client tries again, twice as late each time, and gives up after six retries: 1+2+4+8+16+32+64 = 127 s.",
			"沉默可能意味着任何情况，所以客户端不断重试，间隔每次加倍，六次之后放弃：1+2+4+8+16+32+64 = 127 秒。",
		},
		Cite: "RFC 9293 3.8.3; RFC 6298 5.5",
		own: []Param{{
			Name: "retries", Kind: KindNumber, Default: "6", Min: "1", Max: "10",
			Text: Text{"how often the SYN is sent again", "SYN 重发几次"},
		}},
		play: playConnectTimeout,
	},
	{
		Name:  "rst-in-window-and-out",
		Title: Text{"Forged RSTs: outside the window, inside, and exact", "伪造的 RST：窗口之外、窗口之内、恰好命中"},
		Why: Text{
			"Whoever does not see the connection has to guess the number. A RST outside the window is ignored; one inside may be a lucky guess, so a challenge ACK asks the real peer, which stays silent if it did not mean it; only the exact number is believed.",
			"看不到连接的人只能猜序号。窗口之外的 RST 被忽略；窗口之内的可能是碰巧猜中，于是用挑战 ACK 询问真正的对方，若不是它发的，它不会再发 RST；只有恰好命中的才被相信。",
		},
		Cite: "RFC 5961 3.2",
		play: playResets,
	},
}

func playOldDuplicateSyn(s *stage) {
	local, remote := s.address("client", 1000), s.remote()
	accepted := 0
	s.serve(func(*program) { accepted++ })
	s.lose("client", 1, nil) // the real SYN is late: its second copy arrives
	s.when("server SYN-RECEIVED", "An old SYN arrives. The server cannot know that it is old, and answers.",
		"一个旧的 SYN 到了。服务器无从知道它是旧的，于是作答。")
	s.when("client syn-sent-bad-ack", "The client never sent what is acknowledged here. It says no.",
		"这里确认的东西客户端从未发过，它拒绝。")
	c := s.connect("client", local, remote)
	s.settle()
	s.inject("client", wire.Tuple(local, remote), &wire.Segment{Flags: wire.SYN, Seq: 12345, Window: 1000, Count: 1})
	s.pass(s.rtts(3))
	s.expect(s.server.Engine().Stats().HalfOpen == 0, s.server.Engine().Stats().HalfOpen,
		"after the RST the server keeps nothing of the old SYN", "RST 之后服务器不再保留旧 SYN 的任何东西")
	s.until(s.rtts(8)+s.duration("rtt")+2e9, func() bool { return accepted == 1 })
	s.expectState(c, "client", tcp.StateEstablished)
	s.expect(accepted == 1, accepted, "exactly one connection is accepted", "恰好接受一个连接")
	s.expectPath("server", "SYN-RECEIVED LISTEN SYN-RECEIVED ESTABLISHED")
}

func playTwoWay(s *stage) {
	third := s.on("third")
	const greeting = "220 ready\r\n"
	var accepted []*program
	s.serve(func(p *program) {
		accepted = append(accepted, p)
		p.send([]byte(greeting), nil)
	})
	if !third {
		s.imply()
		s.lose("client", -1, flagged(wire.RST)) // nobody says no
		s.lose("client", -1, flagged(wire.RST|wire.ACK))
	}
	stale := wire.Tuple(s.address("client", 1000), s.remote())
	s.say("A SYN that the network kept since an earlier life of the client arrives.",
		"网络里残留的、客户端上一次连接的 SYN 到达了。")
	s.inject("client", stale, &wire.Segment{Flags: wire.SYN, Seq: 12345, Window: 1000, Count: 1, Options: wire.Options{MSS: 1460}})
	s.pass(s.rtts(3))
	if !third {
		s.say("With two segments the server believes in a connection that nobody wants, and keeps it.",
			"只有两次握手，服务器就相信了一个没人要的连接，并一直保留它。")
	}
	stales := len(accepted)
	s.lose("server", 1, flagged(wire.SYN|wire.ACK))
	c := s.dial(tcp.Options{})
	s.show(stale, c.conn.Tuple())
	s.pass(s.duration("rtt"))
	if !third {
		s.say("The server's answer is lost, but the server speaks already. The client, which waits for an answer, takes none of it: both wait.",
			"服务器的回答丢了，但它已经开始说话。客户端还在等回答，一概不收：双方互等。")
	}
	c.read()
	s.pass(s.rtts(2) + 5e9)
	if third {
		s.expect(stales == 0, stales, "no stale connection is accepted", "没有接受陈旧的连接")
		s.expectState(c, "client", tcp.StateEstablished)
		s.expectBytes(c, "client", len(greeting))
		return
	}
	s.expect(stales == 1, stales, "the server has a connection that nobody asked for", "服务器有了一个没人请求的连接")
	s.expect(len(accepted) == 2, len(accepted), "the server thinks that the second one is open", "服务器以为第二个连接已打开")
	s.expectState(c, "client", tcp.StateSynSent)
	s.expectBytes(c, "client", 0)
}

// imply makes the server take its SYN,ACK as heard: an ACK for each comes from
// nowhere, by a cable that the log does not show.
func (s *stage) imply() {
	ghost := s.net.AddHost("ghost", engine.Config{})
	s.hidden["ghost"] = true
	cable := s.cable(ghost, s.server)
	s.onSent = func(from string, tuple wire.FourTuple, seg *wire.Segment) {
		if from != "server" || !seg.Flags.Has(wire.SYN|wire.ACK) {
			return
		}
		ack := wire.Segment{Flags: wire.ACK, Seq: seg.Ack, Ack: seg.Seq.Add(1), Window: 1000, Count: 1}
		if seg.Options.HasTS {
			ack.Options = wire.Options{HasTS: true, TSVal: seg.Options.TSEcr, TSEcr: seg.Options.TSVal}
		}
		s.net.After(0, func() { cable.Inject(ghost, packetOf(tuple.Reverse(), &ack)) })
	}
}

func playHalfOpenRecovery(s *stage) {
	local, remote := s.address("client", 1000), s.remote()
	var servers []*program
	s.serve(func(p *program) { servers = append(servers, p); p.read() })
	first := s.connect("client", local, remote)
	s.until(s.rtts(3), func() bool { return len(servers) == 1 })
	first.write(20, nil)
	s.pass(s.rtts(2) + 5e7)
	s.say("The client's host crashes and comes back with an empty memory. The server is not told.",
		"客户端主机崩溃后重启，内存一片空白。服务器并不知道。")
	s.client.Reboot()
	s.pass(1e9)
	s.when("server challenge-ack-syn", "A SYN on an open connection: forged, or the peer really started anew. The server asks.",
		"已打开的连接上来了 SYN：是伪造的，还是对方真的重启了？服务器询问。")
	s.when("server reset-exact", "The client knows of no such connection, and says so with exactly the number that the server expects. The half-open connection ends.",
		"客户端不知道有这个连接，回的 RST 恰好是服务器期待的序号。半开连接到此结束。")
	second := s.connect("client", local, remote)
	s.until(s.rtts(4)+3e9, func() bool { return len(servers) == 2 })
	s.expectState(second, "client", tcp.StateEstablished)
	s.expectRule("server", tcp.RuleChallengeSyn, 1)
	s.expectRule("server", tcp.RuleResetExact, 1)
	s.expect(len(servers) == 2, len(servers), "a second connection is accepted", "接受了第二个连接")
	if len(servers) > 0 {
		s.expectError(servers[0], syscall.ECONNRESET, "the server's first connection fails", "服务器的第一个连接失败")
	}
}

func playRefused(s *stage) {
	s.when("client syn-sent-reset", "The RST acknowledges the SYN, so it is genuine: the call fails at once.",
		"RST 确认了 SYN，所以可信：调用立刻失败。")
	c := s.dial(tcp.Options{})
	took := s.waitFailure(c, s.rtts(4))
	s.expectError(c, syscall.ECONNREFUSED, "connect fails", "connect 失败")
	s.expectTime(took, s.duration("rtt"), s.rtts(1), "the refusal", "被拒绝")
	s.expectSegments(2)
}

// waitFailure waits, for at most d, until the connection failed, and returns
// how long it took.
func (s *stage) waitFailure(p *program, d time.Duration) time.Duration {
	begin := s.net.Now()
	s.until(d, func() bool { return p.failure() != nil })
	return s.net.Now().Sub(begin)
}

func playUnreachable(s *stage) {
	s.say("Beyond the router there is no way to the server. The router says so by ICMP.",
		"路由器之后没有通往服务器的路，它用 ICMP 告知。")
	s.lose("client", -1, nil)
	s.noRoute = true
	s.onLost = func(data []byte) { s.icmp(middleAddr, 3, 1, 0, data) }
	c := s.dial(tcp.Options{})
	took := s.waitFailure(c, 10e9)
	s.expectError(c, syscall.EHOSTUNREACH, "connect fails", "connect 失败")
	s.expectTime(took, 0, s.rtts(1), "to learn of it", "得知此事")
	s.expectRule("client", tcp.RuleICMPSoft, 1)
}

func playConnectTimeout(s *stage) {
	n := s.number("retries")
	s.say("The server's cable is out, so nothing comes back, not even a refusal.", "服务器的网线断了，什么都不会回来，连拒绝都没有。")
	s.link.Unplug()
	c := s.dial(tcp.Options{SynRetries: n})
	var want time.Duration
	rto := time.Duration(1e9)
	for range n + 1 {
		want += min(rto, 120e9)
		rto *= 2
	}
	took := s.waitFailure(c, 2*want)
	s.expectError(c, syscall.ETIMEDOUT, "connect fails", "connect 失败")
	s.expectTime(took, want, want, "to give up", "放弃")
	s.expectSegments(n + 1)
}

func playResets(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.read()
	s.pass(s.rtts(1))
	h := s.ears.last["client"]
	if h == nil {
		s.expect(false, "no connection", "a connection is opened", "打开一个连接")
		return
	}
	forge := func(offset seqnum.Size) {
		s.inject("client", h.tuple, &wire.Segment{Flags: wire.RST, Seq: h.next.Add(offset), Count: 1})
		s.pass(s.rtts(2))
	}
	s.say("A forged RST, far outside the window: the server ignores it.", "伪造的 RST，远在窗口之外：服务器忽略。")
	forge(1 << 30)
	s.expectRule("server", tcp.RuleResetOutside, 1)
	s.say("One inside the window, by a lucky guess: the server asks the real client with a challenge ACK.",
		"碰巧猜进窗口之内：服务器用挑战 ACK 询问真正的客户端。")
	forge(1000)
	s.expectRule("server", tcp.RuleChallengeReset, 1)
	s.expectState(server, "server", tcp.StateEstablished)
	s.say("And one that has exactly the next number, as somebody on the path could send: it is believed.",
		"序号恰好是下一个，路径上的人能做到：服务器相信了。")
	forge(0)
	s.expectRule("server", tcp.RuleResetExact, 1)
	s.expectState(server, "server", tcp.StateClosed)
	s.expectState(client, "client", tcp.StateEstablished)
}
