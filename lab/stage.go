package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// webPort is where servers listen.
const webPort = 80

// stage is where a scenario is played: a client and a server at the two ends
// of a link, their programs, and the record of what they do.
type stage struct {
	*order
	net            *sim.Network
	client, server *sim.Host
	link           *sim.Link
	log            trace.Log
	begin          tcp.Time

	programs  []*program
	deaf      map[string]bool // hosts whose programs read no more
	cues      []cue
	losses    []func(*trace.Packet) bool      // packets that the scenario loses
	judge     func(*trace.Packet) sim.Verdict // what the scenario delays; nil: nothing
	ears      eavesdropper
	forging   bool                                                       // what is being sent is not of the host that it names
	noRoute   bool                                                       // what the scenario loses is lost at a router
	hidden    map[string]bool                                            // hosts that the log does not show
	shows     []wire.FourTuple                                           // connections to draw; none: the first
	onSent    func(from string, tuple wire.FourTuple, seg *wire.Segment) // nil: nobody cares
	onArrival func(host string, data []byte)                             // before the host sees the packet
	onLost    func(data []byte)                                          // a packet that the scenario lost; nil: nobody cares
	paths     map[string][]tcp.State
	rules     map[string]map[tcp.Rule]int
	checks    []Check
	listing   bool // the socket tables at the end belong to the story
	details   details
}

// cue is a caption that waits for its moment.
type cue struct {
	when trigger
	text Text
	all  bool // it concerns every connection
	done bool
}

// newStage builds the network of an order.
func newStage(o *order, seed uint64) *stage {
	s := &stage{
		order: o, deaf: map[string]bool{}, hidden: map[string]bool{}, paths: map[string][]tcp.State{},
		rules: map[string]map[tcp.Rule]int{},
	}
	s.net = sim.New(sim.Config{Seed: seed, OnEvent: s.onEvent, OnPacket: s.onPacket})
	s.begin = s.net.Now()
	base := engine.Config{TimeWait: 2 * s.duration("msl")}
	base.TCP.Congestion = s.values["cc"].text
	client, server := base, base
	if s.scenario.config != nil {
		s.scenario.config(s, &client, &server)
	}
	s.client, s.server = s.net.AddHost("client", client), s.net.AddHost("server", server)
	s.link = s.net.Connect(s.client, s.server, sim.Symmetric(s.settings()))
	s.net.Filter(s.filter)
	for k := range s.do {
		if i := &s.do[k]; i.when.timed {
			s.net.After(i.when.after, func() {
				i.done = true
				s.intervene(i)
			})
		}
	}
	return s
}

// cable joins two more hosts, without any delay.
func (s *stage) cable(a, b *sim.Host) *sim.Link { return s.net.Connect(a, b, sim.LinkConfig{}) }

// show names connections to draw, in order.
func (s *stage) show(tuples ...wire.FourTuple) { s.shows = append(s.shows, tuples...) }

// settings is the link that the common parameters describe.
func (s *stage) settings() sim.Settings {
	return sim.Settings{
		Delay: s.duration("rtt") / 2, Rate: s.values["rate"].n, Loss: s.values["loss"].p,
	}
}

// The parameters, by their kind.

func (s *stage) duration(name string) time.Duration { return time.Duration(s.values[name].n) }
func (s *stage) number(name string) int             { return int(s.values[name].n) }
func (s *stage) on(name string) bool                { return s.values[name].n != 0 }

func (s *stage) host(name string) *sim.Host {
	for _, h := range s.net.Hosts() {
		if h.Name() == name {
			return h
		}
	}
	panic("lab: no host " + name)
}

// onEvent is the network's hook for events.
func (s *stage) onEvent(host string, e *tcp.Event) {
	s.cue(e.Time, e.Tuple, func(t *trigger) bool { return t.matchesEvent(host, e) })
	s.log.Event(host, e)
	s.schedule(func(t *trigger) bool { return t.matchesEvent(host, e) })
	switch e.Kind {
	case tcp.EventState:
		s.paths[host] = append(s.paths[host], e.To)
		s.details.state(host, e)
	case tcp.EventRule:
		if s.rules[host] == nil {
			s.rules[host] = map[tcp.Rule]int{}
		}
		s.rules[host][e.Rule]++
	}
	s.details.note(host, e.Tuple)
}

// onPacket is the network's hook for packets. The engines at both ends are at
// rest when it is called.
func (s *stage) onPacket(now tcp.Time, p *trace.Packet) {
	if s.forging {
		p.Foreign = true
	}
	if s.noRoute && p.Fate == trace.FateFilter {
		p.Fate = trace.FateNoRoute
	}
	if s.hidden[p.From] || s.hidden[p.To] {
		return
	}
	sent := p.Fate == trace.FateInFlight
	if sent {
		s.cue(now, wire.FourTuple{}, func(t *trigger) bool { return t.matchesPacket(p) })
		s.ears.hear(p)
	} else if p.Fate == trace.FateDelivered {
		s.rest(p.To)
		if s.onArrival != nil {
			s.onArrival(p.To, p.Data)
		}
	}
	s.log.Packet(now, p)
	if tuple, seg, ok := decode(p.Data); ok {
		if sent {
			if s.onSent != nil {
				s.onSent(p.From, tuple, seg)
			}
			s.details.note(p.From, tuple)
			s.rest(p.From)
		} else if p.Fate == trace.FateDelivered {
			s.details.note(p.To, tuple.Reverse())
		}
	}
	if sent {
		s.schedule(func(t *trigger) bool { return t.matchesPacket(p) })
	}
}

// filter is the network's: what the scenario loses, and the interventions.
func (s *stage) filter(_ tcp.Time, p *trace.Packet) sim.Verdict {
	v := s.verdict(p)
	if s.judge != nil {
		if own := s.judge(p); own.Delay > 0 {
			v.Delay = own.Delay
		}
	}
	for _, lose := range s.losses {
		if !v.Drop && lose(p) {
			v.Drop = true
			if s.onLost != nil {
				s.onLost(bytes.Clone(p.Data))
			}
		}
	}
	return v
}

// cue puts the captions into the log whose moment has come.
func (s *stage) cue(now tcp.Time, about wire.FourTuple, is func(*trigger) bool) {
	if about.RemotePort == 0 {
		about = wire.FourTuple{} // a listener's: about all of its connections
	}
	for k := range s.cues {
		if c := &s.cues[k]; !c.done && is(&c.when) {
			c.done = true
			if c.all {
				about = wire.FourTuple{}
			}
			s.log.Note(now, about, c.text.EN, c.text.ZH)
		}
	}
}

// when puts a caption on the first moment that the trigger names.
func (s *stage) when(moment, en, zh string) {
	t, err := parseTrigger(moment)
	if err != nil {
		panic("lab: " + s.scenario.Name + ": " + err.Error())
	}
	s.cues = append(s.cues, cue{when: t, text: Text{en, zh}})
}

// whenever is when for a caption that concerns every connection.
func (s *stage) whenever(moment, en, zh string) {
	s.when(moment, en, zh)
	s.cues[len(s.cues)-1].all = true
}

// say puts a caption on the present moment.
func (s *stage) say(en, zh string) { s.log.Note(s.net.Now(), wire.FourTuple{}, en, zh) }

// lose loses the next n packets from the host for which is holds; nil: any.
// Fewer than 0: all of them.
func (s *stage) lose(from string, n int, is func(*trace.Packet) bool) {
	s.losses = append(s.losses, func(p *trace.Packet) bool {
		if n == 0 || p.From != from || is != nil && !is(p) {
			return false
		}
		n--
		return true
	})
}

// step lets the next thing happen, if it does until end.
func (s *stage) step(end tcp.Time) bool {
	next := s.net.NextTimeout()
	if next == 0 || next > end {
		return false
	}
	s.net.Step()
	s.restAll()
	return true
}

// settle lets happen what needs no time.
func (s *stage) settle() {
	s.net.RunFor(0)
	s.restAll()
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	s.settle()
	end := s.net.Now().Add(d)
	for s.step(end) {
	}
	s.net.RunFor(end.Sub(s.net.Now()))
	s.restAll()
}

// until runs until done, for at most d.
func (s *stage) until(d time.Duration, done func() bool) {
	s.settle()
	for end := s.net.Now().Add(d); !done() && s.step(end); {
	}
}

// rtts is n round trips, with a little more for the time that bytes take.
func (s *stage) rtts(n int) time.Duration {
	return time.Duration(n)*s.duration("rtt") + time.Duration(n)*5*time.Millisecond
}

// forgotten reports whether neither host remembers any connection.
func (s *stage) forgotten() bool {
	for _, h := range s.net.Hosts() {
		if st := h.Engine().Stats(); st.Conns+st.HalfOpen+st.TimeWaits > 0 {
			return false
		}
	}
	return true
}

// finish runs until neither host remembers any connection, for at most d.
func (s *stage) finish(d time.Duration) { s.until(d, s.forgotten) }

// elapsed is the time since the beginning.
func (s *stage) elapsed() time.Duration { return s.net.Now().Sub(s.begin) }

// remote is where the server listens.
func (s *stage) remote() netip.AddrPort { return netip.AddrPortFrom(s.server.Addr(), webPort) }

// listen lets the server listen; accept is called for each connection.
func (s *stage) listen(opt engine.ListenOptions, accept func(*program)) *sim.Listener {
	l, err := s.listenWith(opt, accept)
	if err != nil {
		panic(fmt.Sprintf("lab: listen: %v", err)) // a scenario's mistake
	}
	return l
}

func (s *stage) listenWith(opt engine.ListenOptions, accept func(*program)) (*sim.Listener, error) {
	l, err := s.server.ListenWith(netip.AddrPortFrom(netip.Addr{}, webPort), opt, func(c *sim.Conn) {
		accept(s.adopt("server", c))
	})
	s.rest("server")
	return l, err
}

// tryListen is listen for a moment, which may fail.
func (s *stage) tryListen(opt engine.ListenOptions) (*sim.Listener, error) {
	return s.listenWith(opt, func(*program) {})
}

// serve is listen without options.
func (s *stage) serve(accept func(*program)) *sim.Listener {
	return s.listen(engine.ListenOptions{}, accept)
}

// address is a port of a host.
func (s *stage) address(host string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(s.host(host).Addr(), port)
}

// connect lets a host connect from one address to another.
func (s *stage) connect(host string, local, remote netip.AddrPort) *program {
	c, err := s.host(host).DialFrom(local, remote, tcp.Options{})
	if err != nil {
		return &program{stage: s, host: host, err: err}
	}
	return s.adopt(host, c)
}

// dial lets the client connect, from any port.
func (s *stage) dial(opt tcp.Options) *program { return s.dialFrom(0, opt) }

// dialFrom is dial from a port. A call that fails at once is what program.err
// tells.
func (s *stage) dialFrom(port uint16, opt tcp.Options) *program {
	local := netip.AddrPort{}
	if port != 0 {
		local = netip.AddrPortFrom(s.client.Addr(), port)
	}
	c, err := s.client.DialFrom(local, s.remote(), opt)
	if err != nil {
		return &program{stage: s, host: "client", err: err}
	}
	return s.adopt("client", c)
}

// adopt makes a program of a connection.
func (s *stage) adopt(host string, c *sim.Conn) *program {
	p := &program{stage: s, host: host, conn: c}
	s.programs = append(s.programs, p)
	return p
}

// open opens a connection and returns the programs at both ends, half a round
// trip after the client's is open. When that does not come about, the server's
// has no connection.
func (s *stage) open(opt tcp.Options) (client, server *program) {
	s.listen(engine.ListenOptions{Options: opt}, func(p *program) { server = p })
	client = s.dial(opt)
	s.until(time.Minute, func() bool { return server != nil })
	s.settle()
	return client, s.orNobody(server)
}

// orNobody is a program, or one without a connection when the server has
// accepted none.
func (s *stage) orNobody(p *program) *program {
	if p == nil {
		return &program{stage: s, host: "server"}
	}
	return p
}
