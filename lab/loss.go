package lab

import (
	"time"

	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// loss are the scenarios about what gets lost, and about how fast to send.
var loss = []*Scenario{
	{
		Name:  "retransmission-timeout",
		Title: Text{"Nothing comes back: the retransmission timer, twice as long each time", "超时重传：毫无回应，定时器每次加倍"},
		Why: Text{
			"When not even a duplicate ACK tells of the loss, the timer is the last resort. It doubles with every time-out, since the network may be overloaded.",
			"连重复确认都没有时，定时器是最后的手段。每次超时加倍，因为网络可能过载。",
		},
		Cite: "RFC 6298 5",
		own: []Param{{
			Name: "lost", Kind: KindNumber, Default: "4", Min: "2", Max: "10",
			Text: Text{"how often the data is lost", "数据丢失几次"},
		}},
		play: playTimeout,
	},
	{
		Name:  "fast-retransmit",
		Title: Text{"A loss in the middle: sent again without waiting for the timer", "快速重传：中间丢了一个，不等定时器"},
		Why: Text{
			"Every segment that arrives behind the gap makes the receiver repeat its ACK, with SACK blocks that say what it has. The sender sees what is missing after about one round trip and sends that alone.",
			"缺口之后到达的每个报文段都让接收方重复确认，并用 SACK 块说明已有什么。发送方约一个往返之后就知道缺什么，只重发那一个。",
		},
		Cite: "RFC 5681 3.2; RFC 8985 6",
		own: []Param{{
			Name: "segments", Kind: KindNumber, Default: "10", Min: "6", Max: "100",
			Text: Text{"how many segments are sent", "发送多少个报文段"},
		}},
		play: playFastRetransmit,
	},
	{
		Name:  "tail-loss-probe",
		Title: Text{"The last segments are lost: nothing behind them can tell", "尾部丢失探测：最后几个丢了，后面没有什么能说明"},
		Why: Text{
			"Without a later segment there is no duplicate ACK. After about two round trips the sender repeats the last segment as a probe, which is much sooner than the retransmission time-out.",
			"后面没有报文段，就不会有重复确认。约两个往返之后，发送方重发最后一个报文段作为探测，比重传超时早得多。",
		},
		Cite: "RFC 8985 7",
		play: playTailLoss,
	},
	{
		Name:  "reordering",
		Title: Text{"Late is not lost: segments that overtake each other", "乱序：迟到不等于丢失"},
		Why: Text{
			"A segment that comes a little late looks like a lost one at first. The sender gives it a part of a round trip before it sends again; the receiver keeps what came early and puts all in order.",
			"稍晚到达的报文段起初看上去像丢了。发送方先等不到一个往返再决定是否重传；接收方把先到的存起来，排好次序。",
		},
		Cite: "RFC 8985 6.2; RFC 9293 3.10.7.4",
		own: []Param{{
			Name: "late", Kind: KindNumber, Default: "2", Min: "1", Max: "6",
			Text: Text{"how many segments overtake it; from 3 on it is sent again needlessly", "有几个报文段抢在它前面，3 个以上会引起多余的重传"},
		}},
		play: playReordering,
	},
	{
		Name:  "slow-start-and-congestion-avoidance",
		Title: Text{"Slow start and congestion avoidance", "慢启动与拥塞避免"},
		Why: Text{
			"Nobody tells how fast the path is. The sender doubles its window each round trip until something is lost, then goes back and grows with care. Look at cwnd and ssthresh; compare --cc reno, cubic and bbr.",
			"没有人会告知路径有多快。发送方每个往返把窗口加倍，直到有丢失，然后退回来，小心地增长。看看 cwnd 和 ssthresh，比较 --cc reno、cubic 和 bbr。",
		},
		Cite:     "RFC 5681 3.1; RFC 9438",
		defaults: map[string]string{"rate": "10M", "cc": tcp.CongestionReno},
		own: []Param{
			{
				Name: "size", Kind: KindSize, Default: "400k", Min: "100k", Max: "200M",
				Text: Text{"bytes sent", "发送的字节数"},
			},
			{
				Name: "queue", Kind: KindNumber, Default: "20", Min: "1", Max: "10000",
				Text: Text{"packets that the link's queue holds", "链路队列能容纳的报文数"},
			},
		},
		play: playSlowStart,
	},
}

// talk opens a connection whose server reads all, and closes after the client.
func (s *stage) talk() (client, server *program) {
	client, server = s.open(tcp.Options{})
	s.pass(s.rtts(1))
	server.onEnd = server.close
	server.read()
	return client, server
}

func playTimeout(s *stage) {
	lost := s.number("lost")
	client, server := s.talk()
	s.lose("client", lost, withData)
	s.when("client retransmit-timeout", "No ACK within the time-out. Send again, and wait twice as long.", "超时之内没有 ACK。重发，并等两倍的时间。")
	began := s.net.Now()
	client.write(100, nil)
	s.until(time.Hour, func() bool { return server.got == 100 })
	took := s.net.Now().Sub(began)
	client.close()
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", 100)
	s.expect(s.rules["client"][tcp.RuleRetransmitTimeout] >= lost-1, s.rules["client"][tcp.RuleRetransmitTimeout],
		"the timer fires until the data arrives", "定时器不断到期，直到数据送达")
	least := 200 * time.Millisecond * time.Duration(1<<(lost-1)-1)
	s.expect(took >= least, took, "the waits double from 200 ms on", "等待从 200 毫秒起加倍")
}

func playFastRetransmit(s *stage) {
	n := s.number("segments")
	client, server := s.talk()
	seen := 0
	s.lose("client", 1, func(p *trace.Packet) bool {
		if withData(p) {
			seen++
		}
		return seen == 3 && withData(p)
	})
	s.when("server out-of-order", "The third data segment is missing. Each later one makes the server say so.", "第三个数据段缺失。之后每到一个，服务器就说一次。")
	s.when("server gap-filled", "The gap is filled: everything that waited behind it is acknowledged at once.", "缺口补上，等在后面的一并确认。")
	size := n * 1448
	began := s.net.Now()
	client.write(size, nil)
	s.until(time.Minute, func() bool { return server.got == size })
	took := s.net.Now().Sub(began)
	client.close()
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", size)
	s.expectRule("client", tcp.RuleRetransmitTimeout, 0)
	s.expect(s.rules["client"][tcp.RuleFastRetransmit]+s.rules["client"][tcp.RuleLost] > 0, 0,
		"the loss is repaired without the timer", "不靠定时器就补上了丢失")
	s.expectTime(took, s.duration("rtt"), s.rtts(4)+time.Duration(n)*s.duration("rtt")/5, "the transfer", "传输")
}

func playTailLoss(s *stage) {
	const size = 5 * 1448
	client, server := s.talk()
	seen := 0
	s.lose("client", 2, func(p *trace.Packet) bool {
		if withData(p) {
			seen++
		}
		return seen >= 4 && withData(p)
	})
	s.when("client tail-probe", "No ACK for the last two segments, and nothing comes after them. Send the last again to find out.", "最后两个没有确认，后面也没有别的。重发最后一个来打听。")
	s.when("client lost", "The probe arrived, and its SACK block shows that the one before it is missing as well.", "探测送达，它引来的 SACK 块表明前一个也缺了。")
	began := s.net.Now()
	client.write(size, nil)
	s.until(time.Minute, func() bool { return server.got == size })
	took := s.net.Now().Sub(began)
	client.close()
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", size)
	s.expectRule("client", tcp.RuleTailProbe, -1)
	s.expectRule("client", tcp.RuleRetransmitTimeout, 0)
	s.expectTime(took, 2*s.duration("rtt"), s.rtts(5), "the repair by the probe", "靠探测补上")
}

func playReordering(s *stage) {
	const size = 8 * 1448
	client, server := s.talk()
	seen := 0
	overtakers := s.number("late")
	late := s.segmentTime()*time.Duration(overtakers) + s.segmentTime()/2
	s.judge = func(p *trace.Packet) (v sim.Verdict) {
		if p.From == "client" && withData(p) {
			if seen++; seen == 3 {
				v.Delay = late
			}
		}
		return v
	}
	s.when("server out-of-order", "The third data segment was overtaken. The server keeps the others aside and says what is missing.",
		"第三个数据段被后面的赶超了。服务器把别的先存起来，并说明缺什么。")
	s.when("server gap-filled", "It was only late.", "它只是迟到了。")
	client.write(size, nil)
	s.until(time.Minute, func() bool { return server.got == size })
	s.pass(s.rtts(2))
	client.close()
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", size)
	s.expectRule("server", tcp.RuleOutOfOrder, -1)
	retrans := s.client.Engine().Stats().TCP.Retransmitted
	if overtakers >= 3 {
		s.expect(retrans == 1, retrans, "one segment is sent again, needlessly", "一个报文段被多余地重传")
		s.expectRule("client", tcp.RuleUndoRecovery, 1)
		return
	}
	s.expect(retrans == 0, retrans, "nothing is sent again", "没有任何重传")
}

// segmentTime is how long the link takes to send a full segment.
func (s *stage) segmentTime() time.Duration {
	rate := s.values["rate"].n
	if rate == 0 {
		return 0
	}
	return time.Duration(1500 * 8 * int64(time.Second) / rate)
}

func playSlowStart(s *stage) {
	size := s.number("size")
	set := s.settings()
	set.QueuePackets = s.number("queue")
	s.link.Set(set, s.settings())
	client, server := s.talk()
	s.when("client fast-retransmit", "Something was lost: the path is full. The window goes down, and grows with care from there.",
		"有丢失：路径已满。窗口缩小，然后小心地增长。")
	s.say("Slow start: every ACK makes room for two segments, so the window doubles each round trip.",
		"慢启动：每个 ACK 放出两个报文段，窗口每个往返翻一倍。")
	first := client.conn.Info().SndCwnd
	client.write(size, client.close)
	s.until(time.Hour, func() bool { return server.ended })
	most, down := 0, false
	for i := range s.details.snapshots {
		x := &s.details.snapshots[i]
		if x.host != "client" || x.record {
			continue
		}
		down = down || x.info.SndCwnd < most*9/10
		most = max(most, x.info.SndCwnd)
	}
	s.finish(10 * time.Minute)
	s.expectBytes(server, "server", size)
	s.expect(most >= 2*first, most, "the window at least doubles", "窗口至少翻倍")
	if s.values["cc"].text != tcp.CongestionBBR {
		s.expect(down, most, "a loss makes it smaller", "丢失使它缩小")
	}
}
