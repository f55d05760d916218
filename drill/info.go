package drill

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// lookup returns the value of a name in %{ }%: a constant, or a field of the
// tcp_info of the connection under test. Without a connection it leaves the
// interpreter with a failure.
func (r *runner) lookup(name string) (value, bool) {
	if n, ok := codeConstants[name]; ok {
		return n, true
	}
	f, ok := infoFields[name]
	if !ok {
		return nil, false
	}
	if r.flow == nil || r.flow.conn == nil {
		if state, ok := r.stateWithoutConn(); ok && name == "tcpi_state" {
			return linuxStates[state], true
		}
		panic(failf("no connection to tell %s of: it was not accepted yet", name))
	}
	info := r.flow.conn.Info(r.now)
	return f(&info), true
}

// stateWithoutConn returns the state of the last socket, if it has no connection
// and none is under test.
func (r *runner) stateWithoutConn() (tcp.State, bool) {
	switch {
	case r.flow != nil || r.lastSocket == nil:
		return 0, false
	case r.lastSocket.listener != nil:
		return tcp.StateListen, true
	}
	return tcp.StateClosed, true
}

// codeConstants are the names of Linux's tcp.h.
var codeConstants = map[string]int64{
	"TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5,
	"TCP_TIME_WAIT": 6, "TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8, "TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11,

	// The names of the BSD fork, for the same states.
	"TCPI_ESTABLISHED": 1, "TCPI_SYN_SENT": 2, "TCPI_SYN_RECEIVED": 3, "TCPI_FIN_WAIT_1": 4, "TCPI_FIN_WAIT_2": 5,
	"TCPI_TIME_WAIT": 6, "TCPI_CLOSED": 7, "TCPI_CLOSE_WAIT": 8, "TCPI_LAST_ACK": 9, "TCPI_LISTEN": 10, "TCPI_CLOSING": 11,

	"TCP_CA_Open": 0, "TCP_CA_Disorder": 1, "TCP_CA_CWR": 2, "TCP_CA_Recovery": 3, "TCP_CA_Loss": 4,

	"TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8,
	"TCPI_OPT_ECN_SEEN": 16, "TCPI_OPT_SYN_DATA": 32,

	"TCP_INFINITE_SSTHRESH": infiniteThreshold,
}

const infiniteThreshold = 0x7fffffff

var linuxStates = map[tcp.State]int64{
	tcp.StateEstablished: 1, tcp.StateSynSent: 2, tcp.StateSynReceived: 3, tcp.StateFinWait1: 4,
	tcp.StateFinWait2: 5, tcp.StateTimeWait: 6, tcp.StateClosed: 7, tcp.StateCloseWait: 8,
	tcp.StateLastAck: 9, tcp.StateListen: 10, tcp.StateClosing: 11,
}

// infoFields are the fields of tcp_info, and of SO_MEMINFO, that tcp.Info answers
// for, in Linux's units: segments, microseconds, milliseconds for what is named
// last.
var infoFields = map[string]func(*tcp.Info) int64{
	"tcpi_state":          func(i *tcp.Info) int64 { return linuxStates[i.State] },
	"tcpi_ca_state":       caState,
	"tcpi_retransmits":    func(i *tcp.Info) int64 { return int64(i.Retransmits) },
	"tcpi_probes":         func(i *tcp.Info) int64 { return int64(i.Probes) },
	"tcpi_backoff":        func(i *tcp.Info) int64 { return int64(i.Backoff) },
	"tcpi_options":        infoOptions,
	"tcpi_snd_wscale":     func(i *tcp.Info) int64 { return int64(i.SndWScale) },
	"tcpi_rcv_wscale":     func(i *tcp.Info) int64 { return int64(i.RcvWScale) },
	"tcpi_rto":            func(i *tcp.Info) int64 { return i.RTO.Microseconds() },
	"tcpi_ato":            func(i *tcp.Info) int64 { return i.ATO.Microseconds() },
	"tcpi_snd_mss":        func(i *tcp.Info) int64 { return int64(i.SndMSS) },
	"tcpi_rcv_mss":        func(i *tcp.Info) int64 { return int64(i.RcvMSS) },
	"tcpi_advmss":         func(i *tcp.Info) int64 { return int64(i.AdvMSS) },
	"tcpi_pmtu":           func(i *tcp.Info) int64 { return int64(i.PMTU) },
	"tcpi_unacked":        func(i *tcp.Info) int64 { return segments(i.Unacked, i.SndMSS) },
	"tcpi_last_data_sent": func(i *tcp.Info) int64 { return milliseconds(i.LastDataSent) },
	"tcpi_last_data_recv": func(i *tcp.Info) int64 { return milliseconds(i.LastDataRecv) },
	"tcpi_last_ack_recv":  func(i *tcp.Info) int64 { return milliseconds(i.LastAckRecv) },
	"tcpi_rtt":            func(i *tcp.Info) int64 { return i.RTT.Microseconds() },
	"tcpi_rttvar":         func(i *tcp.Info) int64 { return i.RTTVar.Microseconds() },
	"tcpi_min_rtt":        func(i *tcp.Info) int64 { return i.MinRTT.Microseconds() },
	"tcpi_snd_ssthresh":   threshold,
	"tcpi_snd_cwnd":       func(i *tcp.Info) int64 { return int64(i.SndCwnd / max(i.SndMSS, 1)) },
	"tcpi_total_retrans":  func(i *tcp.Info) int64 { return int64(i.TotalRetrans) },
	"tcpi_bytes_acked":    func(i *tcp.Info) int64 { return int64(i.BytesAcked) },
	"tcpi_bytes_received": func(i *tcp.Info) int64 { return int64(i.BytesReceived) },
	"tcpi_bytes_sent":     func(i *tcp.Info) int64 { return int64(i.BytesSent) },
	"tcpi_bytes_retrans":  func(i *tcp.Info) int64 { return int64(i.BytesRetrans) },
	"tcpi_segs_out":       func(i *tcp.Info) int64 { return int64(i.SegsOut) },
	"tcpi_segs_in":        func(i *tcp.Info) int64 { return int64(i.SegsIn) },
	"tcpi_data_segs_out":  func(i *tcp.Info) int64 { return int64(i.DataSegsOut) },
	"tcpi_data_segs_in":   func(i *tcp.Info) int64 { return int64(i.DataSegsIn) },
	"tcpi_notsent_bytes":  func(i *tcp.Info) int64 { return int64(i.NotSent) },
	"tcpi_rcv_ooopack":    func(i *tcp.Info) int64 { return int64(i.RcvOutOfOrder) },
	"tcpi_snd_wnd":        func(i *tcp.Info) int64 { return int64(i.SndWnd) },
	"tcpi_sacked":         func(i *tcp.Info) int64 { return int64(i.Sacked) },
	"tcpi_lost":           func(i *tcp.Info) int64 { return int64(i.Lost) },
	"tcpi_retrans":        func(i *tcp.Info) int64 { return int64(i.Retrans) },
	"tcpi_reordering":     func(i *tcp.Info) int64 { return int64(i.Reordering) },
	"tcpi_reord_seen":     func(i *tcp.Info) int64 { return int64(i.ReordSeen) },
	"tcpi_dsack_dups":     func(i *tcp.Info) int64 { return int64(i.DSACKDups) },
	"tcpi_delivered":      delivered,
	"tcpi_delivery_rate":  func(i *tcp.Info) int64 { return i.DeliveryRate },
	"tcpi_pacing_rate":    func(i *tcp.Info) int64 { return i.PacingRate },
	"tcpi_busy_time":      func(i *tcp.Info) int64 { return i.BusyTime.Microseconds() },
	"tcpi_rwnd_limited":   func(i *tcp.Info) int64 { return i.RwndLimited.Microseconds() },
	"tcpi_sndbuf_limited": func(i *tcp.Info) int64 { return i.SndbufLimited.Microseconds() },
	"tcpi_rcv_wnd":        func(i *tcp.Info) int64 { return int64(i.RcvWnd) },
	"SK_MEMINFO_RCVBUF":   func(i *tcp.Info) int64 { return int64(i.RecvBuffer) },
}

func segments(bytes, mss int) int64 { return int64((bytes + mss - 1) / max(mss, 1)) }

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

func threshold(i *tcp.Info) int64 {
	if i.SndSsthresh >= infiniteThreshold {
		return infiniteThreshold
	}
	return int64(i.SndSsthresh / max(i.SndMSS, 1))
}

func caState(i *tcp.Info) int64 {
	switch i.CAState {
	case "disorder":
		return 1
	case "cwr":
		return 2
	case "recovery":
		return 3
	case "loss":
		return 4
	}
	return 0
}

// delivered counts segments; the SYN is one, with its text.
func delivered(i *tcp.Info) int64 {
	return segments(int(i.Delivered), i.SndMSS) + int64(min(i.SndUna, 1))
}

func infoOptions(i *tcp.Info) int64 {
	n := int64(0)
	if i.Timestamps {
		n |= 1
	}
	if i.SACK {
		n |= 2
	}
	if i.WindowScale {
		n |= 4
	}
	if i.ECN {
		n |= 8
	}
	if i.ECNSeen {
		n |= 16
	}
	if i.SynData {
		n |= 32
	}
	return n
}
