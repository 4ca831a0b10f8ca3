package seed

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// The bounds on one document. They are far above any real seed and keep a small
// file from becoming a large one: yaml.v3 guards alias expansion only when it
// decodes into Go values, and we walk its nodes.
const (
	depthLimit = 100
	nodeLimit  = 2_000_000
	// aliasLimit bounds the nodes that are reached through aliases.
	aliasLimit = 100_000
)

// tree is a parsed YAML value with aliases expanded, merge keys merged and
// positions kept.
type tree struct {
	at      value.Position
	kind    yaml.Kind // ScalarNode, SequenceNode or MappingNode
	tag     string    // of a scalar, in short form: !!str, !!int …
	text    string    // of a scalar, as written
	items   []tree
	entries []entry
}

// entry is a key of a mapping with its value.
type entry struct {
	name  string
	at    value.Position
	value tree
}

// planter makes trees of the nodes of one file.
type planter struct {
	file     string
	problems *value.Problems
	nodes    int
	aliased  int
	over     bool
	// keep is set when an alias may lead to a node again.
	keep bool
}

// release lets go of a node that was planted: of a large seed its nodes and the trees
// made of them are never there in full at the same time.
func (p *planter) release(parent *yaml.Node, i int) {
	if !p.keep {
		parent.Content[i] = nil
	}
}

// anchored reports whether a node below n has a name that an alias may refer to.
func anchored(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, anchored)
}

func (p *planter) position(n *yaml.Node) value.Position {
	return value.Position{File: p.file, Line: n.Line, Column: n.Column}
}

// plant returns the tree of n. It reports what it cannot take to p.problems;
// once a bound is passed everything else is cut off.
func (p *planter) plant(n *yaml.Node, depth int, alias bool) tree {
	t := tree{at: p.position(n), kind: n.Kind}
	if p.over || p.passed(t.at, depth, alias) {
		return t
	}
	switch n.Kind {
	case yaml.AliasNode:
		return p.plant(n.Alias, depth+1, true)
	case yaml.SequenceNode:
		t.items = make([]tree, 0, len(n.Content))
		for i, item := range n.Content {
			t.items = append(t.items, p.plant(item, depth+1, alias))
			p.release(n, i)
		}
	case yaml.MappingNode:
		p.mapping(&t, n, depth, alias)
	default:
		p.scalar(&t, n)
	}
	return t
}

// passed reports whether a bound is passed, and says so once.
func (p *planter) passed(at value.Position, depth int, alias bool) bool {
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

func (p *planter) scalar(t *tree, n *yaml.Node) {
	t.kind, t.tag, t.text = yaml.ScalarNode, n.ShortTag(), n.Value
	switch t.tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
	case "!!timestamp": // Vault has no dates of its own: it gets the text as written
		t.tag = "!!str"
	default:
		p.problems.Add(t.at, "the YAML tag %q is not supported", n.Tag)
	}
}

// mapping reads the entries of n into t, the merged ones last.
func (p *planter) mapping(t *tree, n *yaml.Node, depth int, alias bool) {
	seen := make(map[string]value.Position, len(n.Content)/2)
	t.entries = make([]entry, 0, len(n.Content)/2)
	var merged []tree
	for i := 0; i+1 < len(n.Content) && !p.over; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, p.plant(value, depth+1, alias))
			continue
		}
		at := p.position(key)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			p.problems.Add(at, "a key must be a plain text")
			continue
		}
		if first, ok := seen[key.Value]; ok {
			p.problems.Add(at, "the key %q is there twice, first at %s", key.Value, first)
			continue
		}
		seen[key.Value] = at
		t.entries = append(t.entries, entry{key.Value, at, p.plant(value, depth+1, alias)})
		p.release(n, i)
		p.release(n, i+1)
	}
	for _, source := range merged {
		p.merge(t, source, seen)
	}
}

// merge adds to t what a merge key (<<) names and t does not have itself.
func (p *planter) merge(t *tree, source tree, seen map[string]value.Position) {
	switch source.kind {
	case yaml.MappingNode:
		for _, e := range source.entries {
			if _, ok := seen[e.name]; !ok {
				seen[e.name] = e.at
				t.entries = append(t.entries, e)
			}
		}
	case yaml.SequenceNode:
		for _, item := range source.items {
			if item.kind != yaml.MappingNode {
				p.problems.Add(item.at, "a merge key (<<) takes mappings only")
				continue
			}
			p.merge(t, item, seen)
		}
	default:
		p.problems.Add(source.at, "a merge key (<<) takes mappings only")
	}
}
