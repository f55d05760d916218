package engine

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

func TestLimiter(t *testing.T) {
	const start = tcp.Time(time.Hour)
	tests := []struct {
		name    string
		rate    int
		seconds int // one try each millisecond
		want    int
	}{
		{"a burst of a second, then the rate", 10, 3, 10 + 29},
		{"under the rate", 2000, 1, 1000},
		{"off", -1, 1, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimiter(tt.rate)
			n := 0
			for ms := range tt.seconds * 1000 {
				if l.allow(start.Add(time.Duration(ms) * time.Millisecond)) {
					n++
				}
			}
			if n != tt.want {
				t.Errorf("allowed %d, want %d", n, tt.want)
			}
		})
	}
}
