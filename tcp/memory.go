package tcp

import "github.com/trivet-net/trivet/internal/block"

// least is what a connection may hold in each direction however little memory
// is left: without it one could wait for ever for what others hold.
const least = block.Small

// memoryLeft returns how many bytes the buffers of all connections may still
// take up; never negative.
func (c *Conn) memoryLeft() int {
	return max(0, c.cfg.MaxMemory-int(c.cfg.Counters.Memory))
}

// account tells Counters what the buffers pin now. It is called whenever bytes
// came or went.
func (c *Conn) account() {
	held := c.sndbuf.pinned + c.rcvbuf.pinned
	if c.ooo != nil {
		// Each range pins a block at least.
		held += c.ooo.size + len(c.ooo.ranges)*block.Small
	}
	c.cfg.Counters.Memory += int64(held - c.held)
	c.held = held
}

// sendLimit is how many bytes the send buffer may hold: SO_SNDBUF, less when
// memory is short.
func (c *Conn) sendLimit() int {
	return min(c.opt.SendBuffer, max(c.sndbuf.size+c.memoryLeft(), least))
}

// recvLimit is how many bytes the receive buffer should hold: SO_RCVBUF, less
// when memory is short. A window is a promise to one of many: no connection is
// promised more than a part of what is left.
func (c *Conn) recvLimit() int {
	return min(c.opt.RecvBuffer, max(c.rcvbuf.size+c.memoryLeft()/4, least))
}

// mayKeep returns how many of n bytes in order may be kept. Only when memory
// is short are they less than the window let in, for windows promise more than
// there is; the rest comes again, as if the network had lost it.
func (c *Conn) mayKeep(n int) int {
	if n <= c.memoryLeft() {
		return n
	}
	return min(n, max(0, least-c.rcvbuf.size))
}

// noMemory handles data that cannot be kept although the window let it in: it
// is dropped, and an ACK tells what there is room for.
func (c *Conn) noMemory(now Time) {
	c.rule(now, RuleNoMemory)
	c.cfg.Counters.MemoryFull++
	c.rcv.shrunk = true
	c.rcv.told = c.rcv.adv
	c.wants.ack = true
}
