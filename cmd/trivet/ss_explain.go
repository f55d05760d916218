package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/trivet-net/trivet/lab"
)

// ssFields says what each column, state and value means.
var ssFields = map[string]lab.Text{
	"state":          {EN: "the state of RFC 9293, Section 3.3.2, in ss's words: ESTAB is ESTABLISHED, SYN-RECV is SYN-RECEIVED", ZH: "RFC 9293 第 3.3.2 节的状态，用 ss 的写法：ESTAB 即 ESTABLISHED，SYN-RECV 即 SYN-RECEIVED"},
	"recv-q":         {EN: "bytes received that the program has not read; of a listener: connections that wait for accept", ZH: "已收到而程序未读的字节；对监听套接字是等待 accept 的连接数"},
	"send-q":         {EN: "bytes written that the peer has not acknowledged; of a listener: the most that may wait for accept", ZH: "已写入而对方未确认的字节；对监听套接字是等待 accept 的上限"},
	"local":          {EN: "the address and port of this host; * is every address of both families", ZH: "本机的地址和端口；* 指两个地址族的所有地址"},
	"peer":           {EN: "the address and port of the other end; *:* for a listener", ZH: "对方的地址和端口；监听套接字为 *:*"},
	"timer":          {EN: "(name, fires in, tries): on is the retransmission timer, persist probes a closed window, keepalive asks an idle peer, timewait is 2MSL", ZH: "（名称，何时到期，已试次数）：on 是重传定时器，persist 探测关闭的窗口，keepalive 询问空闲的对方，timewait 是 2MSL"},
	"netid":          {EN: "the kind of socket: tcp or udp", ZH: "套接字的种类：tcp 或 udp"},
	"drops":          {EN: "datagrams that found the receive queue full", ZH: "因接收队列已满而丢弃的数据报"},
	"unconn":         {EN: "a UDP socket without a peer: it receives from anybody", ZH: "没有对端的 UDP 套接字：接收任何人发来的数据报"},
	"listen":         {EN: "waits for SYNs", ZH: "等待 SYN"},
	"syn-sent":       {EN: "has asked to connect and got no answer yet", ZH: "已请求连接，尚未得到回答"},
	"syn-recv":       {EN: "has answered a SYN with SYN,ACK and waits for the ACK: half-open. Many of them for long are a SYN flood", ZH: "已用 SYN,ACK 回应 SYN，等待 ACK：半连接。数量多且久，就是 SYN 洪泛"},
	"estab":          {EN: "open in both directions", ZH: "双向都已打开"},
	"fin-wait-1":     {EN: "has sent its FIN; the peer has not confirmed it", ZH: "已发出 FIN，对方尚未确认"},
	"fin-wait-2":     {EN: "its FIN is confirmed; the peer may still send and has not closed", ZH: "FIN 已被确认；对方还可发送，尚未关闭"},
	"close-wait":     {EN: "the peer has closed; this program has not. If it stays, the program has forgotten to close", ZH: "对方已关闭，本程序还没有。若长期停留，就是程序忘了关闭"},
	"closing":        {EN: "both closed at once, and the FIN is not confirmed yet", ZH: "双方同时关闭，FIN 尚未被确认"},
	"last-ack":       {EN: "both have closed; the last FIN is not confirmed yet", ZH: "双方都已关闭，最后的 FIN 尚未被确认"},
	"time-wait":      {EN: "closed first and waits 2MSL, in case the last ACK was lost and old segments are still under way", ZH: "先关闭的一方等待 2MSL，以防最后的 ACK 丢失或旧报文段仍在途"},
	"process":        {EN: "empty, for all sockets are of the one process; with -o the timer stands here", ZH: "为空：所有套接字都属于同一个进程；加 -o 时这里是定时器"},
	"age":            {EN: "of --json: for how many nanoseconds the socket has been in its state", ZH: "用于 --json：处于当前状态的纳秒数"},
	"ecnseen":        {EN: "a packet with a mark of ECN has come", ZH: "收到过带 ECN 标记的报文"},
	"cubic":          {EN: "the congestion control: CUBIC (RFC 9438), the usual one", ZH: "拥塞控制算法：CUBIC（RFC 9438），通常的选择"},
	"reno":           {EN: "the congestion control: NewReno (RFC 5681, RFC 6582)", ZH: "拥塞控制算法：NewReno（RFC 5681、RFC 6582）"},
	"bbr":            {EN: "the congestion control: BBR, which goes by bandwidth and round-trip time", ZH: "拥塞控制算法：BBR，依据带宽和往返时间"},
	"ts":             {EN: "time stamps are in use (RFC 7323)", ZH: "使用时间戳（RFC 7323）"},
	"sack":           {EN: "selective acknowledgements are in use (RFC 2018)", ZH: "使用选择确认（RFC 2018）"},
	"ecn":            {EN: "explicit congestion notification is in use (RFC 3168)", ZH: "使用显式拥塞通知（RFC 3168）"},
	"wscale":         {EN: "window scale of the peer, and of this end: windows are shifted left by as many bits", ZH: "对方与己方的窗口扩大因子：窗口左移的位数"},
	"rto":            {EN: "retransmission time-out in ms: without an ACK for so long, the oldest segment is sent again (RFC 6298)", ZH: "重传超时（毫秒）：这么久没有确认就重发最早的报文段（RFC 6298）"},
	"backoff":        {EN: "how often the time-out in force was doubled", ZH: "当前超时已加倍的次数"},
	"rtt":            {EN: "smoothed round-trip time / its variation, in ms", ZH: "平滑往返时间 / 其波动（毫秒）"},
	"minrtt":         {EN: "the shortest round-trip time seen, in ms", ZH: "观察到的最短往返时间（毫秒）"},
	"ato":            {EN: "delayed-ACK time-out in ms: how long an ACK may wait for company", ZH: "延迟确认超时（毫秒）：ACK 最多等多久"},
	"mss":            {EN: "largest payload of a segment sent, in bytes", ZH: "发送报文段的最大载荷（字节）"},
	"pmtu":           {EN: "path MTU: the largest packet believed to get through, in bytes", ZH: "路径 MTU：认为能通过的最大报文（字节）"},
	"rcvmss":         {EN: "largest segment seen from the peer, in bytes", ZH: "从对方收到的最大报文段（字节）"},
	"advmss":         {EN: "segment size announced to the peer, in bytes", ZH: "告知对方的报文段大小（字节）"},
	"cwnd":           {EN: "congestion window in segments: how much may be out without an acknowledgement", ZH: "拥塞窗口（报文段数）：未确认的数据最多可有多少"},
	"ssthresh":       {EN: "slow-start threshold in segments: below it the window doubles per round trip, above it grows slowly; absent before the first loss", ZH: "慢启动阈值（报文段数）：低于它时窗口每个往返加倍，高于它则缓慢增长；首次丢失之前没有"},
	"bytes_sent":     {EN: "bytes sent, repetitions included", ZH: "已发送的字节，含重传"},
	"bytes_retrans":  {EN: "bytes sent again", ZH: "重传的字节"},
	"bytes_acked":    {EN: "bytes that the peer has acknowledged", ZH: "对方已确认的字节"},
	"bytes_received": {EN: "bytes received in order", ZH: "按序收到的字节"},
	"segs_out":       {EN: "segments sent", ZH: "发出的报文段数"},
	"segs_in":        {EN: "segments received", ZH: "收到的报文段数"},
	"data_segs_out":  {EN: "segments with data sent", ZH: "发出的带数据的报文段数"},
	"data_segs_in":   {EN: "segments with data received", ZH: "收到的带数据的报文段数"},
	"send":           {EN: "cwnd per round-trip time: the rate that the window allows", ZH: "每个往返一个拥塞窗口：窗口允许的速率"},
	"lastsnd":        {EN: "ms since data was sent last", ZH: "距上次发送数据的毫秒数"},
	"lastrcv":        {EN: "ms since data was received last", ZH: "距上次收到数据的毫秒数"},
	"lastack":        {EN: "ms since an ACK was received last", ZH: "距上次收到确认的毫秒数"},
	"delivery_rate":  {EN: "the rate at which data reaches the peer", ZH: "数据到达对方的速率"},
	"delivered":      {EN: "segments that have reached the peer", ZH: "已到达对方的报文段数"},
	"app_limited":    {EN: "the program writes less than the path would carry", ZH: "程序写得比路径能承载的少"},
	"unacked":        {EN: "segments out and not acknowledged", ZH: "在途未确认的报文段数"},
	"retrans":        {EN: "time-outs in a row / segments sent again in all", ZH: "连续超时次数 / 累计重传的报文段数"},
	"rcv_space":      {EN: "window offered to the peer, in bytes", ZH: "给对方的窗口（字节）"},
	"notsent":        {EN: "bytes written and not yet sent", ZH: "已写入而尚未发送的字节"},
}

// ssOtherNames are what else one may call a field: the states as RFC 9293 and
// the filters do, the columns as the head of the table does, and timers.
var ssOtherNames = map[string]string{
	"established": "estab", "syn-received": "syn-recv", "listening": "listen", "unconnected": "unconn",
	"local address:port": "local", "local address": "local", "peer address:port": "peer", "peer address": "peer",
	"on": "timer", "persist": "timer", "keepalive": "timer", "timewait": "timer",
}

// teach writes what a field means.
func (f *ssFlags) teach(out io.Writer) error {
	languages, err := langs(f.lang)
	if err != nil {
		return err
	}
	name := strings.ToLower(strings.TrimSuffix(f.explain, ":"))
	if other, known := ssOtherNames[name]; known {
		name = other
	}
	text, ok := ssFields[name]
	if !ok {
		return usagef("--explain: no field %q%s", f.explain, nearest(name, ssFields))
	}
	for _, l := range languages {
		if _, err := fmt.Fprintf(out, "%s: %s\n", f.explain, text.In(l)); err != nil {
			return err
		}
	}
	return nil
}

// nearest names the keys that share most letters at the beginning with a word,
// or contain it.
func nearest[V any](word string, m map[string]V) string {
	score := func(key string) int {
		n := 0
		for n < min(len(key), len(word)) && key[n] == word[n] {
			n++
		}
		if strings.Contains(key, word) {
			n += len(word)
		}
		return n
	}
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(score(b), score(a)) })
	return "; did you mean " + strings.Join(keys[:min(3, len(keys))], ", ") + "?"
}
