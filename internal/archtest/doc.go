// Package archtest is a test of the whole tree and nothing else: it fails when
// an import breaks the order of the house, when a package that must not know a
// clock, goroutine, lock or random source learns of one, when a library package
// imports more than the standard library and golang.org/x/sys, and when a
// package has no doc.go.
//
// The order is the table in rules_test.go; a new package needs a row there. It
// looks at the source alone, for every operating system at once, and leaves
// test files out: they may use what they like.
package archtest
