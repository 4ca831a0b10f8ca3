package seed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// sizeLimit bounds all files of a seed together, in bytes.
const sizeLimit = 10 << 20

// Seed is a parsed declaration. References in it are not resolved.
type Seed struct {
	objects  []Object
	prune    Prune
	warnings []value.Problem
	harden   Harden
	login    declaredLogin
}

// Load reads the seed in paths: YAML files, policies in .hcl files, and directories
// of *.yaml, *.yml and policies/*.hcl, each in the order of their names. A policy in
// an .hcl file is named after the file.
//
// All that is wrong is told at once, in one fault of kind fault.Seed whose cause is
// *Problems.
func Load(paths []string) (*Seed, error) {
	l := &loader{problems: &value.Problems{}, left: sizeLimit}
	for _, path := range paths {
		l.path(path)
	}
	l.builder.finish(l.problems)
	l.builder.prune.check(l.builder.objects, l.problems)
	if err := l.problems.Err("Correct the seed at the places given. Nothing was sent to Vault."); err != nil {
		return nil, err
	}
	s := &Seed{objects: l.builder.objects, prune: l.builder.prune.Prune, harden: l.builder.harden, login: l.builder.login, warnings: l.builder.warnings}
	warnings, err := checkPolicies(s.objects)
	s.warnings = append(s.warnings, warnings...)
	return s, err
}

// loader reads files one after another.
type loader struct {
	problems *value.Problems
	builder  builder
	left     int64
}

// path reads a file or directory that the user named.
func (l *loader) path(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", reason(err))
	case info.IsDir():
		l.directory(path)
	default:
		l.file(path)
	}
}

func (l *loader) directory(dir string) {
	var files []string
	for _, place := range []struct{ dir, endings string }{{dir, ".yaml .yml"}, {filepath.Join(dir, "policies"), ".hcl"}} {
		entries, err := os.ReadDir(place.dir)
		if err != nil && (place.dir == dir || !errors.Is(err, os.ErrNotExist)) {
			l.problems.Add(value.Position{File: place.dir}, "reading the seed: %s", reason(err))
			return
		}
		for _, e := range entries {
			ending := filepath.Ext(e.Name())
			// Names with a dot in front are what a mounted ConfigMap links to.
			if ending != "" && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(strings.Fields(place.endings), ending) {
				files = append(files, filepath.Join(place.dir, e.Name()))
			}
		}
	}
	if len(files) == 0 {
		l.problems.Add(value.Position{File: dir}, "there is no *.yaml, *.yml or policies/*.hcl in this directory")
	}
	for _, file := range files {
		l.file(file)
	}
}

func (l *loader) file(path string) {
	content, err := readFile(path, l.left)
	if err != nil {
		if l.left < sizeLimit || strings.Contains(err.Error(), "larger") {
			err = fmt.Errorf("%w (a seed has at most %d MiB)", err, sizeLimit>>20)
		}
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", err)
		return
	}
	l.left -= int64(len(content))
	if !utf8.Valid(content) {
		l.problems.Add(value.Position{File: path}, "the file is not UTF-8 text")
		return
	}
	if name, isPolicy := strings.CutSuffix(filepath.Base(path), ".hcl"); isPolicy {
		l.builder.policyFile(name, string(content), value.Position{File: path, Line: 1, Column: 1}, l.problems)
		return
	}
	if root, ok := l.document(path, content); ok {
		l.builder.build(clerk{l.problems}.record(root, language(), false), l.problems)
	}
}

// document parses the one YAML document in content.
func (l *loader) document(path string, content []byte) (tree, bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var node, second yaml.Node
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) || err == nil && emptyDocument(&node) {
		l.problems.Add(value.Position{File: path, Line: 1, Column: 1}, "the document is empty")
		return tree{}, false
	}
	if err != nil {
		if other := backquoted(content); !bytes.Equal(other, content) {
			return l.document(path, other)
		}
		l.syntax(path, content, err)
		return tree{}, false
	}
	if kind := kubernetesKind(&node); kind != "" {
		l.problems.Add(value.Position{File: path, Line: node.Content[0].Line, Column: node.Content[0].Column}, "%s", notASeed(kind))
		return tree{}, false
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		l.problems.Add(value.Position{File: path, Line: second.Line, Column: second.Column}, "a second YAML document begins here; a seed file has one")
		return tree{}, false
	case !errors.Is(err, io.EOF):
		l.syntax(path, content, err)
		return tree{}, false
	}
	p := &planter{file: path, problems: l.problems, keep: anchored(&node)}
	root := p.plant(node.Content[0], 0, false)
	return root, !p.over
}

// emptyDocument reports whether a document holds nothing but comments.
func emptyDocument(n *yaml.Node) bool {
	return len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].ShortTag() == "!!null"
}

// kubernetesKind returns the kind of the Kubernetes object that a document is, or "".
func kubernetesKind(n *yaml.Node) string {
	root, version, kind := n.Content[0], "", ""
	for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
		switch root.Content[i].Value {
		case "apiVersion":
			version = root.Content[i+1].Value
		case "kind":
			kind = root.Content[i+1].Value
		}
	}
	if version == "" {
		return ""
	}
	return kind
}

// notASeed says what to do with a Kubernetes object instead.
func notASeed(kind string) string {
	const what = "this is a Kubernetes object of kind %q, not a seed; "
	switch kind {
	case "Vault":
		return fmt.Sprintf(what+"a seed is what it has below spec.externalConfig: kubectl get vault NAME -o jsonpath='{.spec.externalConfig}' > seed.yaml", kind)
	case "ConfigMap", "Secret":
		return fmt.Sprintf(what+"a seed is what stands below one key of its data", kind)
	}
	return fmt.Sprintf(what+"a seed has none of apiVersion, kind and metadata", kind)
}

// lineInError finds the line in yaml.v3's messages: its errors carry no position.
var lineInError = regexp.MustCompile(`^yaml: line (\d+): `)

// tabIndent finds an indentation with a tab, which YAML forbids and whose error
// message helps nobody.
var tabIndent = regexp.MustCompile(`(?m)^ *\t+ *[^\s#]`)

// syntax reports text that is not YAML.
func (l *loader) syntax(path string, content []byte, err error) {
	at, message := value.Position{File: path, Line: 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if match := lineInError.FindStringSubmatch(err.Error()); match != nil {
		at.Line, _ = strconv.Atoi(match[1])
		message = strings.TrimPrefix(err.Error(), match[0])
	}
	if tab := tabIndent.FindIndex(content); tab != nil && strings.Contains(message, "cannot start any token") {
		line := 1 + bytes.Count(content[:tab[0]], []byte("\n"))
		column := 1 + bytes.IndexByte(content[tab[0]:], '\t')
		l.problems.Add(value.Position{File: path, Line: line, Column: column}, "indented with a tab; YAML allows spaces only")
		return
	}
	l.problems.Add(at, "not valid YAML: %s", message)
}
