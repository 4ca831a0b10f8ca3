package seed_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// The principal of the suite. The stub answers for it only if the request is signed
// with its key, as AWS signs (Signature Version 4).
const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	callerARN = "arn:aws:sts::123456789012:assumed-role/deploy/job-7"
	body      = "Action=GetCallerIdentity&Version=2011-06-15"
	awsRegion = "us-east-1"
)

// startSTS starts a stub of AWS's token service on loopback.
func startSTS(t *testing.T, b *bed) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		day, stamp := "", r.Header.Get("X-Amz-Date")
		if len(stamp) > 8 {
			day = stamp[:8]
		}
		want := authorization(r.Host, r.Header, string(sent), day, stamp)
		if r.Header.Get("Authorization") != want {
			http.Error(w, "the signature does not match", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>%s</Arn><UserId>AROAEXAMPLE:job-7</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`, callerARN)
	}))
	t.Cleanup(server.Close)
	b.sts = server.URL
	loginBefore(t, b)
	return []string{"      iam_server_id_header_value: vault.example.org", "      iam_server_id_header_value: vault.example.org\n      sts_endpoint: " + server.URL + "\n      sts_region: " + awsRegion}
}

// authorization signs a request (Signature Version 4 of AWS).
func authorization(host string, headers http.Header, body, day, stamp string) string {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	const names = "content-type;host;x-amz-date;x-vault-aws-iam-server-id"
	canonical := strings.Join([]string{
		"POST", "/", "", "content-type:" + headers.Get("Content-Type"), "host:" + host, "x-amz-date:" + stamp,
		"x-vault-aws-iam-server-id:" + headers.Get("X-Vault-Aws-Iam-Server-Id"), "", names, digest(body),
	}, "\n")
	scope := day + "/" + awsRegion + "/sts/aws4_request"
	key := []byte("AWS4" + secretKey)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+digest(canonical)))
	return "AWS4-HMAC-SHA256 Credential=" + accessKey + "/" + scope + ", SignedHeaders=" + names + ", Signature=" + signature
}

// awsLogin logs in at the AWS method mounted at path and returns the response entry of
// the audit log.
func awsLogin(t *testing.T, b *bed, path, log string) (entry driver.Audited) {
	t.Helper()
	now := time.Now().UTC()
	stamp := now.Format("20060102T150405Z")
	host := strings.TrimPrefix(b.sts, "http://")
	headers := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "X-Amz-Date": {stamp},
		"X-Vault-Aws-Iam-Server-Id": {"vault.example.org"}, "Host": {host},
	}
	headers.Set("Authorization", authorization(host, headers, body, stamp[:8], stamp))
	in := m{
		"role": "deploy", "iam_http_request_method": "POST",
		"iam_request_url":     base64.StdEncoding.EncodeToString([]byte(b.sts + "/")),
		"iam_request_body":    base64.StdEncoding.EncodeToString([]byte(body)),
		"iam_request_headers": base64.StdEncoding.EncodeToString([]byte(toJSON(t, headers))),
	}
	var answer map[string]any
	if err := b.Call(t.Context(), "POST", "auth/"+path+"/login", "", in, &answer); err != nil {
		t.Fatal(err)
	}
	return lastResponse(t, log, "auth/"+path+"/login")
}

// lastResponse returns the last response to a path in an audit log.
func lastResponse(t *testing.T, log, path string) (last driver.Audited) {
	t.Helper()
	entries, _, err := driver.ReadAudit(log, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Type == "response" && entry.Request.Path == path {
			last = entry
		}
	}
	return last
}

// loginBefore shows what an entry holds when nobody has set iam_metadata.
func loginBefore(t *testing.T, b *bed) {
	t.Helper()
	b.call(t, "PUT", "sys/auth/before", m{"type": "aws"})
	b.call(t, "PUT", "auth/before/config/client", m{"sts_endpoint": b.sts, "sts_region": awsRegion, "iam_server_id_header_value": "vault.example.org"})
	b.call(t, "PUT", "auth/before/role/deploy", m{"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/deploy", "resolve_aws_unique_ids": false})
	entry := awsLogin(t, b, "before", b.log())
	metadata := entry.Auth.Metadata
	if _, there := metadata["canonical_arn"]; there || metadata["account_id"] == nil {
		t.Errorf("before, the entry holds %v", metadata)
	}
}

// useAWS logs in as an AWS principal and reads the audit logs, hashed and readable.
func useAWS(t *testing.T, b *bed) {
	for _, log := range []string{"hashed.log", "readable.log"} {
		entry := awsLogin(t, b, "aws", filepath.Join(b.dir, log))
		if got := entry.Auth.Metadata["canonical_arn"]; got != "arn:aws:iam::123456789012:role/deploy" {
			t.Errorf("%s: canonical_arn is %v", log, got)
		}
		token := entry.Auth.ClientToken
		if hashed := strings.HasPrefix(token, "hmac-sha256:"); hashed != (log == "hashed.log") {
			t.Errorf("%s: the token is %s", log, token[:12])
		}
	}
}
