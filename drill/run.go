package drill

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// scriptStart is the engine's time at a script's time 0: not 0, which means
// "never", and late enough for what lies in the past.
const scriptStart = tcp.Time(1000 * time.Second)

// maxSuper lets the host form super-segments, as hosts do whose links can cut
// them; the script sees what Cut makes of them.
const maxSuper = 65535 - 128

// forever is the end of a time that is not bounded.
const forever = tcp.Time(1 << 62)

// runner plays one script.
type runner struct {
	script *Script
	set    *settings
	engine *engine.Engine // nil until something needs it
	batch  wire.Batch     // what the engine sends
	wire   wire.Batch     // the same, cut to the MTU
	now    tcp.Time
	steps  int

	sent  []*sentPacket // both directions, in order
	flows []*flow
	flow  *flow // under test; nil while a listener is
	udp   udpPath
	port  uint16

	fds        map[int]*descriptor
	last       *socket // the last one that listened or connected
	lastSocket *socket // the last one that socket made
	pending    *pendingCall
	code       *interpreter
	counted    tcp.Counters // when nstat ran last

	event   *Event   // being played
	inbound tcp.Time // of the event before, if that was a packet in; else 0
}

// Run plays a script from a fresh host on. It is deterministic.
func Run(s *Script) *Result {
	r := &runner{
		script: s, set: newSettings(), now: scriptStart, port: firstRemotePort, fds: map[int]*descriptor{},
	}
	r.code = newInterpreter(r.lookup)
	err := r.play()
	res := &Result{Path: s.Path, Elapsed: r.now.Sub(scriptStart)}
	res.Counters = r.counters()
	r.close()
	if err == nil {
		res.Conversation = r.conversation()
		return res
	}
	res.Reason = err.Error()
	res.Line = 1
	if r.event != nil {
		res.Line = r.event.Line
	}
	if _, ok := errors.AsType[*unsupported](err); ok {
		res.Status = Unsupported
		return res
	}
	res.Status = Fail
	res.Conversation = r.conversation()
	if f, ok := errors.AsType[*failure](err); ok {
		if f.line != 0 {
			res.Line = f.line
		}
		res.Got, res.Expected = f.got, f.expected
	}
	if res.Expected == "" {
		res.Expected = strings.TrimSpace(s.Line(res.Line))
	}
	if r.set.missing != "" {
		res.Status, res.Reason = Unsupported, r.set.missing+": "+res.Reason
	}
	return res
}

// play does everything up to the end of the script.
func (r *runner) play() error {
	for _, o := range append(append([]Option(nil), r.script.Options...), r.script.opt.Set...) {
		if err := r.set.apply(o); err != nil {
			return err
		}
	}
	r.set.finish()
	if c := r.script.Init; c != nil {
		if err := r.set.command(c.Text); err != nil {
			return err
		}
	}
	if err := r.scan(); err != nil {
		return err
	}
	for i := range r.script.Events {
		r.event = &r.script.Events[i]
		if err := r.step(r.event); err != nil {
			return err
		}
	}
	return r.awaitCall()
}

// scan looks for packets that cannot be run before anything is.
func (r *runner) scan() error {
	for i := range r.script.Events {
		if p := r.script.Events[i].Packet; p != nil && p.Unsupported != "" {
			r.event = &r.script.Events[i]
			return &unsupported{p.Unsupported + " packets"}
		}
	}
	return nil
}

// start makes the host, with the settings as they are now.
func (r *runner) start() error {
	if r.engine != nil {
		return nil
	}
	e := engine.New(r.set.engine)
	err := e.AddInterface(engine.Interface{
		Index: 1, MTU: r.set.mtu, Prefixes: []netip.Prefix{r.set.local}, MaxSuper: maxSuper,
	})
	if err != nil {
		return &unsupported{"local address " + r.set.local.String() + " with MTU"}
	}
	everywhere := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if r.set.local.Addr().Is6() {
		everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if err := e.AddRoute(everywhere, 1); err != nil {
		return err
	}
	r.engine = e
	return nil
}

// close gives back what the host holds.
func (r *runner) close() {
	if r.engine == nil {
		return
	}
	for _, f := range r.flows {
		if f.conn != nil {
			f.conn.Abort(r.now)
		}
	}
	for _, d := range r.fds {
		if d.udp != nil && d.udp.sock != nil {
			d.udp.sock.Close(r.now)
		}
	}
	for r.engine.Output(r.now, &r.batch) {
		r.batch.Release()
	}
	r.batch.Release()
	r.wire.Release()
}

// step plays one event.
func (r *runner) step(e *Event) error {
	base := r.now
	in := e.Packet != nil && !e.Packet.Out
	if in && r.inbound != 0 {
		// A row of packets in counts from the start of the one before.
		base = r.inbound
	}
	lo, hi := scriptStart.Add(e.When.From), scriptStart.Add(e.When.To)
	switch e.When.Kind {
	case TimeRelative, TimeRelativeRange:
		lo, hi = base.Add(e.When.From), base.Add(e.When.To)
	case TimeAny:
		lo, hi = 0, forever
	}
	if e.Packet != nil && e.Packet.Out {
		r.inbound = 0
		return r.expect(e.Packet, lo, hi, r.slack(hi.Sub(base)))
	}
	if e.Call != nil {
		if err := r.awaitCall(); err != nil {
			return err
		}
	}
	if err := r.advance(lo); err != nil {
		return err
	}
	r.inbound = 0
	switch {
	case in:
		r.inbound = lo
		return r.inject(e.Packet)
	case e.Command != nil:
		return r.commandEvent(e.Command)
	case e.Code != nil:
		return r.codeEvent(e.Code)
	}
	end := scriptStart.Add(e.Call.End)
	if e.When.Kind == TimeRelative {
		end = base.Add(e.Call.End)
	}
	return r.call(e, end, r.slack(end.Sub(base)))
}

// slack is how far a time may be off.
func (r *runner) slack(since time.Duration) time.Duration {
	d := r.set.tolerance
	if p := time.Duration(r.set.tolerancePercent / 100 * float64(since)); p > d && since < maxScriptTime {
		d = p
	}
	return d
}

// commandEvent applies settings in the middle of a script: to the connections
// that begin after it.
func (r *runner) commandEvent(c *Command) error {
	if ok, err := r.nstat(c.Text); ok {
		return err
	}
	if found, err := r.tableCommand(c.Text); found {
		return err
	}
	mtu := r.set.mtu
	if err := r.set.command(c.Text); err != nil {
		return err
	}
	if r.engine == nil {
		return nil
	}
	if r.set.mtu != mtu {
		return &unsupported{"an MTU that changes while connections are open"}
	}
	r.engine.SetConfig(r.set.engine)
	if r.set.forget {
		r.engine.ForgetPaths()
		r.set.forget = false
	}
	return nil
}

// codeEvent evaluates assertions.
func (r *runner) codeEvent(c *Code) error {
	err := r.code.run(c.Text)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*codeError](err); ok {
		return &failure{reason: e.text, expected: strings.TrimSpace(c.Text)}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &unsupported{"code: " + err.Error()}
}

// advance lets the time pass up to t.
func (r *runner) advance(t tcp.Time) error {
	if late := r.now.Sub(t); late > r.slack(0) {
		return failf("the script's time goes back by %v", late)
	}
	if t.Sub(scriptStart) > maxScriptTime {
		return failEndless()
	}
	_, err := r.until(t, func() bool { return false })
	return err
}

// failEndless is the failure of a script that takes too long.
func failEndless() error {
	return failf("the script does not end: %v are the most", maxScriptTime)
}

// until lets the time pass up to t or until done holds, which it reports.
func (r *runner) until(t tcp.Time, done func() bool) (bool, error) {
	for !done() {
		next := r.nextTime()
		if next == 0 || next > t {
			if t != forever {
				r.now = max(r.now, t)
			}
			return false, nil
		}
		if r.steps++; r.steps > maxSteps {
			return false, failf("the script does not end: %d timer steps", maxSteps)
		}
		r.now = max(r.now, next)
		if r.now.Sub(scriptStart) > maxScriptTime {
			return false, failEndless()
		}
		if r.engine != nil {
			r.engine.Advance(r.now)
		}
		if err := r.pump(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// nextTime returns when something will happen by itself, 0 for never.
func (r *runner) nextTime() tcp.Time {
	var t tcp.Time
	if r.engine != nil {
		t = r.engine.NextTimeout()
	}
	if r.pending != nil {
		t = tcp.Earliest(t, r.pending.deadline)
	}
	return t
}

// pump takes what the engine wants to send, and lets a waiting call go on.
func (r *runner) pump() error {
	for {
		if err := r.drain(); err != nil {
			return err
		}
		went, err := r.retry()
		if err != nil || !went {
			return err
		}
	}
}

func (r *runner) drain() error {
	for _, f := range r.flows {
		if f.socket != nil {
			r.settle(f.socket)
			f.socket.noteAcked(r.now)
		}
	}
	for more := r.engine != nil; more; {
		more = r.engine.Output(r.now, &r.batch)
		r.wire.Release()
		for i := range r.batch.Packets {
			p := &r.batch.Packets[i]
			if !wire.Cut(p, r.set.mtu, &r.wire) {
				return failf("a packet was sent that does not fit the MTU of %d: %d bytes", r.set.mtu, p.Len())
			}
		}
		if r.set.full {
			r.refuse()
		}
		for i := range r.wire.Packets {
			p := &r.wire.Packets[i]
			p.FinishChecksum()
			s, err := decode(r.now, p.AppendTo(nil))
			if err != nil {
				return failf("%v", err)
			}
			if s.tcp != nil {
				s.flow = r.flowOf(s.tuple())
				r.noteSent(s)
			}
			r.sent = append(r.sent, s)
		}
		r.batch.Release()
	}
	return nil
}

// refuse tells the host that the link did not take the packets.
func (r *runner) refuse() {
	var refusals []engine.Refusal
	for i := range r.wire.Packets {
		if f, ok := engine.RefusalOf(&r.wire.Packets[i]); ok {
			refusals = append(refusals, f)
		}
	}
	r.wire.Release()
	r.engine.Refused(r.now, refusals)
}

// flowOf returns the flow with the tuple, nil if the script has none.
func (r *runner) flowOf(t wire.FourTuple) *flow {
	for i := len(r.flows) - 1; i >= 0; i-- {
		if r.flows[i].tuple == t {
			return r.flows[i]
		}
	}
	return nil
}
