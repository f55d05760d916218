package drill

import (
	"fmt"
	"strings"
)

// The code of %{ }% blocks is the part of Python that scripts use: assert,
// print, assignments, and expressions over numbers, strings and the fields of
// tcp_info. It is evaluated when the script comes to it; names that it sets
// live until the end of the script.

// codeError is a failed assertion; any other error means that the code is not
// understood.
type codeError struct{ text string }

func (e *codeError) Error() string { return e.text }

// unknownName is a name that neither the script nor tcp_info has.
type unknownName struct{ name string }

func (e *unknownName) Error() string { return "unknown name " + e.name }

// interpreter runs code.
type interpreter struct {
	vars   map[string]value
	lookup func(name string) (value, bool) // names that the code did not set
	tokens []codeToken
	at     int
	depth  int
}

func newInterpreter(lookup func(string) (value, bool)) *interpreter {
	return &interpreter{vars: map[string]value{}, lookup: lookup}
}

// run evaluates code. Its error is a *codeError for an assertion that fails.
func (in *interpreter) run(code string) (err error) {
	in.tokens, err = lexCode(code)
	if err != nil {
		return err
	}
	in.at, in.depth = 0, 0
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if _, fault := r.(interface{ RuntimeError() }); !ok || fault {
				panic(r)
			}
			err = e
		}
	}()
	for in.peek() != "" {
		if in.accept(";") {
			continue
		}
		in.statement()
		if in.peek() != "" && !in.accept(";") {
			in.fail("expected the end of the statement, found %q", in.peek())
		}
	}
	return nil
}

// fail leaves run with an error.
func (in *interpreter) fail(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func (in *interpreter) peek() string {
	if in.at < len(in.tokens) {
		return in.tokens[in.at].text
	}
	return ""
}

// accept takes the next token if it is the operator or keyword s.
func (in *interpreter) accept(s string) bool {
	if in.at < len(in.tokens) && in.tokens[in.at].kind == codeOp && in.tokens[in.at].text == s {
		in.at++
		return true
	}
	return false
}

func (in *interpreter) expect(s string) {
	if !in.accept(s) {
		in.fail("expected %q, found %q", s, in.peek())
	}
}

// statement runs one statement.
func (in *interpreter) statement() {
	if in.accept("assert") {
		in.assert()
		return
	}
	if in.accept("pass") {
		return
	}
	if in.at+1 < len(in.tokens) && in.tokens[in.at].kind == codeName && in.tokens[in.at+1].kind == codeOp {
		name, op := in.tokens[in.at].text, in.tokens[in.at+1].text
		if strings.HasSuffix(op, "=") && !comparison[op] {
			in.at += 2
			in.assign(name, strings.TrimSuffix(op, "="))
			return
		}
	}
	in.tuple()
}

// assert evaluates "assert condition, message".
func (in *interpreter) assert() {
	begin := in.at
	ok := truth(in.expr())
	end := in.at
	var message value
	if in.accept(",") {
		message = in.expr()
	}
	if ok {
		return
	}
	var words []string
	for _, t := range in.tokens[begin:end] {
		words = append(words, t.text)
	}
	text := "assertion failed: " + strings.Join(words, " ")
	if message != nil {
		text += ": " + format(message)
	}
	panic(&codeError{text})
}

func (in *interpreter) assign(name, op string) {
	v := in.tuple()
	if op != "" {
		old, ok := in.vars[name]
		if !ok {
			panic(&unknownName{name})
		}
		v = in.binary(op, old, v)
	}
	in.vars[name] = v
}

// tuple reads expressions separated by commas; a single one is itself.
func (in *interpreter) tuple() value {
	v := in.expr()
	if !in.accept(",") {
		return v
	}
	list := []value{v}
	for in.at < len(in.tokens) && in.peek() != ")" && in.peek() != ";" {
		list = append(list, in.expr())
		if !in.accept(",") {
			break
		}
	}
	return list
}

var comparison = map[string]bool{"==": true, "!=": true, "<": true, "<=": true, ">": true, ">=": true}

// The binary operators, each level binding closer than the one before.
var levels = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%"}}

func (in *interpreter) expr() value {
	if in.depth++; in.depth > maxDepth {
		in.fail("brackets go deeper than %d", maxDepth)
	}
	defer func() { in.depth-- }()
	v := in.and()
	for in.accept("or") {
		if w := in.and(); !truth(v) {
			v = w
		}
	}
	return v
}

func (in *interpreter) and() value {
	v := in.not()
	for in.accept("and") {
		if w := in.not(); truth(v) {
			v = w
		}
	}
	return v
}

func (in *interpreter) not() value {
	negate := false
	any := false
	for in.accept("not") {
		negate, any = !negate, true
	}
	v := in.compare()
	if any {
		return truth(v) != negate
	}
	return v
}

// compare evaluates a chain a < b <= c, which holds when each link does.
func (in *interpreter) compare() value {
	left := in.level(0)
	if !comparison[in.peek()] {
		return left
	}
	holds := true
	for comparison[in.peek()] {
		op := in.peek()
		in.at++
		right := in.level(0)
		holds = holds && in.relation(op, left, right)
		left = right
	}
	return holds
}

func (in *interpreter) relation(op string, a, b value) bool {
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		if !ok || op != "==" && op != "!=" {
			in.fail("cannot compare %s %s %s", format(a), op, format(b))
		}
		return (x == y) == (op == "==")
	}
	x, y := in.number(a), in.number(b)
	switch op {
	case "==":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

func (in *interpreter) level(n int) value {
	if n == len(levels) {
		return in.unary()
	}
	v := in.level(n + 1)
	for {
		op := ""
		for _, o := range levels[n] {
			if in.accept(o) {
				op = o
			}
		}
		if op == "" {
			return v
		}
		v = in.binary(op, v, in.level(n+1))
	}
}

func (in *interpreter) unary() value {
	switch {
	case in.accept("-"):
		return in.binary("-", int64(0), in.deeper())
	case in.accept("+"):
		return in.deeper()
	case in.accept("~"):
		n, ok := toInt(in.deeper())
		if !ok {
			in.fail("operator ~ needs a whole number")
		}
		return ^n
	}
	return in.primary()
}

// deeper is unary one level down.
func (in *interpreter) deeper() value {
	if in.depth++; in.depth > maxDepth {
		in.fail("signs go deeper than %d", maxDepth)
	}
	defer func() { in.depth-- }()
	return in.unary()
}

func (in *interpreter) primary() value {
	if in.at == len(in.tokens) {
		in.fail("expected a value, found the end")
	}
	t := in.tokens[in.at]
	in.at++
	switch t.kind {
	case codeNumber, codeString:
		return t.value
	case codeName:
		if in.accept("(") {
			return in.function(t.text)
		}
		return in.name(t.text)
	}
	if t.text == "(" {
		v := in.tuple()
		in.expect(")")
		return v
	}
	in.fail("expected a value, found %q", t.text)
	return nil
}

func (in *interpreter) name(name string) value {
	switch name {
	case "True":
		return true
	case "False":
		return false
	case "None":
		return nil
	}
	if v, ok := in.vars[name]; ok {
		return v
	}
	if v, ok := in.lookup(name); ok {
		return v
	}
	panic(&unknownName{name})
}

// function evaluates a call of print, min, max, abs, int, float or str.
func (in *interpreter) function(name string) value {
	var args []value
	for !in.accept(")") {
		args = append(args, in.expr())
		if !in.accept(",") {
			in.expect(")")
			break
		}
	}
	switch {
	case name == "print":
		return nil
	case len(args) == 0:
	case name == "min" || name == "max":
		best := args[0]
		for _, a := range args[1:] {
			if (in.number(a) < in.number(best)) == (name == "min") {
				best = a
			}
		}
		return best
	case name == "abs":
		if in.number(args[0]) < 0 {
			return in.binary("-", int64(0), args[0])
		}
		return args[0]
	case name == "int":
		return int64(in.number(args[0]))
	case name == "float":
		return in.number(args[0])
	case name == "str":
		return format(args[0])
	}
	panic(&unknownName{name + "()"})
}
