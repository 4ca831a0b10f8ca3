// Package kube is what we use of the Kubernetes API: a few types and verbs, the rules
// that they need, and errors that say which rule is missing.
//
// It builds on client-go's rest package (connections, credentials, errors) and a scheme of our
// types only. The typed clients below client-go/kubernetes bring the scheme of every API group with
// them: 11.5 MB of 26.6 in the binary, see docs/decisions/0007. The package must not know what the
// objects mean to us.
package kube

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

// requestTimeout bounds one request to the API server: it answers in milliseconds, or something is
// wrong that waiting does not cure.
const requestTimeout = 15 * time.Second

// Client talks to one API server.
type Client struct {
	// Host is the API server's URL, for messages.
	Host                              string
	core, coordination, authorization *rest.RESTClient
}

// Object is one of the types of the client's scheme.
type Object interface {
	metav1.Object
	runtime.Object
}

// New returns a client. It sends no request.
func New(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	// The server's warnings would go to stderr, past whatever the program prints.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	// A run sends some dozens of requests, its preflight a dozen at once: the default limit of 5 a
	// second, meant for controllers, would only delay it.
	config.QPS = -1
	// HTTP/2 would send everything over one connection, and keep using it for 45 s after the
	// network dropped it: longer than a Lease lives. With HTTP/1.1 a request that times out closes
	// its connection, and the next one dials.
	config.NextProtos = []string{"http/1.1"}
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(newScheme()).WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("creating a Kubernetes client: %w", err)
	}
	c := &Client{Host: config.Host}
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
			return nil, fmt.Errorf("creating a Kubernetes client: %w", err)
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

// newScheme knows our types, and the types of lists, options and the API's errors.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Pod{}, &corev1.PodList{}, &corev1.PersistentVolumeClaim{}, &corev1.Event{})
	scheme.AddKnownTypes(coordinationv1.SchemeGroupVersion, &coordinationv1.Lease{})
	scheme.AddKnownTypes(authorizationv1.SchemeGroupVersion, &authorizationv1.SelfSubjectAccessReview{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	metav1.AddToGroupVersion(scheme, coordinationv1.SchemeGroupVersion)
	return scheme
}

// Resource is where the objects of one type are served, in one namespace.
type Resource struct {
	client            *rest.RESTClient
	namespace, plural string
}

// Get reads the object called name into o.
func (r Resource) Get(ctx context.Context, name string, o Object) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.client.Get().Namespace(r.namespace).Resource(r.plural).Name(name).Do(ctx).Into(o)
}

// List reads the objects that a label selector chooses into list.
func (r Resource) List(ctx context.Context, selector string, list runtime.Object) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.client.Get().Namespace(r.namespace).Resource(r.plural).Param("labelSelector", selector).Do(ctx).Into(list)
}

// Create creates an object. If the name is known in advance, use Apply: create cannot be permitted
// for a single name. A rehearsal stores nothing.
func (r Resource) Create(ctx context.Context, o Object, rehearse bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request := r.client.Post().Namespace(r.namespace).Resource(r.plural).Param("fieldManager", fieldManager).Body(o)
	return rehearsed(request, rehearse).Do(ctx).Error()
}

// rehearsed turns a request into a dry run if rehearse is set: the server does everything except
// storing it.
func rehearsed(request *rest.Request, rehearse bool) *rest.Request {
	if rehearse {
		return request.Param("dryRun", metav1.DryRunAll)
	}
	return request
}

// Update writes o, if it still has the resourceVersion that o carries, and reads
// what was stored into stored, which must be new: decoding merges.
func (r Resource) Update(ctx context.Context, o, stored Object) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.client.Put().Namespace(r.namespace).Resource(r.plural).Name(o.GetName()).
		Param("fieldManager", fieldManager).Body(o).Do(ctx).Into(stored)
}

// Apply creates the object that o describes, or takes over the fields that o names in the existing
// one, and reads what was stored into stored, which must be new. Server-side apply is the only way
// to create an object that can be permitted for a single name. A rehearsal stores nothing.
func (r Resource) Apply(ctx context.Context, o, stored Object, rehearse bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encoding %s %q: %w", r.plural, o.GetName(), err)
	}
	request := r.client.Patch(types.ApplyPatchType).Namespace(r.namespace).Resource(r.plural).Name(o.GetName()).
		Param("fieldManager", fieldManager).Param("force", "true").Body(body)
	return rehearsed(request, rehearse).Do(ctx).Into(stored)
}

// Merge writes the fields that patch has (a JSON merge patch: null removes one) into the object
// called name and leaves the others as they are, and reads what was stored into stored, which must
// be new. A resourceVersion in the patch's metadata is a precondition: if the object has another
// one by now, that is a conflict. Unlike Update it need not read the object first. A rehearsal
// stores nothing.
func (r Resource) Merge(ctx context.Context, name string, patch any, stored Object, rehearse bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encoding a patch of %s %q: %w", r.plural, name, err)
	}
	request := r.client.Patch(types.MergePatchType).Namespace(r.namespace).Resource(r.plural).Name(name).
		Param("fieldManager", fieldManager).Body(body)
	return rehearsed(request, rehearse).Do(ctx).Into(stored)
}

// Delete deletes the object called name if it still has this UID: another object that took over the
// name meanwhile stays.
func (r Resource) Delete(ctx context.Context, name string, uid types.UID) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := metav1.NewPreconditionDeleteOptions(string(uid))
	options.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}
	return r.client.Delete().Namespace(r.namespace).Resource(r.plural).Name(name).Body(options).Do(ctx).Error()
}
