package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// fieldManager is the owner of the fields that we write.
const fieldManager = "vault-bootstrap"

// requestTimeout bounds one request to the API server: it answers in
// milliseconds, or something is wrong with it that waiting does not mend.
const requestTimeout = 15 * time.Second

// kubeClient is what we use of the Kubernetes API: three types, four verbs.
//
// It stands on client-go's rest package (connections, credentials, errors) and a
// scheme of these types only. The typed clients below client-go/kubernetes bring
// the scheme of every API group with them: 11.5 MB of 26.6 in the binary, see
// docs/decisions.
type kubeClient struct {
	core, coordination, authorization *rest.RESTClient
}

// kubeObject is one of our types.
type kubeObject interface {
	metav1.Object
	runtime.Object
}

func newKubeClient(config *rest.Config) (*kubeClient, error) {
	config = rest.CopyConfig(config)
	// The server's warnings would go to stderr, past whatever the program prints.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	// A run makes some dozens of requests, its preflight a dozen at once: the
	// default limit of 5 a second, meant for controllers, would only delay it.
	config.QPS = -1
	// HTTP/2 would send everything over one connection, and keep to it for 45 s after
	// the network has swallowed it: longer than a Lease lives. With HTTP/1.1 a request
	// that runs into its time-out takes its connection with it, and the next one dials.
	config.NextProtos = []string{"http/1.1"}
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(kubeScheme()).WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	c := &kubeClient{}
	for _, group := range []struct {
		client  **rest.RESTClient
		path    string
		version schema.GroupVersion
	}{
		{&c.core, "/api", corev1.SchemeGroupVersion},
		{&c.coordination, "/apis", coordinationv1.SchemeGroupVersion},
		{&c.authorization, "/apis", authorizationv1.SchemeGroupVersion},
	} {
		if *group.client, err = groupClient(config, transport, group.path, group.version); err != nil {
			return nil, fmt.Errorf("making a Kubernetes client: %w", err)
		}
	}
	return c, nil
}

func groupClient(config *rest.Config, transport *http.Client, path string, version schema.GroupVersion) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.APIPath = path
	config.GroupVersion = &version
	return rest.RESTClientForConfigAndClient(config, transport)
}

// kubeScheme knows our types, and metav1.Status, which carries the API's errors.
func kubeScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Secret{}, &corev1.Pod{})
	scheme.AddKnownTypes(coordinationv1.SchemeGroupVersion, &coordinationv1.Lease{})
	scheme.AddKnownTypes(authorizationv1.SchemeGroupVersion, &authorizationv1.SelfSubjectAccessReview{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	return scheme
}

// resource is where a type is served.
type resource struct {
	client *rest.RESTClient
	plural string
}

func (c *kubeClient) secrets() resource { return resource{c.core, "secrets"} }
func (c *kubeClient) leases() resource  { return resource{c.coordination, "leases"} }

// get reads the object called name into o.
func (r resource) get(ctx context.Context, namespace, name string, o kubeObject) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.client.Get().Namespace(namespace).Resource(r.plural).Name(name).Do(ctx).Into(o)
}

// update writes o, if it still has the resourceVersion that o carries, and reads
// what was stored into stored, which must be new: decoding merges.
func (r resource) update(ctx context.Context, o, stored kubeObject) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.client.Put().Namespace(o.GetNamespace()).Resource(r.plural).Name(o.GetName()).
		Param("fieldManager", fieldManager).Body(o).Do(ctx).Into(stored)
}

// apply makes the object that o describes, or takes over the fields that o names
// in the one that is there, and reads what was stored into stored, which must be
// new. Server-side apply is the one way to make an object that can be permitted
// for a single name. A rehearsal stores nothing.
func (r resource) apply(ctx context.Context, o, stored kubeObject, rehearse bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encoding %s %q: %w", r.plural, o.GetName(), err)
	}
	request := r.client.Patch(types.ApplyPatchType).Namespace(o.GetNamespace()).Resource(r.plural).Name(o.GetName()).
		Param("fieldManager", fieldManager).Param("force", "true").Body(body)
	if rehearse {
		request = request.Param("dryRun", metav1.DryRunAll)
	}
	return request.Do(ctx).Into(stored)
}

// allowed asks whether we may do what attributes describe.
func (c *kubeClient) allowed(ctx context.Context, attributes authorizationv1.ResourceAttributes) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
	}
	answer := &authorizationv1.SelfSubjectAccessReview{}
	err := c.authorization.Post().Resource("selfsubjectaccessreviews").Body(review).Do(ctx).Into(answer)
	return answer.Status.Allowed, err
}
