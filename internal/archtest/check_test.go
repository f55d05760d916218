package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/trivet-net/trivet"

// file is a Go file by its path in the module.
type file struct {
	name string
	src  []byte
}

// check returns what is wrong with the files of a module, one line for each
// finding.
func check(rules map[string]rule, files []file) []string {
	c := checker{rules: rules, fset: token.NewFileSet(), documented: make(map[string]bool)}
	for _, f := range files {
		c.file(f)
	}
	for dir, ok := range c.documented {
		if !ok {
			c.findings = append(c.findings, dir+": no doc.go with the package comment")
		}
		if _, known := c.rules[dir]; !known {
			c.findings = append(c.findings, dir+": package has no row in the table of rules")
		}
	}
	for dir := range c.rules {
		if _, found := c.documented[dir]; !found {
			c.findings = append(c.findings, dir+": row in the table of rules, but no package")
		}
	}
	slices.Sort(c.findings)
	return c.findings
}

// checker collects findings.
type checker struct {
	rules      map[string]rule
	fset       *token.FileSet
	documented map[string]bool // package by package: doc.go is as it should be
	findings   []string
}

func (c *checker) report(pos token.Pos, format string, args ...any) {
	p := c.fset.Position(pos)
	c.findings = append(c.findings, fmt.Sprintf("%s:%d: ", p.Filename, p.Line)+fmt.Sprintf(format, args...))
}

func (c *checker) file(f file) {
	tree, err := parser.ParseFile(c.fset, f.name, f.src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		c.findings = append(c.findings, err.Error())
		return
	}
	dir := path.Dir(f.name)
	c.documented[dir] = c.documented[dir] || documents(f.name, tree)
	r, known := c.rules[dir]
	if !known {
		return
	}
	names := c.imports(r, tree)
	if r.kind == pure || r.kind == seeded {
		c.body(tree, names)
	}
}

// documents reports whether the file is a doc.go with a package comment in the
// usual form.
func documents(name string, tree *ast.File) bool {
	if path.Base(name) != "doc.go" || tree.Doc == nil {
		return false
	}
	begin := "Package " + tree.Name.Name + " "
	if tree.Name.Name == "main" {
		begin = "Command "
	}
	return strings.HasPrefix(tree.Doc.Text(), begin)
}

// imports checks the imports of a file and returns their paths by local name.
func (c *checker) imports(r rule, tree *ast.File) map[string]string {
	names := make(map[string]string)
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			c.report(spec.Pos(), "import of %s", spec.Path.Value)
			continue
		}
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
		if why := r.refuses(p); why != "" {
			c.report(spec.Pos(), "import of %s: %s", p, why)
		} else if name == "." && r.kind < library {
			c.report(spec.Pos(), "import of %s without a name", p)
		}
	}
	return names
}

// refuses says why a package under the rule may not import p; "" if it may.
func (r rule) refuses(p string) string {
	if p == module || strings.HasPrefix(p, module+"/") {
		rel := strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		if rel == "" {
			rel = "."
		}
		if !slices.Contains(r.imports, rel) {
			return "against the order of the house"
		}
		return ""
	}
	if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
		switch {
		case r.kind == open:
			return ""
		case r.kind == library && (p == "golang.org/x/sys" || strings.HasPrefix(p, "golang.org/x/sys/")):
			return ""
		}
		return "not of the standard library"
	}
	if p == "C" && r.kind != open {
		return "cgo"
	}
	if r.kind >= library || slices.Contains(sparedImports, p) || (r.kind == seeded && p == "math/rand/v2") {
		return ""
	}
	for _, d := range deniedImports {
		if p == d || strings.HasPrefix(p, d+"/") {
			return "brings a clock, goroutines, locks, randomness or the world outside"
		}
	}
	return ""
}

// body looks through the code of a pure or seeded package.
func (c *checker) body(tree *ast.File, names map[string]string) {
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n.Pos(), "goroutine")
		case *ast.ChanType:
			c.report(n.Pos(), "channel")
		case *ast.SendStmt:
			c.report(n.Pos(), "channel send")
		case *ast.SelectStmt:
			c.report(n.Pos(), "select")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				c.report(n.Pos(), "channel receive")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && forbidden(names[x.Name], n.Sel.Name) {
				c.report(n.Pos(), "use of %s.%s", names[x.Name], n.Sel.Name)
			}
		}
		return true
	})
}

// forbidden reports whether a pure or seeded package may not use the name of
// the package at path p. Whether it may import it was asked before.
func forbidden(p, name string) bool {
	if slices.Contains(deniedNames[p], name) {
		return true
	}
	if p == "math/rand/v2" {
		return !slices.Contains(seededNames, name)
	}
	allowed, limited := allowedNames[p]
	return limited && !slices.Contains(allowed, name) && name != strings.ToUpper(name)
}
