package tcp

import (
	"math"
	"testing"
	"time"
)

// SOCK-56, SOCK-65, SOCK-70: zeros and what makes no sense become the defaults,
// sizes are brought into range.
func TestOptionsWithDefaults(t *testing.T) {
	defaults := Options{
		KeepIdle: 2 * time.Hour, KeepInterval: 75 * time.Second, KeepCount: 9,
	}
	with := func(f func(*Options)) Options {
		o := defaults
		f(&o)
		return o
	}
	tests := []struct {
		name     string
		in, want Options
	}{
		{"zero", Options{}, defaults},
		{"negative", Options{KeepIdle: -1, KeepInterval: -1, KeepCount: -1, UserTimeout: -1}, defaults},
		{"small buffers", Options{SendBuffer: 1, RecvBuffer: -1}, with(func(o *Options) { o.SendBuffer, o.RecvBuffer = 4608, 2304 })},
		{"large buffers", Options{SendBuffer: math.MaxInt, RecvBuffer: math.MaxInt}, with(func(o *Options) { o.SendBuffer, o.RecvBuffer = 1<<30, 1<<30 })},
		{"negative low-water marks", Options{NotSentLowat: -1, RecvLowat: -1, SynRetries: -1, DeferAccept: -1}, defaults},
		{"a mark over half of the buffer", Options{RecvLowat: 1 << 20}, with(func(o *Options) { o.RecvLowat = 1 << 19 })},
		{"many retries", Options{SynRetries: 1000}, with(func(o *Options) { o.SynRetries = 127 })},
		{"small segments", Options{MaxSeg: 1}, with(func(o *Options) { o.MaxSeg = 88 })},
		{"large segments", Options{MaxSeg: 1 << 20}, with(func(o *Options) { o.MaxSeg = 32767 })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.WithDefaults(); got != tt.want {
				t.Errorf("WithDefaults = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Section 6 of the checklist: the constants in use.
func TestConfigDefaults(t *testing.T) {
	c := NewConfig(Config{})
	if c.Counters == nil {
		t.Error("no counters")
	}
	c.Counters = nil
	want := Config{
		MinRTO: 200 * time.Millisecond, MaxRTO: 2 * time.Minute, SynRetries: 6, Retries: 15, OrphanRetries: 8,
		DelayedAck: 40 * time.Millisecond, FinWait2: time.Minute, ChallengeAckInterval: 500 * time.Millisecond, InitialWindow: 10,
	}
	if c.MinRTO != want.MinRTO || c.MaxRTO != want.MaxRTO || c.SynRetries != want.SynRetries || c.Retries != want.Retries ||
		c.OrphanRetries != want.OrphanRetries || c.DelayedAck != want.DelayedAck || c.FinWait2 != want.FinWait2 ||
		c.ChallengeAckInterval != want.ChallengeAckInterval || c.InitialWindow != want.InitialWindow {
		t.Errorf("NewConfig = %+v, want %+v", *c, want)
	}
}
