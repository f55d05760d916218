package main

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/trivet-net/trivet/tcp"
)

// The filters of trivet ss are those of iproute2's ss (its manual, FILTER):
//
//	{ state STATE | exclude STATE } [ EXPRESSION ]
//	EXPRESSION  sport|dport [OP] [:]PORT, src|dst [OP] [ADDRESS[/BITS]][:PORT],
//	            ( EXPRESSION ), not, and, or; and may be left out
//	OP          = == eq, != neq, >= ge, <= le, > gt, < lt

// statesOf are ss's words for states, as its filters have them.
var statesOf = func() map[string][]string {
	m := map[string][]string{}
	for s := tcp.StateListen; s <= tcp.StateTimeWait; s++ {
		word := s.SS()
		m[strings.ToLower(word)] = []string{word}
		m["all"] = append(m["all"], word)
		if s != tcp.StateListen {
			m["connected"] = append(m["connected"], word)
			if s != tcp.StateSynSent {
				m["synchronized"] = append(m["synchronized"], word)
			}
		}
		if s == tcp.StateSynReceived || s == tcp.StateTimeWait {
			m["bucket"] = append(m["bucket"], word)
		} else {
			m["big"] = append(m["big"], word)
		}
	}
	for _, word := range []string{"all", "big", "closed", "unconnected"} {
		m[word] = append(m[word], stateUnconnected)
	}
	m["established"], m["listening"] = m["estab"], m["listen"]
	m["syn-received"] = m["syn-recv"]
	return m
}()

// stateUnconnected is the state of a UDP socket without a peer.
const stateUnconnected = "UNCONN"

// ssFilter chooses sockets.
type ssFilter struct {
	states []string // nil: what the flags ask for
	test   condition
}

// condition is an expression of a filter.
type condition func(*socketRow) bool

func (f *ssFilter) takes(s *socketRow) bool {
	return slices.Contains(f.states, s.State) && (f.test == nil || f.test(s))
}

// parseFilter reads "state close-wait ( sport = :80 or dst 10.0.0.0/8 )".
func parseFilter(args []string) (ssFilter, error) {
	p := filterParser{words: filterWords(strings.Join(args, " "))}
	f, err := p.filter()
	if err != nil {
		return ssFilter{}, err
	}
	return f, nil
}

// filterWords cuts a filter into words and operators, between which there need
// not be a space.
func filterWords(text string) []string {
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := 0
		for n < len(text) && strings.IndexByte(" \t()!=<>&|", text[n]) < 0 {
			n++
		}
		if n == 0 {
			n = 1
			if len(text) > 1 && slices.Contains([]string{"==", "!=", ">=", "<=", "&&", "||"}, text[:2]) {
				n = 2
			}
		}
		words = append(words, text[:n])
		text = text[n:]
	}
	return words
}

// filterParser reads a filter by recursive descent.
type filterParser struct {
	words []string
	depth int
}

// maxFilterDepth bounds how deep an expression may nest.
const maxFilterDepth = 100

// peek is the next word, "" at the end.
func (p *filterParser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// accept takes the next word if it is one of those.
func (p *filterParser) accept(words ...string) bool {
	if len(p.words) > 0 && slices.Contains(words, p.words[0]) {
		p.words = p.words[1:]
		return true
	}
	return false
}

func (p *filterParser) filter() (f ssFilter, err error) {
	for {
		without := p.accept("exclude", "excl")
		if !without && !p.accept("state") {
			break
		}
		word := p.peek()
		if !p.accept(word) {
			return f, usagef("state needs a value")
		}
		states, ok := statesOf[strings.ToLower(word)]
		switch {
		case !ok:
			return f, usagef("no state %q%s", word, nearest(word, statesOf))
		case !without:
			f.states = append(f.states, states...)
			continue
		case f.states == nil:
			f.states = slices.Clone(statesOf["all"])
		}
		f.states = slices.DeleteFunc(f.states, func(s string) bool { return slices.Contains(states, s) })
	}
	if len(p.words) == 0 {
		return f, nil
	}
	if f.test, err = p.either(); err == nil && len(p.words) > 0 {
		err = usagef("the filter ends before %q", p.peek())
	}
	return f, err
}

// either reads conditions with "or" between them.
func (p *filterParser) either() (condition, error) {
	left, err := p.both()
	for err == nil && p.accept("or", "|", "||") {
		var right condition
		if right, err = p.both(); err == nil {
			first := left
			left = func(s *socketRow) bool { return first(s) || right(s) }
		}
	}
	return left, err
}

// both reads conditions with "and", or nothing, between them.
func (p *filterParser) both() (condition, error) {
	left, err := p.single()
	for err == nil {
		word := p.peek()
		if word == "" || word == ")" || word == "or" || word == "|" || word == "||" {
			break
		}
		p.accept("and", "&", "&&")
		var right condition
		if right, err = p.single(); err == nil {
			first := left
			left = func(s *socketRow) bool { return first(s) && right(s) }
		}
	}
	return left, err
}

// single reads one condition, or an expression in parentheses.
func (p *filterParser) single() (condition, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, usagef("the filter nests too deep")
	}
	defer func() { p.depth-- }()
	switch word := p.peek(); {
	case p.accept("("):
		c, err := p.either()
		if err == nil && !p.accept(")") {
			err = usagef("the filter lacks a )")
		}
		return c, err
	case p.accept("!", "not"):
		c, err := p.single()
		if err != nil {
			return nil, err
		}
		return func(s *socketRow) bool { return !c(s) }, nil
	case p.accept("sport", "dport"):
		return p.port(word)
	case p.accept("src", "dst"):
		return p.address(word)
	case word == "":
		return nil, usagef("the filter ends too early")
	case word == "state" || word == "exclude":
		return nil, usagef("%s comes before the expression: state estab sport = :80", word)
	default:
		return nil, usagef("no filter %q; did you mean state, exclude, sport, dport, src or dst?", word)
	}
}

// operator is how a filter compares: what it lets pass.
type operator struct{ less, equal, more bool }

var (
	isEqual   = operator{equal: true}
	isUnequal = operator{less: true, more: true}
)

func (o operator) holds(a, b uint16) bool {
	return a < b && o.less || a == b && o.equal || a > b && o.more
}

// operator reads an operator. Without one, equal is meant.
func (p *filterParser) operator() operator {
	switch {
	case p.accept("!=", "ne", "neq"):
		return isUnequal
	case p.accept(">=", "ge", "geq"):
		return operator{equal: true, more: true}
	case p.accept("<=", "le", "leq"):
		return operator{equal: true, less: true}
	case p.accept(">", "gt"):
		return operator{more: true}
	case p.accept("<", "lt"):
		return operator{less: true}
	}
	p.accept("=", "==", "eq")
	return isEqual
}

// value is the word after an operator.
func (p *filterParser) value(of string) (string, error) {
	word := p.peek()
	if word == "" || word == ")" {
		return "", usagef("%s needs a value", of)
	}
	p.accept(word)
	return word, nil
}

// port reads what follows sport or dport.
func (p *filterParser) port(of string) (condition, error) {
	op := p.operator()
	word, err := p.value(of)
	if err != nil {
		return nil, err
	}
	port, err := parsePort(of, strings.TrimPrefix(word, ":"))
	if err != nil {
		return nil, err
	}
	end := endOf(of)
	return func(s *socketRow) bool {
		_, got := end(s)
		return op.holds(got, port)
	}, nil
}

// parsePort reads a port: its number, or the name of its service.
func parsePort(of, word string) (uint16, error) {
	n, err := strconv.ParseUint(word, 10, 16)
	if err == nil {
		return uint16(n), nil
	}
	if service, err := net.LookupPort("tcp", word); err == nil && strings.Trim(word, "0123456789") != "" {
		return uint16(service), nil
	}
	return 0, usagef("%s: %q is no port such as :80", of, word)
}

// address reads what follows src or dst.
func (p *filterParser) address(of string) (condition, error) {
	op := p.operator()
	if op != isEqual && op != isUnequal {
		return nil, usagef("%s goes with = and != alone", of)
	}
	word, err := p.value(of)
	if err != nil {
		return nil, err
	}
	prefix, port, err := parseHost(of, word)
	if err != nil {
		return nil, err
	}
	end := endOf(of)
	return func(s *socketRow) bool {
		addr, got := end(s)
		same := (!prefix.IsValid() || prefix.Contains(addr)) && (port == 0 || port == got)
		return same == op.equal
	}, nil
}

// parseHost reads an address, a prefix, and a port after a colon. IPv6 addresses
// with a port stand in brackets; * is any.
func parseHost(of, word string) (prefix netip.Prefix, port uint16, err error) {
	host, service := word, ""
	if i := strings.LastIndexByte(word, ':'); i >= 0 && (strings.Count(word, ":") == 1 || word[0] == '[' && strings.HasSuffix(word[:i], "]")) {
		host, service = word[:i], word[i+1:]
	}
	if service != "" && service != "*" {
		if port, err = parsePort(of, service); err != nil {
			return prefix, 0, err
		}
	}
	host = strings.NewReplacer("[", "", "]", "").Replace(host)
	if host == "" || host == "*" {
		return prefix, port, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), port, nil
	}
	if prefix, err = netip.ParsePrefix(host); err != nil {
		return prefix, 0, usagef("%s: %q is no address such as 10.0.0.1, 10.0.0.0/8 or [fd00::1]:80", of, word)
	}
	return prefix.Masked(), port, nil
}

// endOf is the end of a socket that a word of a filter is about: sport and src
// are its own.
func endOf(word string) func(*socketRow) (netip.Addr, uint16) {
	if word[0] == 's' {
		return func(s *socketRow) (netip.Addr, uint16) { return splitEnd(s.Local) }
	}
	return func(s *socketRow) (netip.Addr, uint16) { return splitEnd(s.Peer) }
}

// splitEnd reads an end as the table has it. The port of a peer that there is
// not, *, is 0.
func splitEnd(text string) (netip.Addr, uint16) {
	if host, ok := strings.CutSuffix(text, ":*"); ok {
		text = host + ":0"
	}
	end, _ := netip.ParseAddrPort(text) // the zero value matches nothing
	return end.Addr(), end.Port()
}
