package seed

import (
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// pruneReader collects what the files of a seed say about deletion.
type pruneReader struct {
	object.Prune
	// said is the first setting of pruning in the seed: no later one may contradict it.
	said pruneSetting
}

// pruneSetting is one setting of pruning in the seed.
type pruneSetting struct {
	words string
	at    value.Position
}

// read reads what one file says about deletion.
func (p *pruneReader) read(r lang.Record, problems *value.Problems) {
	if which := r.Text("prune"); which != "" {
		p.set(which == "owned", pruneSetting{"prune: " + which, r.Positions["prune"]}, problems)
	}
	purge := r.Inner("purgeUnmanagedConfig")
	if enabled, said := purge.Values["enabled"].(bool); said {
		p.set(enabled, pruneSetting{fmt.Sprintf("purgeUnmanagedConfig: {enabled: %t}", enabled), purge.Positions["enabled"]}, problems)
	}
	excluded := purge.Inner("exclude")
	for _, kind := range lang.PurgeKinds() {
		if excluded.Yes(kind) || kind == "group-aliases" && excluded.Yes("groupAliases") {
			p.Exclude = append(p.Exclude, kind)
		}
	}
	for _, each := range r.Records("tombstones") {
		if t, ok := readTombstone(each, problems); ok {
			p.Tombstones = append(p.Tombstones, t)
		}
	}
}

// set records whether our objects are pruned, and reports a setting that contradicts an earlier
// one.
func (p *pruneReader) set(owned bool, setting pruneSetting, problems *value.Problems) {
	switch {
	case p.said.words == "":
		p.Owned, p.said = owned, setting
	case p.Owned != owned:
		problems.Add(setting.at, "%s contradicts %s, at %s", setting.words, p.said.words, p.said.at)
	}
}

// check reports tombstones that contradict the rest of the seed.
func (p pruneReader) check(objects []object.Object, problems *value.Problems) {
	if len(p.Tombstones) > 0 && !p.Owned {
		problems.Add(p.Tombstones[0].Position, "tombstones need prune: owned")
	}
	for _, t := range p.Tombstones {
		if p.Excludes(t.Site()) && !t.IsNamespace() {
			problems.Add(t.Position, "%s has a tombstone, and purgeUnmanagedConfig excludes what it is", t.ID)
		}
	}
	for _, o := range objects {
		for _, t := range p.Tombstones {
			if o.Mount == t.ID || t.Takes(o.ID) || t.Holds(o, objects) {
				problems.Add(t.Position, "%s has a tombstone and is declared, at %s", o.ID, o.Position)
			}
		}
	}
}

// pruneDigest returns the digested parts of p.
func pruneDigest(p object.Prune) []string {
	texts := []string{fmt.Sprint("prune ", p.Owned)}
	for _, kind := range p.Exclude {
		texts = append(texts, "exclude "+kind)
	}
	for _, t := range p.Tombstones {
		texts = append(texts, "tombstone "+string(t.ID))
	}
	slices.Sort(texts)
	return texts
}

// readTombstone reads one entry of tombstones.
func readTombstone(r lang.Record, problems *value.Problems) (t object.Tombstone, ok bool) {
	namespace, secrets, auth := value.TrimPath(r.Text("namespace")), value.TrimPath(r.Text("secrets")), value.TrimPath(r.Text("auth"))
	if secrets != "" && auth != "" || namespace+secrets+auth == "" {
		problems.Add(r.At, "a tombstone names one of secrets and auth, or a namespace")
		return t, false
	}
	if word := value.ReservedNamespace(namespace); word != "" {
		problems.Add(r.At, "the namespace %q cannot be used: %s is Vault's own", namespace, word)
		return t, false
	}
	for _, path := range []string{namespace, secrets, auth} {
		if err := value.CheckPath(path); path != "" && err != nil {
			problems.Add(r.At, "the path %q cannot be used: %s", path, err)
			return t, false
		}
	}
	if !r.Yes("destroy") {
		problems.Add(r.At, "a tombstone needs destroy: true, since everything in the mount or namespace is lost")
		return t, false
	}
	t.Position = r.At
	if namespace != "" {
		t.Namespace = namespace + "/"
	}
	switch {
	case secrets != "":
		t.ID = object.ID(t.Namespace + "sys/mounts/" + secrets)
	case auth != "":
		t.ID = object.ID(t.Namespace + "sys/auth/" + auth)
	default:
		o := object.Namespace(namespace, nil)
		t.ID, t.Namespace = o.ID, o.Namespace
	}
	return t, true
}

// addPrune reads what one file says about deletion.
func addPrune(b *builder, r lang.Record, problems *value.Problems) { b.prune.read(r, problems) }
