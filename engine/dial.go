package engine

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Dial opens a connection. A zero local address or port is chosen; errors are
// syscall.Errno: EADDRNOTAVAIL (no port, address not ours, or tuple in use, or
// of another shard), ENETUNREACH (no route, broadcast, multicast), EINVAL.
func (e *Engine) Dial(now tcp.Time, local, remote netip.AddrPort, opt tcp.Options) (*Conn, error) {
	t, via, err := e.endpoints(local, remote)
	if err != nil {
		return nil, err
	}
	var hash uint32
	if t.LocalPort == 0 {
		var ok bool
		if hash, ok = e.choosePort(now, &t); !ok {
			return nil, syscall.EADDRNOTAVAIL
		}
	} else {
		h := e.keys.table.hash(&t)
		hash = uint32(h)
		if shardOf(h, e.cfg.Shards) != e.cfg.Shard || !e.usable(now, &t, hash, reuseDelay) {
			return nil, syscall.EADDRNOTAVAIL
		}
	}
	o := tcp.Open{Tuple: t, ISS: e.iss(now, &t), TSOffset: e.tsOffset(&t), Path: via.path(), Options: opt}
	e.paths.tell(now, &o)
	if i := e.timeWaits.lookup(hash, &t); i != 0 {
		o.ISS = e.issAfter(now, &t, e.timeWaits.at(i).sndNxt)
		e.endTimeWait(now, i, tcp.RuleTimeWaitReuse)
	}
	c := &Conn{ipID: uint16(hash)}
	if opt.FastOpen {
		e.fastOpens.tell(now, e.cfg.FastOpenPause, &o)
	}
	c.tcp.Dial(now, e.tcp, &o)
	e.attach(c, hash)
	e.settle(now, c)
	return c, nil
}

// endpoints checks the addresses of a dial and completes the local one. RFC
// 9293, Section 3.9.1.1: no connection to a broadcast or multicast address
// (MUST-46); the local address is that of the route (MUST-44).
func (e *Engine) endpoints(local, remote netip.AddrPort) (t wire.FourTuple, via *Interface, err error) {
	from, to := local.Addr().Unmap().WithZone(""), remote.Addr().Unmap().WithZone("")
	switch {
	case !to.IsValid() || to.IsUnspecified():
		return t, nil, syscall.EINVAL
	case from.IsValid() && from.Is4() != to.Is4():
		return t, nil, syscall.EINVAL
	case remote.Port() == 0:
		return t, nil, syscall.EADDRNOTAVAIL
	}
	t.RemoteAddr, t.RemotePort, t.LocalPort = wire.AddrFrom(to), remote.Port(), local.Port()
	if !isUnicast(&t.RemoteAddr) || e.network.isBroadcast(&t.RemoteAddr) {
		return t, nil, syscall.ENETUNREACH
	}
	if via = e.network.find(&t.RemoteAddr); via == nil {
		return t, nil, syscall.ENETUNREACH
	}
	if !from.IsValid() || from.IsUnspecified() {
		if from = e.network.source(via, to); !from.IsValid() {
			return t, nil, syscall.EADDRNOTAVAIL
		}
	}
	t.LocalAddr = wire.AddrFrom(from)
	switch {
	case !e.network.isOwn(&t.LocalAddr):
		return t, nil, syscall.EADDRNOTAVAIL
	case isLoopback(&t.LocalAddr) && !via.Loopback:
		return t, nil, syscall.EINVAL
	}
	return t, via, nil
}
