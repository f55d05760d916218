package sim

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Host is one machine of the network.
type Host struct {
	endpoint     *Endpoint
	network      *Network
	addr4, addr6 netip.Addr
	cfg          engine.Config
	engine       *engine.Engine
	boots        int
	down         bool // crashed
	dirty        bool // the engine may have something to send or to wake
	busy         bool // neither is done
	out          wire.Batch
}

// Name returns the host's name.
func (h *Host) Name() string { return h.endpoint.name }

func (h *Host) node() *station { return &h.endpoint.station }

// Addr returns the host's IPv4 address.
func (h *Host) Addr() netip.Addr { return h.addr4 }

// Addr6 returns the host's IPv6 address.
func (h *Host) Addr6() netip.Addr { return h.addr6 }

// Engine returns the host's stack, for questions: Stats, Sockets, StateOf.
// After Reboot it is another one.
func (h *Host) Engine() *engine.Engine { return h.engine }

// Reboot is a crash, and Boot at once. OnEvent is told of it as a call "reboot"
// of no connection.
func (h *Host) Reboot() {
	h.Crash()
	h.Boot()
}

// Crash makes the host forget every connection and listener, without a word to
// anyone. Callbacks of its old connections are never called. Until Boot it
// hears and says nothing.
func (h *Host) Crash() {
	if h.down {
		return
	}
	h.boot()
	h.down = true
}

// Boot starts the host anew after Crash, with the same addresses. OnEvent is
// told of it as a call "reboot" of no connection.
func (h *Host) Boot() {
	if !h.down {
		return
	}
	h.down = false
	if h.network.cfg.OnEvent != nil {
		h.network.cfg.OnEvent(h.Name(), &tcp.Event{Time: h.network.now, Kind: tcp.EventCall, Call: "reboot"})
	}
	for i := range h.endpoint.ports {
		h.addInterface(h.endpoint.Attachment(i))
	}
}

// SetBusy keeps the host from sending and its programs from being called, while
// what arrives is processed all the same: a processor that has other things to
// do. Set to false, it does at once what had to wait.
func (h *Host) SetBusy(busy bool) { h.busy = busy }

func (h *Host) boot() {
	n, cfg := h.network, h.cfg
	h.boots++
	if cfg.Secret == [32]byte{} {
		cfg.Secret = n.Secret(fmt.Sprintf("host %q %d", h.Name(), h.boots))
	}
	if trace := cfg.TCP.Trace; n.cfg.OnEvent != nil {
		cfg.TCP.Trace = func(e *tcp.Event) {
			n.cfg.OnEvent(h.Name(), e)
			if trace != nil {
				trace(e)
			}
		}
	}
	h.engine = engine.New(cfg)
	h.dirty = false
}

// addInterface tells the engine of a link. The addresses are the host's own
// alone; routes lead to the others.
func (h *Host) addInterface(p Attachment) {
	if h.down {
		return // Boot will
	}
	config := engine.Interface{Index: p.Index, MTU: p.MTU, MaxSuper: p.MaxSuper}
	for _, a := range p.Addrs {
		config.Prefixes = append(config.Prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
	err := h.engine.AddInterface(config)
	for _, r := range p.Routes {
		if err == nil {
			err = h.engine.AddRoute(r, p.Index)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("sim: interface %d of %s: %v", p.Index, h.Name(), err))
	}
}

// input hands an arrived packet to the engine.
func (h *Host) input(_ int, p *wire.Packet) {
	h.network.count()
	if h.down {
		return
	}
	h.engine.Input(h.network.now, p)
	h.dirty = true
	h.network.settle()
}

// output sends what the engine has to send.
func (h *Host) output() {
	for more := true; more; {
		more = h.engine.Output(h.network.now, &h.out)
		for i := range h.out.Packets {
			p := &h.out.Packets[i]
			if mtu := h.endpoint.ports[p.Link].mtu; p.SegSize == 0 && p.Len() > mtu {
				panic(fmt.Sprintf("sim: %s sends %d bytes over a link with MTU %d", h.Name(), p.Len(), mtu))
			}
			h.endpoint.Send(p.Link, p)
		}
		h.out.Release()
	}
}

// Dial opens a connection to an address and port, from a port of the host's
// choice. Await(tcp.Connected) tells when it is open; see engine.Engine.Dial
// for errors; a host that is down gives ENETDOWN.
func (h *Host) Dial(remote netip.AddrPort, opt tcp.Options) (*Conn, error) {
	return h.DialFrom(netip.AddrPort{}, remote, opt)
}

// DialFrom is Dial from a given local address or port, each of which may be
// zero.
func (h *Host) DialFrom(local, remote netip.AddrPort, opt tcp.Options) (*Conn, error) {
	if h.down {
		return nil, syscall.ENETDOWN
	}
	c, err := h.engine.Dial(h.network.now, local, remote, opt)
	if err != nil {
		return nil, err
	}
	h.dirty = true
	return newConn(h, c), nil
}

// Listen listens on a port, on all addresses, and calls accept for every
// connection.
func (h *Host) Listen(port uint16, accept func(*Conn)) (*Listener, error) {
	return h.ListenWith(netip.AddrPortFrom(netip.Addr{}, port), engine.ListenOptions{}, accept)
}

// ListenWith is Listen with all that an engine offers; its Waker is set here.
func (h *Host) ListenWith(addr netip.AddrPort, opt engine.ListenOptions, accept func(*Conn)) (*Listener, error) {
	if h.down {
		return nil, syscall.ENETDOWN
	}
	l := &Listener{host: h, boot: h.boots, accept: accept}
	opt.Waker = l
	el, err := h.engine.Listen(h.network.now, addr, opt)
	if err != nil {
		return nil, err
	}
	h.dirty = true
	l.Listener = el
	l.await()
	return l, nil
}

// Listener hands the connections that arrive to a callback.
type Listener struct {
	*engine.Listener
	host   *Host
	boot   int
	accept func(*Conn)
	closed bool
}

// Wake is called by the engine.
func (l *Listener) Wake(tcp.Ready) {
	l.host.network.ready = append(l.host.network.ready, l.take)
}

// take accepts what there is.
func (l *Listener) take() {
	if l.closed || l.boot != l.host.boots {
		return
	}
	for c := l.Accept(); c != nil && !l.closed; c = l.Accept() {
		l.host.dirty = true
		l.accept(newConn(l.host, c))
	}
	l.await()
}

func (l *Listener) await() {
	if !l.closed && !l.Await() {
		l.Wake(tcp.Readable)
	}
}

// Close stops listening.
func (l *Listener) Close() {
	if l.closed {
		return
	}
	l.closed = true
	l.host.dirty = true
	l.Listener.Close(l.host.network.now)
}
