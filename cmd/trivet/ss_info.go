package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// timerWord is a timer as ss -o prints it: its name, when it fires, and how
// often it did.
func timerWord(s *socketRow) string {
	name, ok := map[string]string{
		"retransmit": "on", "reorder": "on", "tail-probe": "on", "persist": "persist", "keep-alive": "keepalive",
		"time-wait": "timewait", "fin-wait-2": "timewait",
	}[s.Timer]
	if !ok {
		return ""
	}
	tries := 0
	if s.Info != nil {
		tries = max(s.Info.Retransmits, s.Info.Probes)
	}
	return fmt.Sprintf("timer:(%s,%s,%d)", name, timerTime(time.Duration(s.Expires)), tries)
}

// timerTime is a duration as ss prints it: 2min51sec, 59sec, 4.030ms, 200ms.
func timerTime(d time.Duration) string {
	d = max(d, 0).Round(time.Millisecond)
	minutes, rest := d/time.Minute, d%time.Minute
	switch {
	case minutes > 0 && rest >= time.Second:
		return fmt.Sprintf("%dmin%dsec", minutes, rest/time.Second)
	case minutes > 0:
		return fmt.Sprintf("%dmin", minutes)
	case rest >= 10*time.Second:
		return fmt.Sprintf("%dsec", rest/time.Second)
	case rest >= time.Second:
		return fmt.Sprintf("%d.%03dms", rest/time.Second, rest%time.Second/time.Millisecond)
	}
	return fmt.Sprintf("%dms", rest/time.Millisecond)
}

// infoLine is what ss -i prints of a connection, word by word.
type infoLine []string

func (l *infoLine) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// count adds a count, unless it is zero.
func (l *infoLine) count(name string, n uint64) {
	if n > 0 {
		l.add("%s:%d", name, n)
	}
}

// flag adds a word for what is on.
func (l *infoLine) flag(word string, on bool) {
	if on {
		l.add("%s", word)
	}
}

// infoWords is what ss -i prints of a connection, in its order.
func infoWords(i *tcp.Info) string {
	var l infoLine
	l.agreed(i)
	l.path(i)
	l.traffic(i)
	l.recent(i)
	l.outstanding(i)
	return strings.Join(l, " ")
}

// agreed adds what the two ends have agreed on.
func (l *infoLine) agreed(i *tcp.Info) {
	l.flag("ts", i.Timestamps)
	l.flag("sack", i.SACK)
	l.flag("ecn", i.ECN)
	l.flag("ecnseen", i.ECNSeen)
	l.add("%s", i.Congestion)
	if i.WindowScale {
		l.add("wscale:%d,%d", i.SndWScale, i.RcvWScale)
	}
}

// path adds what is known of the way: times, sizes, and the congestion window.
func (l *infoLine) path(i *tcp.Info) {
	l.add("rto:%s", decimal(i.RTO))
	l.count("backoff", uint64(i.Backoff))
	if i.RTT > 0 {
		l.add("rtt:%s/%s", decimal(i.RTT), decimal(i.RTTVar))
	}
	if i.ATO > 0 {
		l.add("ato:%s", decimal(i.ATO))
	}
	l.add("mss:%d pmtu:%d rcvmss:%d advmss:%d", i.SndMSS, i.PMTU, i.RcvMSS, i.AdvMSS)
	l.add("cwnd:%d", max(i.SndCwnd/max(i.SndMSS, 1), 1))
	if i.SndSsthresh < 1<<30 {
		l.add("ssthresh:%d", i.SndSsthresh/max(i.SndMSS, 1))
	}
}

// traffic adds what was sent and received.
func (l *infoLine) traffic(i *tcp.Info) {
	l.count("bytes_sent", i.BytesSent)
	l.count("bytes_retrans", i.BytesRetrans)
	l.count("bytes_acked", i.BytesAcked)
	l.count("bytes_received", i.BytesReceived)
	l.count("segs_out", i.SegsOut)
	l.count("segs_in", i.SegsIn)
	l.count("data_segs_out", i.DataSegsOut)
	l.count("data_segs_in", i.DataSegsIn)
	if i.RTT > 0 {
		l.add("send %s", bitRate(float64(i.SndCwnd)*8/i.RTT.Seconds()))
	}
}

// recent adds how long ago something happened, and how fast it goes.
func (l *infoLine) recent(i *tcp.Info) {
	l.count("lastsnd", uint64(i.LastDataSent.Milliseconds()))
	l.count("lastrcv", uint64(i.LastDataRecv.Milliseconds()))
	l.count("lastack", uint64(i.LastAckRecv.Milliseconds()))
	if i.DeliveryRate > 0 {
		l.add("delivery_rate %s", bitRate(float64(i.DeliveryRate)*8))
	}
	l.count("delivered", i.Delivered/uint64(max(i.SndMSS, 1)))
	l.flag("app_limited", i.AppLimited)
}

// outstanding adds what is on its way, and what waits.
func (l *infoLine) outstanding(i *tcp.Info) {
	l.count("unacked", uint64(i.InFlight/max(i.SndMSS, 1)))
	if i.TotalRetrans > 0 {
		l.add("retrans:%d/%d", i.Retransmits, i.TotalRetrans)
	}
	l.count("rcv_space", uint64(i.RcvWnd))
	l.count("notsent", uint64(i.NotSent))
	if i.MinRTT > 0 {
		l.add("minrtt:%s", decimal(i.MinRTT))
	}
}

// decimal is a duration in milliseconds with up to three places.
func decimal(d time.Duration) string {
	text := fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond))
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// bitRate is bits per second as ss prints them.
func bitRate(r float64) string {
	switch {
	case r >= 1e9:
		return fmt.Sprintf("%.2fGbps", r/1e9)
	case r >= 1e6:
		return fmt.Sprintf("%.2fMbps", r/1e6)
	case r >= 1e3:
		return fmt.Sprintf("%.2fkbps", r/1e3)
	}
	return fmt.Sprintf("%.0fbps", r)
}
