package sim

import (
	"net/netip"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// routes is where a node sends packets: for every address the port on a
// shortest path. It is computed anew when the topology has changed, as if a
// routing protocol had converged at once; a cable that is cut changes nothing.
type routes struct {
	ports    map[wire.Addr]*port
	topology int
}

// find returns the port for the address, nil if there is none.
func (r *routes) find(s *station, a *wire.Addr) *port {
	if r.topology != s.fabric.topology {
		r.topology = s.fabric.topology
		r.compute(s)
	}
	return r.ports[*a]
}

// compute goes through the network in breadth.
func (r *routes) compute(s *station) {
	r.ports = make(map[wire.Addr]*port)
	type step struct{ at, first *port } // a port where packets come in, and where they left s
	seen := map[*station]bool{s: true}
	var queue []step
	for _, p := range s.ports {
		queue = append(queue, step{p.peer, p})
	}
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		here := x.at.station
		if seen[here] {
			continue
		}
		seen[here] = true
		for _, a := range here.addrs {
			key := wire.AddrFrom(a)
			if _, known := r.ports[key]; !known {
				r.ports[key] = x.first
			}
		}
		if here.leads == nil {
			continue
		}
		for _, out := range here.ports {
			if out != x.at && here.leads(x.at, out) {
				queue = append(queue, step{out.peer, x.first})
			}
		}
	}
}

// Switch passes packets on to the port behind which their destination is, and
// changes nothing in them; what is for a group or for all goes to every other
// port. What is for nobody is dropped.
type Switch struct {
	station
	routes routes
}

// AddSwitch adds a switch.
func (f *Fabric) AddSwitch(name string) *Switch {
	s := &Switch{station: station{name: name, leads: anywhere}}
	s.input = s.pass
	f.add(&s.station)
	return s
}

// anywhere: from each port to each other.
func anywhere(_, _ *port) bool { return true }

func (s *Switch) pass(_ tcp.Time, at *port, p *wire.Packet) {
	b := p.Contiguous()
	if !isIP(b) {
		return
	}
	dst := destination(b)
	if dst.IsToMany() {
		s.flood(at, p)
		return
	}
	if out := s.routes.find(&s.station, &dst); out != nil && out != at {
		out.out.send(p)
	}
}

// flood passes a packet to a group, or to all, on to every other port. It must
// have come in by the port that leads to its source, so that none goes round in
// circles (reverse-path forwarding; RFC 1812, Section 5.2.1.2).
func (s *Switch) flood(at *port, p *wire.Packet) {
	src := source(p.Contiguous())
	if s.routes.find(&s.station, &src) != at {
		return
	}
	for _, out := range s.ports {
		if out != at {
			out.out.send(p)
		}
	}
}

// destination returns the address that a packet goes to.
func destination(b []byte) wire.Addr {
	if b[0]>>4 == 4 {
		return wire.AddrFrom(netip.AddrFrom4([4]byte(b[16:20])))
	}
	return wire.Addr(b[24:40])
}

// source returns the address that a packet comes from.
func source(b []byte) wire.Addr {
	if b[0]>>4 == 4 {
		return wire.AddrFrom(netip.AddrFrom4([4]byte(b[12:16])))
	}
	return wire.Addr(b[8:24])
}
