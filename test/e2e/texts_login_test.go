package e2e

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func ofLogins() map[product.Text]func(*speaker) string {
	all := map[product.Text]func(*speaker) string{
		product.NoHandler: func(s *speaker) string { return s.put("nowhere/login", fields{}) },
		product.RoleOrSecretID: func(s *speaker) string {
			s.must(http.MethodPut, "sys/auth/secret-ids", fields{"type": "approle"})
			s.must(http.MethodPut, "auth/secret-ids/role/a", fields{})
			s.must(http.MethodPut, "auth/secret-ids/role/a/role-id", fields{"role_id": "known"})
			return s.says(http.MethodPut, "auth/secret-ids/login", "", fields{"role_id": "known", "secret_id": "none"})
		},
		product.UsernameOrPassword: func(s *speaker) string {
			s.must(http.MethodPut, "sys/auth/userpass", fields{"type": "userpass"})
			s.must(http.MethodPut, "auth/userpass/users/a", fields{"password": "correct-horse"})
			return s.says(http.MethodPut, "auth/userpass/login/a", "", fields{"password": "wrong-horse"})
		},
		product.CertificateMissing: func(s *speaker) string {
			s = speakerOn(s.t, testbed.VaultOptions{TLS: true})
			s.must(http.MethodPut, "sys/auth/cert", fields{"type": "cert"})
			return s.says(http.MethodPut, "auth/cert/login", "", fields{})
		},
		product.Upstream: func(s *speaker) string {
			if s.onOpenBao() {
				return s.put("sys/auth/aws", fields{"type": "aws"})
			}
			s.must(http.MethodPut, "sys/auth/aws", fields{"type": "aws"})
			s.must(http.MethodPut, "auth/aws/config/client", fields{"sts_endpoint": "http://127.0.0.1:1", "sts_region": "us-east-1"}) // where nothing listens
			return s.says(http.MethodPut, "auth/aws/login", "", fields{"role": "none", "iam_http_request_method": "POST", "iam_request_url": "aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8=", "iam_request_body": base64.StdEncoding.EncodeToString([]byte("Action=GetCallerIdentity&Version=2011-06-15")), "iam_request_headers": base64.StdEncoding.EncodeToString([]byte(`{"Authorization": ["none"]}`))})
		},
	}
	for text, provoke := range ofJWT() {
		all[text] = provoke
	}
	for text, provoke := range ofKubernetes() {
		all[text] = provoke
	}
	return all
}

// ofJWT has tokens refused for what is in them.
func ofJWT() map[product.Text]func(*speaker) string {
	login := func(role string, change func(claims fields, key **rsa.PrivateKey)) func(*speaker) string {
		return func(s *speaker) string {
			key := rsaKey(s.t)
			public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			if err != nil {
				s.t.Fatal(err)
			}
			s.put("sys/auth/jwt", fields{"type": "jwt"}) // it may be there
			s.must(http.MethodPut, "auth/jwt/config", fields{"jwt_validation_pubkeys": []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}})
			s.must(http.MethodPut, "auth/jwt/role/a", fields{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"here"}})
			now := time.Now()
			claims := fields{"sub": "a", "aud": "here", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
			change(claims, &key)
			return s.says(http.MethodPut, "auth/jwt/login", "", fields{"role": role, "jwt": signRS256(s.t, key, "own", claims)})
		}
	}
	ago, ahead := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	return map[product.Text]func(*speaker) string{
		product.WrongAudience: login("a", func(claims fields, _ **rsa.PrivateKey) { claims["aud"] = "there" }),
		product.Expired: login("a", func(claims fields, _ **rsa.PrivateKey) {
			claims["exp"], claims["nbf"], claims["iat"] = ago, ago-60, ago-60
		}),
		product.NotYetValid:    login("a", func(claims fields, _ **rsa.PrivateKey) { claims["nbf"], claims["exp"] = ahead, ahead+3600 }),
		product.IssuedInFuture: login("a", func(claims fields, _ **rsa.PrivateKey) { claims["iat"] = ahead }),
		product.RoleNotFound:   login("none", func(fields, **rsa.PrivateKey) {}),
		product.TokenInvalid: func(s *speaker) string {
			return login("a", func(_ fields, key **rsa.PrivateKey) { *key = rsaKey(s.t) })(s)
		},
	}
}

// ofKubernetes has a stub in the place of the token's reviewer.
func ofKubernetes() map[product.Text]func(*speaker) string {
	login := func(role string, host func(s *speaker) string, bound fields) func(*speaker) string {
		return func(s *speaker) string {
			s.put("sys/auth/kubernetes", fields{"type": "kubernetes"}) // it may be there
			ca, err := os.ReadFile(s.cluster.CA.CertFile)
			if err != nil {
				s.t.Fatal(err)
			}
			s.must(http.MethodPut, "auth/kubernetes/config", fields{"kubernetes_host": host(s), "kubernetes_ca_cert": string(ca), "token_reviewer_jwt": "reviewer"})
			s.must(http.MethodPut, "auth/kubernetes/role/a", bound)
			token := signRS256(s.t, rsaKey(s.t), "own", fields{
				"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:team:app",
				"iat": time.Now().Add(-time.Minute).Unix(), "nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
				"kubernetes.io/serviceaccount/namespace": "team", "kubernetes.io/serviceaccount/service-account.name": "app",
				"kubernetes.io/serviceaccount/service-account.uid": "u", "kubernetes.io/serviceaccount/secret.name": "app-token",
			})
			return s.says(http.MethodPut, "auth/kubernetes/login", "", fields{"role": role, "jwt": token})
		}
	}
	reviewer := func(s *speaker) string {
		stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(fields{"kind": "TokenReview", "status": fields{"authenticated": true, "user": fields{"username": "system:serviceaccount:team:app", "uid": "u"}}})
		}))
		s.t.Cleanup(stub.Close)
		return stub.URL
	}
	bound := func(name, namespace string) fields {
		return fields{"bound_service_account_names": name, "bound_service_account_namespaces": namespace}
	}
	return map[product.Text]func(*speaker) string{
		product.RoleName:            login("none", reviewer, bound("app", "team")),
		product.OtherServiceAccount: login("a", reviewer, bound("other", "team")),
		product.OtherNamespace:      login("a", reviewer, bound("app", "other")),
	}
}
