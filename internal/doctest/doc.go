// Package doctest holds the documents to the tree. Its tests read docs/rfc.md,
// the READMEs, CONTRIBUTING.md and the decisions in docs/adr, and fail when
// they name a file, test or link that is not there, when an entry occurs twice
// or claims what has no test, and when the READMEs of the two languages show
// different commands. The package has no code besides its tests. What a
// sentence says is beyond it.
package doctest
