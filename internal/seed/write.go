package seed

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// put is one write to Vault.
type put struct {
	path string
	data map[string]any
}

// writes returns the writes that carry c out, in their order.
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
		// Vault refuses even an unchanged one, so it stays out.
		for _, name := range object.FixedAtCreation(o) {
			delete(data, name)
		}
	}
	return []put{{o.WritePath(), value.Merged(data, extra)}}
}

// mounting returns the writes that make a mount: one, and another for what Vault takes
// by tuning only.
func mounting(id string, data map[string]any) []put {
	config, _ := data["config"].(map[string]any)
	lockout, ok := config[object.LockoutConfig].(map[string]any)
	if !ok {
		return []put{{id, data}}
	}
	delete(config, object.LockoutConfig)
	return []put{{id, data}, {id + "/tune", map[string]any{object.LockoutConfig: lockoutTexts(lockout)}}}
}

// lockoutTexts returns the settings as Vault takes them: as texts.
func lockoutTexts(settings map[string]any) map[string]any {
	texts := make(map[string]any, len(settings))
	for name, v := range settings {
		texts[name] = value.ToText(v)
		if truth, ok := v.(bool); ok {
			texts[name] = truth
		}
	}
	return texts
}

// splitWrites divides the fields between the two paths that take them.
func (c Change) splitWrites(data map[string]any) []put {
	how, first, second := c.Object.Traits.Split, map[string]any{}, map[string]any{}
	for name, value := range data {
		switch {
		case c.Action == Create && slices.Contains(how.Create, name):
			first[name] = value
		case !slices.Contains(how.Fixed, name):
			second[name] = value
		}
	}
	var writes []put
	if c.Action == Create {
		writes = append(writes, put{string(c.Object.ID), first})
	}
	if len(second) > 0 {
		writes = append(writes, put{how.Update, second})
	}
	return writes
}

// tuning returns the settings of a mount that change. Tuning takes those of config
// at the top level.
func (c Change) tuning() map[string]any {
	data, options, lockout := map[string]any{}, map[string]any{}, map[string]any{}
	want := object.Flatten(c.Object)
	for _, f := range c.Fields {
		value := value.Reveal(want[f.Field])
		if name, ok := strings.CutPrefix(f.Field, "options."); ok {
			options[name] = value
			continue
		}
		name := strings.TrimPrefix(f.Field, "config.")
		if field, ok := strings.CutPrefix(name, object.LockoutConfig+"."); ok {
			lockout[field] = value
			continue
		}
		if text, ok := value.(string); ok && text == "" && strings.HasSuffix(name, "_ttl") {
			value = "system" // tuning takes an empty text for 'leave it'
		}
		data[name] = value
	}
	if len(options) > 0 {
		data["options"] = options
	}
	if len(lockout) > 0 {
		data[object.LockoutConfig] = lockoutTexts(lockout)
	}
	return data
}

// write carries c out and returns what to remember of it.
func (a *applying) write(ctx context.Context, c Change) (map[string]string, error) {
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
	if o.Traits.Deletes {
		if err := a.api.Delete(ctx, o.Namespace+o.Traits.Write); err != nil {
			return nil, explain(c, err)
		}
		return map[string]string{sentField: a.plan.memory.sent(o)}, nil
	}
	var answer map[string]any
	var ignored []string
	for _, each := range c.writes() {
		var warnings []string
		answer, warnings, err = a.send(ctx, each)
		if err != nil {
			return nil, explain(c, scrub(err, o))
		}
		ignored = append(ignored, ignoredFields(warnings)...)
	}
	if err := a.follow(ctx, c, answer); err != nil {
		return nil, explain(c, scrub(err, o))
	}
	if len(ignored) > 0 {
		return nil, explain(c, fmt.Errorf("%w %s", errDropped, strings.Join(quoteAll(ignored), ", ")))
	}
	if o.Traits.Once && c.unreadable && o.Traits.Rotate == "" && !a.plan.memory.HashKey.Empty() {
		return map[string]string{madeField: a.plan.memory.hash(o.ID, madeField, true)}, nil
	}
	return a.remember(ctx, o), nil
}

// checkFields refuses what names fields that Vault does not know.
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

// follow does what comes after the write itself: keep its answer, rotate a credential.
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

// complete returns o with every reference answered and every value generated.
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

// remember returns what to remember of o, which was just written. Where it is not
// known yet how Vault shows such an object, it is read back: a value that Vault
// shows in another form than it was given would count as changed for ever.
func (a *applying) remember(ctx context.Context, o object.Object) map[string]string {
	switch {
	case o.IsMount() || o.IsAudit() || a.plan.memory.HashKey.Empty():
		return nil
	case o.IsRequest():
		return map[string]string{sentField: a.plan.memory.sent(o)}
	case o.Traits.Rotate != "":
		return map[string]string{rotatedField: a.plan.memory.hash(o.ID, rotatedField, true)}
	case o.Traits.Once:
		return nil
	}
	if !a.plan.known.covers(o) {
		// A failed read costs no more than one needless write in the next run.
		if s, err := look(ctx, a.api, o); err == nil {
			a.plan.known.learn(o, s.data)
			return a.plan.memory.of(o, s.data)
		}
	}
	shown := map[string]any{}
	for name, v := range o.Data {
		if !value.IsSensitive(name) {
			shown[name] = value.Reveal(v)
		}
	}
	return a.plan.memory.of(o, shown)
}

// explain says which object err is about and where the seed names it.
func explain(c Change, err error) error {
	verb := "updating"
	o := c.Object
	switch {
	case o.IsRequest():
		verb = "sending"
	case c.Action == Create:
		verb = "creating"
	}
	if o.IsAudit() && strings.Contains(err.Error(), "cannot enable audit device via API") {
		return fault.Wait(fmt.Errorf("%s %s (%s): %w", verb, o.ID, o.Position, err),
			"This is OpenBao, which since 2.3.2 takes audit devices from its configuration only: declare the device there and leave it out of the seed, "+
				"or set unsafe_allow_api_audit_creation = true in the server's configuration.")
	}
	if o.IsAudit() && strings.Contains(err.Error(), "backend already registered") {
		// Vault 1.21 registers a device before it records it, and leaves it registered when
		// the request ends in between (enableAudit in audit.go).
		return fault.Wait(fmt.Errorf("%s %s (%s): %w", verb, o.ID, o.Position, err),
			"Restart Vault's active node, have it unsealed, and run again. A request to enable this device was cut off in the middle: "+
				"the active node has it registered and not recorded, and neither enables nor disables it until it is restarted.")
	}
	file := auditFile(o)
	if file == "" || status(err) == 0 || status(err) == http.StatusForbidden {
		return fmt.Errorf("%s %s (%s): %w", verb, o.ID, o.Position, err)
	}
	_, name := o.Table()
	return fault.Wait(
		fmt.Errorf("enabling the audit device %q (%s), which writes to %q: %w", name, o.Position, file, err),
		fmt.Sprintf("Vault writes this file itself: make the directory %q exist on every replica and writable for the user that Vault runs as "+
			"(with the official chart: server.auditStorage.enabled), or choose another file_path. "+
			"Declare a second device as well: Vault stops answering when no device can write.", path.Dir(file)))
}

// auditFile returns the file that an audit device writes to, "" if it writes to none.
func auditFile(o object.Object) string {
	options, _ := o.Data["options"].(map[string]any)
	file, _ := value.Reveal(options["file_path"]).(string)
	if !o.IsAudit() || o.Type != "file" || !strings.HasPrefix(file, "/") || value.Hidden(options["file_path"]) {
		return ""
	}
	return file
}
