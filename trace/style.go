package trace

import "fmt"

// Seq says how a rendering prints sequence numbers.
type Seq uint8

const (
	// SeqRelative counts from the initial sequence number of each side, so
	// that SYN is 0 and the first byte 1. Timestamps are relative too.
	SeqRelative Seq = iota
	// SeqAbsolute prints the numbers on the wire.
	SeqAbsolute
	// SeqBoth prints relative numbers, and those on the wire below.
	SeqBoth
)

// ParseSeq returns the Seq called rel, abs or both.
func ParseSeq(s string) (Seq, error) {
	switch s {
	case "rel":
		return SeqRelative, nil
	case "abs":
		return SeqAbsolute, nil
	case "both":
		return SeqBoth, nil
	}
	return 0, fmt.Errorf("sequence numbers are rel, abs or both, not %q", s)
}

// Lang is the language of explanations.
type Lang uint8

// The languages.
const (
	English Lang = iota
	Chinese
	numLangs
)

// ParseLang returns the language called en or zh.
func ParseLang(s string) (Lang, error) {
	switch s {
	case "en":
		return English, nil
	case "zh":
		return Chinese, nil
	}
	return 0, fmt.Errorf("languages are en and zh, not %q", s)
}

// Style says how a Ladder is drawn. The zero value is ready for use.
type Style struct {
	Seq  Seq
	Lang Lang
	// Width is the number of columns, at least 100. Zero: 120.
	Width int
	// Left is the host drawn on the left. Empty: the one that sent the first
	// packet of the connection.
	Left string
	// Unicode draws the arrows with line characters instead of ASCII.
	Unicode bool
	// Rules adds, to what happens, the names of the rules that decided it and
	// where each is written.
	Rules bool
	// Eyes shows only what the host of that name sees: what it sends, what
	// reaches it, and its own state. Empty: everything.
	Eyes string
	// Connection chooses the connection, counted from 0 in the order of their
	// first packets.
	Connection int
}

const (
	defaultWidth = 120
	minWidth     = 100
)
