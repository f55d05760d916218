// Package interop holds tests of libraries that Trivet's own module must not
// depend on: they run unmodified over its listeners and connections. It is a
// module of its own, so that whoever uses Trivet does not get their
// dependencies.
package interop
