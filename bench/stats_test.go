package main

import (
	"fmt"
	"testing"
)

func TestSummarize(t *testing.T) {
	tests := []struct {
		values []float64
		want   string
	}{
		{nil, "-"},
		{[]float64{7}, "7.00"},
		{[]float64{3, 1, 2}, "2.00 (1.00 - 3.00)"},
		{[]float64{4, 1, 3, 2}, "2.50 (1.00 - 4.00)"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.values), func(t *testing.T) {
			if got := summarize(tt.values).String(); got != tt.want {
				t.Errorf("summarize(%v) = %s, want %s", tt.values, got, tt.want)
			}
		})
	}
}

func TestFigure(t *testing.T) {
	tests := []struct {
		v    float64
		want string
	}{
		{0, "0"},
		{0.00234, "0.0023"},
		{0.3134, "0.313"},
		{0.9996, "1.00"},
		{4.075, "4.08"},
		{42.63, "42.6"},
		{99.96, "100"},
		{12100.4, "12100"},
		{-3.333, "-3.33"},
	}
	for _, tt := range tests {
		if got := figure(tt.v); got != tt.want {
			t.Errorf("figure(%v) = %s, want %s", tt.v, got, tt.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	var hundred []int
	for i := range 100 {
		hundred = append(hundred, i+1)
	}
	tests := []struct {
		sorted []int
		p      float64
		want   int
	}{
		{nil, 50, 0},
		{[]int{5}, 99, 5},
		{[]int{1, 2, 3}, 50, 2},
		{[]int{1, 2, 3}, 0, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	}
	for _, tt := range tests {
		if got := percentile(tt.sorted, tt.p); got != tt.want {
			t.Errorf("percentile(%d values, %v) = %d, want %d", len(tt.sorted), tt.p, got, tt.want)
		}
	}
}
