package engine

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

const (
	// maxPaths bounds the path MTUs that are remembered.
	maxPaths = 1024
	// pathAge is how long: RFC 1191, Section 6.3, RFC 8201, Section 5.3: after
	// ten minutes a larger packet is tried again.
	pathAge = 10 * time.Minute
)

// pathMTUs remembers the lower MTUs of paths, by destination, so that the next
// connection to it need not find out again (RFC 1191, Section 3).
type pathMTUs map[wire.Addr]pathMTU

type pathMTU struct {
	bytes   int
	expires tcp.Time
}

// lookup returns the MTU known of the path to a, 0 for none.
func (m pathMTUs) lookup(now tcp.Time, a *wire.Addr) int {
	k, ok := m[*a]
	if ok && k.expires.Due(now) {
		delete(m, *a)
		return 0
	}
	return k.bytes
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
