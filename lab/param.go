package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says how the value of a parameter is written.
type Kind string

// The kinds of parameters.
const (
	KindDuration    Kind = "duration"    // 20ms, 2m
	KindProbability Kind = "probability" // 0.05 or 5%
	KindNumber      Kind = "number"      // 12
	KindSize        Kind = "size"        // bytes: 1500, 64k, 3M
	KindRate        Kind = "rate"        // bits per second: 512k, 100M, 0 for no limit
	KindSwitch      Kind = "switch"      // on or off
	KindChoice      Kind = "choice"      // one of Choices
)

// Param is a knob of a scenario.
type Param struct {
	Name    string   `json:"name"`
	Kind    Kind     `json:"kind"`
	Default string   `json:"default"`
	Min     string   `json:"min,omitempty"` // in the notation of the kind
	Max     string   `json:"max,omitempty"`
	Choices []string `json:"choices,omitempty"`
	Text    Text     `json:"text"`
}

// value is a parameter's value, as the kind reads it.
type value struct {
	text string
	n    int64 // nanoseconds, bytes, bits per second, a count, 1 for on
	p    float64
}

// parse reads a value and checks its range.
func (p *Param) parse(text string) (value, error) {
	v, err := p.read(text)
	if err != nil {
		return v, fmt.Errorf("%s: %w", p.Name, err)
	}
	low, high := p.Min != "", p.Max != ""
	if low {
		if least, err := p.read(p.Min); err == nil && (v.n < least.n || v.p < least.p) {
			return v, fmt.Errorf("%s: %s is less than %s", p.Name, text, p.Min)
		}
	}
	if high {
		if most, err := p.read(p.Max); err == nil && (v.n > most.n || v.p > most.p) {
			return v, fmt.Errorf("%s: %s is more than %s", p.Name, text, p.Max)
		}
	}
	return v, nil
}

func (p *Param) read(text string) (value, error) {
	v := value{text: text}
	switch p.Kind {
	case KindDuration:
		d, err := time.ParseDuration(text)
		v.n = int64(d)
		if err != nil || d < 0 {
			return v, fmt.Errorf("%q is no duration such as 20ms or 2m", text)
		}
	case KindProbability:
		digits, percent := strings.CutSuffix(text, "%")
		f, err := strconv.ParseFloat(digits, 64)
		if percent {
			f /= 100
		}
		v.p = f
		if err != nil || !(f >= 0 && f <= 1) {
			return v, fmt.Errorf("%q is no probability from 0 to 1 or 0%% to 100%%", text)
		}
	case KindNumber:
		n, err := strconv.ParseInt(text, 10, 64)
		v.n = n
		if err != nil || n < 0 {
			return v, fmt.Errorf("%q is no whole number", text)
		}
	case KindSize:
		return v, v.units(text, 1024, "bytes, such as 1500, 64k or 3M")
	case KindRate:
		return v, v.units(text, 1000, "bits per second, such as 512k or 100M")
	case KindSwitch:
		switch text {
		case "on", "true", "1":
			v.n = 1
		case "off", "false", "0":
		default:
			return v, fmt.Errorf("%q is neither on nor off", text)
		}
	case KindChoice:
		if !slices.Contains(p.Choices, text) {
			return v, fmt.Errorf("%q is none of %s", text, strings.Join(p.Choices, ", "))
		}
	}
	return v, nil
}

// units reads a number with an optional k, M or G after it.
func (v *value) units(text string, k int64, what string) error {
	digits, factor := text, int64(1)
	if text != "" {
		switch text[len(text)-1] {
		case 'k', 'K':
			factor = k
		case 'm', 'M':
			factor = k * k
		case 'g', 'G':
			factor = k * k * k
		}
		if factor > 1 {
			digits = text[:len(text)-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	const most = 1 << 40
	if err != nil || n < 0 || n > most/factor {
		return fmt.Errorf("%q is no number of %s", text, what)
	}
	v.n = n * factor
	return nil
}
