package drill

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokenEOF      tokenKind = iota
	tokenWord               // F_SETFL
	tokenInt                // 12, -1, 0x1f
	tokenFloat              // .5
	tokenString             // "text", unquoted
	tokenCommand            // `text`, unquoted
	tokenCode               // %{text}%
	tokenOption             // --name, without the dashes
	tokenAddr               // 192.0.2.1, fd00::1
	tokenEllipsis           // ...
	tokenPunct              // any other character
)

var tokenNames = [...]string{
	"the end of the script", "a word", "a number", "a time", "a string", "a command in back-ticks",
	"%{ code }%", "an option", "an address", "'...'", "a character",
}

// token is one token; text is what it says, raw what was written.
type token struct {
	Pos
	kind tokenKind
	text string
	raw  string
	num  int64
	hex  bool
}

func (t token) String() string {
	if t.kind == tokenEOF {
		return tokenNames[tokenEOF]
	}
	return strconv.Quote(t.raw)
}

// SyntaxError says where a script is malformed and what was expected there.
type SyntaxError struct {
	Path string
	Pos
	Message string
}

// Error returns "path:line:column: message".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Col, e.Message)
}

// lexer cuts a script into tokens. Words that are defined are replaced by
// their definitions.
type lexer struct {
	path    string
	src     string
	at      int // next byte
	line    int
	start   int // where the line begins
	defines map[string]string
	open    []Pos // #ifdef without #endif
}

func newLexer(path, src string) *lexer {
	return &lexer{path: path, src: src, line: 1, defines: map[string]string{}}
}

func (l *lexer) pos() Pos { return Pos{l.line, l.at - l.start + 1} }

func (l *lexer) errorf(p Pos, format string, args ...any) error {
	return &SyntaxError{l.path, p, fmt.Sprintf(format, args...)}
}

// skip moves on by n bytes and counts lines.
func (l *lexer) skip(n int) {
	for range n {
		if l.src[l.at] == '\n' {
			l.line++
			l.start = l.at + 1
		}
		l.at++
	}
}

func (l *lexer) rest() string { return l.src[l.at:] }

// next returns the next token.
func (l *lexer) next() (token, error) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	t := token{Pos: l.pos()}
	rest := l.rest()
	if rest == "" {
		if n := len(l.open); n > 0 {
			return t, l.errorf(l.open[n-1], "no #endif for this #ifdef")
		}
		return t, nil
	}
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "%{"):
		return l.enclosed(t, tokenCode, "%{", "}%")
	case c == '`':
		return l.enclosed(t, tokenCommand, "`", "`")
	case c == '"':
		return l.enclosed(t, tokenString, `"`, `"`)
	case strings.HasPrefix(rest, "..."):
		return l.take(t, tokenEllipsis, 3), nil
	case strings.HasPrefix(rest, "--") && wordLen(rest[2:]) > 0:
		t = l.take(t, tokenOption, 2+wordLen(rest[2:]))
		t.text = t.raw[2:]
		return t, nil
	}
	if n := addrLen(rest); n > 0 {
		return l.take(t, tokenAddr, n), nil
	}
	if n := floatLen(rest); n > 0 {
		return l.take(t, tokenFloat, n), nil
	}
	if n := intLen(rest); n > 0 && n >= wordLen(rest) {
		return l.number(t, n)
	}
	if n := wordLen(rest); n > 0 {
		return l.word(t, n)
	}
	return l.take(t, tokenPunct, 1), nil
}

// take makes the next n bytes the token.
func (l *lexer) take(t token, kind tokenKind, n int) token {
	t.kind = kind
	t.raw = l.src[l.at : l.at+n]
	t.text = t.raw
	l.skip(n)
	return t
}

// number reads a decimal or hexadecimal number of n bytes.
func (l *lexer) number(t token, n int) (token, error) {
	t = l.take(t, tokenInt, n)
	if strings.HasPrefix(t.raw, "0x") {
		t.hex = true
		u, err := strconv.ParseUint(t.raw[2:], 16, 64)
		if err != nil {
			return t, l.errorf(t.Pos, "the number %s is too large", t.raw)
		}
		t.num = int64(u)
		return t, nil
	}
	num, err := strconv.ParseInt(t.raw, 10, 64)
	if err != nil {
		// A row of digits can also be a Fast Open cookie: the parser looks at
		// the text then.
		num = -1 << 63
	}
	t.num = num
	return t, nil
}

// word reads a word of n bytes and replaces it if it is defined.
func (l *lexer) word(t token, n int) (token, error) {
	t = l.take(t, tokenWord, n)
	value, ok := l.defines[t.raw]
	if !ok {
		return t, nil
	}
	switch {
	case len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"':
		t.kind, t.text = tokenString, value[1:len(value)-1]
	case len(value) >= 2 && value[0] == '`' && value[len(value)-1] == '`':
		t.kind, t.text = tokenCommand, value[1:len(value)-1]
	default:
		t.text = value
		if num, err := strconv.ParseInt(value, 0, 64); err == nil {
			t.kind, t.num, t.hex = tokenInt, num, strings.HasPrefix(value, "0x")
		}
	}
	return t, nil
}

// enclosed reads a token between delimiters. A backslash keeps the next
// character from ending it, except in code.
func (l *lexer) enclosed(t token, kind tokenKind, begin, end string) (token, error) {
	rest := l.rest()
	for i := len(begin); i < len(rest); i++ {
		if rest[i] == '\\' && kind != tokenCode {
			i++
			continue
		}
		if strings.HasPrefix(rest[i:], end) {
			t = l.take(t, kind, i+len(end))
			t.text = t.raw[len(begin) : len(t.raw)-len(end)]
			return t, nil
		}
	}
	return t, l.errorf(t.Pos, "expected %s after this %s", end, begin)
}

// space skips white space, comments and what an #ifdef leaves out.
func (l *lexer) space() error {
	for {
		rest := l.rest()
		switch {
		case rest == "":
			return nil
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.skip(1)
		case strings.HasPrefix(rest, "//"):
			l.skip(lineLen(rest))
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return l.errorf(l.pos(), "expected */ after this /*")
			}
			l.skip(n + 4)
		case rest[0] == '#':
			if err := l.directive(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// directive reads #ifdef, #ifndef, #else and #endif.
func (l *lexer) directive() error {
	p := l.pos()
	name, arg, _ := strings.Cut(strings.TrimSpace(l.rest()[1:lineLen(l.rest())]), " ")
	arg, _, _ = strings.Cut(strings.TrimSpace(arg), "//")
	arg = strings.TrimSpace(arg)
	l.skip(lineLen(l.rest()))
	switch name {
	case "ifdef", "ifndef":
		if arg == "" || wordLen(arg) != len(arg) {
			return l.errorf(p, "expected a name after #%s", name)
		}
		l.open = append(l.open, p)
		if _, ok := l.defines[arg]; ok != (name == "ifdef") {
			return l.leaveOut(p, true)
		}
		return nil
	case "else":
		if len(l.open) > 0 {
			return l.leaveOut(p, false)
		}
	case "endif":
		if n := len(l.open); n > 0 {
			l.open = l.open[:n-1]
			return nil
		}
	default:
		return l.errorf(p, "expected #ifdef, #ifndef, #else or #endif, found %q", "#"+name)
	}
	return l.errorf(p, "#%s without #ifdef", name)
}

// leaveOut skips lines up to the #endif, or to the #else if that counts.
func (l *lexer) leaveOut(p Pos, untilElse bool) error {
	depth := 0
	for l.at < len(l.src) {
		n := lineLen(l.rest())
		line := strings.TrimSpace(l.rest()[:n])
		switch {
		case strings.HasPrefix(line, "#ifdef"), strings.HasPrefix(line, "#ifndef"):
			depth++
		case strings.HasPrefix(line, "#endif") && depth > 0:
			depth--
		case strings.HasPrefix(line, "#endif"):
			l.open = l.open[:len(l.open)-1]
			l.skip(n)
			return nil
		case strings.HasPrefix(line, "#else") && depth == 0 && untilElse:
			l.skip(n)
			return nil
		}
		l.skip(min(n+1, len(l.src)-l.at))
	}
	return l.errorf(p, "no #endif for this #ifdef")
}

// lineLen returns the length of the first line of s, without the newline.
func lineLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// count returns how many of the first bytes of s satisfy f.
func count(s string, f func(byte) bool) int {
	n := 0
	for n < len(s) && f(s[n]) {
		n++
	}
	return n
}

func wordLen(s string) int { return count(s, isWord) }

// intLen returns the length of the number that s begins with, 0 for none.
func intLen(s string) int {
	if strings.HasPrefix(s, "0x") {
		if n := count(s[2:], isHex); n > 0 {
			return 2 + n
		}
	}
	sign := 0
	if strings.HasPrefix(s, "-") {
		sign = 1
	}
	n := count(s[sign:], isDigit)
	if n == 0 {
		return 0
	}
	return sign + n
}

// floatLen returns the length of the number with a point that s begins with.
func floatLen(s string) int {
	n := 0
	if strings.HasPrefix(s, "-") {
		n = 1
	}
	n += count(s[n:], isDigit)
	if n >= len(s) || s[n] != '.' {
		return 0
	}
	digits := count(s[n+1:], isDigit)
	if digits == 0 {
		return 0
	}
	return n + 1 + digits
}

// addrLen returns the length of the IP address that s begins with. A sequence
// range such as 1:1001 is none: an IPv6 address has "::" or seven colons.
func addrLen(s string) int {
	n := count(s, func(c byte) bool { return isHex(c) || c == ':' || c == '.' })
	cand := s[:n]
	if strings.HasSuffix(cand, ":") && !strings.HasSuffix(cand, "::") {
		cand = cand[:len(cand)-1]
	}
	colons := strings.Count(cand, ":")
	if strings.Count(cand, ".") != 3 && colons < 7 && !strings.Contains(cand, "::") {
		return 0
	}
	if _, err := netip.ParseAddr(cand); err != nil {
		return 0
	}
	return len(cand)
}
