package drill

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Options are what a command line adds to a script.
type Options struct {
	// Define are names that #ifdef sees and that words are replaced by.
	Define map[string]string
	// Set are packetdrill's options, as --name=value has them; they win over
	// those of the script.
	Set []Option
	// SkipExtraAcks forgives pure ACKs that the script does not expect, and
	// LenientPSH differences in the PSH flag.
	SkipExtraAcks, LenientPSH bool

	// LenientOptions forgives another order of the TCP options of a segment, and
	// other padding: each stack has its own.
	LenientOptions bool

	// LenientWindow forgives a window that is smaller by less than a segment: the
	// right edge may move with every byte that is read, or only by whole segments
	// (RFC 9293, Section 3.8.6.2.2), as here.
	LenientWindow bool
}

// Parse reads a script. The path is for messages, and for commands that the
// script names relative to itself. Errors are of type *SyntaxError.
func Parse(path, text string, opt Options) (*Script, error) {
	p := &parser{lexer: newLexer(path, text), script: &Script{Path: path, opt: opt}}
	p.script.lines = strings.Split(text, "\n")
	for name, value := range opt.Define {
		p.defines[name] = value
	}
	p.fixed = opt.Define
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.script, nil
}

// parser is a recursive-descent parser with one token of lookahead. The first
// error stops it: after that every token is the end.
type parser struct {
	*lexer
	script *Script
	fixed  map[string]string // definitions of the command line
	tok    token
	err    error
	depth  int // of brackets
}

// advance takes the next token.
func (p *parser) advance() {
	if p.err != nil {
		return
	}
	p.tok, p.err = p.next()
	if p.err != nil {
		p.tok = token{Pos: p.tok.Pos}
	}
}

// fail notes an error at the current token, unless there is one already.
func (p *parser) fail(want string) {
	p.failAt(p.tok.Pos, "expected %s, found %v", want, p.tok)
}

func (p *parser) failAt(at Pos, format string, args ...any) {
	if p.err == nil {
		p.err = p.errorf(at, format, args...)
	}
	p.tok = token{Pos: p.tok.Pos}
}

// isPunct reports whether the current token is the character c.
func (p *parser) isPunct(c string) bool { return p.tok.kind == tokenPunct && p.tok.text == c }

// accept takes the current token if it is the character c.
func (p *parser) accept(c string) bool {
	if !p.isPunct(c) {
		return false
	}
	p.advance()
	return true
}

// expect takes the character c, or fails.
func (p *parser) expect(c string) {
	if !p.accept(c) {
		p.fail("'" + c + "'")
	}
}

// isWord reports whether the current token is the word w as written.
func (p *parser) isWord(w string) bool { return p.tok.kind == tokenWord && p.tok.raw == w }

// acceptWord takes the current token if it is the word w.
func (p *parser) acceptWord(w string) bool {
	if !p.isWord(w) {
		return false
	}
	p.advance()
	return true
}

// integer takes a number from 0 to most.
func (p *parser) integer(what string, most int64) int64 {
	if p.tok.kind != tokenInt {
		p.fail(what)
		return 0
	}
	if p.tok.num < 0 || p.tok.num > most {
		p.failAt(p.tok.Pos, "expected %s from 0 to %d, found %v", what, most, p.tok)
		return 0
	}
	n := p.tok.num
	p.advance()
	return n
}

func (p *parser) run() error {
	p.advance()
	p.options()
	if p.tok.kind == tokenCommand {
		p.script.Init = p.command()
	}
	for p.err == nil && p.tok.kind != tokenEOF && p.tok.kind != tokenCommand {
		p.event()
	}
	if p.tok.kind == tokenCommand {
		p.script.Cleanup = p.command()
	}
	if p.err == nil && p.tok.kind != tokenEOF {
		p.fail("the end of the script")
	}
	if p.err == nil && len(p.script.Events) == 0 {
		p.fail("an event")
	}
	return p.err
}

// options reads the lines --name=value. What follows "=" is taken as it is, up
// to white space outside quotes.
func (p *parser) options() {
	for p.tok.kind == tokenOption {
		o := Option{Pos: p.tok.Pos, Name: p.tok.text}
		if strings.HasPrefix(p.rest(), "=") {
			n := valueLen(p.rest())
			o.Value = p.rest()[1:n]
			p.skip(n)
		}
		if o.Name == "define" {
			p.define(o)
		}
		p.script.Options = append(p.script.Options, o)
		p.advance()
	}
}

// valueLen returns the length of the "=value" that s begins with.
func valueLen(s string) int {
	var quote byte
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case strings.IndexByte(" \t\r\n", c) >= 0:
			return i
		}
	}
	return len(s)
}

func (p *parser) define(o Option) {
	name, value, ok := strings.Cut(o.Value, "=")
	if !ok || name == "" || wordLen(name) != len(name) {
		p.failAt(o.Pos, "expected --define=NAME=value, found %q", "--define="+o.Value)
		return
	}
	if _, ok := p.fixed[name]; !ok {
		p.defines[name] = value
	}
}

func (p *parser) command() *Command {
	c := &Command{p.tok.Pos, p.tok.text}
	p.advance()
	return c
}

// event reads a time and what happens then.
func (p *parser) event() {
	e := Event{Pos: p.tok.Pos}
	e.When = p.when()
	switch {
	case p.isPunct("<") || p.isPunct(">"):
		e.Packet = p.packet()
	case p.tok.kind == tokenCommand:
		e.Command = p.command()
	case p.tok.kind == tokenCode:
		e.Code = &Code{p.tok.Pos, p.tok.text}
		p.advance()
	case p.tok.kind == tokenWord || p.tok.kind == tokenEllipsis:
		e.Call = p.call()
	default:
		p.fail("'<', '>', a system call, a command in back-ticks or %{ code }%")
	}
	p.checkTime(&e)
	p.script.Events = append(p.script.Events, e)
}

// checkTime refuses times that make no sense: only a packet out can come at a
// range of times or at any time.
func (p *parser) checkTime(e *Event) {
	out := e.Packet != nil && e.Packet.Out
	switch {
	case e.When.Kind >= TimeAbsoluteRange && !out:
		p.failAt(e.Pos, "expected a single time: ranges and '*' are for packets out")
	case e.When.To < e.When.From:
		p.failAt(e.Pos, "expected a time range that runs forward")
	}
}

// when reads the time of an event.
func (p *parser) when() When {
	if p.accept("*") {
		return When{Kind: TimeAny}
	}
	relative := p.accept("+")
	w := When{Kind: TimeAbsolute, From: p.time()}
	w.To = w.From
	if relative {
		w.Kind = TimeRelative
	}
	if !p.accept("~") {
		return w
	}
	w.Kind = TimeAbsoluteRange
	if relative {
		w.Kind = TimeRelativeRange
		p.expect("+")
	}
	w.To = p.time()
	return w
}

// time reads a number of seconds.
func (p *parser) time() time.Duration {
	if p.tok.kind != tokenInt && p.tok.kind != tokenFloat || p.tok.hex {
		p.fail("a time in seconds")
		return 0
	}
	sec, err := strconv.ParseFloat(p.tok.text, 64)
	if err != nil || sec < 0 || sec > maxScriptTime.Seconds() {
		p.failAt(p.tok.Pos, "expected a time from 0 to %v seconds, found %v", maxScriptTime.Seconds(), p.tok)
		return 0
	}
	p.advance()
	return time.Duration(math.Round(sec*1e6)) * time.Microsecond
}
