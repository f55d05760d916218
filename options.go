package trivet

import (
	"net"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// What package net makes of zero fields of a net.KeepAliveConfig.
const (
	defaultKeepAliveIdle     = 15 * time.Second
	defaultKeepAliveInterval = 15 * time.Second
	defaultKeepAliveCount    = 9
)

// The largest values that Linux takes (TCP_KEEPIDLE, TCP_KEEPINTVL,
// TCP_KEEPCNT, TCP_SYNCNT), and both ends of TCP_MAXSEG.
const (
	maxKeepAlive      = 32767 * time.Second
	maxKeepAliveCount = 127
	maxSynRetries     = 127
	minMaxSeg         = 88
	maxMaxSeg         = 32767
)

// setKeepAlive puts cfg into o as package net understands it: zero is a
// default, negative leaves the value as it is.
func setKeepAlive(o *tcp.Options, cfg net.KeepAliveConfig) error {
	idle, interval, count := cfg.Idle, cfg.Interval, cfg.Count
	if idle == 0 {
		idle = defaultKeepAliveIdle
	}
	if interval == 0 {
		interval = defaultKeepAliveInterval
	}
	if count == 0 {
		count = defaultKeepAliveCount
	}
	if idle > maxKeepAlive || interval > maxKeepAlive || count > maxKeepAliveCount {
		return syscall.EINVAL
	}
	o.KeepAlive = cfg.Enable
	if idle > 0 {
		o.KeepIdle = idle
	}
	if interval > 0 {
		o.KeepInterval = interval
	}
	if count > 0 {
		o.KeepCount = count
	}
	return nil
}

// startOptions returns the options of a new connection as package net has
// them: NoDelay on, and keep-alive on unless keepAlive is negative.
func (s *Stack) startOptions(o tcp.Options, keepAlive time.Duration, cfg net.KeepAliveConfig) (tcp.Options, error) {
	o = s.cfg.options(o)
	o.NoDelay = true
	if !cfg.Enable && keepAlive >= 0 {
		cfg = net.KeepAliveConfig{Enable: true, Idle: keepAlive}
	}
	o.KeepAlive, o.KeepIdle, o.KeepInterval, o.KeepCount = false, 0, 0, 0
	err := checkOptions(&o)
	if err == nil && cfg.Enable {
		err = setKeepAlive(&o, cfg)
	}
	return o, sysError("setsockopt", err)
}

// checkOptions returns what Linux's setsockopt says of values that it refuses:
// EINVAL, and ENOENT for a congestion control that is not known. Zero stands
// for a default and is always right.
func checkOptions(o *tcp.Options) error {
	switch {
	case o.KeepIdle < 0, o.KeepIdle > maxKeepAlive,
		o.KeepInterval < 0, o.KeepInterval > maxKeepAlive,
		o.KeepCount < 0, o.KeepCount > maxKeepAliveCount,
		o.UserTimeout < 0,
		o.SynRetries < 0, o.SynRetries > maxSynRetries,
		o.MaxSeg != 0 && (o.MaxSeg < minMaxSeg || o.MaxSeg > maxMaxSeg):
		return syscall.EINVAL
	case !tcp.KnownCongestion(o.Congestion):
		return syscall.ENOENT
	}
	return nil
}

// setOptions lets change change the socket options.
func (c *Conn) setOptions(change func(*tcp.Options) error) error {
	return c.opError("set", sysError("setsockopt", c.changeOptions(change)))
}

func (c *Conn) changeOptions(change func(*tcp.Options) error) error {
	now := c.shard.lock()
	err := net.ErrClosed
	if !c.closed {
		o := c.e.Options()
		if err = change(&o); err == nil {
			c.e.SetOptions(now, o)
		}
	}
	c.shard.settle(now)
	return err
}

// Options returns the socket options in force; tcp.Options names them as
// setsockopt does.
func (c *Conn) Options() tcp.Options {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.e.Options()
}

// SetOptions sets all socket options at once: change what Options returns. It
// sets none, and fails, where Linux's setsockopt would refuse one: EINVAL, and
// ENOENT for a congestion control that is not known.
func (c *Conn) SetOptions(o tcp.Options) error {
	return c.setOptions(func(old *tcp.Options) error {
		*old = o
		return checkOptions(&o)
	})
}

// SetQuickAck says how the next segments are acknowledged (TCP_QUICKACK): at
// once, as at the beginning of a connection, or with the usual delay. It does
// not last: after some segments the delay is in force again.
func (c *Conn) SetQuickAck(quick bool) error {
	return c.set(func(now tcp.Time) { c.e.SetQuickAck(now, quick) })
}

// set calls f, which sets an option of its own, unless the connection is closed.
func (c *Conn) set(f func(tcp.Time)) error {
	now := c.shard.lock()
	err := net.ErrClosed
	if !c.closed {
		err = nil
		f(now)
	}
	c.shard.settle(now)
	return c.opError("set", err)
}

// SetCongestion sets the congestion control: a name of tcp.Congestions, or ""
// for that of the Stack. Another name is ENOENT, as setsockopt has it for
// TCP_CONGESTION.
func (c *Conn) SetCongestion(name string) error {
	return c.setOptions(func(o *tcp.Options) error {
		o.Congestion = name
		return checkOptions(o)
	})
}

// SetNoDelay sends small segments at once (true, the default), or holds them
// back while others are on their way (Nagle's algorithm, TCP_NODELAY). When it
// is set, even again, what waits is sent, and be it for Cork (tcp(7)).
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.set(func(now tcp.Time) { c.e.SetNoDelay(now, noDelay) })
}

// SetKeepAlive turns keep-alive probes on or off (SO_KEEPALIVE). They are on by
// default.
func (c *Conn) SetKeepAlive(keepAlive bool) error {
	return c.setOptions(func(o *tcp.Options) error {
		o.KeepAlive = keepAlive
		return nil
	})
}

// SetKeepAlivePeriod sets how long the connection must be idle before the
// first keep-alive probe (TCP_KEEPIDLE). Zero: 15 s. Negative: as it is.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setOptions(func(o *tcp.Options) error {
		return setKeepAlive(o, net.KeepAliveConfig{Enable: o.KeepAlive, Idle: d, Interval: -1, Count: -1})
	})
}

// SetKeepAliveConfig sets all that concerns keep-alive (SO_KEEPALIVE,
// TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). Zero fields of cfg mean 15 s, 15 s
// and 9 probes, negative ones leave the value as it is.
func (c *Conn) SetKeepAliveConfig(cfg net.KeepAliveConfig) error {
	return c.setOptions(func(o *tcp.Options) error { return setKeepAlive(o, cfg) })
}

// SetReadBuffer sets the size of the receive buffer in bytes (SO_RCVBUF). It
// bounds the window offered to the peer, which never shrinks from the right.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.setBuffer(func(o *tcp.Options) { o.RecvBuffer = max(bytes, 1) })
}

// SetWriteBuffer sets the size of the send buffer in bytes (SO_SNDBUF): what
// may be written before the peer has acknowledged it.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.setBuffer(func(o *tcp.Options) { o.SendBuffer = max(bytes, 1) })
}

// setBuffer lets set change a buffer size. Zero would be the default, so the
// least that set asks for is 1 byte, which package tcp raises to its minimum.
func (c *Conn) setBuffer(set func(*tcp.Options)) error {
	err := c.changeOptions(func(o *tcp.Options) error {
		set(o)
		return nil
	})
	if err != nil {
		return c.localError("set", err)
	}
	return nil
}

// SetLinger says what Close does while data is unsent or unacknowledged
// (SO_LINGER): negative (the default) sends it in the background, 0 drops it
// and resets the connection, and sec > 0 waits up to that many seconds for it.
func (c *Conn) SetLinger(sec int) error {
	return c.setOptions(func(*tcp.Options) error {
		c.linger = int32(max(-1, min(sec, 1<<30)))
		return nil
	})
}
