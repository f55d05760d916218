package lab

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// Field is a variable of a connection that snapshots show.
type Field struct {
	// Name is the key in Snapshot.Set: the RFC's name or that of TCP_INFO.
	Name string `json:"name"`
	// Unit is bytes, ns (nanoseconds), count, seq (relative to the initial
	// sequence number), word or switch (true or false).
	Unit string `json:"unit"`
	Text Text   `json:"text"`

	of func(*tcp.Info) any
}

func nanoseconds(d time.Duration) any { return int64(d) }

// fields are all variables, in the order in which they are shown.
var fields = []Field{
	{"state", "word", Text{"state of RFC 9293", "RFC 9293 的状态"}, func(i *tcp.Info) any { return i.State.String() }},

	{"SND.UNA", "seq", Text{"oldest byte sent and not acknowledged", "已发送而未确认的最早字节"}, func(i *tcp.Info) any { return i.SndUna }},
	{"SND.NXT", "seq", Text{"next byte to send", "下一个要发送的字节"}, func(i *tcp.Info) any { return i.SndNxt }},
	{"SND.WND", "bytes", Text{"window that the peer offers", "对方给出的窗口"}, func(i *tcp.Info) any { return i.SndWnd }},
	{"RCV.NXT", "seq", Text{"next byte expected", "下一个期待的字节"}, func(i *tcp.Info) any { return i.RcvNxt }},
	{"RCV.WND", "bytes", Text{"window offered to the peer", "给对方的窗口"}, func(i *tcp.Info) any { return i.RcvWnd }},
	{"ISS", "count", Text{"own initial sequence number", "己方的初始序号"}, func(i *tcp.Info) any { return i.ISS }},
	{"IRS", "count", Text{"the peer's initial sequence number", "对方的初始序号"}, func(i *tcp.Info) any { return i.IRS }},

	{"cwnd", "bytes", Text{"congestion window", "拥塞窗口"}, func(i *tcp.Info) any { return i.SndCwnd }},
	{"ssthresh", "bytes", Text{"slow-start threshold, 0 when there is none yet", "慢启动阈值，尚无时为 0"}, func(i *tcp.Info) any { return threshold(i) }},
	{"flight", "bytes", Text{"sent and neither acknowledged nor thought lost", "已发送、未确认且未判为丢失的字节"}, func(i *tcp.Info) any { return i.InFlight }},
	{"congestion", "word", Text{"congestion control", "拥塞控制算法"}, func(i *tcp.Info) any { return i.Congestion }},
	{"ca_state", "word", Text{"open, disorder, cwr, recovery or loss", "拥塞状态：open、disorder、cwr、recovery 或 loss"}, func(i *tcp.Info) any { return i.CAState }},

	{"srtt", "ns", Text{"smoothed round-trip time", "平滑往返时间"}, func(i *tcp.Info) any { return nanoseconds(i.RTT) }},
	{"rttvar", "ns", Text{"variation of the round-trip time", "往返时间的波动"}, func(i *tcp.Info) any { return nanoseconds(i.RTTVar) }},
	{"rto", "ns", Text{"retransmission time-out", "重传超时"}, func(i *tcp.Info) any { return nanoseconds(i.RTO) }},
	{"backoff", "count", Text{"doublings of the time-out in force", "超时已加倍的次数"}, func(i *tcp.Info) any { return i.Backoff }},
	{"retransmits", "count", Text{"time-outs in a row", "连续超时的次数"}, func(i *tcp.Info) any { return i.Retransmits }},
	{"probes", "count", Text{"probes without an answer", "没有回应的探测"}, func(i *tcp.Info) any { return i.Probes }},

	{"unacked", "bytes", Text{"queued, sent and not acknowledged", "队列中已发送未确认的字节"}, func(i *tcp.Info) any { return i.Unacked }},
	{"notsent", "bytes", Text{"queued and not yet sent", "队列中尚未发送的字节"}, func(i *tcp.Info) any { return i.NotSent }},
	{"unread", "bytes", Text{"received and not yet read by the program", "已收到、程序未读的字节"}, func(i *tcp.Info) any { return i.Unread }},
	{"out-of-order", "bytes", Text{"received behind a gap", "缺口之后先到的字节"}, func(i *tcp.Info) any { return i.OutOfOrder }},

	{"mss", "bytes", Text{"largest payload of a segment sent", "发送报文段的最大载荷"}, func(i *tcp.Info) any { return i.SndMSS }},
	{"pmtu", "bytes", Text{"path MTU", "路径 MTU"}, func(i *tcp.Info) any { return i.PMTU }},
	{"snd_wscale", "count", Text{"scale of the peer's window", "对方窗口的扩大因子"}, func(i *tcp.Info) any { return i.SndWScale }},
	{"rcv_wscale", "count", Text{"scale of the own window", "己方窗口的扩大因子"}, func(i *tcp.Info) any { return i.RcvWScale }},
	{"timestamps", "switch", Text{"time stamps are in use", "使用时间戳"}, func(i *tcp.Info) any { return i.Timestamps }},
	{"sack", "switch", Text{"selective acknowledgements are in use", "使用选择确认"}, func(i *tcp.Info) any { return i.SACK }},

	{"bytes_acked", "count", Text{"bytes acknowledged in all", "累计得到确认的字节"}, func(i *tcp.Info) any { return i.BytesAcked }},
	{"bytes_received", "count", Text{"bytes received in all", "累计收到的字节"}, func(i *tcp.Info) any { return i.BytesReceived }},
	{"retrans", "count", Text{"segments sent again in all", "累计重传的报文段"}, func(i *tcp.Info) any { return i.TotalRetrans }},
}

// unlimited is from where on a slow-start threshold means none.
const unlimited = 1 << 30

func threshold(i *tcp.Info) int {
	if i.SndSsthresh >= unlimited {
		return 0
	}
	return i.SndSsthresh
}
