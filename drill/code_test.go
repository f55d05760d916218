package drill

import (
	"errors"
	"testing"
)

func codeNames(name string) (value, bool) {
	names := map[string]value{"tcpi_snd_cwnd": int64(10), "tcpi_rtt": int64(20000), "tcpi_options": int64(7)}
	v, ok := names[name]
	return v, ok
}

func TestCode(t *testing.T) {
	for _, tt := range []struct {
		name, code, err string
	}{
		{"true", "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd", ""},
		{"false", "assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd", "assertion failed: tcpi_snd_cwnd == 11: 10"},
		{"formatted", "assert tcpi_snd_cwnd == 11, 'cwnd=%d' % tcpi_snd_cwnd", "assertion failed: tcpi_snd_cwnd == 11: cwnd=10"},
		{"tuple", "assert 0, '%d of %d' % (1, 2)", "assertion failed: 0: 1 of 2"},
		{"chain", "assert 10000 <= tcpi_rtt < 20001", ""},
		{"chain fails", "assert 10000 <= tcpi_rtt < 20000", "assertion failed: 10000 <= tcpi_rtt < 20000"},
		{"bits", "assert (tcpi_options & 2) != 0 and not tcpi_options & 8", ""},
		{"variables", "print(1); cwnd = 4\ncwnd += 2*3; assert cwnd == tcpi_snd_cwnd # ten", ""},
		{"precedence", "assert 1 + 2 * 3 - 4 // 3 == 6 and 7 % 4 == 3 and -7 // 2 == -4 and -7 % 4 == 1", ""},
		{"division", "assert 1 / 2 == 0.5", ""},
		{"functions", "assert max(1, 5, 3) - min(4, 2) == 3 and abs(-2) == int(2.9)", ""},
		{"continued", "assert 1 == 1, \\\n  'x'\nassert (1 ==\n 1)", ""},
		{"or", "assert 0 or not 0 and 1", ""},
		{"unknown", "assert tcpi_nothing == 1", "unknown name tcpi_nothing"},
		{"unknown function", "os.exit(1)", `unexpected "."`},
		{"no value", "assert 1 ==", "expected a value, found the end"},
		{"zero", "assert 1 // 0", "division by zero"},
		{"two statements", "assert 1 1", `expected the end of the statement, found "1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := newInterpreter(codeNames).run(tt.code)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.err {
				t.Errorf("run(%q) = %q, want %q", tt.code, got, tt.err)
			}
		})
	}
}

// A failed assertion is told from code that is not understood.
func TestCodeErrorKinds(t *testing.T) {
	var failed *codeError
	var unknown *unknownName
	if err := newInterpreter(codeNames).run("assert 0"); !errors.As(err, &failed) {
		t.Errorf("run(assert 0) = %T, want *codeError", err)
	}
	if err := newInterpreter(codeNames).run("assert x"); !errors.As(err, &unknown) {
		t.Errorf("run(assert x) = %T, want *unknownName", err)
	}
}

// Names that code sets are there in later blocks.
func TestCodeKeepsNames(t *testing.T) {
	in := newInterpreter(codeNames)
	if err := in.run("x = 3"); err != nil {
		t.Fatal(err)
	}
	if err := in.run("assert x == 3"); err != nil {
		t.Errorf("run(assert x == 3) = %v, want nil", err)
	}
}

func FuzzCode(f *testing.F) {
	f.Add("assert tcpi_snd_cwnd == 10, 'cwnd=%d' % tcpi_snd_cwnd")
	f.Add("x = (1 + 2) * -3 // 4; x += 1 << 2")
	f.Add("assert 1 <= 2 < 3 and not 'a' == 'b' or max(1, 2)")
	f.Fuzz(func(t *testing.T, code string) {
		// Any text ends in a result or an error.
		err := newInterpreter(codeNames).run(code)
		again := newInterpreter(codeNames).run(code)
		if (err == nil) != (again == nil) {
			t.Errorf("run(%q) = %v, then %v", code, err, again)
		}
	})
}
