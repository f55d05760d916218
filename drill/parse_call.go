package drill

import "strings"

// call reads a system call: [...end] name(arguments) = result [errno (text)]
// [(note)].
func (p *parser) call() *Call {
	c := &Call{}
	if p.tok.kind == tokenEllipsis {
		p.advance()
		c.Blocking = true
		c.End = p.time()
	}
	if p.tok.kind != tokenWord {
		p.fail("the name of a system call")
		return c
	}
	c.Name = p.tok.text
	p.advance()
	p.expect("(")
	c.Args = p.list(")")
	p.expect("=")
	c.Result = p.expr()
	if p.tok.kind == tokenWord {
		c.Errno = p.tok.text
		p.advance()
		if !p.isPunct("(") {
			p.fail("'(' and the text of the error")
			return c
		}
		c.Note = p.note()
	}
	if p.isPunct("(") {
		c.Note = p.note()
	}
	return c
}

// note reads words in parentheses.
func (p *parser) note() string {
	p.expect("(")
	var words []string
	for p.err == nil && !p.isPunct(")") && p.tok.kind != tokenEOF {
		words = append(words, p.tok.raw)
		p.advance()
	}
	p.expect(")")
	return strings.Join(words, " ")
}

// list reads expressions separated by commas, up to and with end.
func (p *parser) list(end string) []*Expr {
	var list []*Expr
	if p.accept(end) {
		return nil
	}
	for p.err == nil {
		list = append(list, p.field())
		if !p.accept(",") {
			break
		}
	}
	p.expect(end)
	return list
}

// field reads an expression that may have a name: a, a=1, a(n)=1.
func (p *parser) field() *Expr {
	e := p.expr()
	if !p.accept("=") {
		return e
	}
	if e.Kind != ExprWord && e.Kind != ExprCall {
		p.failAt(e.Pos, "expected a name before '='")
		return e
	}
	value := p.field()
	if value.Name != "" {
		// A chain a=b=c keeps the outer name and an assignment inside.
		p.failAt(value.Pos, "expected a value after '='")
	}
	value.Name = e.Text
	return value
}

// maxDepth bounds how deeply expressions nest.
const maxDepth = 50

// expr reads an expression with its alternatives: A|B|C.
func (p *parser) expr() *Expr {
	e := p.operand()
	if !p.isPunct("|") {
		return e
	}
	or := &Expr{Pos: e.Pos, Kind: ExprOr, List: []*Expr{e}}
	for p.accept("|") {
		or.List = append(or.List, p.operand())
	}
	return or
}

func (p *parser) operand() *Expr {
	e := &Expr{Pos: p.tok.Pos}
	if p.depth++; p.depth > maxDepth {
		p.failAt(e.Pos, "expected less nesting: brackets go deeper than %d", maxDepth)
		return e
	}
	defer func() { p.depth-- }()
	switch p.tok.kind {
	case tokenEllipsis:
		e.Kind = ExprEllipsis
		p.advance()
	case tokenInt:
		e.Kind, e.Int = ExprInt, p.tok.num
		p.advance()
	case tokenWord:
		e.Kind, e.Text = ExprWord, p.tok.text
		p.advance()
		if p.accept("(") {
			e.Kind, e.List = ExprCall, p.list(")")
		}
	case tokenString:
		p.text(e)
	case tokenPunct:
		p.brackets(e)
	default:
		p.fail("an expression")
	}
	return e
}

// text reads strings, which join, and a final "...".
func (p *parser) text(e *Expr) {
	e.Kind = ExprString
	for p.tok.kind == tokenString {
		e.Text += unescape(p.tok.text)
		p.advance()
	}
	if p.tok.kind == tokenEllipsis {
		e.Kind = ExprPrefix
		p.advance()
	}
}

func (p *parser) brackets(e *Expr) {
	switch {
	case p.accept("["):
		e.Kind, e.List = ExprList, p.list("]")
	case p.accept("{"):
		e.Kind, e.List = ExprStruct, p.list("}")
	default:
		p.fail("an expression")
	}
}

// unescape replaces the escapes of C in a string: \n, \t, \r, \0, \xHH and any
// other character for itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		case c == '0':
			b.WriteByte(0)
		case c == 'x' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func hexDigit(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
