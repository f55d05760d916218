package trace

import (
	"testing"

	"github.com/trivet-net/trivet/tcp"
)

// Every rule and every timer is explained in every language, and no two rules
// alike.
func TestRuleTexts(t *testing.T) {
	seen := map[string]tcp.Rule{}
	for r := range tcp.NumRules {
		for lang := range numLangs {
			text := RuleText(r, lang)
			if text == "" {
				t.Errorf("rule %v has no text in language %d", r, lang)
			}
			if old, ok := seen[text]; ok {
				t.Errorf("rules %v and %v both say %q", old, r, text)
			}
			seen[text] = r
		}
	}
	for timer := tcp.TimerRetransmit; timer <= tcp.TimerTimeWait; timer++ {
		for lang := range numLangs {
			if TimerText(timer, lang) == "" {
				t.Errorf("timer %v has no text in language %d", timer, lang)
			}
		}
	}
	if got := RuleText(tcp.NumRules, English) + TimerText(200, Chinese); got != "" {
		t.Errorf("what does not exist says %q", got)
	}
}
