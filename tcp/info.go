package tcp

import (
	"time"
)

// Info tells about one connection: what Linux's TCP_INFO tells, in its words,
// and the variables of RFC 9293, Section 3.3.1. Byte counts start at the
// opening of the connection; times are zero until known.
type Info struct {
	State State
	// InState is for how long it has been in that state.
	InState time.Duration

	// Negotiated options.
	Timestamps, SACK, WindowScale bool
	SynData                       bool // the text of the SYN was taken (TCPI_OPT_SYN_DATA)
	ECN, ECNSeen                  bool // ECNSeen: packets came that routers may mark
	SndWScale, RcvWScale          uint8

	// Timers and round-trip time.
	RTO, RTT, RTTVar, MinRTT time.Duration
	ATO                      time.Duration // delayed-ACK time-out
	Retransmits              int           // time-outs in a row without an answer
	Probes                   int           // zero-window or keep-alive probes without an answer
	Backoff                  int           // doublings of the time-out in force

	// Sizes, in bytes.
	SndMSS, RcvMSS, AdvMSS, PMTU int

	// Congestion control.
	Congestion  string // name of the algorithm
	CAState     string // open, disorder, cwr (after an ECN echo), recovery or loss
	SndCwnd     int    // bytes
	SndSsthresh int    // bytes
	InFlight    int    // bytes sent and neither acknowledged nor thought lost

	// Sequence variables, relative to ISS and IRS.
	SndUna, SndNxt, RcvNxt uint32
	ISS, IRS               uint32
	SndWnd, RcvWnd         int // bytes, scaled

	// Queues, in bytes.
	Unacked, NotSent, SendBuffer int // SIOCOUTQ is Unacked + NotSent
	Unread, RecvBuffer           int // SIOCINQ is Unread
	OutOfOrder                   int

	// Urgent is how many bytes from the next one to be read to the last of the
	// urgent data, which is in the stream as all other; 0: none.
	Urgent int

	// Totals.
	BytesSent, BytesAcked, BytesReceived, BytesRetrans uint64
	// Segments and ACKs are counted modulo 2^32, as in Linux's tcp_info.
	SegsOut, SegsIn, DataSegsOut, DataSegsIn uint64
	TotalRetrans                             uint64 // segments
	RcvOutOfOrder                            uint64 // segments
	DupAcksIn                                uint64

	// For how long something was outstanding or waited to be sent; and of that,
	// for how long the peer's window, or the send buffer, held it back.
	BusyTime, RwndLimited, SndbufLimited time.Duration

	// Loss recovery.
	Sacked     int    // segments outstanding that arrived, as SACK says
	Lost       int    // segments outstanding that are thought lost, those sent again included
	Retrans    int    // segments sent again that are under way
	LostTotal  uint64 // segments that were thought lost, in all
	DSACKDups  uint64 // duplicates that the peer reported (tcpi_dsack_dups)
	Spurious   uint64 // segments sent again that the peer had already, as it reported
	Undos      uint64 // recoveries that turned out to be needless
	Reordering int    // how far the path was seen to reorder, in segments, at least 3
	ReordSeen  uint64 // how often it was (tcpi_reord_seen)

	// Delivery rate, in bytes per second; 0: not known. AppLimited is whether
	// it was the application that held it so low (tcpi_delivery_rate).
	DeliveryRate int64
	AppLimited   bool
	PacingRate   int64  // 0: not paced
	Delivered    uint64 // bytes known to have arrived

	// How long ago.
	LastDataSent, LastDataRecv, LastAckRecv time.Duration

	// SoftError is the last soft error (an ICMP message) that did not end the
	// connection, or nil.
	SoftError error
}

// since returns how long ago t was, 0 if it never was.
func since(now, t Time) time.Duration {
	if t == 0 {
		return 0
	}
	return now.Sub(t)
}
