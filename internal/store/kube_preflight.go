package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// reviewsAtOnce is how many permissions are asked about in parallel.
const reviewsAtOnce = 4

// Preflight asks the API server whether we have every permission that the store
// needs, reads both records, and rehearses making each object, the records at the
// size that they can have, so that a quota or a policy that stands in the way is
// known before Vault is touched. It changes nothing.
func (k *Kube) Preflight(ctx context.Context) error {
	missing, err := k.missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return k.denied(missing)
	}
	if _, _, err := k.Keys(ctx); err != nil {
		return err
	}
	if _, _, err := k.Checkpoint(ctx); err != nil {
		return err
	}
	return k.rehearse(ctx)
}

// missing asks about each verb of each rule and returns those that are refused, in
// the order of the rules.
func (k *Kube) missing(ctx context.Context) ([]access, error) {
	type question struct {
		access
		group   string
		allowed bool
	}
	var questions []question
	for _, rule := range Rules(k.name) {
		for _, verb := range rule.Verbs {
			questions = append(questions, question{access: access{verb, rule.Resource, rule.Name}, group: rule.Group})
		}
	}
	reviews, reviewing := errgroup.WithContext(ctx)
	reviews.SetLimit(reviewsAtOnce)
	for i := range questions {
		q := &questions[i]
		reviews.Go(func() (err error) {
			q.allowed, err = k.client.allowed(reviewing, authorizationv1.ResourceAttributes{
				Namespace: k.namespace, Verb: q.verb, Group: q.group, Resource: q.resource, Name: q.name,
			})
			return err
		})
	}
	if err := reviews.Wait(); err != nil {
		return nil, k.cannotAsk(err)
	}
	var missing []access
	for _, q := range questions {
		if !q.allowed {
			missing = append(missing, q.access)
		}
	}
	return missing, nil
}

// cannotAsk explains a refused review. The cluster role system:basic-user allows
// it to everybody who is authenticated; some clusters have taken that away.
func (k *Kube) cannotAsk(err error) error {
	if deniedByRBAC(err) {
		return fault.Misuse(fmt.Errorf("asking for our own permissions: %w", err),
			"Bind the cluster role system:basic-user, which Kubernetes grants to all service accounts by default, to ours.")
	}
	return k.explain(access{"create", "selfsubjectaccessreviews", ""}, err)
}

func (k *Kube) denied(missing []access) error {
	texts := make([]string, len(missing))
	for i, a := range missing {
		texts[i] = a.String()
	}
	return fault.Misuse(
		fmt.Errorf("permissions are missing in the namespace %q: %s", k.namespace, strings.Join(texts, ", ")),
		k.grantRemedy(missing))
}

// rehearse applies each object as a dry run: the server does all but storing it.
func (k *Kube) rehearse(ctx context.Context) error {
	for _, record := range []struct{ name, key string }{{k.keysName(), keysData}, {k.stateName(), stateData}} {
		secret := k.emptySecret(record.name)
		secret.Data = map[string][]byte{record.key: bytes.Repeat([]byte{'x'}, rehearsalSize)}
		if err := k.client.secrets().apply(ctx, secret, &corev1.Secret{}, true); err != nil {
			return k.refused(access{"patch", "secrets", record.name}, err)
		}
	}
	if err := k.client.leases().apply(ctx, k.emptyLease(), &coordinationv1.Lease{}, true); err != nil {
		return k.refused(access{"patch", "leases", k.name}, err)
	}
	return nil
}

// refused turns an explained refusal of a rehearsal into a configuration error:
// unlike one in the middle of the work, it is the rule and will not pass.
func (k *Kube) refused(a access, err error) error {
	explained := k.explain(a, err)
	if !isRefusal(err) {
		return explained
	}
	return fault.Misuse(fmt.Errorf("rehearsing the write of the records: %w", explained), fault.RemedyOf(explained))
}
