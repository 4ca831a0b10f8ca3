package testbed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// KMSAccount is the account that the emulator's keys are in.
const KMSAccount = "111122223333"

// KMS is an emulator of AWS KMS (local-kms), behind a guard that does what the emulator does not:
// it checks signatures, credentials and grants, as AWS does before KMS sees a request.
type KMS struct {
	// URL is where clients are to send their requests.
	URL string
	// Region is the one that requests must be signed for.
	Region string

	process *process
	guard   *httptest.Server
	mu      sync.Mutex
	callers map[string]KMSCaller
	answer  http.HandlerFunc
}

// KMSCaller is somebody who may ask KMS.
type KMSCaller struct {
	aws.Credentials
	// May are the operations that are granted ("Encrypt"); nil is all.
	May []string
	// Expired refuses the credential for its age.
	Expired bool
}

// KMSFor starts an emulator of AWS KMS for a region that ends with the test.
func KMSFor(t TB, region string) *KMS {
	t.Helper()
	k := &KMS{Region: region, callers: map[string]KMSCaller{}}
	dir := WorkDirFor(t, "kms")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	binary, err := LookTool("local-kms")
	if err != nil {
		t.Fatalf("%v", err)
	}
	var inner *url.URL
	err = retryPorts(1, func(ports []*port) error {
		inner = &url.URL{Scheme: "http", Host: loopback(ports[0].number)}
		k.process = &process{
			name: "local-kms", argv: []string{binary}, dir: dir, logFile: filepath.Join(dir, "kms.log"),
			env: []string{fmt.Sprint("PORT=", ports[0].number), "KMS_REGION=" + region, "KMS_ACCOUNT_ID=" + KMSAccount, "KMS_DATA_PATH=" + dir, "KMS_SEED_PATH=" + filepath.Join(dir, "none")},
		}
		ports[0].release()
		return k.process.start(t.Context(), func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, inner.String(), nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			return err
		})
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	closeWith(t, k.process.stop)
	showOnFailure(t, k.process.logFile)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(inner) }}
	k.guard = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.serve(proxy, w, r) }))
	t.Cleanup(k.guard.Close)
	k.URL = k.guard.URL
	return k
}

// Admit lets a caller in, or changes what one may.
func (k *KMS) Admit(caller KMSCaller) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.callers[caller.AccessKeyID] = caller
}

// Answer has every request answered by a handler; nil has KMS answer again.
func (k *KMS) Answer(handler http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = handler
}

// Call calls an operation of the emulator, past the guard's grants.
func (k *KMS) Call(ctx context.Context, caller KMSCaller, operation string, in, out any) error {
	content, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, k.URL+"/", bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+operation)
	digest := sha256.Sum256(content)
	if err := v4.NewSigner().SignHTTP(ctx, caller.Credentials, request, hex.EncodeToString(digest[:]), "kms", k.Region, time.Now()); err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", operation, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (k *KMS) serve(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	k.mu.Lock()
	answer := k.answer
	k.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	if code, message := k.refuse(r, content); code != "" {
		KMSRefusal(w, code, message)
		return
	}
	proxy.ServeHTTP(w, r)
}

// KMSRefusal writes an error as KMS does.
func KMSRefusal(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

// refuse returns the code and message of an error, or "" if the request is admitted.
func (k *KMS) refuse(r *http.Request, content []byte) (code, message string) {
	var id, scope, names, signature string
	given := r.Header.Get("Authorization")
	for _, part := range strings.Split(strings.TrimPrefix(given, "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			id, scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			names = value
		case "Signature":
			signature = value
		}
	}
	k.mu.Lock()
	caller, known := k.callers[id]
	k.mu.Unlock()
	parts := strings.Split(scope, "/") // DATE/REGION/SERVICE/aws4_request
	switch {
	case !known:
		return "UnrecognizedClientException", "The security token included in the request is invalid."
	case len(parts) != 4 || parts[1] != k.Region || parts[2] != "kms":
		return "InvalidSignatureException", "Credential should be scoped to a valid region."
	case caller.Expired:
		return "ExpiredTokenException", "The security token included in the request is expired"
	}
	if want := k.signature(r, caller, content, names); want != signature {
		return "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if caller.May != nil && !slices.Contains(caller.May, operation) {
		return "AccessDeniedException", fmt.Sprintf("User: arn:aws:iam::%s:user/%s is not authorized to perform: kms:%s", KMSAccount, id, operation)
	}
	return "", ""
}

// signature signs a request again, with the secret that the caller has, over the headers that were
// signed.
func (k *KMS) signature(r *http.Request, caller KMSCaller, content []byte, names string) string {
	again := r.Clone(r.Context())
	again.URL.Scheme, again.URL.Host = "http", r.Host
	again.Header = http.Header{}
	for _, name := range strings.Split(names, ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return "expired"
	}
	digest := sha256.Sum256(content)
	if err := v4.NewSigner().SignHTTP(r.Context(), caller.Credentials, again, hex.EncodeToString(digest[:]), "kms", k.Region, at); err != nil {
		return "not signed"
	}
	_, signature, _ := strings.Cut(again.Header.Get("Authorization"), "Signature=")
	return signature
}
