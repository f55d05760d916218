package tcp

import (
	"math"
	"time"
)

// initialBuffer is the size, in bytes, of buffers that are tuned: enough for
// any path of a data centre.
const initialBuffer = 1 << 20

// tuneRTT is the shortest round-trip time for which buffers grow:
// under it initialBuffer carries 8 Gbit/s, and more in flight than the caches
// of the machine hold only costs.
const tuneRTT = time.Millisecond

// maxRecvBuffer is the most that the receive buffer may become.
func (o *Options) maxRecvBuffer(cfg *Config) int {
	if o.RecvBuffer != 0 {
		return o.RecvBuffer
	}
	return max(cfg.MaxRecvBuffer, o.recvBuffer(cfg))
}

// recvBuffer is what the receive buffer is at first.
func (o *Options) recvBuffer(cfg *Config) int {
	if o.RecvBuffer != 0 {
		return o.RecvBuffer
	}
	return cfg.InitialRecvBuffer
}

// sendBufferSize is what the send buffer may hold by its own measure: twice the
// congestion window, one for what is in flight and one for what follows it, as
// with Linux. On a path as short as a TUN device, where nothing is lost and the
// window has no bound, it stays what it is at first.
func (c *Conn) sendBufferSize() int {
	if c.opt.SendBuffer != 0 {
		return c.opt.SendBuffer
	}
	if c.rtt.min < tuneRTT {
		return initialBuffer
	}
	return max(initialBuffer, min(2*c.cc.window(), c.cfg.MaxSendBuffer))
}

// tuneReceive lets the receive buffer grow with the rate at which the user
// reads, so that the window is not what limits the peer (dynamic right-sizing,
// as Linux does it): once in a round trip, four times what was read in it, for
// a peer in slow start sends twice that much in the next, and the user learns of it
// a round trip late.
func (c *Conn) tuneReceive(now Time) {
	if c.opt.RecvBuffer != 0 || c.rtt.min < tuneRTT {
		return
	}
	took := now.Sub(c.rcv.tunedAt)
	if took < c.rtt.min {
		return
	}
	total := uint32(c.count.bytesReceived) - uint32(c.rcvbuf.size)
	read := float64(total-c.rcv.tuned) * float64(c.rtt.min) / float64(took)
	c.rcv.tunedAt, c.rcv.tuned = now, total
	c.growReceive(int(min(4*read, math.MaxInt32)))
}

// growReceive lets the receive buffer hold that many bytes at least, as far as
// it may grow.
func (c *Conn) growReceive(bytes int) {
	if c.rcvmem != nil {
		bytes = c.rcvmem.memoryOf(bytes)
	}
	c.rcv.space = max(c.rcv.space, int32(min(bytes, c.cfg.MaxRecvBuffer)))
}
