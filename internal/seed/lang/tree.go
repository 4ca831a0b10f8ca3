package lang

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Tree is a parsed YAML value with aliases expanded, merge keys merged and
// positions kept.
type Tree struct {
	At      value.Position
	Kind    yaml.Kind // ScalarNode, SequenceNode or MappingNode
	Tag     string    // of a scalar, in short form: !!str, !!int …
	Text    string    // of a scalar, as written
	Items   []Tree
	Entries []Entry
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Name  string
	At    value.Position
	Value Tree
}

// Parse returns the tree of the one YAML document in content, which the file at path holds. It
// reports what it cannot handle to problems; ok is false if nothing is left to read.
func Parse(path string, content []byte, problems *value.Problems) (root Tree, ok bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var node, second yaml.Node
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) || err == nil && emptyDocument(&node) {
		problems.Add(value.Position{File: path, Line: 1, Column: 1}, "the document is empty")
		return Tree{}, false
	}
	if err != nil {
		if other := backquoted(content); !bytes.Equal(other, content) {
			return Parse(path, other, problems)
		}
		syntax(path, content, err, problems)
		return Tree{}, false
	}
	if kind := kubernetesKind(&node); kind != "" {
		problems.Add(value.Position{File: path, Line: node.Content[0].Line, Column: node.Content[0].Column}, "%s", notASeed(kind))
		return Tree{}, false
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		problems.Add(value.Position{File: path, Line: second.Line, Column: second.Column}, "a second YAML document begins here; a seed file has one")
		return Tree{}, false
	case !errors.Is(err, io.EOF):
		syntax(path, content, err, problems)
		return Tree{}, false
	}
	p := &expander{file: path, problems: problems, keep: anchored(&node)}
	root = p.expand(node.Content[0], 0, false)
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

// The limits on one document. They are far above any real seed and keep a small file from expanding
// into a large one: yaml.v3 limits alias expansion only when it decodes into Go values, and we walk
// its nodes.
const (
	depthLimit = 100
	nodeLimit  = 2_000_000
	// aliasLimit limits the nodes that are reached through aliases.
	aliasLimit = 100_000
)

// expander turns the nodes of one file into trees.
type expander struct {
	file     string
	problems *value.Problems
	nodes    int
	aliased  int
	over     bool
	// keep is set if an alias may refer to a node again.
	keep bool
}

// expand returns the tree of n. It reports what it cannot handle to p.problems; once a limit is
// exceeded the rest is cut off.
func (p *expander) expand(n *yaml.Node, depth int, alias bool) Tree {
	t := Tree{At: p.position(n), Kind: n.Kind}
	if p.over || p.exceeded(t.At, depth, alias) {
		return t
	}
	switch n.Kind {
	case yaml.AliasNode:
		return p.expand(n.Alias, depth+1, true)
	case yaml.SequenceNode:
		t.Items = make([]Tree, 0, len(n.Content))
		for i, item := range n.Content {
			t.Items = append(t.Items, p.expand(item, depth+1, alias))
			p.release(n, i)
		}
	case yaml.MappingNode:
		p.mapping(&t, n, depth, alias)
	default:
		p.scalar(&t, n)
	}
	return t
}

// exceeded reports whether a limit is exceeded, and adds the problem once.
func (p *expander) exceeded(at value.Position, depth int, alias bool) bool {
	p.nodes++
	if alias {
		p.aliased++
	}
	switch {
	case depth > depthLimit:
		p.problems.Add(at, "nested more than %d levels deep", depthLimit)
	case p.nodes > nodeLimit:
		p.problems.Add(at, "more than %d values in one file", nodeLimit)
	case p.aliased > aliasLimit:
		p.problems.Add(at, "aliases expand to more than %d values", aliasLimit)
	default:
		return false
	}
	p.over = true
	return true
}

func (p *expander) position(n *yaml.Node) value.Position {
	return value.Position{File: p.file, Line: n.Line, Column: n.Column}
}

// anchored reports whether a node below n has a name that an alias may refer to.
func anchored(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, anchored)
}

// release drops a node that was expanded, so that a large seed's nodes and trees are never all in
// memory at the same time.
func (p *expander) release(parent *yaml.Node, i int) {
	if !p.keep {
		parent.Content[i] = nil
	}
}

func (p *expander) scalar(t *Tree, n *yaml.Node) {
	t.Kind, t.Tag, t.Text = yaml.ScalarNode, n.ShortTag(), n.Value
	switch t.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
	case "!!timestamp": // Vault has no dates: it gets the text as written
		t.Tag = "!!str"
	default:
		p.problems.Add(t.At, "the YAML tag %q is not supported", n.Tag)
	}
}

// mapping reads the entries of n into t, the merged ones last.
func (p *expander) mapping(t *Tree, n *yaml.Node, depth int, alias bool) {
	seen := make(map[string]value.Position, len(n.Content)/2)
	t.Entries = make([]Entry, 0, len(n.Content)/2)
	var merged []Tree
	for i := 0; i+1 < len(n.Content) && !p.over; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, p.expand(value, depth+1, alias))
			continue
		}
		at := p.position(key)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			p.problems.Add(at, "a key must be a plain text")
			continue
		}
		if first, ok := seen[key.Value]; ok {
			p.problems.Add(at, "duplicate key %q, first at %s", key.Value, first)
			continue
		}
		seen[key.Value] = at
		t.Entries = append(t.Entries, Entry{key.Value, at, p.expand(value, depth+1, alias)})
		p.release(n, i)
		p.release(n, i+1)
	}
	for _, source := range merged {
		p.merge(t, source, seen)
	}
}

// merge adds the entries of a merge key (<<) that t does not have itself.
func (p *expander) merge(t *Tree, source Tree, seen map[string]value.Position) {
	switch source.Kind {
	case yaml.MappingNode:
		for _, e := range source.Entries {
			if _, ok := seen[e.Name]; !ok {
				seen[e.Name] = e.At
				t.Entries = append(t.Entries, e)
			}
		}
	case yaml.SequenceNode:
		for _, item := range source.Items {
			if item.Kind != yaml.MappingNode {
				p.problems.Add(item.At, "a merge key (<<) takes mappings only")
				continue
			}
			p.merge(t, item, seen)
		}
	default:
		p.problems.Add(source.At, "a merge key (<<) takes mappings only")
	}
}

func null(t Tree) bool { return t.Kind == yaml.ScalarNode && t.Tag == "!!null" }
