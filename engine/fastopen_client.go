package engine

import (
	"bytes"
	"cmp"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// The client's part of TCP Fast Open (RFC 7413).
const (
	// maxFastOpens bounds the servers that are remembered.
	maxFastOpens = 1024
	// fastOpenMaxPauses is how often Config.FastOpenPause doubles at most.
	fastOpenMaxPauses = 8
	// fastOpenTries is after how many failures a server is not tried, of those for
	// which there may be another reason: a SYN may get lost, and its cookie not be
	// why. One SYN,ACK that leaves out the text and brings no new cookie is enough.
	fastOpenTries = 2
)

// fastOpenPath is a client's and a server's address. A cookie is good for all
// ports, number 0 here; a port where Fast Open failed is known by itself (RFC 7413,
// Section 4.1.3.1).
type fastOpenPath struct {
	local, remote wire.Addr
	port          uint16
}

// fastOpens remembers cookies of servers, and where Fast Open failed.
type fastOpens map[fastOpenPath]fastOpen

type fastOpen struct {
	cookie   wire.FastOpen
	mss      uint16
	unheard  fastOpenForms // in which a cookie was asked for in vain
	failures uint8
	failed   tcp.Time // the last time
	used     tcp.Time
}

// fastOpenForms are forms of the option.
type fastOpenForms uint8

const (
	formStandard fastOpenForms = 1 << iota
	formExperimental
)

// paused reports whether the server is not to be tried: for a time that grows with
// each failure (RFC 7413, Section 4.1.3.1; R7413-10).
func (f *fastOpen) paused(now tcp.Time, pause time.Duration) bool {
	return f.failures >= fastOpenTries && now.Sub(f.failed) < pause<<min(f.failures, fastOpenMaxPauses)
}

// tell tells a connection that opens what its SYN has.
func (m fastOpens) tell(now tcp.Time, pause time.Duration, o *tcp.Open) {
	path := fastOpenPath{o.Tuple.LocalAddr, o.Tuple.RemoteAddr, o.Tuple.RemotePort}
	if f := m[path]; f.paused(now, pause) {
		return
	}
	path.port = 0
	f := m[path]
	o.PeerMSS = f.mss
	if o.SynText = o.Options.FastOpenNoCookie; o.SynText {
		return
	}
	o.FastOpen = f.cookie
	o.FastOpen.Present = true
	if f.cookie.Len == 0 {
		// RFC 7413, Section 4.1.1: older servers know the form of the experiment
		// only. It is tried once, as on Linux.
		o.FastOpen.Experimental = f.unheard == formStandard
	}
}

// dialled learns what became of an open by Fast Open.
func (e *Engine) dialled(now tcp.Time, c *Conn) {
	if o, ok := c.tcp.TakeFastOpen(); ok {
		e.fastOpens.learn(now, c.tcp.ID(), &o)
	}
}

// learn takes how an active open fared.
func (m *fastOpens) learn(now tcp.Time, t *wire.FourTuple, o *tcp.FastOpenOutcome) {
	path := fastOpenPath{t.LocalAddr, t.RemoteAddr, 0}
	if o.Cookie.Len > 0 || o.MSS != 0 {
		f := (*m)[path]
		f.mss, f.used = o.MSS, now
		switch {
		case o.Cookie.Len > 0:
			f.cookie, f.unheard = o.Cookie, 0
		case o.Asked && !o.Again && o.Experimental:
			f.unheard |= formExperimental
		case o.Asked && !o.Again:
			f.unheard |= formStandard
		}
		m.put(path, f)
	}
	path.port = t.RemotePort
	f := (*m)[path]
	switch {
	case o.BlackHole, o.Failed:
		f.failures = max(f.failures+1, fastOpenTries)
	case o.Taken, o.Cookie.Len > 0:
		delete(*m, path)
		return
	case o.Text && !o.Again && o.MSS != 0:
		// RFC 7413, Section 4.1.3.1: it saw the text and did not acknowledge it.
		f.failures = max(f.failures+1, fastOpenTries)
	case o.Again, o.Text:
		f.failures++
	default:
		return
	}
	f.failures = min(f.failures, fastOpenMaxPauses)
	f.failed, f.used = now, now
	m.put(path, f)
}

// put remembers f.
func (m *fastOpens) put(path fastOpenPath, f fastOpen) {
	if *m == nil {
		*m = make(fastOpens)
	}
	if _, known := (*m)[path]; !known && len(*m) >= maxFastOpens {
		m.forgetOldest()
	}
	(*m)[path] = f
}

// forgetOldest makes room.
func (m *fastOpens) forgetOldest() {
	var oldest fastOpenPath
	first := true
	for p, f := range *m {
		if first || cmp.Or(cmp.Compare(f.used, (*m)[oldest].used), p.compare(&oldest)) < 0 {
			oldest, first = p, false
		}
	}
	delete(*m, oldest)
}

func (p *fastOpenPath) compare(q *fastOpenPath) int {
	return cmp.Or(bytes.Compare(p.remote[:], q.remote[:]), bytes.Compare(p.local[:], q.local[:]), cmp.Compare(p.port, q.port))
}
