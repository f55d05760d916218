package lab

import (
	"fmt"

	"github.com/trivet-net/trivet/trace"
)

// Text is a sentence in every language of the lab.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// In returns the text in a language.
func (t Text) In(l trace.Lang) string {
	if l == trace.Chinese {
		return t.ZH
	}
	return t.EN
}

// With fills in arguments, in both languages alike.
func (t Text) With(args ...any) Text {
	return Text{fmt.Sprintf(t.EN, args...), fmt.Sprintf(t.ZH, args...)}
}
