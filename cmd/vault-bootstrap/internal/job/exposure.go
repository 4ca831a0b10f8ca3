package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// atRest is how the keys of a job are kept.
type atRest struct {
	*identities
	rules  harden.Rules
	warned bool
}

// WarnOfExposure warns, once, if whoever can read the keys record can open the Vault with it. Nothing
// is said if the rules accept that, nor if it is said anyway: as the failure of a control, or as advice
// in the summary with which a run ends.
func (j *Job) WarnOfExposure(ctx context.Context, log *slog.Logger, keys store.Keys, summary bool) {
	if j.atRest.warned {
		return
	}
	facts := harden.Facts{Now: time.Now(), Keyless: j.Options.Store.Keyless(), Record: harden.Known(j.atRest.record(ctx, keys))}
	for _, result := range harden.Judge(facts, j.atRest.rules, false) {
		if result.ID != harden.KeysEncrypted || result.Status != harden.Fails {
			continue
		}
		judged := j.Goal == fsm.Hardened && slices.Contains(j.atRest.rules.Groups(), harden.GroupRecord)
		if judged && (result.Required || summary) {
			continue
		}
		j.atRest.warned = true
		log.Warn("keys at rest: "+result.Found(), "record", j.Store.Location().Keys, "remedy", result.Remedy)
	}
}

// identities knows where the identities of age are that this process was given: beside the records,
// they hide nothing from those who read there.
type identities struct {
	files   []string
	env     Lookup
	records store.Store
	// besides are the answers about recipients. It is used by one look at a time.
	besides map[string]bool
}

// newIdentities returns what is known of the identities that the options name.
func (o *StoreOptions) newIdentities(env Lookup, records store.Store) *identities {
	return &identities{files: o.Encrypt.Identities, env: env, records: records, besides: map[string]bool{}}
}

// record returns what the controls judge of a keys record.
func (i *identities) record(ctx context.Context, keys store.Keys) harden.Record {
	found := harden.Record{Clear: keys.InClear()}
	found.Stored = keys.Set != nil || len(found.Clear) > 0
	if keys.Set != nil {
		found.Shares, found.Operators = len(keys.Set.Shares) > 0, len(keys.Set.Custody) > 0
	}
	if keys.Sealing == nil {
		return found
	}
	for _, wrap := range keys.Sealing.Wraps {
		found.Recipients = append(found.Recipients, harden.Recipient{Name: wrap.Recipient, Beside: i.beside(ctx, wrap), Since: wrap.Made, Proven: wrap.Proven})
	}
	return found
}

// beside reports whether the identity of a recipient lies where the records are.
func (i *identities) beside(ctx context.Context, wrap store.Wrap) harden.Fact[bool] {
	if is, known := i.besides[wrap.Recipient]; known {
		return harden.Known(is)
	}
	form, err := keyring.Parse(wrap.Recipient)
	if err != nil || form.Kind != keyring.Age {
		return harden.Known(false)
	}
	for _, file := range i.files {
		if known, err := agekey.ReadIdentities([]string{file}, nil); err != nil || !known.MayOpen(form.Key) {
			continue
		}
		fact := i.fileBeside(ctx, file)
		if is, known := fact.Get(); known {
			i.besides[wrap.Recipient] = is
		}
		return fact
	}
	if wrap.Escrow {
		return harden.Known(false)
	}
	return harden.NotKnown[bool](fmt.Sprintf("where the identity of %s is kept is not known here. Give --keys-identity as the runs do", wrap.Recipient))
}

// fileBeside reports whether a file lies in the directory of the records, or comes from an object in
// their namespace.
func (i *identities) fileBeside(ctx context.Context, file string) harden.Fact[bool] {
	pods := Pods(i.records)
	if pods == nil {
		return within(filepath.Dir(i.records.Location().Keys), file)
	}
	if _, inCluster := i.env("KUBERNETES_SERVICE_HOST"); !inCluster {
		return harden.Known(false)
	}
	at, err := filepath.Abs(file)
	if err != nil {
		return harden.NotKnown[bool](err.Error())
	}
	own, err := os.ReadFile(podNamespace)
	if errors.Is(err, os.ErrNotExist) {
		return harden.NotKnown[bool]("the namespace of our pod is not known, and " + file + " may come from it")
	}
	if err != nil {
		return harden.NotKnown[bool](err.Error())
	}
	if located, ok := i.records.(workload.Located); ok && located.Namespace().Name != strings.TrimSpace(string(own)) {
		return harden.Known(false)
	}
	return i.mounted(ctx, pods, at)
}

// objectFinder knows which objects the files of a pod come from.
type objectFinder interface {
	Object(ctx context.Context, pod, path string) (string, error)
}

// mounted reports whether a file comes from an object in the namespace of our pod.
func (i *identities) mounted(ctx context.Context, pods objectFinder, file string) harden.Fact[bool] {
	name, _ := i.env("POD_NAME")
	if name == "" {
		return harden.NotKnown[bool]("POD_NAME is not set: where " + file + " comes from is not known")
	}
	object, err := pods.Object(ctx, name, file)
	if err != nil {
		return harden.NotKnown[bool](fmt.Sprintf("where %s comes from is not known: %v", file, err))
	}
	return harden.Known(object != "")
}

// within reports whether a file is in a directory, or below it.
func within(directory, file string) harden.Fact[bool] {
	real := func(path string) (string, error) {
		path, err := filepath.EvalSymlinks(path)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		return path, err
	}
	directory, err := real(directory)
	if err == nil {
		file, err = real(file)
	}
	if err != nil {
		return harden.NotKnown[bool](err.Error())
	}
	return harden.Known(strings.HasPrefix(file, directory+string(filepath.Separator)))
}
