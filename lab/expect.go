package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Check is an expectation of a scenario, and whether it held.
type Check struct {
	Text Text `json:"text"`
	OK   bool `json:"ok"`
	// Got is what was seen instead, "" when it held.
	Got string `json:"got,omitempty"`
}

// expect asserts something. The text says what must hold, got what is.
func (s *stage) expect(ok bool, got any, en, zh string) {
	c := Check{Text: Text{en, zh}, OK: ok}
	if !ok && got == nil {
		c.Got = "no error"
	} else if !ok {
		c.Got = fmt.Sprint(got)
	}
	s.checks = append(s.checks, c)
}

// expectPath asserts the states that a host's connections went through.
func (s *stage) expectPath(host, want string) {
	got := pathText(s.paths[host])
	s.expect(got == want, got, host+" goes through "+want, host+" 依次经过 "+want)
}

func pathText(path []tcp.State) string {
	var words []string
	for _, p := range path {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}

// expectSegments asserts how many segments were sent.
func (s *stage) expectSegments(want int) {
	got := len(s.log.Packets())
	s.expect(got == want, got,
		fmt.Sprintf("the whole takes %d segments", want), fmt.Sprintf("总共 %d 个报文段", want))
}

// expectBytes asserts that a program read so many bytes.
func (s *stage) expectBytes(p *program, host string, want int) {
	got := 0
	if p != nil {
		got = p.got
	}
	s.expect(got == want, got, fmt.Sprintf("the program on %s reads all %d bytes", host, want),
		fmt.Sprintf("%s 上的程序读到全部 %d 字节", host, want))
}

// expectRule asserts that a rule fired at a host, so many times; fewer than 0:
// at least once.
func (s *stage) expectRule(host string, r tcp.Rule, times int) {
	got := s.rules[host][r]
	if times < 0 {
		s.expect(got > 0, "it does not", fmt.Sprintf("rule %v (%s) fires at %s", r, r.Cite(), host),
			fmt.Sprintf("规则 %v（%s）在 %s 触发", r, r.Cite(), host))
		return
	}
	s.expect(got == times, got, fmt.Sprintf("rule %v (%s) fires %s at %s", r, r.Cite(), often(times), host),
		fmt.Sprintf("规则 %v（%s）在 %s 触发 %d 次", r, r.Cite(), host, times))
}

// often is a number of times.
func often(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// expectError asserts how a connection failed.
func (s *stage) expectError(p *program, want error, en, zh string) {
	var err error
	if p != nil {
		err = p.failure()
	}
	s.expect(err == want, err, fmt.Sprintf("%s: %v", en, want), fmt.Sprintf("%s：%v", zh, want))
}

// expectState asserts the state of one end at present.
func (s *stage) expectState(p *program, host string, want tcp.State) {
	got := p.state()
	s.expect(got == want, got, fmt.Sprintf("%s is in %v", host, want), fmt.Sprintf("%s 处于 %v", host, want))
}

// expectTime asserts that something took from low to high.
func (s *stage) expectTime(took, low, high time.Duration, en, zh string) {
	fromEN, fromZH := fmt.Sprintf("%v to %v", low, high), fmt.Sprintf("%v 到 %v", low, high)
	if low == high {
		fromEN, fromZH = high.String(), high.String()
	}
	s.expect(took >= low && took <= high, took, fmt.Sprintf("%s takes %s", en, fromEN), fmt.Sprintf("%s用时 %s", zh, fromZH))
}

// flagged returns a test for packets with exactly these of SYN, FIN, RST and
// ACK.
func flagged(want wire.Flags) func(*trace.Packet) bool {
	const mask = wire.SYN | wire.FIN | wire.RST | wire.ACK
	return func(p *trace.Packet) bool {
		_, seg, ok := decode(p.Data)
		return ok && seg.Flags&mask == want
	}
}

// packetBytes is a packet of which nothing but the bytes is known.
func packetBytes(data []byte) *trace.Packet { return &trace.Packet{Data: data} }

// withData tests for packets that carry data.
func withData(p *trace.Packet) bool {
	_, seg, ok := decode(p.Data)
	return ok && seg.PayloadLen > 0
}
