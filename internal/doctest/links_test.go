package doctest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every relative link in the documents points to a file of the tree.
func TestLinks(t *testing.T) {
	tree := files(t)
	var documents []string
	for name := range tree {
		if isDocument(name) {
			documents = append(documents, name)
		}
	}
	if len(documents) < 5 {
		t.Fatalf("found %d documents: %v", len(documents), documents)
	}
	slices.Sort(documents)
	for _, name := range documents {
		for _, finding := range checkLinks(name, readFile(t, name), tree) {
			t.Error(finding)
		}
	}
}

// isDocument reports whether the links of a file are checked.
func isDocument(name string) bool {
	return strings.HasSuffix(name, ".md") &&
		(strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "README") || name == "CONTRIBUTING.md")
}

var link = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)

// checkLinks returns the relative links of a document that lead nowhere. A
// link to a folder is one to the files in it.
func checkLinks(name, text string, tree map[string]bool) (findings []string) {
	prose, _ := split(text)
	for _, m := range link.FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
		to, _, _ := strings.Cut(m[1], "#")
		if to == "" || strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
			continue
		}
		p := path.Join(path.Dir(name), to)
		if !tree[p] && !hasFolder(tree, p) {
			findings = append(findings, fmt.Sprintf("%s: link to %s, which does not exist", name, to))
		}
	}
	return findings
}

func hasFolder(tree map[string]bool, folder string) bool {
	for name := range tree {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// split separates the prose of a document from its code blocks: the fenced
// ones, but for those marked "text", which show output, and the indented ones.
func split(text string) (prose, code []string) {
	fence, output := false, false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			fence, output = !fence, line == "```text"
		case fence && !output, !fence && strings.HasPrefix(line, "    "):
			code = append(code, line)
		case !fence:
			prose = append(prose, line)
		}
	}
	return prose, code
}

// The READMEs in English and Chinese show the same commands and the same code.
func TestReadmes(t *testing.T) {
	for _, finding := range checkReadmes(readFile(t, "README.md"), readFile(t, "README.zh-CN.md")) {
		t.Error(finding)
	}
}

// checkReadmes compares the code of two documents, comments left out.
func checkReadmes(en, zh string) (findings []string) {
	a, b := commands(en), commands(zh)
	if len(a) == 0 {
		findings = append(findings, "README.md shows no commands")
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			findings = append(findings, "only README.md shows: "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			findings = append(findings, "only README.zh-CN.md shows: "+line)
		}
	}
	if len(findings) == 0 && !slices.Equal(a, b) {
		findings = append(findings, "the READMEs show their commands in different order")
	}
	return findings
}

var comment = regexp.MustCompile(`(?:^|\s)(?://|#)\s.*`)

func commands(text string) (all []string) {
	_, code := split(text)
	for _, line := range code {
		if line = strings.TrimSpace(comment.ReplaceAllString(line, "")); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// The decisions are numbered from 1, each number is used once, and the
// headline has the same.
func TestDecisions(t *testing.T) {
	texts := map[string]string{}
	for name := range files(t) {
		if dir, base := path.Split(name); dir == "docs/adr/" {
			texts[base] = readFile(t, name)
		}
	}
	for _, finding := range checkDecisions(texts) {
		t.Error("docs/adr: " + finding)
	}
}

var decision = regexp.MustCompile(`^(\d{4})-[a-z0-9]+(?:-[a-z0-9]+)*\.md$`)

// checkDecisions looks at the decisions by the names of their files.
func checkDecisions(texts map[string]string) (findings []string) {
	seen := map[int]string{}
	for name, text := range texts {
		m := decision.FindStringSubmatch(name)
		if m == nil {
			findings = append(findings, name+" is no NNNN-title.md")
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if other, twice := seen[n]; twice {
			findings = append(findings, fmt.Sprintf("%s and %s have one number", min(name, other), max(name, other)))
		}
		seen[n] = name
		if !strings.HasPrefix(text, fmt.Sprintf("# %d. ", n)) {
			findings = append(findings, fmt.Sprintf("%s does not begin with \"# %d. \"", name, n))
		}
	}
	for n := 1; n <= len(seen); n++ {
		if seen[n] == "" {
			findings = append(findings, fmt.Sprintf("number %d is missing", n))
		}
	}
	slices.Sort(findings)
	return findings
}
