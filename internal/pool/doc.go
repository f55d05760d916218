// Package pool keeps values of one type for reuse, for packages which are to
// know nothing of locks: the pool is safe for all goroutines.
package pool
