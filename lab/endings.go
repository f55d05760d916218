package lab

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// endings are the scenarios about connections that end otherwise, or not.
var endings = []*Scenario{
	{
		Name:  "linger-zero",
		Title: Text{"SO_LINGER with zero seconds: close is a reset", "SO_LINGER 设为 0 秒：关闭变成重置"},
		Why: Text{
			"The program asks not to linger: what is unsent is thrown away, the peer gets a RST, and there is no TIME-WAIT, nor its protection.",
			"程序要求不逗留：未发的数据丢弃，对方收到 RST，没有 TIME-WAIT，也就没有它的保护。",
		},
		Cite: "RFC 9293 3.10.5",
		play: playLingerZero,
	},
	{
		Name:  "close-with-unread-data",
		Title: Text{"Closing with bytes unread: a RST instead of a FIN", "关闭时还有未读数据：发 RST 而不是 FIN"},
		Why: Text{
			"A FIN would say that all was received. It was not: the program never read it, and the sender must learn that it is lost.",
			"FIN 意味着一切都已收到。其实没有：程序没读，发送方必须知道数据丢了。",
		},
		Cite: "RFC 9293 3.6.1; RFC 2525 2.17",
		play: playCloseUnread,
	},
	{
		Name:  "close-flushes-unsent-data",
		Title: Text{"close returns at once, and everything is still delivered", "close 立即返回，数据仍会全部送达"},
		Why: Text{
			"What was written before close belongs to the stream. It is sent first, and the FIN follows it, though no program owns the connection any more.",
			"close 之前写入的都属于数据流：先发完，FIN 跟在后面，尽管已没有程序拥有这个连接。",
		},
		Cite: "RFC 9293 3.10.4",
		own: []Param{{
			Name: "size", Kind: KindSize, Default: "40k", Min: "1", Max: "10M",
			Text: Text{"bytes written before close", "close 之前写入的字节数"},
		}},
		play: playCloseFlushes,
	},
	{
		Name:  "ctrl-c",
		Title: Text{"Ctrl-C: a process ends, and its connections close properly", "Ctrl-C：进程结束，它的连接正常关闭"},
		Why: Text{
			"When a process ends, the system closes its sockets as close would: a FIN on each. Peers read the end of the stream; only where bytes are unread they get a RST. A host that loses power says nothing (see half-open-recovery, keepalive-unplugged).",
			"进程结束时，系统会像 close 那样关闭它的套接字：每个发一个 FIN，对方读到流的末尾；只有存在未读数据的连接才发 RST。断电的主机则什么都不会说（参见 half-open-recovery 和 keepalive-unplugged）。",
		},
		Cite: "RFC 9293 3.10.4; _exit(2)",
		play: playCtrlC,
	},
	{
		Name:  "close-wait-leak",
		Title: Text{"A server that never closes: CLOSE-WAIT piles up", "服务器从不关闭：CLOSE-WAIT 越积越多"},
		Why: Text{
			"TCP has done its part: the FIN was confirmed and the program can read the end. Only the program can close, and as long as it does not, CLOSE-WAIT has no timer. The client's FIN-WAIT-2 is given up after 60 s, since nobody owns it.",
			"TCP 已尽责：FIN 已确认，程序可以读到末尾。只有程序能关闭；它不关，CLOSE-WAIT 就没有期限。客户端的 FIN-WAIT-2 因为无主，60 秒后放弃。",
		},
		Cite: "RFC 9293 3.6; tcp(7) tcp_fin_timeout",
		own: []Param{{
			Name: "clients", Kind: KindNumber, Default: "3", Min: "1", Max: "50",
			Text: Text{"how many clients come and go", "来去的客户端个数"},
		}},
		play: playCloseWaitLeak,
	},
	{
		Name:  "keepalive-unplugged",
		Title: Text{"The cable is pulled while nobody speaks", "保活：没人说话时网线被拔"},
		Why: Text{
			"An idle connection sends nothing, so nothing fails: without keep-alive the server never learns. With it, probes ask whether the peer is still there, and end the connection when none is answered. Try --set keepalive=off.",
			"空闲的连接什么都不发，也就不会失败：没有保活，服务器永远不知道。有了保活，探测会问对方是否还在，都没有回应就结束连接。可以试试 --set keepalive=off。",
		},
		Cite: "RFC 9293 3.8.4",
		own: []Param{
			{
				Name: "keepalive", Kind: KindSwitch, Default: "on",
				Text: Text{"send keep-alive probes", "发送保活探测"},
			},
			{
				Name: "idle", Kind: KindDuration, Default: "2h", Min: "1s", Max: "24h",
				Text: Text{"silence before the first probe", "第一次探测之前的静默时间"},
			},
			{
				Name: "interval", Kind: KindDuration, Default: "75s", Min: "1s", Max: "1h",
				Text: Text{"time between probes", "探测间隔"},
			},
			{
				Name: "count", Kind: KindNumber, Default: "9", Min: "1", Max: "100",
				Text: Text{"probes without an answer that end the connection", "多少次探测无回应就结束"},
			},
		},
		play: playKeepAlive,
	},
	{
		Name:  "user-timeout",
		Title: Text{"The user timeout: a program that does not want to wait 15 minutes", "用户超时：不想等十五分钟的程序"},
		Why: Text{
			"Data that is not acknowledged is repeated for about a quarter of an hour. A program that knows better sets its own limit.",
			"没有得到确认的数据会反复重发约一刻钟。程序若有更合适的期限，可以自己设定。",
		},
		Cite: "RFC 9293 3.8.3, 3.10.8; RFC 5482",
		own: []Param{{
			Name: "timeout", Kind: KindDuration, Default: "10s", Min: "1s", Max: "1h",
			Text: Text{"the user timeout", "用户超时"},
		}},
		play: playUserTimeout,
	},
}

func playLingerZero(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.read()
	s.say("The program writes, and closes with SO_LINGER set to zero.", "程序写入数据，然后以 SO_LINGER 为零关闭。")
	client.write(100, nil)
	client.abort()
	s.pass(s.rtts(3))
	s.expectPath("client", "SYN-SENT ESTABLISHED CLOSED")
	s.expectRule("client", tcp.RuleAbort, 1)
	s.expectError(server, syscall.ECONNRESET, "the server's read fails", "服务器的 read 失败")
	s.expect(s.client.Engine().Stats().TimeWaits == 0, s.client.Engine().Stats().TimeWaits, "there is no TIME-WAIT", "没有 TIME-WAIT")
}

func playCloseUnread(s *stage) {
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.write(100, nil)
	server.read()
	s.pass(s.rtts(2))
	s.say("100 bytes wait to be read. The client's program closes without reading them.", "有 100 字节等着被读，客户端程序没读就关闭了。")
	client.close()
	s.pass(s.rtts(3))
	s.expectPath("client", "SYN-SENT ESTABLISHED CLOSED")
	s.expectRule("client", tcp.RuleCloseUnread, 1)
	s.expectError(server, syscall.ECONNRESET, "the server's read fails", "服务器的 read 失败")
}

func playCloseFlushes(s *stage) {
	size := s.number("size")
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = server.close
	server.read()
	s.say("The program writes and closes at once; it is gone before anything was sent.", "程序写完立即关闭；在任何数据发出之前它就走了。")
	client.write(size, client.close)
	s.finish(time.Hour)
	s.expectBytes(server, "server", size)
	s.expect(server != nil && server.ended, server != nil && server.ended, "the server reads the end after all bytes", "服务器读完全部字节后读到末尾")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED")
}

func playCtrlC(s *stage) {
	var servers []*program
	s.serve(func(p *program) {
		servers = append(servers, p)
		p.onEnd = p.close
		p.read()
	})
	tidy, untidy := s.dial(tcp.Options{}), s.dial(tcp.Options{})
	s.show(tidy.conn.Tuple(), untidy.conn.Tuple())
	s.until(s.rtts(4), func() bool { return len(servers) == 2 })
	tidy.read()
	for _, p := range servers {
		p.write(50, nil)
	}
	s.pass(s.rtts(2))
	s.say("Ctrl-C: the process has two connections. The system closes both.", "Ctrl-C：进程有两个连接，系统把它们都关闭。")
	tidy.close()
	untidy.close()
	s.say("One has bytes that were never read: that one is reset.", "其中一个还有未读的字节：它被重置。")
	s.finish(10 * time.Minute)
	reset, ended := 0, 0
	for _, p := range servers {
		if p.ended {
			ended++
		} else if p.failure() == syscall.ECONNRESET {
			reset++
		}
	}
	s.expect(ended == 1, ended, "one server program reads the end", "一个服务器程序读到末尾")
	s.expect(reset == 1, reset, "the other, whose bytes were not read, gets a reset", "另一个的数据没被读走，收到重置")
}

func playCloseWaitLeak(s *stage) {
	n := s.number("clients")
	s.serve(func(p *program) { p.read() }) // it reads the end, and forgets to close
	s.when("server CLOSE-WAIT", "The server's program reads the end of the stream, and does nothing about it.",
		"服务器程序读到了流的末尾，却什么也不做。")
	s.when("client fin-wait-2-timeout", "The client's end belongs to nobody, so it is given up. The server's end stays.",
		"客户端这一端无主，于是放弃；服务器那一端一直留着。")
	for range n {
		c := s.dial(tcp.Options{})
		s.until(s.rtts(4), func() bool { return c.state() == tcp.StateEstablished })
		s.pass(s.rtts(1))
		c.close()
		s.pass(s.rtts(2))
	}
	s.pass(5 * time.Minute)
	s.listing = true
	waits := 0
	s.server.Engine().Sockets(s.net.Now(), func(i *engine.SocketInfo) {
		if i.State == tcp.StateCloseWait {
			waits++
		}
	})
	s.expect(waits == n, waits, "five minutes later all connections are still in CLOSE-WAIT", "五分钟后所有连接仍在 CLOSE-WAIT")
	s.expectRule("client", tcp.RuleFinWait2Timeout, n)
}

func playKeepAlive(s *stage) {
	on := s.on("keepalive")
	idle, interval, count := s.duration("idle"), s.duration("interval"), s.number("count")
	client, server := s.open(tcp.Options{KeepAlive: on, KeepIdle: idle, KeepInterval: interval, KeepCount: count})
	server.read()
	s.pass(s.rtts(2))
	s.say("The cable is pulled. Nobody is speaking, so nobody notices.", "网线被拔。没人在说话，所以没人察觉。")
	s.link.Unplug()
	if on {
		s.when("server keep-alive-probe", "Long silence: the server asks whether the client is still there.", "长久的静默：服务器问客户端是否还在。")
		s.when("server keep-alive-dead", "No probe was answered. The connection is dead.", "所有探测都没有回应，连接已死。")
	}
	want := idle + time.Duration(count)*interval
	began := s.net.Now()
	s.until(want+s.rtts(10), func() bool { return server.failure() != nil })
	took := s.net.Now().Sub(began)
	if on {
		s.expectError(server, syscall.ETIMEDOUT, "the server's read fails", "服务器的 read 失败")
		s.expectTime(took, want-s.rtts(4), want, "to find out", "发现此事")
		s.expectRule("server", tcp.RuleKeepAliveProbe, count)
		return
	}
	s.expectState(server, "server", tcp.StateEstablished)
	s.expectState(client, "client", tcp.StateEstablished)
	s.expect(server.failure() == nil, server.failure(), "without keep-alive the server never learns of it", "没有保活，服务器永远不会知道")
}

func playUserTimeout(s *stage) {
	limit := s.duration("timeout")
	client, _ := s.open(tcp.Options{UserTimeout: limit})
	s.pass(s.rtts(1))
	s.say("The cable is pulled, and the client's program writes.", "网线被拔，而客户端程序写入数据。")
	s.link.Unplug()
	began := s.net.Now()
	client.write(100, nil)
	client.read()
	s.until(2*limit+time.Minute, func() bool { return client.failure() != nil })
	s.expectError(client, syscall.ETIMEDOUT, "the client's read fails", "客户端的 read 失败")
	s.expectTime(s.net.Now().Sub(began), limit, limit+limit/2, "to give up", "放弃")
	s.expectRule("client", tcp.RuleUserTimeout, 1)
	s.expect(s.rules["client"][tcp.RuleRetransmitTimeout] > 0, 0, "it tries again until then", "在那之前一直重试")
}
