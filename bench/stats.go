package main

import (
	"fmt"
	"math"
	"slices"
)

// summary is what is told of the values of one metric over the rounds.
type summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// summarize returns the summary of values, which it sorts. The median of an
// even number of values is the mean of the two in the middle.
func summarize(values []float64) summary {
	n := len(values)
	if n == 0 {
		return summary{}
	}
	slices.Sort(values)
	return summary{
		Median: (values[(n-1)/2] + values[n/2]) / 2,
		Min:    values[0],
		Max:    values[n-1],
		N:      n,
	}
}

// String returns "median (min - max)", and one value alone without the range.
func (s summary) String() string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return figure(s.Median)
	}
	return fmt.Sprintf("%s (%s - %s)", figure(s.Median), figure(s.Min), figure(s.Max))
}

// figure prints three digits that count, never with an exponent.
func figure(v float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.9995:
		return fmt.Sprintf("%.2f", v)
	case a >= 0.01:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// percentile returns the value that p of 100 are not above, of sorted values.
func percentile[T any](sorted []T, p float64) (v T) {
	if len(sorted) == 0 {
		return v
	}
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
