package main

import (
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link/tun"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// hostStats is what /stats answers.
type hostStats struct {
	Stack       stackStats
	Device      tun.Stats
	Connections []connection
}

// stackStats are the counters of the stack. What it counts by reason has the
// reasons' names, and only those that happened.
type stackStats struct {
	engine.Stats
	TCP   tcpStats
	Drops map[string]uint64
}

type tcpStats struct {
	tcp.Counters
	Rules map[string]uint64
}

// connection is a line of the socket table.
type connection struct {
	State, Local, Remote string
	RecvQ, SendQ         int
	Timer                string `json:",omitempty"` // the next one, and when
}

func (h *host) stats() hostStats {
	s := h.stack.Stats().Stats
	stack := stackStats{
		Stats: s,
		TCP:   tcpStats{Counters: s.TCP, Rules: byName[tcp.Rule](s.TCP.Rules[:])},
		Drops: byName[wire.Drop](s.Drops[:]),
	}
	stats := hostStats{Stack: stack, Device: h.device.Stats()}
	now := h.stack.Now()
	for _, info := range h.stack.Connections() {
		stats.Connections = append(stats.Connections, describe(&info, now))
	}
	return stats
}

// byName returns the counts that are not zero by the name of their index.
func byName[T interface {
	~uint8
	String() string
}](counts []uint64) map[string]uint64 {
	m := make(map[string]uint64)
	for i, n := range counts {
		if n > 0 {
			m[T(i).String()] = n
		}
	}
	return m
}

func describe(info *engine.SocketInfo, now tcp.Time) connection {
	c := connection{
		State: info.State.String(),
		Local: info.Tuple.Local().String(),
		RecvQ: info.RecvQ, SendQ: info.SendQ,
	}
	if info.State != tcp.StateListen {
		c.Remote = info.Tuple.Remote().String()
	}
	if info.Expires != 0 {
		c.Timer = info.Timer.String() + " in " + info.Expires.Sub(now).Round(time.Millisecond).String()
	}
	return c
}
