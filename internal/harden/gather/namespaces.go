package gather

import (
	"context"
	"errors"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// within is an API whose paths are in a namespace.
type within struct {
	API
	path string // with a trailing slash
}

func (w within) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	return w.API.Read(ctx, w.path+path)
}

func (w within) List(ctx context.Context, path string) ([]string, bool, error) {
	return w.API.List(ctx, w.path+path)
}

func (w within) Ask(ctx context.Context, path string, data map[string]any) (map[string]any, error) {
	return w.API.Ask(ctx, w.path+path, data)
}

// inner reads groups in all inner namespaces that it may list, those in these first named after
// them. Where the listing is refused there are none to look into: servers without namespaces refuse
// it as well, and older policies of ours do not have it.
func (g *gatherer) inner(ctx context.Context, groups []harden.Group) []harden.Inner {
	names, err := g.list(ctx, "sys/namespaces")
	if err != nil {
		return nil
	}
	each := make([][]harden.Inner, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { each[i] = g.lookInto(ctx, trim(name), groups) })
	}
	work.Wait()
	var found []harden.Inner
	for _, some := range each {
		found = append(found, some...)
	}
	return found
}

// lookInto reads groups in one namespace and in those that it contains.
func (g *gatherer) lookInto(ctx context.Context, name string, groups []harden.Group) []harden.Inner {
	inside := &gatherer{api: within{g.api, name + "/"}, declared: harden.Below(g.declared, name), slots: g.slots, mu: g.mu, trouble: g.trouble}
	own := harden.Inner{Path: name, Facts: harden.Facts{Declared: inside.declared}}
	if _, _, err := inside.read(ctx, "sys/mounts"); sealed(err) {
		own.Sealed = true
		return []harden.Inner{own}
	}
	var deeper []harden.Inner
	var work sync.WaitGroup
	for group, read := range inside.readers() {
		for _, wanted := range groups {
			if group == wanted {
				work.Go(func() { read(ctx, &own.Facts) })
			}
		}
	}
	work.Go(func() { deeper = inside.inner(ctx, groups) })
	work.Wait()
	found := []harden.Inner{own}
	for _, each := range deeper {
		each.Path = name + "/" + each.Path
		found = append(found, each)
	}
	return found
}

// sealed reports whether err says that a namespace is sealed, as OpenBao 2.6 does with status 503.
func sealed(err error) bool {
	answered, ok := errors.AsType[interface {
		httpstatus.Error
		Says(text product.Text) bool
	}](err)
	return ok && answered.Says(product.NamespaceSealed)
}
