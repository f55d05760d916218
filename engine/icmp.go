package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// inputICMP handles an ICMP or ICMPv6 message.
func (e *Engine) inputICMP(now tcp.Time, _ *wire.Packet) {
	e.stats.ICMPIn++
	e.drop(now, wire.DropICMPType)
}

// inputUnknown handles a packet of a protocol that we do not speak.
func (e *Engine) inputUnknown(now tcp.Time, _ *wire.Packet) {
	e.drop(now, wire.DropProtocol)
}
