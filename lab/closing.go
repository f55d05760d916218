package lab

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// closing are the scenarios about how connections end in good order.
var closing = []*Scenario{
	{
		Name:  "close-four-way",
		Title: Text{"The four-way close", "四次挥手"},
		Why: Text{
			"The two directions end independently: each side sends a FIN when it has nothing more to say, and the other confirms it. Between the two FINs the server may still send.",
			"两个方向各自结束：每一方没有数据要发时发 FIN，对方确认。两个 FIN 之间，服务器还可以继续发送。",
		},
		Cite: "RFC 9293 3.6, Figure 12",
		play: playFourWay,
	},
	{
		Name:  "close-three-segment",
		Title: Text{"Three segments are enough when ACK and FIN go together", "ACK 与 FIN 合并，三个报文段就够"},
		Why: Text{
			"When the server's program closes at the moment when the FIN arrives, its ACK and its own FIN are one segment, and the client goes from FIN-WAIT-1 straight to TIME-WAIT.",
			"如果 FIN 到达之时服务器程序恰好关闭，ACK 和它自己的 FIN 就合成一个报文段，客户端从 FIN-WAIT-1 直接进入 TIME-WAIT。",
		},
		Cite: "RFC 9293 3.10.7.4, eighth check",
		play: playThreeSegments,
	},
	{
		Name:  "simultaneous-close",
		Title: Text{"Both ends close at once: the FINs cross", "两端同时关闭，FIN 交错"},
		Why: Text{
			"Each end gets a FIN while it waits for the ACK of its own: it is in CLOSING until that comes, and both wait for 2MSL.",
			"双方都在等自己 FIN 的确认时收到了对方的 FIN：进入 CLOSING，等到确认后都要等待 2MSL。",
		},
		Cite: "RFC 9293 3.6, Figure 13",
		play: playSimultaneousClose,
	},
	{
		Name:  "half-close",
		Title: Text{"Half-close: the server goes on after the client's FIN", "半关闭：客户端发 FIN 之后，服务器继续发送"},
		Why: Text{
			"A FIN says \"I have nothing more to send\", not \"I do not listen\". The client asks, ends its direction, and still gets the whole answer.",
			"FIN 的意思是“我没有数据要发了”，而不是“我不听了”。客户端提问后结束自己的方向，仍能收到完整的回答。",
		},
		Cite: "RFC 9293 3.6.1",
		own: []Param{{
			Name: "size", Kind: KindSize, Default: "10k", Min: "1", Max: "10M",
			Text: Text{"bytes that the server sends after the FIN", "FIN 之后服务器发送的字节数"},
		}},
		play: playHalfClose,
	},
	{
		Name:  "lost-last-ack",
		Title: Text{"The last ACK is lost: what TIME-WAIT is for", "最后的 ACK 丢失：TIME-WAIT 的用处"},
		Why: Text{
			"Nobody acknowledges the last ACK. If it is lost, the server repeats its FIN, and somebody must still be there to answer it. 2MSL begins anew with it.",
			"最后的 ACK 没有人确认。它丢了的话，服务器会重发 FIN，必须还有人在那里作答；2MSL 随之重新计时。",
		},
		Cite: "RFC 9293 3.10.7.4",
		own: []Param{{
			Name: "lost", Kind: KindNumber, Default: "1", Min: "1", Max: "4",
			Text: Text{"how many last ACKs are lost", "丢失几个最后的 ACK"},
		}},
		play: playLostLastAck,
	},
	{
		Name:  "time-wait-2msl",
		Title: Text{"How long TIME-WAIT is: 2MSL", "TIME-WAIT 有多长：2MSL"},
		Why: Text{
			"One MSL until the last ACK has surely arrived or died, one more for a FIN that answers its loss. RFC 9293 takes 2 minutes for an MSL; systems take 30 s to 60 s. Try --msl 15s, 30s, 60s or 2m.",
			"一个 MSL 让最后的 ACK 要么到达要么消亡，再一个 MSL 留给因它丢失而重发的 FIN。RFC 9293 的 MSL 是 2 分钟，实际系统多为 30 秒到 60 秒。可以试试 --msl 15s、30s、60s 或 2m。",
		},
		Cite: "RFC 9293 3.4.2, 3.6.1",
		play: playTimeWait,
	},
	{
		Name:  "time-wait-reuse",
		Title: Text{"A new connection takes the place of TIME-WAIT", "新连接取代 TIME-WAIT"},
		Why: Text{
			"TIME-WAIT keeps old segments out of a new connection. When the new SYN has a newer time stamp, old segments can be told by theirs, and there is no need to wait.",
			"TIME-WAIT 是为了不让旧报文段混进新连接。如果新的 SYN 带有更新的时间戳，旧报文段凭时间戳就能认出，不必再等。",
		},
		Cite: "RFC 6191 2",
		play: playTimeWaitReuse,
	},
	{
		Name:  "time-wait-port-exhaustion",
		Title: Text{"A busy client runs out of ports", "繁忙的客户端用尽端口"},
		Why: Text{
			"Whoever closes first waits, and each TIME-WAIT keeps a port. A client that opens and closes connections to one server faster than ports / 2MSL has none left. Let the server close first, keep connections open, or use time stamps (--set timestamps=on).",
			"先关闭的一方要等待，每个 TIME-WAIT 占一个端口。客户端对同一服务器建立并关闭连接的速度超过“端口数 / 2MSL”，端口就会用尽。对策：让服务器先关、保持长连接，或使用时间戳（--set timestamps=on）。",
		},
		Cite: "RFC 6056 3.3; RFC 6191 2",
		own: []Param{
			{
				Name: "ports", Kind: KindNumber, Default: "4", Min: "1", Max: "1000",
				Text: Text{"ephemeral ports that the client has", "客户端拥有的临时端口数"},
			},
			{
				Name: "timestamps", Kind: KindSwitch, Default: "off",
				Text: Text{"use time stamps, which let ports return at once", "使用时间戳，端口可以立刻再用"},
			},
		},
		config: func(s *stage, client, _ *engine.Config) {
			client.FirstPort, client.LastPort = 40000, uint16(40000+s.number("ports")-1)
			client.TCP.NoTimestamps = !s.on("timestamps")
		},
		play: playPortExhaustion,
	},
	{
		Name:  "address-in-use",
		Title: Text{"Address already in use: binding while TIME-WAIT lasts", "地址已被占用：TIME-WAIT 期间的 bind"},
		Why: Text{
			"A server that closed first and restarts finds its port in TIME-WAIT. Without SO_REUSEADDR bind refuses it; with it, only another listener is in the way. For a client that binds a port of its own, bind succeeds and connect fails, since only the whole 4-tuple is taken.",
			"先关闭连接的服务器重启时，端口还在 TIME-WAIT。不设 SO_REUSEADDR，bind 会拒绝；设了，就只有别的监听者才会妨碍。客户端绑定固定端口时，bind 成功而 connect 失败，因为被占用的只是整个四元组。",
		},
		Cite: "RFC 9293 3.6.1; socket(7)",
		play: playAddressInUse,
	},
}

func playFourWay(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	s.when("client FIN-WAIT-1", "First: the client has nothing more to send.", "第一次：客户端没有数据要发了。")
	s.when("server CLOSE-WAIT", "Second: the server confirms. Its program may still send.", "第二次：服务器确认。它的程序还可以继续发送。")
	s.when("server LAST-ACK", "Third: the server's program closes as well.", "第三次：服务器的程序也关闭了。")
	s.when("client TIME-WAIT", "Fourth: the client confirms, and waits in case this ACK gets lost.", "第四次：客户端确认，并留下来等待，以防这个 ACK 丢失。")
	server.onEnd = func() { s.net.After(s.duration("rtt")*2, server.close) }
	server.read()
	client.close()
	s.finish(10 * time.Minute)
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
	s.expectSegments(3 + 4)
}

func playThreeSegments(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	s.say("The server's program closes at the very moment when the FIN arrives.", "FIN 到达的那一刻，服务器的程序恰好关闭。")
	isFin := flagged(wire.FIN | wire.ACK)
	s.onArrival = func(host string, data []byte) {
		if host == "server" && isFin(packetBytes(data)) {
			s.onArrival = nil
			s.server.SetBusy(true) // the ACK has to wait for the program
			s.net.After(0, func() {
				server.close()
				s.server.SetBusy(false)
			})
		}
	}
	s.when("client TIME-WAIT", "Its ACK and its FIN are one segment. The client never was in FIN-WAIT-2.",
		"它的 ACK 和 FIN 是同一个报文段，客户端没有经过 FIN-WAIT-2。")
	client.close()
	s.finish(10 * time.Minute)
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 TIME-WAIT CLOSED")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
	s.expectSegments(3 + 3)
}

func playSimultaneousClose(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	s.when("client CLOSING", "A FIN arrives, but not the ACK of the own one: the FINs crossed.", "收到了 FIN，却没有收到自己 FIN 的确认：两个 FIN 交错了。")
	client.close()
	server.close()
	s.finish(10 * time.Minute)
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT CLOSED")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT CLOSED")
	s.expectSegments(3 + 4)
}

func playHalfClose(s *stage) {
	const question = "all of it, please\r\n"
	size := s.number("size")
	client, server := s.open(tcp.Options{})
	s.when("client FIN-WAIT-2", "The client's direction is closed; it listens.", "客户端的发送方向已关闭，它继续接收。")
	s.when("server LAST-ACK", "The server has said all and closes its direction, too.", "服务器说完了，也关闭自己的方向。")
	server.onEnd = func() {
		s.net.After(s.duration("rtt")/2, func() { server.write(size, server.close) })
	}
	server.read()
	client.onEnd = client.close
	client.read()
	client.send([]byte(question), client.shut)
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", len(question))
	s.expectBytes(client, "client", size)
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED")
}

func playLostLastAck(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = func() { s.net.After(s.duration("rtt")*2, server.close) }
	server.read()
	client.close()
	s.until(time.Minute, func() bool { return client.state() == tcp.StateFinWait2 })
	lost := s.number("lost")
	s.lose("client", lost, flagged(wire.ACK))
	s.when("client time-wait-fin", "The FIN again: the last ACK did not arrive. TIME-WAIT repeats it, and begins its 2MSL anew.",
		"FIN 又来了：最后的 ACK 没有送到。TIME-WAIT 再发一次，2MSL 重新计时。")
	s.until(time.Minute, func() bool { return server.state() == tcp.StateClosed })
	done := s.net.Now()
	s.finish(10 * time.Minute)
	wait := 2 * s.duration("msl")
	s.expectRule("client", tcp.RuleTimeWaitFin, lost)
	s.expectTime(s.net.Now().Sub(done), wait-max(s.duration("rtt"), time.Millisecond), wait, "from the last FIN to the end of TIME-WAIT", "从最后的 FIN 到 TIME-WAIT 结束")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
}

func playTimeWait(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = server.close
	server.read()
	client.close()
	s.until(time.Minute, func() bool { return client.state() == tcp.StateTimeWait })
	begin := s.net.Now()
	s.say("From here on nothing happens, and that is the point.", "从这里起什么都不发生，而这正是目的。")
	s.finish(10 * time.Minute)
	wait := 2 * s.duration("msl")
	s.expectTime(s.net.Now().Sub(begin), wait, wait, "TIME-WAIT", "TIME-WAIT ")
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED")
}

func playTimeWaitReuse(s *stage) {
	local, remote := s.address("client", 1000), s.remote()
	var servers []*program
	s.serve(func(p *program) { servers = append(servers, p) })
	first := s.connect("client", local, remote)
	first.onEnd = first.close
	first.read()
	s.until(s.rtts(4), func() bool { return len(servers) == 1 })
	s.pass(s.rtts(1))
	if len(servers) == 1 {
		servers[0].close() // the server closes first, so it is the one that waits
	}
	s.until(time.Minute, func() bool { return first.state() == tcp.StateClosed })
	s.pass(time.Second)
	s.say("The client comes again, from the same port, while the server is still in TIME-WAIT.",
		"客户端从同一端口再次连接，而服务器还在 TIME-WAIT。")
	s.when("server time-wait-reuse", "The time stamp is newer: nothing old can be taken for new. TIME-WAIT makes way.",
		"时间戳更新：旧的不会被当成新的。TIME-WAIT 让路。")
	second := s.connect("client", local, remote)
	s.until(time.Minute, func() bool { return len(servers) == 2 })
	s.expectState(second, "client", tcp.StateEstablished)
	s.expectRule("server", tcp.RuleTimeWaitReuse, 1)
	s.expect(len(servers) == 2, len(servers), "a second connection is accepted", "接受了第二个连接")
}

func playPortExhaustion(s *stage) {
	ports := s.number("ports")
	s.serve(func(p *program) { p.onEnd = p.close; p.read() })
	visit := func() *program {
		c := s.dial(tcp.Options{})
		s.until(s.rtts(4), func() bool { return c.conn == nil || c.state() == tcp.StateEstablished })
		c.close()
		s.until(s.rtts(4), func() bool { return c.state() == tcp.StateTimeWait || c.state() == tcp.StateClosed })
		s.pass(min(50*time.Millisecond, s.duration("msl")/time.Duration(2*ports)))
		return c
	}
	opened := 0
	for range ports {
		if visit().err == nil {
			opened++
		}
	}
	s.expect(opened == ports, opened, "as many connections as there are ports can be opened", "有几个端口就能打开几个连接")
	if s.on("timestamps") {
		s.say("Every port is in TIME-WAIT now, but with time stamps one can be used again.", "所有端口都在 TIME-WAIT，但有了时间戳，端口可以再用。")
	} else {
		s.say("Every port is in TIME-WAIT now. One more connection to the same server fails: cannot assign requested address.",
			"所有端口都在 TIME-WAIT。再向同一服务器建立连接就会失败：无法分配请求的地址。")
	}
	next := visit()
	if s.on("timestamps") {
		s.expect(next.err == nil, next.err, "with time stamps a port can be used again", "有时间戳，端口可以再用")
		return
	}
	s.expectError(next, syscall.EADDRNOTAVAIL, "one more connection fails", "再建一个连接会失败")
	s.say("After 2MSL the ports are free again.", "2MSL 之后端口又空出来了。")
	s.finish(10 * time.Minute)
	after := visit()
	s.expect(after.err == nil, after.err, "after 2MSL it works again", "2MSL 之后又可以了")
}

func playAddressInUse(s *stage) {
	local, remote := s.address("client", 1000), s.remote()
	var server *program
	l := s.serve(func(p *program) { server = p })
	client := s.connect("client", local, remote)
	client.onEnd = client.close
	client.read()
	s.until(s.rtts(4), func() bool { return server != nil })
	if server == nil {
		s.expect(false, "no connection", "a connection is accepted", "接受一个连接")
		return
	}
	s.say("The server stops: it closes its listener and, first of the two, the connection.",
		"服务器停止：关闭监听，并先于对方关闭连接。")
	l.Close()
	server.close()
	s.until(time.Minute, func() bool { return server.state() == tcp.StateTimeWait })
	s.pass(s.rtts(2))
	bind := func(opt engine.ListenOptions) error {
		l, err := s.tryListen(opt)
		if err == nil {
			l.Close()
		}
		return err
	}
	s.say("It starts again while TIME-WAIT lasts. bind without SO_REUSEADDR fails: address already in use. With it, it works.",
		"它在 TIME-WAIT 期间重新启动。不设 SO_REUSEADDR，bind 失败：地址已被占用；设了就成功。")
	err := bind(engine.ListenOptions{Exclusive: true})
	s.expect(err == syscall.EADDRINUSE, err, "bind without SO_REUSEADDR: address already in use", "不设 SO_REUSEADDR 的 bind：地址已被占用")
	err = bind(engine.ListenOptions{})
	s.expect(err == nil, err, "bind with SO_REUSEADDR succeeds", "设了 SO_REUSEADDR 的 bind 成功")
	again, err := s.server.DialFrom(remote, local, tcp.Options{})
	s.say("As a client from that port, the server cannot connect to the same peer and port: the 4-tuple is taken.",
		"作为客户端从该端口连接同一对端则不行：这个四元组已被占用。")
	s.expect(again == nil && err == syscall.EADDRNOTAVAIL, err, "connect with the same 4-tuple: cannot assign requested address", "以同一四元组 connect：无法分配请求的地址")
	s.finish(10 * time.Minute)
	err = bind(engine.ListenOptions{Exclusive: true})
	s.expect(err == nil, err, "after 2MSL bind succeeds either way", "2MSL 之后，怎样 bind 都成功")
}
