package drill

import (
	"fmt"
	"math"
	"strings"
)

// value is a value of the code: int64, float64, bool, string, nil or []value.
type value any

// number returns a as a number that compares and computes.
func (in *interpreter) number(a value) float64 {
	switch a := a.(type) {
	case int64:
		return float64(a)
	case float64:
		return a
	case bool:
		if a {
			return 1
		}
		return 0
	}
	in.fail("%s is not a number", format(a))
	return 0
}

// integers returns a and b if both are whole numbers.
func integers(a, b value) (x, y int64, ok bool) {
	x, okA := toInt(a)
	y, okB := toInt(b)
	return x, y, okA && okB
}

func toInt(a value) (int64, bool) {
	switch a := a.(type) {
	case int64:
		return a, true
	case bool:
		if a {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func (in *interpreter) binary(op string, a, b value) value {
	if s, ok := a.(string); ok {
		return in.text(op, s, b)
	}
	if x, y, ok := integers(a, b); ok && op != "/" {
		return in.whole(op, x, y)
	}
	x, y := in.number(a), in.number(b)
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/", "//", "%":
		if y == 0 {
			in.fail("division by zero")
		}
	default:
		in.fail("operator %s needs whole numbers", op)
	}
	switch op {
	case "/":
		return x / y
	case "//":
		return math.Floor(x / y)
	}
	return x - y*math.Floor(x/y)
}

// whole computes with whole numbers as Python does: division rounds down.
func (in *interpreter) whole(op string, x, y int64) value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "&":
		return x & y
	case "|":
		return x | y
	case "^":
		return x ^ y
	case "<<", ">>":
		if y < 0 || y > 62 {
			in.fail("a shift of %d", y)
		}
		if op == "<<" {
			return x << uint(y)
		}
		return x >> uint(y)
	}
	if y == 0 {
		in.fail("division by zero")
	}
	q, r := x/y, x%y
	if r != 0 && (r < 0) != (y < 0) {
		q, r = q-1, r+y
	}
	if op == "//" {
		return q
	}
	return r
}

// text computes with a string: joining and formatting.
func (in *interpreter) text(op, s string, b value) value {
	t, isText := b.(string)
	switch {
	case op == "+" && isText:
		return s + t
	case op == "%":
		args, ok := b.([]value)
		if !ok {
			args = []value{b}
		}
		return sprintf(s, args)
	}
	in.fail("operator %s on a string", op)
	return nil
}

// sprintf formats as Python's % does, with the verbs d, s, f, x and %.
func sprintf(f string, args []value) string {
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		j := i + 1
		for j < len(f) && strings.IndexByte("0123456789.-+ #lu", f[j]) >= 0 && f[j] != 'u' {
			j++
		}
		if j == len(f) {
			b.WriteString(f[i:])
			break
		}
		i = j
		if f[j] == '%' {
			b.WriteByte('%')
			continue
		}
		if len(args) > 0 {
			b.WriteString(format(args[0]))
			args = args[1:]
		}
	}
	return b.String()
}

// truth is what a condition makes of a value.
func truth(v value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []value:
		return len(v) > 0
	}
	return true
}

func format(v value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case []value:
		var parts []string
		for _, w := range v {
			parts = append(parts, format(w))
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprint(v)
}
