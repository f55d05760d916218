package engine

import (
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

const (
	// maxPaths bounds the path MTUs that are remembered.
	maxPaths = 1024
	// pathAge is how long.
	pathAge = tcp.PathMTUAge
)

// pathMTUs remembers the lower MTUs of paths, by destination, so that the next
// connection to it need not find out again (RFC 1191, Section 3).
type pathMTUs map[wire.Addr]pathMTU

type pathMTU struct {
	bytes   int
	expires tcp.Time
}

// lookup returns the MTU known of the path to a, zero for none.
func (m pathMTUs) lookup(now tcp.Time, a *wire.Addr) pathMTU {
	k, ok := m[*a]
	if ok && k.expires.Due(now) {
		delete(m, *a)
		return pathMTU{}
	}
	return k
}

// tell tells a connection that opens what is known of its path.
func (m pathMTUs) tell(now tcp.Time, o *tcp.Open) {
	k := m.lookup(now, &o.Tuple.RemoteAddr)
	o.KnownMTU, o.KnownUntil = k.bytes, k.expires
}

// learn remembers the MTU of the path to a. When there is no room, even after
// the old ones are forgotten, only the connection that found out knows.
func (m *pathMTUs) learn(now tcp.Time, a *wire.Addr, bytes int) {
	if *m == nil {
		*m = make(pathMTUs)
	}
	if _, known := (*m)[*a]; !known && len(*m) >= maxPaths {
		for b, k := range *m {
			if k.expires.Due(now) {
				delete(*m, b)
			}
		}
		if len(*m) >= maxPaths {
			return
		}
	}
	(*m)[*a] = pathMTU{bytes: bytes, expires: now.Add(pathAge)}
}
