package testbed

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The variables that name a cluster to use in place of one that the bed starts. The
// first is a kubeconfig; the second repeats the name of its current context, since
// what uses the cluster deletes pods and rules in it. An exported KUBECONFIG counts for
// nothing: nobody exports it with that in mind.
const (
	AttachVariable  = "E2E_KUBECONFIG"
	ConfirmVariable = "E2E_CONFIRM"
)

// AttachCluster returns the cluster of somebody else that a kubeconfig names, if confirm
// is the name of its current context. Pods are reached through its API server only, and
// the images that they use have to be there: PushImage has nowhere to put them. Close
// leaves the cluster as it is.
func AttachCluster(kubeconfig, confirm string) (*Cluster, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s: %w", AttachVariable, err)
	}
	if confirm == "" || confirm != config.CurrentContext {
		return nil, fmt.Errorf("%s names a cluster in which pods and rules will be deleted, and %s=%q does not repeat its current context %q", AttachVariable, ConfirmVariable, confirm, config.CurrentContext)
	}
	admin, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s: %w", AttachVariable, err)
	}
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, err
	}
	if _, err := client.Discovery().ServerVersion(); err != nil {
		return nil, fmt.Errorf("asking the cluster of the context %q: %w", confirm, err)
	}
	tools, err := ToolsPath()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "attached-")
	if err != nil {
		return nil, err
	}
	return &Cluster{
		ControlPlane: &ControlPlane{Dir: dir, URL: admin.Host, AdminKubeconfig: kubeconfig, Client: client, tools: tools, admin: admin},
		remove:       dir, Attached: true,
	}, nil
}

// errAttached is what cannot be done to a cluster of somebody else.
var errAttached = errors.New("the cluster is not the bed's: its images have to be there already")
