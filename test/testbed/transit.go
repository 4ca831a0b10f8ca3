package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Transit is a server whose transit secrets engine keeps the keys of other servers: a KMS that a
// test can have all to itself.
type Transit struct {
	*VaultCluster

	keys   VaultKeys
	fronts atomic.Int64
}

// StartTransit starts a server with TLS, its files in a directory, and a transit secrets engine at
// 'transit'.
func StartTransit(ctx context.Context, dir string) (*Transit, error) {
	cluster, err := StartVault(ctx, VaultOptions{Dir: dir, TLS: true})
	if err != nil {
		return nil, err
	}
	k := &Transit{VaultCluster: cluster}
	if k.keys, err = k.Initialize(ctx, 1, 1); err == nil {
		if err = k.Unseal(ctx, k.keys); err == nil {
			err = k.Put(ctx, "sys/mounts/transit", map[string]any{"type": "transit"}, nil)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a KMS: %w", err), cluster.Close())
	}
	return k, nil
}

// TransitFor starts one that ends with the test.
func TransitFor(t TB) *Transit {
	t.Helper()
	k, err := StartTransit(t.Context(), WorkDirFor(t, "transit"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	closeWith(t, k.Close)
	NoteSecrets(t, k.keys.RootToken)
	return k
}

// Put writes to the server as root.
func (k *Transit) Put(ctx context.Context, path string, in, out any) error {
	return k.Nodes[0].Call(ctx, http.MethodPut, path, k.keys.RootToken, in, out)
}

// Get reads from the server as root.
func (k *Transit) Get(ctx context.Context, path string, out any) error {
	return k.Nodes[0].Call(ctx, http.MethodGet, path, k.keys.RootToken, nil, out)
}

// Delete deletes a path of the server as root.
func (k *Transit) Delete(ctx context.Context, path string) error {
	return k.Nodes[0].Call(ctx, http.MethodDelete, path, k.keys.RootToken, nil, nil)
}

// Token makes a key, unless it is there, and a token that may use it for these operations, such as
// "encrypt", and nothing else.
func (k *Transit) Token(ctx context.Context, key string, operations ...string) (string, error) {
	if err := k.Put(ctx, "transit/keys/"+key, map[string]any{}, nil); err != nil {
		return "", err
	}
	policy, name := "", key
	for _, operation := range operations {
		policy += fmt.Sprintf("path \"transit/%s/%s\" { capabilities = [\"update\"] }\n", operation, key)
		name += "-" + operation
	}
	if err := k.Put(ctx, "sys/policies/acl/"+name, map[string]any{"policy": policy}, nil); err != nil {
		return "", err
	}
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	err := k.Put(ctx, "auth/token/create", map[string]any{"policies": []string{name}, "no_default_policy": true}, &made)
	return made.Auth.Token, err
}

// Outage is a way in which a KMS is away.
type Outage string

// The outages.
const (
	// Refused has every connection refused.
	Refused Outage = "refused"
	// Hanging accepts connections and never answers.
	Hanging Outage = "hanging"
	// Failing answers 500 to everything.
	Failing Outage = "500"
	// Slow answers, each time after SlowTime.
	Slow Outage = "slow"
)

// SlowTime is how late a slow KMS answers: later than any KMS should, and before a call is given up.
const SlowTime = 2 * time.Second

// KMSFront is a way to a KMS that counts what is asked, and can be spoilt. Every user of the KMS may
// have one of its own.
type KMSFront struct {
	// URL is the near end, https.
	URL string

	tcp  *Proxy
	http *HTTPProxy
}

// Front opens a way to the server.
func (k *Transit) Front() (*KMSFront, error) {
	certificate, err := k.CA.Issue(CertRequest{Name: fmt.Sprint("front-", k.fronts.Add(1))})
	if err != nil {
		return nil, err
	}
	inner, err := StartHTTPProxy(HTTPProxyOptions{Target: k.Nodes[0].Addr, CA: k.CA, Certificate: certificate})
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(inner.URL)
	if err != nil {
		return nil, err
	}
	tcp, err := StartProxy(at.Host)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return &KMSFront{URL: "https://" + tcp.Addr, tcp: tcp, http: inner}, nil
}

// Away takes the KMS away.
func (f *KMSFront) Away(how Outage) error {
	switch how {
	case Refused:
		return f.tcp.Refuse()
	case Hanging:
		f.tcp.Hold()
	case Failing:
		f.http.Inject(Fault{Path: "*", Status: http.StatusInternalServerError, Body: `{"errors":["internal error"]}`})
	case Slow:
		f.http.Inject(Fault{Path: "*", Delay: SlowTime})
	default:
		return fmt.Errorf("no KMS is away like %q", how)
	}
	return nil
}

// Back ends every outage.
func (f *KMSFront) Back() error {
	f.http.Clear()
	f.tcp.Restore()
	return f.tcp.Accept()
}

// Calls returns how many requests for an operation ("encrypt", "decrypt") have come; nothing counts
// them while they are refused or held.
func (f *KMSFront) Calls(operation string) int {
	return f.http.Requests("/v1/transit/" + operation + "/*")
}

// Close ends the way.
func (f *KMSFront) Close() error { return errors.Join(f.tcp.Close(), f.http.Close()) }

// Flags name a key of the KMS by this way to the program, and the file that holds a token for it.
func (f *KMSFront) Flags(k *Transit, key, token string) []string {
	return []string{"--keys-to=" + f.Recipient(key), "--keys-token-file=" + token, "--keys-ca=" + k.CAFile}
}

// Recipient is a key by this way, as the program writes it.
func (f *KMSFront) Recipient(key string) string { return "transit:" + f.URL + "/transit/" + key }

// FrontFor opens a way to a key that ends with the test, with a token that may encrypt and decrypt,
// and returns the flags that name it.
func FrontFor(t TB, k *Transit, key string) (*KMSFront, []string) {
	t.Helper()
	front, err := k.Front()
	if err != nil {
		t.Fatalf("%v", err)
	}
	closeWith(t, front.Close)
	token, err := k.Token(t.Context(), key, "encrypt", "decrypt")
	if err != nil {
		t.Fatalf("%v", err)
	}
	return front, front.Flags(k, key, TokenFileFor(t, token))
}

// TokenFileFor writes a token to a file that ends with the test.
func TokenFileFor(t TB, token string) string {
	t.Helper()
	NoteSecrets(t, token)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return file
}
