package lab

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzParseRecipe: a recipe from elsewhere is refused or understood; what is
// understood is written and read as the same.
func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte(`{"format":"trivet-lab-recipe/1","scenario":"handshake","seed":1,"params":{"rtt":"20ms"},"do":["at #2 drop"]}`))
	f.Add([]byte(`{"format":"trivet-lab-recipe/1","scenario":"syn-flood","seed":0,"params":{"queue":"64","loss":"5%"},"do":[]}`))
	f.Add([]byte(`{"format":"trivet-lab-recipe/2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRecipe(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		same, err := ParseRecipe(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if len(r.Params)+len(r.Do) > 0 && !reflect.DeepEqual(normal(r), normal(same)) {
			t.Errorf("%+v became %+v", r, same)
		}
	})
}

// normal has no difference between nothing and an empty list.
func normal(r Recipe) Recipe {
	if len(r.Params) == 0 {
		r.Params = nil
	}
	if len(r.Do) == 0 {
		r.Do = nil
	}
	return r
}

// FuzzParseIntervention: whatever is understood can be done to a run.
func FuzzParseIntervention(f *testing.F) {
	for _, text := range []string{
		"at #2 drop", "at #3 delay 300ms", "at 1s unplug", "at client ESTABLISHED close client",
		"at server challenge-ack-syn crash server", "at #4 inject rst from server", "at 0s stop-reading",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := ParseIntervention(text); err != nil {
			return
		}
		if _, err := Play(Recipe{Scenario: "close-four-way", Do: []string{text}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
