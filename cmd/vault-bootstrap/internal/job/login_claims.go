package job

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// claims are those of a JSON Web Token. They are not verified: Vault does that when we log in.
type claims struct {
	Audience audience `json:"aud"`
	Subject  string   `json:"sub"`
}

func (c claims) isFor(audience string) bool {
	for _, each := range c.Audience {
		if each == audience {
			return true
		}
	}
	return false
}

// readClaims reads the middle part of a JSON Web Token (RFC 7519).
func readClaims(token secret.Value) (claims, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return claims{}, errors.New("it is not a JSON Web Token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, errors.New("it is not a JSON Web Token: its second part is not base64")
	}
	var found claims
	if err := json.Unmarshal(payload, &found); err != nil {
		return claims{}, errors.New("it is not a JSON Web Token: its claims cannot be read")
	}
	return found, nil
}

// serviceAccount reads the subject, which has the form system:serviceaccount:NAMESPACE:NAME.
func (c claims) serviceAccount() (namespace, account string, err error) {
	subject := strings.Split(c.Subject, ":")
	if len(subject) != 4 || subject[0] != "system" || subject[1] != "serviceaccount" {
		return "", "", fmt.Errorf("its subject %q is not a service account", c.Subject)
	}
	return subject[2], subject[3], nil
}

// audience is one name, or several: RFC 7519 allows both.
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}
