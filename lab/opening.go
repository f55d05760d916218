package lab

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// opening are the scenarios about how connections begin.
var opening = []*Scenario{
	{
		Name:  "handshake",
		Title: Text{"The three-way handshake", "三次握手"},
		Why: Text{
			"Each side has to tell its initial sequence number and to hear that the other has it: four messages, of which the two in the middle travel in one segment.",
			"双方都要告知自己的初始序号，并得知对方已收到：本是四条消息，中间两条合在一个报文段里。",
		},
		Cite: "RFC 9293 3.5",
		play: playHandshake,
	},
	{
		Name:  "lost-syn",
		Title: Text{"The SYN is lost", "SYN 丢失"},
		Why: Text{
			"Nobody but the client knows that it asked. Its retransmission timer, 1 s as long as no round trip was measured, is what repeats the question, and it doubles with each time-out.",
			"除了客户端，没有人知道它请求过连接。重发全靠它的重传定时器：在测得往返时间之前为 1 秒，每次超时加倍。",
		},
		Cite: "RFC 6298 2.1, 5.5",
		own: []Param{{
			Name: "lost", Kind: KindNumber, Default: "1", Min: "1", Max: "5",
			Text: Text{"how many SYNs are lost", "丢失几个 SYN"},
		}},
		play: playLostSyn,
	},
	{
		Name:  "lost-syn-ack",
		Title: Text{"The SYN,ACK is lost", "SYN,ACK 丢失"},
		Why: Text{
			"The client cannot tell a lost SYN from a lost SYN,ACK and repeats its SYN; the server repeats its SYN,ACK by its own timer. Either repairs it, and a repeated SYN does no harm to a half-open connection.",
			"客户端分不清丢的是 SYN 还是 SYN,ACK，于是重发 SYN；服务器也有自己的定时器，会重发 SYN,ACK。哪一方先重发都行，重复的 SYN 对半连接无害。",
		},
		Cite: "RFC 9293 3.10.7.4",
		play: playLostSynAck,
	},
	{
		Name:  "lost-handshake-ack",
		Title: Text{"The ACK of the handshake is lost; the first data completes it", "握手的 ACK 丢失，由第一个数据段补上"},
		Why: Text{
			"Every segment after the SYN carries an acknowledgement, so the first data says what the lost ACK said, and the server goes to ESTABLISHED with it.",
			"SYN 之后的每个报文段都带确认号，所以第一个数据段就说了那个丢失的 ACK 要说的话，服务器凭它进入 ESTABLISHED。",
		},
		Cite: "RFC 9293 3.10.7.4",
		play: playLostHandshakeAck,
	},
	{
		Name:  "simultaneous-open",
		Title: Text{"Both ends open at once: the SYNs cross", "两端同时打开，SYN 交错"},
		Why: Text{
			"A SYN in SYN-SENT is a request, too: both ends answer with SYN,ACK and meet in one connection, not two. Four segments instead of three.",
			"在 SYN-SENT 状态收到 SYN，同样是一个连接请求：两端各回一个 SYN,ACK，结果是一个连接而不是两个，共四个报文段。",
		},
		Cite: "RFC 9293 3.5, Figure 7",
		play: playSimultaneousOpen,
	},
}

func playHandshake(s *stage) {
	s.when("client SYN-SENT", "The client chooses an initial sequence number and sends it in a SYN.",
		"客户端选定初始序号，放在 SYN 里发出。")
	s.when("server SYN-RECEIVED", "The server notes the client's number and answers with its own: SYN and ACK in one segment.",
		"服务器记下客户端的序号，并以自己的序号作答：SYN 和 ACK 合在一个报文段里。")
	s.when("client ESTABLISHED", "The client knows that both numbers arrived. The server does not know yet: it needs the third segment.",
		"客户端已知道双方的序号都已送达；服务器还不知道，它需要第三个报文段。")
	s.when("server ESTABLISHED", "Now both know. Two segments would have left the server guessing, a fourth would add nothing.",
		"现在双方都知道了。只有两个报文段，服务器只能猜；第四个则是多余的。")
	client, server := s.open(tcp.Options{})
	s.pass(s.rtts(1))
	s.expectState(client, "client", tcp.StateEstablished)
	s.expectState(server, "server", tcp.StateEstablished)
	s.expectPath("client", "SYN-SENT ESTABLISHED")
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED")
	s.expectSegments(3)
}

func playLostSyn(s *stage) {
	lost := s.number("lost")
	s.lose("client", lost, flagged(wire.SYN))
	s.when("client retransmit-timeout", "Nothing came back within the time-out. The client cannot know why, and asks again.",
		"超时之内没有任何回应。客户端不知道原因，只能再问一次。")
	client, server := s.open(tcp.Options{})
	took := s.elapsed()
	s.pass(s.rtts(1))
	s.expectState(client, "client", tcp.StateEstablished)
	s.expectState(server, "server", tcp.StateEstablished)
	s.expectRule("client", tcp.RuleRetransmitTimeout, lost)
	waits := time.Duration(1<<lost-1) * time.Second
	s.expectTime(took, waits, waits+s.rtts(2), "the handshake", "握手")
}

func playLostSynAck(s *stage) {
	s.lose("server", 1, flagged(wire.SYN|wire.ACK))
	s.when("server SYN-RECEIVED", "The server agrees, but its SYN,ACK will be lost: from now on it is half-open.",
		"服务器同意连接，但它的 SYN,ACK 将会丢失：从此它处于半连接状态。")
	client, server := s.open(tcp.Options{})
	took := s.elapsed()
	s.pass(s.rtts(2))
	s.expectState(client, "client", tcp.StateEstablished)
	s.expectState(server, "server", tcp.StateEstablished)
	s.expectPath("server", "SYN-RECEIVED ESTABLISHED")
	s.expectTime(took, time.Second, time.Second+s.rtts(2), "the handshake", "握手")
}

func playLostHandshakeAck(s *stage) {
	s.lose("client", 1, flagged(wire.ACK))
	const size = 100
	var server *program
	s.serve(func(p *program) { server = p; p.read() })
	client := s.dial(tcp.Options{})
	s.when("client ESTABLISHED", "The client is open and confirms; that ACK will be lost.", "客户端已打开并确认，但这个 ACK 会丢失。")
	s.until(time.Minute, func() bool { return client.state() == tcp.StateEstablished })
	s.pass(s.duration("rtt") / 4)
	s.say("The client's program has something to send, and sends it: as far as it knows, the connection is open.",
		"客户端的程序有数据要发，于是发出：在它看来，连接已经打开。")
	s.when("server ESTABLISHED", "The data acknowledges the SYN,ACK as well: it completes the handshake.",
		"数据段同样确认了 SYN,ACK：握手由它完成。")
	client.write(size, nil)
	s.until(time.Minute, func() bool { return server != nil && server.got == size })
	s.pass(s.rtts(2))
	s.expectState(server, "server", tcp.StateEstablished)
	s.expectBytes(server, "server", size)
	s.expectRule("client", tcp.RuleRetransmitTimeout, 0)
}

func playSimultaneousOpen(s *stage) {
	x, y := s.address("client", 1000), s.address("server", 2000)
	s.when("client simultaneous-open", "A SYN where a SYN,ACK was awaited: the other end has the same idea. The client answers it.",
		"等的是 SYN,ACK，来的却是 SYN：对方也在同时打开。客户端对它作答。")
	s.when("server ESTABLISHED", "Each has now heard that its SYN arrived. One connection, opened from both ends.",
		"双方都得知自己的 SYN 已送达：一个连接，从两端打开。")
	a, b := s.connect("client", x, y), s.connect("server", y, x)
	s.until(time.Minute, func() bool {
		return a.state() == tcp.StateEstablished && b.state() == tcp.StateEstablished
	})
	s.pass(s.rtts(1))
	s.expectPath("client", "SYN-SENT SYN-RECEIVED ESTABLISHED")
	s.expectPath("server", "SYN-SENT SYN-RECEIVED ESTABLISHED")
	s.expectSegments(4)
}
