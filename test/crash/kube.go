package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// kubernetes is one control plane for all cases; each has a namespace of its own.
type kubernetes struct {
	dir, rules string

	once  sync.Once
	plane *testbed.ControlPlane
	cert  *testbed.Certificate
	err   error
	// inUse is held for reading by a case that needs the API server, and for writing
	// by one that takes it away.
	inUse sync.RWMutex
}

// start starts the control plane, once.
func (k *kubernetes) start(ctx context.Context) error {
	k.once.Do(func() {
		began := time.Now()
		// Its first caller may end before the others do.
		k.plane, k.err = testbed.StartControlPlane(context.WithoutCancel(ctx), testbed.ControlPlaneOptions{Dir: k.dir, WithoutControllers: true})
		if k.err != nil {
			return
		}
		k.cert, k.err = k.plane.CA.Issue(testbed.CertRequest{Name: "crash-proxy"})
		fmt.Printf("crash: the control plane started in %s\n", time.Since(began).Round(time.Millisecond))
	})
	return k.err
}

func (k *kubernetes) close() error {
	if k.plane == nil {
		return nil
	}
	return k.plane.Close()
}

// proxy starts a proxy in front of the API server.
func (k *kubernetes) proxy() (*testbed.HTTPProxy, error) {
	return testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: k.plane.URL, CA: k.plane.CA, Certificate: k.cert})
}

// install makes a namespace with the shipped rules, and a kubeconfig of the shipped
// service account that leads through the proxy.
func (k *kubernetes) install(ctx context.Context, namespace string, proxy *testbed.HTTPProxy) (kubeRecords, string, error) {
	none := kubeRecords{}
	_, err := k.plane.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return none, "", err
	}
	if err := k.allow(ctx, namespace); err != nil {
		return none, "", err
	}
	token, err := k.plane.ServiceAccountToken(ctx, namespace, "vault-bootstrap", nil, time.Hour)
	if err != nil {
		return none, "", err
	}
	kubeconfig, err := k.plane.KubeconfigFor(token, namespace)
	if err != nil {
		return none, "", err
	}
	content, err := os.ReadFile(kubeconfig)
	if err != nil {
		return none, "", err
	}
	through := strings.ReplaceAll(string(content), k.plane.URL, proxy.URL)
	if through == string(content) {
		return none, "", errors.New("the kubeconfig does not name the API server")
	}
	return kubeRecords{k, namespace, kubeconfig}, token, os.WriteFile(kubeconfig, []byte(through), 0o600)
}

// allow gives the shipped rules, also after they were taken away.
func (k *kubernetes) allow(ctx context.Context, namespace string) error {
	_, err := k.plane.Kubectl(ctx, "apply", "-n", namespace, "-f", k.rules)
	return err
}

// forbid takes the rule about the keys record away.
func (k *kubernetes) forbid(ctx context.Context, namespace string) error {
	_, err := k.plane.Kubectl(ctx, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", `-p=[{"op":"remove","path":"/rules/0"}]`)
	return err
}
