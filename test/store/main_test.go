// Package store_test holds the store in Kubernetes to its contract against a real
// API server, with a service account that has only what manifests/rbac.yaml gives.
package store_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// controlPlane serves all tests; each has a namespace of its own in it.
var controlPlane *testbed.ControlPlane

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	controlPlane, err = testbed.StartControlPlane(ctx, testbed.ControlPlaneOptions{WithoutControllers: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := controlPlane.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}
