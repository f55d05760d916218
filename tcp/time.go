package tcp

import "time"

// Time is a moment on the caller's clock, in nanoseconds. The clock never runs
// backwards; where it starts does not matter, but 0 means "no time".
type Time int64

// Add returns the moment d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Due reports whether the deadline t is set and has come at now.
func (t Time) Due(now Time) bool { return t != 0 && t <= now }

// Earliest returns the earlier of two deadlines, of which either may be unset.
func Earliest(a, b Time) Time {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
