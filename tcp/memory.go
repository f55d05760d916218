package tcp

import "github.com/trivet-net/trivet/internal/block"

// least is what a connection may hold in each direction however little memory
// is left, one block: without it one could wait for ever for what others hold.
const least = block.Small

// memoryLeft returns how many bytes the buffers of all connections may still
// take up, in whole blocks.
func (c *Conn) memoryLeft() int {
	left := max(0, c.cfg.MaxMemory-int(c.cfg.Counters.Memory))
	return left - left%block.Small
}

// account tells Counters what the buffers pin now. It is called whenever bytes
// came or went.
func (c *Conn) account() {
	held := c.sndbuf.pins() + c.rcvbuf.pins()
	if c.ooo != nil {
		// Each range pins a block at least.
		held += c.ooo.size + len(c.ooo.ranges)*block.Small
	}
	c.cfg.Counters.Memory += int64(held - int(c.held))
	c.held = int32(held)
}

// sendLimit is how many bytes the send buffer may hold: SO_SNDBUF, less when
// memory is short. As in a switch with dynamic queue thresholds, nobody holds more
// than is left for all others, so that those who came first give way to those
// who come later, and all end up with the same.
func (c *Conn) sendLimit() int {
	return min(c.sendBufferSize(), max(c.memoryLeft(), c.sndbuf.size+c.sndbuf.spare()))
}

// recvLimit is how many bytes the receive buffer should hold: SO_RCVBUF, less
// when memory is short. A window is a promise to one of many, so that it is a
// part of what is left.
func (c *Conn) recvLimit() int {
	return min(int(c.rcv.space), max(c.memoryLeft()/4, c.rcvbuf.size+c.rcvbuf.spare()))
}

// mayKeep returns how many of n bytes in order may be kept. Only when memory
// is short are they less than the window let in, for windows promise more than
// there is; the rest comes again, as if the network had lost it.
func (c *Conn) mayKeep(n int) int { return min(n, max(c.memoryLeft(), c.rcvbuf.spare())) }

// spare returns how many bytes a buffer may take up that has no memory but its
// own.
func (b *sendBuffer) spare() int {
	if b.empty() {
		return least
	}
	return room(b.tail())
}

func (b *recvBuffer) spare() int {
	switch {
	case b.empty():
		return least
	case b.owned:
		return room(b.tail())
	}
	return 0
}

// noMemory handles data that cannot be kept although the window let it in: it
// is dropped, and an ACK tells what there is room for.
func (c *Conn) noMemory(now Time) {
	c.rule(now, RuleNoMemory)
	c.cfg.Counters.MemoryFull++
	c.rcv.shrunk = true
	c.rcv.told = c.rcv.adv
	c.wants.ack = true
	if c.rcvmem != nil {
		// What lies behind a gap gives way: were its memory to keep the window
		// closed, the gap could not be filled.
		c.rcvmem.refused = true
		c.dropGaps()
	}
}
