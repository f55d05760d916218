package trivet

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/trivet-net/trivet/engine"
)

// Flood tells of a SYN flood (RFC 4987): more SYNs than the SYN queue of a listener
// holds.
type Flood struct {
	Listener netip.AddrPort // without an address: of all
	SYNs     uint64         // that found the SYN queue full so far
	Took     time.Duration  // since the first of them
	Cookies  bool           // they are answered, with SYN cookies, unless the accept queue is full, too
	Over     bool           // it has ended
}

const (
	// floodMeasure is how long the rate of a flood is measured before Config.Flood
	// is told, and floodQuiet how long a listener must have had room for a flood to be
	// over.
	floodMeasure = time.Second
	floodQuiet   = time.Minute
)

// String returns a line for a log: "SYN flood on :80: 71,000 SYN/s, cookies on".
func (f Flood) String() string {
	addr := f.Listener.String()
	if ip := f.Listener.Addr(); !ip.IsValid() || ip.IsUnspecified() {
		addr = fmt.Sprintf(":%d", f.Listener.Port())
	}
	if f.Over {
		return fmt.Sprintf("SYN flood on %s is over: %s SYNs in %v", addr, thousands(f.SYNs), f.Took.Round(time.Second))
	}
	cookies := "off"
	if f.Cookies {
		cookies = "on"
	}
	rate := uint64(float64(f.SYNs) / f.Took.Seconds())
	return fmt.Sprintf("SYN flood on %s: %s SYN/s, cookies %s", addr, thousands(rate), cookies)
}

// thousands writes n with commas.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// watchFlood tells Config.Flood of the flood that has just begun, and of its end.
// It began when b had counted before.
func (l *Listener) watchFlood(b *engine.Backlog, before uint64) {
	begin := time.Now()
	l.stack.mu.Lock() // until the listener is whole
	f := Flood{Listener: l.addr, Cookies: l.stack.cfg.SynCookies != engine.CookiesNever}
	l.stack.mu.Unlock()
	tick := time.NewTicker(floodMeasure)
	defer tick.Stop()
	for told, last := false, begin; ; {
		select {
		case <-l.closed:
			return
		case <-tick.C:
		}
		now := time.Now()
		n := b.SynOverflows() - before
		if n != f.SYNs {
			last, f.SYNs, f.Took = now, n, now.Sub(begin)
		}
		switch {
		case !told:
			told = true
			l.stack.cfg.Flood(f)
		case now.Sub(last) >= floodQuiet:
			b.EndFlood()
			f.Over = true
			l.stack.cfg.Flood(f)
			return
		}
	}
}
