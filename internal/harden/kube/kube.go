// Package kube reads from Kubernetes what the controls judge: who may read the keys
// Secret, whether it has an owner, and how Vault's pods are guarded. It only reads and
// asks. What the API server refuses becomes an unknown fact that names the missing rule.
package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	base "github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Located is what is in a namespace, as the keys Secret is.
type Located interface{ Namespace() base.Namespace }

// Cluster says where the objects are.
type Cluster struct {
	// In is the namespace of the keys Secret and of Vault's pods.
	In base.Namespace
	// Secret is the name of the keys Secret.
	Secret string
	// PodLabels choose Vault's pods, as in app.kubernetes.io/name=vault.
	PodLabels string
}

// Read reads the facts.
func (c Cluster) Read(ctx context.Context) *harden.Kubernetes {
	found := &harden.Kubernetes{Owners: c.owners(ctx)}
	found.Readers, found.Asked = c.readers(ctx)
	c.pods(ctx, found)
	return found
}

func (c Cluster) owners(ctx context.Context) harden.Fact[[]string] {
	var secret struct {
		Metadata struct {
			OwnerReferences []struct{ Kind, Name string } `json:"ownerReferences"`
		} `json:"metadata"`
	}
	err := c.In.ReadInto(ctx, &secret, "/api/v1/namespaces", c.In.Name, "secrets", c.Secret)
	if apierrors.IsNotFound(err) {
		return harden.NotKnown[[]string]("there is no Secret " + c.Secret)
	}
	if err != nil {
		return refused(err, `get secrets "`+c.Secret+`" in the namespace `+c.In.Name)
	}
	owners := []string{}
	for _, owner := range secret.Metadata.OwnerReferences {
		owners = append(owners, owner.Kind+"/"+owner.Name)
	}
	return harden.Known(owners)
}

// system is the namespace of the cluster's own controllers.
const system = "kube-system"

// reviewsAtOnce is how many reviews are asked for in parallel.
const reviewsAtOnce = 8

// subject is a user or group that RBAC can name.
type subject struct {
	name, user string
	groups     []string
}

// readers asks about every service account and the groups that all of them are in.
func (c Cluster) readers(ctx context.Context) (harden.Fact[[]string], int) {
	subjects, err := c.subjects(ctx)
	if err != nil {
		return refused(err, "list serviceaccounts in all namespaces (a ClusterRole)"), 0
	}
	allowed := make([]bool, len(subjects))
	asking, within := errgroup.WithContext(ctx)
	asking.SetLimit(reviewsAtOnce)
	for i, each := range subjects {
		asking.Go(func() error {
			for _, verb := range []string{"get", "list"} {
				access := base.Access{Verb: verb, Resource: "secrets", Name: c.Secret}
				if verb == "list" {
					access.Name = ""
				}
				may, err := c.In.MaySubject(within, each.user, each.groups, "", access)
				if err != nil {
					return err
				}
				allowed[i] = allowed[i] || may
			}
			return nil
		})
	}
	if err := asking.Wait(); err != nil {
		return refused(err, "create subjectaccessreviews (the ClusterRole system:auth-delegator)"), 0
	}
	readers := []string{}
	for i, each := range subjects {
		if allowed[i] {
			readers = append(readers, each.name)
		}
	}
	return harden.Known(withoutCovered(readers)), len(subjects)
}

// withoutCovered removes single accounts if a group that contains them all may read.
func withoutCovered(readers []string) []string {
	if !slices.Contains(readers, "group system:serviceaccounts") && !slices.Contains(readers, "group system:authenticated") {
		return readers
	}
	return slices.DeleteFunc(readers, func(name string) bool { return !strings.HasPrefix(name, "group ") })
}

func (c Cluster) subjects(ctx context.Context) ([]subject, error) {
	self, err := c.In.Self(ctx)
	if err != nil {
		return nil, err
	}
	var accounts struct {
		Items []struct {
			Metadata struct{ Namespace, Name string } `json:"metadata"`
		} `json:"items"`
	}
	if err := c.In.ReadInto(ctx, &accounts, "/api/v1/serviceaccounts"); err != nil {
		return nil, err
	}
	subjects := []subject{
		{"group system:unauthenticated", "system:anonymous", []string{"system:unauthenticated"}},
		{"group system:authenticated", "a user who is only authenticated", []string{"system:authenticated"}},
		{"group system:serviceaccounts", "a service account that is only one", []string{"system:serviceaccounts", "system:authenticated"}},
	}
	for _, account := range accounts.Items {
		namespace, name := account.Metadata.Namespace, account.Metadata.Name
		user := fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name)
		if namespace == system || user == self {
			continue
		}
		subjects = append(subjects, subject{
			namespace + "/" + name, user,
			[]string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		})
	}
	return subjects, nil
}

// refused says why something is not known, and which rule would allow it.
func refused(err error, rule string) harden.Fact[[]string] {
	if apierrors.IsForbidden(err) {
		return harden.NotKnown[[]string]("our service account may not read it; allow it to " + rule)
	}
	return harden.NotKnown[[]string](err.Error())
}
