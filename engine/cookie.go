package engine

import (
	"encoding/binary"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// A SYN cookie is an initial sequence number that says all that has to be
// remembered of a SYN, so that nothing is, and that nobody else can make (RFC
// 4987, Section 3.6). It is laid out as on Linux:
//
//	cookie = H0(4-tuple) + client's ISN + count<<24 + (H1(4-tuple, count) + MSS index) mod 2^24
//
// count being minutes. What else the SYN offered goes into the lowest bits of
// the timestamp, which the client echoes; a client without timestamps gets
// neither window scaling nor SACK. When the ACK that completes the handshake is
// lost, the host does not know of the connection: a client that waits to be
// spoken to may hang.

// SynCookies says which SYNs are answered with cookies.
type SynCookies uint8

// The SYNs that are answered with cookies, as net.ipv4.tcp_syncookies has it.
const (
	CookiesWhenFull SynCookies = iota // those that find the SYN queue full
	CookiesAlways                     // all: there is no SYN queue
	CookiesNever                      // none: they are dropped when it is full
)

const (
	cookiePeriod = time.Minute
	// cookieAge is for how many periods a cookie is good.
	cookieAge = 2
	// cookieKeyPeriods is for how many the keys are.
	cookieKeyPeriods = 60
	// cookieMask covers the part of a cookie below the count.
	cookieMask = 1<<24 - 1
)

// The lowest bits of a timestamp that goes with a cookie.
const (
	cookieWScale   = 15 // the mask, and the value for none
	cookieSACK     = 1 << 4
	cookieECN      = 1 << 5
	cookieBits     = 1<<6 - 1
	noCookieWScale = cookieWScale
)

// cookieMSS and cookieMSS6 are the segment sizes that a cookie can tell, for
// IPv4 and IPv6: those of common links.
var (
	cookieMSS  = [4]uint16{536, 1300, 1440, 1460}
	cookieMSS6 = [4]uint16{1280 - 60, 1480 - 60, 1500 - 60, 9000 - 60}
)

func cookieSizes(t *wire.FourTuple) *[4]uint16 {
	if t.LocalAddr.Is4() {
		return &cookieMSS
	}
	return &cookieMSS6
}

// cookieCount is the number of the period at now, on the clock that hosts share.
func (e *Engine) cookieCount(now tcp.Time) uint32 {
	return uint32((time.Duration(now) + e.cfg.CookieEpoch) / cookiePeriod)
}

// cookieKeys are the keys of an hour's cookies: of all of a cookie, and of its lower
// part, which changes with time.
type cookieKeys struct {
	hour     uint32 // from 1
	all, low key
}

// cookieKeys returns the keys of a period. Two are kept, for a cookie of the hour
// before may still be good. RFC 4987, Section 3.6: the secret changes often enough
// that what one was used for tells nothing about the next.
func (e *Engine) cookieKeys(count uint32) *cookieKeys {
	hour := count/cookieKeyPeriods + 1
	k := &e.cookies[hour%2]
	if k.hour != hour {
		label := binary.LittleEndian.AppendUint32([]byte("cookie"), hour)
		k.hour, k.all = hour, deriveKey(e.cookieSecret(), string(label))
		k.low = deriveKey(e.cookieSecret(), string(label)+", lower part")
	}
	return k
}

// cookieSecret is what makes cookies, and the timestamps that go with them.
func (e *Engine) cookieSecret() *[32]byte {
	if e.sharesCookies() {
		return &e.cfg.CookieSecret
	}
	return &e.cfg.Secret
}

// sharesCookies reports whether other hosts make cookies that are good here.
func (e *Engine) sharesCookies() bool { return e.cfg.CookieSecret != [32]byte{} }

// cookie returns the cookie for a SYN with sequence number irs. data is less
// than 2^24.
func (e *Engine) cookie(t *wire.FourTuple, irs seqnum.Value, count, data uint32) seqnum.Value {
	k := e.cookieKeys(count)
	low := (uint32(k.low.hashWith(t, count)) + data) & cookieMask
	return seqnum.Value(uint32(k.all.hashStrong(t)) + uint32(irs) + count<<24 + low)
}

// cookieData returns what a cookie says, and whether it is one of ours that is
// not too old.
func (e *Engine) cookieData(now tcp.Time, t *wire.FourTuple, irs, cookie seqnum.Value) (data uint32, ok bool) {
	newest := e.cookieCount(now)
	for count := newest; newest-count < cookieAge; count-- {
		k := e.cookieKeys(count)
		x := uint32(cookie) - uint32(k.all.hashStrong(t)) - uint32(irs)
		if x>>24 != count&0xff {
			continue
		}
		data = (x - uint32(k.low.hashWith(t, count))) & cookieMask
		return data, data < uint32(len(cookieMSS))
	}
	return 0, false
}

// wantsCookie reports whether a SYN to l is answered with a cookie. Those that
// find the SYN queue full are counted.
func (e *Engine) wantsCookie(l *Listener) bool {
	if l.backlog.full(e.cfg.MaxBacklog) {
		return false
	}
	full := e.queueFull(l)
	if full {
		l.synOverflow()
	}
	switch e.cfg.SynCookies {
	case CookiesAlways:
		return true
	case CookiesNever:
		return false
	}
	return full
}

// sendCookie answers the SYN in e.seg with a cookie.
func (e *Engine) sendCookie(now tcp.Time, l *Listener, t *wire.FourTuple) {
	e.rule(now, t, tcp.RuleCookieSent)
	e.stats.CookiesSent++
	l.cookieAt = now
	o := &e.seg.Options
	mss := uint32(0)
	for i, size := range cookieSizes(t) {
		if size <= o.MSS {
			mss = uint32(i)
		}
	}
	hs := e.openOf(l, t)
	hs.Peer = wire.Options{HasTS: o.HasTS, TSVal: o.TSVal}
	if o.HasTS && !e.tcp.NoTimestamps {
		hs.Peer.SACKPermitted, hs.Peer.HasWScale = o.SACKPermitted, o.HasWScale
	}
	seg := &e.reply
	seg.Reset()
	seg.Options, _, seg.Window = tcp.SynAckOptions(now, e.tcp, &hs)
	seg.Flags = wire.SYN | wire.ACK
	if seg.Options.HasTS {
		ecn := tcp.AsksForECN(e.tcp, &e.seg)
		if ecn {
			seg.Flags |= wire.ECE
		}
		seg.Options.TSVal = cookieTimestamp(seg.Options.TSVal, &seg.Options, o.WScale, ecn)
	}
	seg.Seq, seg.Ack = e.cookie(t, e.seg.Seq, e.cookieCount(now), mss), e.seg.Seq.Add(1)
	seg.TOS, seg.TTL = hs.Options.TOS, hs.Options.TTL
	e.send(now, t, seg)
}

// cookieTimestamp puts what is agreed on into the lowest bits of a timestamp,
// which becomes no later by that.
func cookieTimestamp(tsval uint32, agreed *wire.Options, wscale uint8, ecn bool) uint32 {
	bits := uint32(noCookieWScale)
	if agreed.HasWScale {
		bits = uint32(min(wscale, 14))
	}
	if agreed.SACKPermitted {
		bits |= cookieSACK
	}
	if ecn {
		bits |= cookieECN
	}
	v := tsval&^cookieBits | bits
	if int32(v-tsval) > 0 {
		v -= cookieBits + 1
	}
	return v
}

// awaitsCookies reports whether the listener sent a cookie not long ago: else
// an ACK is none, whatever it says, unless another host may have sent one.
func (l *Listener) awaitsCookies(now tcp.Time) bool {
	return l.engine.sharesCookies() || l.cookieAt != 0 && now.Sub(l.cookieAt) < cookieAge*cookiePeriod
}

// acceptCookie makes a connection if the segment in e.seg acknowledges a cookie,
// and reports whether it did, or would have if there were room.
func (e *Engine) acceptCookie(now tcp.Time, l *Listener, t *wire.FourTuple, hash uint32) bool {
	if e.seg.Flags&(wire.SYN|wire.RST|wire.ACK) != wire.ACK || !l.awaitsCookies(now) {
		return false
	}
	hs := e.openOf(l, t)
	hs.ISS, hs.IRS = e.seg.Ack.Add(^seqnum.Size(0)), e.seg.Seq.Add(^seqnum.Size(0))
	data, ok := e.cookieData(now, t, hs.IRS, hs.ISS)
	if !ok || !e.cookiePeer(&hs, data) {
		return false
	}
	if !l.backlog.take(e.cfg.MaxBacklog) {
		e.received(now, t)
		e.rule(now, t, tcp.RuleBacklogFull)
		e.stats.ListenOverflows++
		return true
	}
	_, hs.RcvWScale, hs.RcvWindow = tcp.SynAckOptions(now, e.tcp, &hs)
	e.rule(now, t, tcp.RuleCookieAccepted)
	e.stats.CookiesAccepted++
	e.edge(now, t, tcp.StateListen, tcp.StateSynReceived, tcp.RuleCookieAccepted)
	e.establish(now, e.tcp, l, &hs, hash)
	return true
}

// cookiePeer sets the options of the forgotten SYN, and reports whether they
// can have been agreed on.
func (e *Engine) cookiePeer(hs *tcp.Handshake, data uint32) bool {
	hs.Peer.MSS = cookieSizes(&hs.Tuple)[data]
	o := &e.seg.Options
	if !o.HasTS || e.tcp.NoTimestamps {
		return true
	}
	hs.Peer.HasTS, hs.Peer.TSVal = true, o.TSVal
	hs.Peer.SACKPermitted = o.TSEcr&cookieSACK != 0
	hs.ECN = o.TSEcr&cookieECN != 0
	if w := uint8(o.TSEcr & cookieWScale); w != noCookieWScale {
		hs.Peer.HasWScale, hs.Peer.WScale = true, w
	}
	return !(hs.ECN && e.tcp.ECN == tcp.ECNOff) && !(hs.Peer.SACKPermitted && e.tcp.NoSACK) && !(hs.Peer.HasWScale && e.tcp.NoWindowScale)
}
