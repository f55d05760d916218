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

// infoWords is what ss -i prints of a connection, in its order.
func infoWords(i *tcp.Info) string {
	var w []string
	add := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	count := func(name string, n uint64) {
		if n > 0 {
			add("%s:%d", name, n)
		}
	}
	for _, o := range []struct {
		on   bool
		word string
	}{{i.Timestamps, "ts"}, {i.SACK, "sack"}, {i.ECN, "ecn"}, {i.ECNSeen, "ecnseen"}} {
		if o.on {
			w = append(w, o.word)
		}
	}
	w = append(w, i.Congestion)
	if i.WindowScale {
		add("wscale:%d,%d", i.SndWScale, i.RcvWScale)
	}
	add("rto:%s", decimal(i.RTO))
	count("backoff", uint64(i.Backoff))
	if i.RTT > 0 {
		add("rtt:%s/%s", decimal(i.RTT), decimal(i.RTTVar))
	}
	if i.ATO > 0 {
		add("ato:%s", decimal(i.ATO))
	}
	add("mss:%d pmtu:%d rcvmss:%d advmss:%d", i.SndMSS, i.PMTU, i.RcvMSS, i.AdvMSS)
	add("cwnd:%d", max(i.SndCwnd/max(i.SndMSS, 1), 1))
	if i.SndSsthresh < 1<<30 {
		add("ssthresh:%d", i.SndSsthresh/max(i.SndMSS, 1))
	}
	count("bytes_sent", i.BytesSent)
	count("bytes_retrans", i.BytesRetrans)
	count("bytes_acked", i.BytesAcked)
	count("bytes_received", i.BytesReceived)
	count("segs_out", i.SegsOut)
	count("segs_in", i.SegsIn)
	count("data_segs_out", i.DataSegsOut)
	count("data_segs_in", i.DataSegsIn)
	if i.RTT > 0 {
		add("send %s", bitRate(float64(i.SndCwnd)*8/i.RTT.Seconds()))
	}
	for _, x := range []struct {
		name string
		d    time.Duration
	}{{"lastsnd", i.LastDataSent}, {"lastrcv", i.LastDataRecv}, {"lastack", i.LastAckRecv}} {
		if ms := x.d.Milliseconds(); ms > 0 {
			add("%s:%d", x.name, ms)
		}
	}
	if i.DeliveryRate > 0 {
		add("delivery_rate %s", bitRate(float64(i.DeliveryRate)*8))
	}
	count("delivered", i.Delivered/uint64(max(i.SndMSS, 1)))
	if i.AppLimited {
		w = append(w, "app_limited")
	}
	count("unacked", uint64(i.InFlight/max(i.SndMSS, 1)))
	if i.TotalRetrans > 0 {
		add("retrans:%d/%d", i.Retransmits, i.TotalRetrans)
	}
	count("rcv_space", uint64(i.RcvWnd))
	count("notsent", uint64(i.NotSent))
	if i.MinRTT > 0 {
		add("minrtt:%s", decimal(i.MinRTT))
	}
	return strings.Join(w, " ")
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
