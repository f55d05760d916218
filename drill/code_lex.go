package drill

import (
	"fmt"
	"strconv"
	"strings"
)

type codeKind uint8

const (
	codeOp codeKind = iota // operators, brackets, keywords; ";" ends a statement
	codeName
	codeNumber
	codeString
)

type codeToken struct {
	kind  codeKind
	text  string
	value value
}

// codeOps are the operators, longer ones before those they begin with.
var codeOps = []string{
	"<<=", ">>=", "//=", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "//",
	"+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", ",", ";",
}

var codeKeywords = map[string]bool{"assert": true, "and": true, "or": true, "not": true, "pass": true}

// lexCode cuts code into tokens. A line break ends a statement except inside
// brackets and after a backslash.
func lexCode(s string) ([]codeToken, error) {
	var out []codeToken
	depth := 0
	for s != "" {
		switch c := s[0]; {
		case strings.HasPrefix(s, "\\\n"):
			s = s[2:]
		case strings.HasPrefix(s, "\\\r\n"):
			s = s[3:]
		case c == '\n':
			if depth == 0 {
				out = append(out, codeToken{codeOp, ";", nil})
			}
			s = s[1:]
		case c == ' ' || c == '\t' || c == '\r':
			s = s[1:]
		case c == '#':
			s = s[lineLen(s):]
		default:
			t, n, err := nextCodeToken(s)
			if err != nil {
				return nil, err
			}
			switch {
			case t.kind == codeOp && t.text == "(":
				depth++
			case t.kind == codeOp && t.text == ")":
				depth--
			}
			out = append(out, t)
			s = s[n:]
		}
	}
	return out, nil
}

// nextCodeToken reads the token that s begins with, and returns its length.
func nextCodeToken(s string) (codeToken, int, error) {
	switch c := s[0]; {
	case c == '"' || c == '\'':
		n := strings.IndexByte(s[1:], c)
		if n < 0 {
			return codeToken{}, 0, fmt.Errorf("no end of the string %s", s)
		}
		return codeToken{codeString, s[:n+2], unescape(s[1 : 1+n])}, n + 2, nil
	case isDigit(c) || c == '.' && len(s) > 1 && isDigit(s[1]):
		return codeNumberToken(s)
	case isWord(c):
		n := wordLen(s)
		if codeKeywords[s[:n]] {
			return codeToken{codeOp, s[:n], nil}, n, nil
		}
		return codeToken{codeName, s[:n], nil}, n, nil
	}
	op := codeOperator(s)
	if op == "" {
		return codeToken{}, 0, fmt.Errorf("unexpected %q", s[:1])
	}
	return codeToken{codeOp, op, nil}, len(op), nil
}

func codeOperator(s string) string {
	for _, op := range codeOps {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

func codeNumberToken(s string) (codeToken, int, error) {
	n := count(s, func(c byte) bool { return isWord(c) || c == '.' })
	text := s[:n]
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return codeToken{codeNumber, text, i}, n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return codeToken{}, 0, fmt.Errorf("expected a number, found %q", text)
	}
	return codeToken{codeNumber, text, f}, n, nil
}
