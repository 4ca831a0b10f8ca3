package kube

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Namespace is one namespace of a cluster, with the rules that we need in it.
type Namespace struct {
	Client *Client
	Name   string
	// Rules are the rules that a Role bound to our service account needs.
	Rules []Rule
}

// Secrets is where Secrets are served.
func (n Namespace) Secrets() Resource { return Resource{n.Client.core, n.Name, "secrets"} }

// ConfigMaps is where ConfigMaps are served.
func (n Namespace) ConfigMaps() Resource { return Resource{n.Client.core, n.Name, "configmaps"} }

// Pods is where Pods are served.
func (n Namespace) Pods() Resource { return Resource{n.Client.core, n.Name, "pods"} }

// Claims is where PersistentVolumeClaims are served.
func (n Namespace) Claims() Resource {
	return Resource{n.Client.core, n.Name, "persistentvolumeclaims"}
}

// Leases is where Leases are served.
func (n Namespace) Leases() Resource { return Resource{n.Client.coordination, n.Name, "leases"} }

// Events is where Events are served.
func (n Namespace) Events() Resource { return Resource{n.Client.core, n.Name, "events"} }

// Describe names an object for people.
func (n Namespace) Describe(kind, name string) string {
	return fmt.Sprintf("%s %q", kind, n.Name+"/"+name)
}

// Raw returns what the API server has at an absolute path, undecoded, for objects of which only a
// field or two are needed.
func (n Namespace) Raw(ctx context.Context, path ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return raw(n.Client.core.Get().AbsPath(path...).Do(ctx))
}

// raw returns the answer. Result.Raw alone would drop the message of a refusal, by which a missing
// rule is recognized.
func raw(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// reviewsAtOnce is how many permissions are asked about in parallel.
const reviewsAtOnce = 4

// Missing asks the API server about each verb of each rule that is not optional, and
// returns those that are refused, in the order of the rules.
func (n Namespace) Missing(ctx context.Context) ([]Access, error) {
	type question struct {
		Access
		group   string
		allowed bool
	}
	var questions []question
	for _, rule := range n.Rules {
		if rule.Optional {
			continue
		}
		for _, verb := range rule.Verbs {
			questions = append(questions, question{Access: Access{verb, rule.Resource, rule.Name}, group: rule.Group})
		}
	}
	reviews, reviewing := errgroup.WithContext(ctx)
	reviews.SetLimit(reviewsAtOnce)
	for i := range questions {
		q := &questions[i]
		reviews.Go(func() (err error) {
			q.allowed, err = n.allowed(reviewing, q.group, q.Access)
			return err
		})
	}
	if err := reviews.Wait(); err != nil {
		return nil, n.cannotAsk(err)
	}
	var missing []Access
	for _, q := range questions {
		if !q.allowed {
			missing = append(missing, q.Access)
		}
	}
	return missing, nil
}

func (n Namespace) allowed(ctx context.Context, group string, a Access) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: n.Name, Verb: a.Verb, Group: group, Resource: a.Resource, Name: a.Name,
		}},
	}
	answer := &authorizationv1.SelfSubjectAccessReview{}
	err := n.Client.authorization.Post().Resource("selfsubjectaccessreviews").Body(review).Do(ctx).Into(answer)
	return answer.Status.Allowed, err
}

// cannotAsk explains a refused review. The cluster role system:basic-user allows it to everybody
// who is authenticated; some clusters have removed that.
func (n Namespace) cannotAsk(err error) error {
	if DeniedByRBAC(err) {
		return fault.Misuse(fmt.Errorf("asking for our own permissions: %w", err),
			"Bind the cluster role system:basic-user, which Kubernetes grants to all service accounts by default, to ours.")
	}
	return n.Explain(Access{"create", "selfsubjectaccessreviews", ""}, err)
}

// Denied returns the error for missing rules, as Missing returns them.
func (n Namespace) Denied(missing []Access) error {
	texts := make([]string, len(missing))
	for i, a := range missing {
		texts[i] = a.String()
	}
	return fault.Misuse(
		fmt.Errorf("permissions are missing in the namespace %q: %s", n.Name, strings.Join(texts, ", ")),
		n.GrantRemedy(missing))
}
