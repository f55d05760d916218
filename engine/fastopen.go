package engine

import (
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// The server's part of TCP Fast Open (RFC 7413).
const (
	// fastOpenCookieLen is the length of our cookies.
	fastOpenCookieLen = 8
	// fastOpenEpoch is how long cookies are made with one key (Section 4.1.2);
	// those of the key before are good, too, and replaced.
	fastOpenEpoch = 24 * time.Hour
	// fastOpenResetTime is how long a connection by Fast Open that was reset
	// before the handshake was over counts as waiting for that: an attacker who
	// sends forged SYNs may let the true owner of the address do that (Section 5.1).
	fastOpenResetTime = 60 * time.Second
)

// fastOpenKeys are the keys of cookies: the first makes them, all are good.
type fastOpenKeys struct {
	list  []key
	epoch int64
}

// FastOpenKey is a key of TCP_FASTOPEN_KEY.
type FastOpenKey [16]byte

// SetFastOpen lets so many connections of the listener be opened by Fast Open that
// are not accepted by the handshake yet (TCP_FASTOPEN); 0: none, as at first.
func (l *Listener) SetFastOpen(pending int) { l.backlog.fastLimit.Store(int32(max(pending, 0))) }

// SetFastOpenKeys sets the keys of the listener's cookies, in place of the host's
// own that change every day (TCP_FASTOPEN_KEY). The first key makes them, those of
// the others are good, too. As on Linux, a cookie is SipHash-2-4 of the addresses
// of client and server, so that several hosts can share keys.
func (l *Listener) SetFastOpenKeys(keys ...FastOpenKey) {
	l.fastKeys = nil
	for _, k := range keys {
		l.fastKeys = append(l.fastKeys, key{binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])})
	}
}

// fastOpenKeysOf returns the keys of the listener's cookies at now.
func (e *Engine) fastOpenKeysOf(now tcp.Time, l *Listener) []key {
	if l.fastKeys != nil {
		return l.fastKeys
	}
	epoch := int64(now) / int64(fastOpenEpoch)
	if k := &e.fastKeys; k.list == nil || k.epoch != epoch {
		k.epoch, k.list = epoch, k.list[:0]
		for i := range int64(2) {
			label := binary.LittleEndian.AppendUint64([]byte("fast open"), uint64(epoch-i))
			k.list = append(k.list, deriveKey(&e.cfg.Secret, string(label)))
		}
	}
	return e.fastKeys.list
}

// fastOpenCookie returns the cookie of a client.
func fastOpenCookie(k *key, t *wire.FourTuple, experimental bool) wire.FastOpen {
	from := 0
	if t.LocalAddr.Is4() {
		from = len(t.LocalAddr) - 4
	}
	b := append(append(make([]byte, 0, 32), t.RemoteAddr[from:]...), t.LocalAddr[from:]...)
	f := wire.FastOpen{Present: true, Experimental: experimental, Len: fastOpenCookieLen}
	binary.LittleEndian.PutUint64(f.Cookie[:], siphash(k, 2, 4, b))
	return f
}

// openFast looks at the SYN in e.seg: whether it opens a connection at once, by Fast
// Open, and if not whether its SYN,ACK gets a cookie. RFC 7413, Section 4.2.2: a
// client whose cookie is wrong gets a good one, and all is as usual.
func (e *Engine) openFast(now tcp.Time, l *Listener, t *wire.FourTuple, hash uint32, iss seqnum.Value) (opened, cookie bool) {
	asked := &e.seg.Options.FastOpen
	if l.backlog.fastLimit.Load() == 0 || !(asked.Present || (l.fastAnyone && e.seg.PayloadLen > 0)) {
		return false, false
	}
	if !e.fastOpenRoom(now, l) {
		e.rule(now, t, tcp.RuleFastOpenFull)
		return false, false
	}
	if l.fastAnyone {
		return e.acceptFast(now, l, t, hash, iss, wire.FastOpen{}), false
	}
	keys := e.fastOpenKeysOf(now, l)
	for i := range keys {
		good := fastOpenCookie(&keys[i], t, asked.Experimental)
		if subtle.ConstantTimeCompare(asked.Bytes(), good.Bytes()) == 0 {
			continue
		}
		renewed := wire.FastOpen{}
		if i > 0 {
			renewed = fastOpenCookie(&keys[0], t, asked.Experimental)
		}
		if e.acceptFast(now, l, t, hash, iss, renewed) {
			return true, false
		}
	}
	return false, true
}

// fastOpenRoom reports whether one more connection may wait for the end of its
// handshake, and forgets resets that are too long ago to count.
func (e *Engine) fastOpenRoom(now tcp.Time, l *Listener) bool {
	b := l.backlog
	for len(l.fastResets) > 0 && l.fastResets[0].Due(now) {
		l.fastResets = l.fastResets[1:]
		b.fast.Add(-1)
	}
	return b.fast.Load() < b.fastLimit.Load()
}

// acceptFast makes a connection of l's from the SYN in e.seg, which can be
// accepted at once. It reports false when there is no room.
func (e *Engine) acceptFast(now tcp.Time, l *Listener, t *wire.FourTuple, hash uint32, iss seqnum.Value, cookie wire.FastOpen) bool {
	if !l.backlog.take(e.cfg.MaxBacklog) {
		return false
	}
	l.backlog.fast.Add(1)
	hs := e.openOf(l, t)
	hs.ISS, hs.IRS, hs.Window, hs.Peer = iss, e.seg.Seq, e.seg.Window, e.seg.Options
	hs.ECN = tcp.AsksForECN(e.tcp, &e.seg)
	e.paths.tell(now, &hs.Open)
	e.rule(now, t, tcp.RuleFastOpenAccepted)
	e.edge(now, t, tcp.StateListen, tcp.StateSynReceived, tcp.RuleFastOpenAccepted)
	c := &Conn{ipID: uint16(hash), early: l}
	c.tcp.AcceptFast(now, e.tcp, &hs, &e.seg, cookie)
	e.attach(c, hash)
	e.settle(now, c)
	l.push(c)
	return true
}

// handshakeOver takes c out of those that wait for the end of their handshake. One
// that failed counts for some time more.
func (e *Engine) handshakeOver(now tcp.Time, c *Conn) {
	if c.tcp.State() == tcp.StateClosed {
		c.early.fastResets = append(c.early.fastResets, now.Add(fastOpenResetTime))
	} else {
		c.early.backlog.fast.Add(-1)
	}
	c.early = nil
}
