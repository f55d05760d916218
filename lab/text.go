package lab

import "github.com/trivet-net/trivet/trace"

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
