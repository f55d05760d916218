package pool

import "testing"

func TestGetIsNewOrWhatWasPut(t *testing.T) {
	var p Of[[]int]
	v := p.Get()
	if v == nil || *v != nil {
		t.Fatalf("Get() of an empty pool = %v, want a pointer to nil", v)
	}
	*v = append(*v, 1)
	p.Put(v)
	// The runtime may forget what was put; both answers are right.
	if w := p.Get(); w != v && *w != nil {
		t.Errorf("Get() = %v, want what was put, or a new one", *w)
	}
}
