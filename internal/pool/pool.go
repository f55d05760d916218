package pool

import "sync"

// Of is a pool of *T. The zero value is ready for use.
type Of[T any] struct{ p sync.Pool }

// Get returns a value that was put before, as it was, or a new one.
func (p *Of[T]) Get() *T {
	if v, ok := p.p.Get().(*T); ok {
		return v
	}
	return new(T)
}

// Put keeps v, which the caller must not use any more.
func (p *Of[T]) Put(v *T) { p.p.Put(v) }
