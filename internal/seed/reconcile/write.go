package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// put is one write to Vault.
type put struct {
	path string
	data map[string]any
}

// writes returns the writes that apply c, in order.
func (c Change) writes() []put {
	o := c.Object
	extra, _ := value.Reveal(o.Traits.Extra).(map[string]any)
	data, _ := value.Reveal(o.Data).(map[string]any)
	switch {
	case o.IsMount() && c.Action == Update:
		return []put{{string(o.ID) + "/tune", c.tuning()}}
	case o.IsMount():
		return mounting(string(o.ID), data)
	case o.Traits.Once && c.Action == Update: // what is left is to rotate
		return nil
	case o.Traits.Split != nil:
		return c.splitWrites(data)
	case c.Action == Update && c.key != nil:
		data[o.Traits.Key] = c.key
	case c.Action == Update:
		// Vault refuses even unchanged ones, so they are omitted.
		for _, name := range object.FixedAtCreation(o) {
			delete(data, name)
		}
	}
	return []put{{o.WritePath(), value.Merged(data, extra)}}
}

// write applies c and returns what to remember of it.
func (a *applying) write(ctx context.Context, c Change) (map[string]string, error) {
	switch {
	case c.Action == Delete && c.namespace != "":
		return nil, removeNamespace(ctx, a.api, c.Object.ID, c.namespace)
	case c.ServerWide:
		return nil, explain(c, refusedServerWide())
	}
	if c.Action == Delete {
		kept, err := a.remove(ctx, c.Object.ID)
		if kept {
			a.kept(c.Object.ID)
		}
		return nil, err
	}
	o, err := a.complete(ctx, c.Object)
	if err != nil {
		return nil, explain(c, err)
	}
	c.Object = o
	if err := a.checkFields(ctx, c); err != nil {
		return nil, explain(c, err)
	}
	if o.Stage == object.StageNamespaces {
		if err := a.writeNamespace(ctx, c); err != nil {
			return nil, explain(c, err)
		}
		return a.remember(ctx, o), nil
	}
	if o.Traits.Deletes {
		if err := a.api.Delete(ctx, o.WritePath()); err != nil {
			return nil, explain(c, err)
		}
		return map[string]string{sentField: a.plan.sent(o)}, nil
	}
	var answer map[string]any
	var ignored []string
	for _, each := range c.writes() {
		var warnings []string
		answer, warnings, err = a.put(ctx, o, each)
		if err != nil {
			return nil, explain(c, scrub(err, o))
		}
		ignored = append(ignored, ignoredFields(warnings)...)
	}
	if err := a.follow(ctx, c, answer); err != nil {
		return nil, explain(c, scrub(err, o))
	}
	if len(ignored) > 0 {
		return nil, explain(c, fmt.Errorf("%w: %s", errDropped, strings.Join(quoteAll(ignored), ", ")))
	}
	if o.Traits.Once && c.unreadable && o.Traits.Rotate == "" && !a.plan.memory.HashKey.Empty() {
		return map[string]string{madeField: a.plan.memory.hash(o.ID, madeField, true)}, nil
	}
	return a.remember(ctx, o), nil
}

// checkFields refuses an object with fields that Vault does not recognize.
func (a *applying) checkFields(ctx context.Context, c Change) error {
	if !c.doubtful() {
		return nil
	}
	unknown, err := a.plan.words.unknown(ctx, c.Object)
	if err == nil && len(unknown) > 0 {
		err = unknownFields(unknown)
	}
	return err
}

// follow does what comes after the write itself: keeping its answer, and rotating a credential.
func (a *applying) follow(ctx context.Context, c Change, answer map[string]any) error {
	o := c.Object
	if o.IsRequest() {
		a.answered(o, answer)
	}
	if to := o.Traits.SaveTo; to != nil && len(answer) > 0 && c.Action == Create {
		if _, _, err := a.send(ctx, put{to.Path, to.Body(answer)}); err != nil {
			return fmt.Errorf("keeping Vault's answer at %s: %w", to.Path, err)
		}
	}
	if o.Traits.Rotate != "" {
		if _, _, err := a.send(ctx, put{o.Traits.Rotate, map[string]any{}}); err != nil {
			return fmt.Errorf("rotating its credential: %w", err)
		}
	}
	return nil
}

// complete returns o with every reference resolved and every value generated.
func (a *applying) complete(ctx context.Context, o object.Object) (object.Object, error) {
	answers := func(name string) map[string]any {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answers[o.Namespace+name]
	}
	find := finder{reader: a.api, answers: answers}
	missing := func(p value.Part, at value.Position) error {
		return fmt.Errorf("%s %s (%s) is not there", p.Call, strings.Join(quoteAll(p.Args), " "), at)
	}
	for _, fields := range []*map[string]any{&o.Data, &o.Traits.Extra} {
		if !value.Pending(*fields) {
			continue
		}
		settled, err := find.settle(ctx, o.Namespace, *fields, missing)
		if err == nil {
			settled, err = generate(ctx, a.api, o.Namespace, settled)
		}
		if err != nil {
			return o, err
		}
		*fields, _ = settled.(map[string]any)
	}
	return o, nil
}

// remember returns what to remember of o, which was just written. If it is not known yet how Vault
// shows such an object, it is read back: a value that Vault shows in another form than written
// would count as changed forever.
func (a *applying) remember(ctx context.Context, o object.Object) map[string]string {
	switch {
	case o.IsMount() || o.IsAudit() || a.plan.memory.HashKey.Empty():
		return nil
	case o.IsRequest():
		return map[string]string{sentField: a.plan.sent(o)}
	case o.Traits.Rotate != "":
		return map[string]string{rotatedField: a.plan.memory.hash(o.ID, rotatedField, true)}
	case o.Traits.Once:
		return nil
	}
	if !o.Literal() && !a.plan.known.covers(o) {
		// A failed read costs at most one unnecessary write in the next run.
		if s, err := readObject(ctx, a.api, o); err == nil {
			a.plan.known.learn(o, s.data)
			if s.there && shownAs(o, s.data) {
				a.readBack(o)
			}
			return a.plan.memory.hashesOf(o, s.data)
		}
	}
	shown := map[string]any{}
	for name, v := range o.Data {
		if !value.IsSensitive(name) {
			shown[name] = value.Reveal(v)
		}
	}
	return a.plan.memory.hashesOf(o, shown)
}

// readBack records an object that Vault shows as written.
func (a *applying) readBack(o object.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Seen[o.CanonicalID()] = true
}

// The waits for a Vault that needs a moment. The API itself waits for the network, elections and
// overload.
const (
	firstWait = 50 * time.Millisecond
	maxWait   = 2 * time.Second
	// maxTries is about 10 s, for an engine that is being set up; failedTries is for an internal
	// error of Vault, which may be permanent.
	maxTries    = 9
	failedTries = 3
)

// send writes, and retries errors that pass.
func (a *applying) send(ctx context.Context, p put) (answer map[string]any, warnings []string, err error) {
	backoff := retry.WithMaxRetries(maxTries, retry.WithCappedDuration(maxWait, retry.NewExponential(firstWait)))
	tries := 0
	var last error
	err = retry.Do(ctx, backoff, func(ctx context.Context) error {
		tries++
		answer, warnings, last = a.api.Put(ctx, p.path, p.data)
		if last == nil {
			return nil
		}
		if isUpgrading(last) || httpstatus.Of(last) == http.StatusInternalServerError && tries <= failedTries {
			return retry.RetryableError(last)
		}
		return last
	})
	if err != nil && last != nil {
		err = last
	}
	return answer, warnings, err
}

// isUpgrading reports whether err is the answer of a KV engine that was just created, or upgraded
// to version 2.
func isUpgrading(err error) bool {
	return httpstatus.Of(err) == http.StatusBadRequest && product.UpgradingKV.In(err.Error())
}

// ignoredForm is how Vault 1.10 and later report fields that they do not recognize.
var ignoredForm = regexp.MustCompile(regexp.QuoteMeta(product.IgnoredParameters.String()) + `: \[(.*)\]`)

// ignoredFields returns the fields that Vault ignored.
func ignoredFields(warnings []string) []string {
	var fields []string
	for _, warning := range warnings {
		if match := ignoredForm.FindStringSubmatch(warning); match != nil {
			fields = append(fields, strings.Fields(match[1])...)
		}
	}
	return fields
}

// echoes knows which fields of an endpoint Vault shows as written, so that not every object has to
// be read back to find out.
type echoes struct {
	mu    sync.Mutex
	known map[string]bool
}

// learn records which fields of o Vault shows as written.
func (e *echoes) learn(o object.Object, shown map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field, want := range o.Data {
		if value, there := shown[field]; there && o.Same(field, want, value) {
			e.known[o.Endpoint+"/"+field] = true
		}
	}
}

// learnAll records that Vault shows every field of o as written.
func (e *echoes) learnAll(o object.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field := range o.Data {
		e.known[o.Endpoint+"/"+field] = true
	}
}

// covers reports whether o need not be read back: each field is known to be shown, or known never
// to be.
func (e *echoes) covers(o object.Object) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field, want := range o.Data {
		if !e.known[o.Endpoint+"/"+field] && !value.IsSensitive(field) && !value.IsEmpty(value.Reveal(want)) {
			return false
		}
	}
	return true
}
