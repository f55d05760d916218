package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// recipeFormat names the form of a recipe in JSON.
const recipeFormat = "trivet-lab-recipe/1"

// Recipe is all that a run depends on.
type Recipe struct {
	Scenario string
	// Seed is where all chance comes from: the luck of the links, initial
	// sequence numbers and ports. 0 is a seed like any other.
	Seed uint64
	// Params are the parameters that differ from the scenario's defaults.
	Params map[string]string
	// Do are the interventions, in the notation of Intervention.
	Do []string
}

// recipeJSON is a recipe as it is written.
type recipeJSON struct {
	Format   string            `json:"format"`
	Scenario string            `json:"scenario"`
	Seed     uint64            `json:"seed"`
	Params   map[string]string `json:"params"`
	Do       []string          `json:"do"`
}

// MarshalJSON writes the recipe with its format.
func (r Recipe) MarshalJSON() ([]byte, error) {
	j := recipeJSON{recipeFormat, r.Scenario, r.Seed, r.Params, r.Do}
	if j.Params == nil {
		j.Params = map[string]string{}
	}
	if j.Do == nil {
		j.Do = []string{}
	}
	return json.Marshal(j)
}

// The bounds of a recipe, which may come from anywhere.
const (
	maxRecipe        = 64 << 10 // bytes
	maxInterventions = 1000
)

// ParseRecipe reads a recipe in JSON and checks all of it: the scenario, the
// parameters and the interventions must make sense.
func ParseRecipe(text []byte) (Recipe, error) {
	if len(text) > maxRecipe {
		return Recipe{}, fmt.Errorf("a recipe has at most %d bytes", maxRecipe)
	}
	var j recipeJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Recipe{}, fmt.Errorf("not a recipe: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Recipe{}, errors.New("not a recipe: something follows it")
	}
	if j.Format != recipeFormat {
		return Recipe{}, fmt.Errorf("not a recipe: its format is %q, not %q", j.Format, recipeFormat)
	}
	r := Recipe{j.Scenario, j.Seed, j.Params, j.Do}
	return r, r.Check()
}

// Check says what is wrong with the recipe, nil if nothing is. Unknown names
// come with those nearest to them.
func (r *Recipe) Check() error {
	_, err := r.prepare()
	return err
}

// order is a recipe that was understood.
type order struct {
	scenario *Scenario
	values   map[string]value
	do       []Intervention
}

func (r *Recipe) prepare() (*order, error) {
	s, err := Find(r.Scenario)
	if err != nil {
		return nil, err
	}
	o := &order{scenario: s, values: map[string]value{}}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		p, err := s.param(name)
		if err != nil {
			return nil, err
		}
		if o.values[name], err = p.parse(r.Params[name]); err != nil {
			return nil, err
		}
	}
	for i := range s.Params {
		p := &s.Params[i]
		if _, given := o.values[p.Name]; given {
			continue
		}
		if o.values[p.Name], err = p.parse(p.Default); err != nil {
			return nil, err
		}
	}
	if len(r.Do) > maxInterventions {
		return nil, fmt.Errorf("%d interventions are more than %d", len(r.Do), maxInterventions)
	}
	for _, text := range r.Do {
		i, err := ParseIntervention(text)
		if err != nil {
			return nil, err
		}
		o.do = append(o.do, i)
	}
	return o, nil
}
