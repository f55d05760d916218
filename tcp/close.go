package tcp

import "syscall"

// CloseRead ends reading: Read returns io.EOF once the buffer is empty. Nothing
// is sent; what the peer sends later is still taken and can be read, as with
// shutdown(SHUT_RD) on Linux.
func (c *Conn) CloseRead(now Time) error {
	if c.unconnected() {
		return syscall.ENOTCONN
	}
	c.readEnd = true
	c.call(now, "close-read", 0, nil)
	return nil
}

// CloseWrite sends FIN after the queued data: RFC 9293, Section 3.10.4, CLOSE.
// The other direction stays open. A second call does nothing.
func (c *Conn) CloseWrite(now Time) error {
	c.wake()
	defer c.rest(now)
	if c.unconnected() {
		return syscall.ENOTCONN
	}
	c.call(now, "close-write", 0, nil)
	c.closeWrite(now)
	return nil
}

// unconnected reports whether there is nothing yet, or no more, to shut down.
func (c *Conn) unconnected() bool {
	return c.state == StateClosed || (c.state == StateSynSent && !c.goneAhead())
}

func (c *Conn) closeWrite(now Time) {
	if c.finWant {
		return
	}
	switch c.state {
	case StateSynSent:
		// By Fast Open: the FIN follows when the SYN is acknowledged.
		c.finWant = true
		c.sendWaitingSyn(now)
	case StateSynReceived, StateEstablished:
		// In SYN-RECEIVED, unless data flows already, the buffer is empty: the FIN
		// can follow at once.
		c.finWant = true
		c.setState(now, StateFinWait1, RuleClose)
	case StateCloseWait:
		c.finWant = true
		c.setState(now, StateLastAck, RuleClose)
	}
	c.startUserTimeout(now)
}

// Close gives the connection up: FIN after the queued data, which is still
// sent and retransmitted. RFC 9293, Section 3.6.1 (SHLD-3): when there is
// received data that nobody read, RST at once, so that the peer learns that
// data was lost.
func (c *Conn) Close(now Time) {
	c.wake()
	defer c.rest(now)
	if c.orphan {
		return
	}
	c.call(now, "close", 0, nil)
	c.orphan, c.readEnd = true, true
	switch {
	case c.dead():
		c.rcvbuf.clear()
	case c.state == StateSynSent && !(c.goneAhead() && (c.sndbuf.size > 0 || c.finWant)):
		c.die(now, 0, RuleCloseSynSent)
	case c.rcvbuf.size > 0:
		c.wants.reset = true
		c.die(now, 0, RuleCloseUnread)
	default:
		c.closeWrite(now)
		if c.state == StateFinWait2 {
			c.startFinWait2(now)
		}
	}
}
