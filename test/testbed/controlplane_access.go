package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Apply applies manifests, YAML or JSON, as the administrator.
func (c *ControlPlane) Apply(ctx context.Context, manifests []byte) error {
	_, err := c.runKubectl(ctx, manifests, "apply", "-f", "-")
	return err
}

// ApplyIn applies manifests in a namespace, as the administrator.
func (c *ControlPlane) ApplyIn(ctx context.Context, namespace string, manifests []byte) error {
	_, err := c.runKubectl(ctx, manifests, "apply", "-n", namespace, "-f", "-")
	return err
}

// ApplyFile applies the manifests in a file, or in the files of a directory.
func (c *ControlPlane) ApplyFile(ctx context.Context, path string) error {
	_, err := c.runKubectl(ctx, nil, "apply", "-f", path)
	return err
}

// Kubectl runs kubectl as the administrator and returns what it printed; its error
// output is in the error.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.runKubectl(ctx, nil, args...)
}

func (c *ControlPlane) runKubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	kubectl, err := lookIn(c.tools, "kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, kubectl, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir, "KUBECONFIG=" + c.AdminKubeconfig}
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("running kubectl %q: %w: %s", args, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// ServiceAccountToken requests a token of an existing service account. No
// audiences means the API server's own. The API server grants 10 minutes at least.
func (c *ControlPlane) ServiceAccountToken(ctx context.Context, namespace, name string, audiences []string, ttl time.Duration) (string, error) {
	seconds := int64(ttl / time.Second)
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds},
	}
	answer, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of the service account %q: %w", namespace+"/"+name, err)
	}
	return answer.Status.Token, nil
}

// KubeconfigFor writes a kubeconfig, mode 0600, for the holder of a token, and
// returns its path. An empty namespace leaves it at 'default'.
func (c *ControlPlane) KubeconfigFor(token, namespace string) (string, error) {
	dir := filepath.Join(c.Dir, "kubeconfigs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	file, err := os.CreateTemp(dir, "*.kubeconfig")
	if err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	if err := file.Close(); err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	if err := c.writeKubeconfig(file.Name(), c.TokenConfig(token), namespace); err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return file.Name(), nil
}

// TokenConfig returns a client's configuration for the holder of a token.
func (c *ControlPlane) TokenConfig(token string) *rest.Config {
	return &rest.Config{
		Host:            c.URL,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.CAFile},
		QPS:             -1, // no limit
	}
}

func kubeconfig(cfg *rest.Config, namespace string) clientcmdapi.Config {
	const name = "bed"
	k := clientcmdapi.NewConfig()
	k.CurrentContext = name
	k.Clusters[name] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthority: cfg.CAFile}
	k.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token:             cfg.BearerToken,
		ClientCertificate: cfg.CertFile,
		ClientKey:         cfg.KeyFile,
	}
	k.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	return *k
}
