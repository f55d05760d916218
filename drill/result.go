package drill

import (
	"fmt"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// Status is how a script ended.
type Status uint8

// The statuses.
const (
	// Pass: everything came as the script says.
	Pass Status = iota
	// Fail: something came otherwise.
	Fail
	// Unsupported: the script needs what Trivet or this package does not have.
	Unsupported
)

var statusNames = [...]string{"pass", "fail", "unsupported"}

// String returns "pass", "fail" or "unsupported".
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Result is what became of a script.
type Result struct {
	Path   string
	Status Status
	// Line is where it failed or stopped, 0 if it passed.
	Line int
	// Reason says what was wrong, or names what is missing, in one line.
	Reason string
	// Expected and Got are the line of the script and what came instead;
	// either may be empty.
	Expected, Got string
	// Conversation is every packet up to the end, one line each, with the
	// script's sequence numbers.
	Conversation []string
	// Counters are what the host counted.
	Counters tcp.Counters
	// Elapsed is the script's time at its end.
	Elapsed time.Duration
}

// String returns the whole as it is printed.
func (r *Result) String() string {
	var b strings.Builder
	if r.Status == Pass {
		fmt.Fprintf(&b, "%s: pass", r.Path)
		return b.String()
	}
	fmt.Fprintf(&b, "%s:%d: %v: %s", r.Path, r.Line, r.Status, r.Reason)
	if r.Status == Unsupported {
		return b.String()
	}
	if r.Expected != "" {
		fmt.Fprintf(&b, "\n  expected: %s", r.Expected)
	}
	if r.Got != "" {
		fmt.Fprintf(&b, "\n  got:      %s", r.Got)
	}
	if len(r.Conversation) > 0 {
		b.WriteString("\n  so far:")
		for _, l := range r.Conversation {
			b.WriteString("\n    " + l)
		}
	}
	return b.String()
}

// failure is an error that says what came otherwise than the script has it.
type failure struct {
	line     int // 0: that of the event
	reason   string
	got      string
	expected string // "" : the script's line
}

func (e *failure) Error() string { return e.reason }

// failf returns a failure.
func failf(format string, args ...any) error {
	return &failure{reason: fmt.Sprintf(format, args...)}
}
