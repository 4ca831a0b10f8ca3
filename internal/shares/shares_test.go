package shares

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// split makes shares of a fixed key, as Vault would.
func split(n, threshold int) []string {
	texts := make([]string, n)
	for i := range texts {
		x := byte(7*i + 3)
		share := make([]byte, 33)
		for position := range 32 {
			power := byte(1)
			for degree := range threshold {
				share[position] ^= multiply(byte(17*position+31*degree+5), power)
				power = multiply(power, x)
			}
		}
		share[32] = x
		texts[i] = base64.StdEncoding.EncodeToString(share)
	}
	return texts
}

func quoted(texts []string) string {
	return strings.ReplaceAll(fmt.Sprintf("%q", texts), `" "`, `","`)
}

func inHex(text string) string {
	raw, _ := base64.StdEncoding.DecodeString(text)
	return hex.EncodeToString(raw)
}

func TestRead(t *testing.T) {
	five := split(5, 3)
	for name, test := range map[string]struct {
		content  string
		recovery bool
		root     string
	}{
		"lines":                {strings.Join(five, "\n") + "\n", false, ""},
		"lines of Windows":     {strings.Join(five, "\r\n"), true, ""},
		"hex and base64":       {strings.Join(append([]string{inHex(five[0])}, five[1:]...), "\n"), false, ""},
		"operator init":        {`{"unseal_keys_b64":` + quoted(five) + `,"unseal_threshold":3,"recovery_keys_b64":[],"root_token":"hvs.x"}`, false, "hvs.x"},
		"operator init, auto":  {`{"unseal_keys_b64":[],"recovery_keys_b64":` + quoted(five) + `,"root_token":"hvs.x"}`, true, "hvs.x"},
		"sys/init":             {`{"keys":["00"],"keys_base64":` + quoted(five) + `,"root_token":"hvs.x"}`, false, "hvs.x"},
		"our record":           {`{"version":1,"set":{"kind":"unseal","shares":` + quoted(five) + `},"root":{"token":"hvs.x"}}`, false, "hvs.x"},
		"our record, recovery": {`{"version":1,"set":{"kind":"recovery","shares":` + quoted(five) + `}}`, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			material, err := Read([]byte(test.content))
			if err != nil {
				t.Fatal(err)
			}
			found, err := material.For(test.recovery, 3)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(secret.Reveal(found), " "), strings.Join(five, " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := material.Root.Reveal(); got != test.root {
				t.Errorf("root token %q, want %q", got, test.root)
			}
		})
	}
}

func TestFromSecret(t *testing.T) {
	data := map[string][]byte{"vault-root": []byte("hvs.x"), "vault-test": []byte("x")}
	for i, share := range split(12, 3) {
		data[fmt.Sprintf("vault-recovery-%d", i)] = []byte(inHex(share))
	}
	material, err := FromSecret(data)
	if err != nil || len(material.Recovery) != 12 || material.Root.Reveal() != "hvs.x" {
		t.Fatalf("%d shares, %v", len(material.Recovery), err)
	}
	if _, err := material.For(true, 3); err != nil {
		t.Error(err)
	}
	if _, err := material.For(false, 3); err == nil || !strings.Contains(err.Error(), "these are recovery keys") {
		t.Errorf("as unseal keys: %v", err)
	}
	if _, err := FromSecret(map[string][]byte{"password": nil}); err == nil {
		t.Error("another Secret was taken")
	}
}

func TestRefused(t *testing.T) {
	five, others := split(5, 3), split(5, 4)
	for name, test := range map[string]struct{ content, says string }{
		"empty":                 {" \n", "empty"},
		"no share":              {"correct horse battery staple", "not a key share"},
		"too short":             {inHex(five[0])[:20], "not a key share"},
		"encrypted":             {strings.Repeat(five[0], 6), "decrypt it first"},
		"broken JSON":           {`{"unseal_keys_b64":["` + five[0], "cannot be parsed"},
		"other JSON":            {`{"a":1}`, "no key shares"},
		"our record, encrypted": {`{"version":2,"header":{"set":{"kind":"unseal","shares":["sealed"]}},"sealing":{}}`, "an encrypted keys record of ours"},
		"custody":               {`{"set":{"kind":"unseal","custody":[{}]}}`, "operators' own PGP keys"},
		"too few":               {strings.Join(five[:2], "\n"), "2 shares are given, and this Vault asks for 3"},
		"twice":                 {strings.Join([]string{five[0], five[1], inHex(five[0])}, "\n"), "share 3 is the same as share 1"},
		"a wrong one":           {strings.Join(append(five[:4:4], others[4]), "\n"), "share 5 does not belong"},
		"same number":           {strings.Join(append(five[:4:4], others[3]), "\n"), "same number"},
		"unsplit keys":          {strings.Join([]string{five[0], five[1], base64.StdEncoding.EncodeToString(make([]byte, 32))}, "\n"), "not as long"},
	} {
		t.Run(name, func(t *testing.T) {
			material, err := Read([]byte(test.content))
			if err == nil {
				_, err = material.For(false, 3)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
			for _, share := range five {
				if strings.Contains(err.Error(), share) || strings.Contains(err.Error(), inHex(share)) {
					t.Errorf("the error shows a share: %v", err)
				}
			}
		})
	}
}
