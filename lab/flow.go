package lab

import (
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// flow are the scenarios about how much is sent at a time.
var flow = []*Scenario{
	{
		Name:  "zero-window",
		Title: Text{"The receiver has no room: zero window and probes", "接收方没有空间：零窗口与探测"},
		Why: Text{
			"A program that does not read fills its buffer, and the window closes. The sender probes, because the segment that opens it again may get lost, and nobody repeats a bare ACK.",
			"程序不读，缓冲区就满，窗口随之关闭。发送方要不断探测，因为重新打开窗口的那个报文段可能丢失，而纯 ACK 没有人重传。",
		},
		Cite: "RFC 9293 3.8.6.1",
		own: []Param{
			{
				Name: "buffer", Kind: KindSize, Default: "3000", Min: "2304", Max: "1M",
				Text: Text{"receive buffer of the server", "服务器的接收缓冲区"},
			},
			{
				Name: "pause", Kind: KindDuration, Default: "3s", Min: "1s", Max: "1h",
				Text: Text{"how long the server's program does not read", "服务器程序停止读取多久"},
			},
		},
		play: playZeroWindow,
	},
	{
		Name:  "silly-window",
		Title: Text{"A slow reader, and why it does not lead to tiny segments", "糊涂窗口综合征：程序读得慢，为何也不会产生微小报文段"},
		Why: Text{
			"If every few bytes that are read opened the window by as much, the sender would fill it with tiny segments for ever. So the receiver tells of room only in steps of a segment or half its buffer, and the sender waits for as much.",
			"如果每读几个字节就把窗口打开几个字节，发送方就会永远用微小的报文段去填。所以接收方只按一个报文段或半个缓冲区的步长告知空间，发送方也等到有那么多才发。",
		},
		Cite: "RFC 9293 3.8.6.2; RFC 813",
		own: []Param{{
			Name: "chunk", Kind: KindSize, Default: "100", Min: "1", Max: "64k",
			Text: Text{"bytes that the program reads at a time", "程序每次读取的字节数"},
		}},
		play: playSillyWindow,
	},
	{
		Name:  "nagle-and-delayed-ack",
		Title: Text{"Nagle's algorithm meets the delayed ACK", "Nagle 算法遇上延迟 ACK"},
		Why: Text{
			"Nagle holds back a small segment until the one before is acknowledged; the receiver delays that ACK, hoping for data to send it with. Write, write, read costs 40 ms. Write once, or set TCP_NODELAY (--set nodelay=on).",
			"Nagle 让小报文段等前一个得到确认；接收方又延迟确认，指望搭数据的便车。“写、写、读”于是多花 40 毫秒。应当一次写完，或设置 TCP_NODELAY（--set nodelay=on）。",
		},
		Cite: "RFC 9293 3.7.4, 3.8.6.3; RFC 896",
		own: []Param{{
			Name: "nodelay", Kind: KindSwitch, Default: "off",
			Text: Text{"set TCP_NODELAY at the client", "在客户端设置 TCP_NODELAY"},
		}},
		config: func(_ *stage, _, server *engine.Config) { server.TCP.DelayedAck = 40 * time.Millisecond },
		play:   playNagle,
	},
	{
		Name:  "window-scaling",
		Title: Text{"A long fat path: 64 KiB are not enough", "长肥网络：64 KiB 的窗口不够用"},
		Why: Text{
			"The window field has 16 bits: at most 65535 bytes can be out per round trip. On a path of 100 ms that is 5 Mbit/s, however fast it is. Window scaling shifts the field. Try --set scaling=off.",
			"窗口字段只有 16 位：每个往返最多 65535 字节在途。往返 100 毫秒的路径再快也只有 5 Mbit/s。窗口扩大因子把该字段左移。可以试试 --set scaling=off。",
		},
		Cite:     "RFC 7323 2",
		defaults: map[string]string{"rtt": "100ms"},
		own: []Param{
			{
				Name: "scaling", Kind: KindSwitch, Default: "on",
				Text: Text{"offer window scaling", "使用窗口扩大因子"},
			},
			{
				Name: "size", Kind: KindSize, Default: "500k", Min: "200k", Max: "20M",
				Text: Text{"bytes sent", "发送的字节数"},
			},
		},
		config: func(s *stage, client, server *engine.Config) {
			client.TCP.NoWindowScale, server.TCP.NoWindowScale = !s.on("scaling"), !s.on("scaling")
		},
		play: playWindowScaling,
	},
	{
		Name:  "path-mtu-black-hole",
		Title: Text{"A path-MTU black hole: small packets pass, large ones vanish", "路径 MTU 黑洞：小包能过，大包消失"},
		Why: Text{
			"Packets may not be fragmented; a router that cannot pass one has to say so by ICMP. Where that is filtered, the handshake works and the first full segment vanishes, again and again. With ICMP (--set icmp=on) the sender learns the size at once; one that probes (--set probing=on) finds it by itself.",
			"报文不许分片；过不去时路由器应以 ICMP 告知。若 ICMP 被过滤，握手成功，而第一个达到 MSS 的报文段一次次消失。有 ICMP（--set icmp=on）时，发送方立刻知道合适的大小；会主动探测的发送方（--set probing=on）则自己找到。",
		},
		Cite: "RFC 1191 3; RFC 2923 2.1; RFC 4821",
		own: []Param{
			{
				Name: "mtu", Kind: KindSize, Default: "1400", Min: "600", Max: "1499",
				Text: Text{"largest packet that the path carries", "路径能通过的最大报文"},
			},
			{
				Name: "icmp", Kind: KindSwitch, Default: "off",
				Text: Text{"the router tells by ICMP", "路由器以 ICMP 告知"},
			},
			{
				Name: "probing", Kind: KindSwitch, Default: "off",
				Text: Text{"the client looks for the size by itself, as it does unless told otherwise", "客户端自己寻找合适的大小（这本是默认行为）"},
			},
		},
		config: func(s *stage, client, _ *engine.Config) {
			if !s.on("probing") {
				client.TCP.MTUProbing = tcp.MTUProbingOff
			}
		},
		play: playBlackHole,
	},
}

func playZeroWindow(s *stage) {
	const size = 8000
	var server *program
	small := engine.ListenOptions{Options: tcp.Options{RecvBuffer: s.number("buffer")}}
	s.listen(small, func(p *program) { server = p })
	client := s.dial(tcp.Options{})
	s.until(s.rtts(4), func() bool { return server != nil })
	server = s.orNobody(server)
	s.pass(s.rtts(1))
	s.when("client zero-window-probe", "The window is closed. The client probes whether it opened, later each time.",
		"窗口已关闭。客户端探测它是否打开，间隔一次比一次长。")
	s.say("The client sends more than the server's program, which does not read, has room for.",
		"客户端发送的数据超过了服务器的空间，而服务器程序没有在读。")
	client.write(size, client.shut)
	s.pass(s.duration("pause"))
	s.say("The program reads at last; the window opens.", "程序终于读取，窗口打开。")
	server.onEnd = server.close
	server.read()
	client.onEnd = client.close
	client.read()
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", size)
	s.expectRule("client", tcp.RuleZeroWindowProbe, -1)
	s.expectPath("client", "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED")
}

func playSillyWindow(s *stage) {
	const size = 20_000
	var server *program
	small := engine.ListenOptions{Options: tcp.Options{RecvBuffer: 6000}}
	s.listen(small, func(p *program) { server = p })
	client := s.dial(tcp.Options{})
	s.until(s.rtts(4), func() bool { return server != nil })
	server = s.orNobody(server)
	s.pass(s.rtts(1))
	s.say("The server's program reads a little every millisecond, the client sends as fast as it may.",
		"服务器程序每毫秒读一点，客户端尽快发送。")
	client.write(size, client.close)
	chunk := make([]byte, s.number("chunk"))
	var nibble func()
	nibble = func() {
		if server.readSome(chunk) {
			s.net.After(time.Millisecond, nibble)
		} else {
			server.close()
		}
	}
	nibble()
	s.finish(20 * time.Minute)
	s.expectBytes(server, "server", size)
	segments, tiny := 0, 0
	for _, p := range s.log.Packets() {
		if _, seg, ok := decode(p.Data); ok && p.From == "client" && seg.PayloadLen > 0 {
			segments++
			if seg.PayloadLen < 500 {
				tiny++
			}
		}
	}
	s.expect(tiny <= 1, tiny, "at most one segment carries less than 500 bytes: the last", "不足 500 字节的报文段至多一个：最后那个")
	s.expect(segments < 30, segments, "fewer than 30 segments carry the 20000 bytes", "20000 字节用不到 30 个报文段")
}

func playNagle(s *stage) {
	nodelay := s.on("nodelay")
	client, server := s.open(tcp.Options{NoDelay: nodelay})
	s.pass(s.rtts(1))
	if server.conn != nil {
		server.conn.SetQuickAck(false) // as after the first sixteen segments
	}
	answered := false
	server.onData = func(int) {
		if server.got%20 == 0 {
			server.write(10, nil)
		}
	}
	server.read()
	client.onData = func(int) { answered = true }
	client.read()
	s.say("A request in one piece is answered after one round trip.", "一次写完的请求，一个往返就有回答。")
	client.write(20, nil)
	s.until(time.Minute, func() bool { return answered })
	s.pass(s.rtts(1) + 50*time.Millisecond)
	answered = false
	s.say("The program writes a request in two parts and waits for the answer.", "程序把请求分两次写出，然后等待回答。")
	if !nodelay {
		s.when("server delayed-ack", "The server has half a request, nothing to answer, and time to wait. Only its delayed ACK lets the second half go.",
			"服务器只有半个请求，没什么可回答，便等一等。直到延迟的 ACK 发出，第二部分才能走。")
	}
	began := s.net.Now()
	client.write(10, nil)
	s.settle()
	client.write(10, nil)
	s.until(time.Minute, func() bool { return answered })
	took := s.net.Now().Sub(began)
	if nodelay {
		s.expectTime(took, s.duration("rtt"), s.rtts(1), "with TCP_NODELAY the answer", "设了 TCP_NODELAY，得到回答")
		return
	}
	delay := 40 * time.Millisecond
	s.expectTime(took, delay+s.duration("rtt"), delay+s.rtts(2), "the answer", "得到回答")
	s.expectRule("server", tcp.RuleDelayedAck, -1)
}

func playWindowScaling(s *stage) {
	size := s.number("size")
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = server.close
	server.read()
	s.say("A transfer over a path on which much more than 64 KiB fit.", "在一条容得下远超 64 KiB 的路径上传输。")
	began := s.net.Now()
	client.write(size, client.close)
	s.until(time.Hour, func() bool { return server.ended })
	took := s.net.Now().Sub(began)
	s.expectBytes(server, "server", size)
	most := 0
	for i := range s.details.snapshots {
		if x := &s.details.snapshots[i]; x.host == "client" {
			most = max(most, x.info.InFlight)
		}
	}
	if s.on("scaling") {
		s.expect(most > 65535, most, "more than 65535 bytes are out at a time", "同时在途超过 65535 字节")
		return
	}
	s.expect(most <= 65535, most, "never more than 65535 bytes are out", "在途从不超过 65535 字节")
	least := time.Duration(size/65535) * s.duration("rtt") / 2
	s.expect(took > least, took, "the window makes it slow, not the link", "限制速度的是窗口，不是链路")
}

func playBlackHole(s *stage) {
	const size = 5000
	mtu := s.number("mtu")
	s.say("The path carries packets of a smaller size than either end knows of.", "路径能通过的报文比两端以为的要小。")
	tooLarge := func(p *trace.Packet) bool { return len(p.Data) > mtu }
	if s.on("icmp") {
		s.onLost = func(data []byte) { s.icmp(middleAddr, 3, 4, uint16(mtu), data) }
		s.lose("client", -1, tooLarge)
		s.when("client path-mtu", "ICMP tells how much fits; the client cuts its segments to size.", "ICMP 告知能容下多大，客户端把报文段裁小。")
	} else {
		set := s.settings()
		set.MaxPacket = mtu
		s.link.Set(set, set)
	}
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = server.close
	server.read()
	s.say("The handshake worked: its segments are small. Now comes data.", "握手成功，因为那些报文段都很小。接下来是数据。")
	if s.on("probing") {
		s.when("client black-hole", "Three times no answer: the client tries smaller segments, and these get through.",
			"三次没有回应：客户端改用更小的报文段，这回过去了。")
	}
	client.write(size, client.close)
	s.pass(20 * time.Second)
	if s.on("icmp") || s.on("probing") {
		found := tcp.RuleBlackHole
		if s.on("icmp") {
			found = tcp.RulePathMTU
		}
		s.finish(10 * time.Minute)
		s.expectBytes(server, "server", size)
		s.expectRule("client", found, -1)
		return
	}
	full := server.got
	s.expect(full == 0, full, "nothing of a full segment's size arrives", "达到 MSS 的报文段一个也没到")
	s.expectState(server, "server", tcp.StateEstablished)
	s.expect(s.rules["client"][tcp.RuleRetransmitTimeout] >= 3, s.rules["client"][tcp.RuleRetransmitTimeout],
		"the client sends again and again", "客户端一次次重发")
}
